//! `/config_api.php`: the documents for another program, by the protocol of
//! `deployment/public_html/config_api.php`, so that one client can talk to either (reference section
//! 2.4). One instance can be the external backend of another.
//!
//! | status | when |
//! |---|---|
//! | 200 | read, or written and kept |
//! | 400 | `Invalid key`, `Invalid payload`; a document that is refused, with every bad field |
//! | 401 | no token, or another (after a pause) |
//! | 403 | the address of whoever asks lies in no network of `CONFIG_API_ALLOW_CIDRS` |
//! | 404 | `Unknown key`: no such document, which is not the same as an empty one |
//! | 405 | another method |
//! | 408 | the payload did not come within 10 s |
//! | 411 | `Transfer-Encoding`: a payload has a `Content-Length` |
//! | 412 | `If-Match` or `If-None-Match` does not hold |
//! | 413 | more than 1 MiB |
//! | 429 | too many wrong tokens at a time from that address |
//! | 500 | the stored document is damaged |
//! | 503 | the store cannot be reached now |
//!
//! Unlike there, a key has to be that of a document, and a document has to be valid. An
//! answer has the document's `ETag`; a writer that sends it back as `If-Match` overwrites
//! nothing that it has not seen.
//!
//! A field that nobody knows is refused, unless it is stored already, so that programs which
//! write back what they have read go on working, or the payload says `"allow_unknown": true`.

mod refusal;

use std::net::IpAddr;

use actix_web::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH,
    RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use render_signal_actors::config::documents::{self, Key};
use render_signal_actors::config::edit::{BasedOn, Edit, Editor, MAX_DOCUMENT_BYTES};
use render_signal_actors::config::store::{Revision, StoreReading};
use render_signal_actors::egress::IpNet;
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use self::refusal::{ConfigApiRefusal, bad, known, refusal_answer, unknown};
use crate::http::HttpState;
use crate::http::access::bearer::{Guesses, TokenCheck, TokenDigest};
use crate::http::client::is_in;
use crate::http::problem::{HttpProblem, ProblemKind};

/// Who changed a document, as the history says.
const ORIGIN: &str = "php_api";

/// When to ask again, in seconds, while the store cannot be reached.
const RETRY_AFTER_SECONDS: &str = "5";

/// What the handler needs.
#[derive(Clone)]
pub(crate) struct ConfigApi {
    token: TokenDigest,
    editor: Editor,
    /// Networks that may ask; empty = all.
    allow: Vec<IpNet>,
}

impl ConfigApi {
    /// Serves the documents of `editor` to those who have the token and ask from one of the
    /// networks, if there are any.
    pub(crate) fn new(token: &SecretString, editor: Editor, allow: Vec<IpNet>) -> Self {
        Self { token: TokenDigest::new(token), editor, allow }
    }

    /// Whether somebody may ask from there; `None` = nobody knows from where.
    fn admits(&self, client: Option<IpAddr>) -> bool {
        self.allow.is_empty() || client.is_some_and(|client| is_in(&self.allow, client))
    }

    fn now(&self) -> DateTime<Utc> {
        self.editor.world.now()
    }
}

/// A document as it is answered.
struct DocumentAnswer {
    text: String,
    message: &'static str,
}

/// The address.
pub(in crate::http) async fn answer(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<HttpState>,
) -> HttpResponse {
    let Some(api) = &state.config_api else {
        let why = "configuration documents are not served here: CONFIG_API_SERVE_TOKEN is not set";
        return HttpProblem::new(ProblemKind::NotFound, why).answer(&request);
    };
    let outcome = grant(api, &state.access.guesses, &request, payload).await;
    let status = outcome.as_ref().map_or_else(|refusal| refusal.status, |_| StatusCode::OK);
    // render_signal_config_api_requests_total{status}: requests for documents at /config_api.php.
    metrics::counter!("render_signal_config_api_requests_total", "status" => status.as_u16().to_string())
        .increment(1);
    match outcome {
        Ok(granted) => grant_answer(api, &granted),
        Err(refusal) => refusal_answer(api, &refusal),
    }
}

