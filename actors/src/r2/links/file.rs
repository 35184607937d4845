//! The file itself: read and replaced under a lock, so that neither a reader nor another
//! writer ever meets half of it (reference W-16, W-18).
//!
//! Two locks are held (`flock`): that of a `.lock` file beside it, which outlives every
//! replacement, and that of the file itself, which the reference system takes. The `.lock`
//! file also remembers how far the journal has been carried over.

mod write;

use std::fs::{self, File};
use std::io::{self, ErrorKind, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::book::{self, Bounds, Counts};
use super::lookup::Lookup;
use crate::kernel::files::{self, folder_of};
use crate::readmodel::queries::LinkRow;

/// Longest note in the `.lock` file that is looked at, in bytes.
const LONGEST_NOTE: u64 = 4_096;

/// How far the journal has been carried over: the last copy, by position and event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Position of its event.
    pub position: u64,
    /// Id of its event: another journal has another one there.
    pub event_id: String,
}

/// What the `.lock` file says.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct LockNote {
    /// How far the journal has been carried over.
    #[serde(flatten)]
    cursor: Option<Cursor>,
    /// [`book::mark`] of the last entry that is in an archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    archived: Option<String>,
}

/// What is to be written.
#[derive(Debug, Clone)]
pub struct ListChange {
    /// The cursor that this was computed from.
    pub from: Option<Cursor>,
    /// The copies, oldest first.
    pub copies: Vec<LinkRow>,
    /// Write the list anew instead of appending to it.
    pub anew: bool,
    /// The time, for names in the archive.
    pub now: DateTime<Utc>,
}

/// What has come of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// The list is as wanted. If it had become too long, that is now in the archive.
    Done {
        /// Where to.
        archived: Option<PathBuf>,
    },
    /// Another worker has carried the journal further meanwhile: look again.
    Moved,
    /// Somebody else writes: try again soon.
    Busy,
    /// There is no list to append to: write it anew.
    Missing,
    /// What was there is no list. It was put aside, and a new one has to be written.
    PutAside {
        /// Where to.
        path: PathBuf,
        /// What was wrong with it.
        why: String,
    },
}

/// Why nothing could be written.
#[derive(Debug, thiserror::Error)]
#[error("{} could not be {what}: {why}", path.display())]
pub struct FileTrouble {
    /// The file.
    pub path: PathBuf,
    /// What was tried.
    pub what: &'static str,
    /// What the system said.
    pub why: io::Error,
}

/// The list `webhook_links.json`, which other programs read and write too.
#[derive(Debug, Clone)]
pub struct LinksFile {
    path: PathBuf,
    bounds: Bounds,
    /// Who may read and write it; `None` = a new one is ours alone, an existing one stays as open
    /// as it is.
    mode: Option<u32>,
    /// What was read of it last.
    lookup: Lookup,
}

impl LinksFile {
    /// The list at `path`. Nothing is read or created yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, bounds: Bounds) -> Self {
        Self { path: path.into(), bounds, mode: None, lookup: Lookup::default() }
    }

    /// The same, with this mode (`0o644` = everybody may read it), whatever it was before.
    #[must_use]
    pub fn with_mode(self, mode: Option<u32>) -> Self {
        Self { mode, ..self }
    }

    /// Another list with the same bounds.
    #[must_use]
    pub fn at(&self, path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), lookup: Lookup::default(), ..self.clone() }
    }

    /// Whether users of this machine whom nobody has named can read it.
    #[must_use]
    pub fn is_open_to_all(&self) -> bool {
        self.mode.is_none() && fs::metadata(&self.path).is_ok_and(|list| list.mode() & 0o007 != 0)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many copies it can name.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        if self.bounds.max_entries == 0 { usize::MAX } else { self.bounds.max_entries }
    }

    /// Whether there is one.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.path.exists()
    }

    /// How far it has come, as far as is known.
    #[must_use]
    pub fn cursor(&self) -> Option<Cursor> {
        self.note().cursor
    }

    fn note(&self) -> LockNote {
        let text = files::read_plain(&self.lock_path(), LONGEST_NOTE).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// How many entries it holds.
    ///
    /// # Errors
    /// Why it cannot be read, or is no list.
    pub fn count(&self) -> Result<usize, FileTrouble> {
        self.entries().map(|entries| entries.len())
    }

    /// What it holds, by format and provider.
    ///
    /// # Errors
    /// Why it cannot be read, or is no list.
    pub fn counts(&self) -> Result<Counts, FileTrouble> {
        self.entries().map(|entries| book::count(&entries))
    }

    fn entries(&self) -> Result<Vec<serde_json::Value>, FileTrouble> {
        let content = self
            .target()
            .and_then(|list| files::read_plain(&list, u64::MAX))
            .map_err(|why| self.trouble("read", why))?;
        book::parse(&content).map_err(|why| self.trouble("read", io::Error::other(why)))
    }

    /// The archives beside it, of this list and of what was none; by name, so by age.
    ///
    /// # Errors
    /// Why its folder cannot be read.
    pub fn archives(&self) -> Result<Vec<PathBuf>, FileTrouble> {
        let look = || {
            let list = self.target()?;
            let stem = format!("{}-", self.path.file_stem().unwrap_or_default().to_string_lossy());
            let mut found = Vec::new();
            for file in fs::read_dir(folder_of(&list))? {
                let file = file?;
                let name = file.file_name().to_string_lossy().into_owned();
                if name.starts_with(&stem) && name.ends_with(".json") {
                    found.push(file.path());
                }
            }
            found.sort();
            Ok(found)
        };
        look().map_err(|why| self.trouble("looked beside", why))
    }

    /// The newest copy of each of these links, in their normalised form, as far as the list names
    /// one. Blocks on the disk, but only when the list has changed.
    ///
    /// # Errors
    /// Why it cannot be read, or is no list.
    pub fn find(&self, links: &[String]) -> Result<Vec<Option<LinkRow>>, FileTrouble> {
        let find = || self.lookup.find(&self.target()?, links);
        find().map_err(|why| self.trouble("read", why))
    }

    /// Whether it could be written, without changing anything that lasts.
    ///
    /// # Errors
    /// What stands in the way.
    pub fn check(&self) -> Result<(), FileTrouble> {
        match self.count() {
            Ok(_) => {}
            Err(trouble) if trouble.why.kind() == ErrorKind::NotFound => {}
            Err(trouble) => return Err(trouble),
        }
        // The folder, or the nearest one above it, in which the missing ones would be created.
        let list = self.target().map_err(|why| self.trouble("written", why))?;
        let nearest = folder_of(&list).ancestors().find(|folder| folder.exists());
        let nearest =
            nearest.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        files::try_folder(nearest).map_err(|why| self.trouble("written", why))
    }

    fn lock_path(&self) -> PathBuf {
        folder_of(&self.path).join(format!("{}.lock", self.name()))
    }

    fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn trouble(&self, what: &'static str, why: io::Error) -> FileTrouble {
        FileTrouble { path: self.path.clone(), what, why }
    }
}

impl Cursor {
    /// Behind this copy.
    fn of(last: &LinkRow) -> Self {
        Self { position: last.position, event_id: last.event_id.clone() }
    }
}

/// Half of it would not be read as a note, and the list be written anew: no harm.
fn remember(mut lock: File, note: &LockNote) -> io::Result<()> {
    if note.cursor.is_none() && note.archived.is_none() {
        return Ok(());
    }
    lock.set_len(0)?;
    lock.rewind()?;
    lock.write_all(serde_json::to_string(note)?.as_bytes())
}
