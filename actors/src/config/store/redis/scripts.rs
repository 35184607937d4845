//! The scripts. Redis runs one at a time, which is what makes compare-and-set, the list of
//! changes and the hint one step.
//!
//! | key, after the prefix | type | holds |
//! |---|---|---|
//! | `<document>` | string | JSON text, as the reference system reads and writes it (its section 2.1) |
//! | `changes` | stream | the last [`MAX_LISTED_CHANGES`] changes: `key`, `origin`, `writer`, `nonce`, `text` unless it was removed |
//! | `known` | hash | `list`: random id of the list; `doc:<document>`: SHA-1 of the text that was listed last, `-` = removed; `at:magic_link_tokens`: id of the one entry that holds sign-in links |
//! | `workers` | hash | worker → what it makes of the documents |
//! | `alive` | sorted set | workers by when they last said so, in milliseconds of the server |
//! | `events` | channel | a hint: the name of a document that changed, after [`ELSEWHERE`] when not in Redis |
//!
//! Whoever looks compares the documents with `known`; a difference is a change by a program
//! that knows nothing of the list, and is added to it there and then, once. A document larger
//! than one in a file may be is neither read nor listed. No key expires.

use crate::kernel::redis::Script;

use crate::config::store::file::MAX_STORED_BYTES;

/// How many changes are kept, for a month at most: enough for a journal that is away for a while.
pub(super) const MAX_LISTED_CHANGES: usize = 500;

/// Of the list of changes.
pub(super) const CHANGES: &str = "changes";
/// Of what was listed.
pub(super) const KNOWN: &str = "known";
/// Of what the workers say.
pub(super) const WORKERS: &str = "workers";
/// Of when they said it.
pub(super) const ALIVE: &str = "alive";
/// Of the channel.
pub(super) const EVENTS: &str = "events";
/// Begins a hint about a document that changed in a store that tells nobody.
pub(super) const ELSEWHERE: &str = "elsewhere:";

/// All scripts, hashed once.
pub(super) struct ConfigScripts {
    pub(super) look: Script,
    pub(super) write: Script,
    pub(super) recover: Script,
    pub(super) remove: Script,
    pub(super) changes: Script,
    pub(super) acknowledge: Script,
    pub(super) leave: Script,
    pub(super) workers: Script,
}

macro_rules! listing {
    ($file:literal) => {
        Script::new(&format!(
            "local largest = {MAX_STORED_BYTES}\n{}{}",
            include_str!("lua/common.lua"),
            include_str!($file)
        ))
    };
}

impl ConfigScripts {
    pub(super) fn new() -> Self {
        Self {
            look: listing!("lua/look.lua"),
            write: listing!("lua/write.lua"),
            recover: listing!("lua/recover.lua"),
            remove: listing!("lua/remove.lua"),
            changes: Script::new(include_str!("lua/changes.lua")),
            acknowledge: Script::new(include_str!("lua/acknowledge.lua")),
            leave: Script::new(include_str!("lua/leave.lua")),
            workers: Script::new(include_str!("lua/workers.lua")),
        }
    }
}
