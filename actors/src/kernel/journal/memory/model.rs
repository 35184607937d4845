//! The journal as plain data: what the other backends are compared with.
//!
//! Written for plainness, not for speed: a claim looks at every row of its queue.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::kernel::event::{Recorded, StreamId};
use crate::kernel::journal::budget::{BEYOND, Picker};
use crate::kernel::journal::rules;
use crate::kernel::journal::{
    AppendError, Appended, ClaimRequest, Claimed, Commit, Due, KeptBody, OutboxAdd, OutboxRow, Queue, Trim,
    VerifyReport,
};

/// A claim: its token, and when it runs out (microseconds since 1970).
type MemoryClaim = (Uuid, i64);

/// A row of the outbox.
#[derive(Debug, Clone)]
struct MemoryRow {
    place: u64,
    partition: String,
    order_key: Option<String>,
    due: Due,
    claim: Option<MemoryClaim>,
    claims: u32,
    added_at: DateTime<Utc>,
    meta: Value,
    body_key: Option<String>,
}

impl MemoryRow {
    /// When the row alone could be claimed: not before it is due, nor before its claim has run out.
    fn ready_at(&self) -> Option<i64> {
        match self.due {
            Due::At(at) => Some(rules::micros(at).max(self.claimed_until())),
            Due::Reserved | Due::Parked => None,
        }
    }

    fn claimed_until(&self) -> i64 {
        self.claim.map_or(i64::MIN, |(_, until)| until)
    }
}

/// A row that will be claimable: when, its place, its key.
type Ready = (i64, u64, String);

/// Counts, per queue in [`Queue::ALL`] order, whether a commit added or released rows.
pub(super) type Touched = [u64; Queue::COUNT];

/// What one commit did.
pub(super) struct CommitOutcome {
    pub(super) appended: Appended,
    pub(super) new: Vec<Recorded>,
    pub(super) touched: Touched,
}

/// A stream: how many of its first events have left the log, and where the others are.
#[derive(Debug, Clone, Default)]
struct MemoryStream {
    trimmed: u64,
    positions: Vec<u64>,
}

impl MemoryStream {
    fn version(&self) -> u64 {
        self.trimmed + self.positions.len() as u64
    }
}

/// Everything the journal holds.
#[derive(Default)]
pub(super) struct Model {
    log: BTreeMap<u64, Recorded>,
    head: u64,
    ids: HashMap<Uuid, u64>,
    streams: BTreeMap<StreamId, MemoryStream>,
    rows: BTreeMap<(Queue, String), MemoryRow>,
    places: u64,
    bodies: BTreeMap<String, (Bytes, DateTime<Utc>)>,
    fences: BTreeMap<String, u64>,
}

impl Model {
    pub(super) const fn head(&self) -> u64 {
        self.head
    }

    /// Applies a commit as a whole, or says why not and changes nothing.
    pub(super) fn append(&mut self, commit: &Commit) -> Result<CommitOutcome, AppendError> {
        rules::well_formed(commit)?;
        if let Some(position) = self.landed(commit)? {
            let appended = Appended { position, already_there: true };
            return Ok(CommitOutcome { appended, new: Vec::new(), touched: [0; Queue::COUNT] });
        }
        self.check_fence(commit)?;
        self.check_versions(commit)?;
        for trim in &commit.trim {
            rules::check_trim(trim, self.version(&trim.stream))?;
        }
        self.check_claims(commit)?;

        let new = self.write_events(commit);
        let mut touched = [0; Queue::COUNT];
        self.write_rows(commit, &mut touched);
        commit.trim.iter().for_each(|trim| self.trim(trim));
        for body in &commit.bodies {
            self.bodies.insert(body.key.clone(), (body.bytes.clone(), stored(body.keep_until)));
        }
        Ok(CommitOutcome { appended: Appended { position: self.head(), already_there: false }, new, touched })
    }

    fn landed(&self, commit: &Commit) -> Result<Option<u64>, AppendError> {
        let mut found = Vec::new();
        for write in &commit.writes {
            for event in &write.events {
                let position = self.ids.get(&event.id).copied();
                if let Some(recorded) = position.and_then(|position| self.at(position))
                    && recorded.stream != write.stream
                {
                    return Err(rules::id_taken(event.id));
                }
                found.push(position);
            }
        }
        rules::repeated(&found)
    }

    fn check_fence(&self, commit: &Commit) -> Result<(), AppendError> {
        let Some(fence) = &commit.fence else { return Ok(()) };
        let current = self.fences.get(&fence.lease).copied().unwrap_or(0);
        if current != 0 && fence.token != current {
            return Err(AppendError::Fenced { lease: fence.lease.clone(), held: fence.token, current });
        }
        Ok(())
    }

