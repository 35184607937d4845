use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::store::FileArchive;
use super::transfer::{CopyTotals, Import, TransferError, export};
use super::*;
use crate::kernel::clock::FixedClock;
use crate::kernel::event::NewEvent;
use crate::kernel::journal::JournalAdmin;
use crate::kernel::journal::memory::MemoryJournal;
use crate::kernel::journal::sqlite::{SqliteJournal, SqliteOptions};
use crate::kernel::journal::{Body, Due, OutboxAdd, Queue};
use crate::kernel::projection::content_hash;
use crate::readmodel;
use crate::readmodel::queries::copies_after;
use crate::webhook::events::rate_stream;

const DAYS: u32 = 90;

fn now() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-06-01T12:34:56Z").unwrap().with_timezone(&Utc)
}

fn world() -> World {
    World { clock: Arc::new(FixedClock(now())), ..World::real() }
}

#[derive(Debug, Clone, Copy)]
enum LinkEnd {
    Copied,
    Reused,
    Kept,
}

struct Scene {
    folder: TempDir,
    journal: Arc<SqliteJournal>,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        let journal = SqliteJournal::open(path, world(), readmodel::all(), SqliteOptions::default()).unwrap();
        Self { folder, journal }
    }

    fn archiver(&self) -> Archiver {
        Archiver {
            world: world(),
            journal: Arc::clone(&self.journal) as Arc<dyn Journal>,
            store: Arc::new(FileArchive::new(self.folder.path().join("archive"))),
            days: DAYS,
        }
    }

    async fn append(&self, days_ago: i64, stream: &str, kind: &'static str, payload: Value) {
        let event = NewEvent { id: world().ids.next(), kind, schema: 1, payload };
        let commit = Commit {
            at: now() - TimeDelta::days(days_ago),
            writes: vec![StreamWrite {
                stream: StreamId::from_stored(stream),
                expected: Expected::Any,
                events: vec![event],
            }],
            ..Commit::default()
        };
        self.journal.append(commit).await.unwrap();
    }

    async fn received(&self, days_ago: i64, id: &str) {
        let payload = json!({
            "email_id": id, "location": {"mailbox": "m", "validity": 1, "item": id.trim_start_matches('m')},
            "sender": "a@b.fr", "subject": "s", "size": 1, "arrived_at": null, "subject_group": "g"
        });
        self.append(days_ago, &format!("mail-{id}"), "mail.received", payload).await;
    }

    async fn routed(&self, days_ago: i64, id: &str, targets: &[&str]) {
        self.received(days_ago, id).await;
        let deliveries: Vec<Value> = targets.iter().map(|target| json!({ "target": target })).collect();
        let payload = json!({"links": [], "deliveries": deliveries, "offload": false, "policy": 1});
        self.append(days_ago, &format!("mail-{id}"), "mail.routed", payload).await;
    }

    /// What became of the mail's link: copied, copied for an earlier mail, or left as it is.
    async fn link(&self, days_ago: i64, id: &str, end: LinkEnd) {
        let source = "https://www.dropbox.com/s/a";
        let (kind, payload) = match end {
            LinkEnd::Kept => ("link.kept", json!({"raw_url": source, "why": "too large"})),
            LinkEnd::Copied | LinkEnd::Reused => {
                let at = (now() - TimeDelta::days(days_ago) + TimeDelta::days(1)).to_rfc3339();
                let mut payload = json!({
                    "raw_url": source, "source_url": source, "r2_url": format!("https://m/{id}"),
                    "provider": "dropbox", "original_filename": "a.zip", "expires_at": at
                });
                if matches!(end, LinkEnd::Reused) {
                    payload["reused_from"] = json!("m0");
                }
                ("link.offloaded", payload)
            }
        };
        self.append(days_ago, &format!("mail-{id}"), kind, payload).await;
    }

    async fn ended(&self, days_ago: i64, id: &str, target: &str, end: &str) {
        let delivery = format!("delivery-{id}-{target}");
        let attempt =
            json!({"email_id": id, "target": target, "attempt": 1, "url": "https://x/…", "took_ms": 5});
        self.append(days_ago, &delivery, "delivery.attempted", attempt).await;
        let (kind, payload) = if end == "delivered" {
            ("delivery.succeeded", json!({"email_id": id, "target": target, "status": 200, "attempts": 1}))
        } else {
            ("delivery.dead_lettered", json!({"email_id": id, "target": target, "why": "no", "attempts": 1}))
        };
        self.append(days_ago, &delivery, kind, payload).await;
        self.append(days_ago, &format!("mail-{id}"), "mail.settled", json!({"target": target, "end": end}))
            .await;
    }

    async fn counted(&self, days_ago: i64, id: &str, target: &str) {
        let at = now() - TimeDelta::days(days_ago);
        let payload = json!({"email_id": id, "target": target, "at": at});
        self.append(days_ago, rate_stream(target, at).as_str(), "delivery.counted", payload).await;
    }

    async fn ignored(&self, days_ago: i64, id: &str) {
        self.received(days_ago, id).await;
        let payload = json!({"reason": "no_links", "policy": 1});
        self.append(days_ago, &format!("mail-{id}"), "mail.ignored", payload).await;
    }

    async fn worker(&self, days_ago: i64, name: &str, stopped: bool) {
        let stream = format!("worker-{name}");
        self.append(days_ago, &stream, "worker.started", json!({"worker": name, "version": "1"})).await;
        if stopped {
            self.append(days_ago, &stream, "worker.stopped", json!({"worker": name, "reason": "signal"}))
                .await;
        }
    }

    async fn hashes(&self) -> HashMap<&'static str, String> {
        let hash = |db: &rusqlite::Connection| {
            readmodel::all().iter().map(|one| Ok((one.name(), content_hash(db, one.as_ref())?))).collect()
        };
        self.journal.views().read(hash).await.unwrap()
    }

    async fn assert_rebuilt_equals_followed(&self) {
        let followed = self.hashes().await;
        self.journal.rebuild_projections().await.unwrap();
        assert_eq!(self.hashes().await, followed);
    }

    /// The mails that a copy is known of.
    async fn copies(&self) -> Vec<String> {
        let rows = self.journal.views().read(|db| copies_after(db, 0, 100)).await.unwrap();
        rows.into_iter().map(|row| row.email_id).collect()
    }

    async fn streams(&self) -> Vec<String> {
        let log = self.journal.read_log(0, 10_000).await.unwrap();
        let mut names: Vec<String> = log.iter().map(|event| event.stream.to_string()).collect();
        names.sort();
        names.dedup();
        names
    }

    fn archived(&self) -> Vec<Recorded> {
        let Ok(files) = std::fs::read_dir(self.folder.path().join("archive")) else { return Vec::new() };
        let mut events = Vec::new();
        for file in files {
            for line in std::fs::read_to_string(file.unwrap().path()).unwrap().lines() {
                match serde_json::from_str(line).unwrap() {
                    CopyLine::Event(event) => events.push(event),
                    other => panic!("{other:?}"),
                }
            }
        }
        events
    }
}

