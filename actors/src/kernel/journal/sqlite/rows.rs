//! Between Rust and the columns.

use chrono::{DateTime, Utc};
use rusqlite::Row;
use rusqlite::types::Type;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::kernel::event::{Recorded, StreamId};
use crate::kernel::journal::{Due, Queue, rules};

/// A checksum: SHA-256, cut.
pub(super) type Sum = [u8; 16];

/// The columns [`recorded`] reads, in its order, from `event e JOIN stream s ON s.id = e.stream`.
pub(super) const EVENT_COLUMNS: &str =
    "e.position, e.id, s.name, e.version, e.kind, e.schema, e.at, e.cause, e.payload";

/// SQLite knows signed numbers only; no counter gets that far.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The inverse of [`signed`].
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// An event from a row with [`EVENT_COLUMNS`].
pub(super) fn recorded(row: &Row<'_>) -> rusqlite::Result<Recorded> {
    let stream = row.get_ref(2)?.as_str().map_err(|error| unreadable(2, Type::Text, error))?;
    let payload = row.get_ref(8)?.as_str().map_err(|error| unreadable(8, Type::Text, error))?;
    Ok(Recorded {
        position: unsigned(row.get(0)?),
        id: uuid(row, 1)?,
        stream: StreamId::from_stored(stream),
        version: unsigned(row.get(3)?),
        kind: row.get(4)?,
        schema: row.get(5)?,
        at: rules::instant(row.get(6)?),
        cause: optional_uuid(row, 7)?,
        payload: serde_json::from_str(payload).map_err(|error| unreadable(8, Type::Text, error))?,
    })
}

/// A column that holds an id.
pub(super) fn uuid(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    row.get::<_, [u8; 16]>(column).map(Uuid::from_bytes)
}

/// A column that may hold an id.
pub(super) fn optional_uuid(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Uuid>> {
    Ok(row.get::<_, Option<[u8; 16]>>(column)?.map(Uuid::from_bytes))
}

/// A column that holds JSON.
pub(super) fn json(row: &Row<'_>, column: usize) -> rusqlite::Result<serde_json::Value> {
    let text = row.get_ref(column)?.as_str().map_err(|error| unreadable(column, Type::Text, error))?;
    serde_json::from_str(text).map_err(|error| unreadable(column, Type::Text, error))
}

fn unreadable(
    column: usize,
    of: Type,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, of, Box::new(error))
}

/// A queue as stored.
pub(super) const fn queue_number(queue: Queue) -> i64 {
    rules::queue_index(queue) as i64
}

/// `(state, due)` as stored.
pub(super) const fn due_columns(due: Due) -> (i64, Option<i64>) {
    match due {
        Due::At(at) => (0, Some(rules::micros(at))),
        Due::Reserved => (1, None),
        Due::Parked => (2, None),
    }
}

/// The inverse of [`due_columns`].
pub(super) fn due_of(state: i64, due: Option<i64>) -> Due {
    match state {
        0 => Due::At(due.map_or(DateTime::<Utc>::UNIX_EPOCH, rules::instant)),
        1 => Due::Reserved,
        _ => Due::Parked,
    }
}

/// What an event's checksum covers.
pub(super) struct Summed<'a> {
    pub(super) position: i64,
    pub(super) id: &'a [u8],
    pub(super) stream: &'a str,
    pub(super) version: i64,
    pub(super) kind: &'a str,
    pub(super) schema: u16,
    pub(super) at: i64,
    pub(super) cause: Option<&'a [u8]>,
    pub(super) payload: &'a str,
}

impl Summed<'_> {
    /// The checksum of an event that follows one with the checksum `previous`.
    pub(super) fn sum(&self, previous: &Sum) -> Sum {
        let mut hash = Sha256::new();
        hash.update(previous);
        for number in [self.position, self.version, i64::from(self.schema), self.at] {
            hash.update(number.to_le_bytes());
        }
        let cause = self.cause.unwrap_or_default();
        for text in [self.id, self.stream.as_bytes(), self.kind.as_bytes(), cause, self.payload.as_bytes()] {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        cut(&hash.finalize())
    }
}

/// The checksum of a body.
pub(super) fn body_sum(bytes: &[u8]) -> Sum {
    cut(&Sha256::digest(bytes))
}

fn cut(digest: &[u8]) -> Sum {
    let mut sum = Sum::default();
    for (to, from) in sum.iter_mut().zip(digest) {
        *to = *from;
    }
    sum
}
