//! The lease as an OS file lock. The system drops it when the process dies, however it
//! dies; so there is no TTL to wait for, and a paused process keeps it.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::store::{LeaseAnswer, LeaseError, LeaseStore, Renewal};
use crate::kernel::files::{self, PRIVATE, folder_of};
use crate::kernel::said::{Said, said};

/// A lease that the workers of one machine share, by a lock of a file.
#[derive(Debug)]
pub struct FileLease {
    path: PathBuf,
    holder: String,
    several_containers: bool,
    held: Mutex<Option<File>>,
}

impl FileLease {
    /// The lease at `path`; the folder is created when it is missing. `holder` is written
    /// into the file for whoever looks. `several_containers` says that the platform may run
    /// several containers, which do not see each other's file.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, holder: impl Into<String>, several_containers: bool) -> Self {
        Self { path: path.into(), holder: holder.into(), several_containers, held: Mutex::new(None) }
    }

    fn error(&self, what: &str, why: &io::Error) -> LeaseError {
        LeaseError { what: format!("file {} could not be {what}", self.path.display()), why: why.to_string() }
    }

    /// Whether the file we have locked is the one at the path: another one can be locked by
    /// somebody else.
    fn is_ours(&self, file: &File) -> io::Result<bool> {
        let ours = file.metadata()?;
        match std::fs::metadata(&self.path) {
            Ok(there) => Ok((there.dev(), there.ino()) == (ours.dev(), ours.ino())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn lock(&self) -> Result<LeaseAnswer, LeaseError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = held.as_ref() {
            if self.is_ours(file).map_err(|error| self.error("examined", &error))? {
                return Ok(LeaseAnswer::Granted);
            }
            *held = None;
        }
        let mut file = open(&self.path).map_err(|error| self.error("opened", &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(LeaseAnswer::HeldBy(holder_in(&mut file))),
            Err(TryLockError::Error(error)) => return Err(self.error("locked", &error)),
        }
        // Removed and made anew between our opening and our locking: try again later.
        if !self.is_ours(&file).map_err(|error| self.error("examined", &error))? {
            return Ok(LeaseAnswer::HeldBy("unknown".to_owned()));
        }
        // The name is for people: the lock holds without it (on a full disk, say).
        if let Err(error) = write_holder(&mut file, &self.holder) {
            tracing::warn!(path = %self.path.display(), %error, "the name of the holder could not be written");
        }
        *held = Some(file);
        Ok(LeaseAnswer::Granted)
    }
}

fn open(path: &Path) -> io::Result<File> {
    files::make_folder(folder_of(path), PRIVATE)?;
    files::open_lock(path)
}

fn write_holder(file: &mut File, holder: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(holder.as_bytes())
}

/// The name in the file; at most a line's worth of it.
fn holder_in(file: &mut File) -> String {
    const LONGEST: u64 = 200;
    let mut bytes = Vec::new();
    drop(file.take(LONGEST).read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    let name = text.lines().next().unwrap_or_default().trim();
    if name.is_empty() { "unknown".to_owned() } else { name.to_owned() }
}

#[async_trait]
impl LeaseStore for FileLease {
    async fn try_acquire(&self, _ttl: Duration) -> Result<LeaseAnswer, LeaseError> {
        self.lock()
    }

    async fn renew(&self, _ttl: Duration) -> Result<Renewal, LeaseError> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = held.as_ref() else { return Ok(Renewal::Lost) };
        match self.is_ours(file) {
            Ok(true) => Ok(Renewal::Renewed),
            Ok(false) => Ok(Renewal::Lost),
            Err(error) => Err(self.error("examined", &error)),
        }
    }

    async fn release(&self) -> Result<(), LeaseError> {
        let file = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(file) = file else { return Ok(()) };
        // A name that stays behind would accuse a worker that has left.
        drop(file.set_len(0));
        file.unlock().map_err(|error| self.error("unlocked", &error))
    }

    fn warning(&self) -> Option<Said> {
        self.several_containers.then(|| {
            said!(
                "verrou par fichier : un seul conteneur ; à plusieurs, chacun relèverait. Faites tourner une seule \
                 instance, ou partagez un Redis",
                "file lock: one container only; with several, each would poll. Run one instance, or share a Redis"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn one_holder_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub/poller.lock");
        let (one, two) = (FileLease::new(&path, "one", false), FileLease::new(&path, "two", true));
        assert_eq!(two.renew(TTL).await, Ok(Renewal::Lost));
        assert_eq!(one.try_acquire(TTL).await, Ok(LeaseAnswer::Granted));
        assert_eq!(one.try_acquire(TTL).await, Ok(LeaseAnswer::Granted), "ours already");
        assert_eq!(two.try_acquire(TTL).await, Ok(LeaseAnswer::HeldBy("one".to_owned())));
        assert_eq!(one.renew(TTL).await, Ok(Renewal::Renewed));
        assert_eq!(two.release().await, Ok(()), "not ours: nothing happens");
        assert_eq!(two.try_acquire(TTL).await, Ok(LeaseAnswer::HeldBy("one".to_owned())));
        assert_eq!(one.release().await, Ok(()));
        assert_eq!(two.try_acquire(TTL).await, Ok(LeaseAnswer::Granted));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two");
        drop(two);
        assert_eq!(one.try_acquire(TTL).await, Ok(LeaseAnswer::Granted), "dropped with its holder");
        assert!(one.warning().is_none());
    }

    #[tokio::test]
    async fn a_lock_file_that_was_removed_is_a_lost_lease() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("poller.lock");
        let (one, two) = (FileLease::new(&path, "one", false), FileLease::new(&path, "two", false));
        assert_eq!(one.try_acquire(TTL).await, Ok(LeaseAnswer::Granted));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(two.try_acquire(TTL).await, Ok(LeaseAnswer::Granted));
        assert_eq!(one.renew(TTL).await, Ok(Renewal::Lost));
        assert_eq!(one.try_acquire(TTL).await, Ok(LeaseAnswer::HeldBy("two".to_owned())));
    }
}
