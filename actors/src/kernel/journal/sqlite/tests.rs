//! What only the embedded journal does: the file, its refusals, several processes.

use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::kernel::journal::conformance::{
    self, Kinds, add, event, events, keys, ordered, request, row, stream, t, world,
};
use crate::kernel::journal::{Body, Due, Expected, OutboxAdd};
use crate::kernel::projection::content_hash;

fn options() -> SqliteOptions {
    SqliteOptions::default()
}

fn open(path: &Path) -> Arc<SqliteJournal> {
    SqliteJournal::open(path, world(), conformance::projections(), options()).unwrap()
}

fn file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data").join("journal.db");
    (folder, path)
}

/// What lies in the folder of the journal. A worker's lock file stays: if it were removed, two
/// workers could hold a lock of the same name, one of them on a file that is gone.
fn folder_of(path: &Path) -> Vec<String> {
    let beside = std::fs::read_dir(path.parent().unwrap()).unwrap();
    let mut names: Vec<_> = beside.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

async fn hashes(journal: &SqliteJournal) -> Vec<String> {
    journal
        .views()
        .read(|db| conformance::projections().iter().map(|one| content_hash(db, one.as_ref())).collect())
        .await
        .unwrap()
}

async fn fill(journal: &SqliteJournal, from: u64, to: u64) {
    for n in from..to {
        let mut commit = events(&n.to_string(), Expected::NoStream, 3);
        commit.add.push(OutboxAdd { body_key: Some(n.to_string()), ..row(&n.to_string(), Due::At(t(0))) });
        commit.bodies.push(Body { key: n.to_string(), bytes: vec![7; 300].into(), keep_until: t(9) });
        journal.append(commit).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn does_what_every_journal_does() {
    let folder = tempfile::tempdir().unwrap();
    let count = std::cell::Cell::new(0);
    conformance::run_all(|| {
        count.set(count.get() + 1);
        open(&folder.path().join(format!("{}.db", count.get())))
    })
    .await;
}

#[test]
fn answers_like_the_reference_model() {
    // Thousands of commits: in memory where there is such a folder, so that no disk is waited for.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let count = std::cell::Cell::new(0);
    conformance::answers_agree(96, || {
        count.set(count.get() + 1);
        open(&folder.path().join(format!("{}.db", count.get())))
    });
}

#[tokio::test]
async fn keeps_everything_over_an_orderly_stop() {
    let (_folder, path) = file();
    let journal = open(&path);
    fill(&journal, 0, 5).await;
    let fence = journal.raise_fence("poller").await.unwrap();
    let (log, views) = (journal.read_log(0, 99).await.unwrap(), hashes(&journal).await);
    journal.close().await;
    assert_eq!(folder_of(&path), ["journal.db", "journal.db-worker-0"], "no log is left");

    let journal = open(&path);
    assert_eq!(journal.hints().borrow().position, 15);
    assert_eq!(journal.read_log(0, 99).await.unwrap(), log);
    assert_eq!(hashes(&journal).await, views);
    assert_eq!(
        journal.raise_fence("poller").await.unwrap(),
        fence + 1,
        "the clock of the tests stands still"
    );
    assert_eq!(journal.claim(request(0)).await.unwrap().len(), 5);
    assert_eq!(journal.verify().await.unwrap().problems, Vec::<String>::new());
}

#[tokio::test]
async fn a_copy_is_the_journal_of_one_moment_while_it_is_written() {
    let (_folder, path) = file();
    let journal = open(&path);
    fill(&journal, 0, 5).await;
    let (log, views) = (journal.read_log(0, 99).await.unwrap(), hashes(&journal).await);
    let (_copies, copy) = file();
    std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
    backup::copy(&path, &copy).unwrap();
    fill(&journal, 5, 2).await;
    let copied = open(&copy);
    assert_eq!(copied.read_log(0, 99).await.unwrap(), log);
    assert_eq!(hashes(&copied).await, views);
    assert_eq!(copied.verify().await.unwrap().problems, Vec::<String>::new());
    assert_eq!(copied.claim(request(0)).await.unwrap().len(), 5);
    // What is there already is not overwritten.
    assert!(backup::copy(&path, &copy).is_err());
    assert_eq!(journal.verify().await.unwrap().problems, Vec::<String>::new());
}

#[tokio::test]
async fn keeps_what_was_acknowledged_when_the_process_dies() {
    let (_folder, path) = file();
    let journal = open(&path);
    fill(&journal, 0, 5).await;
    // The files as a dying process leaves them: the log is not yet copied into the file.
    let (copy_folder, copy) = file();
    std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
    for suffix in ["", "-wal"] {
        std::fs::copy(format!("{}{suffix}", path.display()), format!("{}{suffix}", copy.display())).unwrap();
    }
    let survivor = open(&copy);
    assert_eq!(survivor.read_log(0, 99).await.unwrap(), journal.read_log(0, 99).await.unwrap());
    assert_eq!(survivor.verify().await.unwrap().problems, Vec::<String>::new());
    assert_eq!(hashes(&survivor).await, hashes(&journal).await);
    drop(copy_folder);
}

#[tokio::test]
async fn a_torn_last_write_is_as_if_never_made() {
    let (_folder, path) = file();
    let journal = open(&path);
    fill(&journal, 0, 3).await;
    let log = journal.read_log(0, 99).await.unwrap();
    let (_copy_folder, copy) = file();
    std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
    std::fs::copy(&path, &copy).unwrap();
    let wal = std::fs::read(format!("{}-wal", path.display())).unwrap();
    std::fs::write(format!("{}-wal", copy.display()), &wal[..wal.len() - 100]).unwrap();
    let survivor = open(&copy);
    let kept = survivor.read_log(0, 99).await.unwrap();
    assert_eq!(kept, log[..kept.len()]);
    assert_eq!(kept.len(), 6, "the last commit is gone as a whole");
    assert_eq!(survivor.verify().await.unwrap().problems, Vec::<String>::new());
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_left_alone() {
    let (_folder, path) = file();
    let journal = open(&path);
    fill(&journal, 0, 50).await;
    journal.close().await;
    let sound = std::fs::read(&path).unwrap();
    type Spoil = fn(&mut Vec<u8>);
    let damage: [(&str, Spoil); 6] = [
        ("not a database", |bytes| bytes[..16].copy_from_slice(b"this is no file!")),
        ("a page overwritten", |bytes| bytes[8_192..12_288].fill(0xEE)),
        ("cut short", |bytes| bytes.truncate(20_000)),
        ("cut to the header", |bytes| bytes.truncate(50)),
        ("another program's", |bytes| bytes[68..72].copy_from_slice(b"else")),
        ("no format", |bytes| bytes[60..64].fill(0)),
    ];
    for (name, spoil) in damage {
        let mut bytes = sound.clone();
        spoil(&mut bytes);
        std::fs::write(&path, &bytes).unwrap();
        let refused = SqliteJournal::open(&path, world(), conformance::projections(), options()).unwrap_err();
        assert!(matches!(refused, JournalError::Corrupt { .. }), "{name}: {refused}");
        let text = refused.to_string();
        assert!(text.contains(path.to_str().unwrap()) && text.contains("left untouched"), "{name}: {text}");
        assert!(std::fs::read(&path).unwrap() == bytes, "{name}: the file was changed");
    }
    let mut bytes = sound.clone();
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let refused = SqliteJournal::open(&path, world(), conformance::projections(), options()).unwrap_err();
    assert!(matches!(refused, JournalError::FromTheFuture { found: 99, known: 2, .. }), "{refused}");
    assert!(SqliteJournal::open_read_only(&path, world()).is_err());
    assert!(std::fs::read(&path).unwrap() == bytes);

    std::fs::write(&path, &sound).unwrap();
    assert_eq!(open(&path).head().await.unwrap(), 150);
}

#[tokio::test]
async fn a_damaged_file_with_a_log_beside_it_is_left_alone() {
    let (_folder, path) = file();
    let journal = open(&path);
    fill(&journal, 0, 50).await;
    journal.close().await;
    let journal = open(&path);
    fill(&journal, 50, 51).await;
    let (_copy_folder, copy) = file();
    std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
    let wal = std::fs::read(format!("{}-wal", path.display())).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let pages = bytes.len() / 4_096;
    bytes[(pages - 3) * 4_096..(pages - 1) * 4_096].fill(0xEE);
    std::fs::write(&copy, &bytes).unwrap();
    std::fs::write(format!("{}-wal", copy.display()), &wal).unwrap();
    let refused = SqliteJournal::open(&copy, world(), conformance::projections(), options()).unwrap_err();
    assert!(matches!(refused, JournalError::Corrupt { .. }), "{refused}");
    assert!(std::fs::read(&copy).unwrap() == bytes);
    assert!(std::fs::read(format!("{}-wal", copy.display())).unwrap() == wal);

    std::fs::write(&copy, b"").unwrap();
    let refused = SqliteJournal::open(&copy, world(), conformance::projections(), options()).unwrap_err();
    assert!(matches!(refused, JournalError::Corrupt { .. }), "{refused}");
    assert!(std::fs::read(&copy).unwrap().is_empty());
}

#[tokio::test]
async fn events_cannot_be_changed() {
    let (_folder, path) = file();
    let journal = open(&path);
    fill(&journal, 0, 2).await;
    let db = Connection::open(&path).unwrap();
    for sql in ["UPDATE event SET payload = '{}' WHERE position = 1", "DELETE FROM event WHERE position = 1"]
    {
        let refused = db.execute_batch(sql).unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{refused}");
    }
}

#[tokio::test]
async fn a_changed_byte_is_noticed() {
    let (_folder, path) = file();
    let journal = open(&path);
    fill(&journal, 0, 4).await;
    let db = Connection::open(&path).unwrap();
    db.execute_batch("DROP TRIGGER event_update").unwrap();
    db.execute_batch("UPDATE event SET payload = replace(payload, '\"n\":1', '\"n\":2') WHERE position = 5")
        .unwrap();
    db.execute_batch("UPDATE body SET bytes = x'00' WHERE key = '3'").unwrap();
    db.execute_batch("UPDATE stream SET version = 9 WHERE name = 'test-0'").unwrap();
    let problems = journal.verify().await.unwrap().problems;
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems[0].contains("event 5 (thing.tried in test-1)"), "{problems:?}");
    assert!(problems[1].contains("test-0"), "{problems:?}");
    assert!(problems[2].contains("body \"3\""), "{problems:?}");

    db.execute_batch("DROP TRIGGER event_delete; DELETE FROM event WHERE position = 6").unwrap();
    let problems = journal.verify().await.unwrap().problems;
    assert!(problems.iter().any(|p| p == "position 7 follows 5"), "{problems:?}");
}

#[tokio::test]
async fn a_full_disk_refuses_and_recovers() {
    let (_folder, path) = file();
    let limited = SqliteOptions { max_pages: Some(150), ..options() };
    let journal = SqliteJournal::open(&path, world(), conformance::projections(), limited).unwrap();
    let large = |n: u64| {
        let mut commit = events(&n.to_string(), Expected::NoStream, 1);
        let bytes = vec![1; 100_000].into();
        commit.bodies.push(Body { key: n.to_string(), bytes, keep_until: t(1) });
        commit
    };
    let mut written = 0;
    let refused = loop {
        match journal.append(large(written)).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 50);
    };
    assert!(matches!(&refused, AppendError::Rejected(why) if why.contains("full")), "{refused}");
    // In one group with those that do not fit, a small one still passes.
    let large_ones = (100..110).map(|n| journal.append(large(n)));
    let small = journal.append(events("small", Expected::NoStream, 1));
    let (refused, small) = tokio::join!(futures::future::join_all(large_ones), small);
    assert!(refused.iter().all(|answer| matches!(answer, Err(AppendError::Rejected(_)))));
    small.unwrap();
    assert_eq!(journal.head().await.unwrap(), written + 1);
    // Space returns, and it works again.
    assert_eq!(journal.purge(t(1)).await.unwrap(), written);
    journal.append(large(written)).await.unwrap();
    assert_eq!(journal.verify().await.unwrap().problems, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_share_the_file() {
    let (_folder, path) = file();
    let (one, two) = (open(&path), open(&path));
    let write = |journal: Arc<SqliteJournal>, name: &'static str| async move {
        for n in 0..40 {
            journal.append(events(&format!("{name}{n}"), Expected::NoStream, 2)).await.unwrap();
        }
    };
    tokio::join!(async { tokio::spawn(write(Arc::clone(&one), "a")).await.unwrap() }, async {
        tokio::spawn(write(Arc::clone(&two), "b")).await.unwrap()
    },);
    let log = one.read_log(0, 999).await.unwrap();
    assert_eq!(log.iter().map(|event| event.position).collect::<Vec<_>>(), (1..=160).collect::<Vec<_>>());
    assert_eq!(two.read_log(0, 999).await.unwrap(), log);
    assert_eq!(hashes(&one).await, hashes(&two).await);
    assert!(matches!(
        two.append(events("a3", Expected::NoStream, 1)).await,
        Err(AppendError::Conflict { actual: 2, .. })
    ));
    // Fences and claims hold across processes, too.
    let fence = one.raise_fence("poller").await.unwrap();
    assert_eq!(two.raise_fence("poller").await.unwrap(), fence + 1);
    one.append(add(vec![row("k", Due::At(t(0)))])).await.unwrap();
    assert_eq!(two.claim(request(0)).await.unwrap().len(), 1);
    assert!(one.claim(request(0)).await.unwrap().is_empty());
    assert_eq!(one.verify().await.unwrap().problems, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_of_another_process_are_hinted() {
    let (_folder, path) = file();
    let (one, two) = (open(&path), open(&path));
    let mut hints = one.hints();
    hints.borrow_and_update();
    two.append(events("a", Expected::NoStream, 2)).await.unwrap();
    let seen = hints.wait_for(|hint| hint.position == 2);
    tokio::time::timeout(Duration::from_secs(10), seen).await.unwrap().unwrap();
    let before = *hints.borrow_and_update();
    two.append(add(vec![row("k", Due::At(t(0)))])).await.unwrap();
    let seen = hints.wait_for(|hint| hint.queues[2] > before.queues[2]);
    tokio::time::timeout(Duration::from_secs(10), seen).await.unwrap().unwrap();
}

#[tokio::test]
async fn projections_catch_up_with_a_process_that_did_not_feed_them() {
    let (_folder, path) = file();
    let one = open(&path);
    fill(&one, 0, 3).await;
    let bare = SqliteJournal::open(&path, world(), Arc::new(Vec::new()), options()).unwrap();
    bare.append(events("bare", Expected::NoStream, 2)).await.unwrap();
    bare.close().await;
    one.close().await;
    let one = open(&path);
    fill(&one, 3, 4).await;
    let before = hashes(&one).await;
    one.rebuild_projections().await.unwrap();
    assert_eq!(hashes(&one).await, before);
}

#[tokio::test]
async fn projections_are_rebuilt_with_equal_content() {
    let (_folder, path) = file();
    let journal = open(&path);
    fill(&journal, 0, 20).await;
    let before = hashes(&journal).await;
    assert_eq!(journal.rebuild_projections().await.unwrap(), 60);
    assert_eq!(hashes(&journal).await, before);
    journal.close().await;

    // A new version is dropped and replayed at opening.
    let newer: Projections = Arc::new(vec![Box::new(Kinds { version: 2 })]);
    let journal = SqliteJournal::open(&path, world(), Arc::clone(&newer), options()).unwrap();
    let content = journal.views().read(move |db| content_hash(db, newer[0].as_ref())).await.unwrap();
    assert_eq!(content, before[0]);
    let stored: (i64, i64) = journal
        .views()
        .read(|db| {
            db.query_row("SELECT version, position FROM projection WHERE name = 'kinds'", [], |r| {
                Ok((r.get(0)?, r.get(1)?))
            })
        })
        .await
        .unwrap();
    assert_eq!(stored, (2, 60));
}

#[tokio::test]
async fn a_snapshot_and_the_tail_equal_a_full_replay() {
    let (_folder, path) = file();
    let journal = open(&path);
    fill(&journal, 0, 10).await;
    journal.close().await;
    // The read models as they are now go into a file that then sees only the tail.
    let journal = open(&path);
    fill(&journal, 10, 25).await;
    journal.append(events("3", Expected::Exact(3), 4)).await.unwrap();
    let snapshot_and_tail = hashes(&journal).await;
    journal.close().await;

    let journal = open(&path);
    journal.rebuild_projections().await.unwrap();
    assert_eq!(hashes(&journal).await, snapshot_and_tail);
    let empty = tempfile::tempdir().unwrap();
    let other = open(&empty.path().join("other.db"));
    assert_ne!(hashes(&other).await, snapshot_and_tail, "the hash tells contents apart");
}

#[tokio::test]
async fn looking_needs_no_writer_and_leaves_nothing_behind() {
    let (_folder, path) = file();
    let missing = SqliteJournal::open_read_only(&path, world()).unwrap_err();
    assert!(missing.to_string().contains("there is no journal at"), "{missing}");
    assert!(!path.exists() && !path.parent().unwrap().exists());

    let journal = open(&path);
    fill(&journal, 0, 3).await;
    let looking = SqliteJournal::open_read_only(&path, world()).unwrap();
    fill(&journal, 3, 4).await;
    assert_eq!(looking.head().await.unwrap(), 12, "it sees what is written meanwhile");
    assert_eq!(hashes(&looking).await, hashes(&journal).await);
    assert_eq!(looking.outbox(Queue::Deliver, 9).await.unwrap().len(), 4);
    assert!(matches!(
        looking.append(events("b", Expected::NoStream, 1)).await,
        Err(AppendError::Rejected(why)) if why.contains("reading only")
    ));
    assert!(looking.raise_fence("poller").await.is_err());
    looking.close().await;
    journal.close().await;

    let bytes = std::fs::read(&path).unwrap();
    let looking = SqliteJournal::open_read_only(&path, world()).unwrap();
    assert_eq!(looking.read_stream(&stream("3"), 0).await.unwrap().len(), 3);
    assert_eq!(looking.verify().await.unwrap().problems, Vec::<String>::new());
    looking.close().await;
    assert!(std::fs::read(&path).unwrap() == bytes);
    assert_eq!(folder_of(&path), ["journal.db", "journal.db-worker-0"]);
}

#[tokio::test]
async fn a_claim_is_answered_after_its_commit_only() {
    let (_folder, path) = file();
    let journal = open(&path);
    journal.append(add((0..30).map(|n| row(&n.to_string(), Due::At(t(0)))).collect())).await.unwrap();
    let claims = (0..10).map(|_| journal.claim(ClaimRequest { limit: 5, ..request(0) }));
    let claimed = futures::future::join_all(claims).await;
    let mut keys: Vec<String> =
        claimed.into_iter().flat_map(Result::unwrap).map(|claimed| claimed.key).collect();
    assert_eq!(keys.len(), 30);
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 30, "no row went to two workers");
}

#[tokio::test]
async fn what_was_asked_is_done_though_the_asker_left() {
    let (_folder, path) = file();
    let journal = open(&path);
    let mut commit = events("a", Expected::NoStream, 1);
    commit.writes[0].events = vec![event(1)];
    drop(tokio::time::timeout(Duration::ZERO, journal.append(commit.clone())).await);
    let again = journal.append(commit).await.unwrap();
    assert_eq!(again.position, 1);
    assert_eq!(journal.head().await.unwrap(), 1);
}

/// The journal's process dies: nothing is closed, the system takes the lock back.
async fn die(journal: Arc<SqliteJournal>, path: &Path, number: i64) {
    drop(journal);
    // Its thread ends after the last operation; a lower number would be taken in its stead.
    loop {
        let mut below = Vec::new();
        let free = loop {
            let slot = ProcessSlot::take(path).unwrap();
            if slot.number >= number {
                break slot.number;
            }
            below.push(slot);
        };
        if free == number {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn claims_of_a_dead_process_are_released_when_its_place_is_taken() {
    let (_folder, path) = file();
    let journal = open(&path);
    let rows = vec![
        row("plain", Due::At(t(0))),
        row("later", Due::At(t(30))),
        ordered("o", row("first", Due::At(t(0)))),
        ordered("o", row("second", Due::At(t(0)))),
        ordered("p", row("reserved", Due::Reserved)),
        row("parked", Due::Parked),
        row("given back", Due::At(t(0))),
    ];
    journal.append(add(rows)).await.unwrap();
    let claimed = journal.claim(request(0)).await.unwrap();
    assert_eq!(keys(&claimed), ["plain", "first", "given back"]);
    journal.append(conformance::defer("given back", Some(claimed[2].claim), Due::At(t(50)))).await.unwrap();
    die(journal, &path, 0).await;

    let journal = open(&path);
    // Not a second of the minute that the claims had left: the row of an order, too, and its
    // follower still waits for it.
    let again = journal.claim(request(0)).await.unwrap();
    assert_eq!(keys(&again), ["plain", "first"]);
    assert_eq!(again.iter().map(|row| row.claims).collect::<Vec<_>>(), [2, 2]);
    // Whoever comes back with the old claim has lost it.
    let late = journal.append(conformance::settle("plain", Some(claimed[0].claim))).await;
    assert!(matches!(late, Err(AppendError::ClaimLost { .. })), "{late:?}");
    journal.append(conformance::settle("first", Some(again[1].claim))).await.unwrap();
    assert_eq!(keys(&journal.claim(request(0)).await.unwrap()), ["second"]);
    assert_eq!(keys(&journal.claim(request(59)).await.unwrap()), ["later", "given back"]);
    assert_eq!(journal.verify().await.unwrap().problems, Vec::<String>::new());
}

#[tokio::test]
async fn claims_of_a_process_that_closes_the_journal_are_released_for_the_others() {
    let (_folder, path) = file();
    let (one, two) = (open(&path), open(&path));
    one.append(add(vec![row("a", Due::At(t(0))), ordered("o", row("b", Due::At(t(0))))])).await.unwrap();
    let claimed = one.claim(request(0)).await.unwrap();
    assert_eq!(keys(&claimed), ["a", "b"]);
    assert!(two.claim(request(0)).await.unwrap().is_empty());
    one.close().await;
    assert_eq!(keys(&two.claim(request(0)).await.unwrap()), ["a", "b"]);
    let late = two.append(conformance::settle("a", Some(claimed[0].claim))).await;
    assert!(matches!(late, Err(AppendError::ClaimLost { .. })), "{late:?}");
}

#[tokio::test]
async fn claims_of_a_living_process_are_left_alone() {
    let (_folder, path) = file();
    let (one, two) = (open(&path), open(&path));
    one.append(add(vec![row("a", Due::At(t(0))), ordered("o", row("b", Due::At(t(0))))])).await.unwrap();
    one.append(add(vec![ordered("o", row("c", Due::At(t(0))))])).await.unwrap();
    let of_two = two.claim(ClaimRequest { limit: 1, ..request(0) }).await.unwrap();
    let of_one = one.claim(request(0)).await.unwrap();
    assert_eq!((keys(&of_two), keys(&of_one)), (vec!["a"], vec!["b"]));

    // A third finds both alive; and the death of the second concerns its own claims only.
    let three = open(&path);
    assert!(three.claim(request(0)).await.unwrap().is_empty());
    die(two, &path, 1).await;
    assert!(three.claim(request(0)).await.unwrap().is_empty(), "nobody has taken the place yet");
    let successor = open(&path);
    assert_eq!(keys(&successor.claim(request(0)).await.unwrap()), ["a"]);
    one.append(conformance::settle("b", Some(of_one[0].claim))).await.unwrap();
    assert_eq!(keys(&three.claim(request(0)).await.unwrap()), ["c"]);
    // Without a successor, a claim runs out by itself.
    die(three, &path, 2).await;
    assert_eq!(keys(&one.claim(request(60)).await.unwrap()), ["a", "c"]);
}
