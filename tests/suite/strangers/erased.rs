//! Who gets the disk later: what was erased is not found on it.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use serde_json::Value;

use crate::support::place::{NOWHERE, Place};
use crate::support::receiver::Receiver;
use crate::support::site::HOOK;
use crate::support::until::ensure;
use crate::support::{PATIENCE, Program, checks, mails, until};

const JOURNAL: &str = "data/render-signal.db";

/// What is made from the journal for whoever searches.
const SEARCH: &str = "data/search.db";

/// Whether a text is anywhere in the journal's files, or in those of the search.
fn is_found(place: &Place, text: &str) -> bool {
    let files = [JOURNAL, SEARCH].map(|file| ["", "-wal", "-shm"].map(|side| format!("{file}{side}")));
    files.iter().flatten().map(|file| place.path(file)).any(|file| {
        let content = fs::read(file).unwrap_or_default();
        content.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

async fn until_erased(place: &Place, text: &str) {
    until(&format!("{text} to be erased"), PATIENCE, async || {
        ensure(!is_found(place, text), || "it is still in the journal's files".to_owned())
    })
    .await;
}

/// The journal while nobody has it open, changed so that nothing of the change stays behind.
fn change(journal: &Path, sql: &str) {
    let db = Connection::open(journal).expect("the journal");
    db.execute_batch(&format!("PRAGMA secure_delete = ON; {sql}")).expect(sql);
    db.close().map_err(|(_, error)| error).expect("closing");
}

/// A journal with the body of a mail that was delivered; the text that is in it.
async fn delivered(place: &Place, receiver: &Receiver, worker: &mut Program) -> String {
    worker.start().await;
    let mail = mails::mixed(1).remove(0);
    place.deliver(&mail);
    until("the webhook", PATIENCE, async || checks::all_accepted(receiver, std::slice::from_ref(&mail)))
        .await;
    assert!(worker.stop().await.success());
    let bodies = Connection::open(place.path(JOURNAL)).expect("the journal");
    let count: i64 = bodies
        .query_row(
            "SELECT count(*) FROM body WHERE CAST(bytes AS TEXT) LIKE ?1",
            [format!("%{}%", mail.mark)],
            |row| row.get(0),
        )
        .expect("a count");
    assert!(count > 0, "the body of the webhook is kept");
    mail.mark
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_past_its_time_is_in_no_file_of_the_journal() {
    let receiver = Receiver::start().await;
    let place = Place::new(&receiver.url(HOOK));
    let mut worker = place.worker("worker");
    let mark = delivered(&place, &receiver, &mut worker).await;
    // A text that is nowhere else.
    let unique = "kept-for-a-while-and-then-erased";
    assert!(!mark.is_empty());
    change(
        &place.path(JOURNAL),
        &format!(
            "INSERT INTO body (key, keep_until, bytes, sum) SELECT 'copy/' || key, 0, \
             CAST('{unique}' || hex(zeroblob(30000)) || '{unique}' AS BLOB), sum FROM body LIMIT 1; \
             INSERT INTO body (key, keep_until, bytes, sum) SELECT 'short/' || key, 0, \
             CAST('{unique}' AS BLOB), sum FROM body LIMIT 1;"
        ),
    );
    assert!(is_found(&place, unique));
    worker.start().await;
    worker.until_log("dropped bodies whose retention is over").await;
    until_erased(&place, unique).await;
    worker.stop().await;
    assert!(!is_found(&place, unique));
    worker.assert_journal_verifies().await;
}

/// Who sent a mail and what it is called leaves the journal with its body: the log, the tables
/// for readers and the files; before that it is listed.
#[tokio::test(flavor = "multi_thread")]
async fn a_sender_and_a_subject_past_their_time_are_in_no_file_of_the_journal() {
    let receiver = Receiver::start().await;
    let place = Place::new(&receiver.url(HOOK));
    let mut worker = place.worker("worker");
    worker.start().await;
    let (sent, ignored) = (
        mails::named("subject-of-the-one", "who-1@example.fr"),
        mails::named("TR: subject-of-the-other", "who-2@example.fr"),
    );
    place.deliver(&sent);
    place.deliver(&ignored);
    until("the webhook", PATIENCE, async || checks::all_accepted(&receiver, std::slice::from_ref(&sent)))
        .await;
    let listed = until("the other one to be listed", PATIENCE, async || {
        let listed = place.json(&["mails", "list", "--json"]).await;
        let subject = listed[0]["subject"].as_str().unwrap_or_default();
        ensure(subject.starts_with("TR: subject-of-the-other"), || listed.to_string()).map(|()| listed)
    })
    .await;
    assert_eq!(listed[0]["sender"], "who-2@example.fr");
    let delivered = place.json(&["deliveries", "list", "--state", "delivered", "--json"]).await;
    let subject = delivered[0]["subject"].as_str().unwrap_or_default();
    assert!(subject.starts_with("subject-of-the-one"), "{delivered}");
    assert!(worker.stop().await.success());
    let words = ["subject-of-the-one", "subject-of-the-other", "who-1@example", "who-2@example"];
    assert!(words.iter().all(|word| is_found(&place, word)));

    change(&place.path(JOURNAL), "UPDATE body SET keep_until = 0;");
    worker.start().await;
    worker.until_log("dropped bodies whose retention is over").await;
    for word in words {
        until_erased(&place, word).await;
    }
    let listed = place.json(&["mails", "list", "--json"]).await;
    assert_eq!((&listed[0]["subject"], &listed[0]["sender"]), (&Value::Null, &Value::Null), "{listed}");
    assert!(place.run(&["mails", "list"]).await.out.contains("(erased)"));
    worker.stop().await;
    assert!(words.iter().all(|word| !is_found(&place, word)));
    worker.assert_journal_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_version_erased_is_gone_after_one_start() {
    let receiver = Receiver::start().await;
    let place = Place::new(&receiver.url(HOOK));
    let mut worker = place.worker("worker");
    delivered(&place, &receiver, &mut worker).await;
    let unique = "erased-but-still-there";
    let db = Connection::open(place.path(JOURNAL)).expect("the journal");
    db.execute_batch(&format!(
        "PRAGMA secure_delete = OFF; DROP TABLE erased; CREATE TABLE left_behind (bytes BLOB); \
         INSERT INTO left_behind VALUES (CAST('{unique}' || hex(zeroblob(30000)) || '{unique}' AS BLOB)), \
         (CAST('{unique}' AS BLOB)); DROP TABLE left_behind;"
    ))
    .expect("an older version's work");
    db.close().map_err(|(_, error)| error).expect("closing");
    assert!(is_found(&place, unique));
    for _ in 0..2 {
        worker.start().await;
        assert!(!is_found(&place, unique));
        assert_eq!(worker.log().matches("the journal was written anew, once").count(), 1, "{}", worker.log());
        worker.stop().await;
    }
    worker.assert_journal_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_documents_leave_the_history_and_sign_in_links_never_enter_it() {
    let mut place = Place::new(NOWHERE);
    place.set("CONFIG_HISTORY_VERSIONS", "1");
    let mut worker = place.worker("worker");
    worker.start().await;
    for n in 1..=3 {
        let address = format!("webhook_url=https://hook.example.com/capability-{n}");
        let set = worker.run(&["config", "set", "webhook_config", &address]).await;
        assert!(set.status.success(), "{}", set.text);
    }
    for n in 1..=2 {
        let links = format!(r#"{{"sign-in-token-{n}":{{}}}}"#);
        let set = place.feed(&["config", "set", "magic_link_tokens", "--file", "-"], &links).await;
        assert_eq!(set.code, 0, "{set:?}");
    }
    let history = place.json(&["config", "history", "magic_link_tokens", "--json"]).await;
    assert_eq!(history.as_array().map(Vec::len), Some(2), "{history}");
    assert!(history[1]["hash"].as_str().is_some_and(|hash| hash.len() == 64), "{history}");
    for n in 1..=2 {
        assert!(!is_found(&place, &format!("sign-in-token-{n}")), "{n}");
    }
    assert!(is_found(&place, "capability-1"));
    worker.stop().await;
    worker.start().await;
    for n in 1..=2 {
        until_erased(&place, &format!("capability-{n}")).await;
    }
    assert!(is_found(&place, "capability-3"), "what is in force stays");

    let history = place.json(&["config", "history", "webhook_config", "--json"]).await;
    let content: Vec<&Value> =
        history.as_array().expect("versions").iter().map(|version| &version["content"]).collect();
    assert_eq!(content, ["gone", "gone", "kept"], "{history}");
    let restored = place.run(&["config", "restore", "webhook_config", "1"]).await;
    assert!(restored.code != 0 && restored.complaints.contains("CONFIG_HISTORY_VERSIONS"), "{restored:?}");
    let restored = place.run(&["config", "restore", "magic_link_tokens", "1"]).await;
    assert!(restored.code != 0 && restored.complaints.contains("keeps no content"), "{restored:?}");
}
