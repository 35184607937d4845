//! A consistent copy of the journal, made while the service goes on.
//!
//! Of a journal in a file it is a file that can be opened in its place; of one in Redis it is
//! what `events export` writes and `events import` takes. It lies in a private folder only while
//! it is made: its file has no name any more when it is handed out, so nothing stays behind.

use std::fs::{DirBuilder, File};
use std::io::{BufWriter, Seek as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use render_signal_actors::archive::transfer;
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::files::{self, PRIVATE};
use render_signal_actors::kernel::journal::JournalAdmin;
use render_signal_actors::kernel::journal::sqlite::backup;
use render_signal_actors::kernel::said::Said;
use render_signal_actors::said;
use tokio::sync::Semaphore;

use super::ServiceError;
use crate::settings::JournalPlace;

/// What the folders of copies that are being made are called.
const FOLDER_PREFIX: &str = "backup-";
/// Mode of such a folder.
const OWNER_ONLY: u32 = 0o700;
/// A folder as old as this was left by a process that died.
const ABANDONED_AFTER: TimeDelta = TimeDelta::hours(24);

/// Makes copies, one at a time: each reads the whole journal and takes as much of the disk.
#[derive(Clone)]
pub(crate) struct Backups {
    place: JournalPlace,
    journal: Arc<dyn JournalAdmin>,
    world: World,
    folder: PathBuf,
    one: Arc<Semaphore>,
}

/// A copy, complete.
#[derive(Debug)]
pub(crate) struct Backup {
    /// From its beginning; it has no name and is gone when this is closed.
    pub(crate) file: File,
    /// Bytes.
    pub(crate) length: u64,
    /// What it may be called.
    pub(crate) name: String,
    /// `application/vnd.sqlite3` or `application/jsonl`.
    pub(crate) media_type: &'static str,
}

impl Backups {
    /// Copies of this journal, made within `folder`.
    pub(crate) fn new(
        place: JournalPlace,
        journal: Arc<dyn JournalAdmin>,
        world: World,
        folder: PathBuf,
    ) -> Self {
        Self { place, journal, world, folder, one: Arc::new(Semaphore::new(1)) }
    }

    /// Makes a copy. Takes as long as reading the whole journal does.
    pub(crate) async fn make(&self) -> Result<Backup, ServiceError> {
        let Ok(_alone) = self.one.try_acquire() else {
            return Err(ServiceError::State(said!(
                "une copie est déjà en cours\u{a0}; attendez qu'elle soit finie",
                "a copy is being made already; wait until it is done"
            )));
        };
        sweep(&self.folder, self.world.now());
        let folder = BackupFolder::within(&self.folder, &self.world)?;
        let at = self.world.now().format("%Y%m%dT%H%M%SZ");
        let (file, name, media_type) = match &self.place {
            JournalPlace::File(path) => {
                let copy = folder.0.join("journal.db");
                let file = copied(path.clone(), copy).await?;
                (file, format!("render-signal-{at}.db"), "application/vnd.sqlite3")
            }
            JournalPlace::Redis(_) => {
                let file = self.exported(&folder.0.join("journal.jsonl")).await?;
                (file, format!("render-signal-{at}.jsonl"), "application/jsonl")
            }
        };
        let length = file.metadata().map_err(|error| failed(&error))?.len();
        Ok(Backup { file, length, name, media_type })
    }

    /// The events and all that belongs to them, as lines.
    async fn exported(&self, to: &Path) -> Result<File, ServiceError> {
        let mut lines = BufWriter::new(files::create_new(to, PRIVATE).map_err(|error| failed(&error))?);
        transfer::export(self.journal.as_ref(), self.world.now(), |line| {
            serde_json::to_writer(&mut lines, line)?;
            lines.write_all(b"\n")
        })
        .await
        .map_err(|error| failed(&error))?;
        lines.into_inner().map_err(|error| failed(error.error()))?;
        let mut file = File::open(to).map_err(|error| failed(&error))?;
        file.rewind().map_err(|error| failed(&error))?;
        Ok(file)
    }
}

/// A private folder that is removed with what lies in it.
struct BackupFolder(PathBuf);

impl BackupFolder {
    fn within(parent: &Path, world: &World) -> Result<Self, ServiceError> {
        let folder = parent.join(format!("{FOLDER_PREFIX}{}", world.ids.next().simple()));
        DirBuilder::new().mode(OWNER_ONLY).create(&folder).map_err(|error| failed(&error))?;
        Ok(Self(folder))
    }
}

impl Drop for BackupFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, folder = %self.0.display(), "what is left of a copy of the journal could not be removed");
        }
    }
}

