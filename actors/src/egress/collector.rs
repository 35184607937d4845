//! A collector of traces, at an address of the operator's own.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::{ClientOptions, EgressError, EgressPolicy, GuardedClient};

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read: nothing is made of them.
const MAX_ANSWER: usize = 4 * 1_024;

/// Where traces are posted to.
#[derive(Debug, Clone)]
pub struct Collector {
    client: GuardedClient,
    url: Url,
    headers: HeaderMap,
}

/// Why a collector has not taken what was posted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct CollectorError {
    /// In plain words, without the address.
    pub why: String,
    /// It may take the same a little later.
    pub passing: bool,
}

/// Headers that a collector wants besides. They are not shown: one may be a password.
#[derive(Clone, Default)]
pub struct CollectorHeaders(HeaderMap);

impl fmt::Debug for CollectorHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CollectorHeaders").field("count", &self.0.len()).finish_non_exhaustive()
    }
}

impl CollectorHeaders {
    /// Reads `name=value` pairs with percent-encoded values, a comma between two.
    ///
    /// # Errors
    /// What is wrong, without a value.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut headers = HeaderMap::new();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (name, value) =
                pair.split_once('=').ok_or("a pair has no = between its name and its value")?;
            let name = name.trim();
            let bad = || format!("the header {name:?} cannot be sent");
            let value =
                percent_encoding::percent_decode_str(value.trim()).decode_utf8().map_err(|_| bad())?;
            let mut value = HeaderValue::try_from(value.as_ref()).map_err(|_| bad())?;
            value.set_sensitive(true);
            headers.insert(HeaderName::try_from(name).map_err(|_| bad())?, value);
        }
        Ok(Self(headers))
    }
}

impl Collector {
    /// A collector at `url`, with these headers besides.
    ///
    /// Nobody but the environment of the process names it, and it commonly lies beside the program,
    /// without TLS: so every network is open to this client, which posts to this one address and
    /// follows no redirect.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(url: Url, headers: CollectorHeaders) -> Result<Self, EgressError> {
        let everywhere = vec![IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default())];
        let client = GuardedClient::new(&EgressPolicy::new(everywhere), ClientOptions::default())?;
        let mut all = headers.0;
        all.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(Self { client, url, headers: all })
    }

    /// Posts a request of OTLP in JSON.
    ///
    /// # Errors
    /// See [`CollectorError`]. By OTLP's rules 429, 502, 503 and 504 pass, and every other refusal is
    /// one of what was sent.
    pub async fn post(&self, json: Bytes) -> Result<(), CollectorError> {
        let posted = self.client.post(&self.url, self.headers.clone(), json, TIMEOUT, MAX_ANSWER).await;
        match posted {
            Ok(answer) if (200..=299).contains(&answer.status) => Ok(()),
            Ok(answer) => Err(CollectorError {
                why: format!("HTTP {}", answer.status),
                passing: [429, 502, 503, 504].contains(&answer.status),
            }),
            Err(error) => Err(CollectorError { why: error.to_string(), passing: true }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_opentelemetry_writes_them_and_are_not_shown() {
        let headers = CollectorHeaders::parse(" authorization=Bearer%20s3cret , x-tenant=a,").unwrap();
        assert_eq!(headers.0["authorization"], "Bearer s3cret");
        assert_eq!(headers.0["x-tenant"], "a");
        assert!(!format!("{headers:?} {:?}", headers.0).contains("s3cret"));
        assert!(CollectorHeaders::parse("").unwrap().0.is_empty());
        for (text, said) in [("s3cret", "no ="), ("a b=s3cret", "\"a b\""), ("a=%0as3cret", "\"a\"")] {
            let why = CollectorHeaders::parse(text).unwrap_err();
            assert!(why.contains(said) && !why.contains("s3cret"), "{text}: {why}");
        }
    }
}
