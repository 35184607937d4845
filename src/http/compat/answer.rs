//! The shapes of the reference's answers, and how it reads bodies.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, RETRY_AFTER};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use render_signal_actors::config::documents::FieldProblem;
use render_signal_actors::config::edit::EditError;
use render_signal_actors::config::store::StoreError;
use serde_json::{Map, Value, json};

use crate::http::problem::{HttpProblem, ProblemKind};
use crate::http::v1::extract;

/// When to ask again, in seconds, while a store or the journal cannot be reached.
const RETRY_AFTER_SECONDS: &str = "5";

/// The reference's word for an address that it does not take, as it is compared with.
const NOT_HTTPS: &str = "webhook_url doit être une URL HTTPS valide.";

/// An answer, or why there is none.
pub(super) type CompatResult = Result<HttpResponse, CompatRefusal>;

/// A request that is not granted, in the reference's shape.
#[derive(Debug)]
pub(super) struct CompatRefusal {
    status: StatusCode,
    body: Value,
}

impl CompatRefusal {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, body: json!({"success": false, "message": message.into()}) }
    }

    /// 400.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// With further fields.
    pub(super) fn with(mut self, more: &Value) -> Self {
        if let (Value::Object(body), Value::Object(more)) = (&mut self.body, more) {
            body.extend(more.clone());
        }
        self
    }

    /// 503: it is not known, or was not done, because something cannot be reached.
    pub(super) fn not_now(message: &str, why: &dyn std::fmt::Display) -> Self {
        tracing::warn!(%why, message, "a request could not be answered");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    /// What is wrong with a document: the first in the message, as the reference has it, all of
    /// them beside it.
    pub(super) fn invalid(faults: &[FieldProblem]) -> Self {
        let message = faults.first().map(|fault| fault.message.french.as_str()).unwrap_or_default();
        // What it takes to be valid is said beside it.
        let message = if message.starts_with(NOT_HTTPS) { NOT_HTTPS } else { message };
        let errors: Vec<Value> = faults
            .iter()
            .map(|fault| json!({"field": fault.field, "message": fault.message.french}))
            .collect();
        Self::bad(message).with(&json!({ "errors": errors }))
    }

    /// Why a change was not made. `not_saved` is what the reference says then.
    pub(super) fn not_saved(error: EditError, not_saved: &str) -> Self {
        match error {
            EditError::Invalid(faults) => Self::invalid(&faults),
            EditError::Conflict(_) => Self::new(
                StatusCode::CONFLICT,
                "La configuration a été modifiée entre-temps : relisez-la, puis recommencez.",
            ),
            EditError::Store(error) => Self::not_now(not_saved, &error),
            EditError::Unknown(why) => Self::not_now(not_saved, &why),
        }
    }

    /// Why a document cannot be read.
    pub(super) fn not_read(error: &StoreError, message: &str) -> Self {
        Self::not_now(message, error)
    }
}

impl std::fmt::Display for CompatRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.body.get("message").and_then(Value::as_str).unwrap_or_default())
    }
}

impl actix_web::ResponseError for CompatRefusal {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        response.insert_header((CACHE_CONTROL, "no-store"));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header((RETRY_AFTER, RETRY_AFTER_SECONDS));
        }
        response.json(&self.body)
    }
}

/// 200, as it is.
pub(super) fn plain(body: &Value) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(body)
}

/// 200, with `success` and these fields.
pub(super) fn success(mut body: Value) -> HttpResponse {
    if let Value::Object(fields) = &mut body {
        fields.insert("success".to_owned(), Value::Bool(true));
    }
    plain(&body)
}

/// The fields of a JSON body. None at all is as good as an empty object, as in the reference;
/// what is no object is refused, unlike there.
#[derive(Debug)]
pub(super) struct JsonFields(pub(super) Map<String, Value>);

impl JsonFields {
    /// Those that are in `names`, in the order of `names`.
    pub(super) fn known<'n>(&self, names: &[&'n str]) -> Vec<(&'n str, &Value)> {
        names.iter().filter_map(|name| Some((*name, self.0.get(*name)?))).collect()
    }

    /// What is said of those that are in none of `names`: the reference leaves them alone, too.
    pub(super) fn ignored(&self, names: &[&str]) -> Option<Value> {
        let ignored: Vec<&String> = self.0.keys().filter(|name| !names.contains(&name.as_str())).collect();
        (!ignored.is_empty()).then(|| json!(ignored))
    }

    /// An answer that names what was left alone, if anything was.
    pub(super) fn noting(&self, mut body: Value, names: &[&str]) -> Value {
        if let (Value::Object(body), Some(ignored)) = (&mut body, self.ignored(names)) {
            body.insert("ignored".to_owned(), ignored);
        }
        body
    }

    /// A field.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
}

impl FromRequest for JsonFields {
    type Error = HttpProblem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, HttpProblem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let kind = extract::media_type(&request);
            let body = extract::body(&request, payload).await?;
            if body.is_empty() {
                return Ok(Self(Map::new()));
            }
            if !matches!(kind.as_str(), "" | "application/json") {
                let why = format!("Un corps application/json est attendu, pas {kind:?}.");
                return Err(HttpProblem::new(ProblemKind::UnsupportedMediaType, why));
            }
            match serde_json::from_slice(&body) {
                Ok(Value::Object(fields)) => Ok(Self(fields)),
                Ok(_) => Err(HttpProblem::new(
                    ProblemKind::InvalidBody,
                    "Corps JSON invalide : un objet est attendu.",
                )),
                Err(error) => {
                    Err(HttpProblem::new(ProblemKind::InvalidBody, format!("Corps JSON invalide : {error}")))
                }
            }
        })
    }
}

/// The value of a parameter of the query; the last one, as there.
pub(super) fn parameter(request: &HttpRequest, name: &str) -> Option<String> {
    url::form_urlencoded::parse(request.query_string().as_bytes())
        .filter(|(known, _)| known == name)
        .last()
        .map(|(_, value)| value.into_owned())
}

/// Seconds since 1970 or an instant as the reference writes it.
pub(super) fn iso(at: chrono::DateTime<chrono::Utc>) -> String {
    render_signal_actors::config::edit::instant(at)
}
