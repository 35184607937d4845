use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::book::{Bounds, entry, parse};
use super::file::{LinksFile, ListChange, Written};
use super::follower::{ListTrouble, catch_up, rebuild};
use crate::archive::state::{ArchiveEvent, Archived, archive_stream};
use crate::kernel::clock::World;
use crate::kernel::event::DomainEvent as _;
use crate::kernel::journal::memory::MemoryJournal;
use crate::kernel::journal::{Commit, Expected, Journal as _, StreamWrite, Trim};
use crate::mail::life::{LinkOffloaded, MailEvent, mail_stream};
use crate::r2::name::sanitise;
use crate::r2::normalize::normalize;
use crate::readmodel::queries::{LinkRow, copy_of};

const BOUNDS: Bounds = Bounds { max_entries: 1_000, max_bytes: 5 * 1024 * 1024 };

/// A journal and a list.
struct Desk {
    world: World,
    journal: MemoryJournal,
    list: Arc<LinksFile>,
    folder: TempDir,
}

impl Desk {
    fn new(bounds: Bounds) -> Self {
        let world = World::seeded("2026-01-08T14:30:00.123456Z".parse().unwrap(), 7);
        let folder = tempfile::tempdir().unwrap();
        let list = Arc::new(LinksFile::new(folder.path().join("data/webhook_links.json"), bounds));
        let journal = MemoryJournal::new(world.clone(), crate::readmodel::all());
        Self { world, journal, list, folder }
    }

    async fn offloaded(&self, mail: &str, source: &str, r2_url: &str, more: (Option<&str>, Option<&str>)) {
        let event = MailEvent::LinkOffloaded(LinkOffloaded {
            raw_url: source.to_owned(),
            source_url: normalize(source, "dropbox"),
            r2_url: r2_url.to_owned(),
            provider: "dropbox".to_owned(),
            original_filename: more.0.map(str::to_owned),
            expires_at: None,
            reused_from: more.1.map(str::to_owned),
        });
        let write = StreamWrite {
            stream: mail_stream(mail),
            expected: Expected::Any,
            events: vec![event.to_new(self.world.ids.next()).unwrap()],
        };
        let commit = Commit { at: self.world.now(), writes: vec![write], ..Commit::default() };
        self.journal.append(commit).await.unwrap();
    }

    async fn copy(&self, n: usize) {
        let (source, r2) = (format!("https://www.dropbox.com/s/{n}"), format!("https://m/{n}"));
        self.offloaded(&format!("mail{n}"), &source, &r2, (None, None)).await;
    }

    /// The mails leave the journal.
    async fn archived(&self, mails: &[&str]) {
        let streams: Vec<_> = mails.iter().map(|mail| mail_stream(mail)).collect();
        let archived = Archived {
            before: self.world.now(),
            streams: streams.iter().map(ToString::to_string).collect(),
            events: mails.len() as u64,
            place: "elsewhere".to_owned(),
            items: Vec::new(),
        };
        let event = ArchiveEvent::Archived(archived).to_new(self.world.ids.next()).unwrap();
        let write = StreamWrite { stream: archive_stream(), expected: Expected::Any, events: vec![event] };
        let trim = streams.into_iter().map(|stream| Trim { stream, version: 1 }).collect();
        let commit = Commit { at: self.world.now(), writes: vec![write], trim, ..Commit::default() };
        self.journal.append(commit).await.unwrap();
    }

    async fn catch_up(&self) -> Result<(), ListTrouble> {
        catch_up(&self.journal, &self.world, &self.list).await
    }

    async fn rebuild(&self) -> Result<(), ListTrouble> {
        rebuild(&self.journal, &self.world, &self.list).await
    }

    fn entries(&self) -> Vec<Value> {
        parse(&fs::read(self.list.path()).unwrap()).unwrap()
    }

    fn addresses(&self) -> Vec<String> {
        addresses(&self.entries())
    }

