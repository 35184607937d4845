//! `POST /api/auth/magic-link`: makes a sign-in link, for the clients that the reference system has
//! (reference section 4.2).

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use render_signal_actors::config::edit::instant;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::http::HttpState;
use crate::http::access::Caller;
use crate::http::problem::{HttpProblem, ProblemField, ProblemKind};
use crate::http::v1::extract;

/// The field that asks for a link without an end.
const UNLIMITED: &str = "unlimited";

pub(super) async fn create(
    request: HttpRequest,
    payload: Payload,
    caller: Caller,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let unlimited = unlimited(&request, payload).await?;
    let failed = |why: &str| format!("Impossible de générer un magic link : {why}");
    let login = state.access.login.as_ref();
    let login = login.ok_or_else(|| {
        HttpProblem::new(ProblemKind::Unavailable, failed("personne ne peut se connecter ici."))
    })?;
    let url = |token: &str| {
        let why = "PUBLIC_BASE_URL n'est pas défini : c'est l'adresse du service vue d'un navigateur, par exemple \
                   https://signal.example.fr.";
        login.link_url(token).ok_or_else(|| HttpProblem::new(ProblemKind::Conflict, failed(why)))
    };
    // Before there is a link of which nobody learns.
    url("")?;
    let link = login.links.create(unlimited, &caller.by()).await.map_err(|error| {
        tracing::warn!(%error, "a sign-in link could not be made");
        HttpProblem::new(
            ProblemKind::Unavailable,
            failed("le journal ou le document magic_link_tokens ne répond pas."),
        )
        .retry_after(5)
    })?;
    Ok(HttpResponse::Created().json(json!({
        "expires_at": link.expires_at.map(instant),
        "magic_link": url(link.token.expose_secret())?,
        "success": true,
        UNLIMITED: unlimited,
    })))
}

/// What the body asks for; without one, a link with an end.
async fn unlimited(request: &HttpRequest, payload: Payload) -> Result<bool, HttpProblem> {
    let body = extract::body(request, payload.into_inner()).await?;
    if body.is_empty() {
        return Ok(false);
    }
    if extract::media_type(request) != "application/json" {
        return Err(HttpProblem::new(
            ProblemKind::UnsupportedMediaType,
            "Content-Type: application/json est attendu.",
        ));
    }
    let Ok(Value::Object(fields)) = serde_json::from_slice(&body) else {
        return Err(HttpProblem::new(ProblemKind::InvalidBody, "Un objet JSON est attendu."));
    };
    is_on(fields.get(UNLIMITED).unwrap_or(&Value::Null)).ok_or_else(|| {
        let message = "true ou false est attendu.".to_owned();
        let detail = format!("{UNLIMITED} : {message}");
        HttpProblem::new(ProblemKind::InvalidBody, detail)
            .with_errors(vec![ProblemField { field: UNLIMITED.to_owned(), message }])
    })
}

/// A switch, of which the words for off mean off: a link without an end is not made by accident.
fn is_on(value: &Value) -> Option<bool> {
    match value {
        Value::Null => Some(false),
        Value::Bool(on) => Some(*on),
        Value::Number(number) => Some(number.as_f64() != Some(0.0)),
        Value::String(word) => match word.trim().to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "y" | "on" => Some(true),
            "" | "0" | "false" | "no" | "n" | "off" => Some(false),
            _ => None,
        },
        Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_for_off_is_off_and_what_is_no_switch_is_refused() {
        for (value, wanted) in [
            (json!(null), Some(false)),
            (json!(true), Some(true)),
            (json!("false"), Some(false)),
            (json!("off"), Some(false)),
            (json!("True"), Some(true)),
            (json!(0), Some(false)),
            (json!(1), Some(true)),
            (json!("perhaps"), None),
            (json!([]), None),
        ] {
            assert_eq!(is_on(&value), wanted, "{value}");
        }
    }
}
