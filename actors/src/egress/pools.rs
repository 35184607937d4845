//! The kept connections, and the end of their life.
//!
//! A kept connection never looks its name up again, and under steady traffic it is never idle:
//! a receiver that moves would be sought at its old address for ever. So the pools are made anew
//! after a while. Requests under way end on the connections that they have.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls_pki_types::CertificateDer;
use tokio::time::Instant;

use super::client::vetted;
use super::failure::describe;
use super::policy::AddressReach;
use super::{ClientOptions, EgressError, EgressPolicy, tls};

/// Idle connections are closed before the receiver does it: the shortest time-out in
/// common use is 5 s (Node.js), and a request that meets a closing connection fails.
const IDLE: Duration = Duration::from_secs(4);
/// A connection is made within this time or not at all.
const CONNECT: Duration = Duration::from_secs(10);
/// No request begins on a connection of pools that are older. A new address is found within a
/// minute with this and what a resolver may remember.
const LIFE: Duration = Duration::from_secs(30);
/// Headers of an answer: more is no answer. Some frameworks send a header per cookie.
const HEADERS: usize = 1_000;

struct Generation {
    since: Instant,
    /// Whom its new connections believe, besides the public authorities.
    roots: Arc<Vec<CertificateDer<'static>>>,
    /// Shared by generations of the same roots, with the sessions that a new connection can resume.
    tls: rustls::ClientConfig,
    /// For `https://`: the public internet, and the allowed networks.
    secure: reqwest::Client,
    /// For `http://`: the allowed networks only.
    plain: reqwest::Client,
}

/// The pools of one client, replaced when they are old.
pub(super) struct Pools {
    policy: EgressPolicy,
    options: ClientOptions,
    present: Mutex<Generation>,
}

impl Pools {
    /// # Errors
    /// When TLS cannot be set up, for example with an unusable additional root.
    pub(super) fn new(policy: &EgressPolicy, options: ClientOptions) -> Result<Self, EgressError> {
        let present = Mutex::new(generation(policy, &options, None)?);
        Ok(Self { policy: policy.clone(), options, present })
    }

    /// The client for what may be reached.
    pub(super) fn client(&self, reach: AddressReach) -> reqwest::Client {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let is_current = Arc::ptr_eq(&present.roots, &self.options.extra_roots.load());
        if present.since.elapsed() >= LIFE || !is_current {
            let tls = is_current.then(|| present.tls.clone());
            match generation(&self.policy, &self.options, tls) {
                Ok(next) => *present = next,
                // It could be made before, so this does not happen; the old ones still serve.
                Err(error) => tracing::warn!(%error, "kept connections could not be renewed"),
            }
        }
        match reach {
            AddressReach::Public => present.secure.clone(),
            AddressReach::AllowedOnly => present.plain.clone(),
        }
    }
}

/// `None` = TLS is to be set up anew.
fn generation(
    policy: &EgressPolicy,
    options: &ClientOptions,
    tls: Option<rustls::ClientConfig>,
) -> Result<Generation, EgressError> {
    let roots = options.extra_roots.load();
    let tls = match tls {
        Some(tls) => tls,
        None => tls::config(options, &roots)?,
    };
    let build = |reach: AddressReach| {
        let guard = AddressGuard { policy: policy.clone(), reach, options: options.clone() };
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls.clone())
            .dns_resolver(guard)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .https_only(reach == AddressReach::Public)
            .tcp_nodelay(true)
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            // A server that has answered has answered, however untidily.
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_ignore_invalid_headers_in_responses(true)
            .http1_max_headers(HEADERS)
            .build()
            .map_err(|error| EgressError(describe(&error)))
    };
    let (secure, plain) = (build(AddressReach::Public)?, build(AddressReach::AllowedOnly)?);
    Ok(Generation { since: Instant::now(), roots, tls, secure, plain })
}

/// Lets only allowed addresses through to the connector.
struct AddressGuard {
    policy: EgressPolicy,
    reach: AddressReach,
    options: ClientOptions,
}

impl Resolve for AddressGuard {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, reach, options) = (self.policy.clone(), self.reach, self.options.clone());
        Box::pin(async move {
            let addresses = vetted(&policy, &options, name.as_str(), reach).await?;
            let addresses: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}
