//! Opens the journal for each purpose, and keeps an eye on it.

mod watched;

use std::sync::Arc;
use std::time::Duration;

use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::journal::redis::{
    Installation, Owner, Profile, RedisJournal, RedisOptions,
};
use render_signal_actors::kernel::journal::sqlite::{SqliteJournal, SqliteOptions};
use render_signal_actors::kernel::journal::{Durability, Journal as _, JournalAdmin, JournalError};
use render_signal_actors::readmodel;
use tokio::time::Instant;

pub(crate) use self::watched::Watched;
use crate::exit::CommandFailure;
use crate::findings;
use crate::lang::Lang;
use crate::settings::{JournalPlace, RedisPlace, Settings, environment};
use crate::words::recorded;

/// Between two lines of the log that say what a start waits for.
const SAID_AGAIN: Duration = Duration::from_secs(15);
/// Between two tries to open a journal whose server is not ready.
const TRIED_AGAIN: Duration = Duration::from_millis(500);

/// Opens the journal of a worker of this installation. A server that loads its data, cannot
/// write them or has lost its replicas is waited for: that passes, and a start that gave up
/// would only be repeated by whatever supervises it.
///
/// # Errors
/// Exit code 4 with what is wrong and what to do.
pub(crate) async fn open_for_work(
    settings: &Settings,
    world: &World,
) -> Result<Arc<Watched>, CommandFailure> {
    let place = &settings.storage.journal;
    let JournalPlace::Redis(redis) = place else {
        let journal = in_file_or_redis(place, world).await?;
        let durability = settings.storage.durability(journal.durability());
        return Ok(Watched::lasting(journal, world.clone(), durability));
    };
    let mut said: Option<Instant> = None;
    loop {
        let who = Who { owner: Owner::Noted(settings.installation()), profile: Some(settings.profile()) };
        match in_redis(redis, world, who).await {
            Ok(journal) => {
                if said.is_some() {
                    tracing::info!(journal = %place, "the journal is there now");
                }
                return Ok(Watched::over(journal, world.clone()));
            }
            Err(JournalError::NotYet(why)) => {
                if said.is_none_or(|said| said.elapsed() >= SAID_AGAIN) {
                    tracing::warn!(journal = %place, why, "not started yet: waiting for the server of the journal");
                    said = Some(Instant::now());
                }
                tokio::time::sleep(world.jitter.spread(TRIED_AGAIN)).await;
            }
            Err(error) => return Err(refused(&error)),
        }
    }
}

/// Says that the journal in Redis is that of this installation, whosever it was. Returns what
/// differed before, in plain words.
///
/// # Errors
/// Exit code 4 with what is wrong and what to do; one in a file belongs to whoever has it.
pub(crate) async fn adopt(
    place: &JournalPlace,
    installation: &Installation,
    world: &World,
) -> Result<Option<String>, CommandFailure> {
    let JournalPlace::Redis(redis) = place else {
        return Err(CommandFailure::journal(format!(
            "{place} is a file: it belongs to whoever has its folder"
        )));
    };
    let journal = in_redis(redis, world, Who::default()).await.map_err(|error| refused(&error))?;
    let outcome = journal.adopt(installation).await.map_err(|error| refused(&error));
    journal.close().await;
    outcome
}

/// Opens the journal for writing, and creates it when there is none.
///
/// # Errors
/// Exit code 4 with what is wrong and what to do.
pub(crate) async fn open(place: &JournalPlace, world: &World) -> Result<Arc<Watched>, CommandFailure> {
    Ok(Watched::over(in_file_or_redis(place, world).await?, world.clone()))
}

async fn in_file_or_redis(
    place: &JournalPlace,
    world: &World,
) -> Result<Arc<dyn JournalAdmin>, CommandFailure> {
    Ok(match place {
        JournalPlace::File(path) => {
            SqliteJournal::open(path, world.clone(), readmodel::all(), SqliteOptions::default())
                .map_err(|error| refused(&error))?
        }
        JournalPlace::Redis(redis) => {
            in_redis(redis, world, Who::default()).await.map_err(|error| refused(&error))?
        }
    })
}

/// Who opens a journal in Redis.
#[derive(Default)]
struct Who {
    /// Whose it has to be.
    owner: Owner,
    /// The workers are compared with this.
    profile: Option<Profile>,
}

async fn in_redis(place: &RedisPlace, world: &World, who: Who) -> Result<Arc<RedisJournal>, JournalError> {
    let options = RedisOptions {
        prefix: place.prefix.clone(),
        owner: who.owner,
        profile: who.profile,
        ..RedisOptions::new(place.server.clone())
    };
    RedisJournal::open(options, world.clone(), readmodel::all()).await
}