/// The file of a journal, copied on a thread that may wait for the disk.
async fn copied(from: PathBuf, to: PathBuf) -> Result<File, ServiceError> {
    let copying = tokio::task::spawn_blocking(move || {
        backup::copy(&from, &to).map_err(ServiceError::journal)?;
        File::open(&to).map_err(|error| failed(&error))
    });
    copying.await.map_err(|error| failed(&error))?
}

/// Removes what a process that died while it made a copy has left.
fn sweep(folder: &Path, now: DateTime<Utc>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(FOLDER_PREFIX));
        let old = || {
            let changed = entry.metadata().and_then(|found| found.modified()).ok();
            changed.is_some_and(|changed| now - DateTime::<Utc>::from(changed) > ABANDONED_AFTER)
        };
        if ours
            && old()
            && let Err(error) = std::fs::remove_dir_all(entry.path())
        {
            tracing::warn!(%error, folder = %entry.path().display(), "what is left of a copy of the journal could not be removed");
        }
    }
}

fn failed(error: &dyn std::fmt::Display) -> ServiceError {
    let Said { french, english } = said!(
        "la copie du journal n'a pas pu être faite\u{a0}: {error}",
        "the copy of the journal could not be made: {error}"
    );
    ServiceError::Away(Said { french, english })
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};

    use render_signal_actors::kernel::event::DomainEvent as _;
    use render_signal_actors::kernel::journal::memory::MemoryJournal;
    use render_signal_actors::kernel::journal::sqlite::{SqliteJournal, SqliteOptions};
    use render_signal_actors::kernel::journal::{Commit, Expected, Journal, StreamWrite};
    use render_signal_actors::mail::life::mail_stream;
    use render_signal_actors::readmodel;

    use super::*;
    use crate::demo::ledger::tests::received;

    async fn write(journal: &dyn Journal, world: &World) {
        let event = received("a", "01").to_new(world.ids.next()).unwrap();
        let write =
            StreamWrite { stream: mail_stream("a"), expected: Expected::NoStream, events: vec![event] };
        let commit = Commit { at: world.now(), writes: vec![write], ..Commit::default() };
        journal.append(commit).await.unwrap();
    }

    #[tokio::test]
    async fn a_copy_of_a_file_can_be_opened_in_its_place_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let world = World::real();
        let path = folder.path().join("journal.db");
        let journal =
            SqliteJournal::open(&path, world.clone(), readmodel::all(), SqliteOptions::default()).unwrap();
        write(journal.as_ref(), &world).await;
        let place = JournalPlace::File(path);
        let backups = Backups::new(place, journal, world.clone(), folder.path().to_owned());
        let left = folder.path().join("backup-left");
        std::fs::create_dir(&left).unwrap();
        let mut backup = backups.make().await.unwrap();
        assert!(backup.name.ends_with(".db") && backup.length > 0, "{backup:?}");
        let folders = std::fs::read_dir(folder.path()).unwrap().flatten().filter(|one| one.path().is_dir());
        assert_eq!(folders.count(), 1, "what another process makes now stays, ours is gone");

        let elsewhere = tempfile::tempdir().unwrap();
        let restored = elsewhere.path().join("journal.db");
        std::io::copy(&mut backup.file, &mut File::create(&restored).unwrap()).unwrap();
        let restored =
            SqliteJournal::open(&restored, world, readmodel::all(), SqliteOptions::default()).unwrap();
        assert_eq!(restored.head().await.unwrap(), 1);
        assert!(restored.verify().await.unwrap().problems.is_empty());
    }

    #[tokio::test]
    async fn a_copy_of_another_journal_is_what_import_takes() {
        let folder = tempfile::tempdir().unwrap();
        let world = World::real();
        let journal = Arc::new(MemoryJournal::new(world.clone(), readmodel::all()));
        write(journal.as_ref(), &world).await;
        let place = crate::settings::Storage::from_env(|name| {
            (name == "JOURNAL_URL").then(|| "redis://127.0.0.1:1/0".to_owned())
        });
        let place = place.unwrap().journal;
        let backups = Backups::new(place, journal, world.clone(), folder.path().to_owned());
        let backup = backups.make().await.unwrap();
        let into = MemoryJournal::new(world, readmodel::all());
        let mut import = transfer::Import::into_empty(&into).await.unwrap();
        for line in BufReader::new(backup.file).lines() {
            import.line(&line.unwrap()).await.unwrap();
        }
        assert_eq!(import.finish().await.unwrap().events, 1);
    }
}
