//! What the server can keep: asked once, when the journal is opened.

use std::collections::HashMap;

use ::redis::cmd;

use super::link::{Link, Trouble};
use crate::kernel::journal::{Durability, JournalError};

/// Refuses a server that may delete the journal, and finds out what it keeps.
///
/// # Errors
/// [`JournalError::Unsuitable`], [`JournalError::Unavailable`].
pub(super) async fn check(link: &Link) -> Result<Durability, JournalError> {
    // What is forbidden is unknown below; a server that is not there is not.
    link.ask::<String>(&cmd("PING")).await?;
    let memory = info(link, "memory").await;
    let policy = match memory.get("maxmemory_policy") {
        Some(policy) => Some(policy.clone()),
        None => setting(link, "maxmemory-policy").await?,
    };
    match policy.as_deref() {
        // No key of the journal expires, so `volatile-…` never takes one.
        Some(policy) if policy.starts_with("allkeys") => {
            return Err(JournalError::Unsuitable {
                place: "in Redis".to_owned(),
                what: format!(
                    "the server's maxmemory-policy is {policy}: when its memory is full it deletes the journal. \
                     Set it to noeviction"
                ),
            });
        }
        Some(_) => {}
        None => tracing::warn!(
            "the Redis server does not tell its maxmemory-policy: make sure that it is noeviction, or it may \
             delete the journal"
        ),
    }
    let persistence = info(link, "persistence").await;
    let aof = match persistence.get("aof_enabled") {
        Some(enabled) => Some(enabled == "1"),
        None => setting(link, "appendonly").await?.map(|value| value == "yes"),
    };
    let durability = match (aof, setting(link, "appendfsync").await?.as_deref()) {
        (Some(false), _) => Durability::UntilRestart,
        (Some(true), Some("always")) => Durability::OnDisk,
        (Some(true), Some("everysec")) => Durability::UpToTwoSeconds,
        _ => Durability::Unknown,
    };
    Ok(durability)
}

/// A section of `INFO`; empty where that is forbidden.
async fn info(link: &Link, section: &str) -> HashMap<String, String> {
    let answer: Result<String, Trouble> = link.ask(cmd("INFO").arg(section)).await;
    answer
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect()
}

/// A setting; `None` where the server does not tell. Managed ones often forbid `CONFIG`.
async fn setting(link: &Link, name: &str) -> Result<Option<String>, JournalError> {
    match link.ask::<HashMap<String, String>>(cmd("CONFIG").arg("GET").arg(name)).await {
        Ok(mut found) => Ok(found.remove(name)),
        Err(Trouble::NotDone(_)) => Ok(None),
        Err(Trouble::Unknown(why)) if why.contains("unknown command") => Ok(None),
        Err(trouble) => Err(trouble.into()),
    }
}
