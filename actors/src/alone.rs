//! Mails that a worker may have died of (ADR 0022).
//!
//! A claim that ends without its worker's doing says that the worker died or hung, with all the
//! mails that it had. Any of them may be the cause, most likely none is. So the next worker
//! that gets such a mail reads it alone, after a note in the mail's stream, and notes when
//! it is through. A mail whose notes stand when it is claimed once more was being read, alone,
//! when workers died: after [`DEATHS`] of them it is set aside, and shown.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use serde::Deserialize as _;
use tokio::sync::Semaphore;

use crate::kernel::aggregate::rehydrate;
use crate::kernel::clock::World;
use crate::kernel::event::DomainEvent as _;
use crate::kernel::journal::persist::persist;
use crate::kernel::journal::{
    AppendError, Claimed, Commit, Defer, Due, Expected, Journal, LIGHT, StreamWrite,
};
use crate::kernel::load::Load;
use crate::mail::life::{MailCleared, MailEvent, MailLife, MailSetAside, MailSuspected, mail_stream};
use crate::mail::outbox_rows::{DraftMeta, to_value};

/// Pause between tries to read a stream.
const PAUSE: Duration = Duration::from_millis(500);
/// Workers that may die while they read a mail alone before it is set aside. One or two of them
/// can be killed by chance in that moment, when a machine is in trouble and kills many.
pub(crate) const DEATHS: u32 = 3;
/// Why such a mail is set aside, for whoever reads the list.
const WHY: &str = "workers ended while they worked on it, three of them on it alone";

/// A place for one mail on trial. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Alone(Arc<Semaphore>);

impl Default for Alone {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

/// Why the work was not done.
#[derive(Debug)]
pub(crate) enum NotTried {
    /// The mail is set aside now, and its row with it.
    SetAside,
    /// The journal did not take the note.
    Failed(String),
}

/// Whether a claim on the row has ended without its worker's doing.
const fn is_suspect(row: &Claimed, meta: &DraftMeta) -> bool {
    row.claims > meta.returned.saturating_add(1)
}

impl Alone {
    /// Does `outbox_rows`, which reads the mail of `row`: at once, unless a worker may have died of it.
    ///
    /// # Errors
    /// See [`NotTried`].
    pub(crate) async fn read<T>(
        &self,
        journal: &dyn Journal,
        world: &World,
        (row, meta): (&Claimed, &DraftMeta),
        work: impl Future<Output = T>,
    ) -> Result<T, NotTried> {
        if !is_suspect(row, meta) {
            return Ok(work.await);
        }
        // Never closed.
        let _alone = self.0.acquire().await;
        let (trials, version) = standing(journal, world, &meta.email_id).await?;
        if trials >= DEATHS {
            set_aside(journal, world, row, meta, version).await?;
            return Err(NotTried::SetAside);
        }
        let queue = row.queue.as_str();
        tracing::warn!(
            email_id = meta.email_id,
            queue,
            "a worker ended while it had this mail, it is read alone"
        );
        let suspected = MailEvent::Suspected(MailSuspected { queue: queue.to_owned(), claims: row.claims });
        note(journal, world, &meta.email_id, &suspected, version).await?;
        // A panic is not the end of the process.
        let done = AssertUnwindSafe(work).catch_unwind().await;
        let cleared = MailEvent::Cleared(MailCleared { queue: queue.to_owned() });
        note(journal, world, &meta.email_id, &cleared, version + 1).await?;
        match done {
            Ok(done) => Ok(done),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// How many workers died while they read the mail alone, and the version of its stream; as soon
/// as the journal can tell.
async fn standing(journal: &dyn Journal, world: &World, email_id: &str) -> Result<(u32, u64), NotTried> {
    let events = loop {
        match journal.read_stream(&mail_stream(email_id), 0).await {
            Ok(events) => break events,
            Err(error) => {
                tracing::warn!(email_id, %error, "a mail's stream could not be read, trying again");
                tokio::time::sleep(world.jitter.spread(PAUSE)).await;
            }
        }
    };
    let life = rehydrate::<MailLife>(&events).map_err(|error| NotTried::Failed(error.to_string()))?;
    Ok((life.state.trials, life.version))
}

/// Appends a fact to the mail's stream, whatever else is appended to it at the same time. A note
/// that is missing would tell that a worker died.
async fn note(
    journal: &dyn Journal,
    world: &World,
    email_id: &str,
    event: &MailEvent,
    mut version: u64,
) -> Result<(), NotTried> {
    let event = event.to_new(world.ids.next()).map_err(|error| NotTried::Failed(error.to_string()))?;
    loop {
        let write = StreamWrite {
            stream: mail_stream(email_id),
            expected: Expected::Exact(version),
            events: vec![event.clone()],
        };
        let commit = Commit { at: world.now(), writes: vec![write], ..Commit::default() };
        match persist(journal, world, commit).await {
            Ok(_) => return Ok(()),
            Err(AppendError::Conflict { .. }) => version = standing(journal, world, email_id).await?.1,
            Err(error) => return Err(NotTried::Failed(error.to_string())),
        }
    }
}

/// Parks the row, and says so in the mail's stream.
async fn set_aside(
    journal: &dyn Journal,
    world: &World,
    row: &Claimed,
    meta: &DraftMeta,
    version: u64,
) -> Result<(), NotTried> {
    let queue = row.queue.as_str();
    let aside = MailEvent::SetAside(MailSetAside { queue: queue.to_owned(), why: WHY.to_owned() });
    let event = aside.to_new(world.ids.next()).map_err(|error| NotTried::Failed(error.to_string()))?;
    let write = StreamWrite {
        stream: mail_stream(&meta.email_id),
        expected: Expected::Exact(version),
        events: vec![event],
    };
    let parked = Defer {
        queue: row.queue,
        key: row.key.clone(),
        claim: Some(row.claim),
        due: Due::Parked,
        meta: Some(to_value(&returned(meta, row.claims))),
        partition: None,
    };
    let commit = Commit { at: world.now(), writes: vec![write], defer: vec![parked], ..Commit::default() };
    persist(journal, world, commit).await.map_err(|error| NotTried::Failed(error.to_string()))?;
    // Mails that two workers died of; each needs an operator.
    metrics::counter!("render_signal_mails_set_aside_total").increment(1);
    tracing::error!(
        email_id = meta.email_id,
        queue,
        "a mail was set aside: {WHY}; `mails list --state set-aside` shows it, `mails release` tries it again"
    );
    Ok(())
}

/// Tells what a claim has brought. The bodies must be there still.
pub(crate) fn heed(load: &Load, rows: &[Claimed]) {
    let heavy = rows.iter().filter(|row| row.body.as_ref().is_some_and(|body| body.len() > LIGHT));
    load.met(heavy.map(|row| DraftMeta::deserialize(&row.meta).is_ok_and(|meta| is_suspect(row, &meta))));
}

/// The meta of a row that its worker gives back: no claim was lost so far.
pub(crate) fn returned(meta: &DraftMeta, claims: u32) -> DraftMeta {
    DraftMeta { returned: claims, ..meta.clone() }
}
