//! The rows of the outbox: adding, ending, claiming.
//!
//! `visible` is kept so that a claim is a walk along one index, whatever the backlog: rows
//! that wait behind another one have none, and [`refresh`] moves it along when the first
//! row of an order changes.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension as _};

use super::append::Tx;
use super::bodies::body;
use super::pick::{pick, waiting_partitions};
use super::rows::{self, due_columns, queue_number, signed};
use crate::kernel::clock::Ids;
use crate::kernel::journal::{
    AppendError, ClaimRequest, Claimed, Commit, OutboxAdd, OutboxRow, Queue, rules,
};

/// A row that a commit settles or defers.
pub(super) struct EndedRow {
    seq: i64,
    order: Option<OrderKey>,
}

/// What rows share that are claimed one at a time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct OrderKey {
    queue: Queue,
    partition: String,
    key: String,
}

/// Finds the rows that the commit settles and defers, in this order, and checks their claims.
/// `None` = no such row, which is fine when no claim is asked for.
///
/// # Errors
/// The outer error is the database's, the inner one the answer.
pub(super) fn check_claims(
    db: &Connection,
    commit: &Commit,
) -> rusqlite::Result<Result<Vec<Option<EndedRow>>, AppendError>> {
    let settled = commit.settle.iter().map(|row| (row.queue, &row.key, row.claim));
    let deferred = commit.defer.iter().map(|row| (row.queue, &row.key, row.claim));
    let mut find = db.prepare_cached(
        "SELECT seq, claim, partition, order_key FROM outbox WHERE queue = ?1 AND key = ?2",
    )?;
    let mut ended = Vec::new();
    for (queue, key, wanted) in settled.chain(deferred) {
        let found = find
            .query_row((queue_number(queue), key), |row| {
                let order_key: Option<String> = row.get(3)?;
                let order = match order_key {
                    Some(key) => Some(OrderKey { queue, partition: row.get(2)?, key }),
                    None => None,
                };
                Ok((rows::optional_uuid(row, 1)?, EndedRow { seq: row.get(0)?, order }))
            })
            .optional()?;
        let held = found.as_ref().and_then(|(claim, _)| *claim);
        if wanted.is_some() && held != wanted {
            return Ok(Err(AppendError::ClaimLost { queue, key: key.clone() }));
        }
        ended.push(found.map(|(_, row)| row));
    }
    Ok(Ok(ended))
}

/// Settles, defers and adds, in this order. `ended` comes from [`check_claims`].
///
/// # Errors
/// What SQLite says.
pub(super) fn write(tx: &mut Tx<'_>, commit: &Commit, ended: &[Option<EndedRow>]) -> rusqlite::Result<()> {
    let mut ended = ended.iter();
    let mut touched = [false; Queue::COUNT];
    let mut touch = |queue: Queue| {
        if let Some(mark) = touched.get_mut(rules::queue_index(queue)) {
            *mark = true;
        }
    };
    for (settle, row) in commit.settle.iter().zip(ended.by_ref()) {
        let Some(row) = row else { continue };
        tx.db.prepare_cached("DELETE FROM outbox WHERE seq = ?1")?.execute([row.seq])?;
        if let Some(order) = &row.order {
            refresh(tx.db, order)?;
            touch(settle.queue);
        }
    }
    for (defer, row) in commit.defer.iter().zip(ended) {
        let Some(row) = row else { continue };
        let (state, due) = due_columns(defer.due);
        let visible = if row.order.is_none() { due } else { None };
        let meta = defer.meta.as_ref().map(ToString::to_string);
        tx.db
            .prepare_cached(
                "UPDATE outbox SET state = ?2, due = ?3, visible = ?4, claim = NULL, claimed_until = NULL,
                     owner = NULL, meta = coalesce(?5, meta),
                     partition = iif(order_key IS NULL, coalesce(?6, partition), partition)
                 WHERE seq = ?1",
            )?
            .execute((row.seq, state, due, visible, meta, &defer.partition))?;
        if let Some(order) = &row.order {
            refresh(tx.db, order)?;
        }
        touch(defer.queue);
    }
    for row in &commit.add {
        add(tx.db, row, commit.at)?;
        touch(row.queue);
    }
    for (count, mark) in tx.touched.iter_mut().zip(touched) {
        *count += u64::from(mark);
    }
    Ok(())
}

