//! `/mails` and `/mails/{id}`: a mail is found, its story is read, and something is done about it.

use render_signal_actors::kernel::clock::World;
use serde_json::json;

use super::person::Person;
use crate::support::api::Api;
use crate::support::mails::{TestMail, named, unreadable};
use crate::support::place::Place;
use crate::support::receiver::Receiver;
use crate::support::until::ensure;
use crate::support::{Answer, PATIENCE, Program, until};

const HOOK: &str = "/hook";

/// The mails of the list, as the API has them.
async fn listed(worker: &Program, query: &str) -> Vec<serde_json::Value> {
    let list = Api::new(worker.port()).get(&format!("/api/v1/mails{query}")).await;
    list["items"].as_array().expect("a list").clone()
}

/// The id of the one mail that has this in its subject.
async fn id_of(worker: &Program, mail: &TestMail) -> String {
    until("the mail to be known", PATIENCE, async || {
        let found = listed(worker, &format!("?text={}", mail.mark)).await;
        ensure(found.len() == 1, || format!("{found:?}"))?;
        Ok::<_, String>(found[0]["id"].as_str().expect("an id").to_owned())
    })
    .await
}

/// Waits until a mail is in this state, as the API says.
async fn until_state(worker: &Program, id: &str, state: &str, field: &str, wanted: u64) {
    let what = format!("mail {id} to be {state} with {field} = {wanted}");
    until(&what, PATIENCE, async || {
        let story = Api::new(worker.port()).get(&format!("/api/v1/mails/{id}")).await;
        let mail = &story["mail"];
        ensure(mail["state"] == state && mail[field] == wanted, || mail.to_string())
    })
    .await;
}

async fn place() -> (Place, Receiver) {
    let receiver = Receiver::start().await;
    let mut place = Place::new(&receiver.url(HOOK));
    place.set("API_TOKEN_SCOPES", "read,actions");
    place.put(
        "processing_prefs",
        &json!({"rate_limit_per_hour": 0, "retry_count": 1, "retry_delay_sec": 1}).to_string(),
    );
    (place, receiver)
}

#[tokio::test]
async fn an_ignored_mail_is_found_understood_released_and_delivered() {
    let (place, receiver) = place().await;
    let mut worker = place.worker("worker");
    worker.start().await;
    let wanted = named("=?utf-8?q?Re=3A_D=C3=A9sabonnement_=C3=89t=C3=A9?=", "Zoe <zoe@example.fr>");
    place.deliver(&wanted);
    let other = named("Un autre", "Marc <marc@example.fr>");
    place.deliver(&other);
    let (id, _) = (id_of(&worker, &wanted).await, id_of(&worker, &other).await);
    until_state(&worker, &id, "ignored", "links", 0).await;

    let mut reader = Person::signed_in(&worker).await;
    let list = reader.page("/mails?text=desabonnement+ete").await;
    assert!(list.contains(&format!("href=\"/mails/{id}\"")) && !list.contains(&other.mark), "{list}");
    assert!(list.contains("Ignoré") && list.contains("réponse"), "{list}");
    assert!(list.contains("value=\"desabonnement ete\""), "what was asked stays in the box: {list}");

    let page = reader.page(&format!("/mails/{id}")).await;
    assert!(page.contains("Re: Désabonnement Été"), "{page}");
    assert!(page.contains("Ignorer\u{a0}: réponse"), "the decision: {page}");
    assert!(page.contains("Étape par étape") && page.contains("class=\"checks\""), "step by step: {page}");
    assert!(page.contains("href=\"/reglages\">") && page.contains("processing_prefs version 1"), "{page}");
    let today = reader.page(&format!("/mails/{id}?aujourdhui=1")).await;
    assert!(today.contains("La même décision qu&#39;à son arrivée."), "{today}");

    let page = reader.done(&format!("/mails/{id}/liberer"), &[]).await;
    assert!(page.contains("Libéré\u{a0}: il part dans un instant."), "{page}");
    until_state(&worker, &id, "routed", "delivered", 1).await;
    assert_eq!(receiver.accepted().get(&wanted.mark), Some(&1));
    let page = reader.page(&format!("/mails/{id}")).await;
    assert!(page.contains("Libéré à la demande de session:admin"), "{page}");
    assert!(page.contains("HTTP 200, à l&#39;essai 1") && page.contains("Livré"), "{page}");
    assert!(page.contains(&format!("webhook-id</code></dt><dd><code><bdi>msg_{id}_default")), "{page}");
    let sent = receiver.deliveries();
    let sent = sent.iter().find(|delivery| delivery.mark() == wanted.mark).expect("a webhook");
    let body = reader.page(&format!("/mails/{id}/envoi/default")).await;
    assert_eq!(body.as_bytes(), sent.body, "the file has the bytes that were sent");
    let again = reader.done(&format!("/mails/{id}/liberer"), &[]).await;
    assert!(again.contains("role=\"alert\"") && again.contains("est déjà décidé"), "{again}");
}

