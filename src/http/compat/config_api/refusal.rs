//! Why a document is not served or taken, in the words and with the status of the reference.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, RETRY_AFTER};
use render_signal_actors::config::documents::{FieldProblem, Key};
use render_signal_actors::config::edit::EditError;
use render_signal_actors::config::store::StoreError;
use serde_json::{Value, json};

use super::{ConfigApi, RETRY_AFTER_SECONDS, response, timestamp};

/// A request that is not granted. The message is shown to the caller: never a secret.
pub(super) struct ConfigApiRefusal {
    pub(super) status: StatusCode,
    pub(super) message: String,
    pub(super) problems: Vec<FieldProblem>,
    pub(super) headers: Vec<(HeaderName, &'static str)>,
}

impl ConfigApiRefusal {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), problems: Vec::new(), headers: Vec::new() }
    }

    pub(super) fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    fn unreachable(message: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message).with(RETRY_AFTER, RETRY_AFTER_SECONDS)
    }
}

impl From<StoreError> for ConfigApiRefusal {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "a request for a configuration document could not be answered");
        match error {
            StoreError::Unreadable { .. } | StoreError::Lost(_) => Self::unreachable("Read error"),
            StoreError::Unwritable { .. } | StoreError::Conflict(_) => Self::unreachable("Write error"),
        }
    }
}

impl From<EditError> for ConfigApiRefusal {
    fn from(error: EditError) -> Self {
        match error {
            EditError::Invalid(problems) => Self {
                message: format!("Invalid payload: {}", in_french(&problems)),
                problems,
                ..Self::new(StatusCode::BAD_REQUEST, "")
            },
            EditError::Conflict(conflict) => Self::new(StatusCode::PRECONDITION_FAILED, conflict.to_string()),
            EditError::Store(error) => error.into(),
            EditError::Unknown(why) => Self::new(StatusCode::PRECONDITION_FAILED, why),
        }
    }
}

/// Everything that is wrong, as the reference's clients read it.
fn in_french(problems: &[FieldProblem]) -> String {
    problems.iter().map(FieldProblem::in_french).collect::<Vec<_>>().join("; ")
}

pub(super) fn known(name: &str) -> Result<Key, ConfigApiRefusal> {
    Key::named(name).ok_or_else(unknown)
}

pub(super) fn unknown() -> ConfigApiRefusal {
    ConfigApiRefusal::new(StatusCode::NOT_FOUND, "Unknown key")
}

pub(super) fn bad(message: &str) -> ConfigApiRefusal {
    ConfigApiRefusal::new(StatusCode::BAD_REQUEST, message)
}

pub(super) fn refusal_answer(api: &ConfigApi, refusal: &ConfigApiRefusal) -> HttpResponse {
    let mut response = response(refusal.status);
    for (name, value) in &refusal.headers {
        response.insert_header((name.clone(), *value));
    }
    let errors: Vec<Value> =
        refusal.problems.iter().map(|p| json!({"field": p.field, "message": p.message.french})).collect();
    let body = json!({
        "success": false,
        "status": "error",
        "message": refusal.message,
        "errors": errors,
        "timestamp": timestamp(api.now()),
    });
    response.body(body.to_string())
}
