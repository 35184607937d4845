//! What a worker must not forget about its stores: files of one folder, each replaced in
//! one step.
//!
//! | file | holds |
//! |---|---|
//! | `<key>.pending.json` | what waits for the authority, and what waits for a decision |
//! | `<key>.known.json` | what the authority last held |
//! | `changed` | nothing: replaced when an authority that tells nobody was given a document |
//! | `lock` | locked by the process that is settling something |

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::pending::NoteOrigin;
use crate::config::documents::Key;
use crate::config::store::StoreError;
use crate::config::store::file::{Fingerprint, fingerprint, locked, read_text, replace};
use crate::kernel::files::{self, PRIVATE};

/// How often the files are looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(300);

/// What there is to do about one document.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct PendingNote {
    /// Waits for the authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pending: Option<PendingChange>,
    /// Waits for a decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) conflict: Option<OpenConflict>,
}

/// A change that another store than the authority took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct PendingChange {
    /// The document.
    pub(super) text: String,
    /// What was in force before it, as far as known.
    pub(super) base: Option<String>,
    /// Who changed it.
    pub(super) origin: String,
    /// When.
    pub(super) at: DateTime<Utc>,
    /// The store that took it.
    pub(super) stored_in: String,
    /// Why the authority did not.
    pub(super) why: String,
    /// The note of a store that this is a copy of, or came after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) of: Option<NoteOrigin>,
}

/// A change that the authority cannot be given, because it was changed otherwise meanwhile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct OpenConflict {
    /// The document that is not in force.
    pub(super) text: String,
    /// Who made it.
    pub(super) origin: String,
    /// When.
    pub(super) at: DateTime<Utc>,
    /// The top-level fields that both sides changed; empty = the whole document.
    pub(super) fields: Vec<String>,
    /// Whether the history has it.
    pub(super) recorded: bool,
}

/// What the authority held when it was last heard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LastHeard {
    /// Name of the authority.
    pub(super) store: String,
    /// The document; `None` = it had none.
    pub(super) text: Option<String>,
    /// Its revision; empty when there was no document.
    pub(super) revision: String,
    /// When that was first heard.
    pub(super) at: DateTime<Utc>,
}

/// See the module page.
#[derive(Debug)]
pub(super) struct PendingFiles {
    dir: PathBuf,
    /// What the notes looked like when somebody was last told of a change.
    seen: Mutex<Vec<Option<Fingerprint>>>,
}

impl PendingFiles {
    /// The notes in `dir`, which is made when something is written.
    pub(super) fn new(dir: PathBuf) -> Self {
        let notes = Self { dir, seen: Mutex::default() };
        *notes.seen.lock().unwrap_or_else(PoisonError::into_inner) = notes.look();
        notes
    }

    /// What there is to do about a document.
    ///
    /// # Errors
    /// When it cannot be said, because the note cannot be read.
    pub(super) fn note(&self, key: Key) -> Result<PendingNote, StoreError> {
        Ok(read(&self.pending_path(key))?.unwrap_or_default())
    }

    /// Replaces the note of a document; an empty one is removed.
    ///
    /// # Errors
    /// The note is as it was.
    pub(super) fn put(&self, key: Key, note: &PendingNote) -> Result<(), StoreError> {
        let path = self.pending_path(key);
        if *note != PendingNote::default() {
            return self.write(&path, note);
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unwritable(&path, &error)),
            _ => Ok(()),
        }
    }

    /// What the authority held when a worker last heard it.
    pub(super) fn known(&self, key: Key) -> Option<LastHeard> {
        match read(&self.known_path(key)) {
            Ok(known) => known,
            Err(error) => {
                tracing::warn!(%key, %error, "the copy of what the authority held is of no use");
                None
            }
        }
    }

    /// Replaces the copy of what the authority holds.
    ///
    /// # Errors
    /// The copy is as it was.
    pub(super) fn keep(&self, key: Key, known: &LastHeard) -> Result<(), StoreError> {
        self.write(&self.known_path(key), known)
    }

    /// Waits until nobody else, in this process or another, is settling something, and
    /// keeps others from it until the answer is dropped.
    ///
    /// # Errors
    /// When the lock cannot be had.
    pub(super) async fn lock(&self) -> Result<File, StoreError> {
        let path = self.dir.join("lock");
        self.make_dir()?;
        let file = files::open_lock(&path).map_err(|error| unwritable(&path, &error))?;
        locked(file).await.map_err(|error| unwritable(&path, &error))
    }

    /// Returns when a note was changed, by another process for example, or the authority was
    /// given a document by a process that shares this folder.
    pub(super) async fn changed(&self) {
        while !self.differ() {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Whether the notes are others than when this was last asked.
    fn differ(&self) -> bool {
        let now = self.look();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *seen, now);
        before != *seen
    }

    fn look(&self) -> Vec<Option<Fingerprint>> {
        let pending = Key::ALL.iter().map(|key| fingerprint(&self.pending_path(*key)));
        pending.chain([fingerprint(&self.changed_path())]).collect()
    }

    /// Tells the processes that share this folder that the authority was given a document.
    ///
    /// # Errors
    /// They do not know it yet.
    pub(super) fn announce(&self) -> Result<(), StoreError> {
        let path = self.changed_path();
        self.make_dir()?;
        replace(&path, "").map_err(|error| unwritable(&path, &error))
    }

    fn changed_path(&self) -> PathBuf {
        self.dir.join("changed")
    }

    fn pending_path(&self, key: Key) -> PathBuf {
        self.dir.join(format!("{key}.pending.json"))
    }

    fn known_path(&self, key: Key) -> PathBuf {
        self.dir.join(format!("{key}.known.json"))
    }

    /// For us alone: documents may hold addresses that are capabilities.
    fn make_dir(&self) -> Result<(), StoreError> {
        files::make_folder(&self.dir, PRIVATE).map_err(|error| unwritable(&self.dir, &error))
    }

    fn write(&self, path: &Path, content: &impl Serialize) -> Result<(), StoreError> {
        let text = serde_json::to_string_pretty(content)
            .map_err(|error| unwritable(path, &io::Error::other(error)))?;
        self.make_dir()?;
        replace(path, &text).map_err(|error| unwritable(path, &error))
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StoreError> {
    let Some(text) = read_text(path)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|error| StoreError::Unreadable {
        what: path.display().to_string(),
        why: format!("it was not written by this program: {error}"),
    })
}

fn unwritable(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Unwritable { what: path.display().to_string(), why: error.to_string() }
}
