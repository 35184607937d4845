//! What holds for every request, whatever it asks for.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::middleware::Next;

use super::gate::{Follows, Gate};
use super::{TAKES_A_BODY, problem};

/// Tells the gate what follows the request, and when it is answered.
pub(super) async fn door(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let follows = follows(&request);
    let last = follows == Follows::Nothing || request.head().connection_type() != ConnectionType::KeepAlive;
    let gate = request.request().conn_data::<Gate>().cloned();
    if let Some(gate) = &gate {
        gate.go_on(follows);
    }
    let _answered = Answered { gate, last };
    let mut response = if request.headers().contains_key(TRANSFER_ENCODING) {
        let why = "a request with Transfer-Encoding is not read: send Content-Length instead";
        let answer = problem::problem(request.request(), StatusCode::LENGTH_REQUIRED, why);
        request.into_response(answer)
    } else {
        next.call(request).await?.map_into_boxed_body()
    };
    if last {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}

/// Tells the gate even when the answer is never made.
struct Answered {
    gate: Option<Gate>,
    last: bool,
}

impl Drop for Answered {
    fn drop(&mut self) {
        if let Some(gate) = &self.gate {
            gate.answered(self.last);
        }
    }
}

/// What may be read behind the head of a request.
fn follows(request: &ServiceRequest) -> Follows {
    let headers = request.headers();
    let hides_its_end = headers.contains_key(TRANSFER_ENCODING)
        || headers.contains_key(UPGRADE)
        || request.head().method == Method::CONNECT;
    if hides_its_end {
        return Follows::Nothing;
    }
    let Some(length) = headers.get(CONTENT_LENGTH) else { return Follows::Next };
    let length = length.to_str().ok().and_then(|text| text.trim().parse::<u64>().ok());
    match length {
        Some(0) => Follows::Next,
        Some(length) if TAKES_A_BODY.contains(&request.path()) => Follows::Body(length),
        _ => Follows::Nothing,
    }
}
