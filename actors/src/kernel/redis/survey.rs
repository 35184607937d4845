//! What a server does when its memory is full, and what it writes to its disk, as far as it
//! tells.

use std::collections::HashMap;
use std::time::Duration;

use ::redis::cmd;

use super::{Limits, RedisAddress, Server, Trouble};

/// Somebody waits for the answer to one question.
const LIMITS: Limits =
    Limits { connect: Duration::from_secs(2), response: Duration::from_secs(2), connections: 1 };

/// The `maxmemory-policy` of the server at an address; `None` where it does not tell.
///
/// # Errors
/// Why there is no answer, in plain words.
pub async fn maxmemory_policy(address: &RedisAddress) -> Result<Option<String>, String> {
    let server = Server::new(address, LIMITS)?;
    // What is forbidden is unknown below; a server that is not there is not.
    let policy = match server.ask::<String>(&cmd("PING")).await {
        Ok(_) => policy(&server).await,
        Err(trouble) => Err(trouble),
    };
    server.close();
    policy.map_err(Trouble::words)
}

/// Whether the server runs in cluster mode; no, where it does not tell.
pub(crate) async fn is_cluster(server: &Server) -> bool {
    info(server, "cluster").await.get("cluster_enabled").is_some_and(|enabled| enabled == "1")
}

/// The `maxmemory-policy`; `None` where the server does not tell.
pub(crate) async fn policy(server: &Server) -> Result<Option<String>, Trouble> {
    match info(server, "memory").await.remove("maxmemory_policy") {
        Some(policy) => Ok(Some(policy)),
        None => setting(server, "maxmemory-policy").await,
    }
}

/// A section of `INFO`; empty where that is forbidden.
pub(crate) async fn info(server: &Server, section: &str) -> HashMap<String, String> {
    let answer: Result<String, Trouble> = server.ask(cmd("INFO").arg(section)).await;
    answer
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect()
}

/// A setting; `None` where the server does not tell. Managed ones often forbid `CONFIG`.
pub(crate) async fn setting(server: &Server, name: &str) -> Result<Option<String>, Trouble> {
    match server.ask::<HashMap<String, String>>(cmd("CONFIG").arg("GET").arg(name)).await {
        Ok(mut found) => Ok(found.remove(name)),
        Err(Trouble::NotDone(_)) => Ok(None),
        Err(Trouble::Unknown(why)) if why.contains("unknown command") => Ok(None),
        Err(trouble) => Err(trouble),
    }
}
