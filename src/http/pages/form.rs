//! What a form sends: names and values, in order, each name as often as it is there.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use url::form_urlencoded;

use crate::http::problem::{HttpProblem, ProblemKind};
use crate::http::v1::extract;

/// The media type of forms (WHATWG URL section 5).
const KIND: &str = "application/x-www-form-urlencoded";

/// The fields of a form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::http) struct FormData(pub(in crate::http::pages) Vec<(String, String)>);

impl FormData {
    /// Of a body.
    pub(in crate::http::pages) fn read(body: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(body);
        // Browsers end lines of a text with CR LF, whatever it was typed with.
        Self(pairs.map(|(name, value)| (name.into_owned(), value.replace("\r\n", "\n"))).collect())
    }

    /// The first value of a name.
    pub(in crate::http::pages) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The first value of a name without the spaces around it; empty when it is not there.
    pub(in crate::http::pages) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default().trim()
    }

    /// Every value of a name.
    pub(in crate::http::pages) fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str()).collect()
    }

    /// Whether a box is ticked.
    pub(in crate::http::pages) fn is_on(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

impl FromRequest for FormData {
    type Error = HttpProblem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, HttpProblem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let body = extract::body(&request, payload).await?;
            let kind = extract::media_type(&request);
            if !body.is_empty() && kind != KIND {
                let why = format!("this address takes {KIND}, not {kind:?}");
                return Err(HttpProblem::new(ProblemKind::UnsupportedMediaType, why));
            }
            Ok(Self::read(&body))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_they_were_typed() {
        let form = FormData::read(b"a=+1%20&a=2&text=one%0D%0Atwo&box=on&empty=");
        assert_eq!((form.get("a"), form.text("a")), (Some(" 1 "), "1"));
        assert_eq!(form.all("a"), [" 1 ", "2"]);
        assert_eq!(form.text("text"), "one\ntwo");
        assert!(form.is_on("box") && !form.is_on("other"));
        assert_eq!((form.get("empty"), form.text("other")), (Some(""), ""));
    }
}
