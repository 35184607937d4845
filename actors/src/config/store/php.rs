//! Documents on a PHP host: the client of `config_api.php` (reference section 2.4). Its own
//! server is `deployment/public_html/config_api.php`; that of the reference system is understood.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use url::Url;

use super::metrics::{cached, timed};
use super::{Change, DocumentStore, Expect, Read, Stamp, StoreError, Written};
use crate::config::documents::Key;
use crate::egress::{Answer, GuardedClient};

/// A read has been answered by then, or not at all.
const READ_WITHIN: Duration = Duration::from_secs(6);
/// A write likewise.
const WRITE_WITHIN: Duration = Duration::from_secs(8);
/// How old an answer may be, good or bad: the readers' timer must not wear the host out.
const FRESH: Duration = Duration::from_secs(10);
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

/// An answer, and when it came.
type Known = (Instant, Result<Read, StoreError>);

/// See the module page.
#[derive(Debug)]
pub struct PhpStore {
    settings: PhpSettings,
    http: GuardedClient,
    /// The last answers.
    known: Mutex<HashMap<Key, Known>>,
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

    fn headers_to_write(&self, expected: &Expect) -> HeaderMap {
        let mut headers = self.headers();
        let (name, tag) = match expected {
            Expect::Absent => (IF_NONE_MATCH, "*".to_owned()),
            Expect::Stamp(stamp) => (IF_MATCH, format!("\"{}\"", stamp.0)),
        };
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            headers.insert(name, tag);
        }
        headers
    }

    /// What messages call a document.
    fn describe(&self, key: Key) -> String {
        format!("{key} of {}", self.settings.host())
    }

    async fn ask(&self, key: Key) -> Result<Read, StoreError> {
        let unreadable = |why: String| StoreError::Unreadable { what: self.describe(key), why };
        let mut url = self.settings.endpoint.clone();
        url.query_pairs_mut().append_pair("key", key.as_str());
        let asked = async {
            let answer = self.http.get(&url, self.headers(), READ_WITHIN, ANSWER_CAP).await;
            document(&answer.map_err(|error| error.to_string())?)
        };
        timed(self.name(), "read", asked).await.map_err(unreadable)
    }

    /// Sends a document. Returns whether the host found what the writer believes.
    async fn send(&self, change: &Change) -> Result<bool, String> {
        let body = json!({ "key": change.key.as_str(), "config": change.value }).to_string();
        let (url, headers) = (&self.settings.endpoint, self.headers_to_write(&change.expected));
        let sent = self.http.post(url, headers, Bytes::from(body), WRITE_WITHIN, ANSWER_CAP).await;
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&change.key);
        let answer = sent.map_err(|error| error.to_string())?;
        match (answer.status, serde_json::from_slice::<Reply>(&answer.body)) {
            (200, Ok(reply)) if reply.is_success() => Ok(true),
            (412, _) => Ok(false),
            (status, reply) => Err(refusal(status, reply.ok().and_then(|reply| reply.message))),
        }
    }
}

/// What an answer to a read says.
fn document(answer: &Answer) -> Result<Read, String> {
    let reply = serde_json::from_slice::<Reply>(&answer.body);
    match (answer.status, reply) {
        // Another program's 404 (a host without the script) says nothing about the document.
        (404, Ok(reply)) if !reply.is_success() && (reply.success.is_some() || reply.status.is_some()) => {
            Ok(Read::Absent)
        }
        (200, Ok(reply)) if reply.is_success() => {
            let text = reply.config.or(reply.data).ok_or("the answer has no document")?;
            let document: Map<String, Value> = serde_json::from_str(text.get())
                .map_err(|_| "the stored document is no object".to_owned())?;
            // The server of the reference system answers {} for a key it does not know; what
            // was ever written there has its `_updated_at`.
            if document.is_empty() {
                return Ok(Read::Absent);
            }
            let text = text.get().to_owned();
            Ok(Read::Found { stamp: Stamp::of(&text), text })
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

    async fn read(&self, key: Key) -> Result<Read, StoreError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some((at, read)) = known
            && at.elapsed() < FRESH
        {
            cached(self.name(), true);
            return read;
        }
        cached(self.name(), false);
        let read = self.ask(key).await;
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(key, (Instant::now(), read.clone()));
        read
    }

    /// The host tells nobody: readers look on their timer, and writers tell those they can.
    async fn changed(&self) {
        std::future::pending().await
    }

    fn tells(&self) -> bool {
        false
    }

    fn forget(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What is believed goes along as `If-Match`. Our own program obeys it; the server in PHP
    /// cannot compare and set, so there a write of somebody else between the look and the
    /// write is overwritten.
    async fn write(&self, change: &Change) -> Result<Written, StoreError> {
        let key = change.key;
        let unwritable = |why: String| StoreError::Unwritable { what: self.describe(key), why };
        // What is believed may come from an old answer: the next reader asks again.
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        let as_believed = match (self.ask(key).await?, &change.expected) {
            (Read::Absent, Expect::Absent) => true,
            (Read::Found { stamp, .. }, Expect::Stamp(believed)) => stamp == *believed,
            (Read::Absent, Expect::Stamp(_)) | (Read::Found { .. }, Expect::Absent) => false,
        };
        if !as_believed {
            return Err(StoreError::Conflict(key));
        }
        if !timed(self.name(), "write", self.send(change)).await.map_err(unwritable)? {
            return Err(StoreError::Conflict(key));
        }
        match self.read(key).await? {
            Read::Found { stamp, .. } => Ok(Written { stamp, stored_in: self.name(), degraded: None }),
            Read::Absent => Err(unwritable("it is not there after the write".to_owned())),
        }
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
                (Ok(Read::Found { text, .. }), Ok(Some(expected))) => assert_eq!(text, expected),
                (Ok(Read::Absent), Ok(None)) => {}
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
