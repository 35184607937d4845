//! The one function through which something is entered in the history of a document.

use serde_json::Value;

use super::commit::DocumentCommit;
use super::copies::text_of;
use crate::config::active::canonical_hash;
use crate::config::documents::{DocumentSet, Key, from_json};
use crate::config::events::{ConfigEvent, authority_stream, config_stream};
use crate::config::policy::EnvDefaults;
use crate::config::state::{
    AuthorityState, DocumentCommand, DocumentCx, DocumentState, HeardAbsent, Overtaken,
};
use crate::config::store::{DocumentStore, StoreReading};
use crate::kernel::aggregate::{Aggregate as _, Evolve as _, Loaded, rehydrate};
use crate::kernel::clock::World;
use crate::kernel::event::DomainEvent as _;
use crate::kernel::execute::{Decision, execute};
use crate::kernel::journal::{Commit, Journal, StreamWrite};

/// The newest recorded version of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct LastRecorded {
    /// Version of the stream.
    pub version: u64,
    /// Its hash; empty when the document was removed.
    pub hash: String,
    /// Its copy; `None` when it was removed or the copy is gone.
    pub text: Option<String>,
}

/// Where a version was seen that is to be recorded: it is not, when something else is there by
/// now, which whoever wrote that records.
#[derive(Clone, Copy)]
pub struct ObservedIn<'a> {
    /// The store.
    pub store: &'a dyn DocumentStore,
    /// What documents are checked against.
    pub env: &'a EnvDefaults,
}

/// Reads the newest recorded version; `None` when there is none.
///
/// # Errors
/// When the journal cannot be read, in plain words.
pub async fn last(journal: &dyn Journal, key: Key) -> Result<Option<LastRecorded>, String> {
    let Loaded { state, version } = load(journal, key).await?;
    if version == 0 {
        return Ok(None);
    }
    let text = text_of(journal, &state.body_key).await?;
    Ok(Some(LastRecorded { version, hash: state.hash, text }))
}

/// Keys of the copies of a document that stay whatever their age: what waits, and what stands in for
/// a store that is silent.
///
/// # Errors
/// When the journal cannot be read, in plain words.
pub(in crate::config) async fn needed(journal: &dyn Journal, key: Key) -> Result<Vec<String>, String> {
    let state = load(journal, key).await?.state;
    Ok(state.needs().into_iter().map(str::to_owned).collect())
}

/// What the stream of a document says.
pub(super) async fn load(journal: &dyn Journal, key: Key) -> Result<Loaded<DocumentState>, String> {
    let events =
        journal.read_stream(&config_stream(key.as_str()), 0).await.map_err(|error| error.to_string())?;
    rehydrate(&events).map_err(|error| error.to_string())
}

/// Enters something in the history of a document, unless it is there or overtaken. Answers what
/// the stream says then, and whether something was written. Safe to repeat.
///
/// # Errors
/// The journal did not take it now, in plain words: try again later.
pub async fn record(
    (journal, world): (&dyn Journal, &World),
    key: Key,
    command: &DocumentCommand,
    observed: Option<ObservedIn<'_>>,
) -> Result<(Loaded<DocumentState>, bool), String> {
    // After a conflict: what was written in between may be this very version.
    let decide = async || {
        let loaded = load(journal, key).await?;
        if command.is_done(&loaded.state) {
            return Ok(Decision::already((loaded, false)));
        }
        // In this order: who replaces it after this look records that after what was last
        // before it, so that this commit is refused.
        if let Some(observed) = observed
            && observed.is_superseded(key, command, &loaded).await
        {
            return Ok(Decision::already((loaded, false)));
        }
        let before = text_of(journal, &loaded.state.body_key).await?;
        let cx = DocumentCx { key, version: loaded.version, before };
        let events = match loaded.state.decide(command, &cx) {
            Ok(events) => events,
            Err(Overtaken) => return Ok(Decision::already((loaded, false))),
        };
        let commit = DocumentCommit { world, key, command, before: &loaded }.of(&events)?;
        Ok(Decision { commit: Some(commit), answer: (after(loaded, &events), true) })
    };
    execute(journal, || Box::pin(decide()), |error| format!("{}: {error}", config_stream(key.as_str()))).await
}

/// What the stream says when these have happened.
fn after(mut loaded: Loaded<DocumentState>, events: &[ConfigEvent]) -> Loaded<DocumentState> {
    for event in events {
        loaded.state.evolve(event);
        loaded.version += 1;
    }
    loaded
}

impl ObservedIn<'_> {
    /// Whether the store holds another document. One that is refused, or that cannot be read,
    /// leaves the one before in force, and so does one that has vanished, unless somebody
    /// removed it.
    async fn is_superseded(
        &self,
        key: Key,
        command: &DocumentCommand,
        loaded: &Loaded<DocumentState>,
    ) -> bool {
        let DocumentCommand::Change { document, .. } = command else { return false };
        let hash = document.as_ref().map_or("", |document| document.hash.as_str());
        let removed = loaded.version > 0 && loaded.state.hash.is_empty();
        match self.store.read(key).await {
            Ok(StoreReading::Absent) => removed && !hash.is_empty(),
            Ok(StoreReading::Found { text, .. }) => from_json::<Value>(&text).is_ok_and(|value| {
                canonical_hash(&value) != hash
                    && DocumentSet::default().put(key, Some(&value), self.env).is_ok()
            }),
            Err(_) => false,
        }
    }
}

/// Enters which documents a store with the last word was heard not to have, where that is news.
///
/// # Errors
/// The journal did not take it now, in plain words: try again later.
pub async fn record_absent(
    (journal, world): (&dyn Journal, &World),
    command: &HeardAbsent,
) -> Result<(), String> {
    let stream = authority_stream();
    let decide = async || {
        let events = journal.read_stream(&stream, 0).await.map_err(|error| error.to_string())?;
        let Loaded { state, version } =
            rehydrate::<AuthorityState>(&events).map_err(|error| error.to_string())?;
        let Ok(events) = state.decide(command, &());
        if events.is_empty() {
            return Ok(Decision::already(()));
        }
        let new =
            events.iter().map(|event| event.to_new(world.ids.next()).map_err(|error| error.to_string()));
        let write = StreamWrite::after(version, stream.clone(), new.collect::<Result<_, _>>()?);
        Ok(Decision::write(Commit { at: world.now(), writes: vec![write], ..Commit::default() }))
    };
    execute(journal, || Box::pin(decide()), |error| format!("{stream}: {error}")).await
}
