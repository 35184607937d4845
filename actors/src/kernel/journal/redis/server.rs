//! What the server can keep: asked once, when the journal is opened.

use ::redis::cmd;

use super::link::JournalServer;
use crate::kernel::journal::{Durability, JournalError};
use crate::kernel::redis::NO_CLUSTER;
use crate::kernel::redis::survey::{info, is_cluster, policy, setting};

/// Refuses a server that may delete the journal or spreads it, and finds out what it keeps.
///
/// # Errors
/// [`JournalError::Unsuitable`], [`JournalError::NotYet`], [`JournalError::Unavailable`].
pub(super) async fn check(link: &JournalServer) -> Result<Durability, JournalError> {
    // What is forbidden is unknown below; a server that is not there is not.
    link.ask::<String>(&cmd("PING")).await?;
    let server = link.server();
    if is_cluster(server).await {
        return Err(JournalError::Unsuitable { place: "in Redis".to_owned(), what: NO_CLUSTER.to_owned() });
    }
    // No key of the journal expires, so `volatile-…` never takes one of them.
    if let Some(policy) = policy(server).await?
        && policy.starts_with("allkeys")
    {
        return Err(JournalError::Unsuitable {
            place: "in Redis".to_owned(),
            what: format!(
                "the server's maxmemory-policy is {policy}: when its memory is full it deletes the journal. \
                 Set it to noeviction"
            ),
        });
    }
    let persistence = info(server, "persistence").await;
    let aof = match persistence.get("aof_enabled") {
        Some(enabled) => Some(enabled == "1"),
        None => setting(server, "appendonly").await?.map(|value| value == "yes"),
    };
    let durability = match (aof, setting(server, "appendfsync").await?.as_deref()) {
        (Some(false), _) => Durability::UntilRestart,
        (Some(true), Some("always")) => Durability::OnDisk,
        (Some(true), Some("everysec")) => Durability::UpToTwoSeconds,
        _ => Durability::Unknown,
    };
    Ok(durability)
}
