//! One commit inside the writer's transaction.
//!
//! Everything is checked before anything is written, so that a refused commit leaves no
//! trace in the group it shares a transaction with.

use rusqlite::{Connection, OptionalExtension as _};
use uuid::Uuid;

use super::outbox;
use super::rows::{self, Sum, Summed, signed, unsigned};
use super::trim;
use crate::kernel::event::{NewEvent, Recorded, StreamId};
use crate::kernel::journal::{AppendError, Appended, Commit, Queue, StreamWrite, rules};
use crate::kernel::projection::{self, FedEvent, Projection};

/// The writer's open transaction.
pub(super) struct Tx<'c> {
    /// The connection it runs on.
    pub(super) db: &'c Connection,
    /// Fed with every event.
    pub(super) projections: &'c [Box<dyn Projection>],
    /// Position of the last event.
    pub(super) head: u64,
    /// Checksum of the last event.
    pub(super) sum: Sum,
    /// Per queue: how many operations added or released rows.
    pub(super) touched: [u64; Queue::COUNT],
}

impl<'c> Tx<'c> {
    /// Reads the end of the log. Another process may have moved it since the last transaction.
    pub(super) fn load(db: &'c Connection, projections: &'c [Box<dyn Projection>]) -> rusqlite::Result<Self> {
        let last = db
            .prepare_cached("SELECT position, sum FROM event ORDER BY position DESC LIMIT 1")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (head, sum) = last.unwrap_or((0, Sum::default()));
        Ok(Self { db, projections, head: unsigned(head), sum, touched: [0; Queue::COUNT] })
    }

    /// Notes that an operation added or released rows of a queue.
    pub(super) fn touch(&mut self, queue: Queue) {
        if let Some(count) = self.touched.get_mut(rules::queue_index(queue)) {
            *count += 1;
        }
    }
}

/// A stream that the commit writes to.
struct WrittenStream {
    name: StreamId,
    id: Option<i64>,
    version: u64,
    head: u64,
}

/// Applies one commit.
///
/// # Errors
/// The outer error is the database's and spoils the transaction; the inner one is the answer.
pub(super) fn append(tx: &mut Tx<'_>, commit: &Commit) -> rusqlite::Result<Result<Appended, AppendError>> {
    if let Err(refused) = rules::well_formed(commit) {
        return Ok(Err(refused));
    }
    match landed(tx.db, commit)? {
        Ok(None) => {}
        Ok(Some(position)) => return Ok(Ok(Appended { position, already_there: true })),
        Err(refused) => return Ok(Err(refused)),
    }
    if let Err(refused) = check_fence(tx.db, commit)? {
        return Ok(Err(refused));
    }
    let mut streams = match check_versions(tx.db, commit)? {
        Ok(streams) => streams,
        Err(refused) => return Ok(Err(refused)),
    };
    if let Err(refused) = trim::check(tx.db, commit)? {
        return Ok(Err(refused));
    }
    let ended = match outbox::check_claims(tx.db, commit)? {
        Ok(ended) => ended,
        Err(refused) => return Ok(Err(refused)),
    };

    for write in commit.writes.iter().filter(|write| !write.events.is_empty()) {
        if let Some(stream) = streams.iter_mut().find(|stream| stream.name == write.stream) {
            write_events(tx, commit, write, stream)?;
        }
    }
    trim::write(tx.db, commit)?;
    outbox::write(tx, commit, &ended)?;
    write_bodies(tx.db, commit)?;
    Ok(Ok(Appended { position: tx.head, already_there: false }))
}