/// Opens an existing journal for looking only; a server may be writing it. One in Redis that
/// is empty is marked as new, as a worker would do.
///
/// # Errors
/// Exit code 4 with what is wrong and what to do.
pub(crate) async fn open_to_look(
    place: &JournalPlace,
    world: &World,
) -> Result<Arc<dyn JournalAdmin>, CommandFailure> {
    match place {
        JournalPlace::File(path) => {
            let journal =
                SqliteJournal::open_read_only(path, world.clone()).map_err(|error| refused(&error))?;
            Ok(journal)
        }
        JournalPlace::Redis(redis) => {
            let journal = in_redis(redis, world, Who::default()).await.map_err(|error| refused(&error))?;
            Ok(journal)
        }
    }
}

/// The same for a command that compares the journal and its workers with the settings it has itself:
/// as a worker with these settings would be, it is refused a journal of another installation.
///
/// # Errors
/// Exit code 4 with what is wrong and what to do.
pub(crate) async fn open_to_compare(
    settings: &Settings,
    world: &World,
) -> Result<Arc<dyn JournalAdmin>, CommandFailure> {
    let place = &settings.storage.journal;
    let JournalPlace::Redis(redis) = place else { return open_to_look(place, world).await };
    let who = Who { owner: Owner::Compared(settings.installation()), profile: Some(settings.profile()) };
    let journal = in_redis(redis, world, who).await.map_err(|error| refused(&error))?;
    Ok(journal)
}

/// What a command finds that can do its work without a journal, too.
pub(crate) enum JournalLookup {
    /// It is there.
    Here(Arc<dyn JournalAdmin>),
    /// No server has ever run here.
    Missing,
    /// Its server does not answer now, and why. A file always does, or is damaged.
    Away(String),
}

/// Opens the journal for a command that can do its work without.
///
/// # Errors
/// Exit code 4 when it is there and cannot be used, with what is wrong and what to do.
pub(crate) async fn find(
    place: &JournalPlace,
    purpose: Purpose,
    world: &World,
) -> Result<JournalLookup, CommandFailure> {
    if is_missing(place) {
        return Ok(JournalLookup::Missing);
    }
    match (place, purpose) {
        (JournalPlace::Redis(redis), _) => match in_redis(redis, world, Who::default()).await {
            Ok(journal) => Ok(JournalLookup::Here(journal)),
            Err(JournalError::Unavailable(why) | JournalError::NotYet(why)) => Ok(JournalLookup::Away(why)),
            Err(error) => Err(refused(&error)),
        },
        (JournalPlace::File(_), Purpose::Look) => Ok(JournalLookup::Here(open_to_look(place, world).await?)),
        (JournalPlace::File(_), Purpose::Write) => Ok(JournalLookup::Here(open(place, world).await?)),
    }
}

/// What a command does with the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It reads; a server may be writing.
    Look,
    /// It writes, too.
    Write,
}

/// Whether there is no journal at all yet. Only a file can tell.
pub(crate) fn is_missing(place: &JournalPlace) -> bool {
    place.file().is_some_and(|path| !path.exists())
}

/// Says it in the log.
pub(crate) fn say_what_is_kept(place: &JournalPlace, durability: Durability) {
    let kept = findings::durability(durability).said();
    match durability {
        Durability::OnDisk | Durability::UpToTwoSeconds => tracing::info!(journal = %place, "{kept}"),
        Durability::UntilRestart | Durability::UntilDeploy | Durability::Unknown | Durability::Memory => {
            tracing::warn!(journal = %place, "{kept}");
        }
    }
}

/// A journal that cannot be opened or read ends the command with exit code 4.
pub(crate) fn refused(error: &JournalError) -> CommandFailure {
    CommandFailure::journal(Lang::of_locale(environment).one(recorded::said(error)))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use render_signal_actors::kernel::journal::memory::{Fault, FaultPoint, Faults, MemoryJournal};

    use super::*;
    use render_signal_actors::kernel::journal::Commit;
    use std::sync::Mutex;

    struct Script(Mutex<VecDeque<Fault>>);
    impl Faults for Script {
        fn next(&self, _: FaultPoint) -> Fault {
            self.0.lock().unwrap().pop_front().unwrap_or(Fault::Ok)
        }
    }

    fn watched(faults: impl IntoIterator<Item = Fault>) -> Arc<Watched> {
        let script = Script(Mutex::new(faults.into_iter().collect()));
        let world = World::real();
        let journal = MemoryJournal::with_faults(world.clone(), readmodel::all(), Arc::new(script));
        Watched::over(Arc::new(journal), world)
    }

    #[tokio::test]
    async fn a_journal_that_was_never_written_to_is_well() {
        assert_eq!(watched([Fault::Rejected]).check().await, None, "no probe without a reason");
    }

    #[tokio::test]
    async fn a_refused_commit_is_remembered_until_one_is_taken() {
        let journal = watched([Fault::Rejected, Fault::Rejected, Fault::Ok]);
        assert!(journal.append(Commit::default()).await.is_err());
        assert!(journal.check().await.is_some(), "the probe is refused, too");
        assert_eq!(journal.check().await, None, "the probe goes through");
        assert_eq!(journal.check().await, None);
    }
}
