//! The journal in memory: the reference model, for tests and for simulation.
//!
//! One mutex, no threads, no timers of its own: under `tokio::time::pause` a run is
//! the same each time. [`Faults`] are asked before each operation, and
//! [`MemoryJournal::crash`] forgets what had not reached the disk.

mod faults;
mod model;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
pub(super) use model::missing_body;
use rusqlite::Connection;
use tokio::sync::watch;

use self::faults::OperationLost;
pub use self::faults::{Fault, FaultPoint, Faults};
use self::model::{Model, Touched, UndoEntry};
use super::{
    AppendError, Appended, ClaimRequest, Claimed, Commit, Durability, Hint, Journal, JournalAdmin,
    JournalError, KeptBody, OutboxRow, Queue, Trim, VerifyReport,
};
use crate::kernel::clock::World;
use crate::kernel::event::{Recorded, StreamId};
use crate::kernel::projection::{self, Projections, ViewError, ViewJob, ViewRunner, Views};

const REJECTED: &str = "injected fault: refused";
const UNKNOWN: &str = "injected fault: no answer";
const CLOSED: &str = "the journal is closed";

impl From<OperationLost> for JournalError {
    fn from(lost: OperationLost) -> Self {
        Self::Unavailable(
            match lost {
                OperationLost::Rejected => REJECTED,
                OperationLost::Unknown => UNKNOWN,
            }
            .to_owned(),
        )
    }
}

impl From<OperationLost> for AppendError {
    fn from(lost: OperationLost) -> Self {
        match lost {
            OperationLost::Rejected => Self::Rejected(REJECTED.to_owned()),
            OperationLost::Unknown => Self::Indeterminate(UNKNOWN.to_owned()),
        }
    }
}

struct State {
    model: Model,
    changes: Vec<UndoEntry>,
    tables: Result<Connection, String>,
    closed: bool,
}

struct Shared {
    state: Mutex<State>,
    projections: Projections,
    faults: Option<Arc<dyn Faults>>,
    hints: watch::Sender<Hint>,
}

/// The journal in memory. See the module page.
pub struct MemoryJournal {
    world: World,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for MemoryJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MemoryJournal")
    }
}

impl MemoryJournal {
    /// An empty journal without faults.
    #[must_use]
    pub fn new(world: World, projections: Projections) -> Self {
        Self::build(world, projections, None)
    }

    /// An empty journal that asks `faults` before each operation.
    #[must_use]
    pub fn with_faults(world: World, projections: Projections, faults: Arc<dyn Faults>) -> Self {
        Self::build(world, projections, Some(faults))
    }

    fn build(world: World, projections: Projections, faults: Option<Arc<dyn Faults>>) -> Self {
        let state = State {
            model: Model::default(),
            changes: Vec::new(),
            tables: empty_tables(&projections),
            closed: false,
        };
        let shared = Shared {
            state: Mutex::new(state),
            projections,
            faults,
            hints: watch::Sender::new(Hint::default()),
        };
        Self { world, shared: Arc::new(shared) }
    }

    /// The process dies and its successor opens the journal: the last `lose_last` changes
    /// (commits, claims, fences …) had not reached the disk and never happened.
    ///
    /// A closed journal is open again afterwards.
    pub fn crash(&self, lose_last: usize) {
        let mut state = self.shared.lock();
        let kept = state.changes.len().saturating_sub(lose_last);
        state.changes.truncate(kept);
        let mut model = Model::default();
        let mut tables = empty_tables(&self.shared.projections);
        for change in &state.changes {
            // One after the other: what has left the log since was fed then.
            let new = model.redo(change);
            tables = tables.and_then(|tables| self.shared.feed(&tables, &new).map(|()| tables));
        }
        (state.model, state.tables) = (model, tables);
        state.closed = false;
        let position = state.model.head();
        drop(state);
        self.shared.hint(position, [1; Queue::COUNT]);
    }

    async fn ask(&self, point: FaultPoint) -> Fault {
        let Some(faults) = &self.shared.faults else { return Fault::Ok };
        let fault = faults.next(point);
        if let Fault::Delay(pause) = fault {
            tokio::time::sleep(pause).await;
        }
        fault
    }

