//! The raw limit of the journal: how many mails a second it can take through their life.
//!
//! `cargo run --release -p render-signal-actors --example journal_append [mails] [at once] [file or redis://…]`
//!
//! A mail is what the program makes of it: admission (two events, a `deliver` row, a body of
//! 2 KiB), a claimed batch of deliveries, two commits for the outcome (three events, a `flag`
//! row), a claimed batch of flags and their settlement: 4 commits, 6 events, 3 rows.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::event::{NewEvent, StreamId};
use render_signal_actors::kernel::journal::redis::{RedisJournal, RedisOptions};
use render_signal_actors::kernel::journal::sqlite::{SqliteJournal, SqliteOptions};
use render_signal_actors::kernel::journal::{
    Body, BodyBudget, ClaimRequest, Claimed, Commit, Due, Expected, JournalAdmin, OutboxAdd, Queue, Settle,
    StreamWrite,
};
use serde_json::json;

type Failure = Box<dyn std::error::Error + Send + Sync>;

struct Bench {
    journal: Arc<dyn JournalAdmin>,
    world: World,
}

impl Bench {
    fn write(&self, category: &str, key: &str, expected: Expected, kinds: &[&'static str]) -> StreamWrite {
        let event = |kind: &&'static str| NewEvent {
            id: self.world.ids.next(),
            kind,
            schema: 1,
            payload: json!({
                "email_id": key, "sender": "somebody@example.fr", "subject": "Livraison des fichiers du jour",
                "links": [{ "provider": "dropbox", "raw_url": "https://www.dropbox.com/scl/fo/abcdefgh/file?dl=0" }],
                "policy": 3,
            }),
        };
        let events = kinds.iter().map(event).collect();
        StreamWrite { stream: StreamId::new(category, key), expected, events }
    }

    fn row(&self, queue: Queue, key: &str, body_key: Option<String>) -> OutboxAdd {
        OutboxAdd {
            queue,
            key: key.to_owned(),
            partition: "default".to_owned(),
            order_key: None,
            due: Due::At(self.world.now()),
            meta: json!({ "email_id": key, "target": "default", "url": "https://receiver.example/hook", "siblings": 1 }),
            body_key,
        }
    }

    async fn commit(&self, commit: Commit) -> Result<(), Failure> {
        self.journal.append(Commit { at: self.world.now(), ..commit }).await?;
        Ok(())
    }

    async fn claim(&self, queue: Queue, limit: usize) -> Result<Vec<Claimed>, Failure> {
        let request = ClaimRequest {
            queue,
            now: self.world.now(),
            lease: Duration::from_secs(60),
            limit,
            partition_default: limit,
            per_partition: HashMap::new(),
            bodies: BodyBudget::default(),
        };
        Ok(self.journal.claim(request).await?)
    }

    async fn admit(&self, key: &str) -> Result<(), Failure> {
        let body = format!("delivery/{key}");
        let keep_until = self.world.now() + chrono::Duration::days(7);
        self.commit(Commit {
            writes: vec![self.write("mail", key, Expected::NoStream, &["mail.received", "mail.routed"])],
            add: vec![self.row(Queue::Deliver, key, Some(body.clone()))],
            bodies: vec![Body { key: body, bytes: vec![b'x'; 2_048].into(), keep_until }],
            ..Commit::default()
        })
        .await
    }

    async fn deliver(&self, row: Claimed) -> Result<(), Failure> {
        let attempted = self.write("delivery", &row.key, Expected::NoStream, &["delivery.attempted"]);
        self.commit(Commit { writes: vec![attempted], ..Commit::default() }).await?;
        let settle = Settle { queue: row.queue, key: row.key.clone(), claim: Some(row.claim) };
        self.commit(Commit {
            writes: vec![
                self.write("delivery", &row.key, Expected::Exact(1), &["delivery.succeeded"]),
                self.write("mail", &row.key, Expected::Exact(2), &["mail.settled"]),
            ],
            settle: vec![settle],
            add: vec![self.row(Queue::Flag, &row.key, None)],
            ..Commit::default()
        })
        .await
    }