    fn beside(&self, part: &str) -> Vec<PathBuf> {
        let files = fs::read_dir(self.list.path().parent().unwrap()).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.retain(|path| path.file_name().unwrap().to_string_lossy().contains(part));
        files.sort();
        files
    }

    fn put(&self, text: &str) {
        fs::create_dir_all(self.list.path().parent().unwrap()).unwrap();
        fs::write(self.list.path(), text).unwrap();
    }
}

fn addresses(entries: &[Value]) -> Vec<String> {
    entries
        .iter()
        .map(|entry| entry["r2_url"].as_str().or(entry["url"].as_str()).unwrap_or("?").to_owned())
        .collect()
}

fn numbered(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("https://m/{n}")).collect()
}

#[test]
fn a_list_is_counted_by_format_and_provider() {
    let entries = json!([
        {"url": "https://www.dropbox.com/s/l?dl=0", "timestamp": "2025-10-17T10:30:00+02:00", "source": "webhook"},
        {"url": "https://elsewhere.example/x", "timestamp": "2025-10-17T10:30:00+02:00", "source": "webhook"},
        {"source_url": "https://fromsmash.com/a", "r2_url": "https://m/a", "provider": "fromsmash"},
        {"source_url": "https://www.swisstransfer.com/d/a", "r2_url": "https://m/b", "provider": "unknown"},
        {"source_url": "https://fromsmash.com/a"},
        7,
    ]);
    let counts = super::book::count(entries.as_array().unwrap());
    assert_eq!((counts.entries, counts.r2, counts.legacy, counts.other), (6, 2, 2, 2));
    let providers: Vec<String> =
        counts.providers.iter().map(|(name, count)| format!("{name} {count}")).collect();
    assert_eq!(providers, ["dropbox 1", "fromsmash 1", "swisstransfer 1", "unknown 1"]);
}

fn golden(id: &str) -> Value {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../../../../tests/golden/r2.json")).expect("golden file");
    cases.into_iter().find(|case| case["id"] == id).expect("recorded")
}

