//! What every journal does: one suite for all backends.

mod events;
mod machine;
mod outbox;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::Connection;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::kernel::clock::{FixedClock, World};
use crate::kernel::event::NewEvent;
use crate::kernel::projection::{FedEvent, Projection, Projections};

pub(super) use self::machine::answers_agree;

type ConformanceCase = fn(Arc<dyn JournalAdmin>) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// Names the cases of a module, so that a failure tells which one it was.
macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        pub(super) const CASES: &[(&str, super::ConformanceCase)] =
            &[$((stringify!($name), |journal| Box::pin($name(journal)))),*];
    };
}
use cases;

/// Runs every case, each on an empty journal from `make` (made with [`world`] and
/// [`projections`]).
pub(super) async fn run_all(make: impl Fn() -> Arc<dyn JournalAdmin>) {
    for (name, case) in events::CASES.iter().chain(outbox::CASES) {
        println!("case {name}");
        let journal = make();
        case(Arc::clone(&journal)).await;
        journal.close().await;
    }
}

/// A world whose clock stands still at [`t`]`(0)`.
pub(super) fn world() -> World {
    World { clock: Arc::new(FixedClock(t(0))), ..World::real() }
}

/// Seconds after the epoch of the tests.
pub(super) fn t(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_750_000_000 + seconds, 0).unwrap()
}

pub(super) fn stream(key: &str) -> StreamId {
    StreamId::new("test", key)
}

pub(super) fn event(n: u64) -> NewEvent {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NewEvent {
        id: Uuid::from_u128(u128::from(NEXT.fetch_add(1, Ordering::Relaxed))),
        kind: if n.is_multiple_of(2) { "thing.done" } else { "thing.tried" },
        schema: 1,
        payload: json!({ "n": n, "text": "é \"quoted\" \u{1F4E7}" }),
    }
}

pub(super) fn write(key: &str, expected: Expected, count: u64) -> StreamWrite {
    StreamWrite { stream: stream(key), expected, events: (0..count).map(event).collect() }
}

/// Events only.
pub(super) fn events(key: &str, expected: Expected, count: u64) -> Commit {
    Commit { at: t(0), writes: vec![write(key, expected, count)], ..Commit::default() }
}

pub(super) fn row(key: &str, due: Due) -> OutboxAdd {
    OutboxAdd {
        queue: Queue::Deliver,
        key: key.to_owned(),
        partition: "a".to_owned(),
        order_key: None,
        due,
        meta: json!({ "of": key }),
        body_key: None,
    }
}

pub(super) fn in_partition(partition: &str, row: OutboxAdd) -> OutboxAdd {
    OutboxAdd { partition: partition.to_owned(), ..row }
}

pub(super) fn ordered(order: &str, row: OutboxAdd) -> OutboxAdd {
    OutboxAdd { order_key: Some(order.to_owned()), ..row }
}

pub(super) fn add(rows: Vec<OutboxAdd>) -> Commit {
    Commit { at: t(0), add: rows, ..Commit::default() }
}

pub(super) fn settle(key: &str, claim: Option<Uuid>) -> Commit {
    let settle = vec![Settle { queue: Queue::Deliver, key: key.to_owned(), claim }];
    Commit { at: t(0), settle, ..Commit::default() }
}

pub(super) fn defer(key: &str, claim: Option<Uuid>, due: Due) -> Commit {
    let defer =
        vec![Defer { queue: Queue::Deliver, key: key.to_owned(), claim, due, meta: None, partition: None }];
    Commit { at: t(0), defer, ..Commit::default() }
}

/// Everything due at `t(seconds)`, for a minute.
pub(super) fn request(seconds: i64) -> ClaimRequest {
    ClaimRequest {
        queue: Queue::Deliver,
        now: t(seconds),
        lease: Duration::from_secs(60),
        limit: 100,
        partition_default: 100,
        per_partition: HashMap::new(),
        bodies: BodyBudget::default(),
    }
}

pub(super) fn keys(claimed: &[Claimed]) -> Vec<&str> {
    claimed.iter().map(|row| row.key.as_str()).collect()
}

/// The projections of the suite.
pub(super) fn projections() -> Projections {
    Arc::new(vec![Box::new(Kinds { version: 1 }), Box::new(Stumbling)])
}

/// Counts events by kind, and remembers the last one of each stream.
pub(super) struct Kinds {
    pub(super) version: u32,
}

impl Projection for Kinds {
    fn name(&self) -> &'static str {
        "kinds"
    }
    fn version(&self) -> u32 {
        self.version
    }
    fn tables(&self) -> &'static [&'static str] {
        &["kinds", "lasts"]
    }
    fn create(&self, db: &Connection) -> rusqlite::Result<()> {
        db.execute_batch(
            "CREATE TABLE kinds (kind TEXT PRIMARY KEY, n INTEGER NOT NULL);
             CREATE TABLE lasts (stream TEXT PRIMARY KEY, version INTEGER NOT NULL, at TEXT NOT NULL);",
        )
    }
    fn apply(&self, db: &Connection, event: &FedEvent<'_>) -> rusqlite::Result<()> {
        db.prepare_cached("INSERT INTO kinds VALUES (?1, 1) ON CONFLICT DO UPDATE SET n = n + 1")?
            .execute([&event.kind])?;
        db.prepare_cached("INSERT OR REPLACE INTO lasts VALUES (?1, ?2, ?3)")?.execute((
            event.stream.as_str(),
            i64::try_from(event.version).unwrap(),
            event.at.to_rfc3339(),
        ))?;
        Ok(())
    }
}

/// Fails over one event and panics over another: neither may stop the journal.
struct Stumbling;

impl Projection for Stumbling {
    fn name(&self) -> &'static str {
        "stumbling"
    }
    fn version(&self) -> u32 {
        1
    }
    fn tables(&self) -> &'static [&'static str] {
        &["stumbling"]
    }
    fn create(&self, db: &Connection) -> rusqlite::Result<()> {
        db.execute_batch("CREATE TABLE stumbling (n INTEGER NOT NULL CHECK (n <> 13))")
    }
    fn apply(&self, db: &Connection, event: &FedEvent<'_>) -> rusqlite::Result<()> {
        let n = event.payload["n"].as_i64().unwrap();
        assert_ne!(n, 17, "seventeen");
        db.execute("INSERT INTO stumbling VALUES (?1)", [n]).map(drop)
    }
}
