//! Reads everything and checks it.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::Connection;

use super::rows::{self, Sum, Summed, unsigned};
use super::{open, schema};
use crate::kernel::journal::memory::missing_body;
use crate::kernel::journal::{JournalError, Queue, VerifyReport};

/// After this many problems the rest is only counted: the file is in pieces.
const PROBLEMS: usize = 100;

/// What is known of a stream so far: its last version, and the position of that event.
type StreamVersions = HashMap<i64, (i64, i64)>;

struct VerifyFindings {
    problems: Vec<String>,
    more: u64,
}

impl VerifyFindings {
    fn add(&mut self, problem: String) {
        if self.problems.len() < PROBLEMS {
            self.problems.push(problem);
        } else {
            self.more += 1;
        }
    }
}

/// Checks a journal through a connection of its own, in one read transaction.
///
/// # Errors
/// When the file cannot be opened or read at all.
pub(super) fn verify(path: &Path) -> Result<VerifyReport, JournalError> {
    let db = open::open_to_look(path)?;
    let explain = |error: rusqlite::Error| schema::explain(path, &error);
    db.execute_batch("BEGIN").map_err(explain)?;
    let mut findings = VerifyFindings { problems: Vec::new(), more: 0 };
    structure(&db, &mut findings).map_err(explain)?;
    let mut streams = StreamVersions::new();
    let counted = events(&db, &mut streams, &mut findings).map_err(explain)?;
    let (streams, trimmed) = stream_heads(&db, &streams, &mut findings).map_err(explain)?;
    let outbox = outbox(&db, &mut findings).map_err(explain)?;
    bodies(&db, &mut findings).map_err(explain)?;
    checkpoints(&db, counted.head, &mut findings).map_err(explain)?;
    if findings.more > 0 {
        findings.problems.push(format!("and {} more problems", findings.more));
    }
    Ok(VerifyReport { events: counted.present, trimmed, streams, outbox, problems: findings.problems })
}

fn structure(db: &Connection, findings: &mut VerifyFindings) -> rusqlite::Result<()> {
    let mut query = db.prepare("PRAGMA integrity_check(20)")?;
    let mut found = query.query([])?;
    while let Some(row) = found.next()? {
        let text: String = row.get(0)?;
        if text != "ok" {
            findings.add(format!("the file is damaged: {text}"));
        }
    }
    Ok(())
}

/// How many events there are, and where the log ends.
struct LogCount {
    present: u64,
    head: u64,
}

fn events(
    db: &Connection,
    streams: &mut StreamVersions,
    findings: &mut VerifyFindings,
) -> rusqlite::Result<LogCount> {
    let mut query = db.prepare(
        "SELECT e.position, e.id, s.name, e.version, e.kind, e.schema, e.at, e.cause, e.payload, e.sum, e.prev,
             e.stream, s.trimmed
         FROM event e LEFT JOIN stream s ON s.id = e.stream ORDER BY e.position",
    )?;
    let mut found = query.query([])?;
    let mut present = 0;
    let mut last_position = 0;
    let mut last_sum = Sum::default();
    while let Some(row) = found.next()? {
        let position: i64 = row.get(0)?;
        if position != last_position + 1 {
            findings.add(format!("position {position} follows {last_position}"));
        }
        last_position = position;
        match event(row, position, &last_sum, streams) {
            Ok((sum, problems)) => {
                present += u64::from(!row.get_ref(8)?.as_str().is_ok_and(str::is_empty));
                last_sum = sum;
                problems.into_iter().for_each(|problem| findings.add(problem));
            }
            Err(error) => findings.add(format!("event {position} cannot be read: {error}")),
        }
    }
    Ok(LogCount { present, head: unsigned(last_position) })
}