#[tokio::test(start_paused = true)]
async fn the_file_is_written_as_recorded_and_the_look_up_finds_the_latest() {
    let desk = Desk::new(BOUNDS);
    let (written, found) = (golden("r2_links_file-001"), golden("r2_links_file-002"));
    for call in written["input"]["calls"].as_array().unwrap() {
        let text = |n: usize| call[n].as_str();
        // A pair without a source or an address is no copy, so that the journal never has one.
        let (Some(source), Some(r2)) = (text(0).filter(|url| !url.is_empty()), text(1)) else { continue };
        // The reference records no mail.
        desk.offloaded("", source, r2, (text(3), None)).await;
        desk.catch_up().await.unwrap();
    }
    let want = serde_json::to_string_pretty(&written["output"]["file"]).unwrap();
    assert_eq!(fs::read_to_string(desk.list.path()).unwrap(), want);

    let wanted = found["input"]["lookups"].as_array().unwrap();
    for (source, want) in wanted.iter().zip(found["output"].as_array().unwrap()) {
        let source = normalize(source.as_str().unwrap(), "dropbox");
        let row = desk.journal.views().read(move |db| copy_of(db, &source, "dropbox")).await.unwrap();
        assert_eq!(row.map(|row| row.r2_url).as_deref(), want.as_str());
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_names_its_mail_and_a_reused_copy_is_no_further_entry() {
    let desk = Desk::new(BOUNDS);
    assert!(desk.catch_up().await.is_ok() && !desk.list.exists(), "nothing to write, so nothing is created");
    desk.offloaded("e1", "https://www.dropbox.com/s/a", "https://m/a", (Some(" é\u{7}.zip "), None)).await;
    desk.offloaded("e2", "https://www.dropbox.com/s/a", "https://m/a", (None, Some("e1"))).await;
    desk.catch_up().await.unwrap();
    let want = r#"[
  {
    "source_url": "https://www.dropbox.com/s/a?dl=1",
    "r2_url": "https://m/a",
    "provider": "dropbox",
    "created_at": "2026-01-08T14:30:00.123456+00:00",
    "email_id": "e1",
    "original_filename": "é.zip"
  }
]"#;
    assert_eq!(fs::read_to_string(desk.list.path()).unwrap(), want);
}

#[tokio::test(start_paused = true)]
async fn entries_of_others_stay_as_they_are() {
    let desk = Desk::new(BOUNDS);
    let legacy = json!({"url": "https://www.dropbox.com/s/l?dl=0", "timestamp": "2025-10-17T10:30:00+02:00",
                        "source": "webhook", "extra": {"b": 1, "a": [null]}});
    let old = json!({"url": "https://o", "timestamp": "2025-10-17T08:30:00+0200", "source": "webhook"});
    let pair = json!({"source_url": "https://s", "r2_url": "https://p", "provider": "unknown",
                      "created_at": "2026-01-08T14:30:01Z"});
    desk.put(&json!([legacy, old, pair, "odd", 7]).to_string());
    desk.copy(1).await;
    desk.catch_up().await.unwrap();
    // Known from now on: what comes is put at the end.
    tokio::time::advance(std::time::Duration::from_secs(10)).await;
    desk.copy(2).await;
    desk.catch_up().await.unwrap();
    let want = [
        "https://o",
        "https://www.dropbox.com/s/l?dl=0",
        "https://m/1",
        "https://p",
        "?",
        "?",
        "https://m/2",
    ];
    assert_eq!(desk.addresses(), want);
    assert_eq!(desk.entries()[1], legacy);
    desk.rebuild().await.unwrap();
    assert_eq!(desk.addresses(), want, "by age");
    assert_eq!(desk.beside("webhook_links"), desk.beside("webhook_links.json"), "nothing was put aside");
}

#[tokio::test(start_paused = true)]
async fn the_oldest_make_room_legacy_ones_included_and_are_in_an_archive() {
    let desk = Desk::new(Bounds { max_entries: 3, ..BOUNDS });
    desk.put(r#"[{"url": "https://l", "timestamp": "2020-01-01T00:00:00Z", "source": "webhook"}]"#);
    for n in 0..8 {
        desk.copy(n).await;
        desk.catch_up().await.unwrap();
    }
    assert_eq!(desk.addresses(), numbered(5..8), "the newest ones stay in the list");
    let archives = desk.beside("webhook_links-");
    let of = |path: &PathBuf| addresses(&parse(&fs::read(path).unwrap()).unwrap());
    let mut held: Vec<Vec<String>> = archives.iter().map(of).collect();
    held.sort();
    let first = [vec!["https://l".to_owned()], numbered(0..2)].concat();
    assert_eq!(held, [first, numbered(2..5)], "an archive when one is needed, not with each entry");

    // Another program begins the list anew: what it writes is in no archive yet.
    let legacy = |n: usize| json!({"url": format!("https://new/{n}"), "timestamp": "2020-01-01T00:00:00Z"});
    desk.put(&json!([legacy(1), legacy(2), legacy(3)]).to_string());
    desk.rebuild().await.unwrap();
    assert_eq!(desk.addresses(), numbered(5..8));
    assert_eq!(desk.beside("webhook_links-").len(), 3, "they are older than ours, and archived");
    let unlimited = Desk::new(Bounds { max_entries: 0, max_bytes: 0 });
    for n in 0..1_100 {
        unlimited.copy(n).await;
    }
    unlimited.catch_up().await.unwrap();
    assert_eq!(unlimited.addresses(), numbered(0..1_100));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_gets_too_long_is_archived_and_begun_anew() {
    let desk = Desk::new(Bounds { max_bytes: 700, ..BOUNDS });
    for n in 0..15 {
        desk.copy(n).await;
        desk.catch_up().await.unwrap();
    }
    let archives = desk.beside("webhook_links-");
    let names: Vec<_> =
        archives.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    let want: Vec<_> =
        ["", "-2", "-3", "-4"].iter().map(|n| format!("webhook_links-20260108-143000{n}.json")).collect();
    assert_eq!(names.len(), 4, "{names:?}");
    assert!(want.iter().all(|name| names.contains(name)), "of one second, and none overwritten: {names:?}");
    let mut all: Vec<String> = archives
        .iter()
        .flat_map(|path| addresses(&serde_json::from_slice::<Vec<Value>>(&fs::read(path).unwrap()).unwrap()))
        .chain(desk.addresses())
        .collect();
    all.sort_by_key(|address| address.len() * 1_000 + usize::from(address.as_bytes()[address.len() - 1]));
    assert_eq!(all, numbered(0..15), "each in one of them");
    assert!(desk.beside("").iter().all(|path| fs::metadata(path).unwrap().len() <= 700));
}

#[tokio::test(start_paused = true)]
async fn a_damaged_list_is_put_aside_and_written_anew() {
    for damaged in ["{\"no\": \"array\"}", "[{\"source_url\": \"https://www.dro", "\u{0}\u{0}", "null"] {
        let desk = Desk::new(BOUNDS);
        desk.copy(0).await;
        desk.catch_up().await.unwrap();
        desk.put(damaged);
        desk.copy(1).await;
        desk.catch_up().await.unwrap();
        assert_eq!(desk.addresses(), numbered(0..2), "{damaged}");
        let aside = desk.beside("webhook_links-corrupt-20260108-143000.json");
        assert_eq!(fs::read_to_string(&aside[0]).unwrap(), damaged);
    }
    // What an interrupted writer of the reference leaves: there is nothing in it to be kept.
    let desk = Desk::new(BOUNDS);
    desk.put("");
    desk.copy(0).await;
    desk.catch_up().await.unwrap();
    assert_eq!(desk.addresses(), numbered(0..1));
    assert!(desk.beside("corrupt").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_removed_list_and_another_journal_are_noticed() {
    let desk = Desk::new(BOUNDS);
    for n in 0..3 {
        desk.copy(n).await;
    }
    desk.catch_up().await.unwrap();
    fs::remove_file(desk.list.path()).unwrap();
    desk.catch_up().await.unwrap();
    assert_eq!(desk.addresses(), numbered(0..3), "written anew without any news");

    // A journal that was begun anew: fewer positions than the cursor says, and other events.
    let other = Desk { list: Arc::clone(&desk.list), ..Desk::new(BOUNDS) };
    other.copy(7).await;
    other.catch_up().await.unwrap();
    let mut seen = desk.addresses();
    seen.sort();
    assert_eq!(seen, [numbered(0..3), numbered(7..8)].concat());
}

#[tokio::test(start_paused = true)]
async fn copies_whose_mails_were_archived_stay_in_the_list() {
    let desk = Desk::new(BOUNDS);
    for n in 0..3 {
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        desk.copy(n).await;
    }
    desk.catch_up().await.unwrap();
    desk.archived(&["mail0", "mail2"]).await;
    // The cursor's own copy is gone: that is no reason to forget anything.
    desk.catch_up().await.unwrap();
    assert_eq!(desk.addresses(), numbered(0..3));
    desk.rebuild().await.unwrap();
    assert_eq!(desk.addresses(), numbered(0..3));
    tokio::time::advance(std::time::Duration::from_secs(1)).await;
    desk.copy(3).await;
    desk.catch_up().await.unwrap();
    assert_eq!(desk.addresses(), numbered(0..4));
    // A list that was removed is written from what the journal still has.
    fs::remove_file(desk.list.path()).unwrap();
    desk.rebuild().await.unwrap();
    assert_eq!(desk.addresses(), ["https://m/1", "https://m/3"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_rotated_away_does_not_come_back() {
    let desk = Desk::new(BOUNDS);
    for n in 0..3 {
        desk.copy(n).await;
    }
    desk.catch_up().await.unwrap();
    desk.put("[]");
    desk.copy(3).await;
    desk.catch_up().await.unwrap();
    assert_eq!(desk.addresses(), numbered(3..4));
    desk.rebuild().await.unwrap();
    assert_eq!(desk.addresses(), numbered(0..4), "unless it is asked for");
    // A cursor that was lost costs nothing but a look at the whole journal.
    fs::write(desk.folder.path().join("data/webhook_links.json.lock"), "{\"posi").unwrap();
    desk.copy(4).await;
    desk.catch_up().await.unwrap();
    assert_eq!(desk.addresses(), numbered(0..5));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_others_hold_is_waited_for_and_then_left_alone() {
    let desk = Desk::new(BOUNDS);
    desk.copy(0).await;
    desk.catch_up().await.unwrap();
    desk.copy(1).await;
    // As the reference locks it, and as we do.
    for held in [desk.list.path().to_owned(), desk.folder.path().join("data/webhook_links.json.lock")] {
        let holder = fs::File::open(held).unwrap();
        holder.lock().unwrap();
        assert!(matches!(desk.catch_up().await, Err(ListTrouble::Busy(_))));
        assert_eq!(desk.addresses(), numbered(0..1));
    }
    desk.catch_up().await.unwrap();
    assert_eq!(desk.addresses(), numbered(0..2));
}

#[tokio::test(start_paused = true)]
async fn a_place_that_cannot_be_written_is_an_error_and_is_named() {
    let desk = Desk::new(BOUNDS);
    desk.copy(0).await;
    assert!(desk.list.check().is_ok());
    // A file where the folder should be: it stands for anything that the system refuses, and
    // does so for an administrator, too.
    fs::write(desk.folder.path().join("data"), "").unwrap();
    let error = desk.catch_up().await.unwrap_err().to_string();
    assert!(error.contains("webhook_links.json"), "{error}");
    assert!(desk.list.check().is_err());
    fs::remove_file(desk.folder.path().join("data")).unwrap();
    desk.catch_up().await.unwrap();
    assert_eq!(desk.addresses(), numbered(0..1));
    assert!(desk.list.check().is_ok());
    desk.put("{");
    assert!(desk.list.check().unwrap_err().to_string().contains("read"));
}

#[tokio::test(start_paused = true)]
async fn a_link_to_the_list_stays_one_and_the_mode_is_kept() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::new(BOUNDS);
    let real = desk.folder.path().join("real.json");
    fs::write(&real, "[]").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o664)).unwrap();
    fs::create_dir(desk.folder.path().join("data")).unwrap();
    std::os::unix::fs::symlink(&real, desk.list.path()).unwrap();
    desk.copy(0).await;
    desk.catch_up().await.unwrap();
    assert!(fs::symlink_metadata(desk.list.path()).unwrap().is_symlink());
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o664);
    assert_eq!(desk.addresses(), numbered(0..1));
}

#[tokio::test(start_paused = true)]
async fn what_a_link_leads_to_is_archived_and_put_aside_not_the_link() {
    let desk = Desk::new(Bounds { max_bytes: 700, ..BOUNDS });
    // As on a server whose disk is elsewhere: nothing lies there yet.
    let disk = desk.folder.path().join("disk");
    fs::create_dir(&disk).unwrap();
    fs::create_dir(desk.folder.path().join("data")).unwrap();
    std::os::unix::fs::symlink("../disk/middle.json", desk.list.path()).unwrap();
    std::os::unix::fs::symlink("real.json", disk.join("middle.json")).unwrap();
    let kept = |kind: &str| {
        let files = fs::read_dir(&disk).unwrap().map(|file| file.unwrap().path());
        let mut found: Vec<_> = files
            .filter(|path| path.to_string_lossy().contains(&format!("webhook_links{kind}-2026")))
            .collect();
        found.sort();
        found
    };
    let is_a_link = || {
        [desk.list.path(), &disk.join("middle.json")]
            .iter()
            .all(|path| fs::symlink_metadata(path).unwrap().is_symlink())
            && !fs::symlink_metadata(disk.join("real.json")).unwrap().is_symlink()
    };
    desk.copy(0).await;
    desk.catch_up().await.unwrap();
    assert!(is_a_link());

    let old = json!([{"url": "https://m/legacy", "note": "x".repeat(600)}]).to_string();
    fs::write(disk.join("real.json"), &old).unwrap();
    desk.copy(1).await;
    desk.catch_up().await.unwrap();
    let archives = kept("");
    assert_eq!(archives.len(), 1, "{archives:?}");
    assert!(!fs::symlink_metadata(&archives[0]).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&archives[0]).unwrap(), old);
    assert_eq!(desk.addresses(), numbered(1..2));
    assert!(is_a_link());

    desk.put("no list");
    desk.copy(2).await;
    desk.catch_up().await.unwrap();
    assert_eq!(fs::read_to_string(&kept("-corrupt")[0]).unwrap(), "no list");
    assert_eq!(fs::read_to_string(&archives[0]).unwrap(), old);
    assert_eq!(desk.addresses(), numbered(0..3));
    assert!(is_a_link());
}

#[test]
fn a_slower_worker_does_not_write_what_another_has_written() {
    let folder = tempfile::tempdir().unwrap();
    let list = LinksFile::new(folder.path().join("l.json"), BOUNDS);
    let change = ListChange { from: None, copies: vec![row(1)], anew: true, now: DateTime::UNIX_EPOCH };
    assert_eq!(list.apply(&change).unwrap(), Written::Done { archived: None });
    assert_eq!(list.apply(&change).unwrap(), Written::Moved);
}

#[test]
fn two_workers_and_a_reader_never_meet_half_a_list() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("l.json");
    let list = LinksFile::new(&path, BOUNDS);
    let write = |from: u64| {
        for n in 0..40 {
            let copies = vec![row(from + n)];
            loop {
                let change = ListChange {
                    from: list.cursor(),
                    copies: copies.clone(),
                    anew: true,
                    now: DateTime::UNIX_EPOCH,
                };
                if matches!(list.apply(&change).unwrap(), Written::Done { .. }) {
                    break;
                }
                std::thread::yield_now();
            }
        }
    };
    std::thread::scope(|scope| {
        let writers = [scope.spawn(|| write(0)), scope.spawn(|| write(1_000))];
        while writers.iter().any(|writer| !writer.is_finished()) {
            if let Ok(content) = fs::read(&path) {
                serde_json::from_slice::<Vec<Value>>(&content).expect("a whole list");
            }
        }
    });
    assert_eq!(list.count().unwrap(), 80);
}

fn row(n: u64) -> LinkRow {
    LinkRow {
        position: n,
        event_id: format!("event{n}"),
        email_id: "e".to_owned(),
        source_url: format!("https://s/{n}"),
        r2_url: format!("https://m/{n}"),
        provider: "dropbox".to_owned(),
        original_filename: None,
        expires_at: None,
        at: DateTime::UNIX_EPOCH + TimeDelta::seconds(i64::try_from(n).unwrap()),
    }
}

/// What may happen to the list between two looks.
#[derive(Debug, Clone)]
enum Step {
    Copy(usize),
    CatchUp,
    Rebuild,
    Remove,
    Truncate(usize),
    Garbage(Vec<u8>),
    LoseCursor,
    Foreign(String),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..12_usize).prop_map(Step::Copy),
        6 => Just(Step::CatchUp),
        1 => Just(Step::Rebuild),
        1 => Just(Step::Remove),
        1 => (0..400_usize).prop_map(Step::Truncate),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Step::Garbage),
        1 => Just(Step::LoseCursor),
        1 => "[a-zé]{1,8}".prop_map(Step::Foreign),
    ]
}

