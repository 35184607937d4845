//! What earlier versions noted beside the stores about changes that waited, as events of the journal,
//! once. What was noted is removed when it is one.

mod format;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use self::format::{EarlierCopy, EarlierNote, NotedChange, NotedWork, SharedNote, combine};
use super::active::{InForce, canonical_hash};
use super::documents::Key;
use super::history;
use super::state::{DeferredChange, DocumentCommand, HeardAbsent, LosingVersion};
use super::store::redis::RedisStore;
use crate::kernel::clock::World;
use crate::kernel::journal::Journal;

/// Where earlier versions left notes.
pub struct EarlierNotes<'a> {
    /// The folder: `DATA_DIR/config-store`.
    pub folder: &'a Path,
    /// Redis, where documents are there.
    pub shared: Option<&'a RedisStore>,
    /// Where they become events.
    pub journal: &'a dyn Journal,
    /// Time, ids.
    pub world: &'a World,
}

/// A note of the folder.
#[derive(Default)]
struct LocalNote {
    path: PathBuf,
    note: EarlierNote,
}

impl EarlierNotes<'_> {
    /// Enters what was noted. What cannot be read or entered stays where it is, is said in the log, and
    /// is looked at again at the next start.
    pub async fn adopt(&self) {
        let shared = match self.shared {
            None => Ok(HashMap::new()),
            Some(redis) => redis.earlier_notes().await,
        };
        if let Err(error) = &shared {
            tracing::warn!(%error, "it is not known whether an earlier version left notes about changes that wait");
        }
        let mut all_well = shared.is_ok();
        for key in Key::ALL {
            if let Err(error) = self.adopt_one(key, shared.as_ref().ok()).await {
                tracing::error!(
                    %key, error,
                    "a change that an earlier version noted is not in force: it stays noted until the next start"
                );
                all_well = false;
            }
        }
        if let Err(error) = self.adopt_absences().await {
            tracing::warn!(error, "what an earlier version knew of its store is not in the journal");
            all_well = false;
        }
        if all_well && let Err(error) = self.clear_folder() {
            tracing::warn!(folder = %self.folder.display(), %error, "the folder of earlier notes stays");
        }
    }

    async fn adopt_one(&self, key: Key, shared: Option<&HashMap<String, String>>) -> Result<(), String> {
        let path = self.folder.join(format!("{key}.pending.json"));
        let local = LocalNote { note: read(&path)?.unwrap_or_default(), path };
        let goes_back = local.note.pending.as_ref().is_some_and(|change| change.of.is_some());
        let shared = match shared {
            Some(notes) => shared_note(key, notes)?,
            None if goes_back => return Err("Redis, where it was noted first, does not answer".to_owned()),
            None => SharedNote::default(),
        };
        let work = combine(local.note.clone(), shared.clone());
        let count = usize::from(work.pending.is_some()) + work.conflicts.len();
        self.enter(key, work).await?;
        if count > 0 {
            tracing::info!(%key, "what an earlier version noted about a document is in the journal");
        }
        if let Some(redis) =
            self.shared.filter(|_| shared.text != String::new() || !shared.settled.is_empty())
        {
            redis.forget_note(key, &shared.text).await.map_err(|error| error.to_string())?;
        }
        remove(&local.path).map_err(|error| error.to_string())
    }

    async fn enter(&self, key: Key, work: NotedWork) -> Result<(), String> {
        // Those that lost first: what waits is on top of what is in force.
        for lost in work.conflicts {
            self.record(
                key,
                DocumentCommand::Lose(LosingVersion {
                    text: lost.text,
                    origin: lost.origin,
                    at: lost.at,
                    fields: lost.fields,
                    number: None,
                    claim: None,
                }),
            )
            .await?;
        }
        match work.pending {
            None => Ok(()),
            Some(change) => self.record(key, deferred(key, change)).await,
        }
    }

    /// The same note is the same event, whichever worker enters it.
    async fn record(&self, key: Key, command: DocumentCommand) -> Result<(), String> {
        let (said, written) = history::record((self.journal, self.world), key, &command, None).await?;
        let hash = command.text().map(|text| canonical_hash(&value(text))).unwrap_or_default();
        let entered = written || said.state.pending.is_some_and(|pending| pending.hash == hash);
        if entered { Ok(()) } else { Err("another change of it waits already".to_owned()) }
    }

    /// What a store was heard not to have is known without the copies, too.
    async fn adopt_absences(&self) -> Result<(), String> {
        let mut absent: HashMap<String, Vec<Key>> = HashMap::new();
        for key in Key::ALL {
            match read::<EarlierCopy>(&self.folder.join(format!("{key}.known.json"))) {
                Ok(Some(EarlierCopy { store, text: None })) => absent.entry(store).or_default().push(key),
                // The history has what was in force.
                Ok(_) => {}
                Err(error) => tracing::debug!(%key, error, "a copy of an earlier version is of no use"),
            }
        }
        for (store, documents) in absent {
            let heard = HeardAbsent { store, documents };
            history::record_absent((self.journal, self.world), &heard).await?;
        }
        Ok(())
    }

    fn clear_folder(&self) -> io::Result<()> {
        for key in Key::ALL {
            remove(&self.folder.join(format!("{key}.known.json")))?;
        }
        for name in ["changed", "lock"] {
            remove(&self.folder.join(name))?;
        }
        match fs::remove_dir(self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn deferred(key: Key, change: NotedChange) -> DocumentCommand {
    let hash = canonical_hash(&value(&change.text));
    let name = format!("config.deferred/note/{key}/{hash}/{}", change.at.to_rfc3339());
    DocumentCommand::Defer(DeferredChange {
        document: InForce { text: change.text, hash },
        base: change.base,
        origin: change.origin,
        why: change.why,
        over: None,
        id: Some(Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())),
    })
}

fn shared_note(key: Key, notes: &HashMap<String, String>) -> Result<SharedNote, String> {
    let settled = notes.get(&format!("settled:{key}")).map(|ids| ids.split(' ').map(str::to_owned).collect());
    let text = notes.get(key.as_str()).cloned().unwrap_or_default();
    let note = match text.is_empty() {
        true => EarlierNote::default(),
        false => serde_json::from_str(&text)
            .map_err(|error| format!("the note in Redis was not written by this program: {error}"))?,
    };
    Ok(SharedNote { text, note, settled: settled.unwrap_or_default() })
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, String> {
    let unreadable = |why: String| format!("{}: {why}", path.display());
    match fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| unreadable(format!("it was not written by this program: {error}"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(error.to_string())),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What a text says; one that is no JSON is like no document.
fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

#[cfg(test)]
mod tests;