#[tokio::test]
async fn what_is_settled_for_long_is_moved_and_nothing_else() {
    let scene = Scene::new();
    scene.routed(200, "m1", &["default", "rule"]).await;
    scene.ended(200, "m1", "default", "delivered").await;
    scene.ended(190, "m1", "rule", "delivered").await;
    scene.link(200, "m1", LinkEnd::Copied).await;
    scene.ignored(150, "m2").await;
    scene.worker(150, "w1", true).await;
    scene.worker(150, "w2", false).await;
    // One that ended lately, one whose delivery was given up, one that is under way, a young one.
    scene.routed(200, "m3", &["default", "rule"]).await;
    scene.ended(199, "m3", "default", "delivered").await;
    scene.ended(10, "m3", "rule", "delivered").await;
    scene.link(199, "m3", LinkEnd::Copied).await;
    scene.routed(200, "m4", &["default"]).await;
    scene.ended(200, "m4", "default", "dead_lettered").await;
    scene.routed(200, "m5", &["default"]).await;
    scene.ignored(1, "m6").await;
    let before = scene.journal.read_log(0, 1_000).await.unwrap();

    let round = scene.archiver().round().await.unwrap();
    assert_eq!(round, Round { streams: 5, events: 5 + 2 + 2 + 2 + 2 });
    assert_eq!(scene.archiver().round().await.unwrap(), Round::default(), "nothing is left to do");
    assert_eq!(
        scene.streams().await,
        [
            "archive-journal",
            "delivery-m3-default",
            "delivery-m3-rule",
            "delivery-m4-default",
            "mail-m3",
            "mail-m4",
            "mail-m5",
            "mail-m6",
            "worker-w2"
        ]
    );
    // Not one event is lost.
    let mut all = scene.archived();
    all.extend(scene.journal.read_log(0, 1_000).await.unwrap());
    all.retain(|event| event.kind != "journal.archived");
    all.sort_by_key(|event| event.position);
    assert_eq!(all, before);
    assert_eq!(scene.copies().await, ["m3"], "a copy leaves with the mail it was made for");
    scene.assert_rebuilt_equals_followed().await;
    assert_eq!(scene.copies().await, ["m3"]);
    assert_eq!(scene.journal.verify().await.unwrap().problems, Vec::<String>::new());

    // A further copy of an archived mail is a duplicate, and can be noted.
    scene
        .append(
            0,
            "mail-m1",
            "mail.duplicated",
            json!({"location": {"mailbox": "m", "validity": 1, "item": "9"}}),
        )
        .await;
    let known = scene.journal.read_stream(&StreamId::from_stored("mail-m1"), 0).await.unwrap();
    assert_eq!(known.first().map(|event| event.version), Some(6));
    scene.assert_rebuilt_equals_followed().await;
}