/// Waits until a worker has recorded this version of `processing_prefs`.
async fn until_version(worker: &Program, version: u64) {
    until(&format!("version {version}"), PATIENCE, async || {
        let history = Api::new(worker.port()).get("/api/v1/config/processing_prefs/history").await;
        ensure(history.to_string().contains(&format!("\"version\":{version}")), || history.to_string())
    })
    .await;
}

#[tokio::test]
async fn the_steps_of_a_decision_have_the_values_of_then_after_the_settings_have_changed_twice() {
    let (place, _receiver) = place().await;
    let prefs = |words: serde_json::Value| json!({"exclude_keywords": words, "retry_count": 1}).to_string();
    place.put("processing_prefs", &prefs(json!(["chantier"])));
    let hour = |hours| (World::real().now() + chrono::TimeDelta::hours(hours)).format("%H:%M").to_string();
    let (start, end) = (hour(-2), hour(2));
    let window = json!({"webhook_time_start": start, "webhook_time_end": end}).to_string();
    place.put("webhook_config", &window);
    let mut worker = place.worker("worker");
    worker.start().await;
    let ignored = named("Photos du chantier", "Zoe <zoe@example.fr>");
    let sent = named("Photos du stade", "Zoe <zoe@example.fr>");
    place.deliver(&ignored);
    place.deliver(&sent);
    let (ignored, sent) = (id_of(&worker, &ignored).await, id_of(&worker, &sent).await);
    until_state(&worker, &ignored, "ignored", "links", 0).await;
    until_state(&worker, &sent, "routed", "delivered", 1).await;
    place.put("webhook_config", "{}");
    for (version, word) in [(2, "stade"), (3, "piscine")] {
        place.put("processing_prefs", &prefs(json!([word])));
        until_version(&worker, version).await;
    }

    let mut reader = Person::signed_in(&worker).await;
    let page = reader.page(&format!("/mails/{ignored}")).await;
    assert!(page.contains("processing_prefs version 1") && page.contains("class=\"checks\""), "{page}");
    assert!(page.contains("les mails qui contiennent «\u{a0}chantier\u{a0}» sont exclus"), "{page}");
    assert!(page.contains("sous les documents d&#39;alors"), "{page}");
    let page = reader.page(&format!("/mails/{sent}")).await;
    assert!(
        page.contains(&format!("ouverte de «\u{a0}{start}\u{a0}» à «\u{a0}{end}\u{a0}», il est ")),
        "{page}"
    );
    let page = reader.page(&format!("/mails/{sent}?aujourdhui=1")).await;
    assert!(
        page.contains("aucune fenêtre d&#39;envoi n&#39;est configurée"),
        "what is now, beside it: {page}"
    );
}

