//! Outgoing requests: the one HTTP client of the program, and the guard in front of it.
//!
//! An address that an operator (or a mail) names may point anywhere, so the guard looks
//! at the address that is really connected to: a name is resolved once, refused if any of
//! its addresses is not allowed, and the connection goes to just those addresses. No
//! redirects are followed and no proxy of the environment is used. See [`EgressPolicy`].
//!
//! Answers are read as leniently as the HTTP client can be told to.

#[cfg(test)]
mod hostile;
mod local;
mod policy;
mod pools;
mod reach;
mod retry_after;
mod roots;
mod stream;
mod target;
#[cfg(test)]
mod tests;
mod tls;
#[cfg(test)]
mod untidy;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use reqwest::Method;
use reqwest::header::HeaderMap;
use url::{Host, Url};

pub use ipnet::IpNet;
use policy::AddressReach;
pub use policy::EgressPolicy;
use pools::Pools;
pub use reach::reach;
pub use retry_after::retry_after;
pub use roots::Roots;
pub use rustls_pki_types::CertificateDer;
pub use stream::StreamedAnswer;
pub use target::check_target;
pub use tls::authorities;

/// Time for an answer that had arrived while the whole process was stopped.
const GRACE: Duration = Duration::from_millis(100);

/// Finds the addresses of a name.
#[async_trait]
pub trait Resolver: Send + Sync + 'static {
    /// All addresses of `host`.
    ///
    /// # Errors
    /// The name has none, or could not be looked up now.
    async fn resolve(&self, host: &str) -> std::io::Result<Vec<IpAddr>>;
}

/// The resolver of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// The last word before a connection is made, when the guard has let its addresses through.
pub trait DialCheck: Send + Sync + 'static {
    /// Connections to `host` are about to go to these addresses, and to no others.
    ///
    /// # Errors
    /// They are not to be made.
    fn dial(&self, host: &str, addresses: &[IpAddr]) -> std::io::Result<()>;
}

/// Lets every connection be made.
#[derive(Debug, Clone, Copy, Default)]
pub struct FreeDialer;

impl DialCheck for FreeDialer {
    fn dial(&self, host: &str, addresses: &[IpAddr]) -> std::io::Result<()> {
        tracing::trace!(host, ?addresses, "connecting");
        Ok(())
    }
}

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
pub struct EgressError(String);

/// What the server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The body, at most as many bytes as were asked for.
    pub body: Bytes,
    /// There was more, or there should have been.
    pub truncated: bool,
}

/// What is wanted of the body of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BodyWanted {
    /// All of it, or there is no answer.
    Whole,
    /// Whatever of it comes in this time after the headers.
    Within(Duration),
}

/// Why there is no answer. Never contains the address's path: it is a capability.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The guard does not let it out. Nothing was sent, and the same address never will be.
    #[error("refused: {0}")]
    Refused(String),
    /// The name leads at the moment where the guard lets nothing go. Nothing was sent.
    #[error("refused for now: {0}")]
    RefusedNow(String),
    /// No complete answer in time. The server may have got the request.
    #[error("no answer in time")]
    Timeout,
    /// This machine could not try: too many open files, no memory, no network. Nothing was sent,
    /// and it says nothing about the server.
    #[error("this machine cannot connect: {0}")]
    Local(String),
    /// No connection could be made. Nothing was sent.
    #[error("no connection: {0}")]
    Connect(String),
    /// The connection broke. The server may have got the request.
    #[error("the connection failed: {0}")]
    Transport(String),
}

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

    fn client(&self, url: &Url) -> Result<reqwest::Client, SendError> {
        let reach = self.policy.check_url(url).map_err(SendError::Refused)?;
        // A name is the guard's; an address goes to the connector as it is.
        if let Some(address) = literal(url) {
            let dialled = self.dialer.dial(&address.to_string(), &[address]);
            dialled.map_err(|error| SendError::Connect(error.to_string()))?;
        }
        Ok(self.pools.client(reach))
    }
}

/// The address that the host is written as, if it is no name.
fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

/// The addresses of a name that may be connected to. One that is not allowed is enough to refuse
/// them all: the name is not to be trusted. But a network's own IPv6 address beside a good IPv4
/// one is common (a VPN, a router that answers for its guests): then IPv4 is used.
async fn vetted(
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
async fn in_time<T>(
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

/// An answer of which the body is being read.
struct Reading {
    response: reqwest::Response,
    status: u16,
    headers: HeaderMap,
    first: Bytes,
    rest: BytesMut,
    truncated: bool,
}

fn head(mut response: reqwest::Response) -> Reading {
    let headers = std::mem::take(response.headers_mut());
    let status = response.status().as_u16();
    Reading { response, status, headers, first: Bytes::new(), rest: BytesMut::new(), truncated: false }
}

impl Reading {
    /// Reads the body up to `cap` bytes. What was read before it is given up or fails stays.
    async fn read(&mut self, cap: usize) -> Result<(), SendError> {
        while let Some(mut chunk) = self.response.chunk().await.map_err(classify)? {
            let room = cap.saturating_sub(self.first.len() + self.rest.len());
            if chunk.len() > room {
                chunk.truncate(room);
                self.truncated = true;
            }
            if self.first.is_empty() {
                self.first = chunk;
            } else {
                self.rest.extend_from_slice(&chunk);
            }
            if self.truncated {
                break;
            }
        }
        Ok(())
    }

    fn finish(self) -> Answer {
        let Self { status, headers, first, rest, truncated, .. } = self;
        let body = if rest.is_empty() {
            first
        } else {
            let mut whole = BytesMut::with_capacity(first.len() + rest.len());
            whole.extend_from_slice(&first);
            whole.extend_from_slice(&rest);
            whole.freeze()
        };
        Answer { status, headers, body, truncated }
    }
}

fn classify(error: reqwest::Error) -> SendError {
    let error = error.without_url();
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(cause) = source {
        // What the guard has said, on its way through the HTTP client's errors.
        if let Some(said) = cause.downcast_ref::<SendError>() {
            return said.clone();
        }
        source = cause.source();
    }
    if error.is_connect() && local::is_ours(&error) {
        SendError::Local(describe(&error))
    } else if error.is_connect() {
        SendError::Connect(describe(&error))
    } else if error.is_timeout() {
        SendError::Timeout
    } else {
        SendError::Transport(describe(&error))
    }
}

/// The last and most telling cause of an error. The outer layers name the address.
fn describe(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