fn add(db: &Connection, row: &OutboxAdd, at: DateTime<Utc>) -> rusqlite::Result<()> {
    let (state, due) = due_columns(row.due);
    // A row that is there keeps its place, its partition and its order.
    let (partition, order_key): (String, Option<String>) = db
        .prepare_cached(
            "INSERT INTO outbox (queue, key, partition, order_key, state, due, visible, claims, added_at, meta,
                 body_key)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, iif(?4 IS NULL, ?6, NULL), 0, ?7, ?8, ?9)
             ON CONFLICT (queue, key) DO UPDATE SET state = ?5, due = ?6,
                 visible = iif(order_key IS NULL, ?6, NULL), claim = NULL, claimed_until = NULL, owner = NULL,
                 meta = ?8,
                 body_key = ?9
             RETURNING partition, order_key",
        )?
        .query_row(
            (
                queue_number(row.queue),
                &row.key,
                &row.partition,
                &row.order_key,
                state,
                due,
                rules::micros(at),
                row.meta.to_string(),
                &row.body_key,
            ),
            |stored| Ok((stored.get(0)?, stored.get(1)?)),
        )?;
    match order_key {
        Some(key) => refresh(db, &OrderKey { queue: row.queue, partition, key }),
        None => Ok(()),
    }
}

