//! Which process holds which claims.
//!
//! A claim outlives the worker that dies with it, until it runs out; after a crash that
//! would cost every delivery under way the rest of its lease. So each process that opens
//! the journal for writing locks a small file beside it, `<journal>-worker-<n>`, and puts
//! the number into its claims. The system drops the lock when the process dies, however it
//! dies. Whoever then takes the same number knows that the former owner is gone, and
//! releases what it held. A worker that is only frozen keeps its lock, and its claims.

use std::fs::{File, TryLockError};
use std::path::Path;

use rusqlite::Connection;

use super::outbox;
use crate::kernel::files;
use crate::kernel::journal::JournalError;

/// Processes that may write one journal at the same time.
const SLOTS: i64 = 64;

/// A number that no other living process has. Given back when dropped; the file stays, or two
/// processes could lock a file of the same name, one of them no longer in the folder.
#[derive(Debug)]
pub(super) struct ProcessSlot {
    /// The number.
    pub(super) number: i64,
    _lock: File,
}

impl ProcessSlot {
    /// Takes the lowest free number.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] when the lock files cannot be used or all are taken.
    pub(super) fn take(journal: &Path) -> Result<Self, JournalError> {
        for number in 0..SLOTS {
            let mut name = journal.as_os_str().to_owned();
            name.push(format!("-worker-{number}"));
            let unusable = |error: std::io::Error| {
                JournalError::Unavailable(format!(
                    "{}: cannot be locked: {error}",
                    Path::new(&name).display()
                ))
            };
            let file = files::open_lock(Path::new(&name)).map_err(unusable)?;
            files::give_to_owner_of(journal, &file).map_err(unusable)?;
            match file.try_lock() {
                Ok(()) => return Ok(Self { number, _lock: file }),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(unusable(error)),
            }
        }
        Err(JournalError::Unavailable(format!("{SLOTS} processes write {} already", journal.display())))
    }
}

/// Releases the claims of the slot's former owner, which is dead. Returns how many.
///
/// # Errors
/// What SQLite says.
pub(super) fn release_claims(db: &Connection, slot: &ProcessSlot) -> rusqlite::Result<usize> {
    db.execute_batch("BEGIN IMMEDIATE")?;
    let released = outbox::release(db, slot.number);
    db.execute_batch(if released.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    released
}
