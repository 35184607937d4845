//! The client: every request passes the guard, name by name and address by address.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::HeaderMap;
use url::Url;

use super::answer::{Answer, BodyWanted, head};
use super::failure::{SendError, classify};
use super::policy::{AddressReach, EgressPolicy};
use super::pools::Pools;
use super::roots::Roots;
use super::{DialCheck, FreeDialer, Resolver, SystemResolver, literal, local};

/// Time for an answer that had arrived while the whole process was stopped.
const GRACE: Duration = Duration::from_millis(100);

/// How a [`GuardedClient`] connects.
#[derive(Clone)]
pub struct ClientOptions {
    /// Refuse a server whose certificate is not valid for its name.
    pub verify_certificates: bool,
    /// Accepted besides Mozilla's root certificates (a private authority).
    pub extra_roots: Roots,
    /// Finds addresses.
    pub resolver: Arc<dyn Resolver>,
    /// Is told which of them are connected to.
    pub dialer: Arc<dyn DialCheck>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            verify_certificates: true,
            extra_roots: Roots::default(),
            resolver: Arc::new(SystemResolver),
            dialer: Arc::new(FreeDialer),
        }
    }
}

impl fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientOptions")
            .field("verify_certificates", &self.verify_certificates)
            .field("extra_roots", &self.extra_roots.len())
            .finish_non_exhaustive()
    }
}

/// Why a client could not be made.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the HTTP client cannot be set up: {0}")]
pub struct EgressError(pub(super) String);

/// An HTTP client that only goes where it may. Connections are kept and used again for a while.
#[derive(Clone)]
pub struct GuardedClient {
    policy: EgressPolicy,
    dialer: Arc<dyn DialCheck>,
    pools: Arc<Pools>,
}

impl fmt::Debug for GuardedClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedClient").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl GuardedClient {
    /// A client for what `egress` allows.
    ///
    /// # Errors
    /// When TLS cannot be set up, for example with an unusable additional root.
    pub fn new(egress: &EgressPolicy, options: ClientOptions) -> Result<Self, EgressError> {
        let dialer = Arc::clone(&options.dialer);
        Ok(Self { policy: egress.clone(), dialer, pools: Arc::new(Pools::new(egress, options)?) })
    }

    /// Posts `body` to `url` and reads at most `cap` bytes of the answer, all within `timeout`.
    ///
    /// # Errors
    /// See [`SendError`]. A status that says "no" is an answer, not an error.
    pub async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
        timeout: Duration,
        cap: usize,
    ) -> Result<Answer, SendError> {
        self.send(Method::POST, url, headers, body, timeout, cap).await
    }

    /// The same for whom the status matters: it must come within `timeout`, and of the body
    /// that is taken which comes within `patience` after it, whatever goes wrong with the rest.
    ///
    /// # Errors
    /// As of [`Self::post`]; a broken body is none.
    pub async fn post_for_status(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
        timeout: Duration,
        (cap, patience): (usize, Duration),
    ) -> Result<Answer, SendError> {
        let request = self.client(url)?.request(Method::POST, url.clone()).headers(headers).body(body);
        exchange(request, timeout, cap, BodyWanted::Within(patience)).await
    }

    /// Sends `body` to `url` by `method` and reads at most `cap` bytes of the answer, all
    /// within `timeout`.
    ///
    /// # Errors
    /// As of [`Self::post`].
    pub async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
        timeout: Duration,
        cap: usize,
    ) -> Result<Answer, SendError> {
        let request = self.client(url)?.request(method, url.clone()).headers(headers).body(body);
        exchange(request, timeout, cap, BodyWanted::Whole).await
    }

    /// Gets `url` and reads at most `cap` bytes of the answer, all within `timeout`.
    ///
    /// # Errors
    /// As of [`Self::post`].
    pub async fn get(
        &self,
        url: &Url,
        headers: HeaderMap,
        timeout: Duration,
        cap: usize,
    ) -> Result<Answer, SendError> {
        exchange(self.client(url)?.get(url.clone()).headers(headers), timeout, cap, BodyWanted::Whole).await
    }

    pub(super) fn client(&self, url: &Url) -> Result<reqwest::Client, SendError> {
        let reach = self.policy.check_url(url).map_err(SendError::Refused)?;
        // A name is the guard's; an address goes to the connector as it is.
        if let Some(address) = literal(url) {
            let dialled = self.dialer.dial(&address.to_string(), &[address]);
            dialled.map_err(|error| SendError::Connect(error.to_string()))?;
        }
        Ok(self.pools.client(reach))
    }
}

