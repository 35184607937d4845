//! The list is changed: under a lock, into a file of its own, and put in its place at once.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::super::book::{self, Plan};
use super::{Cursor, FileTrouble, LinksFile, ListChange, Written, remember};
use crate::kernel::files::{self, PRIVATE, folder_of};

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

impl LinksFile {
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
    pub(super) fn target(&self) -> io::Result<PathBuf> {
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
}
