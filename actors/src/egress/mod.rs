//! Outgoing requests: the one HTTP client of the program, and the guard in front of it.
//!
//! An address that an operator (or a mail) names may point anywhere, so the guard looks
//! at the address that is really connected to: a name is resolved once, refused if any of
//! its addresses is not allowed, and the connection goes to just those addresses. No
//! redirects are followed and no proxy of the environment is used. See [`EgressPolicy`].
//!
//! Answers are read as leniently as the HTTP client can be told to.

mod answer;
mod client;
mod collector;
mod failure;
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

use std::net::IpAddr;

use async_trait::async_trait;
pub use collector::{Collector, CollectorError, CollectorHeaders};
pub use ipnet::IpNet;
pub use policy::EgressPolicy;
pub use reach::reach;
pub use retry_after::retry_after;
pub use roots::Roots;
pub use rustls_pki_types::CertificateDer;
pub use stream::StreamedAnswer;
pub use target::check_target;
pub use tls::authorities;
use url::{Host, Url};

pub use self::answer::Answer;
pub use self::client::{ClientOptions, EgressError, GuardedClient};
pub use self::failure::SendError;

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

/// The address that the host is written as, if it is no name.
fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}
