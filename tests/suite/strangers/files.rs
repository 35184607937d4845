//! Another user of the same machine: what he can read, and what he can have us write to.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::place::Place;
use crate::support::receiver::Receiver;
use crate::support::site::HOOK;
use crate::support::worker::Mode;
use crate::support::{PATIENCE, Program, Site, Worker, checks, mails, until};

const LIST: &str = "deployment/data/webhook_links.json";
const FILE: &str = "https://www.dropbox.com/scl/fi/x/a.zip?rlkey=k&dl=0";

/// A worker whose shell lets everybody read what is made.
fn careless(mut worker: Program) -> Program {
    worker.wrap(&["sh", "-c", "umask 000; exec \"$@\"", "sh"]);
    worker
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).mode() & 0o777
}

/// Every plain file below a folder.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("a file").path();
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => files.extend(files_below(&path)),
            Ok(found) if found.is_file() => files.push(path),
            _ => {}
        }
    }
    files
}

fn open_to_others(folder: &Path) -> Vec<PathBuf> {
    files_below(folder).into_iter().filter(|path| mode(path) & 0o077 != 0).collect()
}

async fn with_r2(site: &Site) -> (Worker, Program) {
    let r2 = Worker::start(Mode::Copies).await;
    let mut worker = careless(site.worker("worker"));
    for (name, value) in r2.environment() {
        worker.set(&name, &value);
    }
    (r2, worker)
}

async fn deliver(site: &Site, link: &str) {
    let mail = mails::linking_to(link);
    site.dovecot.deliver(std::slice::from_ref(&mail));
    until("the webhook", PATIENCE, async || {
        checks::all_accepted(&site.receiver, std::slice::from_ref(&mail))
    })
    .await;
}

