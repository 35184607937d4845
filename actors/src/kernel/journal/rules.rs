//! What all backends share: the form of a commit, the refusals, instants as stored.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::{AppendError, Commit, Expected, Queue, StreamWrite, Trim};

/// Refuses a commit that contradicts itself, before any backend looks at it.
///
/// # Errors
/// [`AppendError::Rejected`], naming what is wrong.
pub(super) fn well_formed(commit: &Commit) -> Result<(), AppendError> {
    let mut ids = HashSet::new();
    for write in &commit.writes {
        if write.stream.as_str().is_empty() {
            return Err(AppendError::Rejected("a stream has no name".to_owned()));
        }
        for event in &write.events {
            if !ids.insert(event.id) {
                return Err(AppendError::Rejected(format!("event id {} is used twice", event.id)));
            }
        }
    }
    let mut trimmed = HashSet::new();
    for trim in &commit.trim {
        if trim.version == 0 || !trimmed.insert(&trim.stream) {
            return Err(AppendError::Rejected(format!("stream {} cannot be trimmed so", trim.stream)));
        }
    }
    if let Some(write) = commit.writes.iter().find(|write| trimmed.contains(&write.stream)) {
        return Err(AppendError::Rejected(format!(
            "stream {} is written and trimmed by the same commit",
            write.stream
        )));
    }
    for row in &commit.add {
        if row.key.is_empty() || row.partition.is_empty() {
            return Err(AppendError::Rejected(format!("a {} row has no key or no partition", row.queue)));
        }
    }
    if let Some(row) =
        commit.defer.iter().find(|row| row.partition.as_ref().is_some_and(|name| name.is_empty()))
    {
        return Err(AppendError::Rejected(format!(
            "{} row {:?} would have no partition",
            row.queue, row.key
        )));
    }
    let mut ended = HashSet::new();
    let settled = commit.settle.iter().map(|row| (row.queue, row.key.as_str()));
    let deferred = commit.defer.iter().map(|row| (row.queue, row.key.as_str()));
    for (queue, key) in settled.chain(deferred) {
        if !ended.insert((queue, key)) {
            return Err(AppendError::Rejected(format!("{queue} row {key:?} is ended twice")));
        }
    }
    Ok(())
}

/// Checks the belief of a write against the stream's version (0 = no such stream).
///
/// # Errors
/// [`AppendError::Conflict`].
pub(super) fn check_version(write: &StreamWrite, actual: u64) -> Result<(), AppendError> {
    let (holds, expected) = match write.expected {
        Expected::NoStream => (actual == 0, "no stream".to_owned()),
        Expected::Exact(version) => (actual == version, format!("version {version}")),
        Expected::Any => (true, String::new()),
    };
    if holds { Ok(()) } else { Err(AppendError::Conflict { stream: write.stream.clone(), expected, actual }) }
}

/// Checks a trim against the stream's version (0 = no such stream, which is fine).
///
/// # Errors
/// [`AppendError::Conflict`].
pub(super) fn check_trim(trim: &Trim, actual: u64) -> Result<(), AppendError> {
    if actual == trim.version || actual == 0 {
        return Ok(());
    }
    let expected = format!("version {}", trim.version);
    Err(AppendError::Conflict { stream: trim.stream.clone(), expected, actual })
}

/// Recognises a repeated commit. `found` is, for every event in order, the position at which
/// its id already stands in the same stream.
///
/// `Ok(None)` = all new; `Ok(Some(position of the last))` = all there.
///
/// # Errors
/// [`AppendError::Rejected`] when only some of them are there.
pub(super) fn repeated(found: &[Option<u64>]) -> Result<Option<u64>, AppendError> {
    let there = found.iter().flatten().count();
    if there == 0 {
        return Ok(None);
    }
    if there < found.len() {
        return Err(AppendError::Rejected(format!(
            "{there} of its {} events are in the journal already, the others are not",
            found.len()
        )));
    }
    Ok(found.iter().flatten().copied().max())
}

/// The refusal of an event id that stands in another stream.
pub(super) fn id_taken(id: uuid::Uuid) -> AppendError {
    AppendError::Rejected(format!("event id {id} is in the journal already, in another stream"))
}

/// Index of a queue in [`Queue::ALL`], as used by hints and as stored.
pub(super) const fn queue_index(queue: Queue) -> usize {
    match queue {
        Queue::Hold => 0,
        Queue::Offload => 1,
        Queue::Deliver => 2,
        Queue::Flag => 3,
        Queue::Config => 4,
    }
}

/// Instants are kept in microseconds since 1970, UTC; what is finer is cut off.
pub(super) const fn micros(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros()
}

/// The instant that was stored.
pub(super) fn instant(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}

/// `at` plus a lease, in microseconds; saturates.
pub(super) fn after(at: DateTime<Utc>, lease: std::time::Duration) -> i64 {
    micros(at).saturating_add(i64::try_from(lease.as_micros()).unwrap_or(i64::MAX))
}
