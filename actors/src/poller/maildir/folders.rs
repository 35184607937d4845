//! The two folders of a Maildir, and the files in them.

use std::collections::HashMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;

use super::super::source::{LONGEST_HEADER, LoadPart, LoadRequest, LoadedBody, SourceError, header_end};
use super::{MaildirPlace, item_of};
use crate::messages::Source;

/// When `new/` and `cur/` changed last.
pub(super) type Times = [Option<SystemTime>; 2];

/// Runs file work off the actor's thread.
pub(super) async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SourceError> + Send + 'static,
) -> Result<T, SourceError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(SourceError::Unreachable(format!("reading the Maildir broke off: {error}")))
    })
}

/// The folder, with the blocking calls.
#[derive(Debug, Clone)]
pub(super) struct Folders {
    pub(super) root: PathBuf,
}

impl Folders {
    pub(super) fn new_folder(&self) -> PathBuf {
        self.root.join("new")
    }

    pub(super) fn cur_folder(&self) -> PathBuf {
        self.root.join("cur")
    }

    pub(super) fn path_of(&self, place: &MaildirPlace) -> PathBuf {
        let folder = if place.cur { self.cur_folder() } else { self.new_folder() };
        folder.join(&place.file)
    }

    pub(super) fn failed(&self, error: &io::Error) -> SourceError {
        SourceError::Unreachable(format!("the Maildir {} cannot be read: {error}", self.root.display()))
    }

    pub(super) fn times(&self) -> Times {
        [self.new_folder(), self.cur_folder()]
            .map(|folder| std::fs::metadata(folder).and_then(|metadata| metadata.modified()).ok())
    }

    /// Every mail by name. One that is in both folders, as it is for an instant while
    /// another program moves it by link and unlink, counts as being in `cur/`.
    pub(super) fn scan(&self) -> io::Result<HashMap<String, MaildirPlace>> {
        let mut mails = HashMap::new();
        for (cur, folder) in [(false, self.new_folder()), (true, self.cur_folder())] {
            for entry in std::fs::read_dir(folder)? {
                let entry = entry?;
                let name = entry.file_name();
                // Names that are not text, and hidden files, are no mails.
                let Some(file) = name.to_str().filter(|file| !file.starts_with('.')) else {
                    continue;
                };
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    continue;
                }
                mails.insert(item_of(file).to_owned(), MaildirPlace { cur, file: file.to_owned() });
            }
        }
        Ok(mails)
    }

    pub(super) fn load(&self, mail: &LoadRequest, place: Option<MaildirPlace>) -> LoadedBody {
        let Some(place) = place else {
            return LoadedBody::Gone;
        };
        match self.read(&place, mail) {
            Ok(source) => LoadedBody::Loaded(source),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Flags are part of the name: it may have been renamed since the listing.
                match self.scan().map(|mut mails| mails.remove(&mail.item)) {
                    Ok(None) => LoadedBody::Gone,
                    Ok(Some(place)) => self
                        .read(&place, mail)
                        .map_or_else(|error| LoadedBody::Unloadable(error.to_string()), LoadedBody::Loaded),
                    Err(error) => LoadedBody::Unloadable(error.to_string()),
                }
            }
            Err(error) => LoadedBody::Unloadable(error.to_string()),
        }
    }

    fn read(&self, place: &MaildirPlace, mail: &LoadRequest) -> io::Result<Source> {
        let file = std::fs::File::open(self.path_of(place))?;
        match mail.part {
            LoadPart::Full => {
                let mut bytes =
                    Vec::with_capacity(usize::try_from(mail.size.min(mail.limit)).unwrap_or_default());
                file.take(mail.limit.saturating_add(1)).read_to_end(&mut bytes)?;
                Ok(mail.loaded(Bytes::from(bytes)))
            }
            LoadPart::Header => {
                let mut bytes = Vec::new();
                file.take(LONGEST_HEADER as u64).read_to_end(&mut bytes)?;
                bytes.truncate(header_end(&bytes));
                Ok(Source::HeaderOnly { header: Bytes::from(bytes), size: mail.size })
            }
        }
    }

    pub(super) fn mark_seen(&self, items: &[String]) -> io::Result<()> {
        let places = self.scan()?;
        for item in items {
            let Some(place) = places.get(item) else { continue };
            match self.rename(place) {
                // Renamed or removed by another program in between: one more look.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    if let Some(place) = self.scan()?.get(item) {
                        self.rename(place)?;
                    }
                }
                other => other?,
            }
        }
        for folder in [self.new_folder(), self.cur_folder()] {
            sync(&folder)?;
        }
        Ok(())
    }

    fn rename(&self, place: &MaildirPlace) -> io::Result<()> {
        let marked = place.marked();
        if marked == *place {
            return Ok(());
        }
        std::fs::rename(self.path_of(place), self.path_of(&marked))
    }
}

/// Makes renames in a folder durable.
fn sync(folder: &Path) -> io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}
