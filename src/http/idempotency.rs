//! `Idempotency-Key`: whoever does not know whether a request has arrived sends it again with
//! the same key, and gets the answer of the first time (IETF draft
//! "The Idempotency-Key HTTP Header Field").
//!
//! The answer is kept in the journal for a day, so it is the same on every worker and after a
//! restart. While the first is under way, a second one is refused. A request that a worker dies
//! of leaves no answer: its repetition is carried out, and actions are such that this is safe.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody, to_bytes};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, web};
use chrono::TimeDelta;
use render_signal_actors::kernel::digest::hex;
use render_signal_actors::kernel::ephemeral::{Allowance, Ephemeral, Spent};
use render_signal_actors::kernel::journal::{Body, Commit, Journal};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::HttpState;
use super::access::{Caller, in_format};
use super::problem::{HttpProblem, ProblemKind};
use super::routes::{Route, Takes};
use super::v1::extract;
use super::v1::page::unavailable;

/// The header.
const KEY: &str = "idempotency-key";
/// Says that an answer is that of the first time.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Characters of a key.
const MAX_KEY_CHARS: usize = 255;
/// How long an answer is kept.
const ANSWER_TTL: TimeDelta = TimeDelta::days(1);
/// A longer answer is not kept: a repetition hears only that it was carried out.
const MAX_ANSWER_BYTES: usize = 256 * 1024;
/// See [`MAX_ANSWER_BYTES`].
const TOO_LONG: &str =
    r#"{"carried_out":true,"detail":"the first answer was too long to be kept; read what you need anew"}"#;
/// How long a request holds its key on the other workers, if it is not answered before.
const KEY_TTL: Duration = Duration::from_secs(60);

/// Requests with a key that are under way. Clones share them.
#[derive(Clone)]
pub(crate) struct Idempotency {
    here: Arc<Mutex<HashSet<String>>>,
    shared: Arc<dyn Ephemeral>,
}

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct StoredAnswer {
    /// Of what was asked for.
    request: String,
    status: u16,
    content_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    body: String,
}

impl Idempotency {
    /// With the other workers.
    pub(crate) fn new(shared: Arc<dyn Ephemeral>) -> Self {
        Self { here: Arc::default(), shared }
    }

    /// Takes a key, until what is returned is dropped.
    async fn take(&self, name: &str) -> Result<KeyGuard, HttpProblem> {
        let busy = || {
            let why = "a request with this Idempotency-Key is under way; ask again for its answer";
            HttpProblem::new(ProblemKind::Conflict, why).retry_after(1)
        };
        if !self.here.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned()) {
            return Err(busy());
        }
        let mut taken = KeyGuard { all: self.clone(), name: name.to_owned(), shared: false };
        // Where the others cannot be asked, they cannot be waited for either.
        match self.shared.spend(name, Allowance { burst: 1, every: KEY_TTL }).await {
            Ok(Spent::Wait(_)) => return Err(busy()),
            Ok(Spent::Granted) => taken.shared = true,
            Err(error) => tracing::debug!(%error, "other workers do not know of a request with a key"),
        }
        Ok(taken)
    }
}

/// A request that is under way.
struct KeyGuard {
    all: Idempotency,
    name: String,
    shared: bool,
}

impl Drop for KeyGuard {
    fn drop(&mut self) {
        self.all.here.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
        if self.shared {
            let (all, name) = (self.all.clone(), std::mem::take(&mut self.name));
            drop(actix_rt::spawn(async move {
                if let Err(error) = all.shared.restore(&name).await {
                    tracing::debug!(%error, "a key of a request stays taken on other workers for a minute");
                }
            }));
        }
    }
}

/// Carries a request out, unless its key says that it was.
pub(super) async fn once(
    route: &Route,
    caller: &Caller,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let key = match key(route, request.request()) {
        Ok(Some(key)) => key,
        Ok(None) => return carry_out(route, request, next).await,
        Err(problem) => return Ok(refused(request, &problem)),
    };
    let Some(state) = request.app_data::<web::Data<HttpState>>().cloned() else {
        return carry_out(route, request, next).await;
    };
    let asked = match read(&mut request).await {
        Ok(asked) => asked,
        Err(problem) => return Ok(refused(request, &problem)),
    };
    let name = name(&[&caller.by(), request.method().as_str(), request.path(), &key]);
    let taken = match state.idempotency.take(&name).await {
        Ok(taken) => taken,
        Err(problem) => return Ok(refused(request, &problem)),
    };
    match kept(state.journal.as_ref(), &name).await {
        Ok(None) => {}
        Ok(Some(kept)) if kept.request == asked => return Ok(request.into_response(kept.replay())),
        Ok(Some(_)) => {
            let why =
                "this Idempotency-Key came before, with another request; send a new key with a new request";
            return Ok(refused(request, &HttpProblem::new(ProblemKind::KeyReused, why)));
        }
        Err(problem) => return Ok(refused(request, &problem)),
    }
    let response = carry_out(route, request, next).await?;
    let response = keep(&state, &name, asked, response).await;
    drop(taken);
    Ok(response)
}

