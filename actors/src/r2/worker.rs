//! The client of the R2 Worker: asks it to fetch a file and says where the copy lies. Requests and
//! answers are those of the Worker that the reference system calls (reference section 5.13).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;
use url::{Host, Url};

use super::name::sanitise;
use super::normalize::{object_key, time_limit};
use super::plan::SourceLink;
use super::{Copied, Job, LinkStore, NoCopy, address};
use crate::egress::{Answer, GuardedClient, SendError, retry_after};
use crate::kernel::backoff::Backoff;
use crate::kernel::clock::World;
use crate::kernel::words::is_hidden;

/// Header with the secret shared with the Worker.
const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-r2-fetch-token");
/// What the Worker knows its caller as.
const AGENT: HeaderValue = HeaderValue::from_static("render-signal-server/r2-transfer");
/// More of the Worker's answer than this is not read, in bytes.
const ANSWER_CAP: usize = 64 * 1024;
/// Tries after the first, when the Worker could not be reached or failed itself (5xx).
const RETRIES: u32 = 2;
/// Pause before the first retry; doubled before the second.
const RETRY_PAUSE: Duration = Duration::from_millis(250);
/// Longest pause, while this machine cannot connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Longest text of the Worker's own that is repeated, in characters.
const QUOTE: usize = 200;

/// Where the Worker is and what it is told.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// `R2_FETCH_ENDPOINT`.
    pub endpoint: Url,
    /// `R2_FETCH_TOKEN`; empty = nothing is ever sent.
    pub token: SecretString,
    /// `R2_BUCKET_NAME`, copied into the request.
    pub bucket: String,
    /// `R2_PUBLIC_BASE_URL`: where copies must lie; `None` = anywhere reachable by https.
    pub public_base_url: Option<Url>,
}

/// Posts within the egress rules of the program.
#[async_trait]
pub trait Http: Send + Sync {
    /// Posts once, without following redirects, and reads at most `cap` bytes of the answer,
    /// all within `timeout`.
    ///
    /// # Errors
    /// See [`SendError`].
    async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
        timeout: Duration,
        cap: usize,
    ) -> Result<Answer, SendError>;

    /// Whether plain HTTP is fine at the address: it lies in an allowed network for sure.
    fn allows_plain_http(&self, url: &Url) -> bool;

    /// Whether requests may go to the address, as far as its text can tell.
    fn permits(&self, url: &Url) -> bool;
}

#[async_trait]
impl Http for GuardedClient {
    async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
        timeout: Duration,
        cap: usize,
    ) -> Result<Answer, SendError> {
        Self::post(self, url, headers, body, timeout, cap).await
    }

    fn allows_plain_http(&self, url: &Url) -> bool {
        // Another name than this one may lead anywhere.
        let known = !matches!(url.host(), Some(Host::Domain(name)) if name != "localhost");
        known && Self::permits(self, url)
    }

    fn permits(&self, url: &Url) -> bool {
        Self::permits(self, url)
    }
}

/// [`LinkStore`] over the Worker.
pub struct WorkerClient {
    settings: WorkerSettings,
    http: Arc<dyn Http>,
    world: World,
}

/// The request's body, fields in the order of the reference.
#[derive(Serialize)]
struct Request<'a> {
    source_url: &'a str,
    object_key: &'a str,
    bucket: &'a str,
    provider: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    email_id: &'a str,
}

/// Why one try failed.
struct TryFailure {
    why: String,
    /// The next try may go better, at once.
    again: bool,
    /// This machine could not try.
    ours: bool,
    /// It may go better in a while, not before an instant if the Worker named one.
    passing: Option<Option<DateTime<Utc>>>,
}

impl TryFailure {
    const fn lasting(why: String) -> Self {
        Self { why, again: false, ours: false, passing: None }
    }

    fn no_copy(self) -> NoCopy {
        match self.passing {
            Some(not_before) => NoCopy::passing(self.why, not_before),
            None => NoCopy::lasting(self.why),
        }
    }
}

impl WorkerClient {
    /// A client that posts through `http`.
    #[must_use]
    pub fn new(settings: WorkerSettings, http: Arc<dyn Http>, world: World) -> Self {
        Self { settings, http, world }
    }

