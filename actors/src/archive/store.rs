//! Where archived events are kept: one trait, and files.

use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;

use crate::kernel::files::{self, PRIVATE, folder_of};

/// Keeps what leaves the journal.
#[async_trait]
pub trait ArchiveStore: Send + Sync {
    /// Keeps `content` under `name`, durably: what is answered for can be dropped elsewhere.
    /// The same under the same name again is fine. Returns where it is.
    ///
    /// # Errors
    /// Why it is not kept, in plain words.
    async fn keep(&self, name: &str, content: Bytes) -> Result<String, String>;
}

/// A folder of files.
#[derive(Debug, Clone)]
pub struct FileArchive {
    folder: PathBuf,
}

impl FileArchive {
    /// Files in `folder`, which is created when it is needed.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }
}

#[async_trait]
impl ArchiveStore for FileArchive {
    async fn keep(&self, name: &str, content: Bytes) -> Result<String, String> {
        let path = self.folder.join(name);
        let place = path.display().to_string();
        let written = tokio::task::spawn_blocking(move || write(&path, &content)).await;
        match written {
            Ok(Ok(())) => Ok(place),
            Ok(Err(error)) => Err(format!("{place} could not be written: {error}")),
            Err(error) => Err(format!("{place} could not be written: {error}")),
        }
    }
}

/// Beside it first: a crash leaves all of it under its name, or nothing.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    files::make_folder(folder_of(path), PRIVATE)?;
    files::replace(path, content, PRIVATE)
}