    /// Runs a change under the lock, with the fault that was drawn for it.
    async fn change<T>(
        &self,
        point: FaultPoint,
        make: impl FnOnce(&mut State) -> Option<(UndoEntry, T)>,
    ) -> Result<Option<T>, JournalError> {
        let fault = self.ask(point).await;
        let mut state = self.shared.lock();
        if state.closed {
            return Err(JournalError::Unavailable(CLOSED.to_owned()));
        }
        match fault {
            Fault::Rejected => return Err(OperationLost::Rejected.into()),
            Fault::IndeterminateNotWritten => return Err(OperationLost::Unknown.into()),
            Fault::Ok | Fault::Delay(_) | Fault::IndeterminateWritten => {}
        }
        let Some((change, made)) = make(&mut state) else { return Ok(None) };
        state.changes.push(change);
        if fault == Fault::IndeterminateWritten { Err(OperationLost::Unknown.into()) } else { Ok(Some(made)) }
    }

    async fn read<T>(&self, look: impl FnOnce(&Model) -> T) -> Result<T, JournalError> {
        match self.ask(FaultPoint::Read).await {
            Fault::Ok | Fault::Delay(_) => {}
            Fault::Rejected => return Err(OperationLost::Rejected.into()),
            Fault::IndeterminateWritten | Fault::IndeterminateNotWritten => {
                return Err(OperationLost::Unknown.into());
            }
        }
        let state = self.shared.lock();
        if state.closed {
            return Err(JournalError::Unavailable(CLOSED.to_owned()));
        }
        Ok(look(&state.model))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hint(&self, position: u64, touched: Touched) {
        self.hints.send_modify(|hint| {
            hint.position = position;
            for (count, more) in hint.queues.iter_mut().zip(touched) {
                *count += more;
            }
        });
    }

    fn feed(&self, tables: &Connection, events: &[Recorded]) -> Result<(), String> {
        let feed = || -> rusqlite::Result<()> {
            for event in events {
                projection::feed(tables, &self.projections, event)?;
                for one in self.projections.iter() {
                    projection::advance(tables, one.name(), event.position)?;
                }
            }
            Ok(())
        };
        feed().map_err(|error| error.to_string())
    }
}

fn empty_tables(projections: &Projections) -> Result<Connection, String> {
    let open = || -> rusqlite::Result<Connection> {
        let tables = Connection::open_in_memory()?;
        projection::prepare(&tables, projections)?;
        Ok(tables)
    };
    open().map_err(|error| error.to_string())
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn append(&self, commit: Commit) -> Result<Appended, AppendError> {
        let fault = self.ask(FaultPoint::Append).await;
        let mut state = self.shared.lock();
        if state.closed {
            return Err(AppendError::Rejected(CLOSED.to_owned()));
        }
        match fault {
            Fault::Rejected => return Err(OperationLost::Rejected.into()),
            Fault::IndeterminateNotWritten => return Err(OperationLost::Unknown.into()),
            Fault::Ok | Fault::Delay(_) | Fault::IndeterminateWritten => {}
        }
        let outcome = state.model.append(&commit)?;
        if !outcome.appended.already_there {
            state.changes.push(UndoEntry::Commit(Arc::new(commit)));
            let fed = state.tables.as_ref().map(|tables| self.shared.feed(tables, &outcome.new));
            if let Ok(Err(error)) = fed {
                state.tables = Err(error);
            }
        }
        let position = state.model.head();
        drop(state);
        self.shared.hint(position, outcome.touched);
        if fault == Fault::IndeterminateWritten {
            Err(OperationLost::Unknown.into())
        } else {
            Ok(outcome.appended)
        }
    }

    async fn read_stream(&self, stream: &StreamId, after: u64) -> Result<Vec<Recorded>, JournalError> {
        self.read(|model| model.stream(stream, after)).await
    }

    async fn read_log(&self, after: u64, limit: usize) -> Result<Vec<Recorded>, JournalError> {
        self.read(|model| model.log(after, limit)).await
    }

    async fn head(&self) -> Result<u64, JournalError> {
        self.read(Model::head).await
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Vec<Claimed>, JournalError> {
        let ids = &self.world.ids;
        let claimed = self
            .change(FaultPoint::Claim, |state| {
                let claimed = state.model.claim(&request, || ids.next());
                let tokens: Vec<_> = claimed.iter().map(|row| row.claim).collect();
                (!tokens.is_empty()).then(|| (UndoEntry::Claim(Arc::new(request), tokens), claimed))
            })
            .await?;
        Ok(claimed.unwrap_or_default())
    }

    async fn hasten(
        &self,
        queue: Queue,
        only: Option<&[String]>,
        now: DateTime<Utc>,
    ) -> Result<u64, JournalError> {
        let count = self
            .change(FaultPoint::Claim, |state| {
                let count = state.model.hasten(queue, only, now);
                (count > 0).then(|| (UndoEntry::Hasten(queue, only.map(<[String]>::to_vec), now), count))
            })
            .await?
            .unwrap_or(0);
        if count > 0 {
            let position = self.shared.lock().model.head();
            self.shared.hint(position, Queue::ALL.map(|of| u64::from(of == queue)));
        }
        Ok(count)
    }

    async fn next_due(&self, queue: Queue) -> Result<Option<DateTime<Utc>>, JournalError> {
        self.read(|model| model.next_due(queue)).await
    }

    async fn outbox(&self, queue: Queue, limit: usize) -> Result<Vec<OutboxRow>, JournalError> {
        let now = self.world.now();
        self.read(|model| model.outbox(queue, limit, now)).await
    }

    async fn body(&self, key: &str) -> Result<Option<Bytes>, JournalError> {
        self.read(|model| model.body(key)).await
    }

    async fn bodies_of(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, JournalError> {
        self.read(|model| keys.iter().map(|key| model.body(key)).collect()).await
    }

    async fn raise_fence(&self, lease: &str) -> Result<u64, JournalError> {
        let raised = self
            .change(FaultPoint::Append, |state| {
                Some((UndoEntry::RaiseFence(lease.to_owned()), state.model.raise_fence(lease)))
            })
            .await?;
        Ok(raised.unwrap_or_default())
    }

    fn hints(&self) -> watch::Receiver<Hint> {
        self.shared.hints.subscribe()
    }

    fn views(&self) -> Views {
        Views::new(Arc::clone(&self.shared) as Arc<dyn ViewRunner>)
    }

    async fn close(&self) {
        self.shared.lock().closed = true;
    }
}

#[async_trait]
impl JournalAdmin for MemoryJournal {
    async fn bodies(&self, offset: u64, limit: usize) -> Result<Vec<KeptBody>, JournalError> {
        self.read(|model| model.kept_bodies(offset, limit)).await
    }

    async fn trimmed(&self, offset: u64, limit: usize) -> Result<Vec<Trim>, JournalError> {
        self.read(|model| model.trimmed(offset, limit)).await
    }

    async fn purge(&self, now: DateTime<Utc>) -> Result<u64, JournalError> {
        let purged = self
            .change(FaultPoint::Append, |state| {
                let purged = state.model.purge(now);
                (purged > 0).then_some((UndoEntry::Purge(now), purged))
            })
            .await?;
        Ok(purged.unwrap_or_default())
    }

    fn durability(&self) -> Durability {
        Durability::Memory
    }

    async fn verify(&self) -> Result<VerifyReport, JournalError> {
        self.read(Model::verify).await
    }
}

#[async_trait]
impl ViewRunner for Shared {
    async fn run(&self, job: ViewJob) -> Result<(), ViewError> {
        let fault = self.faults.as_ref().map_or(Fault::Ok, |faults| faults.next(FaultPoint::Read));
        match fault {
            Fault::Ok => {}
            Fault::Delay(pause) => tokio::time::sleep(pause).await,
            _ => return Err(ViewError(UNKNOWN.to_owned())),
        }
        let state = self.lock();
        if state.closed {
            return Err(ViewError(CLOSED.to_owned()));
        }
        match &state.tables {
            Ok(tables) => job(tables),
            Err(error) => return Err(ViewError(error.clone())),
        }
        Ok(())
    }
}