/// Makes the first row of an order that is not parked the only visible one: from when it is
/// due and no claim on it, or on another row of the order, holds any more.
fn refresh(db: &Connection, order: &OrderKey) -> rusqlite::Result<()> {
    let group = (queue_number(order.queue), &order.partition, &order.key);
    let mut find = db.prepare_cached(
        "SELECT seq, state, due, visible FROM outbox INDEXED BY outbox_order
         WHERE queue = ?1 AND partition = ?2 AND order_key = ?3 AND state <> 2 ORDER BY seq LIMIT 2",
    )?;
    let first_two: Vec<(i64, i64, Option<i64>, Option<i64>)> = find
        .query_map(group, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut set = db.prepare_cached("UPDATE outbox SET visible = ?2 WHERE seq = ?1")?;
    // The second was the first when an earlier one has just come back from being parked.
    if let Some((second, _, _, Some(_))) = first_two.get(1) {
        set.execute((second, None::<i64>))?;
    }
    let Some((first, state, due, visible)) = first_two.first() else { return Ok(()) };
    let wanted = match (state, due) {
        (0, Some(due)) => {
            let claimed: Option<i64> = db
                .prepare_cached(
                    "SELECT max(claimed_until) FROM outbox INDEXED BY outbox_order_claim
                     WHERE queue = ?1 AND partition = ?2 AND order_key = ?3 AND claimed_until IS NOT NULL",
                )?
                .query_row(group, |row| row.get(0))?;
            Some(claimed.map_or(*due, |until| until.max(*due)))
        }
        _ => None,
    };
    if wanted != *visible {
        set.execute((first, wanted))?;
    }
    Ok(())
}

/// Claims due rows; see [`crate::kernel::journal::Journal::claim`].
///
/// # Errors
/// What SQLite says.
pub(super) fn claim(
    db: &Connection,
    request: &ClaimRequest,
    owner: i64,
    ids: &dyn Ids,
) -> rusqlite::Result<Vec<Claimed>> {
    let candidates = pick(db, request)?;
    let until = rules::after(request.now, request.lease);
    let mut take = db.prepare_cached(
        "UPDATE outbox SET claim = ?2, claimed_until = ?3, visible = ?3, owner = ?4, claims = claims + 1
         WHERE seq = ?1
         RETURNING key, partition, order_key, claims, added_at, meta, body_key",
    )?;
    let mut claimed = Vec::with_capacity(candidates.len());
    for seq in candidates {
        let claim = ids.next();
        let row = take.query_row((seq, claim.as_bytes(), until, owner), |row| {
            Ok(Claimed {
                queue: request.queue,
                key: row.get(0)?,
                partition: row.get(1)?,
                order_key: row.get(2)?,
                claim,
                claims: row.get(3)?,
                added_at: rules::instant(row.get(4)?),
                meta: rows::json(row, 5)?,
                body_key: row.get(6)?,
                body: None,
            })
        })?;
        claimed.push(row);
    }
    for row in &mut claimed {
        if let Some(key) = &row.body_key {
            row.body = body(db, key)?;
        }
    }
    Ok(claimed)
}

/// Ends every claim of a process that is gone. Returns how many there were.
///
/// # Errors
/// What SQLite says.
pub(super) fn release(db: &Connection, owner: i64) -> rusqlite::Result<usize> {
    let mut update = db.prepare(
        "UPDATE outbox SET claim = NULL, claimed_until = NULL, owner = NULL,
             visible = iif(order_key IS NULL AND state = 0, due, NULL)
         WHERE owner = ?1 RETURNING queue, partition, order_key",
    )?;
    let mut released = 0;
    let mut orders = std::collections::HashSet::new();
    let mut rows = update.query([owner])?;
    while let Some(row) = rows.next()? {
        released += 1;
        if let Some(key) = row.get(2)? {
            let number: i64 = row.get(0)?;
            if let Some(queue) = Queue::ALL.into_iter().find(|queue| queue_number(*queue) == number) {
                orders.insert(OrderKey { queue, partition: row.get(1)?, key });
            }
        }
    }
    for order in &orders {
        refresh(db, order)?;
    }
    Ok(released)
}

/// See [`crate::kernel::journal::Journal::next_due`].
///
/// # Errors
/// What SQLite says.
pub(super) fn next_due(db: &Connection, queue: Queue) -> rusqlite::Result<Option<DateTime<Utc>>> {
    Ok(waiting_partitions(db, queue)?.into_values().min().map(rules::instant))
}

/// See [`crate::kernel::journal::Journal::hasten`].
///
/// # Errors
/// What SQLite says.
pub(super) fn hasten(
    tx: &mut Tx<'_>,
    queue: Queue,
    only: Option<&str>,
    now: DateTime<Utc>,
) -> rusqlite::Result<u64> {
    let mut update = tx.db.prepare_cached(
        "UPDATE outbox SET due = ?3, visible = iif(visible IS NULL, NULL, ?3)
         WHERE queue = ?1 AND (?2 IS NULL OR key IN (SELECT value FROM json_each(?2))) AND state = 0 AND due > ?3
             AND (claimed_until IS NULL OR claimed_until <= ?3)
         RETURNING partition, order_key",
    )?;
    let mut count = 0;
    let mut orders = std::collections::HashSet::new();
    let mut changed = update.query((queue_number(queue), only, rules::micros(now)))?;
    while let Some(row) = changed.next()? {
        count += 1;
        if let Some(key) = row.get(1)? {
            orders.insert(OrderKey { queue, partition: row.get(0)?, key });
        }
    }
    for order in &orders {
        refresh(tx.db, order)?;
    }
    if count > 0 {
        tx.touch(queue);
    }
    Ok(count)
}

/// See [`crate::kernel::journal::Journal::outbox`]. `now` tells which claims still hold.
///
/// # Errors
/// What SQLite says.
pub(super) fn list(
    db: &Connection,
    queue: Queue,
    limit: usize,
    now: DateTime<Utc>,
) -> rusqlite::Result<Vec<OutboxRow>> {
    let mut query = db.prepare_cached(
        "SELECT key, partition, state, due, claimed_until, claims, added_at, meta, order_key, body_key
         FROM outbox WHERE queue = ?1 ORDER BY seq LIMIT ?2",
    )?;
    let rows = query.query_map((queue_number(queue), signed(limit as u64)), |row| {
        Ok(OutboxRow {
            queue,
            key: row.get(0)?,
            partition: row.get(1)?,
            due: rows::due_of(row.get(2)?, row.get(3)?),
            claimed: row.get::<_, Option<i64>>(4)?.is_some_and(|until| until > rules::micros(now)),
            claims: row.get(5)?,
            added_at: rules::instant(row.get(6)?),
            meta: rows::json(row, 7)?,
            order_key: row.get(8)?,
            body_key: row.get(9)?,
        })
    })?;
    rows.collect()
}