    fn check_versions(&self, commit: &Commit) -> Result<(), AppendError> {
        let mut versions: HashMap<&StreamId, u64> = HashMap::new();
        for write in &commit.writes {
            let version = versions.entry(&write.stream).or_insert_with(|| self.version(&write.stream));
            rules::check_version(write, *version)?;
            *version += write.events.len() as u64;
        }
        Ok(())
    }

    fn version(&self, stream: &StreamId) -> u64 {
        self.streams.get(stream).map_or(0, MemoryStream::version)
    }

    fn trim(&mut self, trim: &Trim) {
        let stream = self.streams.entry(trim.stream.clone()).or_default();
        stream.trimmed = trim.version;
        for position in std::mem::take(&mut stream.positions) {
            if let Some(event) = self.log.remove(&position) {
                self.ids.remove(&event.id);
            }
        }
    }

    fn check_claims(&self, commit: &Commit) -> Result<(), AppendError> {
        let settled = commit.settle.iter().map(|row| (row.queue, &row.key, row.claim));
        let deferred = commit.defer.iter().map(|row| (row.queue, &row.key, row.claim));
        for (queue, key, claim) in settled.chain(deferred) {
            let Some(claim) = claim else { continue };
            let held = self.rows.get(&(queue, key.clone())).and_then(|row| row.claim);
            if held.map(|(token, _)| token) != Some(claim) {
                return Err(AppendError::ClaimLost { queue, key: key.clone() });
            }
        }
        Ok(())
    }

    fn write_events(&mut self, commit: &Commit) -> Vec<Recorded> {
        let mut new = Vec::new();
        for write in &commit.writes {
            for event in &write.events {
                let recorded = Recorded {
                    position: self.head() + 1,
                    id: event.id,
                    stream: write.stream.clone(),
                    version: self.version(&write.stream) + 1,
                    kind: event.kind.to_owned(),
                    schema: event.schema,
                    at: stored(commit.at),
                    cause: commit.cause,
                    payload: event.payload.clone(),
                };
                self.head = recorded.position;
                self.ids.insert(event.id, recorded.position);
                self.streams.entry(write.stream.clone()).or_default().positions.push(recorded.position);
                self.log.insert(recorded.position, recorded.clone());
                new.push(recorded);
            }
        }
        new
    }

    fn write_rows(&mut self, commit: &Commit, touched: &mut Touched) {
        for settle in &commit.settle {
            let row = self.rows.remove(&(settle.queue, settle.key.clone()));
            if row.is_some_and(|row| row.order_key.is_some()) {
                touch(touched, settle.queue);
            }
        }
        for defer in &commit.defer {
            if let Some(row) = self.rows.get_mut(&(defer.queue, defer.key.clone())) {
                row.due = stored_due(defer.due);
                row.claim = None;
                if let Some(meta) = &defer.meta {
                    row.meta = meta.clone();
                }
                if let Some(partition) = defer.partition.as_ref().filter(|_| row.order_key.is_none()) {
                    row.partition.clone_from(partition);
                }
                touch(touched, defer.queue);
            }
        }
        for add in &commit.add {
            self.add_row(add, commit.at);
            touch(touched, add.queue);
        }
    }

    fn add_row(&mut self, add: &OutboxAdd, at: DateTime<Utc>) {
        if let Some(row) = self.rows.get_mut(&(add.queue, add.key.clone())) {
            row.due = stored_due(add.due);
            row.claim = None;
            row.meta = add.meta.clone();
            row.body_key = add.body_key.clone();
            return;
        }
        self.places += 1;
        let row = MemoryRow {
            place: self.places,
            partition: add.partition.clone(),
            order_key: add.order_key.clone(),
            due: stored_due(add.due),
            claim: None,
            claims: 0,
            added_at: stored(at),
            meta: add.meta.clone(),
            body_key: add.body_key.clone(),
        };
        self.rows.insert((add.queue, add.key.clone()), row);
    }

    fn of_queue(&self, queue: Queue) -> impl Iterator<Item = (&String, &MemoryRow)> {
        self.rows.iter().filter(move |((q, _), _)| *q == queue).map(|((_, key), row)| (key, row))
    }

