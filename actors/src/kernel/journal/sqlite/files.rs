//! Whether the journal's files are still those that were opened.
//!
//! A file that was removed or replaced takes what is written to it all the same, and it is gone
//! when the process ends. SQLite does not notice in WAL mode.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a file is, whatever it is called: device and inode.
type FileIdentity = (u64, u64);

/// The files of one journal as they were when it was opened. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Files(Arc<Mutex<Vec<(PathBuf, FileIdentity)>>>);

impl Files {
    /// The database at `path`, its write-ahead log and its index, as far as they exist.
    pub(super) fn of(path: &Path) -> Self {
        Self(Arc::new(Mutex::new(present(path))))
    }

    /// The same database was opened again, perhaps with another log beside it.
    pub(super) fn opened_again(&self, path: &Path) {
        *self.known() = present(path);
    }

    fn known(&self) -> MutexGuard<'_, Vec<(PathBuf, FileIdentity)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which of them is not there any more, in words.
    pub(super) fn gone(&self) -> Option<String> {
        self.known().iter().find_map(|(file, known)| {
            let what = match identity(file) {
                Ok(now) if now == *known => return None,
                Ok(_) => "was replaced by another file",
                Err(error) if error.kind() == io::ErrorKind::NotFound => "was removed",
                // It cannot be told; the next commit will fail if something is wrong.
                Err(_) => return None,
            };
            Some(format!(
                "the journal's file {} {what} while the program runs; nothing more is written to it",
                file.display()
            ))
        })
    }
}

fn present(path: &Path) -> Vec<(PathBuf, FileIdentity)> {
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let known = |file: PathBuf| identity(&file).ok().map(|known| (file, known));
    [path.to_owned(), beside("-wal"), beside("-shm")].into_iter().filter_map(known).collect()
}

fn identity(file: &Path) -> io::Result<FileIdentity> {
    fs::metadata(file).map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_removed_or_replaced_is_named() {
        for beside in ["", "-wal", "-shm"] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.db");
            let file = folder.path().join(format!("a.db{beside}"));
            fs::write(&path, "x").unwrap();
            fs::write(&file, "x").unwrap();
            let files = Files::of(&path);
            fs::write(&file, "written to").unwrap();
            assert_eq!(files.gone(), None);
            let aside = folder.path().join("aside");
            fs::rename(&file, &aside).unwrap();
            assert!(files.gone().unwrap().contains("was removed"));
            fs::write(&file, "another").unwrap();
            let gone = files.gone().unwrap();
            assert!(gone.contains("was replaced") && gone.contains(&file.display().to_string()), "{gone}");
            fs::rename(&aside, &file).unwrap();
            assert_eq!(files.gone(), None, "it was put back");
        }
    }
}
