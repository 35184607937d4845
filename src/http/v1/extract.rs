//! What a request says, read strictly: a parameter or field that nobody knows is refused, and
//! whatever is wrong is named.

use std::future::{Future, Ready, ready};
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::{Bytes, Data};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use bytes::BytesMut;
use futures::StreamExt as _;
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use crate::http::HttpState;
use crate::http::problem::{HttpProblem, ProblemField, ProblemKind};
use crate::http::routes;

/// The parameters of a query. `T` has `#[serde(deny_unknown_fields)]`.
#[derive(Debug, Clone)]
pub(in crate::http) struct Params<T>(pub(in crate::http) T);

impl<T: DeserializeOwned> FromRequest for Params<T> {
    type Error = HttpProblem;
    type Future = Ready<Result<Self, HttpProblem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(params(request.query_string()).map(Self))
    }
}

fn params<T: DeserializeOwned>(query: &str) -> Result<T, HttpProblem> {
    let pairs = form_urlencoded::parse(query.as_bytes());
    let mut seen: Vec<String> = Vec::new();
    for (name, _) in pairs {
        if seen.contains(&name.clone().into_owned()) {
            return Err(HttpProblem::parameter(
                &name,
                "was sent twice; send it once, several values with commas",
            ));
        }
        seen.push(name.into_owned());
    }
    let reader = serde::de::value::MapDeserializer::new(
        form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| (name.into_owned(), QueryText(value.into_owned()))),
    );
    serde_path_to_error::deserialize(reader).map_err(|error| {
        let field = error.path().to_string();
        let message = error.into_inner().to_string();
        if field == "." { named(&message) } else { HttpProblem::parameter(&field, message) }
    })
}

/// An error that names its field only in its words: one that is unknown or missing.
fn named(message: &str) -> HttpProblem {
    match message.split('`').nth(1) {
        Some(field) => HttpProblem::parameter(field, message),
        None => HttpProblem::new(ProblemKind::InvalidParameter, message),
    }
}

#[derive(Debug, Clone)]
pub(in crate::http) struct JsonBody<T>(pub(in crate::http) T);

impl<T: DeserializeOwned + 'static> FromRequest for JsonBody<T> {
    type Error = HttpProblem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, HttpProblem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            is_json(&request)?;
            json(&body(&request, payload).await?).map(Self)
        })
    }
}

/// A JSON body, which may be left out: then all is as `T` has it by default.
#[derive(Debug, Clone)]
pub(in crate::http) struct JsonOrNothing<T>(pub(in crate::http) T);

impl<T: DeserializeOwned + Default + 'static> FromRequest for JsonOrNothing<T> {
    type Error = HttpProblem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, HttpProblem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let body = body(&request, payload).await?;
            if body.is_empty() {
                return Ok(Self(T::default()));
            }
            is_json(&request)?;
            // Nothing, written down.
            if body.trim_ascii() == b"null" {
                return Ok(Self(T::default()));
            }
            json(&body).map(Self)
        })
    }
}

/// Lets through what says that it is JSON.
fn is_json(request: &HttpRequest) -> Result<(), HttpProblem> {
    let kind = media_type(request);
    if kind == "application/json" {
        return Ok(());
    }
    let why = match kind.as_str() {
        "" => "send Content-Type: application/json with the body; this address takes nothing else".to_owned(),
        other => format!("this address takes application/json, not {other:?}"),
    };
    Err(HttpProblem::new(ProblemKind::UnsupportedMediaType, why))
}

/// Reads JSON; an error says where.
///
/// # Errors
/// It is none, or a field is wrong.
pub(in crate::http) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, HttpProblem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let field = error.path().to_string();
        let message = error.into_inner().to_string();
        let field = match message.split('`').nth(1) {
            Some(name) if field == "." => name.to_owned(),
            _ => field,
        };
        let problem = HttpProblem::new(ProblemKind::InvalidBody, message.clone());
        if field == "." { problem } else { problem.with_errors(vec![ProblemField { field, message }]) }
    })?;
    match reader.end() {
        Ok(()) => Ok(read),
        Err(error) => Err(HttpProblem::new(ProblemKind::InvalidBody, error.to_string())),
    }
}