    /// Every row of the queue that becomes claimable at some time without anybody's doing.
    ///
    /// Of the rows that share a partition and an order key that is the first one which is not
    /// parked, and not before every claim on one of the others has run out.
    fn ready(&self, queue: Queue) -> Vec<Ready> {
        let mut ready = Vec::new();
        let mut orders: BTreeMap<(&str, &str), Vec<(&String, &MemoryRow)>> = BTreeMap::new();
        for (key, row) in self.of_queue(queue) {
            match &row.order_key {
                None => ready.extend(row.ready_at().map(|at| (at, row.place, key.clone()))),
                Some(order) => orders.entry((&row.partition, order)).or_default().push((key, row)),
            }
        }
        for group in orders.values() {
            let first =
                group.iter().filter(|(_, row)| row.due != Due::Parked).min_by_key(|(_, row)| row.place);
            let Some((key, row)) = first else { continue };
            let others = group.iter().map(|(_, other)| other.claimed_until()).max().unwrap_or(i64::MIN);
            ready.extend(row.ready_at().map(|at| (at.max(others), row.place, (*key).clone())));
        }
        ready.sort_unstable();
        ready
    }

    /// The keys of the rows that a claim takes, in this order.
    fn pick(&self, request: &ClaimRequest, now: i64) -> Vec<String> {
        let due = self.ready(request.queue).into_iter().take_while(|(at, ..)| *at <= now);
        let due: Vec<_> = due.map(|(_, _, key)| (request.queue, key)).collect();
        let mut picker = Picker::new(request);
        let (mut picked, mut beyond) = (Vec::new(), Vec::new());
        let mut places: HashMap<&str, usize> = HashMap::new();
        for name in &due {
            let Some(row) = self.rows.get(name) else { continue };
            let body = row.body_key.as_ref().and_then(|body| self.bodies.get(body));
            let bytes = body.map_or(0, |(bytes, _)| bytes.len() as u64);
            let partition = row.partition.as_str();
            let place = places.entry(partition).or_default();
            let most = Picker::most(request, partition);
            if *place < most {
                if picker.takes(partition, bytes) {
                    picked.push(name.1.clone());
                }
            } else if most > 0 && *place < most + BEYOND {
                beyond.push((partition, bytes, name));
            }
            *place += 1;
        }
        for (partition, bytes, name) in beyond {
            if picker.looks_beyond(partition) && picker.takes(partition, bytes) {
                picked.push(name.1.clone());
            }
        }
        picked
    }

    /// Claims rows; `token` makes the claim of each.
    pub(super) fn claim(&mut self, request: &ClaimRequest, mut token: impl FnMut() -> Uuid) -> Vec<Claimed> {
        let now = rules::micros(request.now);
        let until = rules::after(request.now, request.lease);
        let mut claimed = Vec::new();
        for key in self.pick(request, now) {
            let Some(row) = self.rows.get_mut(&(request.queue, key.clone())) else { continue };
            let claim = token();
            row.claim = Some((claim, until));
            row.claims = row.claims.saturating_add(1);
            let body = row.body_key.as_ref().and_then(|body| self.bodies.get(body));
            claimed.push(Claimed {
                queue: request.queue,
                key,
                partition: row.partition.clone(),
                order_key: row.order_key.clone(),
                claim,
                claims: row.claims,
                added_at: row.added_at,
                meta: row.meta.clone(),
                body_key: row.body_key.clone(),
                body: body.map(|(bytes, _)| bytes.clone()),
            });
        }
        claimed
    }

    pub(super) fn hasten(&mut self, queue: Queue, only: Option<&[String]>, now: DateTime<Utc>) -> u64 {
        let mut count = 0;
        for ((of, key), row) in &mut self.rows {
            let wanted = *of == queue && only.is_none_or(|keys| keys.contains(key));
            let waits = matches!(row.due, Due::At(at) if at > stored(now));
            if wanted && waits && row.claimed_until() <= rules::micros(now) {
                row.due = Due::At(stored(now));
                count += 1;
            }
        }
        count
    }

    pub(super) fn next_due(&self, queue: Queue) -> Option<DateTime<Utc>> {
        self.ready(queue).first().map(|(at, _, _)| rules::instant(*at))
    }

    pub(super) fn outbox(&self, queue: Queue, limit: usize, now: DateTime<Utc>) -> Vec<OutboxRow> {
        let mut rows: Vec<_> = self.of_queue(queue).collect();
        rows.sort_by_key(|(_, row)| row.place);
        rows.truncate(limit);
        rows.into_iter()
            .map(|(key, row)| OutboxRow {
                queue,
                key: key.clone(),
                partition: row.partition.clone(),
                order_key: row.order_key.clone(),
                due: row.due,
                claimed: row.claimed_until() > rules::micros(now),
                claims: row.claims,
                added_at: row.added_at,
                meta: row.meta.clone(),
                body_key: row.body_key.clone(),
            })
            .collect()
    }

    pub(super) fn body(&self, key: &str) -> Option<Bytes> {
        self.bodies.get(key).map(|(bytes, _)| bytes.clone())
    }

