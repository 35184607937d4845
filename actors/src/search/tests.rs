//! The index on the journals, with mails as they are kept.

use std::sync::Arc;

use chrono::TimeDelta;
use tempfile::TempDir;

use super::index::IndexEntry;
use super::*;
use crate::kernel::clock::World;
use crate::kernel::event::{DomainEvent as _, NewEvent};
use crate::kernel::journal::memory::MemoryJournal;
use crate::kernel::journal::sqlite::{SqliteJournal, SqliteOptions};
use crate::kernel::journal::{Commit, Expected, JournalAdmin as _, StreamWrite};
use crate::mail::IgnoreReason;
use crate::mail::heading::Heading;
use crate::mail::life::{Location, MailEvent, MailIgnored, MailReceived, mail_stream};
use crate::readmodel;
use crate::readmodel::queries::MailFilter;

fn received(id: &str, sender: &str, subject: &str) -> MailEvent {
    MailEvent::Received(MailReceived {
        email_id: id.to_owned(),
        location: Location { mailbox: "INBOX".to_owned(), validity: 1, item: id.to_owned() },
        sender: sender.to_owned(),
        subject: subject.to_owned(),
        size: 1,
        arrived_at: None,
        subject_group: String::new(),
        flaws: Vec::new(),
        content: None,
        other_content_of: None,
        copy_of: None,
        authentication: None,
    })
}

/// Puts a mail into the journal as admission does: its heading beside its events.
async fn admit(
    journal: &dyn Journal,
    world: &World,
    id: &str,
    sender: &str,
    subject: &str,
    reason: IgnoreReason,
) {
    let new = |event: &MailEvent| -> NewEvent { event.to_new(world.ids.next()).unwrap() };
    let ignored = MailEvent::Ignored(MailIgnored { reason, detail: None, configuration: None, by: None });
    let events = vec![new(&received(id, "", "")), new(&ignored)];
    let write = StreamWrite { stream: mail_stream(id), expected: Expected::NoStream, events };
    let heading = Heading { sender: sender.to_owned(), subject: subject.to_owned() };
    let body = heading.body(id, world.now() + TimeDelta::days(7));
    let commit = Commit { at: world.now(), writes: vec![write], bodies: vec![body], ..Commit::default() };
    journal.append(commit).await.unwrap();
}

const MAILS: [(&str, &str, &str); 6] = [
    ("m1", "camille@exemple.fr", "Média Solution – Missions Recadrage – Lot 42"),
    ("m2", "camille@exemple.fr", "Re: tarifs d'été"),
    ("m3", "studio@straße.example", "Œuvre \"complète\" AND (brute) lot-7*"),
    ("m4", "noreply@exemple.fr", "Lot 42 % _ ' ; DROP TABLE known"),
    ("m5", "a@b.fr", "é"),
    ("m6", "zoë@exemple.fr", ""),
];

async fn filled(journal: &dyn Journal, world: &World) {
    for (id, sender, subject) in MAILS {
        admit(journal, world, id, sender, subject, IgnoreReason::Reply).await;
    }
}

fn memory(world: &World) -> Arc<dyn Journal> {
    Arc::new(MemoryJournal::new(world.clone(), readmodel::all()))
}