#[tokio::test]
async fn sessions_and_sign_in_links_leave_when_they_are_over_for_long() {
    let scene = Scene::new();
    for (days_ago, id) in [(200, "old"), (20, "young")] {
        let ends_at = (now() - TimeDelta::days(days_ago - 30)).to_rfc3339();
        let opened = json!({
            "hash": id, "user": "admin", "method": "password", "link": "", "credential": "c",
            "ends_at": ends_at, "address": "", "agent": ""
        });
        scene.append(days_ago, &format!("session-{id}"), "session.opened", opened).await;
    }
    for (name, single_use, last) in [
        ("used", true, Some("magic_link.consumed")),
        ("revoked", false, Some("magic_link.revoked")),
        ("unused", true, None),
        // The end of the log stays in any case.
        ("permanent", false, Some("magic_link.consumed")),
    ] {
        let stream = format!("magic_link-{name}");
        let expires_at = (name == "unused").then(|| (now() - TimeDelta::days(199)).to_rfc3339());
        let created = json!({"single_use": single_use, "expires_at": expires_at, "by": "cli"});
        scene.append(200, &stream, "magic_link.created", created).await;
        if let Some(kind) = last {
            scene.append(199, &stream, kind, json!({"session": "s", "by": "cli"})).await;
        }
    }
    assert_eq!(scene.archiver().round().await.unwrap(), Round { streams: 4, events: 6 });
    assert_eq!(scene.streams().await, ["archive-journal", "magic_link-permanent", "session-young"]);
    assert_eq!(scene.archiver().round().await.unwrap(), Round::default());
    scene.assert_rebuilt_equals_followed().await;
}

#[tokio::test]
async fn the_hours_of_a_rate_limit_leave_when_they_are_over_for_long() {
    let scene = Scene::new();
    scene.counted(200, "m1", "default").await;
    scene.counted(200, "m2", "default").await;
    scene.counted(1, "m3", "rule-1").await;
    assert_eq!(scene.archiver().round().await.unwrap(), Round { streams: 1, events: 2 });
    let young = rate_stream("rule-1", now() - TimeDelta::days(1));
    assert_eq!(scene.streams().await, ["archive-journal".to_owned(), young.to_string()]);
    assert_eq!(scene.archived().len(), 2);
    scene.assert_rebuilt_equals_followed().await;
}

/// Keeps nothing, or keeps it and lets something happen before it says so.
struct Disturbed<'a>(&'a Scene, Mutex<bool>);

#[async_trait]
impl ArchiveStore for Disturbed<'static> {
    async fn keep(&self, _: &str, _: Bytes) -> Result<String, String> {
        let first = std::mem::take(&mut *self.1.lock().unwrap());
        if first {
            return Err("the disk is full".to_owned());
        }
        let payload = json!({"location": {"mailbox": "m", "validity": 1, "item": "77"}});
        self.0.append(0, "mail-m1", "mail.duplicated", payload).await;
        Ok("elsewhere".to_owned())
    }
}