fn truncate(path: &Path, len: usize) {
    if let Ok(content) = fs::read(path) {
        fs::write(path, &content[..len.min(content.len())]).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_happens_to_the_list_the_journal_restores_it(
        steps in prop::collection::vec(step(), 1..30),
        max_entries in prop_oneof![Just(0_usize), 1..8_usize],
        max_bytes in prop_oneof![Just(0_usize), 400..1_500_usize],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let bounds = Bounds { max_entries, max_bytes };
            let desk = Desk::new(bounds);
            let mut copied: Vec<usize> = Vec::new();
            // What others add, the bounds hold only when something of ours is written.
            let mut foreign = 0;
            for step in steps {
                let path = desk.list.path();
                match step {
                    Step::Copy(n) => {
                        tokio::time::advance(std::time::Duration::from_secs(1)).await;
                        desk.copy(n).await;
                        copied.retain(|other| *other != n);
                        copied.push(n);
                    }
                    Step::CatchUp => {
                        desk.catch_up().await.expect("nothing stands in the way");
                        // Whatever was there: a list, within its bounds, that has the newest copy
                        // unless somebody has broken it since.
                        if path.exists() && desk.list.count().is_ok() && max_entries > 0 {
                            let entries = desk.entries();
                            assert!(entries.len() <= max_entries + foreign, "{entries:?}");
                        }
                    }
                    Step::Rebuild => desk.rebuild().await.expect("nothing stands in the way"),
                    Step::Remove => drop(fs::remove_file(path)),
                    Step::Truncate(len) => truncate(path, len),
                    Step::Garbage(bytes) => if path.exists() { fs::write(path, bytes).unwrap() },
                    Step::LoseCursor => drop(fs::remove_file(desk.folder.path().join("data/webhook_links.json.lock"))),
                    Step::Foreign(text) => {
                        foreign += 1;
                        let mut entries = if desk.list.count().is_ok_and(|n| n > 0) { desk.entries() } else { Vec::new() };
                        entries.push(json!({"url": text, "timestamp": "2020-01-01T00:00:00Z", "source": "webhook"}));
                        desk.put(&Value::from(entries).to_string());
                    }
                }
            }
            desk.rebuild().await.expect("nothing stands in the way");
            let wanted: Vec<String> = copied.iter().map(|n| format!("https://m/{n}")).collect();
            let have: Vec<String> =
                desk.addresses().into_iter().filter(|address| address.starts_with("https://m/")).collect();
            assert!(wanted.ends_with(&have), "the newest ones, in order: {have:?} of {wanted:?}");
            let content = fs::read(desk.list.path()).expect("a list");
            serde_json::from_slice::<Vec<Value>>(&content).expect("a list");
            let full = (max_entries > 0 && desk.list.count().unwrap_or(0) >= max_entries)
                // No room for one more.
                || (max_bytes > 0 && content.len() + 300 > max_bytes);
            assert!(have.len() == wanted.len() || full, "{have:?} of {wanted:?} in {} bytes", content.len());
            if max_bytes > 0 && have.len() > 1 {
                assert!(content.len() <= max_bytes);
            }
        });
    }

    #[test]
    fn any_copy_can_be_written_and_read_again(name in ".{0,80}", at in 0_i64..4_000_000_000_000_000) {
        let copy = LinkRow {
            original_filename: Some(name.clone()),
            at: DateTime::<Utc>::from_timestamp_micros(at).unwrap(),
            ..row(1)
        };
        let entry: Value = serde_json::from_str(&entry(&copy).to_string()).unwrap();
        prop_assert_eq!(entry["original_filename"].as_str().unwrap_or_default(), sanitise(&name).unwrap_or_default());
        let created: DateTime<Utc> = entry["created_at"].as_str().unwrap().parse().unwrap();
        prop_assert_eq!(created, copy.at);
    }
}
