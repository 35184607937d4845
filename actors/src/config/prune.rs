//! How long the copies of earlier configurations stay.
//!
//! The events stay: who changed what, and when. The copies hold addresses that are capabilities,
//! and go: those that are too many or too old, but never the newest, nor what waits or stands in for
//! a store that is silent, and every copy of sign-in links, which older versions made.

use chrono::{DateTime, TimeDelta, Utc};

use super::documents::Key;
use super::history::{HistoryVersion, needed, text_of, versions};
use super::state::keeps_content;
use crate::kernel::clock::World;
use crate::kernel::journal::{Body, Commit, Journal};

/// Copies that are dropped in one commit.
const PRUNE_BATCH: usize = 50;

/// After so many that are gone already, one behind the other, the older ones are, too.
const GONE_BEFORE_STOP: usize = 20;

/// How much of the history keeps its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyLimits {
    /// `CONFIG_HISTORY_VERSIONS`: at most so many copies of a document.
    pub versions: usize,
    /// `CONFIG_HISTORY_DAYS`: none that was replaced longer ago.
    pub days: u32,
}

/// Drops the copies whose time is over; [`JournalAdmin::purge`](crate::kernel::journal::JournalAdmin::purge) then removes them. Returns how many.
/// Safe to repeat.
///
/// # Errors
/// Why it stopped, in plain words; what was done by then stays done.
pub async fn prune(journal: &dyn Journal, world: &World, keep: CopyLimits) -> Result<u64, String> {
    let mut dropped = 0;
    for key in Key::ALL {
        let versions = versions(journal, key).await?;
        let needed = needed(journal, key).await?;
        let mut over = over(&versions, key, keep, world.now());
        over.retain(|body_key| !keeps_content(key) || !needed.contains(body_key));
        let mut bodies = Vec::new();
        let mut gone = 0;
        for body_key in over {
            if text_of(journal, &body_key).await?.is_some() {
                bodies.push(Body { key: body_key, bytes: Vec::new().into(), keep_until: world.now() });
                gone = 0;
            } else {
                gone += 1;
            }
            if gone == GONE_BEFORE_STOP {
                break;
            }
            if bodies.len() == PRUNE_BATCH {
                dropped += drop_all(journal, world, std::mem::take(&mut bodies)).await?;
            }
        }
        dropped += drop_all(journal, world, bodies).await?;
    }
    Ok(dropped)
}

async fn drop_all(journal: &dyn Journal, world: &World, bodies: Vec<Body>) -> Result<u64, String> {
    if bodies.is_empty() {
        return Ok(0);
    }
    let count = bodies.len() as u64;
    let commit = Commit { at: world.now(), bodies, ..Commit::default() };
    journal.append(commit).await.map(|_| count).map_err(|error| error.to_string())
}

/// Keys of the copies whose time is over, newest first.
fn over(versions: &[HistoryVersion], key: Key, keep: CopyLimits, now: DateTime<Utc>) -> Vec<String> {
    let before = now - TimeDelta::days(i64::from(keep.days));
    let newest = versions.iter().rposition(|version| !version.lost);
    let mut over = Vec::new();
    let mut copies = 0;
    // A version's time begins to run when another one replaces it.
    let mut replaced = None;
    for (place, version) in versions.iter().enumerate().rev() {
        let is_old = replaced.is_some_and(|at: DateTime<Utc>| at < before);
        replaced = Some(version.at);
        if version.body_key.is_empty() {
            continue;
        }
        copies += 1;
        let is_newest = newest == Some(place);
        if !keeps_content(key) || (!is_newest && (copies > keep.versions || is_old)) {
            over.push(version.body_key.clone());
        }
    }
    over
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::events::{ConfigEvent, DocumentChanged, config_stream};
    use crate::kernel::event::DomainEvent as _;
    use crate::kernel::journal::JournalAdmin as _;
    use crate::kernel::journal::memory::MemoryJournal;
    use crate::kernel::journal::{Expected, StreamWrite};

    fn now() -> DateTime<Utc> {
        "2026-06-01T12:00:00Z".parse().unwrap()
    }

    async fn changed(journal: &dyn Journal, world: &World, key: Key, n: u64, days_ago: i64) {
        let body_key = format!("config/{key}/{n}");
        let event = ConfigEvent::Changed(DocumentChanged {
            key: key.as_str().to_owned(),
            hash: n.to_string(),
            origin: "cli".to_owned(),
            fields: Vec::new(),
            body_key: body_key.clone(),
            change: String::new(),
            stored_in: "file".to_owned(),
        });
        let commit = Commit {
            at: now() - TimeDelta::days(days_ago),
            writes: vec![StreamWrite {
                stream: config_stream(key.as_str()),
                expected: Expected::Any,
                events: vec![event.to_new(world.ids.next()).unwrap()],
            }],
            bodies: vec![Body {
                key: body_key,
                bytes: format!("content {n}").into(),
                keep_until: super::super::history::kept_for_ever(),
            }],
            ..Commit::default()
        };
        journal.append(commit).await.unwrap();
    }

    async fn left(journal: &dyn Journal, key: Key) -> Vec<u64> {
        let mut left = Vec::new();
        for version in versions(journal, key).await.unwrap() {
            if super::super::history::is_kept(journal, &version).await.unwrap() {
                left.push(version.version);
            }
        }
        left
    }

    #[tokio::test]
    async fn copies_go_by_age_and_number_and_the_newest_stays() {
        let world = World::seeded(now(), 7);
        let journal = MemoryJournal::new(world.clone(), Arc::default());
        for (n, days_ago) in [(1, 900), (2, 500), (3, 400), (4, 200), (5, 100), (6, 50)] {
            changed(&journal, &world, Key::WebhookConfig, n, days_ago).await;
        }
        changed(&journal, &world, Key::RoutingRules, 1, 900).await;
        for n in 1..=3 {
            changed(&journal, &world, Key::MagicLinkTokens, n, 1).await;
        }
        let keep = |versions, days| CopyLimits { versions, days };
        // Version 3 was in force until 200 days ago.
        assert_eq!(prune(&journal, &world, keep(100, 365)).await, Ok(2 + 3));
        assert_eq!(left(&journal, Key::WebhookConfig).await, [3, 4, 5, 6]);
        assert_eq!(left(&journal, Key::RoutingRules).await, [1], "in force for 900 days");
        assert_eq!(left(&journal, Key::MagicLinkTokens).await, [0_u64; 0], "not even the newest");
        assert_eq!(prune(&journal, &world, keep(100, 365)).await, Ok(0));
        assert_eq!(prune(&journal, &world, keep(2, 365)).await, Ok(2));
        assert_eq!(left(&journal, Key::WebhookConfig).await, [5, 6]);
        assert_eq!(prune(&journal, &world, keep(1, 1)).await, Ok(1));
        assert_eq!(left(&journal, Key::WebhookConfig).await, [6]);
        journal.purge(world.now()).await.unwrap();
        let bodies = journal.bodies(0, 100).await.unwrap();
        assert_eq!(bodies.len(), 2, "what was dropped is gone");
        let error = super::super::history::copy(&journal, Key::WebhookConfig, 2).await.unwrap_err();
        assert!(error.to_string().contains("CONFIG_HISTORY_DAYS"), "{error}");
    }
}
