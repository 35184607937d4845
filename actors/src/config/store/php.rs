//! Documents on a PHP host: the client of `config_api.php` (reference section 2.4). Its own
//! server is `deployment/public_html/config_api.php`; that of the reference system is understood.
//!
//! A host that gives a document an `ETag` compares and sets: the write carries it back as
//! `If-Match`, or `If-None-Match: *` where there is no document, and 412 is a conflict. One
//! that gives none cannot: there a write of somebody else between our look and our write is
//! overwritten.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_MATCH, IF_NONE_MATCH,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use url::Url;

use super::metrics::{cached, timed};
use super::{DocumentChange, DocumentStore, Precondition, Revision, StoreError, StoreReading, WriteReceipt};
use crate::config::documents::Key;
use crate::egress::{Answer, GuardedClient};

/// A read has been answered by then, or not at all.
const READ_WITHIN: Duration = Duration::from_secs(6);
/// A write likewise.
const WRITE_WITHIN: Duration = Duration::from_secs(8);
/// How old an answer may be, good or bad: the readers' timer must not wear the host out.
const CACHE_TTL: Duration = Duration::from_secs(10);
/// More of an answer is not read, in bytes: a document has at most 1 MiB, indented more,
/// and comes twice.
const ANSWER_CAP: usize = 16 * 1024 * 1024;
/// Longest text of the host's own that is repeated, in characters.
const QUOTE: usize = 120;

/// Where the host is, and what it asks for.
#[derive(Debug, Clone)]
pub struct PhpSettings {
    endpoint: Url,
    /// The whole header; marked as sensitive, so that it does not show.
    authorization: HeaderValue,
}

impl PhpSettings {
    /// For `EXTERNAL_CONFIG_BASE_URL` and `CONFIG_API_TOKEN`; `None` when the first is no
    /// address or the second cannot be sent in a header.
    #[must_use]
    pub fn new(base: &str, token: SecretString) -> Option<Self> {
        let endpoint = Url::parse(&format!("{}/config_api.php", base.trim_end_matches('/'))).ok()?;
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())).ok()?;
        authorization.set_sensitive(true);
        Some(Self { endpoint, authorization })
    }

    /// The host's name.
    #[must_use]
    pub fn host(&self) -> &str {
        self.endpoint.host_str().unwrap_or_default()
    }
}

/// What the host holds, and what it calls that version.
struct HostAnswer {
    read: StoreReading,
    /// `None` = it does not tell versions apart.
    tag: Option<HeaderValue>,
}

/// What became of a document that was sent.
enum SendOutcome {
    /// Which version it is now; `None` = the host does not say.
    Taken(Option<Revision>),
    /// Somebody else was faster.
    Refused,
}

/// An answer, and when it came.
type RememberedAnswer = (Instant, Result<StoreReading, StoreError>);

/// See the module page.
#[derive(Debug)]
pub struct PhpStore {
    settings: PhpSettings,
    http: GuardedClient,
    /// The last answers.
    known: Mutex<HashMap<Key, RememberedAnswer>>,
}

/// An answer of either generation of servers.
#[derive(Deserialize)]
struct Reply {
    success: Option<Value>,
    status: Option<Value>,
    message: Option<Value>,
    config: Option<Box<RawValue>>,
    data: Option<Box<RawValue>>,
}

impl Reply {
    fn is_success(&self) -> bool {
        match (&self.success, &self.status) {
            (Some(success), _) => success == &Value::Bool(true),
            (None, status) => status.as_ref().and_then(Value::as_str) == Some("success"),
        }
    }
}

impl PhpStore {
    /// The documents of a host.
    #[must_use]
    pub fn new(settings: PhpSettings, http: GuardedClient) -> Self {
        Self { settings, http, known: Mutex::default() }
    }

    fn headers(&self) -> HeaderMap {
        HeaderMap::from_iter([
            (AUTHORIZATION, self.settings.authorization.clone()),
            (ACCEPT, HeaderValue::from_static("application/json")),
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        ])
    }

    /// Those of a write to a host that answered `seen` a moment ago.
    fn headers_to_write(&self, seen: &HostAnswer) -> HeaderMap {
        let mut headers = self.headers();
        match (&seen.tag, &seen.read) {
            (Some(tag), _) => drop(headers.insert(IF_MATCH, tag.clone())),
            (None, StoreReading::Absent) => {
                drop(headers.insert(IF_NONE_MATCH, HeaderValue::from_static("*")))
            }
            (None, StoreReading::Found { .. }) => {}
        }
        headers
    }

    /// What messages call a document.
    fn describe(&self, key: Key) -> String {
        format!("{key} of {}", self.settings.host())
    }

