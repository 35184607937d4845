//! Mails of senders that are not in the list wait for the list.

use serde_json::{Value, json};

use crate::support::place::Place;
use crate::support::receiver::Receiver;
use crate::support::until::ensure;
use crate::support::{PATIENCE, Redis, checks, mails, until};

async fn a_stranger_is_let_in(redis: Option<&Redis>) {
    let receiver = Receiver::start().await;
    let place = Place::new(&receiver.url("/hook"));
    place.put("processing_prefs", r#"{"rate_limit_per_hour": 0}"#);
    let list = |senders: &[&str]| json!({ "sender_of_interest_for_polling": senders }).to_string();
    place.put("polling_config", &list(&["somebody@example.fr"]));
    let mut worker = place.worker("worker");
    if let Some(redis) = redis {
        worker.set("JOURNAL_URL", &redis.url());
    }
    worker.start().await;
    let all = [mails::linking_to("https://fromsmash.com/a"), mails::linking_to("https://fromsmash.com/b")];
    all.iter().for_each(|mail| place.deliver(mail));
    let listed = until("both mails", PATIENCE, async || {
        let list = worker.run(&["mails", "list", "--state", "ignored", "--json"]).await;
        let rows: Vec<Value> =
            serde_json::from_str(&list.text).map_err(|error| format!("{error}: {}", list.text))?;
        ensure(rows.len() == 2, || list.text).map(|()| rows)
    })
    .await;
    assert!(listed.iter().all(|row| row["reason"] == "sender_not_allowed"), "{listed:?}");

    // One is released by hand, the other waits for the list.
    let first =
        listed.iter().find(|row| row["subject"].as_str().is_some_and(|text| text.contains(&all[0].mark)));
    let id = first.and_then(|row| row["email_id"].as_str()).expect("an id");
    let released = worker.run(&["mails", "release", id]).await;
    assert!(released.status.success(), "{}", released.text);
    until("the released mail", PATIENCE, async || checks::all_accepted(&receiver, &all[..1])).await;
    assert_eq!(receiver.count(), 1);
    let unread = || std::fs::read_dir(place.path("Maildir/new")).expect("a folder").count();
    until("the mark of the one", PATIENCE, async || ensure(unread() == 1, || unread().to_string())).await;

    // A worker that was killed meanwhile has lost nothing.
    worker.kill();
    worker.start().await;
    place.put("polling_config", &list(&["somebody@example.fr", "marc@example.fr"]));
    until("the other mail", PATIENCE, async || checks::all_accepted(&receiver, &all)).await;
    until("its mark", PATIENCE, async || ensure(unread() == 0, || unread().to_string())).await;
    checks::assert_each_exactly_once(&receiver, &all);
    worker.assert_journal_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_mail_is_delivered_once_its_sender_is_in_the_list() {
    a_stranger_is_let_in(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_with_a_journal_in_redis() {
    let redis = Redis::start().await;
    a_stranger_is_let_in(Some(&redis)).await;
}
