//! The way to the receivers.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::HeaderMap;
use url::Url;

use crate::egress::{Answer, ClientOptions, EgressError, EgressPolicy, GuardedClient, SendError};

/// An answer is read up to this many bytes; more is of no interest.
const ANSWER_CAP: usize = 64 * 1024;
/// The status says whether it was delivered. For the body, which may say otherwise, there is so
/// much time after it; a claim holds for longer than an attempt and this.
const BODY_PATIENCE: Duration = Duration::from_secs(5);

/// One request to a receiver.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Where to.
    pub url: Url,
    /// All headers.
    pub headers: HeaderMap,
    /// The exact bytes.
    pub body: Bytes,
    /// From connecting to the last header of the answer.
    pub timeout: Duration,
    /// `webhook_ssl_verify`.
    pub verify_certificate: bool,
}

/// Posts webhooks.
#[async_trait]
pub trait Receiver: Send + Sync + 'static {
    /// Posts once. Never repeats, never follows a redirect.
    ///
    /// # Errors
    /// When there is no answer; see [`SendError`]. A body that breaks off is no error.
    async fn post(&self, request: Outgoing) -> Result<Answer, SendError>;
}

/// The real receivers, behind the egress guard.
#[derive(Debug, Clone)]
pub struct GuardedReceiver {
    checked: GuardedClient,
    unchecked: GuardedClient,
}

impl GuardedReceiver {
    /// Connects as `options` say; certificates are checked or not as each request asks.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(egress: &EgressPolicy, options: &ClientOptions) -> Result<Self, EgressError> {
        let client = |verify_certificates| {
            GuardedClient::new(egress, ClientOptions { verify_certificates, ..options.clone() })
        };
        Ok(Self { checked: client(true)?, unchecked: client(false)? })
    }
}

#[async_trait]
impl Receiver for GuardedReceiver {
    async fn post(&self, request: Outgoing) -> Result<Answer, SendError> {
        let client = if request.verify_certificate { &self.checked } else { &self.unchecked };
        let body = (ANSWER_CAP, BODY_PATIENCE);
        client.post_for_status(&request.url, request.headers, request.body, request.timeout, body).await
    }
}
