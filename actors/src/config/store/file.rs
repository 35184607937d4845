//! Documents as files of a folder: `<dir>/<key>.json`, the sign-in links at a path of
//! their own (`MAGIC_LINK_TOKENS_FILE`).
//!
//! A change is noticed by looking at the files' metadata (seven `stat` calls every 300 ms,
//! which cost microseconds, so they are made in place and not on a thread of their own).

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::metrics::timed;
use super::{DocumentChange, DocumentStore, Precondition, Revision, StoreError, StoreReading, WriteReceipt};
use crate::config::documents::Key;
use crate::kernel::files::{self, PRIVATE, folder_of};

/// How often the files are looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(300);

/// Larger documents, in bytes, are refused: something else lies there. In Redis, too.
pub(super) const MAX_STORED_BYTES: u64 = 8 * 1024 * 1024;

/// How long somebody else may have a file locked: two answers of the slowest store.
const LOCK_TIMEOUT: Duration = Duration::from_secs(20);

/// Between two looks at a lock.
const LOCK_POLL_INTERVAL: Duration = Duration::from_millis(5);

/// See the module page.
#[derive(Debug)]
pub struct FileStore {
    dir: PathBuf,
    magic_links: PathBuf,
    /// What each file looked like when it was first read, then when a change was last told.
    /// Later readings do not touch it: a reader in passing would swallow the change of the
    /// one who waits for it.
    seen: Mutex<HashMap<Key, Option<Fingerprint>>>,
}

/// Enough of a file's metadata to notice any write: an editor that keeps the length and
/// sets the modification time back still changes the inode or its change time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint {
    inode: u64,
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileStore {
    /// The documents of `dir`. `magic_links` is the file of the sign-in links; without it,
    /// `<dir>/magic_links.json`. Nothing is created.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, magic_links: Option<PathBuf>) -> Self {
        let dir = dir.into();
        let magic_links = magic_links.unwrap_or_else(|| dir.join("magic_links.json"));
        let leftover = dir.join("webhook_time_window.json");
        if leftover.exists() {
            tracing::info!(
                path = %leftover.display(),
                "this file has no effect: the delivery window is in webhook_config"
            );
        }
        Self { dir, magic_links, seen: Mutex::default() }
    }

    /// Where a document lies.
    #[must_use]
    pub fn path(&self, key: Key) -> PathBuf {
        path_of(key, &self.dir, &self.magic_links)
    }

    fn read_now(&self, key: Key) -> Result<StoreReading, StoreError> {
        let path = self.path(key);
        // Before the content: a write in between shows as a difference later.
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(key)
            .or_insert_with(|| fingerprint(&path));
        read_text(&path).map(|text| match text {
            None => StoreReading::Absent,
            Some(text) => StoreReading::Found { revision: Revision::of(&text), text },
        })
    }

    /// Whether a file looks otherwise than when this was last asked, or first read: each change
    /// is told once, and who is told reads after that.
    fn differs(&self) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut differs = false;
        for key in Key::ALL {
            let now = fingerprint(&self.path(key));
            differs |= seen.insert(key, now) != Some(now);
        }
        differs
    }
}

/// Where a document lies, in the folder of documents or at the path of the sign-in links.
#[must_use]
pub fn path_of(key: Key, dir: &Path, magic_links: &Path) -> PathBuf {
    match key {
        Key::MagicLinkTokens => magic_links.to_owned(),
        other => dir.join(format!("{other}.json")),
    }
}

pub(super) fn fingerprint(path: &Path) -> Option<Fingerprint> {
    let metadata = fs::metadata(path).ok()?;
    Some(Fingerprint {
        inode: metadata.ino(),
        len: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}

pub(super) fn read_text(path: &Path) -> Result<Option<String>, StoreError> {
    let unreadable = |why: String| StoreError::Unreadable { what: path.display().to_string(), why };
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() > MAX_STORED_BYTES => {
            return Err(unreadable(format!("{} bytes are more than a document has", metadata.len())));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error.to_string())),
    }
    match read_at_most(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(error.to_string())),
    }
}

/// What grows while it is read, or is no file at all, ends at the same length.
fn read_at_most(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.take(MAX_STORED_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_STORED_BYTES {
        return Err(io::Error::other("it is longer than a document is"));
    }
    Ok(text)
}

/// One writer of a folder at a time, in this process or another, so that nobody of us
/// writes between the check and the rename. The folder is made when it is missing.
async fn alone(path: &Path) -> io::Result<File> {
    let dir = folder_of(path);
    files::make_folder(dir, PRIVATE)?;
    locked(File::open(dir)?).await
}

/// Waits until nobody else has the file or folder locked, and locks it until it is closed.
pub(super) async fn locked(file: File) -> io::Result<File> {
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if began.elapsed() > LOCK_TIMEOUT => {
                return Err(io::Error::other("another process has it locked for too long"));
            }
            Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_POLL_INTERVAL).await,
        }
    }
}

