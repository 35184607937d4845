//! A test webhook: sent to see whether a receiver takes it. It is signed, goes out by the guard
//! and with the time limit of every other, says in its payload and in a header that it is a test,
//! and leaves no trace: it is no delivery, and is not tried again.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use ipnet::IpNet;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::{Map, Value, json};
use url::Url;

use super::answer;
use super::deliver::headers;
use super::outcome::{Class, classify};
use super::port::{Outgoing, Receiver};
use crate::egress::check_target;
use crate::kernel::clock::World;
use crate::mail::outbox_rows::target_of;
use crate::mail::policy::{DeliveryMode, PolicyCell};
use crate::mail::rules::mask_url;
use crate::signing::SigningKeys;

/// Says that it is a test, to whoever looks at headers only.
const TEST: HeaderName = HeaderName::from_static("webhook-test");
/// Characters of the id of the mail that the test is said to be of.
const LONGEST_ID: usize = 200;
/// The largest payload, in bytes.
const LARGEST: usize = 1 << 20;

/// Where a test goes.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum To {
    /// To the default target.
    #[default]
    Default,
    /// To a configured target: `default`, or the id of a rule's.
    Target(String),
    /// To any address that requests may go to.
    Url(String),
}

impl fmt::Debug for To {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("Default"),
            Self::Target(id) => f.debug_tuple("Target").field(id).finish(),
            Self::Url(url) => f.debug_tuple("Url").field(&mask_url(url)).finish(),
        }
    }
}

/// A test as somebody wants it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wish {
    /// Where to.
    pub to: To,
    /// The mail that it is said to be of; `None` = `test-webhook`.
    pub email_id: Option<String>,
    /// Its subject.
    pub subject: Option<String>,
    /// Its links, as they are sent.
    pub links: Vec<Value>,
    /// Fields of the payload, in addition or instead.
    pub fields: Map<String, Value>,
    /// What the body is called; `None` = as configured.
    pub mode: Option<DeliveryMode>,
}

/// Why there is no test to send. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TestWebhookError {
    /// No target has this id.
    #[error("there is no target {0:?}")]
    UnknownTarget(String),
    /// No default target is configured.
    #[error("no target is configured: set webhook_url of webhook_config, or WEBHOOK_URL")]
    NoTarget,
    /// It may not go there.
    #[error("the address cannot be used: {0}")]
    Address(String),
    /// It is too large.
    #[error("the payload has more than 1 MiB")]
    TooLarge,
    /// It cannot be put into a request.
    #[error("the request cannot be made: {0}")]
    Request(String),
}

/// A test, to the last byte.
#[derive(Debug, Clone)]
pub struct PreparedTest {
    outgoing: Outgoing,
    /// What the body is called.
    pub mode: DeliveryMode,
}

impl PreparedTest {
    /// Where it goes. A capability.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.outgoing.url
    }

    /// The same, as it may be shown.
    #[must_use]
    pub fn masked_url(&self) -> String {
        mask_url(self.outgoing.url.as_str())
    }

    /// The exact body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.outgoing.body
    }

    /// The headers, by name, in the order of their names.
    #[must_use]
    pub fn headers(&self) -> Vec<(String, String)> {
        let headers = self.outgoing.headers.iter();
        let mut headers: Vec<(String, String)> = headers
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        headers.sort();
        headers
    }

    /// Whether the receiver's certificate is looked at.
    #[must_use]
    pub fn verifies_certificate(&self) -> bool {
        self.outgoing.verify_certificate
    }
}

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestOutcome {
    /// It counts as taken.
    pub delivered: bool,
    /// HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// Why it does not count as taken, in plain words.
    pub error: Option<String>,
    /// The beginning of what the receiver said, without secrets.
    pub said: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// Makes tests and sends them.
#[derive(Clone)]
pub struct Tester {
    /// How webhooks are posted.
    pub receiver: Arc<dyn Receiver>,
    /// Keys to sign with; `None` = unsigned.
    pub keys: Option<SigningKeys>,
    /// The policy in force.
    pub policy: PolicyCell,
    /// `EGRESS_ALLOW_CIDRS`.
    pub allow: Vec<IpNet>,
    /// Time and ids.
    pub world: World,
}

impl fmt::Debug for Tester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tester").field("keys", &self.keys).finish_non_exhaustive()
    }
}

