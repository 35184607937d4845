//! `POST /api/ingress/gmail`: a mail is handed over. 200 is said when it is in the journal.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_LENGTH, HeaderMap};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use render_signal_actors::ingress::signature::{self, SignatureHeaders};
use render_signal_actors::ingress::{IngressError, LARGEST, body};
use render_signal_actors::mail::IgnoreReason;
use render_signal_actors::messages::{AdmissionDecision, Admitted};
use serde_json::json;

use super::answer::{CompatRefusal, CompatResult, success};
use crate::http::HttpState;
use crate::http::problem::HttpProblem;
use crate::http::v1::extract;

/// What the reference says when it cannot do anything.
const NOT_NOW: &str = "Service unavailable";

/// The address.
pub(super) async fn take(
    state: Data<HttpState>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, actix_web::Error> {
    let announced =
        request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    // What is never taken is not told to come again, whatever room there is.
    if announced.is_some_and(|bytes| bytes > LARGEST) {
        return Err(extract::too_large(LARGEST).into());
    }
    // Before a byte is read: what there is no room for stays where it is.
    let Some(room) = state.reference.ingress.room(announced.unwrap_or_default()) else {
        return Err(CompatRefusal::not_now(NOT_NOW, &"too many mails are being handed over").into());
    };
    let bytes =
        extract::body(&request, payload.into_inner()).await.map_err(|problem: HttpProblem| problem)?;
    let answer = admit(&state, request.headers(), &bytes).await?;
    drop(room);
    Ok(answer)
}

async fn admit(state: &HttpState, headers: &HeaderMap, bytes: &[u8]) -> CompatResult {
    if let Some(keys) = &state.reference.ingress_keys {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let signed = SignatureHeaders {
            id: header("webhook-id"),
            timestamp: header("webhook-timestamp"),
            signature: header("webhook-signature"),
        };
        signature::check(keys, signed, bytes, state.world.clock.stamp()).map_err(|error| {
            CompatRefusal::new(StatusCode::UNAUTHORIZED, "Unauthorized")
                .with(&json!({ "reason": error.to_string() }))
        })?;
    }
    let mail = body::read(bytes).map_err(|error| CompatRefusal::bad(error.to_string()))?;
    match state.reference.ingress.take(mail).await {
        Ok(admitted) => Ok(success(told(&admitted))),
        Err(IngressError::Off) => Err(CompatRefusal::new(StatusCode::CONFLICT, "Gmail ingress disabled")),
        Err(IngressError::NotNow(why)) => Err(CompatRefusal::not_now(NOT_NOW, &why)),
    }
}

/// In the reference's words, and what was decided.
fn told(admitted: &Admitted) -> serde_json::Value {
    let status = match admitted.decision {
        None => "already_processed",
        Some(AdmissionDecision::Ignored(IgnoreReason::SenderNotAllowed)) => "skipped_sender_not_allowed",
        Some(_) => "queued",
    };
    let decision = admitted.decision;
    json!({
        "status": status,
        "email_id": admitted.email_id,
        "decision": decision.map(AdmissionDecision::stage),
        "reason": decision.and_then(AdmissionDecision::reason),
    })
}