/// What the handler answers, in the shape of its address.
async fn carry_out(
    route: &Route,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    Ok(in_format(route.format, next.call(request).await?.map_into_boxed_body()))
}

/// The key, where one is sent with what changes something.
fn key(route: &Route, request: &HttpRequest) -> Result<Option<String>, HttpProblem> {
    if request.method().is_safe()
        || !route.path.starts_with("/api/v1/")
        || route.takes == Takes::Mail
        || route.secret
    {
        return Ok(None);
    }
    let Some(header) = request.headers().get(KEY) else { return Ok(None) };
    let key = header.to_str().unwrap_or_default().trim();
    if key.is_empty() || key.len() > MAX_KEY_CHARS {
        let why = format!("Idempotency-Key: 1 to {MAX_KEY_CHARS} visible ASCII characters, such as a UUID");
        return Err(HttpProblem::new(ProblemKind::InvalidParameter, why));
    }
    Ok(Some(key.to_owned()))
}

/// A hash of what is asked for; the body stays there for the handler.
async fn read(request: &mut ServiceRequest) -> Result<String, HttpProblem> {
    let payload = request.take_payload();
    let body = extract::body(request.request(), payload).await?;
    let condition = |name: HeaderName| {
        request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let asked = name(&[
        request.query_string(),
        &condition(IF_MATCH),
        &condition(IF_NONE_MATCH),
        &String::from_utf8_lossy(&body),
    ]);
    request.set_payload(Payload::from(body));
    Ok(asked)
}

fn name(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    format!("answer/{}", hex(hash.finalize()))
}

async fn kept(journal: &dyn Journal, name: &str) -> Result<Option<StoredAnswer>, HttpProblem> {
    let bytes = journal.body(name).await.map_err(unavailable)?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Keeps an answer that is final; a request that was only put off may be repeated.
async fn keep(
    state: &HttpState,
    name: &str,
    asked: String,
    response: ServiceResponse<BoxBody>,
) -> ServiceResponse<BoxBody> {
    let status = response.status();
    if status.is_server_error()
        || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::PRECONDITION_FAILED)
    {
        return response;
    }
    let header = |name: HeaderName| {
        response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let (content_type, etag) = (header(CONTENT_TYPE).unwrap_or_default(), header(ETAG));
    let (request, response) = response.into_parts();
    let (response, body) = response.into_parts();
    // It is in memory whole already; only what is kept of it is bounded.
    let Ok(body) = to_bytes(body).await else {
        let problem =
            HttpProblem::new(ProblemKind::Internal, "it was carried out, and its answer cannot be read");
        return ServiceResponse::new(request.clone(), problem.answer(&request));
    };
    let mut kept =
        StoredAnswer { request: asked, status: status.as_u16(), content_type, etag, body: String::new() };
    if body.len() <= MAX_ANSWER_BYTES {
        kept.body = String::from_utf8_lossy(&body).into_owned();
    } else {
        kept.content_type = "application/json".to_owned();
        kept.body = TOO_LONG.to_owned();
    }
    let at = state.world.now();
    // A map with text keys always has a JSON form.
    let bytes = Bytes::from(serde_json::to_vec(&kept).unwrap_or_default());
    let body_of = Body { key: name.to_owned(), bytes, keep_until: at + ANSWER_TTL };
    let commit = Commit { at, bodies: vec![body_of], ..Commit::default() };
    if let Err(error) = state.journal.append(commit).await {
        tracing::warn!(%error, "the answer to a request with a key is not kept; a repetition is carried out anew");
    }
    ServiceResponse::new(request, response.set_body(body).map_into_boxed_body())
}

impl StoredAnswer {
    fn replay(self) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let mut response = HttpResponse::build(status).body(self.body);
        let etag = self.etag.unwrap_or_default();
        for (name, text) in [(CONTENT_TYPE, &self.content_type), (ETAG, &etag)] {
            if let Some(value) = HeaderValue::from_str(text).ok().filter(|value| !value.is_empty()) {
                response.headers_mut().insert(name, value);
            }
        }
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        response
    }
}

fn refused(request: ServiceRequest, problem: &HttpProblem) -> ServiceResponse<BoxBody> {
    let answer = problem.answer(request.request());
    request.into_response(answer)
}