impl Tester {
    /// Makes a test.
    ///
    /// # Errors
    /// See [`TestWebhookError`].
    pub fn prepare(&self, wish: &Wish) -> Result<PreparedTest, TestWebhookError> {
        let policy = self.policy.load();
        let url = match &wish.to {
            To::Default if policy.default_target.url.is_empty() => return Err(TestWebhookError::NoTarget),
            To::Default => &policy.default_target.url,
            To::Target(id) => {
                &target_of(&policy, id).ok_or_else(|| TestWebhookError::UnknownTarget(id.clone()))?.url
            }
            To::Url(url) => {
                check_target(url, &self.allow).map_err(TestWebhookError::Address)?;
                url
            }
        };
        let url = Url::parse(url).map_err(|error| TestWebhookError::Address(error.to_string()))?;
        let body = Bytes::from(payload(wish).to_string());
        if body.len() > LARGEST {
            return Err(TestWebhookError::TooLarge);
        }
        let mode = wish.mode.unwrap_or(policy.delivery_mode);
        // Of its own each time: whoever drops what he knows would drop the second test.
        let id = format!("msg_test_{}", self.world.ids.next().simple());
        let signature = self.keys.as_ref().map(|keys| {
            let timestamp = self.world.clock.stamp().timestamp();
            (timestamp, keys.signature(&id, timestamp, &body))
        });
        let mut headers = headers(id, mode, signature).map_err(TestWebhookError::Request)?;
        headers.insert(TEST, HeaderValue::from_static("1"));
        let outgoing = Outgoing {
            url,
            headers,
            body,
            timeout: policy.webhook_timeout,
            verify_certificate: policy.ssl_verify,
        };
        Ok(PreparedTest { outgoing, mode })
    }

    /// Sends it, once.
    pub async fn send(&self, trial: PreparedTest) -> TestOutcome {
        let url = trial.outgoing.url.clone();
        let started = Instant::now();
        let result = self.receiver.post(trial.outgoing).await;
        let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let error = match classify(&result, &url, self.world.now()) {
            Class::Delivered => None,
            Class::Gone => Some("HTTP 410: the receiver says that it is gone".to_owned()),
            Class::Retry { why, .. } | Class::Unsendable { why } => Some(why),
        };
        TestOutcome {
            delivered: error.is_none(),
            status: result.as_ref().ok().map(|answer| answer.status),
            said: result.as_ref().ok().and_then(|answer| answer::kept(&answer.body, url.as_str())),
            error,
            took_ms,
        }
    }
}

