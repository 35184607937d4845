//! `/systeme`.

use serde_json::{Value, json};

use super::person::{Person, value};
use crate::support::place::{NOWHERE, Place};
use crate::support::receiver::{Answer, Receiver};
use crate::support::redis::Redis;
use crate::support::until::{ensure, until};
use crate::support::{PATIENCE, Program, mails};

async fn started(place: &Place) -> (Program, Person) {
    let mut worker = place.worker("worker");
    worker.start().await;
    let person = Person::signed_in(&worker).await;
    (worker, person)
}

#[tokio::test]
async fn the_files_are_migrated_into_redis_and_checked_there_and_the_log_is_read_on_the_page() {
    let redis = Redis::start().await;
    let mut place = Place::new(NOWHERE);
    place.set("REDIS_URL", &redis.url());
    place.put("processing_prefs", r#"{"retry_count": 4}"#);
    place.put("polling_config", "no JSON");
    // It does not become ready: what the document says is not known.
    let mut worker = place.worker("worker");
    worker.launch();
    worker.until_answer("/readyz", |answer| answer.body.contains("stands_still")).await;
    let mut person = Person::signed_in(&worker).await;

    let page = person.page("/systeme").await;
    assert!(
        page.contains("Migrer les configurations") && page.contains("Vérifier les données en Redis"),
        "{page}"
    );
    assert!(!page.contains("id=\"migration-log\""));

    let answer = person.send("/systeme/migrer", &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let log = answer.body.split("id=\"migration-log\"").nth(1).expect("a log");
    let log = log.split("</pre>").next().expect("an end");
    let source = place.document("processing_prefs");
    let name = source.file_name().and_then(|name| name.to_str()).expect("a name");
    assert!(log.contains("processing_prefs: OK (source=") && log.contains(name), "{log}");
    assert!(log.contains("processing_prefs: VERIFY OK"), "{log}");
    assert!(log.contains("polling_config: invalid or missing JSON at"), "{log}");
    assert!(log.contains("routing_rules: source file not found; skip"), "{log}");
    assert!(answer.body.contains("Les configurations ont été migrées"), "{}", answer.body);
    let stored = redis.command("KEYS *processing_prefs*").await.expect("an answer");
    assert!(stored.contains("processing_prefs"), "{stored}");

    person.language = "en";
    let answer = person.send("/systeme/verifier-redis", &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let table = answer.body.split("id=\"verified\"").nth(1).expect("a table");
    let table = table.split("</table>").next().expect("an end");
    assert!(table.contains("processing_prefs") && table.contains("payload is empty"), "{table}");
    assert!(answer.body.contains("Some data are not valid"), "{}", answer.body);
    // Whoever comes back to that address finds the page.
    assert_eq!(person.get("/systeme/verifier-redis").await.header("location"), Some("/systeme"));
}

#[tokio::test]
async fn a_backup_is_downloaded_and_opens_and_the_journal_is_sound() {
    let place = Place::new(NOWHERE);
    let (_worker, mut person) = started(&place).await;
    let (head, bytes) = person.download("/systeme/sauvegarde").await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(head.contains("attachment; filename=\"render-signal-") && head.contains("no-store"), "{head}");
    let copy = place.path("copy.db");
    std::fs::write(&copy, &bytes).expect("a file");
    let db = rusqlite::Connection::open(&copy).expect("a database");
    let sound: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("an answer");
    assert_eq!(sound, "ok");
    let events: i64 = db
        .query_row("SELECT count(*) FROM event WHERE kind = 'session.opened'", [], |row| row.get(0))
        .expect("events");
    assert_eq!(events, 1, "the sign-in that made it");

    let read = person.send("/systeme/journal", &[]).await;
    assert_eq!(read.status, 200);
    assert!(read.body.contains("Le journal est sain"), "{}", read.body);
    let page = person.page("/systeme").await;
    assert!(page.contains("Un mail confirmé est sur le disque"), "durability in plain words: {page}");
}

#[tokio::test]
async fn settings_go_out_and_come_back_after_a_look_at_what_would_change() {
    let place = Place::new(NOWHERE);
    let (_worker, mut person) = started(&place).await;
    place.put("processing_prefs", r#"{"retry_count": 4}"#);
    let (head, bytes) = person.download("/systeme/export").await;
    assert!(head.contains("attachment") && head.contains("no-store"), "{head}");
    let mut export: Value = serde_json::from_slice(&bytes).expect("JSON");
    assert_eq!(export["documents"]["processing_prefs"]["retry_count"], 4, "{export}");

    let same = person.send("/systeme/import", &[("text", &export.to_string())]).await;
    assert!(same.status == 200 && same.body.contains("Rien ne changerait"), "{}", same.body);
    assert!(!same.body.contains("action=\"/systeme/import/ecrire\""), "there is nothing to write");

    export["documents"]["processing_prefs"]["retry_count"] = json!(99);
    let bad = person.send("/systeme/import", &[("text", &export.to_string())]).await;
    assert!(bad.body.contains("aucun ne serait écrit"), "{}", bad.body);
    assert!(!bad.body.contains("action=\"/systeme/import/ecrire\""));

    export["documents"]["processing_prefs"]["retry_count"] = json!(7);
    let text = export.to_string();
    let preview = person.send("/systeme/import", &[("text", &text)]).await;
    assert_eq!(preview.status, 200);
    assert!(preview.body.contains("1 document changerait"), "{}", preview.body);
    assert!(preview.body.contains("<code><bdi>retry_count</bdi></code>"), "{}", preview.body);
    assert_eq!(place.stored("processing_prefs")["retry_count"], 4, "a look changes nothing");
    let seen = value(&preview.body, "seen").to_owned();

    // Somebody else is faster: what was not seen is not written.
    place.put("processing_prefs", r#"{"retry_count": 5}"#);
    let moved = person.send("/systeme/import/ecrire", &[("text", &text), ("seen", &seen)]).await;
    assert_eq!(moved.status, 200);
    assert!(moved.body.contains("Les réglages ont changé depuis l&#39;aperçu"), "{}", moved.body);
    assert_eq!(place.stored("processing_prefs")["retry_count"], 5);

    let seen = value(&moved.body, "seen").to_owned();
    let page = person.done("/systeme/import/ecrire", &[("text", &text), ("seen", &seen)]).await;
    assert!(page.contains("1 document a été importé."), "{page}");
    assert_eq!(place.stored("processing_prefs")["retry_count"], 7);
    let events = person.page("/systeme/evenements?genre=config.changed").await;
    assert!(events.contains("Document changé") && events.contains("session:admin"), "{events}");
}

#[tokio::test]
async fn a_test_webhook_is_shown_first_and_sent_then_and_its_answer_is_text() {
    let receiver = Receiver::start().await;
    receiver.always("/hook", Answer::Html(500));
    let place = Place::new(&receiver.url("/hook"));
    let (_worker, mut person) = started(&place).await;
    let fields = [("to", ""), ("subject", "Essai <b>\"é\"")];

    let shown = person.send("/systeme/essai", &fields).await;
    assert_eq!(shown.status, 200);
    assert!(
        shown.body.contains("Ce qui serait envoyé") && shown.body.contains("webhook-test: 1"),
        "{}",
        shown.body
    );
    assert!(!shown.body.contains("Essai <b>"), "{}", shown.body);
    assert_eq!(receiver.count(), 0, "a look sends nothing");

    let sent = person.send("/systeme/essai/envoyer", &fields).await;
    assert_eq!(sent.status, 200);
    assert!(sent.body.contains("Pas pris") && sent.body.contains("<dd>500</dd>"), "{}", sent.body);
    assert!(sent.body.contains("&lt;h1&gt;Erreur"), "what it said is text: {}", sent.body);
    assert_eq!(receiver.count(), 1);
    assert_eq!(receiver.deliveries()[0].json()["subject"], "Essai <b>\"é\"");

    receiver.always("/hook", Answer::Ok);
    let sent = person.send("/systeme/essai/envoyer", &fields).await;
    assert!(sent.body.contains("<dd>200</dd>") && sent.body.contains("success"), "{}", sent.body);
}

#[tokio::test]
async fn everything_is_looked_at_and_the_report_says_what_to_do() {
    let place = Place::new(NOWHERE);
    let (_worker, mut person) = started(&place).await;
    let report = person.send("/systeme/verifier", &[]).await;
    assert_eq!(report.status, 200);
    for words in [
        "Tout a été vérifié",
        "Destination default",
        "Les webhooks ne sont pas signés",
        "Définissez WEBHOOK_SECRET",
    ] {
        assert!(report.body.contains(words), "{words} is not in {}", report.body);
    }
    // The command says the same in the same words.
    let mut french = place;
    french.set("LANG", "fr_FR.UTF-8");
    let said = french.run(&["doctor"]).await;
    assert!(
        said.out.contains("destination default") && said.out.contains("les webhooks ne sont pas signés"),
        "{said:?}"
    );
    person.language = "en";
    let report = person.send("/systeme/verifier", &[]).await;
    assert!(
        report.body.contains("Webhooks are not signed") && report.body.contains("Target default"),
        "{}",
        report.body
    );
}

#[tokio::test]
async fn the_last_events_are_read_page_by_page_and_filtered() {
    let place = Place::new(NOWHERE);
    let (_worker, mut person) = started(&place).await;
    for mail in mails::mixed(40) {
        place.deliver(&mail);
    }
    until("forty mails in the journal", PATIENCE, async || {
        let page = person.clone().page("/systeme/evenements?genre=mail.received").await;
        ensure(page.matches(">mail.received</bdi>").count() == 40, || page)
    })
    .await;
    let first = person.page("/systeme/evenements?genre=session.opened").await;
    assert!(!first.contains("worker.started</bdi>"), "only what was asked for: {first}");
    let all = person.page("/systeme/evenements").await;
    let older = all.split("rel=\"next\"").next().and_then(|text| text.rsplit("href=\"").next());
    let older = older.and_then(|text| text.split('"').next()).expect("a link").replace("&amp;", "&");
    let rest = person.page(&older).await;
    assert!(rest.contains("Processus démarré"), "{rest}");
    let unknown = person.get("/systeme/evenements?genre=%3Cb%3E&avant=x").await;
    assert_eq!(unknown.status, 200, "what cannot be used is as good as nothing");
}
