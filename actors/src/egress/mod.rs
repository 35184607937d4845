//! Outgoing requests: the one HTTP client of the program, and the guard in front of it.
//!
//! An address that an operator (or a mail) names may point anywhere, so the guard looks
//! at the address that is really connected to: a name is resolved once, refused if any of
//! its addresses is not allowed, and the connection goes to just those addresses. No
//! redirects are followed and no proxy of the environment is used. See [`EgressPolicy`].

#[cfg(test)]
mod hostile;
mod policy;
mod reach;
mod stream;
#[cfg(test)]
mod tests;
mod tls;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use reqwest::Method;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::HeaderMap;
use rustls_pki_types::CertificateDer;
use url::{Host, Url};

pub use policy::EgressPolicy;
use policy::Reach;
pub use reach::reach;
pub use stream::Streamed;

/// Idle connections are closed before the receiver does it: the shortest time-out in
/// common use is 5 s (Node.js), and a request that meets a closing connection fails.
const IDLE: Duration = Duration::from_secs(4);
/// A connection is made within this time or not at all.
const CONNECT: Duration = Duration::from_secs(10);
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
pub trait Dialer: Send + Sync + 'static {
    /// Connections to `host` are about to go to these addresses, and to no others.
    ///
    /// # Errors
    /// They are not to be made.
    fn dial(&self, host: &str, addresses: &[IpAddr]) -> std::io::Result<()>;
}

/// Lets every connection be made.
#[derive(Debug, Clone, Copy, Default)]
pub struct FreeDialer;

impl Dialer for FreeDialer {
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
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// Finds addresses.
    pub resolver: Arc<dyn Resolver>,
    /// Is told which of them are connected to.
    pub dialer: Arc<dyn Dialer>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            verify_certificates: true,
            extra_roots: Vec::new(),
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
    /// There was more.
    pub truncated: bool,
}

/// Why there is no answer. Never contains the address's path: it is a capability.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The guard does not let it out. Nothing was sent.
    #[error("refused: {0}")]
    Refused(String),
    /// No complete answer in time. The server may have got the request.
    #[error("no answer in time")]
    Timeout,
    /// No connection could be made. Nothing was sent.
    #[error("no connection: {0}")]
    Connect(String),
    /// The connection broke. The server may have got the request.
    #[error("the connection failed: {0}")]
    Transport(String),
}

/// An HTTP client that only goes where it may. Connections are kept and used again.
#[derive(Clone)]
pub struct GuardedClient {
    policy: EgressPolicy,
    dialer: Arc<dyn Dialer>,
    /// For `https://`: the public internet, and the allowed networks.
    secure: reqwest::Client,
    /// For `http://`: the allowed networks only.
    plain: reqwest::Client,
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
        let tls = tls::config(&options)?;
        let build = |reach: Reach| {
            let guard = Guard { policy: egress.clone(), reach, options: options.clone() };
            reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .dns_resolver(guard)
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .referer(false)
                .https_only(reach == Reach::Public)
                .tcp_nodelay(true)
                .connect_timeout(CONNECT)
                .pool_idle_timeout(IDLE)
                .build()
                .map_err(|error| EgressError(describe(&error)))
        };
        let (secure, plain) = (build(Reach::Public)?, build(Reach::AllowedOnly)?);
        Ok(Self { policy: egress.clone(), dialer: options.dialer, secure, plain })
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
        exchange(request, timeout, cap).await
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
        exchange(self.client(url)?.get(url.clone()).headers(headers), timeout, cap).await
    }

    fn client(&self, url: &Url) -> Result<&reqwest::Client, SendError> {
        let reach = self.policy.check_url(url).map_err(SendError::Refused)?;
        // A name is the guard's; an address goes to the connector as it is.
        if let Some(address) = literal(url) {
            let dialled = self.dialer.dial(&address.to_string(), &[address]);
            dialled.map_err(|error| SendError::Connect(error.to_string()))?;
        }
        match reach {
            Reach::Public => Ok(&self.secure),
            Reach::AllowedOnly => Ok(&self.plain),
        }
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

/// Every address of a name, if all of them are allowed: one bad address is enough, the
/// connector would try it sooner or later.
async fn vetted(
    policy: &EgressPolicy,
    options: &ClientOptions,
    name: &str,
    reach: Reach,
) -> Result<Vec<IpAddr>, SendError> {
    let addresses = options.resolver.resolve(name).await;
    let addresses =
        addresses.map_err(|error| SendError::Connect(format!("{name} cannot be resolved: {error}")))?;
    for address in &addresses {
        policy
            .check(Some(name), *address, reach)
            .map_err(|why| SendError::Refused(format!("{name} resolves to {why}")))?;
    }
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
) -> Result<Answer, SendError> {
    let exchange = async {
        let response = request.send().await.map_err(classify)?;
        read(response, cap).await
    };
    in_time(timeout, exchange).await
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

async fn read(mut response: reqwest::Response, cap: usize) -> Result<Answer, SendError> {
    let status = response.status().as_u16();
    let headers = std::mem::take(response.headers_mut());
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    let mut truncated = false;
    while let Some(mut chunk) = response.chunk().await.map_err(classify)? {
        let room = cap.saturating_sub(first.len() + rest.len());
        if chunk.len() > room {
            chunk.truncate(room);
            truncated = true;
        }
        if first.is_empty() {
            first = chunk;
        } else {
            rest.extend_from_slice(&chunk);
        }
        if truncated {
            break;
        }
    }
    let body = if rest.is_empty() {
        first
    } else {
        let mut whole = BytesMut::with_capacity(first.len() + rest.len());
        whole.extend_from_slice(&first);
        whole.extend_from_slice(&rest);
        whole.freeze()
    };
    Ok(Answer { status, headers, body, truncated })
}

/// Lets only allowed addresses through to the connector.
struct Guard {
    policy: EgressPolicy,
    reach: Reach,
    options: ClientOptions,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, reach, options) = (self.policy.clone(), self.reach, self.options.clone());
        Box::pin(async move {
            let addresses = vetted(&policy, &options, name.as_str(), reach).await?;
            let addresses: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
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
    if error.is_connect() {
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
