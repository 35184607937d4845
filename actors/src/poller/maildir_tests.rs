use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::sync::Semaphore;

use super::super::source::{LoadPart, LoadedBody};
use super::*;
use crate::messages::Source;
use crate::poller::source::BUDGET;

const ALL: ListScope = ListScope { above: 0, unseen: true, since: None };

fn maildir() -> (TempDir, MaildirSource) {
    let dir = TempDir::new().unwrap();
    for folder in ["new", "cur", "tmp"] {
        fs::create_dir(dir.path().join(folder)).unwrap();
    }
    let source = MaildirSource::new(MaildirSettings { path: dir.path().to_owned() });
    (dir, source)
}

fn put(dir: &TempDir, name: &str, content: &str) {
    fs::write(dir.path().join(name), content).unwrap();
}

fn files(dir: &TempDir, folder: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir.path().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

async fn listed(session: &mut Box<dyn MailboxSession>) -> Vec<String> {
    session.list(&ALL).await.unwrap().into_iter().map(|mail| mail.item).collect()
}

async fn fetched(
    session: &mut Box<dyn MailboxSession>,
    wanted: Vec<LoadRequest>,
) -> BTreeMap<String, LoadedBody> {
    let (sink, mut mails) = Sink::new(Arc::new(Semaphore::new(BUDGET)));
    let (done, all) = tokio::join!(session.fetch(&wanted, sink), async {
        let mut all = BTreeMap::new();
        while let Some(mail) = mails.recv().await {
            let item = mail.item.clone();
            assert!(all.insert(item, mail.into_parts().0).is_none(), "each mail exactly once");
        }
        all
    });
    done.unwrap();
    all
}

fn wanted(item: &str, part: LoadPart) -> LoadRequest {
    LoadRequest { item: item.to_owned(), uid: 0, size: 1_000, limit: 1_000, part }
}

#[tokio::test]
async fn unread_mails_are_listed_and_read_ones_are_not() {
    let (dir, source) = maildir();
    put(&dir, "new/b.host", "x");
    put(&dir, "new/a.host:2,S", "flags mean nothing in new/");
    put(&dir, "cur/c.host:2,F", "x");
    put(&dir, "cur/d.host", "x");
    put(&dir, "cur/e.host:2,RS", "read");
    put(&dir, "cur/.hidden", "x");
    put(&dir, "tmp/f.host", "unfinished");
    let mut session = source.connect().await.unwrap();
    assert_eq!(session.opened(), MailboxStatus { validity: 0, uid_next: 0, exists: 5 });
    assert_eq!(listed(&mut session).await, ["a.host", "b.host", "c.host", "d.host"]);
    let mails = session.list(&ALL).await.unwrap();
    fs::remove_file(dir.path().join("cur/d.host")).unwrap();
    let described = session.describe(&mails).await.unwrap();
    let sizes: Vec<(&str, u64)> =
        described.iter().map(|mail| (mail.item.as_str(), mail.detail.unwrap().size)).collect();
    assert_eq!(sizes, [("a.host", 26), ("b.host", 1), ("c.host", 1)]);
    assert!(described.iter().all(|mail| mail.detail.unwrap().arrived_at.is_some()));
}

#[tokio::test]
async fn marking_renames_keeps_the_other_flags_and_can_be_repeated() {
    let (dir, source) = maildir();
    put(&dir, "new/a.host", "x");
    put(&dir, "cur/b.host:2,FT", "x");
    put(&dir, "cur/c.host:2,S", "x");
    let mut session = source.connect().await.unwrap();
    let items: Vec<String> = ["a.host", "b.host", "c.host", "gone"].map(str::to_owned).to_vec();
    for _ in 0..2 {
        session.mark_seen(&items).await.unwrap();
        assert_eq!(files(&dir, "cur"), ["a.host:2,S", "b.host:2,FST", "c.host:2,S"]);
        assert_eq!(files(&dir, "new"), Vec::<String>::new());
    }
    assert_eq!(listed(&mut session).await, Vec::<String>::new());
}

#[tokio::test]
async fn fetching_survives_renamed_and_removed_files_and_reads_headers_only_when_asked() {
    let (dir, source) = maildir();
    put(&dir, "new/a", "Subject: a\r\n\r\nbody");
    put(&dir, "new/b", "Subject: b\n\nbody");
    put(&dir, "cur/c:2,F", "Subject: c\n\nbody");
    let mut session = source.connect().await.unwrap();
    let mut bodies = fetched(
        &mut session,
        vec![
            wanted("a", LoadPart::Full),
            wanted("b", LoadPart::Header),
            wanted("c", LoadPart::Full),
            wanted("gone", LoadPart::Full),
        ],
    )
    .await;
    assert!(
        matches!(bodies.remove("a"), Some(LoadedBody::Loaded(Source::Full(b))) if &b[..] == b"Subject: a\r\n\r\nbody")
    );
    assert!(matches!(
        bodies.remove("b"),
        Some(LoadedBody::Loaded(Source::HeaderOnly { header, size: 1_000 })) if &header[..] == b"Subject: b\n\n"
    ));
    assert!(matches!(bodies.remove("c"), Some(LoadedBody::Loaded(Source::Full(_)))));
    assert!(matches!(bodies.remove("gone"), Some(LoadedBody::Gone)));

    let folders = Folders { root: dir.path().to_owned() };
    let stale = MaildirPlace { cur: true, file: "c:2,".to_owned() };
    assert!(
        matches!(folders.load(&wanted("c", LoadPart::Full), Some(stale)), LoadedBody::Loaded(_)),
        "renamed"
    );
    let stale = MaildirPlace { cur: false, file: "z".to_owned() };
    assert!(matches!(folders.load(&wanted("z", LoadPart::Full), Some(stale)), LoadedBody::Gone), "removed");
}

#[tokio::test]
async fn a_wait_ends_when_a_mail_comes_also_within_the_tick_of_the_listing() {
    let (dir, source) = maildir();
    let mut session = source.connect().await.unwrap();
    listed(&mut session).await;
    // The first listing is confirmed by a second one.
    assert_eq!(session.wait(Duration::from_secs(60)).await.unwrap(), Wake::Changed);
    listed(&mut session).await;
    assert_eq!(session.wait(Duration::from_millis(300)).await.unwrap(), Wake::Elapsed);
    put(&dir, "new/a", "x");
    assert_eq!(session.wait(Duration::from_secs(60)).await.unwrap(), Wake::Changed);
    assert_eq!(listed(&mut session).await, ["a"]);
}

#[tokio::test]
async fn a_folder_that_is_no_maildir_is_named() {
    let dir = TempDir::new().unwrap();
    let source = MaildirSource::new(MaildirSettings { path: dir.path().to_owned() });
    let Err(error) = source.connect().await else { panic!("it opened") };
    assert!(matches!(&error, SourceError::Settings(why) if why.contains("new is not a folder")), "{error}");
}