async fn grant(
    api: &ConfigApi,
    guesses: &Guesses,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<DocumentAnswer, ConfigApiRefusal> {
    let client = guesses.client(request);
    if !api.admits(client) {
        tracing::debug!(?client, "an address outside of CONFIG_API_ALLOW_CIDRS asked for documents");
        return Err(ConfigApiRefusal::new(StatusCode::FORBIDDEN, "Forbidden"));
    }
    match guesses.check(&api.token, request).await {
        TokenCheck::Right => {}
        TokenCheck::Nothing | TokenCheck::Wrong => {
            let refusal = ConfigApiRefusal::new(StatusCode::UNAUTHORIZED, "Unauthorized");
            return Err(refusal.with(WWW_AUTHENTICATE, "Bearer realm=\"config_api\""));
        }
        TokenCheck::TooMany => {
            let refusal = ConfigApiRefusal::new(StatusCode::TOO_MANY_REQUESTS, "Too many wrong tokens");
            return Err(refusal.with(RETRY_AFTER, "1"));
        }
    }
    match *request.method() {
        Method::GET => {
            let name = form_urlencoded::parse(request.query_string().as_bytes())
                .find_map(|(name, value)| (name == "key").then(|| value.into_owned()));
            let name = name.as_deref().and_then(clean).ok_or_else(|| bad("Invalid key"))?;
            read(api, known(&name)?).await
        }
        Method::POST => write(api, request, payload).await,
        _ => Err(ConfigApiRefusal::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed")
            .with(ALLOW, "GET, POST")),
    }
}

async fn read(api: &ConfigApi, key: Key) -> Result<DocumentAnswer, ConfigApiRefusal> {
    match api.editor.store.read(key).await? {
        StoreReading::Absent => Err(unknown()),
        StoreReading::Found { text, .. } => {
            if documents::from_json::<Map<String, Value>>(&text).is_err() {
                tracing::error!(%key, "the stored document is damaged");
                return Err(ConfigApiRefusal::new(StatusCode::INTERNAL_SERVER_ERROR, "Read error"));
            }
            Ok(DocumentAnswer { text: bare(&text), message: "Configuration lue avec succès" })
        }
    }
}

async fn write(
    api: &ConfigApi,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<DocumentAnswer, ConfigApiRefusal> {
    let body = body(request, payload).await?;
    let Ok(Value::Object(mut body)) = serde_json::from_slice(&body) else {
        return Err(bad("Invalid payload"));
    };
    let name = body.get("key").and_then(Value::as_str).and_then(clean);
    if let (Some(name), Some(Value::Bool(true)), None) = (&name, body.get("remove"), body.get("config")) {
        return remove(api, known(name)?).await;
    }
    let (Some(name), Some(config @ Value::Object(_))) = (name, body.remove("config")) else {
        return Err(bad("Invalid payload"));
    };
    let key = known(&name)?;
    let seen = seen(api, request, key).await?;
    let mut edit = Edit::replace(key, config, ORIGIN).expecting(seen);
    edit.allow_unknown = body.get("allow_unknown") == Some(&Value::Bool(true));
    let saved = api.editor.apply(&edit).await?;
    tracing::info!(%key, version = saved.version, stored_in = saved.stored_in, "document written through config_api.php");
    Ok(DocumentAnswer { text: bare(&saved.text), message: "Configuration mise à jour avec succès" })
}

/// Another instance whose documents are here has removed one.
async fn remove(api: &ConfigApi, key: Key) -> Result<DocumentAnswer, ConfigApiRefusal> {
    match api.editor.remove(key, ORIGIN).await? {
        true => Ok(DocumentAnswer { text: "{}".to_owned(), message: "Configuration supprimée" }),
        false => Err(unknown()),
    }
}

/// What the writer says that it has seen.
async fn seen(api: &ConfigApi, request: &HttpRequest, key: Key) -> Result<Option<BasedOn>, ConfigApiRefusal> {
    let header = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    let failed = || ConfigApiRefusal::new(StatusCode::PRECONDITION_FAILED, "Changed by somebody else");
    let (matching, unless) = (header(IF_MATCH), header(IF_NONE_MATCH));
    if matching.is_none() && unless != Some("*") {
        return Ok(None);
    }
    api.editor.store.forget();
    match (api.editor.store.read(key).await?, matching) {
        (StoreReading::Found { text, revision }, Some(tags)) if matches(tags, &text) => {
            Ok(Some(BasedOn::Revision(revision)))
        }
        (StoreReading::Absent, None) => Ok(Some(BasedOn::Absent)),
        (StoreReading::Found { .. }, _) | (StoreReading::Absent, Some(_)) => Err(failed()),
    }
}

/// Whether an `If-Match` names the text as it was answered (RFC 9110 section 13.1.1).
fn matches(tags: &str, text: &str) -> bool {
    let tag = etag(&bare(text));
    tags.split(',').map(str::trim).any(|wanted| wanted == "*" || wanted == tag)
}

/// A stored text without what some editors put around it: blanks, a byte order mark.
fn bare(text: &str) -> String {
    text.trim().trim_start_matches('\u{feff}').trim_start().to_owned()
}

fn etag(text: &str) -> String {
    format!("\"{}\"", Revision::of(text).0)
}

async fn body(request: &HttpRequest, mut payload: web::Payload) -> Result<Vec<u8>, ConfigApiRefusal> {
    let too_large = || ConfigApiRefusal::new(StatusCode::PAYLOAD_TOO_LARGE, "Payload too large");
    let announced =
        request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > MAX_DOCUMENT_BYTES) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        // Its sender has gone, or was too slow.
        let chunk = chunk.map_err(|_| {
            ConfigApiRefusal::new(StatusCode::REQUEST_TIMEOUT, "The payload did not come in time")
        })?;
        if body.len() + chunk.len() > MAX_DOCUMENT_BYTES {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The key as documents are named, or `None` when it cannot be one.
fn clean(name: &str) -> Option<String> {
    let name = name.trim_matches([' ', '\t', '\r', '\n']).to_ascii_lowercase();
    let sound = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
    (sound && (1..=128).contains(&name.len())).then_some(name)
}

fn response(status: StatusCode) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response
        .insert_header((CONTENT_TYPE, "application/json; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"));
    response
}

fn timestamp(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The document goes into the answer as it is stored: nothing is decoded and encoded again.
fn grant_answer(api: &ConfigApi, DocumentAnswer { text, message }: &DocumentAnswer) -> HttpResponse {
    let (timestamp, message) = (json!(timestamp(api.now())), json!(message));
    response(StatusCode::OK).insert_header((ETAG, etag(text))).body(format!(
        "{{\"success\":true,\"status\":\"success\",\"config\":{text},\"data\":{text},\"timestamp\":{timestamp},\"message\":{message}}}"
    ))
}