    async fn ask(&self, key: Key) -> Result<HostAnswer, StoreError> {
        let unreadable = |why: String| StoreError::Unreadable { what: self.describe(key), why };
        let mut url = self.settings.endpoint.clone();
        url.query_pairs_mut().append_pair("key", key.as_str());
        let asked = async {
            let answer = self.http.get(&url, self.headers(), READ_WITHIN, ANSWER_CAP).await;
            let answer = answer.map_err(|error| error.to_string())?;
            Ok(HostAnswer { read: document(&answer)?, tag: tag(&answer.headers) })
        };
        let seen = timed(self.name(), "read", asked).await.map_err(unreadable);
        self.know(key, seen.as_ref().map(|seen| seen.read.clone()).map_err(Clone::clone));
        seen
    }

    /// Sends a document.
    async fn send(&self, change: &DocumentChange, seen: &HostAnswer) -> Result<SendOutcome, StoreError> {
        let unwritable = |why: String| StoreError::Unwritable { what: self.describe(change.key), why };
        // It has been judged here, and may be one that was migrated or restored.
        let body = json!({ "key": change.key.as_str(), "config": change.value, "allow_unknown": true });
        let body = body.to_string();
        let (url, headers) = (&self.settings.endpoint, self.headers_to_write(seen));
        let sent = self.http.post(url, headers, Bytes::from(body), WRITE_WITHIN, ANSWER_CAP).await;
        // Whatever became of it: the next reader asks.
        self.known().remove(&change.key);
        let answer = sent.map_err(|error| unwritable(error.to_string()))?;
        match (answer.status, serde_json::from_slice::<Reply>(&answer.body)) {
            (200, Ok(reply)) if reply.is_success() => {
                // A host without tags may answer with other blanks than it will read with.
                let (Some(_), Ok(read @ StoreReading::Found { .. })) =
                    (tag(&answer.headers), document(&answer))
                else {
                    return Ok(SendOutcome::Taken(None));
                };
                self.know(change.key, Ok(read.clone()));
                Ok(SendOutcome::Taken(read.revision().cloned()))
            }
            (412, _) => Ok(SendOutcome::Refused),
            (status, reply) => Err(unwritable(refusal(status, reply.ok().and_then(|reply| reply.message)))),
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Key, RememberedAnswer>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers an answer of now.
    fn know(&self, key: Key, read: Result<StoreReading, StoreError>) {
        self.known().insert(key, (Instant::now(), read));
    }
}

/// The document's tag, as `If-Match` wants it: a proxy that compresses weakens it, and a weak
/// one never matches.
fn tag(headers: &HeaderMap) -> Option<HeaderValue> {
    let tag = headers.get(ETAG)?.as_bytes();
    HeaderValue::from_bytes(tag.strip_prefix(b"W/").unwrap_or(tag)).ok()
}

/// What an answer to a read says.
fn document(answer: &Answer) -> Result<StoreReading, String> {
    let reply = serde_json::from_slice::<Reply>(&answer.body);
    match (answer.status, reply) {
        // Another program's 404 (a host without the script) says nothing about the document.
        (404, Ok(reply)) if !reply.is_success() && (reply.success.is_some() || reply.status.is_some()) => {
            Ok(StoreReading::Absent)
        }
        (200, Ok(reply)) if reply.is_success() => {
            let text = reply.config.or(reply.data).ok_or("the answer has no document")?;
            let document: Map<String, Value> = serde_json::from_str(text.get())
                .map_err(|_| "the stored document is no object".to_owned())?;
            // The server of the reference system answers {} for a key it does not know; what
            // was ever written there has its `_updated_at`.
            if document.is_empty() {
                return Ok(StoreReading::Absent);
            }
            let text = text.get().to_owned();
            Ok(StoreReading::Found { revision: Revision::of(&text), text })
        }
        (status, reply) => Err(refusal(status, reply.ok().and_then(|reply| reply.message))),
    }
}

fn refusal(status: u16, message: Option<Value>) -> String {
    let message: String = match &message {
        Some(Value::String(text)) => text.chars().filter(|c| !c.is_control()).take(QUOTE).collect(),
        _ => "an answer that is not that of config_api.php".to_owned(),
    };
    format!("status {status}: {message}")
}

#[async_trait]
impl DocumentStore for PhpStore {
    fn name(&self) -> &'static str {
        "php"
    }

    async fn read(&self, key: Key) -> Result<StoreReading, StoreError> {
        let known = self.known().get(&key).cloned();
        if let Some((at, read)) = known
            && at.elapsed() < CACHE_TTL
        {
            cached(self.name(), true);
            return read;
        }
        cached(self.name(), false);
        self.ask(key).await.map(|seen| seen.read)
    }

    /// The host tells nobody: readers look on their timer, and writers tell those they can.
    async fn changed(&self) {
        std::future::pending().await
    }

    fn tells(&self) -> bool {
        false
    }

    fn forget(&self) {
        self.known().clear();
    }

    /// The host is asked, whatever is remembered, and then given the document.
    async fn write(&self, change: &DocumentChange) -> Result<WriteReceipt, StoreError> {
        let key = change.key;
        let seen = self.ask(key).await?;
        let as_believed = match &change.expected {
            Precondition::Absent => seen.read == StoreReading::Absent,
            Precondition::Revision(believed) => seen.read.revision() == Some(believed),
        };
        if !as_believed {
            return Err(StoreError::Conflict(key));
        }
        let revision = match timed(self.name(), "write", self.send(change, &seen)).await? {
            SendOutcome::Refused => return Err(StoreError::Conflict(key)),
            SendOutcome::Taken(Some(revision)) => revision,
            SendOutcome::Taken(None) => {
                self.read(key).await?.revision().cloned().ok_or_else(|| StoreError::Unwritable {
                    what: self.describe(key),
                    why: "it is not there after the write".to_owned(),
                })?
            }
        };
        Ok(WriteReceipt { revision, stored_in: self.name(), degraded: None })
    }

    async fn remove(&self, key: Key, _origin: &str) -> Result<bool, StoreError> {
        let unwritable = |why: String| StoreError::Unwritable { what: self.describe(key), why };
        if self.ask(key).await?.read == StoreReading::Absent {
            return Ok(false);
        }
        let body = json!({ "key": key.as_str(), "remove": true }).to_string();
        let sent = self
            .http
            .post(&self.settings.endpoint, self.headers(), Bytes::from(body), WRITE_WITHIN, ANSWER_CAP)
            .await;
        self.known().remove(&key);
        let answer = sent.map_err(|error| unwritable(error.to_string()))?;
        was_removed(&answer).map_err(unwritable)
    }
}

/// Whether a document that was to be removed was there.
fn was_removed(answer: &Answer) -> Result<bool, String> {
    match (answer.status, serde_json::from_slice::<Reply>(&answer.body)) {
        (200, Ok(reply)) if reply.is_success() => Ok(true),
        (404, Ok(reply)) if !reply.is_success() && (reply.success.is_some() || reply.status.is_some()) => {
            Ok(false)
        }
        // The server of the reference system does not know of this.
        (400, _) => {
            Err("the host cannot remove documents: remove the file there, then say this again".to_owned())
        }
        (status, reply) => Err(refusal(status, reply.ok().and_then(|reply| reply.message))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        let body = Bytes::from(body.to_owned());
        Answer { status, headers: HeaderMap::new(), body, truncated: false }
    }

    #[test]
    fn both_generations_of_answers_are_understood() {
        for (status, body, expected) in [
            (200, r#"{"success":true,"config":{"a":1.0,"b":{}}}"#, Ok(Some(r#"{"a":1.0,"b":{}}"#))),
            (200, r#"{"status":"success","data":{"a":1},"timestamp":"x"}"#, Ok(Some(r#"{"a":1}"#))),
            (
                200,
                r#"{"success":true,"status":"success","config":{"a":1},"data":{"a":1}}"#,
                Ok(Some(r#"{"a":1}"#)),
            ),
            (200, r#"{"success":true,"config":{}}"#, Ok(None)),
            (404, r#"{"success":false,"message":"Unknown key"}"#, Ok(None)),
            (404, r#"{"status":"error","message":"clé inconnue"}"#, Ok(None)),
            (404, "<html>Not Found</html>", Err("status 404: an answer that is not")),
            (404, "{}", Err("status 404: an answer that is not")),
            (200, "<html>", Err("status 200: an answer that is not")),
            (200, r#"{"success":true,"config":[]}"#, Err("no object")),
            (200, r#"{"success":true}"#, Err("no document")),
            (200, r#"{"success":false,"message":"no"}"#, Err("status 200: no")),
            (200, r#"{"success":false,"status":"success","config":{"a":1}}"#, Err("status 200")),
            (401, r#"{"success":false,"message":"Unauthorized"}"#, Err("status 401: Unauthorized")),
            (500, r#"{"success":false,"message":"Read error"}"#, Err("status 500: Read error")),
        ] {
            match (document(&answer(status, body)), expected) {
                (Ok(StoreReading::Found { text, .. }), Ok(Some(expected))) => assert_eq!(text, expected),
                (Ok(StoreReading::Absent), Ok(None)) => {}
                (Err(why), Err(expected)) => assert!(why.contains(expected), "{body}: {why}"),
                (found, _) => panic!("{status} {body}: {found:?}"),
            }
        }
    }

    #[test]
    fn the_address_is_made_as_the_reference_makes_it_and_the_token_does_not_show() {
        for base in ["https://config.example.fr", "https://config.example.fr/"] {
            let settings = PhpSettings::new(base, "secret-token".into()).unwrap();
            assert_eq!(settings.endpoint.as_str(), "https://config.example.fr/config_api.php");
            assert!(!format!("{settings:?}").contains("secret-token"));
        }
        assert!(PhpSettings::new("nowhere", "t".into()).is_none());
        assert!(PhpSettings::new("https://config.example.fr", "a\nb".into()).is_none());
    }
}
