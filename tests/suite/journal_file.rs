//! A damaged journal is refused with a clear error, and never touched.

use std::fs;
use std::path::Path;

use crate::support::place::Place;
use crate::support::receiver::Receiver;
use crate::support::{PATIENCE, Site, checks, mails, until};

/// The documented exit code (`render-signal --help`).
const JOURNAL_UNUSABLE: i32 = 4;

/// A way to damage the bytes of a journal, and its name.
type Damage = (&'static str, fn(&mut Vec<u8>));

const DAMAGES: [Damage; 4] = [
    ("another header", |bytes| bytes[..64].fill(b'x')),
    ("garbage behind the first page", |bytes| {
        let page = 4096.min(bytes.len());
        for (n, byte) in bytes[page..].iter_mut().enumerate() {
            *byte = u8::try_from(n * 7 % 251).expect("below 251");
        }
    }),
    ("cut in half", |bytes| bytes.truncate(bytes.len() / 2)),
    ("no journal at all", |bytes| *bytes = b"Bonjour, ceci est une note.\n".repeat(400)),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_journal_is_refused_and_left_as_it_is() {
    let site = Site::start().await;
    let mut worker = site.worker("worker");
    worker.start().await;
    let all = mails::mixed(40);
    site.dovecot.deliver(&all);
    until("the webhooks", PATIENCE, async || checks::all_accepted(&site.receiver, &all)).await;
    site.until_all_seen(all.len()).await;
    worker.stop().await;
    let sound = whole_journal(&site.journal());

    for (damage, apply) in DAMAGES {
        let mut bytes = sound.clone();
        apply(&mut bytes);
        fs::write(site.journal(), &bytes).expect("writing the journal");
        let name = format!("worker with {damage}");
        let mut worker = site.worker(&name);
        worker.launch();
        let status = worker.until_end().await;
        let code = status.code().unwrap_or_else(|| panic!("{name} ended with {status}"));
        assert_eq!(code, JOURNAL_UNUSABLE, "{name} ended with {status}\n{}", worker.log());
        let log = worker.log();
        assert!(log.contains("render-signal.db"), "{name} does not say which file:\n{log}");
        assert!(log.contains("cannot be used"), "{name} does not say what is wrong:\n{log}");
        assert!(fs::read(site.journal()).expect("the journal") == bytes, "{name} changed the file");
        assert!(!worker.run(&["events", "verify"]).await.status.success(), "events verify, {damage}");
        assert!(fs::read(site.journal()).expect("the journal") == bytes, "events verify changed the file");
    }

    // The backup, put back, works.
    fs::write(site.journal(), &sound).expect("writing the journal");
    worker.start().await;
    worker.stop().await;
    worker.assert_journal_verifies().await;
    checks::assert_each_exactly_once(&site.receiver, &all);
}

/// What somebody does to the journal's files while the program runs.
type Deed = (&'static str, &'static str, fn(&Path));

const DEEDS: [Deed; 3] = [
    ("removed", "was removed", |journal| fs::remove_file(journal).expect("removing the journal")),
    ("replaced", "was replaced", |journal| {
        let copy = journal.with_extension("copy");
        fs::copy(journal, &copy).expect("a copy");
        fs::rename(&copy, journal).expect("replacing the journal");
    }),
    ("without its log", "was removed", |journal| {
        fs::remove_file(journal.with_extension("db-wal")).expect("removing the write-ahead log");
    }),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_taken_away_while_it_runs_stops_the_program_and_takes_no_mail_with_it() {
    for (name, words, deed) in DEEDS {
        let receiver = Receiver::start().await;
        let place = Place::new(&receiver.url("/hook"));
        let mut worker = place.worker(name);
        worker.start().await;
        let before = mails::recadrage();
        place.deliver(&before);
        until("the first webhook", PATIENCE, async || {
            checks::all_accepted(&receiver, std::slice::from_ref(&before))
        })
        .await;
        deed(&place.path("data/render-signal.db"));
        // It comes after: nothing of it may be acknowledged to a file that is not there.
        let after = mails::recadrage();
        place.deliver(&after);
        let status = worker.until_end().await;
        assert_eq!(status.code(), Some(JOURNAL_UNUSABLE), "{name}: {status}\n{}", worker.tail());
        assert!(worker.log().contains(words), "{name}:\n{}", worker.tail());
        let unread = ["Maildir/new", "Maildir/cur"].iter().any(|part| {
            let mails = fs::read_dir(place.path(part)).expect("a folder").flatten();
            mails
                .map(|mail| mail.file_name().to_string_lossy().into_owned())
                .any(|name| name.starts_with(&format!("{}.", after.mark)) && !name.ends_with('S'))
        });
        assert!(unread, "{name}: the mail that came after is still unread");
    }
}

/// The bytes of a journal that nobody has open, with everything of its write-ahead log.
fn whole_journal(path: &Path) -> Vec<u8> {
    let connection = rusqlite::Connection::open(path).expect("the journal");
    connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .expect("the write-ahead log is folded in");
    connection.close().map_err(|(_, error)| error).expect("closing");
    for beside in ["db-wal", "db-shm"] {
        let _ = fs::remove_file(path.with_extension(beside));
    }
    fs::read(path).expect("the journal")
}