#[tokio::test]
async fn nothing_leaves_before_it_is_kept_or_when_it_has_moved_on() {
    let scene: &'static Scene = Box::leak(Box::new(Scene::new()));
    scene.ignored(200, "m1").await;
    scene.worker(1, "w1", false).await;
    let archiver = Archiver { store: Arc::new(Disturbed(scene, Mutex::new(true))), ..scene.archiver() };
    assert_eq!(archiver.round().await.unwrap_err(), "the disk is full");
    assert_eq!(scene.streams().await, ["mail-m1", "worker-w1"]);
    assert_eq!(archiver.round().await.unwrap(), Round::default());
    let events = scene.journal.read_stream(&StreamId::from_stored("mail-m1"), 0).await.unwrap();
    assert_eq!(events.len(), 3);
}

/// A mail: how long ago, how many targets, how each ended (0 = not yet, 1 = delivered, 2 = dead),
/// and its links.
type MailSteps = (i64, Vec<u8>, Vec<LinkEnd>);

fn mails() -> impl Strategy<Value = Vec<MailSteps>> {
    let ends = prop::collection::vec(0..3_u8, 0..3);
    let link = prop::sample::select(vec![LinkEnd::Copied, LinkEnd::Reused, LinkEnd::Kept]);
    prop::collection::vec((0..200_i64, ends, prop::collection::vec(link, 0..3)), 0..12)
}

#[tokio::test]
async fn a_copy_that_is_found_after_the_archiving_leaves_in_its_turn() {
    let scene = Scene::new();
    let copy = |item: &str| json!({"location": {"mailbox": "m", "validity": 1, "item": item}});
    scene.ignored(200, "m1").await;
    scene.worker(0, "w1", false).await;
    assert_eq!(scene.archiver().round().await.unwrap(), Round { streams: 1, events: 2 });
    scene.append(150, "mail-m1", "mail.duplicated", copy("7")).await;
    scene.append(20, "mail-m1", "mail.duplicated", copy("8")).await;
    scene.worker(0, "w2", false).await;
    assert_eq!(scene.archiver().round().await.unwrap(), Round::default(), "one copy is young");

    let later = Archiver {
        world: World { clock: Arc::new(FixedClock(now() + TimeDelta::days(90))), ..World::real() },
        ..scene.archiver()
    };
    assert_eq!(later.round().await.unwrap(), Round { streams: 1, events: 2 });
    assert_eq!(later.round().await.unwrap(), Round::default());
    assert_eq!(scene.streams().await, ["archive-journal", "worker-w1", "worker-w2"]);
    let views = scene.journal.views();
    let known = views.read(|db| {
        let mut ranges = db.prepare("SELECT first, last FROM archived_uids ORDER BY first")?;
        let rows = ranges.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect::<rusqlite::Result<Vec<(i64, i64)>>>()
    });
    assert_eq!(known.await.unwrap(), [(1, 1), (7, 8)]);
    scene.assert_rebuilt_equals_followed().await;
    assert_eq!(scene.journal.verify().await.unwrap().problems, Vec::<String>::new());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn tables_do_not_depend_on_whether_they_saw_what_was_archived(mails in mails()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let scene = Scene::new();
            for (n, (days_ago, ends, links)) in mails.iter().enumerate() {
                let id = format!("m{n}");
                if ends.is_empty() {
                    scene.ignored(*days_ago, &id).await;
                    continue;
                }
                let targets: Vec<String> = (0..ends.len()).map(|target| format!("t{target}")).collect();
                let names: Vec<&str> = targets.iter().map(String::as_str).collect();
                scene.routed(*days_ago, &id, &names).await;
                for link in links {
                    scene.link(*days_ago, &id, *link).await;
                }
                for (target, end) in names.iter().zip(ends) {
                    scene.counted(*days_ago, &id, target).await;
                    match end {
                        1 => scene.ended(*days_ago, &id, target, "delivered").await,
                        2 => scene.ended(*days_ago, &id, target, "dead_lettered").await,
                        _ => {}
                    }
                }
            }
            scene.archiver().round().await.unwrap();
            scene.assert_rebuilt_equals_followed().await;
            let report = scene.journal.verify().await.unwrap();
            assert_eq!(report.problems, Vec::<String>::new());
            assert_eq!(report.trimmed, scene.archived().len() as u64);
        });
    }
}