/// Replaces a document, which is for us alone: a reader sees the old one or the new one.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    files::make_folder(folder_of(path), PRIVATE)?;
    files::replace(path, text.as_bytes(), PRIVATE)
}

#[async_trait]
impl DocumentStore for FileStore {
    fn name(&self) -> &'static str {
        "file"
    }

    async fn read(&self, key: Key) -> Result<StoreReading, StoreError> {
        timed(self.name(), "read", async { self.read_now(key) }).await
    }

    async fn changed(&self) {
        while !self.differs() {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    async fn write(&self, change: &DocumentChange) -> Result<WriteReceipt, StoreError> {
        let key = change.key;
        let path = self.path(key);
        let unwritable = |why: String| StoreError::Unwritable { what: path.display().to_string(), why };
        let text =
            serde_json::to_string_pretty(&change.value).map_err(|error| unwritable(error.to_string()))?;
        let _writing = alone(&path).await.map_err(|error| unwritable(error.to_string()))?;
        let as_believed = match (read_text(&path)?, &change.expected) {
            (None, Precondition::Absent) => true,
            (Some(present), Precondition::Revision(believed)) => Revision::of(&present) == *believed,
            (None, Precondition::Revision(_)) | (Some(_), Precondition::Absent) => false,
        };
        if !as_believed {
            return Err(StoreError::Conflict(key));
        }
        let written = timed(self.name(), "write", async { replace(&path, &text) }).await;
        written.map_err(|error| unwritable(error.to_string()))?;
        Ok(WriteReceipt { revision: Revision::of(&text), stored_in: self.name(), degraded: None })
    }

    async fn remove(&self, key: Key, _origin: &str) -> Result<bool, StoreError> {
        let path = self.path(key);
        let unwritable = |error: io::Error| StoreError::Unwritable {
            what: path.display().to_string(),
            why: error.to_string(),
        };
        if !path.exists() {
            return Ok(false);
        }
        let _writing = alone(&path).await.map_err(unwritable)?;
        match fs::remove_file(&path).and_then(|()| File::open(folder_of(&path))?.sync_all()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(unwritable(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    async fn write(store: &FileStore, value: Value, expected: Precondition) -> Result<Revision, StoreError> {
        let change = DocumentChange { key: Key::WebhookConfig, value, expected, origin: "api".to_owned() };
        store.write(&change).await.map(|written| written.revision)
    }

    #[tokio::test]
    async fn reads_what_was_written_and_refuses_a_stale_write() {
        let dir = tempfile::tempdir().unwrap();
        let store = FileStore::new(dir.path().join("sub"), None);
        assert_eq!(store.read(Key::WebhookConfig).await, Ok(StoreReading::Absent));
        let first = write(&store, json!({"é": 1}), Precondition::Absent).await.unwrap();
        let StoreReading::Found { text, revision } = store.read(Key::WebhookConfig).await.unwrap() else {
            panic!("absent")
        };
        assert_eq!((serde_json::from_str::<Value>(&text).unwrap(), &revision), (json!({"é": 1}), &first));
        let second = write(&store, json!({"é": 2}), Precondition::Revision(first.clone())).await.unwrap();
        assert_ne!(first, second);
        for stale in [Precondition::Absent, Precondition::Revision(first)] {
            let refused = write(&store, json!({"é": 3}), stale).await;
            assert_eq!(refused, Err(StoreError::Conflict(Key::WebhookConfig)));
        }
        let files: Vec<_> = fs::read_dir(dir.path().join("sub")).unwrap().flatten().collect();
        assert_eq!(files.len(), 1, "no temporary file stays behind: {files:?}");
    }

    #[tokio::test]
    async fn a_folder_in_place_of_a_document_is_unreadable_not_absent() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("polling_config.json")).unwrap();
        let store = FileStore::new(dir.path(), None);
        assert!(matches!(store.read(Key::PollingConfig).await, Err(StoreError::Unreadable { .. })));
    }

    #[tokio::test]
    async fn every_kind_of_write_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let links = dir.path().join("links.json");
        let store = FileStore::new(dir.path(), Some(links.clone()));
        let path = store.path(Key::RuntimeFlags);
        async fn settle(store: &FileStore) {
            for key in Key::ALL {
                drop(store.read(key).await);
            }
        }
        settle(&store).await;
        assert!(!store.differs());
        for text in ["{}", "{\"a\":1}"] {
            fs::write(&path, text).unwrap();
            settle(&store).await;
            assert!(store.differs(), "{text}: whoever reads in passing swallows nothing");
            assert!(!store.differs(), "said once");
            settle(&store).await;
            assert!(!store.differs(), "{text}");
        }
        let beside = dir.path().join("beside");
        fs::write(&beside, "{\"b\":1}").unwrap();
        fs::rename(&beside, &path).unwrap();
        assert!(store.differs(), "same length, another file");
        fs::remove_file(&path).unwrap();
        assert!(store.differs());
        fs::write(&links, "{}").unwrap();
        store.changed().await;
    }
}