/// As a webhook of a mail is, with what is wished, and a mark that it is none.
fn payload(wish: &Wish) -> Value {
    let id: String = wish.email_id.as_deref().unwrap_or("test-webhook").chars().take(LONGEST_ID).collect();
    let mut payload = Map::new();
    payload.insert("microsoft_graph_email_id".to_owned(), json!(id));
    payload.insert("subject".to_owned(), json!(wish.subject.as_deref().unwrap_or("Test webhook")));
    payload.insert("delivery_links".to_owned(), Value::Array(wish.links.clone()));
    payload.extend(wish.fields.clone());
    payload.insert("test".to_owned(), Value::Bool(true));
    Value::Object(payload)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use arc_swap::ArcSwap;
    use async_trait::async_trait;
    use chrono::{TimeZone as _, Utc};

    use super::*;
    use crate::config::documents::DocumentSet;
    use crate::config::policy::{EnvDefaults, build};
    use crate::egress::{Answer, SendError};

    #[derive(Default)]
    struct Fake(Mutex<Vec<Outgoing>>, Mutex<Option<Result<Answer, SendError>>>);

    #[async_trait]
    impl Receiver for Fake {
        async fn post(&self, request: Outgoing) -> Result<Answer, SendError> {
            self.0.lock().unwrap().push(request);
            self.1.lock().unwrap().take().unwrap_or(Err(SendError::Timeout))
        }
    }

    fn tester(webhook_url: &str) -> (Tester, Arc<Fake>) {
        let env = EnvDefaults { webhook_url: webhook_url.to_owned(), ..EnvDefaults::default() };
        let fake = Arc::new(Fake::default());
        let tester = Tester {
            receiver: fake.clone(),
            keys: Some(SigningKeys::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a key")),
            policy: Arc::new(ArcSwap::from_pointee(build(&DocumentSet::default(), &env, 1))),
            allow: Vec::new(),
            world: World::seeded(Utc.with_ymd_and_hms(2026, 7, 1, 8, 0, 0).unwrap(), 1),
        };
        (tester, fake)
    }

    fn header(trial: &PreparedTest, name: &str) -> String {
        let headers = trial.headers();
        headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default()
    }

    #[tokio::test]
    async fn what_is_shown_is_what_is_sent() {
        let (tester, fake) = tester("https://hook.example/secret");
        let mut wish = Wish { subject: Some("Essai".to_owned()), ..Wish::default() };
        wish.fields.insert("detector".to_owned(), json!("recadrage"));
        wish.fields.insert("test".to_owned(), json!(false));
        let trial = tester.prepare(&wish).expect("a test");
        let body: Value = serde_json::from_slice(trial.body()).expect("JSON");
        let expected = json!({"microsoft_graph_email_id": "test-webhook", "subject": "Essai",
            "delivery_links": [], "detector": "recadrage", "test": true});
        assert_eq!(body, expected, "it cannot pass for a mail's");
        assert_eq!(trial.masked_url(), "https://hook.example/***");
        let (id, at) = (header(&trial, "webhook-id"), header(&trial, "webhook-timestamp"));
        assert!(id.starts_with("msg_test_"), "{id}");
        let keys = tester.keys.clone().expect("keys");
        let at: i64 = at.parse().expect("a time");
        assert!(keys.verify(&id, at, trial.body(), &header(&trial, "webhook-signature")));
        assert_eq!(
            (header(&trial, "webhook-test"), header(&trial, "content-type")),
            ("1".into(), "application/json".into())
        );
        let (shown, bytes) = (trial.headers(), trial.body().to_vec());
        tester.send(trial).await;
        let sent = fake.0.lock().unwrap().pop().expect("a request");
        let headers: Vec<_> = sent
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        assert_eq!(sent.body, bytes);
        assert_eq!(headers.len(), shown.len());
        assert!(headers.iter().all(|header| shown.contains(header)));
        assert_ne!(header(&tester.prepare(&wish).expect("another"), "webhook-id"), id);
    }

    #[tokio::test]
    async fn what_the_receiver_said_is_told() {
        let (tester, fake) = tester("https://hook.example/abcdefgh12");
        let answer = |status, body: &'static str| {
            let (headers, body) = (reqwest::header::HeaderMap::new(), Bytes::from_static(body.as_bytes()));
            Ok(Answer { status, headers, body, truncated: false })
        };
        for (given, delivered, status, said) in [
            (answer(200, "{}"), true, Some(200), Some("{}")),
            (answer(500, "no hook abcdefgh12"), false, Some(500), Some("no hook ***")),
            (answer(410, ""), false, Some(410), None),
            (Err(SendError::Timeout), false, None, None),
            (Err(SendError::Refused("private".to_owned())), false, None, None),
        ] {
            *fake.1.lock().unwrap() = Some(given);
            let tried = tester.send(tester.prepare(&Wish::default()).expect("a test")).await;
            assert_eq!((tried.delivered, tried.status, tried.said.as_deref()), (delivered, status, said));
            assert_eq!(tried.error.is_none(), delivered, "{tried:?}");
        }
    }

    #[test]
    fn it_goes_to_a_target_or_where_requests_may_go() {
        let (tester, _) = tester("https://hook.example/secret");
        let to = |to: To| tester.prepare(&Wish { to, ..Wish::default() }).map(|trial| trial.masked_url());
        assert_eq!(to(To::Target("default".to_owned())), Ok("https://hook.example/***".to_owned()));
        assert_eq!(to(To::Target("x".to_owned())), Err(TestWebhookError::UnknownTarget("x".to_owned())));
        assert_eq!(
            to(To::Url("https://other.example/a".to_owned())),
            Ok("https://other.example/***".to_owned())
        );
        for refused in ["http://other.example/a", "https://127.0.0.1/a", "https://localhost/", "text", ""] {
            let answer = to(To::Url(refused.to_owned()));
            assert!(matches!(answer, Err(TestWebhookError::Address(_))), "{refused}: {answer:?}");
        }
        let (none, _) = self::tester("");
        assert_eq!(none.prepare(&Wish::default()).map(|_| ()), Err(TestWebhookError::NoTarget));
        let large = Wish { links: vec![json!("x".repeat(LARGEST))], ..Wish::default() };
        assert_eq!(tester.prepare(&large).map(|_| ()), Err(TestWebhookError::TooLarge));
    }
}