async fn found(search: &Search, text: &str) -> String {
    let query = MailQuery { text: Some(text.to_owned()), ..MailQuery::default() };
    let page = search.mails(&query).await.unwrap();
    assert_eq!(page.matches.count as usize, page.mails.len(), "{text}");
    page.mails.iter().map(|mail| mail.mail.email_id.as_str()).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn any_part_of_a_text_is_found_whatever_it_looks_like() {
    let world = World::real();
    let journal = memory(&world);
    filled(journal.as_ref(), &world).await;
    let search = Search::open(journal, None).unwrap();
    for (text, want) in [
        ("recadrage", "m1"),
        ("RECADRAGE media", "m1"),
        ("cadra", "m1"),
        ("ete", "m3 m2"),
        ("été", "m3 m2"),
        ("e\u{301}te\u{301}", "m3 m2"),
        ("oeuvre", "m3"),
        ("œuvre", "m3"),
        ("STRASSE", "m3"),
        ("straße", "m3"),
        ("zoe", "m6"),
        ("exemple.fr", "m6 m4 m2 m1"),
        ("lot", "m4 m3 m1"),
        ("lot 42", "m4 m1"),
        ("42 lot", "m4 m1"),
        // One and two characters.
        ("é", "m6 m5 m4 m3 m2 m1"),
        ("42", "m4 m1"),
        ("q", ""),
        ("zz", ""),
        // What looks like a query is text.
        ("\"complète\"", "m3"),
        ("AND", "m3"),
        ("recadrage OR lot", ""),
        ("(brute)", "m3"),
        ("lot-7*", "m3"),
        ("lot-*", ""),
        ("subject:lot", ""),
        ("^lot", ""),
        ("NEAR(lot 42)", ""),
        ("%", "m4"),
        ("_", "m4"),
        ("'", "m4 m2"),
        ("table known", "m4"),
        ("\"", "m3"),
        ("\"\"\"\"", ""),
    ] {
        assert_eq!(found(&search, text).await, want, "{text:?}");
    }
    // Nothing asked for is everything.
    for nothing in ["", "  ", "\u{301}"] {
        assert_eq!(found(&search, nothing).await, "m6 m5 m4 m3 m2 m1");
    }
    let query = MailQuery {
        text: Some("lot".to_owned()),
        sender: Some("Camille".to_owned()),
        filter: MailFilter::default(),
    };
    let page = search.mails(&query).await.unwrap();
    assert_eq!(page.mails.len(), 1);
    assert_eq!(page.mails[0].subject.as_deref(), Some(MAILS[0].2));
    assert_eq!(page.mails[0].sender.as_deref(), Some(MAILS[0].1));
    assert!(page.complete);
    let of_sender = MailQuery { sender: Some("lot".to_owned()), ..MailQuery::default() };
    assert!(search.mails(&of_sender).await.unwrap().mails.is_empty(), "it is in subjects only");
}

#[tokio::test]
async fn text_and_filter_are_paged_forth_and_back() {
    let world = World::real();
    let journal = memory(&world);
    for n in 0..1_205 {
        let reason = if n % 3 == 0 { IgnoreReason::Reply } else { IgnoreReason::NoLinks };
        admit(journal.as_ref(), &world, &format!("{n:04}"), "a@b.fr", &format!("Lot {n:04}"), reason).await;
    }
    let search = Search::open(journal, None).unwrap();
    let mut wanted: Vec<String> = (0..1_205).filter(|n| n % 3 == 0).map(|n| format!("{n:04}")).collect();
    wanted.reverse();
    // While the index is filled, what is found so far is said to be that.
    let query = |before, after| MailQuery {
        text: Some("lot".to_owned()),
        sender: None,
        filter: MailFilter {
            reason: Some("reply".to_owned()),
            before,
            after,
            limit: 100,
            ..MailFilter::default()
        },
    };
    let first = search.mails(&query(None, None)).await.unwrap();
    assert!(!first.complete && first.matches.count < 402);
    while search.catch_up().await.unwrap() {}
    let mut seen = Vec::new();
    let mut page = search.mails(&query(None, None)).await.unwrap();
    assert_eq!((page.matches.count, page.matches.capped, page.complete), (402, false, true));
    let mut pages = vec![page.clone()];
    loop {
        seen.extend(page.mails.iter().map(|mail| mail.mail.email_id.clone()));
        let Some(older) = page.older else { break };
        page = search.mails(&query(Some(older), None)).await.unwrap();
        pages.push(page.clone());
    }
    assert_eq!(seen, wanted);
    assert_eq!(pages[0].newer, None);
    for pair in pages.windows(2) {
        let back = search.mails(&query(None, pair[1].newer)).await.unwrap();
        assert_eq!(back.mails, pair[0].mails);
        assert_eq!(back.older, pair[0].older);
    }
}

#[tokio::test]
async fn what_is_in_many_mails_is_found_and_counted_like_what_is_in_few() {
    let world = World::real();
    let journal = memory(&world);
    // `commun` is in every mail, `rare` in so few that going through the newest does not do.
    for n in 0..1_300 {
        let subject = if n % 400 == 7 { format!("Commun, rare {n}") } else { format!("Commun {n}") };
        let reason = if n < 900 { IgnoreReason::Reply } else { IgnoreReason::NoLinks };
        admit(journal.as_ref(), &world, &format!("{n:04}"), "a@b.fr", &subject, reason).await;
    }
    let search = Search::open(Arc::clone(&journal), None).unwrap();
    while search.catch_up().await.unwrap() {}
    let query = |text: &str, reason: Option<&str>, limit| MailQuery {
        text: Some(text.to_owned()),
        sender: None,
        filter: MailFilter { reason: reason.map(str::to_owned), limit, ..MailFilter::default() },
    };
    let asked = async |text: &str, reason: Option<&str>, limit| {
        let page = search.mails(&query(text, reason, limit)).await.unwrap();
        let ids = page.mails.iter().map(|mail| mail.mail.email_id.clone()).collect::<Vec<_>>();
        (ids.join(" "), page.matches.count, page.matches.capped)
    };
    for _ in 0..2 {
        assert_eq!(asked("commun", None, 2).await, ("1299 1298".to_owned(), 1_000, true));
        assert_eq!(asked("commun", Some("reply"), 2).await, ("0899 0898".to_owned(), 900, false));
        assert_eq!(asked("rare", None, 2).await, ("1207 0807".to_owned(), 4, false));
        assert_eq!(asked("rare commun", None, 9).await, ("1207 0807 0407 0007".to_owned(), 4, false));
        assert_eq!(asked("rare", Some("reply"), 1).await, ("0807".to_owned(), 3, false));
    }
    // How many there are is not remembered past a mail that comes, nor past one that goes.
    admit(journal.as_ref(), &world, "1300", "a@b.fr", "Commun, rare", IgnoreReason::NoLinks).await;
    assert_eq!(asked("rare", None, 2).await, ("1300 1207".to_owned(), 5, false));
    assert_eq!(asked("commun", None, 2).await.1, 1_000);
    let newest = search
        .find(&query("commun", None, 0).wanted(), ResultSpan { limit: 400, ..ResultSpan::default() })
        .await;
    search.run(move |index| index.erase(&newest.unwrap_or_default())).await.unwrap();
    assert_eq!(asked("commun", None, 1).await, ("0900".to_owned(), 901, false));
    assert_eq!(asked("rare", None, 1).await, ("0807".to_owned(), 3, false));
}

#[tokio::test]
async fn mails_that_do_not_follow_what_the_index_holds_are_not_taken_in() {
    let mut index = SearchIndex::open(None).unwrap();
    let mark = |position| IndexMark { position, event: uuid::Uuid::nil() };
    let entry = |position: u64| IndexEntry {
        position,
        email_id: position.to_string(),
        subject: "lot".to_owned(),
        sender: String::new(),
    };
    assert!(index.add(&[entry(1)], None, mark(1)).unwrap());
    // It was made anew while the next ones were read.
    index.start_anew().unwrap();
    assert!(!index.add(&[entry(3)], Some(mark(1)), mark(3)).unwrap());
    assert_eq!((index.mark().unwrap(), index.page(0, 9).unwrap()), (None, Vec::new()));
    assert!(index.add(&[entry(1), entry(3)], None, mark(3)).unwrap());
    assert_eq!(index.page(0, 9).unwrap().len(), 2);
}

fn at(folder: &TempDir) -> Option<std::path::PathBuf> {
    Some(folder.path().join("search.db"))
}

/// Whether the bytes of a text are anywhere in the folder.
fn on_disk(folder: &TempDir, text: &str) -> bool {
    std::fs::read_dir(folder.path()).unwrap().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[tokio::test]
async fn what_is_erased_in_the_journal_is_erased_in_the_index_and_in_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::real();
    let journal = Arc::new(MemoryJournal::new(world.clone(), readmodel::all()));
    filled(journal.as_ref(), &world).await;
    let search = Search::open(Arc::clone(&journal) as Arc<dyn Journal>, at(&folder)).unwrap();
    assert_eq!(found(&search, "recadrage").await, "m1");
    assert!(on_disk(&folder, "recadrage") && on_disk(&folder, "rec"));
    journal.purge(world.now() + TimeDelta::days(8)).await.unwrap();
    admit(journal.as_ref(), &world, "m7", "a@b.fr", "xyzzy", IgnoreReason::Reply).await;
    while search.catch_up().await.unwrap() {}
    search.sweep().await.unwrap();
    assert_eq!(found(&search, "recadrage").await, "");
    assert_eq!(found(&search, "x").await, "m7");
    for part in ["recadrage", "rec", "cad", "rage", "exemple"] {
        assert!(!on_disk(&folder, part), "{part} is still in the file");
    }
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(at(&folder).unwrap()).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_search_waits_neither_for_a_sweep_nor_for_whoever_is_taking_mails_in() {
    let world = World::real();
    let journal = memory(&world);
    filled(journal.as_ref(), &world).await;
    let search = Search::open(Arc::clone(&journal), None).unwrap();
    while search.catch_up().await.unwrap() {}

    let held = search.following.lock().await;
    let query = MailQuery { text: Some("recadrage".to_owned()), ..MailQuery::default() };
    let asked = async || {
        let page = tokio::time::timeout(std::time::Duration::from_secs(30), search.mails(&query)).await;
        let page = page.expect("an answer while the lock is held").unwrap();
        (page.mails.len(), page.complete)
    };
    assert_eq!(asked().await, (1, true), "there is nothing to take in");
    admit(journal.as_ref(), &world, "m7", "a@b.fr", "Recadrage", IgnoreReason::Reply).await;
    assert_eq!(asked().await, (1, false));

    // The sweep is the first in the queue, and one who looks for something comes between two pages.
    let (mut sweep, mut next) = (Box::pin(search.sweep()), Box::pin(search.following.lock()));
    assert!(futures::poll!(&mut sweep).is_pending() && futures::poll!(&mut next).is_pending());
    drop(held);
    tokio::select! {
        biased;
        _ = &mut sweep => panic!("the sweep let nobody in before its end"),
        _ = &mut next => {}
    }
    sweep.await.unwrap();
}

#[tokio::test]
async fn it_goes_on_after_a_restart_and_is_made_anew_when_it_is_damaged_or_of_another_log() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::real();
    let first = memory(&world);
    filled(first.as_ref(), &world).await;
    let reopened = |journal: &Arc<dyn Journal>| Search::open(Arc::clone(journal), at(&folder)).unwrap();
    let search = reopened(&first);
    while search.catch_up().await.unwrap() {}
    let mark = search.mark().await.unwrap();
    assert!(mark.is_some());
    closed(search).await;
    let search = reopened(&first);
    assert_eq!(search.mark().await.unwrap(), mark, "it need not be filled again");
    admit(first.as_ref(), &world, "m7", "a@b.fr", "xyzzy", IgnoreReason::Reply).await;
    assert_eq!(found(&search, "xyzzy").await, "m7");
    closed(search).await;

    // A journal that has lost its end, and grown again.
    let other = memory(&world);
    admit(other.as_ref(), &world, "n1", "a@b.fr", "plugh", IgnoreReason::Reply).await;
    let search = reopened(&other);
    assert_eq!(found(&search, "xyzzy").await, "");
    assert_eq!(found(&search, "plugh").await, "n1");
    for n in 0..20 {
        admit(other.as_ref(), &world, &format!("o{n}"), "a@b.fr", "frotz", IgnoreReason::Reply).await;
    }
    closed(search).await;
    let search = reopened(&first);
    assert_eq!(found(&search, "frotz").await, "");
    assert_eq!(found(&search, "xyzzy").await, "m7");
    closed(search).await;

    for damage in [b"no database".to_vec(), Vec::new(), vec![0; 8_192]] {
        std::fs::write(at(&folder).unwrap(), &damage).unwrap();
        let search = reopened(&first);
        assert_eq!(found(&search, "xyzzy").await, "m7");
        assert_eq!(found(&search, "recadrage").await, "m1");
        closed(search).await;
    }
    // A folder in its place: it is kept in memory.
    std::fs::remove_file(at(&folder).unwrap()).unwrap();
    std::fs::create_dir(at(&folder).unwrap()).unwrap();
    assert_eq!(found(&reopened(&first), "recadrage").await, "m1");
}

/// Waits for its thread to let go of the file.
async fn closed(search: Search) {
    let (gone, wait) = oneshot::channel::<()>();
    let job: SearchJob = Box::new(move |index| {
        *index = SearchIndex::open(None).unwrap();
        drop(gone);
    });
    search.jobs.send(job).unwrap();
    assert!(wait.await.is_err());
}

#[tokio::test]
async fn an_embedded_journal_is_searched_like_the_one_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::real();
    let path = folder.path().join("journal.db");
    let options = SqliteOptions::default();
    let journal: Arc<dyn Journal> =
        SqliteJournal::open(&path, world.clone(), readmodel::all(), options).unwrap();
    filled(journal.as_ref(), &world).await;
    // Events of an earlier version name the mail themselves.
    let event = received("old", "Ancien@exemple.fr", "D'avant");
    let events = vec![event.to_new(world.ids.next()).unwrap()];
    let write = StreamWrite { stream: mail_stream("old"), expected: Expected::NoStream, events };
    journal.append(Commit { at: world.now(), writes: vec![write], ..Commit::default() }).await.unwrap();
    let search = Search::open(Arc::clone(&journal), at(&folder)).unwrap();
    assert_eq!(found(&search, "42").await, "m4 m1");
    assert_eq!(found(&search, "avant").await, "old");
    journal.close().await;
}

