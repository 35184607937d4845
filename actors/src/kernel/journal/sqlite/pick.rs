//! Which rows a claim takes: a walk along the index of due rows, partition by partition.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _};

use super::rows::{self, queue_number, signed};
use crate::kernel::journal::budget::{BEYOND, Picker};
use crate::kernel::journal::{ClaimRequest, Queue, rules};

/// When a row can be claimed, its number, its partition.
type ClaimCandidate<'p> = (i64, i64, &'p str);

/// The rows that are claimed, in this order.
///
/// # Errors
/// What SQLite says.
pub(super) fn pick(db: &Connection, request: &ClaimRequest) -> rusqlite::Result<Vec<i64>> {
    let partitions = waiting_partitions(db, request.queue)?;
    let names = || partitions.keys().map(String::as_str);
    let mut picker = Picker::new(request);
    let mut picked = Vec::new();
    let first = candidates(db, request, names(), |most| (0, most))?;
    offer(db, &first, &mut picker, &mut picked)?;
    let heavy: Vec<&str> = names().filter(|name| picker.looks_beyond(name)).collect();
    if !picker.is_full() && !heavy.is_empty() {
        let beyond = candidates(db, request, heavy.into_iter(), |most| (most, BEYOND))?;
        offer(db, &beyond, &mut picker, &mut picked)?;
    }
    Ok(picked)
}

fn offer<'a>(
    db: &Connection,
    candidates: &[ClaimCandidate<'a>],
    picker: &mut Picker<'a>,
    picked: &mut Vec<i64>,
) -> rusqlite::Result<()> {
    // Of a BLOB the length stands in front: the pages of its content are not read.
    let mut length = db.prepare_cached(
        "SELECT length(body.bytes) FROM outbox JOIN body ON body.key = outbox.body_key WHERE outbox.seq = ?1",
    )?;
    for (_, seq, partition) in candidates {
        if picker.is_full() {
            break;
        }
        let bytes = if picker.weighs() {
            length.query_row([seq], |row| row.get::<_, i64>(0)).optional()?.map_or(0, rows::unsigned)
        } else {
            0
        };
        if picker.takes(partition, bytes) {
            picked.push(*seq);
        }
    }
    Ok(())
}

/// Rows of these partitions that are due, in order. `part` makes of the number of rows that a
/// partition may have how many to leave out and how many to take.
fn candidates<'p>(
    db: &Connection,
    request: &ClaimRequest,
    partitions: impl Iterator<Item = &'p str>,
    part: impl Fn(usize) -> (usize, usize),
) -> rusqlite::Result<Vec<ClaimCandidate<'p>>> {
    let queue = queue_number(request.queue);
    let now = rules::micros(request.now);
    let mut due = db.prepare_cached(
        "SELECT visible, seq FROM outbox INDEXED BY outbox_due
         WHERE queue = ?1 AND partition = ?2 AND visible <= ?3 ORDER BY visible, seq LIMIT ?5 OFFSET ?4",
    )?;
    let mut found = Vec::new();
    for partition in partitions {
        let most = Picker::most(request, partition);
        if most == 0 {
            continue;
        }
        let (out, count) = part(most);
        let (out, count) = (signed(out as u64), signed(count as u64));
        let rows = due.query_map((queue, partition, now, out, count), |row| {
            Ok((row.get(0)?, row.get(1)?, partition))
        })?;
        for row in rows {
            found.push(row?);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The partitions with visible rows, each with its earliest one. Jumps from partition to
/// partition along the index instead of reading every row.
///
/// # Errors
/// What SQLite says.
pub(super) fn waiting_partitions(db: &Connection, queue: Queue) -> rusqlite::Result<HashMap<String, i64>> {
    let mut jump = db.prepare_cached(
        "SELECT partition, visible FROM outbox INDEXED BY outbox_due
         WHERE queue = ?1 AND partition > ?2 AND visible IS NOT NULL ORDER BY partition, visible LIMIT 1",
    )?;
    let mut found = HashMap::new();
    let mut last = String::new();
    while let Some((partition, visible)) = jump
        .query_row((queue_number(queue), &last), |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))
        .optional()?
    {
        last.clone_from(&partition);
        found.insert(partition, visible);
    }
    Ok(found)
}