async fn until_listed(site: &Site, count: usize) {
    until("the list", PATIENCE, async || {
        let entries: Vec<Value> =
            serde_json::from_slice(&fs::read(site.folder().join(LIST)).unwrap_or_default())
                .unwrap_or_default();
        if entries.len() == count { Ok(()) } else { Err(format!("{entries:?}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_written_can_be_read_by_others() {
    let site = Site::start().await;
    fs::remove_dir_all(site.folder().join("debug")).expect("removed");
    let (_r2, mut worker) = with_r2(&site).await;
    worker.start().await;
    deliver(&site, FILE).await;
    until_listed(&site, 1).await;
    for arguments in [
        &["config", "set", "processing_prefs", "rate_limit_per_hour=0"][..],
        &["config", "set", "magic_link_tokens", "--file", "/dev/null"],
    ] {
        drop(worker.run(arguments).await);
    }
    // It asks to be repeated while the mail's last rows are still being worked on.
    until("the export", PATIENCE, async || {
        let ran = worker.run(&["events", "export", "data/copy.jsonl"]).await;
        if ran.status.success() { Ok(()) } else { Err(ran.text) }
    })
    .await;
    let written =
        [files_below(&site.folder().join("data")), files_below(&site.folder().join("debug"))].concat();
    for name in
        ["render-signal.db", "render-signal.db-wal", "render-signal.db-shm", "poller.lock", "copy.jsonl"]
    {
        assert!(written.contains(&site.folder().join("data").join(name)), "{name}: {written:?}");
    }
    assert!(written.contains(&site.folder().join("debug/processing_prefs.json")), "{written:?}");
    for folder in ["data", "debug", "deployment"] {
        assert_eq!(open_to_others(&site.folder().join(folder)), Vec::<PathBuf>::new());
        assert_eq!(mode(&site.folder().join(folder)), 0o700, "{folder}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_version_left_readable_is_made_private_and_said_once() {
    let receiver = Receiver::start().await;
    let mut place = Place::new(&receiver.url(HOOK));
    place.set("REDIS_URL", "");
    place.put("processing_prefs", r#"{"rate_limit_per_hour": 0}"#);
    let mut worker = place.worker("worker");
    worker.start().await;
    // With the side files that only a process which did not end in order leaves.
    worker.kill();
    fs::create_dir_all(place.path("data/archive")).expect("a folder");
    fs::create_dir_all(place.path("data/config-store")).expect("a folder");
    for name in ["archive/journal-20250101T000000Z-1-00.jsonl", "config-store/webhook_config.known.json"] {
        fs::write(place.path("data").join(name), "{}").expect("a file");
    }
    let before = [files_below(&place.path("data")), files_below(&place.path("debug"))].concat();
    assert!(before.iter().any(|path| path.ends_with("render-signal.db-wal")), "{before:?}");
    for path in &before {
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("a mode");
    }
    // The document that was put there was open to others, too.
    let before = worker.log().matches("are private now").count();
    for _ in 0..2 {
        worker.start().await;
        for folder in ["data", "debug"] {
            assert_eq!(open_to_others(&place.path(folder)), Vec::<PathBuf>::new());
        }
        let said = worker.log().matches("are private now").count();
        assert_eq!(said, before + 1, "{}", worker.log());
        assert!(worker.stop().await.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_has_the_configured_mode_and_its_folder_can_be_entered() {
    let site = Site::start().await;
    let (_r2, mut worker) = with_r2(&site).await;
    worker.set("WEBHOOK_LINKS_FILE_MODE", "0640");
    worker.start().await;
    deliver(&site, FILE).await;
    until_listed(&site, 1).await;
    assert_eq!(mode(&site.folder().join(LIST)), 0o640);
    assert_eq!(mode(&site.folder().join("deployment/data")), 0o750);
    worker.stop().await;

    // Not configured: as open as the operator has made it, and what that means is said.
    worker.unset("WEBHOOK_LINKS_FILE_MODE");
    fs::set_permissions(site.folder().join(LIST), fs::Permissions::from_mode(0o644)).expect("a mode");
    worker.start().await;
    worker.until_log("say who may with WEBHOOK_LINKS_FILE_MODE").await;
    deliver(&site, "https://www.dropbox.com/scl/fi/y/b.zip?rlkey=k&dl=0").await;
    until_listed(&site, 2).await;
    assert_eq!(mode(&site.folder().join(LIST)), 0o644);
    worker.stop().await;

    for wrong in ["0777", "0044", "4644", "rw", "0x1ff"] {
        worker.set("WEBHOOK_LINKS_FILE_MODE", wrong);
        let refused = worker.run(&["serve"]).await;
        assert_eq!(refused.status.code(), Some(3), "{wrong}: {}", refused.text);
        assert!(refused.text.contains("WEBHOOK_LINKS_FILE_MODE"), "{wrong}: {}", refused.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn links_that_are_planted_in_a_shared_folder_lead_nowhere() {
    let site = Site::start().await;
    let (_r2, mut worker) = with_r2(&site).await;
    let shared = site.folder().join("deployment/data");
    fs::create_dir_all(&shared).expect("a folder");
    let precious = site.folder().join("precious");
    fs::write(&precious, "precious").expect("a file");
    // The names of older versions, and those of today that can be known.
    for name in [".webhook_links.json.tmp", ".webhook_links.json.lock", ".webhook_links.json.1.probe"] {
        symlink(&precious, shared.join(name)).expect("a link");
    }
    for name in ["webhook_links.json", "processing_prefs.json"] {
        symlink(&precious, site.folder().join(format!("debug/.{name}.tmp"))).expect("a link");
    }
    let lock = shared.join("webhook_links.json.lock");
    symlink(&precious, &lock).expect("a link");
    worker.start().await;
    deliver(&site, FILE).await;
    worker.until_log("webhook_links.json.lock could not be locked: it is a symbolic link").await;
    fs::remove_file(&lock).expect("removed");
    fs::hard_link(&precious, &lock).expect("a second name");
    deliver(&site, "https://www.dropbox.com/scl/fi/y/b.zip?rlkey=k&dl=0").await;
    worker.until_log("webhook_links.json.lock could not be locked: it has a second name").await;
    fs::remove_file(&lock).expect("removed");
    deliver(&site, "https://www.dropbox.com/scl/fi/z/c.zip?rlkey=k&dl=0").await;
    until_listed(&site, 3).await;
    let set = worker.run(&["config", "set", "processing_prefs", "rate_limit_per_hour=0"]).await;
    assert!(set.status.success(), "{}", set.text);
    assert_eq!(fs::read_to_string(&precious).expect("the file"), "precious");
}

/// As root a test can be another user; without that, whose link it is cannot be told apart.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_of_another_user_in_place_of_the_list_is_refused() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let site = Site::start().await;
    let (_r2, mut worker) = with_r2(&site).await;
    fs::create_dir_all(site.folder().join("deployment/data")).expect("a folder");
    let precious = site.folder().join("precious");
    fs::write(&precious, "[]").expect("a file");
    symlink(&precious, site.folder().join(LIST)).expect("a link");
    std::os::unix::fs::lchown(site.folder().join(LIST), Some(4_711), None).expect("an owner");
    worker.start().await;
    deliver(&site, FILE).await;
    worker.until_log("is a symbolic link of another user (id 4711) and is not followed").await;
    assert_eq!(fs::read_to_string(&precious).expect("the file"), "[]");
    // The operator's own does what it should.
    std::os::unix::fs::lchown(site.folder().join(LIST), Some(0), None).expect("an owner");
    deliver(&site, "https://www.dropbox.com/scl/fi/y/b.zip?rlkey=k&dl=0").await;
    until_listed(&site, 2).await;
    assert!(site.folder().join(LIST).is_symlink());
}

#[tokio::test(flavor = "multi_thread")]
async fn links_in_place_of_the_journals_files_are_refused_by_name() {
    let receiver = Receiver::start().await;
    let place = Place::new(&receiver.url(HOOK));
    let mut worker = place.worker("worker");
    worker.start().await;
    worker.stop().await;
    let precious = place.path("precious");
    fs::write(&precious, "precious").expect("a file");
    for name in ["-wal", "-shm", "-journal", "-worker-0"] {
        let path = place.path(&format!("data/render-signal.db{name}"));
        drop(fs::remove_file(&path));
        symlink(&precious, &path).expect("a link");
        worker.launch();
        assert_eq!(worker.until_end().await.code(), Some(4), "{name}: {}", worker.log());
        assert!(worker.log().contains(&format!("render-signal.db{name}")), "{name}: {}", worker.log());
        if name != "-worker-0" {
            let looked = worker.run(&["events", "tail"]).await;
            assert_eq!(looked.status.code(), Some(4), "{name}: {}", looked.text);
        }
        fs::remove_file(&path).expect("removed");
    }
    let lock = place.path("data/poller.lock");
    fs::remove_file(&lock).expect("removed");
    symlink(&precious, &lock).expect("a link");
    worker.launch();
    worker.until_log("it is a symbolic link, which is not followed").await;
    worker.stop().await;
    assert_eq!(fs::read_to_string(&precious).expect("the file"), "precious");
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_that_the_operator_has_linked_work() {
    let receiver = Receiver::start().await;
    let place = Place::new(&receiver.url(HOOK));
    fs::create_dir(place.path("disk")).expect("a folder");
    fs::remove_dir(place.path("debug")).expect("removed");
    for name in ["data", "debug"] {
        fs::create_dir(place.path("disk").join(name)).expect("a folder");
        symlink(place.path("disk").join(name), place.path(name)).expect("a link");
    }
    let mut worker = careless(place.worker("worker"));
    worker.start().await;
    let mail = mails::mixed(1).remove(0);
    place.deliver(&mail);
    until("the webhook", PATIENCE, async || checks::all_accepted(&receiver, std::slice::from_ref(&mail)))
        .await;
    let set = worker.run(&["config", "set", "processing_prefs", "rate_limit_per_hour=0"]).await;
    assert!(set.status.success(), "{}", set.text);
    assert!(worker.stop().await.success());
    for name in ["data", "debug"] {
        assert!(place.path(name).is_symlink());
        let there = files_below(&place.path("disk").join(name));
        assert!(!there.is_empty() && open_to_others(&place.path("disk").join(name)).is_empty(), "{there:?}");
    }
}
