//! Mails that share their identity: none is lost, and true copies are told.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::support::place::Place;
use crate::support::program::Program;
use crate::support::receiver::Receiver;
use crate::support::until::ensure;
use crate::support::{PATIENCE, Redis, mails, until};

const HEAD: &str =
    "From: Marc <marc@example.fr>\r\nSubject: Livraison\r\nDate: Mon, 26 Jan 2026 10:00:00 +0100\r\n";

/// A mail that only its text tells from the others.
fn mail(name: &str, text: &str) -> mails::TestMail {
    let raw = format!("{HEAD}Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n");
    mails::TestMail { mark: name.to_owned(), raw: raw.into_bytes() }
}

/// The same as another server would hand it over.
fn copy(name: &str, text: &str) -> mails::TestMail {
    let encoded = STANDARD.encode(format!("{text}\r\n"));
    let raw = format!(
        "Received: from elsewhere\n{}MIME-Version: 1.0\nContent-Transfer-Encoding: base64\n\
         Content-Type: text/plain; charset=UTF-8\n\n{encoded}\n",
        HEAD.replace("\r\n", "\n")
    );
    mails::TestMail { mark: name.to_owned(), raw: raw.into_bytes() }
}

async fn nothing_is_lost(place: &Place, receiver: &Receiver, worker: &Program) {
    let texts =
        ["https://fromsmash.com/un", "https://fromsmash.com/deux", "autre texte https://fromsmash.com/un"];
    let list = async |state: &str| -> Value {
        let list = worker.run(&["mails", "list", "--state", state, "--json"]).await.text;
        serde_json::from_str(&list).unwrap_or_else(|error| panic!("{error}: {list}"))
    };
    // Two lie there at once, the third comes later.
    place.deliver(&mail("1", texts[0]));
    place.deliver(&mail("2", texts[1]));
    until("the webhooks of two", PATIENCE, async || {
        ensure(receiver.count() >= 2, || receiver.count().to_string())
    })
    .await;
    place.deliver(&mail("3", texts[2]));
    until("the webhook of the third", PATIENCE, async || {
        ensure(receiver.count() >= 3, || receiver.count().to_string())
    })
    .await;
    let told: Vec<Value> = receiver.deliveries().iter().map(|delivery| delivery.json()).collect();
    for text in texts {
        let said = format!("{text}\r\n\n");
        assert!(told.iter().any(|body| body["email_content"].as_str() == Some(&said)), "{text}: {told:?}");
    }
    let mut ids: Vec<&str> =
        told.iter().filter_map(|body| body["microsoft_graph_email_id"].as_str()).collect();
    ids.sort_by_key(|id| id.len());
    assert_eq!(ids[0].len(), 32, "the first has the identity of the reference");
    assert!(ids[1..].iter().all(|id| id.len() == 65 && id.starts_with(&format!("{}-", ids[0]))), "{ids:?}");

    place.deliver(&copy("4", texts[1]));
    let row = until("the copy", PATIENCE, async || {
        let rows = list("duplicate").await;
        match rows.as_array().map(Vec::as_slice) {
            Some([row]) => Ok(row.clone()),
            _ => Err(rows.to_string()),
        }
    })
    .await;
    assert_eq!(row["location"]["item"], "4.example", "{row}");
    assert_eq!(receiver.count(), 3, "a copy is not sent");
    let original =
        told.iter().find(|body| body["email_content"].as_str().is_some_and(|text| text.contains("deux")));
    assert_eq!(Some(&row["email_id"]), original.map(|body| &body["microsoft_graph_email_id"]));

    let id = row["id"].as_str().expect("an id");
    let released = worker.run(&["mails", "release", id]).await;
    assert!(released.status.success(), "{}", released.text);
    until("the copy's webhook", PATIENCE, async || {
        ensure(receiver.count() >= 4, || receiver.count().to_string())
    })
    .await;
    let sent = receiver.deliveries().pop().expect("a webhook");
    assert_eq!(
        (sent.webhook_id(), &sent.json()["microsoft_graph_email_id"]),
        (&*format!("msg_{id}_default"), &row["id"])
    );
    let again = worker.run(&["mails", "release", id]).await;
    assert_eq!(again.status.code(), Some(1), "{}", again.text);
    // All five are marked, each for itself.
    until("the marks", PATIENCE, async || {
        let left = std::fs::read_dir(place.path("Maildir/new")).expect("a folder").count();
        ensure(left == 0, || format!("{left} are not read"))
    })
    .await;
    worker.assert_journal_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_of_one_identity_are_all_delivered_and_a_copy_is_told_and_released() {
    let receiver = Receiver::start().await;
    let place = Place::new(&receiver.url("/hook"));
    place.put("processing_prefs", r#"{"rate_limit_per_hour": 0}"#);
    let mut worker = place.worker("worker");
    worker.start().await;
    nothing_is_lost(&place, &receiver, &worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_journal_in_redis_as_well() {
    let redis = Redis::start().await;
    let receiver = Receiver::start().await;
    let place = Place::new(&receiver.url("/hook"));
    place.put("processing_prefs", r#"{"rate_limit_per_hour": 0}"#);
    let mut worker = place.worker("worker");
    worker.set("JOURNAL_URL", &redis.url());
    worker.start().await;
    nothing_is_lost(&place, &receiver, &worker).await;
}
