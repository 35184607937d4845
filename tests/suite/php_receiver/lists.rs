//! `webhook_links.json`, which the program and the pages write under the same locks.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::DateTime;
use render_signal_actors::r2::links::book::{self, Bounds};
use render_signal_actors::r2::links::file::{LinksFile, ListChange, Written};
use render_signal_actors::readmodel::queries::LinkRow;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::{deliver, diagnosed, entries, list, now, pair, parsed, post, prepared, running, script, webhook};
use crate::support::php::Php;
use crate::support::{PATIENCE, until};

fn copy(position: u64) -> LinkRow {
    LinkRow {
        position,
        event_id: format!("event-{position}"),
        email_id: "e0".to_owned(),
        source_url: format!("https://www.dropbox.com/s/program/{position}.zip?dl=1"),
        r2_url: format!("https://media.example/program/{position}"),
        provider: "dropbox".to_owned(),
        original_filename: Some("été.zip".to_owned()),
        at: DateTime::from_timestamp(1_780_000_000, 0).expect("a time"),
        expires_at: None,
    }
}

/// Adds copies as the program does, trying again while somebody else writes.
async fn program_writes(file: &LinksFile, copies: Vec<LinkRow>) -> Option<PathBuf> {
    until("the program's own write", PATIENCE, async || {
        let change = ListChange {
            from: file.cursor(),
            copies: copies.clone(),
            anew: !file.exists(),
            now: DateTime::from_timestamp(now(), 0).expect("a time"),
        };
        match file.apply(&change).expect("a list that can be written") {
            Written::Done { archived } => Ok(archived),
            other => Err(format!("{other:?}")),
        }
    })
    .await
}

/// The three methods, and the newest entries of both formats.
const LOGGER: &str = r#"
    require 'deployment/src/JsonLogger.php';
    $list = new RenderSignal\Links\LinkList($argv[1]);
    $jsonLogger = new RenderSignal\JsonLogger($list, new DateTimeImmutable('2026-11-30T10:00:00.5+01:00'));
    $later = new RenderSignal\JsonLogger($list, new DateTimeImmutable('2026-11-30T12:00:00+02:00'));
    echo json_encode([
        $jsonLogger->logR2LinkPair('https://www.dropbox.com/s/a/1.zip?dl=0', 'https://media.example/1', 'dropbox', 'e1', "../\u{202e}été.zip"),
        $jsonLogger->logR2LinkPair('https://WWW.dropbox.com/s/a/1.zip', 'https://media.example/1', 'dropbox'),
        $jsonLogger->logR2LinkPair('https://fromsmash.com/a', 'https://media.example/2', 'No Name', "e\n2", '..'),
        $jsonLogger->logR2LinkPair('javascript:alert(1)', 'https://media.example/3', 'dropbox'),
        $jsonLogger->logR2LinkPair('https://fromsmash.com/b', 'media.example/3', 'dropbox'),
        $later->logDropboxUrl('https://www.dropbox.com/s/été?dl=0', 'webhook'),
        $later->logDropboxUrl('https://www.dropbox.com/s/a">x</a>', 'webhook'),
        $later->logDeliveryLinkPairs([
            ['raw_url' => 'https://fromsmash.com/c', 'r2_url' => 'https://media.example/4', 'provider' => 'fromsmash'],
            (object) ['raw_url' => 'https://fromsmash.com/d', 'r2_url' => 'nowhere'],
            ['raw_url' => 'https://fromsmash.com/e'], 'https://fromsmash.com/e', 5, null, [],
        ], 'e3'),
        array_map(static fn ($entry) => $entry->url ?? $entry->r2_url, $jsonLogger->getRecentLogs(4)),
    ]);
"#;

#[test]
fn the_logger_records_links_in_both_formats() {
    let php = Php::prepare();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("new/webhook_links.json");
    let done = script(&php, LOGGER, &[path.to_str().expect("a path")]);
    assert!(done.status.success() && done.stderr.is_empty(), "{done:?}");
    let said: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    let newest = [
        "https://fromsmash.com/e",
        "https://fromsmash.com/d",
        "https://media.example/4",
        "https://www.dropbox.com/s/été?dl=0",
    ];
    assert_eq!(said, json!([true, true, true, false, false, true, false, {"r2": 1, "legacy": 2}, newest]));
    let at = |time: &str| json!(format!("2026-11-30T{time}"));
    let legacy =
        |url: &str| json!({"url": url, "timestamp": "2026-11-30T12:00:00+02:00", "source": "webhook"});
    assert_eq!(
        entries(&path),
        [
            json!({"source_url": "https://www.dropbox.com/s/a/1.zip?dl=1", "r2_url": "https://media.example/1", "provider": "dropbox",
                "created_at": at("09:00:00.500000+00:00"), "email_id": "e1", "original_filename": "été.zip"}),
            json!({"source_url": "https://fromsmash.com/a", "r2_url": "https://media.example/2", "provider": "unknown",
                "created_at": at("09:00:00.500000+00:00")}),
            legacy("https://www.dropbox.com/s/été?dl=0"),
            json!({"source_url": "https://fromsmash.com/c", "r2_url": "https://media.example/4", "provider": "fromsmash",
                "created_at": at("10:00:00.000000+00:00"), "email_id": "e3"}),
            legacy("https://fromsmash.com/d"),
            legacy("https://fromsmash.com/e"),
        ]
    );
    let mode = |path: &Path| fs::metadata(path).expect("a file").mode() & 0o777;
    assert_eq!((mode(&path), mode(&path.with_extension("json.lock"))), (0o600, 0o600));
    // As the program writes it, byte for byte.
    let text = fs::read_to_string(&path).expect("a list");
    assert_eq!(text, serde_json::to_string_pretty(&entries(&path)).expect("JSON"));
}