/// How many are looked for by a longer part, and gone through by a shorter one, agrees with a
/// comparison of the texts.
#[test]
fn the_index_finds_what_a_comparison_finds() {
    use proptest::prelude::*;
    let texts = prop::collection::vec(("[aeé bß\"*-]{0,12}", "[aé.@]{0,6}"), 1..30);
    proptest!(ProptestConfig::with_cases(48), |(texts in texts, question in "[aeé bß\"*-]{1,5}", erased in 0_usize..8)| {
        let mut index = SearchIndex::open(None).unwrap();
        let mark = |position| IndexMark { position, event: uuid::Uuid::nil() };
        for (n, (subject, sender)) in texts.iter().enumerate() {
            let position = n as u64 + 1;
            let entry = IndexEntry { position, email_id: n.to_string(), subject: subject.clone(), sender: sender.clone() };
            let from = (n > 0).then(|| mark(n as u64));
            assert!(index.add(&[entry], from, mark(position)).unwrap());
        }
        let gone: Vec<u64> = (1..=erased as u64).collect();
        index.erase(&gone).unwrap();
        let words = fold::words(&question);
        prop_assume!(!words.is_empty());
        let wanted = SearchTerms { anywhere: words.clone(), sender: Vec::new() };
        let mut expected: Vec<u64> = texts
            .iter()
            .enumerate()
            .filter(|(n, (subject, sender))| {
                let (subject, sender) = (fold::fold(subject), fold::fold(sender));
                *n >= erased && words.iter().all(|word| subject.contains(word) || sender.contains(word))
            })
            .map(|(n, _)| n as u64 + 1)
            .collect();
        prop_assert_eq!(index.count(&wanted, 1_000).unwrap(), expected.len() as u64);
        prop_assert_eq!(index.count(&wanted, 1_000).unwrap(), expected.len() as u64);
        let ascending = index.find(&wanted, ResultSpan { after: Some(0), before: None, limit: 1_000 }).unwrap();
        prop_assert_eq!(ascending, expected.clone());
        expected.reverse();
        let found = index.find(&wanted, ResultSpan { limit: 1_000, ..ResultSpan::default() }).unwrap();
        prop_assert_eq!(&found, &expected);
        // So few that the newest are gone through first.
        for limit in [1, 2] {
            let few = index.find(&wanted, ResultSpan { limit, ..ResultSpan::default() }).unwrap();
            prop_assert_eq!(few.as_slice(), &expected[..limit.min(expected.len())]);
        }
    });
}