/// The addresses of a name that may be connected to. One that is not allowed is enough to refuse
/// them all: the name is not to be trusted. But a network's own IPv6 address beside a good IPv4
/// one is common (a VPN, a router that answers for its guests): then IPv4 is used.
pub(super) async fn vetted(
    policy: &EgressPolicy,
    options: &ClientOptions,
    name: &str,
    reach: AddressReach,
) -> Result<Vec<IpAddr>, SendError> {
    let addresses = options.resolver.resolve(name).await.map_err(|error| {
        let (ours, why) = (local::hinders_lookups(&error), format!("{name} cannot be resolved: {error}"));
        if ours { SendError::Local(why) } else { SendError::Connect(why) }
    })?;
    let check = |address: &IpAddr| policy.check(Some(name), *address, reach);
    let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) =
        addresses.iter().partition(|address| address.to_canonical().is_ipv4());
    let addresses = match (v4.iter().try_for_each(check), v6.iter().try_for_each(check)) {
        (Ok(()), Ok(())) => addresses,
        (Ok(()), Err(why)) if !v4.is_empty() => {
            tracing::debug!(name, why, "an IPv6 address is refused, IPv4 is used");
            v4
        }
        (Err(why), _) | (_, Err(why)) => {
            return Err(SendError::RefusedNow(format!("{name} resolves to {why}")));
        }
    };
    if addresses.is_empty() {
        return Err(SendError::Connect(format!("{name} has no address")));
    }
    options.dialer.dial(name, &addresses).map_err(|error| SendError::Connect(error.to_string()))?;
    Ok(addresses)
}

async fn exchange(
    request: reqwest::RequestBuilder,
    timeout: Duration,
    cap: usize,
    wanted: BodyWanted,
) -> Result<Answer, SendError> {
    let BodyWanted::Within(patience) = wanted else {
        let exchange = async {
            let mut answer = head(request.send().await.map_err(classify)?);
            answer.read(cap).await?;
            Ok(answer.finish())
        };
        return in_time(timeout, exchange).await;
    };
    let mut answer = head(in_time(timeout, async { request.send().await.map_err(classify) }).await?);
    match in_time(patience, answer.read(cap)).await {
        Ok(()) => {}
        Err(error) => {
            tracing::debug!(%error, status = answer.status, "the body of an answer did not come whole");
            answer.truncated = true;
        }
    }
    Ok(answer.finish())
}

/// What `answer` says within `timeout`.
pub(super) async fn in_time<T>(
    timeout: Duration,
    answer: impl Future<Output = Result<T, SendError>>,
) -> Result<T, SendError> {
    tokio::pin!(answer);
    if let Ok(answered) = tokio::time::timeout(timeout, answer.as_mut()).await {
        return answered;
    }
    // After a stop of the process (SIGSTOP, a suspended machine) the timer fires before
    // the socket is read: what has arrived by now still counts.
    tokio::time::timeout(GRACE, answer).await.unwrap_or(Err(SendError::Timeout))
}

impl GuardedClient {
    /// Whether a request to `url` may be made, as far as that can be said before its name
    /// is resolved.
    #[must_use]
    pub fn permits(&self, url: &Url) -> bool {
        self.policy.check_url(url).is_ok()
    }
}
