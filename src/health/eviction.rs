//! Whether a Redis server that we use deletes what we keep there when its memory is full
//! (`maxmemory-policy`).
//!
//! A journal there is refused when it would be deleted. Documents and the polling lease are not
//! worth that: the service goes on, and says so in its log, in `/readyz` and in `doctor`.

use std::time::Duration;

use render_signal_actors::chore::Chore;
use render_signal_actors::kernel::redis::RedisAddress;
use render_signal_actors::kernel::redis::survey::maxmemory_policy;
use render_signal_actors::kernel::said::Said;
use render_signal_actors::said;
use secrecy::ExposeSecret as _;
use tokio::sync::watch;

use crate::findings::Finding;
use crate::settings::Storage;

/// How often the servers are asked: an operator may change their settings meanwhile.
const CHECK_INTERVAL: Duration = Duration::from_secs(300);
/// How soon they are asked again when one has not answered.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// A server, and what of ours is there.
#[derive(Debug, Clone)]
pub(crate) struct WatchedServer {
    /// The variable that names it.
    pub(crate) named: &'static str,
    address: RedisAddress,
    journal: bool,
    documents: bool,
    lease: bool,
}

/// Every Redis server that is used.
pub(crate) fn servers(storage: &Storage) -> Vec<WatchedServer> {
    let mut servers: Vec<WatchedServer> = Vec::new();
    if let Some(address) = &storage.redis {
        let documents = storage.redis_documents.is_some();
        let named = "REDIS_URL";
        servers.push(WatchedServer {
            named,
            address: address.clone(),
            journal: false,
            documents,
            lease: true,
        });
    }
    if let Some(address) = storage.journal.server() {
        let same =
            |server: &&mut WatchedServer| server.address.url.expose_secret() == address.url.expose_secret();
        match servers.iter_mut().find(same) {
            Some(server) => server.journal = true,
            None => servers.push(WatchedServer {
                named: "JOURNAL_URL",
                address: address.clone(),
                journal: true,
                documents: false,
                lease: storage.redis.is_none(),
            }),
        }
    }
    servers
}

impl WatchedServer {
    /// Asks it: what there is to remark, if anything.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(crate) async fn ask(&self) -> Result<Option<Finding>, String> {
        maxmemory_policy(&self.address).await.map(|policy| self.remark(policy.as_deref()))
    }

    fn remark(&self, policy: Option<&str>) -> Option<Finding> {
        let server = self.named;
        match policy {
            None => Some(Finding::RedisDoesNotTell { server, kept: self.kept() }),
            Some(policy) if policy.starts_with("allkeys") => {
                Some(Finding::RedisDeletes { server, policy: policy.to_owned(), kept: self.kept() })
            }
            // Of all our keys the lease alone has a time to live.
            Some(policy) if policy.starts_with("volatile") && self.lease => {
                Some(Finding::RedisDeletesLease { server, policy: policy.to_owned() })
            }
            Some(_) => None,
        }
    }

    /// What of ours is there.
    fn kept(&self) -> Vec<Said> {
        let kept = [
            (self.journal, said!("le journal", "the journal")),
            (self.documents, said!("les documents de configuration", "the configuration documents")),
            (self.lease, said!("le bail de relève", "the polling lease")),
        ];
        kept.into_iter().filter(|(is, _)| *is).map(|(_, what)| what).collect()
    }
}

/// What the servers said.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct EvictionReport {
    /// What there is to remark.
    pub(crate) remarks: Vec<Finding>,
    /// Those that have not answered, and why.
    pub(crate) unknown: Vec<String>,
}

/// What is found by asking now and then.
#[derive(Clone)]
pub(crate) struct Watch(watch::Receiver<EvictionReport>);

impl Watch {
    /// The last answers.
    pub(crate) fn found(&self) -> EvictionReport {
        self.0.borrow().clone()
    }
}

/// A chore that asks every server now and then, and logs what is to be remarked when it is news;
/// `None` when there is no server to ask.
pub(crate) fn watch(storage: &Storage) -> Option<(Chore, Watch)> {
    let servers = servers(storage);
    if servers.is_empty() {
        return None;
    }
    let (found, seen) = watch::channel(EvictionReport::default());
    let chore = Chore::new("redis_watch", move || ask_for_ever(servers.clone(), found.clone()));
    Some((chore, Watch(seen)))
}

async fn ask_for_ever(servers: Vec<WatchedServer>, found: watch::Sender<EvictionReport>) {
    loop {
        let now = look(&servers).await;
        for remark in now.remarks.iter().filter(|remark| !found.borrow().remarks.contains(remark)) {
            tracing::warn!(code = remark.code(), "{}", remark.said());
        }
        let pause = if now.unknown.is_empty() { CHECK_INTERVAL } else { RETRY_INTERVAL };
        found.send_replace(now);
        tokio::time::sleep(pause).await;
    }
}

async fn look(servers: &[WatchedServer]) -> EvictionReport {
    let mut found = EvictionReport::default();
    for server in servers {
        match server.ask().await {
            Ok(remark) => found.remarks.extend(remark),
            Err(why) => found.unknown.push(format!("{}: {why}", server.named)),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers_of(variables: &[(&str, &str)]) -> Vec<WatchedServer> {
        let storage = Storage::from_env(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        });
        servers(&storage.unwrap_or_else(|_| panic!("{variables:?}")))
    }

    #[test]
    fn every_server_in_use_is_asked_once() {
        let redis = ("REDIS_URL", "redis://one/0");
        let uses = |servers: &[WatchedServer]| -> Vec<(&str, bool, bool, bool)> {
            servers.iter().map(|one| (one.named, one.journal, one.documents, one.lease)).collect()
        };
        assert!(servers_of(&[]).is_empty());
        assert_eq!(uses(&servers_of(&[redis])), [("REDIS_URL", true, true, true)]);
        let file = ("JOURNAL_URL", "sqlite:journal.db");
        assert_eq!(uses(&servers_of(&[redis, file])), [("REDIS_URL", false, true, true)]);
        let off = ("CONFIG_STORE_DISABLE_REDIS", "true");
        assert_eq!(uses(&servers_of(&[redis, file, off])), [("REDIS_URL", false, false, true)]);
        let other = ("JOURNAL_URL", "redis://two/0");
        assert_eq!(
            uses(&servers_of(&[redis, other])),
            [("REDIS_URL", false, true, true), ("JOURNAL_URL", true, false, false)]
        );
        assert_eq!(uses(&servers_of(&[other])), [("JOURNAL_URL", true, false, true)]);
    }

    #[test]
    fn what_may_be_deleted_is_said() {
        let servers = servers_of(&[("REDIS_URL", "redis://one/0"), ("JOURNAL_URL", "redis://two/0")]);
        let [shared, journal] = &servers[..] else { panic!("{servers:?}") };
        let said = |server: &WatchedServer, policy| {
            server.remark(policy).map(|remark| remark.said().english).unwrap_or_default()
        };
        assert_eq!(said(shared, Some("noeviction")), "");
        assert!(said(shared, Some("allkeys-lru")).contains("the configuration documents, the polling lease"));
        assert!(said(shared, Some("volatile-ttl")).contains("may delete the polling lease"));
        assert_eq!(said(journal, Some("volatile-ttl")), "", "none of its keys expires");
        assert!(said(journal, None).contains("or it may delete the journal"));
    }
}
