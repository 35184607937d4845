//! Who may see and change what is here: sessions, sign-in links, and how somebody proves to be
//! the one user.
//!
//! * [`state`]: events of sessions and links, and the rules that make them; pure.
//! * [`token`], [`record`]: the text of a link, and the document's entry of it; pure.
//! * [`sessions`]: opens, finds and ends sessions.
//! * [`links`]: makes, consumes and revokes sign-in links, and keeps the document
//!   `magic_link_tokens` in step, which the reference system shares.
//! * [`password`]: the user name and the password.
//! * [`throttle`]: how fast somebody may try.
//! * [`upkeep`]: what is done without anybody asking.
//!
//! A session is known by the SHA-256 of what its cookie holds; a link by a hash of its id.
//! Neither is in an event, an answer or a log line, so that nobody can sign in with a copy of
//! the journal.

mod keyed;
pub mod links;
pub mod password;
pub mod record;
pub mod sessions;
pub mod state;
#[cfg(test)]
mod tests;
pub mod throttle;
pub mod token;
pub mod upkeep;

use std::time::Duration;

use crate::kernel::clock::World;
use crate::kernel::event::{DomainEvent, NewEvent};
use crate::kernel::journal::persist::persist;
use crate::kernel::journal::{AppendError, Commit, Journal};

/// How long somebody waits for the journal before he is told that it does not answer.
const JOURNAL_TIMEOUT: Duration = Duration::from_secs(5);

/// Why it is not known whether somebody may do something: nothing to do with who asks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// The journal cannot be read or written now.
    #[error("the journal does not answer, so nobody can sign in or be recognised now: {0}")]
    Journal(String),
    /// The document of the sign-in links cannot be read or written now.
    #[error("the document magic_link_tokens cannot be used now: {0}")]
    Document(String),
}

impl AccessError {
    fn journal(why: impl ToString) -> Self {
        Self::Journal(why.to_string())
    }
}

/// Where somebody asks from, as far as it is known: for lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Visitor {
    /// The address; empty = not known.
    pub address: String,
    /// What the browser calls itself; empty = it does not say.
    pub agent: String,
}

impl Visitor {
    /// The browser's own words are a stranger's: cut, and without what steers a terminal.
    #[must_use]
    pub fn new(address: Option<std::net::IpAddr>, agent: &str) -> Self {
        let shown = agent.chars().filter(|char| !char.is_control()).take(200);
        Self {
            address: address.map(|address| address.to_string()).unwrap_or_default(),
            agent: shown.collect(),
        }
    }
}

/// Commits, or says that somebody else wrote first.
async fn commit(journal: &dyn Journal, world: &World, commit: Commit) -> Result<Committed, AccessError> {
    let commit = Commit { at: world.now(), ..commit };
    match tokio::time::timeout(JOURNAL_TIMEOUT, persist(journal, world, commit)).await {
        Ok(Ok(_)) => Ok(Committed::Done),
        Ok(Err(AppendError::Conflict { .. })) => Ok(Committed::SomebodyWasFirst),
        Ok(Err(error)) => Err(AccessError::journal(error)),
        Err(_) => Err(AccessError::journal("it did not take a commit in time")),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Committed {
    Done,
    SomebodyWasFirst,
}

fn new_events<E: DomainEvent>(world: &World, events: &[E]) -> Result<Vec<NewEvent>, AccessError> {
    crate::kernel::event::new_events(events, world.ids.as_ref()).map_err(AccessError::journal)
}