/// Checks one event; returns its stored checksum, so that one bad event is reported once.
fn event(
    row: &rusqlite::Row<'_>,
    position: i64,
    last_sum: &Sum,
    streams: &mut StreamVersions,
) -> rusqlite::Result<(Sum, Vec<String>)> {
    let stored: Sum = row.get(9)?;
    let name: Option<String> = row.get(2)?;
    let (version, prev, stream): (i64, i64, i64) = (row.get(3)?, row.get(10)?, row.get(11)?);
    let (kind, payload): (String, String) = (row.get(4)?, row.get(8)?);
    let (id, cause) = (rows::uuid(row, 1)?, rows::optional_uuid(row, 7)?);
    let mut problems = Vec::new();

    let trimmed = row.get::<_, Option<i64>>(12)?.unwrap_or_default();
    // A stream may have had its first events elsewhere.
    let before = if prev == 0 && version <= trimmed + 1 { version - 1 } else { 0 };
    let (last_version, last_in_stream) = streams.insert(stream, (version, position)).unwrap_or((before, 0));
    if version != last_version + 1 || prev != last_in_stream {
        problems.push(format!("event {position} has version {version} after {last_version} in its stream"));
    }
    let Some(name) = name else {
        problems.push(format!("event {position} belongs to no stream"));
        return Ok((stored, problems));
    };
    // All of a stream's first events have left the log, or none of them.
    if payload.is_empty() == (version <= trimmed) {
        if payload.is_empty() {
            return Ok((stored, problems));
        }
    } else {
        problems.push(format!("event {position} ({kind} in {name}) should be archived, or should not"));
        return Ok((stored, problems));
    }
    let sum = Summed {
        position,
        id: id.as_bytes(),
        stream: &name,
        version,
        kind: &kind,
        schema: row.get(5)?,
        at: row.get(6)?,
        cause: cause.as_ref().map(|cause| cause.as_bytes().as_slice()),
        payload: &payload,
    };
    if sum.sum(last_sum) != stored {
        problems.push(format!("event {position} ({kind} in {name}) does not match its checksum"));
    }
    if serde_json::from_str::<serde::de::IgnoredAny>(&payload).is_err() {
        problems.push(format!("event {position} ({kind} in {name}) has a payload that is not JSON"));
    }
    Ok((stored, problems))
}

/// Returns how many streams there are, and how many events have left them.
fn stream_heads(
    db: &Connection,
    seen: &StreamVersions,
    findings: &mut VerifyFindings,
) -> rusqlite::Result<(u64, u64)> {
    let mut query = db.prepare("SELECT id, name, version, head, trimmed FROM stream")?;
    let mut found = query.query([])?;
    let (mut count, mut gone) = (0, 0);
    while let Some(row) = found.next()? {
        count += 1;
        let (id, name): (i64, String) = (row.get(0)?, row.get(1)?);
        let (version, head): (i64, i64) = (row.get(2)?, row.get(3)?);
        let trimmed: i64 = row.get(4)?;
        gone += unsigned(trimmed);
        let elsewhere = head == 0 && version == trimmed && !seen.contains_key(&id);
        if !elsewhere && seen.get(&id) != Some(&(version, head)) {
            findings.add(format!("stream {name} should end with version {version} at position {head}"));
        }
    }
    Ok((count, gone))
}

fn outbox(db: &Connection, findings: &mut VerifyFindings) -> rusqlite::Result<u64> {
    let mut query = db.prepare(
        "SELECT o.queue, o.key, o.body_key FROM outbox o
         WHERE o.body_key IS NOT NULL AND NOT EXISTS (SELECT 1 FROM body b WHERE b.key = o.body_key)",
    )?;
    let mut found = query.query([])?;
    while let Some(row) = found.next()? {
        let (key, body): (String, String) = (row.get(1)?, row.get(2)?);
        let queue: i64 = row.get(0)?;
        match Queue::ALL.into_iter().find(|known| rows::queue_number(*known) == queue) {
            Some(queue) => findings.add(missing_body(queue, &key, &body)),
            None => findings.add(format!("row {key:?} is in the unknown queue {queue}")),
        }
    }
    db.query_row("SELECT count(*) FROM outbox", [], |row| row.get(0)).map(unsigned)
}

fn bodies(db: &Connection, findings: &mut VerifyFindings) -> rusqlite::Result<()> {
    let mut query = db.prepare("SELECT key, bytes, sum FROM body")?;
    let mut found = query.query([])?;
    while let Some(row) = found.next()? {
        let key: String = row.get(0)?;
        let matches = match (row.get_ref(1)?.as_blob(), row.get::<_, Sum>(2)) {
            (Ok(bytes), Ok(sum)) => rows::body_sum(bytes) == sum,
            _ => false,
        };
        if !matches {
            findings.add(format!("body {key:?} does not match its checksum"));
        }
    }
    Ok(())
}

fn checkpoints(db: &Connection, head: u64, findings: &mut VerifyFindings) -> rusqlite::Result<()> {
    let mut query = db.prepare("SELECT name, position FROM projection")?;
    let mut found = query.query([])?;
    while let Some(row) = found.next()? {
        let (name, position): (String, i64) = (row.get(0)?, row.get(1)?);
        if unsigned(position) > head {
            findings.add(format!("read model {name} has seen position {position}, the log ends at {head}"));
        }
    }
    Ok(())
}