/// What is in the list and in its archives, each entry by how many of them have it; and whether the
/// list itself was whole whenever it was looked at.
fn everywhere(path: &Path) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for file in fs::read_dir(path.parent().expect("a folder")).expect("a folder").flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        if name.starts_with("webhook_links") && name.ends_with(".json") {
            for entry in entries(&file.path()) {
                *found.entry(book::mark(&entry)).or_default() += 1;
            }
        }
    }
    found
}

/// Both write at once, and the list is begun anew again and again: every entry is in the list or
/// in an archive, no archive is written over, and no reader ever meets half a list.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_both_write_and_the_list_rotates() {
    for (name, value, bounds) in [
        ("R2_LINKS_MAX_ENTRIES", "7", Bounds { max_entries: 7, max_bytes: 0 }),
        ("JSON_LOG_MAX_BYTES", "2500", Bounds { max_entries: 0, max_bytes: 2_500 }),
    ] {
        let mut php = prepared();
        php.set("R2_LINKS_MAX_ENTRIES", "0");
        php.set("JSON_LOG_MAX_BYTES", "0");
        php.set(name, value);
        php.launch().await;
        let path = list(&php);
        let file = Arc::new(LinksFile::new(&path, bounds));
        program_writes(&file, vec![copy(1)]).await;

        let over = Arc::new(AtomicBool::new(false));
        let reader = {
            let (path, over) = (path.clone(), Arc::clone(&over));
            tokio::task::spawn_blocking(move || {
                let mut looks = 0;
                while !over.load(Ordering::Relaxed) {
                    assert!(!entries(&path).is_empty());
                    looks += 1;
                }
                looks
            })
        };
        let mut work = JoinSet::new();
        for number in 0..24 {
            let body = webhook(&json!([pair(number), format!("https://fromsmash.com/{number}")])).to_string();
            let answered = deliver(php.port(), format!("msg_{number}"), body);
            work.spawn(async move {
                let answer = answered.await;
                assert_eq!(answer.status, 200, "{answer:?}");
            });
        }
        let program = Arc::clone(&file);
        work.spawn_blocking(move || {
            for position in 2..=24 {
                Handle::current().block_on(program_writes(&program, vec![copy(position)]));
            }
        });
        work.join_all().await;
        over.store(true, Ordering::Relaxed);
        assert!(reader.await.expect("a reader that met a list every time") > 0);

        let found = everywhere(&path);
        assert_eq!(found.len(), 24 + 24 + 24, "{name}");
        let archives = file.archives().expect("a folder").len();
        // Entries are archived when they have to make room, not each time one comes.
        assert!((3..40).contains(&archives), "{name}: {archives}");
        let length = fs::read(&path).expect("a list").len();
        assert!(
            if name.starts_with("R2") { entries(&path).len() <= 7 } else { length <= 2_500 },
            "{name}: {length}"
        );
        assert_eq!(file.cursor().map(|cursor| cursor.position), Some(24), "the program's note is kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_archived_by_one_side_makes_room_for_the_other() {
    let mut php = prepared();
    php.set("R2_LINKS_MAX_ENTRIES", "4");
    php.launch().await;
    let file = LinksFile::new(list(&php), Bounds { max_entries: 4, max_bytes: 0 });
    program_writes(&file, (1..=4).map(copy).collect()).await;
    let links =
        |numbers: &[usize]| webhook(&json!(numbers.iter().map(|n| pair(*n)).collect::<Vec<_>>())).to_string();
    // All four go into an archive with the first that has to make room.
    assert_eq!(post(&php, "msg_1", &links(&[1])).await.status, 200);
    assert_eq!(file.archives().expect("a folder").len(), 1);
    assert_eq!(program_writes(&file, vec![copy(5)]).await, None, "copies 2 to 4 are in it");
    assert_eq!(post(&php, "msg_2", &links(&[2, 3])).await.status, 200);
    assert_eq!(file.archives().expect("a folder").len(), 1);
    // The next one makes an entry go that is in none.
    assert!(program_writes(&file, vec![copy(6)]).await.is_some());
    assert_eq!(everywhere(&list(&php)).len(), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_others_and_long_numbers_stay_as_they_are() {
    let php = running().await;
    let before = r#"[{"url":"https://x.example/\u2028","timestamp":"2025-10-17T12:34:13+0200","source":"webhook","n":123456789012345678901234567890,"f":1.0,"o":{},"l":[]}, 5, "text", null]"#;
    fs::write(list(&php), before).expect("a list");
    assert_eq!(post(&php, "msg_1", &webhook(&json!([pair(1)])).to_string()).await.status, 200);
    let text = fs::read_to_string(list(&php)).expect("a list");
    for kept in ["123456789012345678901234567890", "\"f\": 1.0", "\"o\": {}", "\"l\": []", "+0200"] {
        assert!(text.contains(kept), "{kept}: {text}");
    }
    let found: Value = serde_json::from_str(&text).expect("a list");
    assert_eq!(found.as_array().expect("a list").len(), 5);
    let report = parsed(&diagnosed(&php, "GET", "/test-direct.php", "").await);
    assert_eq!(report["links"]["other"], json!(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_list_is_put_aside_and_written_anew_by_both() {
    let php = running().await;
    let file = LinksFile::new(list(&php), Bounds { max_entries: 0, max_bytes: 0 });
    program_writes(&file, vec![copy(1), copy(2)]).await;
    fs::write(list(&php), "[{\"source_url\": \"https://www.dr").expect("damage");
    assert_eq!(post(&php, "msg_1", &webhook(&json!([pair(1)])).to_string()).await.status, 200);
    assert_eq!(entries(&list(&php)).len(), 1);
    assert_eq!(file.cursor(), None, "the program writes anew what it has");
    let aside = file.archives().expect("a folder").pop().expect("a file");
    assert!(aside.display().to_string().contains("webhook_links-corrupt-"), "{aside:?}");
    assert_eq!(fs::read_to_string(aside).expect("text"), "[{\"source_url\": \"https://www.dr");
    assert!(php.log().contains("was no list and was put aside"), "{}", php.log());
    // An empty file is an empty list.
    fs::write(list(&php), "").expect("nothing");
    assert_eq!(post(&php, "msg_2", &webhook(&json!([pair(2)])).to_string()).await.status, 200);
    assert_eq!((entries(&list(&php)).len(), file.archives().expect("a folder").len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_cannot_be_written_is_no_reason_to_forget_the_webhook() {
    let php = running().await;
    let body = webhook(&json!([pair(1)])).to_string();
    // Somebody holds the lock for longer than anybody waits.
    let lock = File::create(list(&php).with_extension("json.lock")).expect("a lock");
    lock.lock().expect("the lock");
    let answer = post(&php, "msg_1", &body).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("30")), "{answer:?}");
    drop(lock);
    assert_eq!(post(&php, "msg_1", &body).await.status, 200);
    assert_eq!(entries(&list(&php)).len(), 1);
    // A lock that leads elsewhere is not followed, and nothing is written there.
    let elsewhere = php.path("elsewhere");
    fs::write(&elsewhere, "precious").expect("a file");
    let lock = list(&php).with_extension("json.lock");
    fs::remove_file(&lock).expect("the lock");
    std::os::unix::fs::symlink(&elsewhere, &lock).expect("a link");
    assert_eq!(post(&php, "msg_2", &webhook(&json!([pair(2)])).to_string()).await.status, 503);
    assert_eq!(fs::read_to_string(&elsewhere).expect("a file"), "precious");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mode_is_that_of_the_settings_or_of_the_file() {
    let mode = |path: PathBuf| fs::metadata(path).expect("a file").mode() & 0o777;
    let mut php = prepared();
    php.set("WEBHOOK_LINKS_FILE_MODE", "0660");
    php.launch().await;
    assert_eq!(post(&php, "msg_1", &webhook(&json!([pair(1)])).to_string()).await.status, 200);
    assert_eq!((mode(list(&php)), mode(list(&php).with_extension("json.lock"))), (0o660, 0o660));
    let open = running().await;
    fs::write(list(&open), "[]").expect("a list");
    fs::set_permissions(list(&open), fs::Permissions::from_mode(0o644)).expect("a mode");
    // A list elsewhere, by a link of the operator's.
    let elsewhere = open.path("elsewhere.json");
    fs::rename(list(&open), &elsewhere).expect("a list");
    std::os::unix::fs::symlink(&elsewhere, list(&open)).expect("a link");
    assert_eq!(post(&open, "msg_1", &webhook(&json!([pair(1)])).to_string()).await.status, 200);
    assert_eq!((mode(elsewhere.clone()), entries(&elsewhere).len()), (0o644, 1));
    assert!(fs::symlink_metadata(list(&open)).expect("a link").is_symlink());
}
