//! The file itself: read and replaced under a lock, so that neither a reader nor another
//! writer ever meets half of it (reference W-16, W-18).
//!
//! Two locks are held (`flock`): that of a `.lock` file beside it, which outlives every
//! replacement, and that of the file itself, which the reference system takes. The `.lock`
//! file also remembers how far the journal has been carried over.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::book::{self, Bounds, Counts, Plan};
use super::lookup::Lookup;
use crate::kernel::files::{self, PRIVATE, folder_of};
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

    /// Carries a change into the file, all of it or nothing. Blocks on the disk, never on a lock.
    ///
    /// # Errors
    /// What the system refuses. The file is then as before.
    pub fn apply(&self, change: &ListChange) -> Result<Written, FileTrouble> {
        files::make_folder(folder_of(&self.path), self.mode.unwrap_or(PRIVATE))
            .map_err(|why| self.trouble("put into its folder", why))?;
        let lock = self.lock_path();
        let lock = files::open_lock(&lock).map_err(|why| FileTrouble { path: lock, what: "locked", why })?;
        if let Some(mode) = self.mode {
            // Those who may write the list take it, too. If it is another user's, he has said.
            drop(lock.set_permissions(fs::Permissions::from_mode(mode)));
        }
        if !try_lock(&lock).map_err(|why| self.trouble("locked", why))? {
            return Ok(Written::Busy);
        }
        let mut note = self.note();
        if note.cursor != change.from {
            return Ok(Written::Moved);
        }
        let mut present = match self.target().and_then(|list| files::open_plain(&list)) {
            Ok(file) => Some(file),
            Err(why) if why.kind() == ErrorKind::NotFound => None,
            Err(why) => return Err(self.trouble("read", why)),
        };
        let mut content = Vec::new();
        if let Some(file) = &mut present {
            let locked = try_lock(file).map_err(|why| self.trouble("locked", why))?;
            // A writer that knows nothing of the `.lock` may have replaced it just now.
            if !locked || !self.is_at_the_path(file) {
                return Ok(Written::Busy);
            }
            file.read_to_end(&mut content).map_err(|why| self.trouble("read", why))?;
        } else if !change.anew {
            return Ok(Written::Missing);
        }
        let entries = match book::parse(&content) {
            Ok(entries) => entries,
            Err(why) => {
                let path = self.put_aside(change.now).map_err(|why| self.trouble("put aside", why))?;
                return Ok(Written::PutAside { path, why });
            }
        };
        let last = entries.last().map(book::mark);
        let archived = self
            .carry_out(entries, &content, change, note.archived.as_deref())
            .map_err(|why| self.trouble("written", why))?;
        if archived.is_some() {
            note.archived = last;
        }
        note.cursor = change.copies.last().map(Cursor::of).or(note.cursor);
        remember(lock, &note).map_err(|why| self.trouble("written", why))?;
        Ok(Written::Done { archived })
    }

    fn carry_out(
        &self,
        entries: Vec<serde_json::Value>,
        content: &[u8],
        change: &ListChange,
        last: Option<&str>,
    ) -> io::Result<Option<PathBuf>> {
        let plan = if change.anew {
            book::rebuild(entries, &change.copies, self.bounds, last)
        } else {
            book::append(entries, &change.copies, self.bounds, last)
        };
        match plan {
            Plan::Leave => Ok(None),
            Plan::Replace(text) | Plan::Archive(text) if text.as_bytes() == content => Ok(None),
            Plan::Replace(text) => self.replace(&text).map(|()| None),
            Plan::Archive(text) => {
                // A second name for the file, and then a new file: at no time is there none.
                let list = self.target()?;
                let archive = self.unused_name("", change.now, |archive| {
                    fs::hard_link(&list, archive).or_else(|why| match why.kind() {
                        ErrorKind::AlreadyExists => Err(why),
                        // A file system without hard links.
                        _ => copy(&list, archive),
                    })
                })?;
                self.replace(&text)?;
                Ok(Some(archive))
            }
        }
    }

    /// Replaces the file. Whoever may read it now may read it then, unless that is configured.
    fn replace(&self, text: &str) -> io::Result<()> {
        let path = self.target()?;
        let present = || fs::symlink_metadata(&path).ok().map(|list| list.mode() & 0o777);
        files::replace(&path, text.as_bytes(), self.mode.or_else(present).unwrap_or(PRIVATE))
    }

    /// Moves what is no list out of the way; it is never emptied or removed.
    fn put_aside(&self, now: DateTime<Utc>) -> io::Result<PathBuf> {
        let aside = self.unused_name("-corrupt", now, |aside| files::create_new(aside, PRIVATE).map(drop))?;
        fs::rename(self.target()?, &aside)?;
        Ok(aside)
    }

    /// The file itself: a symbolic link of the operator's stays what it is, and what it leads
    /// to is kept, moved and replaced, even where nothing is yet.
    fn target(&self) -> io::Result<PathBuf> {
        files::resolve(&self.path)
    }

    /// `<stem><kind>-YYYYmmdd-HHMMSS.json` beside the file itself, on the same disk; numbered
    /// when there is such a file already.
    fn unused_name(
        &self,
        kind: &str,
        now: DateTime<Utc>,
        take: impl Fn(&Path) -> io::Result<()>,
    ) -> io::Result<PathBuf> {
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        let list = self.target()?;
        let stamp = now.format("%Y%m%d-%H%M%S");
        for n in 1_u32..=1_000 {
            let number = if n == 1 { String::new() } else { format!("-{n}") };
            let name = folder_of(&list).join(format!("{stem}{kind}-{stamp}{number}.json"));
            match take(&name) {
                Ok(()) => return Ok(name),
                Err(why) if why.kind() == ErrorKind::AlreadyExists => {}
                Err(why) => return Err(why),
            }
        }
        Err(io::Error::new(ErrorKind::AlreadyExists, "every name for this second is taken"))
    }

    fn is_at_the_path(&self, file: &File) -> bool {
        let place = |data: fs::Metadata| (data.dev(), data.ino());
        let (ours, there) = (file.metadata().map(place), fs::metadata(&self.path).map(place));
        matches!((ours, there), (Ok(ours), Ok(there)) if ours == there)
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

/// Whether nobody else has it.
fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(why)) => Err(why),
    }
}

/// A copy under a name that nobody else has taken.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut list = files::open_plain(from)?;
    let mut archive = files::create_new(to, list.metadata()?.mode() & 0o777)?;
    io::copy(&mut list, &mut archive)?;
    archive.sync_all()
}