/// The media type of a body, in lower case and without parameters; empty when none is said.
pub(in crate::http) fn media_type(request: &HttpRequest) -> String {
    let header =
        request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    header.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The refusal of a body that is longer than `most` bytes.
pub(in crate::http) fn too_large(most: usize) -> HttpProblem {
    HttpProblem::new(ProblemKind::TooLarge, format!("a body has at most {most} bytes here"))
}

/// The body, no longer than the table of routes lets it be for this address.
///
/// # Errors
/// It is too long, or did not come in time.
pub(in crate::http) async fn body(request: &HttpRequest, mut payload: Payload) -> Result<Bytes, HttpProblem> {
    let most = routes::takes(request.method(), request.match_info().as_str()).most();
    let announced =
        request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > most) {
        return Err(too_large(most));
    }
    if let Some(state) = request.app_data::<Data<HttpState>>()
        && let Some(permit) = state.bodies.permit(announced.unwrap_or(most))?
    {
        // Given back when the request is answered.
        request.extensions_mut().insert(permit);
    }
    let mut body = BytesMut::with_capacity(announced.unwrap_or(0));
    while let Some(chunk) = payload.next().await {
        // Its sender has gone, or was too slow.
        let chunk =
            chunk.map_err(|_| HttpProblem::new(ProblemKind::Timeout, "the body did not come within 10 s"))?;
        if body.len() + chunk.len() > most {
            return Err(too_large(most));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// A value of a query: text that is read as whatever is asked for.
struct QueryText(String);

impl<'de> serde::de::IntoDeserializer<'de, serde::de::value::Error> for QueryText {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Numbers and truth values are read from their text.
macro_rules! parsed {
    ($($read:ident, $visit:ident, $kind:ty;)+) => {
        $(fn $read<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
            match self.0.parse::<$kind>() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(serde::de::Error::invalid_value(serde::de::Unexpected::Str(&self.0), &visitor)),
            }
        })+
    };
}

impl<'de> serde::Deserializer<'de> for QueryText {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_string(self.0)
    }

    fn deserialize_option<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: serde::de::Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_enum(serde::de::IntoDeserializer::<Self::Error>::into_deserializer(self.0))
    }

    fn deserialize_newtype_struct<V: serde::de::Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    parsed! {
        deserialize_bool, visit_bool, bool;
        deserialize_u8, visit_u8, u8;
        deserialize_u16, visit_u16, u16;
        deserialize_u32, visit_u32, u32;
        deserialize_u64, visit_u64, u64;
        deserialize_i8, visit_i8, i8;
        deserialize_i16, visit_i16, i16;
        deserialize_i32, visit_i32, i32;
        deserialize_i64, visit_i64, i64;
    }

    /// Several values, with commas between them.
    fn deserialize_seq<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        // `kind=` is a list without members, as a form sends it.
        let texts = self.0.split(',').filter(|_| !self.0.trim().is_empty());
        let parts: Vec<Self> = texts.map(|part| Self(part.trim().to_owned())).collect();
        visitor.visit_seq(serde::de::value::SeqDeserializer::new(parts.into_iter()))
    }

    serde::forward_to_deserialize_any! {
        f32 f64 char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier
        ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Eq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Stage {
        Held,
        Ignored,
    }

    #[derive(Debug, PartialEq, Eq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Query {
        #[serde(default)]
        stages: Vec<Stage>,
        limit: Option<u8>,
        text: Option<String>,
        failed: Option<bool>,
    }

    #[test]
    fn a_query_is_read_by_its_types() {
        let read = params::<Query>("stages=held,ignored&limit=20&text=%C3%A9t%C3%A9+12&failed=true");
        let expected = Query {
            stages: vec![Stage::Held, Stage::Ignored],
            limit: Some(20),
            text: Some("été 12".to_owned()),
            failed: Some(true),
        };
        assert_eq!(read.ok(), Some(expected));
    }

    #[test]
    fn a_list_that_is_sent_empty_has_no_members() {
        let read = params::<Query>("stages=").expect("a query");
        assert!(read.stages.is_empty(), "{read:?}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (query, field) in [
            ("limit=300", "limit"),
            ("limit=", "limit"),
            ("limit=1&limit=2", "limit"),
            ("failed=perhaps", "failed"),
            ("stages=held,lost", "stages[1]"),
            ("sort=asc", "sort"),
        ] {
            let problem = params::<Query>(query).expect_err(query);
            assert_eq!(problem.kind, ProblemKind::InvalidParameter, "{query}");
            let fields: Vec<&str> = problem.errors.iter().map(|error| error.field.as_str()).collect();
            assert_eq!(fields, [field], "{query}: {}", problem.detail);
        }
        for (body, field) in [
            (r#"{"limit": 300}"#, "limit"),
            (r#"{"stages": ["held", 7]}"#, "stages[1]"),
            (r#"{"sort": 1}"#, "sort"),
        ] {
            let problem = json::<Query>(body.as_bytes()).expect_err(body);
            let fields: Vec<&str> = problem.errors.iter().map(|error| error.field.as_str()).collect();
            assert_eq!((problem.kind, fields), (ProblemKind::InvalidBody, vec![field]), "{body}");
        }
        for body in ["", "[1", "{} {}"] {
            assert_eq!(
                json::<serde_json::Value>(body.as_bytes()).expect_err(body).kind,
                ProblemKind::InvalidBody
            );
        }
    }
}