#[tokio::test]
async fn a_mails_page_says_which_version_of_the_settings_is_kept_no_more() {
    let (mut place, _receiver) = place().await;
    place.set("CONFIG_HISTORY_VERSIONS", "1");
    let mut worker = place.worker("worker");
    worker.start().await;
    let mail = named("Re: Photos", "Zoe <zoe@example.fr>");
    place.deliver(&mail);
    let id = id_of(&worker, &mail).await;
    until_state(&worker, &id, "ignored", "links", 0).await;
    place.put("processing_prefs", r#"{"retry_count": 2}"#);
    until_version(&worker, 2).await;
    // A start drops the copies whose time is over.
    worker.stop().await;
    worker.start().await;
    let mut reader = Person::signed_in(&worker).await;
    let page = reader.until_said(&format!("/mails/{id}"), "Les étapes ne peuvent plus être retrouvées").await;
    assert!(page.contains("la copie de la version 1 de processing_prefs n&#39;est plus là"), "{page}");
}

#[tokio::test]
async fn a_dead_letter_is_read_and_sent_again_alone_and_with_all_others() {
    let (place, receiver) = place().await;
    receiver.always(HOOK, Answer::Html(503));
    let mut worker = place.worker("worker");
    worker.start().await;
    let mails: Vec<TestMail> = (0..3).map(|n| named(&format!("Lot {n}"), "Marc <marc@example.fr>")).collect();
    let mut ids = Vec::new();
    for mail in &mails {
        place.deliver(mail);
        let id = id_of(&worker, mail).await;
        until_state(&worker, &id, "routed", "dead_lettered", 1).await;
        ids.push(id);
    }
    let mut reader = Person::signed_in(&worker).await;
    reader.language = "en";
    let page = reader.page(&format!("/mails/{}", ids[0])).await;
    assert!(page.contains("Given up") && page.contains("What the receiver answered"), "{page}");
    assert!(
        page.contains("Attempt 1 in") && page.contains("Attempt 2 in") && page.contains("HTTP 503"),
        "{page}"
    );
    let answer = page.split("What the receiver answered").nth(1).expect("an answer");
    assert!(answer.contains("&lt;h1&gt;Erreur") && !answer.contains("<h1>"), "an answer is text: {answer}");

    receiver.always(HOOK, Answer::Ok);
    let page = reader.done(&format!("/mails/{}/renvoyer", ids[0]), &[("target", "default")]).await;
    assert!(page.contains("1 webhook goes out again."), "{page}");
    until_state(&worker, &ids[0], "routed", "delivered", 1).await;
    reader.until_said(&format!("/mails/{}", ids[0]), "Delivered in").await;

    let list = reader.page("/mails?state=failed").await;
    assert!(list.contains("Send again 2\u{a0}mails?"), "the question says how many: {list}");
    assert!(!list.contains(&mails[0].mark) && list.contains(&mails[2].mark), "{list}");
    let up_to = list.split("name=\"up_to\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let fields = [("state", "failed"), ("do", "retry"), ("up_to", up_to.expect("a position"))];
    let list = reader.done("/mails", &fields).await;
    assert!(list.contains("2\u{a0}mails sent again."), "{list}");
    for id in &ids[1..] {
        until_state(&worker, id, "routed", "delivered", 1).await;
    }
    let list = reader.until_said("/mails?state=failed", "No failure").await;
    assert!(!list.contains("name=\"up_to\""), "there is nothing to be done: {list}");
    let refused = reader.send("/mails", &[("state", "delivered"), ("do", "release"), ("up_to", "9")]).await;
    assert_eq!(refused.status, 400, "{}", refused.body);
}

#[tokio::test]
async fn what_strangers_write_is_text_and_filters_stay_in_every_link() {
    let (place, receiver) = place().await;
    let mut worker = place.worker("worker");
    worker.start().await;
    let hostile = named(
        "=?utf-8?q?=3Cscript=3Ealert=281=29=3C/script=3E_=E2=80=AEgpj?=",
        "\"<img src=x onerror=alert(2)>\" <evil@example.fr>",
    );
    place.deliver(&hostile);
    let id = id_of(&worker, &hostile).await;
    until_state(&worker, &id, "routed", "delivered", 1).await;
    place.deliver(&unreadable());
    let mut reader = Person::signed_in(&worker).await;
    reader.until_said("/mails?state=unreadable", "mail illisible").await;
    for path in ["/mails", &format!("/mails/{id}"), &format!("/mails/{id}?aujourdhui=1")] {
        for language in ["fr", "en"] {
            reader.language = language;
            let page = reader.page(path).await;
            assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
            assert!(!page.contains("<script>alert") && !page.contains("<img"), "{page}");
            assert!(page.contains("U+202E"), "what turns the reading is shown: {page}");
        }
    }
    // A further page keeps what was asked for, and so does every filter.
    let many: Vec<TestMail> =
        (0..51).map(|n| named(&format!("Suite {n}"), "Marc <marc@example.fr>")).collect();
    for mail in &many {
        place.deliver(mail);
    }
    let mut reader = Person::signed_in(&worker).await;
    reader.until_said("/mails?text=suite&state=delivered", "51\u{a0}mails").await;
    let first = reader.page("/mails?text=suite&state=delivered&target=default").await;
    let older = first.split("rel=\"next\" href=\"").nth(1).and_then(|rest| rest.split('"').next());
    let older = older.expect("an older page").replace("&#38;", "&");
    assert!(older.contains("text=suite") && older.contains("state=delivered"), "{older}");
    assert!(older.contains("target=default") && older.contains("cursor=o"), "{older}");
    let second = reader.page(&older).await;
    assert_eq!(second.matches("<li class=\"mail\"").count(), 1, "{second}");
    assert!(second.contains("rel=\"prev\""), "{second}");
    assert!(second.contains("/mails?text=suite&#38;state=ignored&#38;target=default\""), "{second}");
    assert_eq!(first.matches("<li class=\"mail\"").count(), 50);
    // An open page is brought up to date row by row, and what has come since is announced.
    let live = first.split("data-live-url=\"").nth(1).and_then(|rest| rest.split('"').next());
    let live = live.expect("an address").replace("&#38;", "&");
    let late = named("Suite et fin", "Marc <marc@example.fr>");
    place.deliver(&late);
    let fresh = reader.until_said(&live, "1 nouveau mail").await;
    assert!(!fresh.contains(&late.mark), "it is announced, not pushed in: {fresh}");
    assert_eq!(fresh.matches("<li class=\"mail\"").count(), 50);

    let unknown = reader.get("/mails/0123456789abcdef0123456789abcdef").await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.body.contains("Mail inconnu"), "{}", unknown.body);
    let wrong = reader.get("/mails?since=hier").await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.body.contains("n&#39;est pas une date"), "{}", wrong.body);
    assert!(receiver.count() > 51);
}