/// A journal with a bit of everything.
async fn varied() -> Scene {
    let scene = Scene::new();
    scene.ignored(200, "m1").await;
    scene.routed(200, "m2", &["default"]).await;
    scene.worker(2, "w1", true).await;
    scene.archiver().round().await.unwrap();
    let body = |key: &str, text: &'static [u8]| Body {
        key: key.to_owned(),
        bytes: Bytes::from_static(text),
        keep_until: now() + TimeDelta::days(3),
    };
    let row = |key: &str, due: Due, order: Option<&str>| OutboxAdd {
        queue: Queue::Deliver,
        key: key.to_owned(),
        partition: "default".to_owned(),
        order_key: order.map(str::to_owned),
        due,
        meta: json!({"n": 1.0, "z": {}, "a": []}),
        body_key: Some("b1".to_owned()),
    };
    let commit = Commit {
        at: now(),
        add: vec![
            row("m2/z", Due::At(now()), Some("s")),
            row("m2/a", Due::Reserved, Some("s")),
            row("m2/p", Due::Parked, None),
        ],
        bodies: vec![body("b1", b"{\"x\":1}"), body("b0", b"\xff\x00")],
        ..Commit::default()
    };
    scene.journal.append(commit).await.unwrap();
    scene
}

async fn lines_of(journal: &dyn JournalAdmin) -> (Vec<String>, CopyTotals) {
    let mut lines = Vec::new();
    let tally = export(journal, now(), |line| {
        lines.push(serde_json::to_string(line)?);
        Ok(())
    })
    .await
    .unwrap();
    (lines, tally)
}

async fn taken_in(journal: &dyn JournalAdmin, lines: &[String]) -> Result<CopyTotals, TransferError> {
    let mut import = Import::into_empty(journal).await?;
    for line in lines {
        import.line(line).await?;
    }
    import.finish().await
}

#[tokio::test]
async fn a_copy_of_a_copy_is_the_same() {
    let original = varied().await;
    let (lines, tally) = lines_of(original.journal.as_ref()).await;
    assert_eq!((tally.events, tally.trimmed, tally.bodies, tally.rows), (5, 1, 2, 3));
    let memory = MemoryJournal::new(world(), readmodel::all());
    assert_eq!(taken_in(&memory, &lines).await.unwrap(), tally);
    let (second, second_tally) = lines_of(&memory).await;
    assert_eq!(second_tally, tally);
    let copy = Scene::new();
    assert_eq!(taken_in(copy.journal.as_ref(), &second).await.unwrap(), tally);
    // What happened, what waits and in which order: all as it was.
    for queue in Queue::ALL {
        let rows = original.journal.outbox(queue, 100).await.unwrap();
        assert_eq!(
            serde_json::to_value(copy.journal.outbox(queue, 100).await.unwrap()).unwrap(),
            serde_json::to_value(rows).unwrap()
        );
    }
    let archived = Commit {
        writes: vec![StreamWrite {
            stream: StreamId::from_stored("mail-m1"),
            expected: Expected::NoStream,
            events: vec![],
        }],
        ..Commit::default()
    };
    assert!(copy.journal.append(archived).await.is_err(), "a duplicate is still refused");
    let refused = taken_in(copy.journal.as_ref(), &lines).await.unwrap_err();
    assert!(matches!(refused, TransferError::NotEmpty(_)), "{refused}");
}

#[tokio::test]
async fn a_copy_that_is_not_whole_is_refused() {
    let original = varied().await;
    let (lines, _) = lines_of(original.journal.as_ref()).await;
    type Damage = fn(&mut Vec<String>);
    let damages: [(&str, Damage); 6] = [
        ("torn off", |lines| drop(lines.pop())),
        ("line 3", |lines| lines[2] = "{\"event\":".to_owned()),
        ("line 1: a copy of a journal begins", |lines| drop(lines.remove(0))),
        ("hold", |lines| drop(lines.remove(lines.len() - 2))),
        ("newer than this program", |lines| lines[0] = lines[0].replace("\"format\":1", "\"format\":2")),
        ("hold", |lines| lines[3] = lines[3].replace("default", "defaulx")),
    ];
    for (expected, damage) in damages {
        let mut damaged = lines.clone();
        damage(&mut damaged);
        let journal = MemoryJournal::new(world(), readmodel::all());
        let refused = taken_in(&journal, &damaged).await.unwrap_err().to_string();
        assert!(refused.contains(expected), "{expected}: {refused}");
    }
}
