//! How fast somebody may try to sign in: by address, and by account, counted by all workers.
//!
//! Nobody is locked out. Whoever is refused is told how long to wait, and what is refused costs
//! nothing more. While an account is guessed at from many addresses, each address has fewer
//! tries; an address that has not tried yet is let in all the same, so that whoever knows the
//! password is not kept out by those who do not.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::kernel::clock::World;
use crate::kernel::digest::hex;
use crate::kernel::ephemeral::{Allowance, Ephemeral, MemoryEphemeral, Spent};

/// Of one address.
const ADDRESS: Allowance = Allowance { burst: 5, every: Duration::from_secs(30) };
/// Of one account, from wherever.
const ACCOUNT: Allowance = Allowance { burst: 20, every: Duration::from_secs(15) };
/// Of one address, while the account's is used up.
const GUESSED_AT: Allowance = Allowance { burst: 2, every: Duration::from_secs(300) };

/// Too many tries: the next one may come after this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooSoon(pub Duration);

/// Counts tries per address, for all workers, and makes guessers wait.
#[derive(Clone)]
pub struct Throttle {
    shared: Arc<dyn Ephemeral>,
    /// Counts for this worker alone while the others cannot be asked.
    own: Arc<MemoryEphemeral>,
}

impl std::fmt::Debug for Throttle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Throttle")
    }
}

impl Throttle {
    /// Counts where all workers count.
    #[must_use]
    pub fn new(shared: Arc<dyn Ephemeral>, world: World) -> Self {
        Self { shared, own: Arc::new(MemoryEphemeral::new(world)) }
    }

    /// Counts a try, before anything is looked at: so that tries side by side are counted, too.
    /// `account` is the user name as given; `None` = a link, which names none.
    ///
    /// # Errors
    /// It comes too soon; nothing is to be looked at.
    pub async fn admit(&self, from: Option<IpAddr>, account: Option<&str>) -> Result<(), TooSoon> {
        let address = address_key(from);
        self.spend("address", &format!("login:address:{address}"), ADDRESS).await?;
        let Some(account) = account else { return Ok(()) };
        // Not as given: it may be a password in the wrong field.
        let account = hex(Sha256::digest(account.as_bytes()));
        if self.spend("account", &format!("login:account:{account}"), ACCOUNT).await.is_ok() {
            return Ok(());
        }
        self.spend("guessed_at", &format!("login:guessed:{account}:{address}"), GUESSED_AT).await
    }

    /// The try was right: whoever asks from there may try as often as at first.
    pub async fn succeeded(&self, from: Option<IpAddr>) {
        let key = format!("login:address:{}", address_key(from));
        for place in [self.shared.as_ref(), self.own.as_ref()] {
            if let Err(error) = place.restore(&key).await {
                tracing::debug!(%error, "the tries of an address are not given back");
            }
        }
    }

    async fn spend(&self, what: &'static str, key: &str, allowance: Allowance) -> Result<(), TooSoon> {
        let spent = match self.shared.spend(key, allowance).await {
            Ok(spent) => Ok(spent),
            Err(error) => {
                tracing::warn!(%error, "tries to sign in are counted by this worker alone");
                self.own.spend(key, allowance).await
            }
        };
        match spent {
            Ok(Spent::Wait(wait)) => {
                // render_signal_login_throttled_total: by what was used up.
                metrics::counter!("render_signal_login_throttled_total", "by" => what).increment(1);
                Err(TooSoon(wait))
            }
            Ok(Spent::Granted) | Err(_) => Ok(()),
        }
    }
}