fn landed(db: &Connection, commit: &Commit) -> rusqlite::Result<Result<Option<u64>, AppendError>> {
    let mut find = db.prepare_cached(
        "SELECT e.position, s.name FROM event e JOIN stream s ON s.id = e.stream WHERE e.id = ?1",
    )?;
    let mut found = Vec::new();
    for write in &commit.writes {
        for event in &write.events {
            let there: Option<(i64, String)> =
                find.query_row([event.id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            if let Some((_, stream)) = &there
                && stream != write.stream.as_str()
            {
                return Ok(Err(rules::id_taken(event.id)));
            }
            found.push(there.map(|(position, _)| unsigned(position)));
        }
    }
    Ok(rules::repeated(&found))
}

fn check_fence(db: &Connection, commit: &Commit) -> rusqlite::Result<Result<(), AppendError>> {
    let Some(fence) = &commit.fence else { return Ok(Ok(())) };
    let token: Option<i64> = db
        .prepare_cached("SELECT token FROM fence WHERE lease = ?1")?
        .query_row([&fence.lease], |row| row.get(0))
        .optional()?;
    let current = token.map_or(0, unsigned);
    if current != 0 && fence.token != current {
        return Ok(Err(AppendError::Fenced { lease: fence.lease.clone(), held: fence.token, current }));
    }
    Ok(Ok(()))
}

fn check_versions(
    db: &Connection,
    commit: &Commit,
) -> rusqlite::Result<Result<Vec<WrittenStream>, AppendError>> {
    let mut find = db.prepare_cached("SELECT id, version, head FROM stream WHERE name = ?1")?;
    // The name, and its version after the writes of this commit that were looked at so far.
    let mut streams: Vec<(WrittenStream, u64)> = Vec::new();
    for write in &commit.writes {
        let known = streams.iter().position(|(stream, _)| stream.name == write.stream);
        if known.is_none() {
            let there: Option<(i64, i64, i64)> = find
                .query_row([write.stream.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .optional()?;
            let (id, version, head) = there
                .map_or((None, 0, 0), |(id, version, head)| (Some(id), unsigned(version), unsigned(head)));
            streams.push((WrittenStream { name: write.stream.clone(), id, version, head }, version));
        }
        let index = known.unwrap_or(streams.len().saturating_sub(1));
        let Some((_, version)) = streams.get_mut(index) else { continue };
        if let Err(conflict) = rules::check_version(write, *version) {
            return Ok(Err(conflict));
        }
        *version += write.events.len() as u64;
    }
    Ok(Ok(streams.into_iter().map(|(stream, _)| stream).collect()))
}

fn write_events(
    tx: &mut Tx<'_>,
    commit: &Commit,
    write: &StreamWrite,
    stream: &mut WrittenStream,
) -> rusqlite::Result<()> {
    let count = write.events.len() as u64;
    let (version, head) = (signed(stream.version + count), signed(tx.head + count));
    let id = match stream.id {
        Some(id) => {
            tx.db
                .prepare_cached("UPDATE stream SET version = ?2, head = ?3 WHERE id = ?1")?
                .execute((id, version, head))?;
            id
        }
        None => tx
            .db
            .prepare_cached("INSERT INTO stream (name, version, head) VALUES (?1, ?2, ?3)")?
            .insert((stream.name.as_str(), version, head))?,
    };
    stream.id = Some(id);
    for event in &write.events {
        write_event(tx, commit, event, id, stream)?;
    }
    Ok(())
}

fn write_event(
    tx: &mut Tx<'_>,
    commit: &Commit,
    event: &NewEvent,
    stream_id: i64,
    stream: &mut WrittenStream,
) -> rusqlite::Result<()> {
    let payload = event.payload.to_string();
    let (position, version) = (tx.head + 1, stream.version + 1);
    let at = rules::micros(commit.at);
    let cause = commit.cause.as_ref().map(Uuid::as_bytes);
    let sum = Summed {
        position: signed(position),
        id: event.id.as_bytes(),
        stream: stream.name.as_str(),
        version: signed(version),
        kind: event.kind,
        schema: event.schema,
        at,
        cause: cause.map(<[u8; 16]>::as_slice),
        payload: &payload,
    }
    .sum(&tx.sum);
    tx.db
        .prepare_cached(
            "INSERT INTO event (position, id, stream, version, prev, kind, schema, at, cause, payload, sum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute((
            signed(position),
            event.id.as_bytes(),
            stream_id,
            signed(version),
            signed(stream.head),
            event.kind,
            event.schema,
            at,
            cause,
            &payload,
            sum,
        ))?;
    (tx.head, tx.sum) = (position, sum);
    (stream.version, stream.head) = (version, position);
    if tx.projections.is_empty() {
        return Ok(());
    }
    let recorded = Recorded {
        position,
        id: event.id,
        stream: stream.name.clone(),
        version,
        kind: event.kind.to_owned(),
        schema: event.schema,
        at: rules::instant(at),
        cause: commit.cause,
        payload: event.payload.clone(),
    };
    projection::feed(tx.db, tx.projections, &recorded)
}

fn write_bodies(db: &Connection, commit: &Commit) -> rusqlite::Result<()> {
    if commit.bodies.is_empty() {
        return Ok(());
    }
    let mut put = db.prepare_cached(
        "INSERT INTO body (key, keep_until, bytes, sum) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (key) DO UPDATE SET keep_until = ?2, bytes = ?3, sum = ?4",
    )?;
    for body in &commit.bodies {
        let bytes: &[u8] = &body.bytes;
        put.execute((&body.key, rules::micros(body.keep_until), bytes, rows::body_sum(bytes)))?;
    }
    Ok(())
}

/// Feeds every projection with the events that it has not seen.
///
/// They lag when they are new, or when another process without them has written.
///
/// # Errors
/// What SQLite says.
pub(super) fn catch_up(
    db: &Connection,
    projections: &[Box<dyn Projection>],
    head: u64,
) -> rusqlite::Result<()> {
    let mut behind = Vec::new();
    for one in projections {
        let seen = projection::checkpoint(db, one.name())?;
        if seen < head {
            behind.push((one.as_ref(), seen));
        }
    }
    let Some(start) = behind.iter().map(|(_, seen)| *seen).min() else { return Ok(()) };
    let mut query = db.prepare(&format!(
        "SELECT {} FROM event e JOIN stream s ON s.id = e.stream WHERE e.position > ?1
         AND e.payload <> '' ORDER BY e.position",
        rows::EVENT_COLUMNS
    ))?;
    let mut events = query.query([signed(start)])?;
    while let Some(row) = events.next()? {
        let recorded = rows::recorded(row)?;
        let event = FedEvent::new(&recorded);
        for (one, _) in behind.iter().filter(|(_, seen)| *seen < event.position) {
            projection::feed_one(db, *one, &event)?;
        }
    }
    behind.iter().try_for_each(|(one, _)| projection::advance(db, one.name(), head))
}
