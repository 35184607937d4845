//! What holds for every request, whatever it asks for.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING, UPGRADE};
use actix_web::http::{ConnectionType, Method};
use actix_web::middleware::Next;
use bytes::Bytes;

use super::gate::{ConnectionGate, Follows};
use super::problem::{HttpProblem, ProblemKind};
use super::routes::{self, Takes};

/// Tells the gate what follows the request, and when it is answered.
pub(super) async fn door(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let follows = follows(&request);
    let last = follows == Follows::Nothing || request.head().connection_type() != ConnectionType::KeepAlive;
    let gate = request.request().conn_data::<ConnectionGate>().cloned();
    if let Some(gate) = &gate {
        gate.go_on(follows);
    }
    let answered = Answered { gate, last };
    let mut response = if request.headers().contains_key(TRANSFER_ENCODING) {
        let why = "a request with Transfer-Encoding is not read: send Content-Length instead";
        let answer = HttpProblem::new(ProblemKind::LengthRequired, why).answer(request.request());
        request.into_response(answer)
    } else {
        next.call(request).await?.map_into_boxed_body()
    };
    if last {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    if matches!(response.response().body().size(), BodySize::Stream) {
        if let Some(gate) = answered.gate.as_ref().filter(|_| is_endless(&response)) {
            gate.streams();
        }
        return Ok(response.map_body(|_, body| BoxBody::new(StreamedBody { body, _answered: answered })));
    }
    Ok(response)
}

/// Whether an answer goes on until somebody goes.
fn is_endless(response: &ServiceResponse<BoxBody>) -> bool {
    let kind = response.headers().get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// An answer whose end nobody knows yet: it is made for as long as it is sent.
struct StreamedBody {
    body: BoxBody,
    _answered: Answered,
}

impl MessageBody for StreamedBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_next(cx)
    }
}

/// Tells the gate even when the answer is never made.
struct Answered {
    gate: Option<ConnectionGate>,
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
        Some(length) if takes_a_body(request) => Follows::Body(length),
        _ => Follows::Nothing,
    }
}

/// By the path as the router sees it, which has decoded what need not be encoded.
fn takes_a_body(request: &ServiceRequest) -> bool {
    routes::takes(request.method(), request.match_info().as_str()) != Takes::Nothing
}