/// Who has one IPv6 address has its network. Those of whom nothing is known are one.
#[must_use]
pub fn network(address: Option<IpAddr>) -> IpAddr {
    match address {
        Some(IpAddr::V6(address)) if address.to_ipv4_mapped().is_none() => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
        Some(address) => address.to_canonical(),
        None => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

fn address_key(from: Option<IpAddr>) -> String {
    network(from).to_string()
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use chrono::DateTime;

    use super::*;
    use crate::kernel::ephemeral::{EphemeralError, Published};

    fn throttle() -> Throttle {
        let world = World::seeded(DateTime::UNIX_EPOCH, 1);
        Throttle::new(Arc::new(MemoryEphemeral::new(world.clone())), world)
    }

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    /// Tries of one address until it is refused.
    async fn tries(throttle: &Throttle, from: Option<IpAddr>, account: Option<&str>) -> u32 {
        for tried in 0..1_000 {
            if throttle.admit(from, account).await.is_err() {
                return tried;
            }
        }
        panic!("nobody is ever refused");
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_is_slowed_down_and_told_for_how_long() {
        let throttle = throttle();
        assert_eq!(tries(&throttle, ip("192.0.2.1"), None).await, ADDRESS.burst);
        let Err(TooSoon(wait)) = throttle.admit(ip("192.0.2.1"), None).await else { panic!("let in") };
        assert_eq!(tries(&throttle, ip("192.0.2.2"), None).await, ADDRESS.burst, "another address");
        tokio::time::advance(wait).await;
        assert_eq!(tries(&throttle, ip("192.0.2.1"), None).await, 1, "what was refused cost nothing");
        throttle.succeeded(ip("192.0.2.1")).await;
        assert_eq!(tries(&throttle, ip("192.0.2.1"), None).await, ADDRESS.burst);
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_is_one_address() {
        let throttle = throttle();
        let mut admitted = 0;
        for host in 0..100_u32 {
            let from = ip(&format!("2001:db8::{host:x}"));
            admitted += u32::from(throttle.admit(from, None).await.is_ok());
        }
        assert_eq!(admitted, ADDRESS.burst);
        assert!(throttle.admit(ip("2001:db8:0:1::1"), None).await.is_ok());
        assert_eq!(network(ip("::ffff:192.0.2.1")), ip("192.0.2.1").unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn many_addresses_are_slowed_down_and_the_owner_is_let_in() {
        let throttle = throttle();
        let mut admitted = 0;
        for host in 0..200_u32 {
            let from = ip(&format!("198.51.100.{host}"));
            admitted += tries(&throttle, from, Some("admin")).await;
        }
        // Each with all its tries would be 1,000.
        assert!(admitted <= ACCOUNT.burst + 200 * GUESSED_AT.burst, "{admitted}");
        assert!(throttle.admit(ip("203.0.113.9"), Some("admin")).await.is_ok(), "from where nobody guessed");
        assert_eq!(
            tries(&throttle, ip("203.0.113.10"), Some("other")).await,
            ADDRESS.burst,
            "another account"
        );
    }

    /// The server that workers share is away.
    struct Away;

    #[async_trait]
    impl Ephemeral for Away {
        async fn spend(&self, _: &str, _: Allowance) -> Result<Spent, EphemeralError> {
            Err(EphemeralError("away".to_owned()))
        }
        async fn restore(&self, _: &str) -> Result<(), EphemeralError> {
            Err(EphemeralError("away".to_owned()))
        }
        async fn publish(&self, _: &str, _: &str, _: Duration) -> Result<(), EphemeralError> {
            Err(EphemeralError("away".to_owned()))
        }
        async fn withdraw(&self, _: &str) -> Result<(), EphemeralError> {
            Err(EphemeralError("away".to_owned()))
        }
        async fn published(&self, _: &str) -> Result<Vec<Published>, EphemeralError> {
            Err(EphemeralError("away".to_owned()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn while_the_others_cannot_be_asked_a_worker_counts_for_itself() {
        let throttle = Throttle::new(Arc::new(Away), World::seeded(DateTime::UNIX_EPOCH, 1));
        assert_eq!(tries(&throttle, ip("192.0.2.1"), Some("admin")).await, ADDRESS.burst);
        throttle.succeeded(ip("192.0.2.1")).await;
        assert_eq!(tries(&throttle, ip("192.0.2.1"), Some("admin")).await, ADDRESS.burst);
    }
}