    fn headers(&self) -> Result<HeaderMap, String> {
        let mut token = HeaderValue::from_str(self.settings.token.expose_secret())
            .map_err(|_| "R2_FETCH_TOKEN holds a character that a header cannot carry".to_owned())?;
        token.set_sensitive(true);
        let mut headers = HeaderMap::with_capacity(3);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, AGENT);
        headers.insert(TOKEN_HEADER, token);
        Ok(headers)
    }

    /// Posts once and judges the answer.
    async fn ask(
        &self,
        headers: HeaderMap,
        body: Bytes,
        limit: Duration,
    ) -> Result<WorkerAnswer, TryFailure> {
        let posted = self.http.post(&self.settings.endpoint, headers, body, limit, ANSWER_CAP);
        match posted.await {
            Ok(answer) if answer.status == 200 => read_answer(&answer.body).map_err(TryFailure::lasting),
            Ok(answer) => {
                let not_before = retry_after(&answer.headers, self.world.now());
                let busy = matches!(answer.status, 408 | 425 | 429);
                Err(TryFailure {
                    why: format!("the Worker answered {}{}", answer.status, said(&answer.body)),
                    // Whoever names a time is not asked again before.
                    again: answer.status >= 500 && not_before.is_none(),
                    ours: false,
                    passing: (answer.status >= 500 || busy).then_some(not_before),
                })
            }
            Err(error) => {
                let unreached = matches!(error, SendError::Connect(_) | SendError::Transport(_));
                let ours = matches!(error, SendError::Local(_));
                let passes = unreached || ours || matches!(error, SendError::RefusedNow(_));
                let why = format!("the Worker gave no answer: {error}");
                Err(TryFailure { why, again: unreached, ours, passing: passes.then_some(None) })
            }
        }
    }

    /// The answer is passed on to receivers, so it must lead where copies lie (reference W-71).
    fn check_address(&self, r2_url: &str) -> Result<(), String> {
        let base = self.settings.public_base_url.as_ref();
        let url = address::check(r2_url, base).map_err(|why| format!("the Worker's r2_url {why}"))?;
        if base.is_some() {
            // An operator who names a plain or private address wants it.
            return Ok(());
        }
        if url.scheme() != "https" && !self.http.allows_plain_http(&url) {
            return Err("the Worker's r2_url is not https".to_owned());
        }
        if !self.http.permits(&url) {
            return Err("the Worker's r2_url lies in a private network".to_owned());
        }
        Ok(())
    }
}

#[async_trait]
impl LinkStore for WorkerClient {
    async fn offload(&self, job: Job) -> Result<Copied, NoCopy> {
        if self.settings.token.expose_secret().is_empty() {
            return Err(NoCopy::lasting("R2_FETCH_TOKEN is empty"));
        }
        job.reach().map_err(NoCopy::lasting)?;
        let SourceLink { url: source_url, provider } = job.source;
        let object_key = object_key(&source_url, &provider);
        let request = Request {
            source_url: &source_url,
            object_key: &object_key,
            bucket: &self.settings.bucket,
            provider: &provider,
            email_id: &job.email_id,
        };
        let body = serde_json::to_vec(&request).map_err(|error| NoCopy::lasting(error.to_string()))?;
        let body = Bytes::from(body);
        let headers = self.headers().map_err(NoCopy::lasting)?;

        let end = Instant::now() + time_limit(&source_url, &provider);
        let mut retries = Backoff::new(RETRY_PAUSE, LONGEST_PAUSE).retries();
        let mut tries_left = RETRIES;
        loop {
            let limit = end.saturating_duration_since(Instant::now());
            let failure = match self.ask(headers.clone(), body.clone(), limit).await {
                Ok(WorkerAnswer { r2_url, original_filename }) => {
                    self.check_address(&r2_url).map_err(NoCopy::lasting)?;
                    return Ok(Copied { source_url, r2_url, original_filename, expires_at: None });
                }
                Err(failure) => failure,
            };
            let wait = retries.failed(self.world.jitter.as_ref());
            // A fault of this machine costs no try, only time.
            let may = failure.ours || (failure.again && tries_left > 0);
            if !may || Instant::now() + wait >= end {
                return Err(failure.no_copy());
            }
            tracing::debug!(why = failure.why, "the worker failed, trying again");
            tokio::time::sleep(wait).await;
            tries_left -= u32::from(!failure.ours);
        }
    }
}

/// What a successful answer says.
struct WorkerAnswer {
    r2_url: String,
    original_filename: Option<String>,
}

fn read_answer(body: &[u8]) -> Result<WorkerAnswer, String> {
    let answer: Value =
        serde_json::from_slice(body).map_err(|_| "the Worker's answer is not JSON".to_owned())?;
    if !answer.get("success").is_some_and(is_truthy) {
        return Err(format!("the Worker could not copy the file{}", said(body)));
    }
    let text = |field: &str| answer.get(field).and_then(Value::as_str).map(str::trim);
    let r2_url = text("r2_url").filter(|url| !url.is_empty());
    let original_filename = text("original_filename").and_then(sanitise);
    match r2_url {
        Some(r2_url) => Ok(WorkerAnswer { r2_url: r2_url.to_owned(), original_filename }),
        None => Err("the Worker's answer has no r2_url".to_owned()),
    }
}

/// As Python's `bool(x)`.
fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

/// `: <error>` when the answer carries one.
fn said(body: &[u8]) -> String {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    match answer.get("error").and_then(Value::as_str) {
        Some(error) => {
            let error: String = error.chars().filter(|c| !is_hidden(*c)).take(QUOTE).collect();
            format!(": {error}")
        }
        None => String::new(),
    }
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