    pub(super) fn raise_fence(&mut self, lease: &str) -> u64 {
        let token = self.fences.entry(lease.to_owned()).or_default();
        *token += 1;
        *token
    }

    pub(super) fn purge(&mut self, now: DateTime<Utc>) -> u64 {
        let kept: std::collections::HashSet<&String> =
            self.rows.values().filter_map(|row| row.body_key.as_ref()).collect();
        let before = self.bodies.len();
        let now = stored(now);
        self.bodies.retain(|key, (_, until)| *until > now || kept.contains(key));
        (before - self.bodies.len()) as u64
    }

    fn at(&self, position: u64) -> Option<&Recorded> {
        self.log.get(&position)
    }

    pub(super) fn stream(&self, stream: &StreamId, after: u64) -> Vec<Recorded> {
        let Some(stream) = self.streams.get(stream) else { return Vec::new() };
        let known = usize::try_from(after.saturating_sub(stream.trimmed)).unwrap_or(usize::MAX);
        stream.positions.iter().skip(known).filter_map(|position| self.at(*position)).cloned().collect()
    }

    pub(super) fn log(&self, after: u64, limit: usize) -> Vec<Recorded> {
        self.log.range(after.saturating_add(1)..).take(limit).map(|(_, event)| event).cloned().collect()
    }

    pub(super) fn kept_bodies(&self, offset: u64, limit: usize) -> Vec<KeptBody> {
        let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
        let kept = self.bodies.iter().skip(skipped).take(limit);
        kept.map(|(key, (_, until))| KeptBody { key: key.clone(), keep_until: *until }).collect()
    }

    pub(super) fn trimmed(&self, offset: u64, limit: usize) -> Vec<Trim> {
        let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
        let trimmed = self.streams.iter().filter(|(_, stream)| stream.trimmed > 0);
        let page = trimmed.skip(skipped).take(limit);
        page.map(|(name, stream)| Trim { stream: name.clone(), version: stream.trimmed }).collect()
    }

    pub(super) fn verify(&self) -> VerifyReport {
        let missing = self
            .rows
            .iter()
            .filter_map(|((queue, key), row)| row.body_key.as_ref().map(|body| (queue, key, body)))
            .filter(|(_, _, body)| !self.bodies.contains_key(*body))
            .map(|(queue, key, body)| missing_body(*queue, key, body))
            .collect();
        VerifyReport {
            events: self.log.len() as u64,
            trimmed: self.streams.values().map(|stream| stream.trimmed).sum(),
            streams: self.streams.len() as u64,
            outbox: self.rows.len() as u64,
            problems: missing,
        }
    }
}

/// The words for a row whose body is gone.
pub(in crate::kernel::journal) fn missing_body(queue: Queue, key: &str, body: &str) -> String {
    format!("{queue} row {key:?} refers to the body {body:?}, which is not there")
}

fn touch(touched: &mut Touched, queue: Queue) {
    if let Some(count) = touched.get_mut(rules::queue_index(queue)) {
        *count = 1;
    }
}

fn stored(at: DateTime<Utc>) -> DateTime<Utc> {
    rules::instant(rules::micros(at))
}

fn stored_due(due: Due) -> Due {
    match due {
        Due::At(at) => Due::At(stored(at)),
        Due::Reserved | Due::Parked => due,
    }
}

/// A change that was made, kept so that a crash can take the last ones back.
#[derive(Clone)]
pub(super) enum UndoEntry {
    /// A commit.
    Commit(Arc<Commit>),
    /// A claim, with the tokens that were given out.
    Claim(Arc<ClaimRequest>, Vec<Uuid>),
    /// See [`Model::hasten`].
    Hasten(Queue, Option<Vec<String>>, DateTime<Utc>),
    /// See [`Model::raise_fence`].
    RaiseFence(String),
    /// See [`Model::purge`].
    Purge(DateTime<Utc>),
}

impl Model {
    /// Makes a change that was possible before and is therefore possible again; returns its
    /// events.
    pub(super) fn redo(&mut self, change: &UndoEntry) -> Vec<Recorded> {
        match change {
            UndoEntry::Commit(commit) => {
                return self.append(commit).map(|outcome| outcome.new).unwrap_or_default();
            }
            UndoEntry::Claim(request, tokens) => {
                let mut tokens = tokens.iter().copied();
                self.claim(request, || tokens.next().unwrap_or_default());
            }
            UndoEntry::Hasten(queue, only, now) => {
                self.hasten(*queue, only.as_deref(), *now);
            }
            UndoEntry::RaiseFence(lease) => {
                self.raise_fence(lease);
            }
            UndoEntry::Purge(now) => {
                self.purge(*now);
            }
        }
        Vec::new()
    }
}
