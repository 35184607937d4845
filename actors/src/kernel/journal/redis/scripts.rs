//! The scripts. Redis runs one at a time, which is what makes a commit atomic and positions
//! gapless.
//!
//! Keys, all below one prefix in a hash tag (`{rs:journal}` by default):
//!
//! | key | type | holds |
//! |---|---|---|
//! | `meta` | hash | `epoch` (a random id, made with the log, and anew by whoever notices that it was cut), `format`, `head`, `place` (rows ever added), `gaps` (events that have left the log), `mailbox` and `documents` (whose journal it is, see `installation`) |
//! | `log` | stream | one entry per event, its id is `<position>-0` |
//! | `ids` | hash | event id → position |
//! | `stream:<name>` | list | positions of the stream's events |
//! | `trimmed` | sorted set | streams whose first events have left the log, by how many; with the length of the list, that is the version |
//! | `row:<queue>:<key>` | hash | a row of the outbox; `state` 0 = due, 1 = reserved, 2 = parked |
//! | `rows:<queue>` | sorted set | keys of the rows by order of addition |
//! | `due:<queue>:<partition>` | sorted set | `<place>:<key>` by when the row can be claimed |
//! | `partitions:<queue>` | sorted set | partitions by their earliest row |
//! | `order:<order>` | sorted set | rows with an order key that are not parked, by order of addition |
//! | `claims:<order>` | sorted set | claimed rows of an order by the end of their claim |
//! | `claimants:<queue>` | hash | key of a claimed row → token of the claim and `<writer>` |
//! | `workers` | sorted set | workers with claims, or that had some, by when they were last heard of (ms) |
//! | `steady` | hash | worker → since when it has been heard of without a gap (ms) |
//! | `profiles` | hash | worker → what it says of its environment, by hashes |
//! | `body:<key>` | hash | `bytes` and `sum` |
//! | `bodies` | sorted set | keys of the bodies by `keep_until` |
//! | `refs` | hash | body key → how many rows refer to it |
//! | `fences` | hash | lease → fence |
//! | `hint` | channel | `<writer> <head> <changes per queue>` |
//!
//! `<queue>` is its number in `Queue::ALL`, `<order>` is `<queue>:<length of the partition's
//! name>:<partition>:<order key>`. Instants are microseconds since 1970, UTC. No key expires.

use crate::kernel::redis::Script;

/// The layout that these scripts read and write (`format` in `meta`).
pub(super) const FORMAT: i64 = 2;

/// Of the key every script is given; the scripts make the others from its prefix.
pub(super) const META: &str = "meta";
/// Of the stream that is the log.
pub(super) const LOG: &str = "log";
/// Of the hash from event ids to positions.
pub(super) const IDS: &str = "ids";
/// Of the lists of positions, followed by the stream's name.
pub(super) const STREAM: &str = "stream:";
/// Of the sorted set of streams that have lost events to an archive.
pub(super) const TRIMMED: &str = "trimmed";
/// Of the sorted sets of partitions, followed by the queue's number.
pub(super) const PARTITIONS: &str = "partitions:";
/// Of the bodies, followed by their key.
pub(super) const BODY: &str = "body:";
/// Of the sorted set of all bodies.
pub(super) const BODIES: &str = "bodies";
/// Of the channel of hints.
pub(super) const HINT: &str = "hint";

/// All scripts, hashed once.
pub(super) struct JournalScripts {
    pub(super) look: Script,
    pub(super) belongs: Script,
    pub(super) append: Script,
    pub(super) claim: Script,
    pub(super) hasten: Script,
    pub(super) purge: Script,
    pub(super) fence: Script,
    pub(super) beat: Script,
    pub(super) others: Script,
    pub(super) stream: Script,
    pub(super) list: Script,
}

macro_rules! script {
    ($file:literal) => {
        Script::new(concat!(include_str!("lua/common.lua"), include_str!($file)))
    };
}

impl JournalScripts {
    pub(super) fn new() -> Self {
        Self {
            look: script!("lua/look.lua"),
            belongs: script!("lua/installation.lua"),
            append: script!("lua/append.lua"),
            claim: script!("lua/claim.lua"),
            hasten: script!("lua/hasten.lua"),
            purge: script!("lua/purge.lua"),
            fence: script!("lua/fence.lua"),
            beat: script!("lua/beat.lua"),
            others: script!("lua/others.lua"),
            stream: script!("lua/stream.lua"),
            list: script!("lua/list.lua"),
        }
    }
}