    async fn flag(&self, row: Claimed) -> Result<(), Failure> {
        let seen = self.write("mailbox", &row.key, Expected::NoStream, &["mail.marked"]);
        let settle = Settle { queue: row.queue, key: row.key, claim: Some(row.claim) };
        self.commit(Commit { writes: vec![seen], settle: vec![settle], ..Commit::default() }).await
    }

    /// The whole life of `count` mails that are under way together.
    async fn batch(&self, first: usize, count: usize) -> Result<(), Failure> {
        let keys: Vec<String> = (first..first + count).map(|n| format!("{:032x}", spread(n))).collect();
        futures::future::try_join_all(keys.iter().map(|key| self.admit(key))).await?;
        let due = self.claim(Queue::Deliver, count).await?;
        futures::future::try_join_all(due.into_iter().map(|row| self.deliver(row))).await?;
        let flags = self.claim(Queue::Flag, count).await?;
        futures::future::try_join_all(flags.into_iter().map(|row| self.flag(row))).await?;
        Ok(())
    }
}

/// Keys in no order, as hashes are.
fn spread(n: usize) -> u128 {
    (n as u128 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
}

/// CPU time of this process so far, and its largest resident size in MiB.
fn usage() -> Result<(Duration, f64), Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    let kib: f64 = peak.trim().trim_end_matches(" kB").parse()?;
    Ok((Duration::from_millis((ticks(11) + ticks(12)) * 10), kib / 1_024.0))
}

async fn open(place: &str, world: &World) -> Result<Arc<dyn JournalAdmin>, Failure> {
    let nothing = Arc::new(Vec::new());
    if place.starts_with("redis") {
        return Ok(RedisJournal::open(RedisOptions::new(place), world.clone(), nothing).await?);
    }
    Ok(SqliteJournal::open(place, world.clone(), nothing, SqliteOptions::default())?)
}

async fn run() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let mails: usize = arguments.next().map_or(Ok(10_000), |text| text.parse())?;
    let at_once: usize = arguments.next().map_or(Ok(64), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("journal.db").display().to_string();
    let place = arguments.next().unwrap_or(file);
    let world = World::real();
    let bench = Bench { journal: open(&place, &world).await?, world: world.clone() };

    let (cpu_before, _) = usage()?;
    let began = Instant::now();
    let mut first = 0;
    while first < mails {
        let count = at_once.min(mails - first);
        bench.batch(first, count).await?;
        first += count;
    }
    let took = began.elapsed().as_secs_f64();
    let (cpu_after, peak) = usage()?;
    let cpu = (cpu_after - cpu_before).as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "shown to a person")]
    let count = mails as f64;
    report(&format!(
        "{mails} mails, {at_once} at once: {:.0} mails/s, {:.0} commits/s, {:.3} ms CPU per mail, peak {peak:.1} MiB",
        count / took,
        count * 4.0 / took,
        cpu * 1_000.0 / count,
    ));

    let began = Instant::now();
    for n in 0..200 {
        bench.admit(&format!("alone-{n}")).await?;
    }
    report(&format!("one at a time: {:.2} ms a commit", began.elapsed().as_secs_f64() * 1_000.0 / 200.0));
    bench.journal.close().await;

    let began = Instant::now();
    let journal = open(&place, &world).await?;
    report(&format!("opened again in {:.1} ms", began.elapsed().as_secs_f64() * 1_000.0));
    let began = Instant::now();
    let found = journal.verify().await?;
    let millis = began.elapsed().as_millis();
    report(&format!("verified {} events in {millis} ms, problems: {:?}", found.events, found.problems));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a program for a person at a terminal")]
fn report(line: &str) {
    println!("{line}");
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&format!("failed: {error}"));
            ExitCode::FAILURE
        }
    }
}
