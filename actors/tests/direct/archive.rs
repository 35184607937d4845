//! Old events go into a bucket before they leave the journal, or they stay.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::TimeDelta;
use render_signal_actors::archive::bucket::{BucketArchive, BucketSettings};
use render_signal_actors::archive::store::ArchiveStore;
use render_signal_actors::archive::transfer::CopyLine;
use render_signal_actors::archive::{Archiver, Round};
use render_signal_actors::egress::{ClientOptions, EgressPolicy, GuardedClient};
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::event::{NewEvent, StreamId};
use render_signal_actors::kernel::journal::sqlite::{SqliteJournal, SqliteOptions};
use render_signal_actors::kernel::journal::{Commit, Expected, Journal, StreamWrite};
use render_signal_actors::readmodel;
use render_signal_actors::s3::Account;
use render_signal_testkit::s3::{BUCKET, Behaviour, S3Server};
use serde_json::{Value, json};

use crate::place::account;

fn store(account: Account) -> BucketArchive {
    let settings = BucketSettings { account, bucket: BUCKET.to_owned() };
    let policy = EgressPolicy::new(vec!["127.0.0.0/8".parse().unwrap()]);
    BucketArchive::new(&settings, GuardedClient::new(&policy, ClientOptions::default()).unwrap())
}

/// A journal with two mails that are settled for long, and one that is not.
struct Desk {
    journal: Arc<SqliteJournal>,
    world: World,
    _folder: tempfile::TempDir,
}

impl Desk {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = World::real();
        let path = folder.path().join("journal.db");
        let options = SqliteOptions::default();
        let journal = SqliteJournal::open(path, world.clone(), readmodel::all(), options).unwrap();
        let desk = Self { journal, world, _folder: folder };
        for (days_ago, id) in [(200, "m1"), (100, "m2"), (1, "m3")] {
            let received = json!({
                "email_id": id, "location": {"mailbox": "m", "validity": 1, "item": id.trim_start_matches('m')},
                "sender": "a@b.fr", "subject": "s", "size": 1, "arrived_at": null, "subject_group": "g"
            });
            desk.append(days_ago, id, "mail.received", received).await;
            desk.append(days_ago, id, "mail.ignored", json!({"reason": "no_links", "policy": 1})).await;
        }
        desk
    }

    async fn append(&self, days_ago: i64, id: &str, kind: &'static str, payload: Value) {
        let event = NewEvent { id: self.world.ids.next(), kind, schema: 1, payload };
        let write =
            StreamWrite { stream: StreamId::new("mail", id), expected: Expected::Any, events: vec![event] };
        let at = self.world.now() - TimeDelta::days(days_ago);
        self.journal.append(Commit { at, writes: vec![write], ..Commit::default() }).await.unwrap();
    }

    fn archiver(&self, store: impl ArchiveStore + 'static) -> Archiver {
        Archiver {
            world: self.world.clone(),
            journal: Arc::clone(&self.journal) as Arc<dyn Journal>,
            store: Arc::new(store),
            days: 90,
        }
    }

    async fn events(&self) -> usize {
        self.journal.read_log(0, 1_000).await.unwrap().len()
    }
}

#[tokio::test]
async fn nothing_leaves_the_journal_while_the_bucket_is_away() {
    let (s3, desk) = (S3Server::start().await, Desk::new().await);
    let archiver = desk.archiver(store(account(&s3)));
    s3.behave(Behaviour { down: true, ..Behaviour::default() });
    let why = archiver.round().await.unwrap_err();
    assert!(
        why.starts_with("r2:livraisons/journal/journal-") && why.contains("could not be written"),
        "{why}"
    );
    assert_eq!(desk.events().await, 6);
    s3.behave(Behaviour::default());
    let revoked = Account { secret_access_key: "revoked".to_owned().into(), ..account(&s3) };
    let why = desk.archiver(store(revoked)).round().await.unwrap_err();
    assert!(why.contains("could not be written: R2: 403") && !why.contains("revoked"), "{why}");
    assert_eq!(desk.events().await, 6);
    assert_eq!(s3.keys(), Vec::<String>::new());

    // The same archiver, an hour later.
    assert_eq!(archiver.round().await, Ok(Round { streams: 2, events: 4 }));
    assert_eq!(desk.events().await, 3, "the young mail, and that there is an archive");
    let keys = s3.keys();
    assert_eq!(keys.len(), 1, "{keys:?}");
    let log = desk.journal.read_log(0, 1_000).await.unwrap();
    assert_eq!(log.last().unwrap().payload["place"], format!("r2:{BUCKET}/{}", keys[0]));
    let text = String::from_utf8(s3.object(&keys[0]).unwrap()).unwrap();
    let archived: Vec<CopyLine> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let streams: Vec<String> = archived
        .into_iter()
        .map(|line| match line {
            CopyLine::Event(event) => event.stream.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(streams, ["mail-m1", "mail-m1", "mail-m2", "mail-m2"]);
}

/// Ends the process between the archive and the trim, as far as the journal can tell.
struct Crash(BucketArchive);

#[async_trait]
impl ArchiveStore for Crash {
    async fn keep(&self, name: &str, content: Bytes) -> Result<String, String> {
        self.0.keep(name, content).await?;
        Err("killed".to_owned())
    }
}

#[tokio::test]
async fn after_a_crash_between_the_archive_and_the_trim_the_same_archive_is_used() {
    let (s3, desk) = (S3Server::start().await, Desk::new().await);
    assert_eq!(desk.archiver(Crash(store(account(&s3)))).round().await, Err("killed".to_owned()));
    assert_eq!((desk.events().await, s3.keys().len()), (6, 1));
    let before = s3.object(&s3.keys()[0]);
    assert_eq!(desk.archiver(store(account(&s3))).round().await, Ok(Round { streams: 2, events: 4 }));
    assert_eq!(s3.keys().len(), 1);
    assert_eq!(s3.object(&s3.keys()[0]), before);
}

#[tokio::test]
async fn what_is_kept_was_read_back_and_what_lies_there_stays() {
    let s3 = S3Server::start().await;
    let store = store(account(&s3));
    let large: Bytes = (0..9_000_001_u32).map(|n| (n % 251) as u8).collect();
    s3.behave(Behaviour { discard: true, ..Behaviour::default() });
    let why = store.keep("a.jsonl", large.clone()).await.unwrap_err();
    assert!(why.contains("R2 does not have it"), "acknowledged, and thrown away: {why}");
    s3.behave(Behaviour::default());
    for _ in 0..2 {
        assert_eq!(store.keep("a.jsonl", large.clone()).await.unwrap(), "r2:livraisons/journal/a.jsonl");
    }
    let mut other = large.to_vec();
    other[8_999_999] ^= 1;
    for other in [other, b"short".to_vec()] {
        let why = store.keep("a.jsonl", other.into()).await.unwrap_err();
        assert!(why.contains("something else"), "{why}");
    }
    assert!(s3.object("journal/a.jsonl").unwrap() == large);
    assert_eq!(store.check().await, Ok(()));
}
