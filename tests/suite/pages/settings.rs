//! `/reglages`, and the histories of documents.

use serde_json::json;

use super::form::{Form, plain};
use super::person::Person;
use crate::support::api::Api;
use crate::support::place::{NOWHERE, Place};
use crate::support::receiver::Receiver;
use crate::support::redis::Redis;
use crate::support::site::HOOK;
use crate::support::until::ensure;
use crate::support::{PATIENCE, Program, mails, until};

async fn started(place: &Place) -> (Program, Person) {
    let mut worker = place.worker("worker");
    worker.start().await;
    let person = Person::signed_in(&worker).await;
    (worker, person)
}

/// Waits until the poller of a worker says this of itself.
async fn until_polling(worker: &Program, wanted: impl Fn(&serde_json::Value) -> bool) {
    let api = Api::new(worker.port());
    until("the poller", PATIENCE, async || {
        let workers = api.get("/api/v1/workers").await;
        let mailbox = &workers["alive"][0]["mailbox"];
        ensure(wanted(mailbox), || workers.to_string())
    })
    .await;
}

#[tokio::test]
async fn a_vacation_is_set_with_two_taps_on_the_page_and_acts_until_it_is_ended() {
    let receiver = Receiver::start().await;
    let mut place = Place::new(&receiver.url(HOOK));
    place.set("API_TOKEN_SCOPES", "read");
    let (worker, mut person) = started(&place).await;
    until_polling(&worker, |mailbox| mailbox["phase"] != "inactive").await;
    let page = person.page("/reglages").await;
    assert!(page.contains("La boîte est relevée tous les jours, jour et nuit."), "{page}");

    // The button opens a question, which says what will be so; its own button does it.
    assert!(page.contains("popovertarget=\"vac-7\">1 semaine</button>"), "{page}");
    let week = Form::of(&page, "vac-7");
    let (first, last) = (week.value("vacation_start").unwrap(), week.value("vacation_end").unwrap());
    let page = person.done("/reglages/vacances", &week.pairs()).await;
    let told = "inclus\u{a0}: rien n'est relevé.";
    assert!(plain(&page).contains(told), "{page}");
    assert!(page.contains("Prochaine ouverture"), "{page}");
    let stored = place.stored("polling_config");
    assert_eq!(
        (stored["vacation_start"].as_str(), stored["vacation_end"].as_str()),
        (Some(first), Some(last))
    );
    until_polling(&worker, |mailbox| mailbox["phase"] == "inactive" && mailbox["reason"] == "vacation").await;

    // Over: what has come meanwhile is sent.
    place.deliver(&mails::recadrage());
    let page = person.page("/reglages").await;
    let page = person.done("/reglages/vacances", &Form::of(&page, "vac-end").pairs()).await;
    assert!(page.contains("popovertarget=\"vac-14\"") && !page.contains("vac-end"), "{page}");
    assert!(place.stored("polling_config").get("vacation_start").is_none());
    until("the webhook", PATIENCE, async || ensure(receiver.count() == 1, || "none".to_owned())).await;
}

#[tokio::test]
async fn what_is_wrong_is_named_at_its_field_with_the_value_kept_and_changes_nothing() {
    let place = Place::new(NOWHERE);
    place.put("processing_prefs", r#"{"retry_count": 4, "webhook_timeout_sec": 20}"#);
    let (_worker, mut person) = started(&place).await;
    let page = person.page("/reglages").await;

    let form = Form::of(&page, "form-limites");
    assert_eq!((form.value("retry_count"), form.value("webhook_timeout_sec")), (Some("4"), Some("20")));
    let bad = form.with("retry_count", "11").with("webhook_timeout_sec", "45");
    let answer = person.send("/reglages/limites", &bad.pairs()).await;
    assert_eq!(answer.status, 422, "{}", answer.body);
    let kept = Form::of(&answer.body, "form-limites");
    assert_eq!((kept.value("retry_count"), kept.value("webhook_timeout_sec")), (Some("11"), Some("45")));
    assert!(answer.body.contains("id=\"f-retry_count-error\">Un nombre entier de 0 à 10"), "{}", answer.body);
    assert!(answer.body.contains("href=\"#f-retry_count\""), "the summary leads there: {}", answer.body);
    assert_eq!(place.stored("processing_prefs"), json!({"retry_count": 4, "webhook_timeout_sec": 20}));
    // Mended, both are saved.
    let page = person.done("/reglages/limites", &kept.with("retry_count", "5").pairs()).await;
    let stored = place.stored("processing_prefs");
    assert_eq!((&stored["retry_count"], &stored["webhook_timeout_sec"]), (&json!(5), &json!(45)));
    assert!(page.contains("admin"), "who changed it: {page}");

    // What the document itself refuses is named in the reader's language, too.
    person.language = "en";
    let form = Form::of(&page, "form-destinataire").with("webhook_url", "ftp://plain.example.fr/hook");
    let answer = person.send("/reglages/destinataire", &form.pairs()).await;
    assert_eq!(answer.status, 422, "{}", answer.body);
    assert!(answer.body.contains("id=\"f-webhook_url-error\""), "{}", answer.body);
    assert!(answer.body.contains("Nothing was saved"), "{}", answer.body);
    assert_eq!(
        Form::of(&answer.body, "form-destinataire").value("webhook_url"),
        Some("ftp://plain.example.fr/hook")
    );
    assert!(!place.document("webhook_config").exists());
}

#[tokio::test]
async fn the_second_of_two_people_sees_both_sides_and_decides() {
    let place = Place::new(NOWHERE);
    place.put("processing_prefs", r#"{"rate_limit_per_hour": 1, "retry_count": 2}"#);
    let (worker, mut one) = started(&place).await;
    let mut two = Person::signed_in(&worker).await;
    let (first, second) = (one.page("/reglages").await, two.page("/reglages").await);
    let form = |page: &str| Form::of(page, "form-limites");

    one.done("/reglages/limites", &form(&first).with("rate_limit_per_hour", "50").pairs()).await;
    // Another field of the same form is not in the way.
    let page = two.done("/reglages/limites", &form(&second).with("retry_count", "3").pairs()).await;
    let stored = place.stored("processing_prefs");
    assert_eq!((&stored["rate_limit_per_hour"], &stored["retry_count"]), (&json!(50), &json!(3)));
    drop(page);

    // The same one is: nothing is changed, and both values are there.
    let stale = form(&second).with("rate_limit_per_hour", "70");
    let answer = two.send("/reglages/limites", &stale.pairs()).await;
    assert_eq!(answer.status, 409, "{}", answer.body);
    let table = answer.body.split("<table class=\"table changes\"").nth(1).expect("both sides");
    let table = table.split("</table>").next().expect("an end");
    assert!(table.contains("Limite par heure"), "{table}");
    assert!(table.contains("<bdi>50</bdi>") && table.contains("<bdi>70</bdi>"), "{table}");
    assert_eq!(place.stored("processing_prefs")["rate_limit_per_hour"], 50);
    // Leaving it at that is a link; taking one's own side is the form once more.
    assert!(answer.body.contains("href=\"/reglages#limites\""), "{}", answer.body);
    let mine = Form::of(&answer.body, "sides");
    two.done("/reglages/limites", &mine.pairs()).await;
    let stored = place.stored("processing_prefs");
    assert_eq!((&stored["rate_limit_per_hour"], &stored["retry_count"]), (&json!(70), &json!(3)));
}

#[tokio::test]
async fn an_earlier_version_is_looked_at_and_restored_as_a_new_one() {
    let place = Place::new(NOWHERE);
    let (worker, mut person) = started(&place).await;
    for limit in ["10", "20"] {
        let page = person.page("/reglages").await;
        let form = Form::of(&page, "form-limites").with("rate_limit_per_hour", limit);
        person.done("/reglages/limites", &form.pairs()).await;
    }
    let page = person.page("/reglages/historique/processing_prefs").await;
    assert!(page.contains("/reglages/historique/processing_prefs/2"), "{page}");
    assert!(page.contains("<bdi>admin</bdi>") && page.contains("Limite par heure"), "{page}");
    let page = person.page("/reglages/historique/processing_prefs/1").await;
    assert!(
        page.contains("Ce que cette version a changé") && page.contains("Voici ce qui changerait"),
        "{page}"
    );
    let stale = Form::of(&page, "restore");
    let compared = person.page("/reglages/historique/processing_prefs/1?with=now").await;
    assert!(compared.contains("<bdi>10</bdi>") && compared.contains("<bdi>20</bdi>"), "{compared}");

    // Somebody saves in between: what would be lost is shown first.
    let mut other = Person::signed_in(&worker).await;
    let form = Form::of(&other.page("/reglages").await, "form-limites").with("retry_count", "9");
    other.done("/reglages/limites", &form.pairs()).await;
    let page = person.done("/reglages/historique/processing_prefs/1", &stale.pairs()).await;
    assert!(page.contains("rien n&#39;a été changé") && page.contains("Nouvelles tentatives"), "{page}");
    assert_eq!(place.stored("processing_prefs")["retry_count"], 9);

    let page =
        person.done("/reglages/historique/processing_prefs/1", &Form::of(&page, "restore").pairs()).await;
    assert!(page.contains("La version 1 de « Préférences » est rétablie."), "{page}");
    let stored = place.stored("processing_prefs");
    assert_eq!((&stored["rate_limit_per_hour"], stored.get("retry_count")), (&json!(10), None));
    assert!(page.contains("/reglages/historique/processing_prefs/4"), "it is a version of its own: {page}");
    for (path, status) in [("processing_prefs/99", 404), ("nothing", 404), ("processing_prefs/0", 404)] {
        assert_eq!(person.get(&format!("/reglages/historique/{path}")).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn a_form_says_what_it_would_do_without_doing_it_and_both_languages_are_there() {
    let place = Place::new(NOWHERE);
    let (_worker, mut person) = started(&place).await;
    let page = person.page("/reglages").await;
    let form =
        Form::of(&page, "form-envoi").with("webhook_time_start", "09:30").with("webhook_time_end", "18:00");
    let looked = person.send("/reglages/envoi", &form.clone().with("look", "on").pairs()).await;
    assert_eq!(looked.status, 200, "{}", looked.body);
    let would =
        looked.body.split("data-effect").nth(4).map(|text| text.split("</div>").next().unwrap_or_default());
    let would = would.unwrap_or_default();
    assert!(would.contains("Les webhooks partent de 9\u{a0}h\u{a0}30 à 18\u{a0}h."), "{would}");
    assert_eq!(Form::of(&looked.body, "form-envoi").value("webhook_time_start"), Some("09:30"));
    assert!(!place.document("webhook_config").exists(), "nothing was saved");
    person.done("/reglages/envoi", &form.pairs()).await;
    let stored = place.stored("webhook_config");
    assert_eq!(
        (&stored["webhook_time_start"], &stored["webhook_time_end"]),
        (&json!("9h30"), &json!("18h00"))
    );
    person.language = "en";
    let page = person.page("/reglages").await;
    for text in
        ["When is the mailbox checked?", "Webhooks go out from 9:30 to 18:00.", "In force: 9h30, set here."]
    {
        assert!(plain(&page).contains(text), "{text}: {page}");
    }
}

#[tokio::test]
async fn hostile_values_of_documents_are_text_everywhere() {
    const EVIL: &str = "\"><script>alert(1)</script>";
    let mut place = Place::new(NOWHERE);
    place.set("API_TOKEN_SCOPES", "read");
    let rule = json!({"id": EVIL, "name": EVIL, "conditions": [{"field": "subject", "operator": "contains", "value": EVIL}],
        "actions": {"webhook_url": NOWHERE}});
    place.put("routing_rules", &json!({"rules": [rule]}).to_string());
    place.put(
        "processing_prefs",
        &json!({"trusted_authserv_ids": [EVIL], "reply_prefixes": [EVIL], EVIL: 1}).to_string(),
    );
    place.put("webhook_config", &json!({ EVIL: EVIL }).to_string());
    let (worker, mut person) = started(&place).await;
    // What lay there at the start is recorded a moment after the worker is ready.
    for key in ["processing_prefs", "routing_rules"] {
        let api = Api::new(worker.port());
        until("a first version", PATIENCE, async || {
            let history = api.get(&format!("/api/v1/config/{key}/history")).await;
            ensure(history.as_array().is_some_and(|versions| !versions.is_empty()), || history.to_string())
        })
        .await;
    }
    let history = "/reglages/historique/";
    for path in [
        "/reglages".to_owned(),
        "/reglages/historique".to_owned(),
        format!("{history}processing_prefs"),
        format!("{history}processing_prefs/1"),
        format!("{history}routing_rules/1"),
    ] {
        let page = person.page(&path).await;
        assert!(!page.contains("<script>alert"), "{path}: {page}");
        assert!(page.contains("alert(1)") || !path.ends_with("/1"), "{path} shows it: {page}");
    }
    let page = person.page("/reglages").await;
    let form = Form::of(&page, "form-mails").with("ignore_automatic_except", EVIL);
    let page = person.done("/reglages/mails", &form.pairs()).await;
    assert!(!page.contains("<script>alert"), "{page}");
    assert_eq!(place.stored("processing_prefs")["ignore_automatic_except"], json!([EVIL]));
}

#[tokio::test]
async fn what_is_saved_on_one_worker_acts_on_the_other() {
    let redis = Redis::start().await;
    let mut place = Place::new(NOWHERE);
    place.set("REDIS_URL", &redis.url());
    place.set("JOURNAL_URL", &redis.url());
    let (mut one, mut two) = (place.worker("one"), place.worker("two"));
    one.launch();
    two.launch();
    one.until_ready().await;
    two.until_ready().await;
    let (mut here, mut there) = (Person::signed_in(&one).await, Person::signed_in(&two).await);
    let form = Form::of(&here.page("/reglages").await, "form-releve")
        .without("active_days")
        .with("active_days", "6");
    let page = here
        .done("/reglages/releve", &form.with("active_start_hour", "4").with("active_end_hour", "5").pairs())
        .await;
    let told = "La boîte est relevée le dimanche, de 4\u{a0}h à 5\u{a0}h.";
    assert!(page.contains(told), "at once, where it was saved: {page}");
    until("the other worker to say so", PATIENCE, async || {
        let page = there.page("/reglages").await;
        ensure(page.contains(told), || page)
    })
    .await;
    let history = there.page("/reglages/historique/polling_config").await;
    assert!(history.contains("<bdi>admin</bdi>"), "{history}");
}

#[tokio::test]
async fn two_stores_that_disagree_are_shown_side_by_side_and_somebody_decides() {
    let redis = &mut Redis::start().await;
    let mut place = Place::new(NOWHERE);
    place.set("REDIS_URL", &redis.url());
    place.set("JOURNAL_URL", "sqlite:data/render-signal.db");
    place.set("POLLER_LOCK_TTL_SECONDS", "300");
    let set = async |limit: u32| {
        let field = format!("rate_limit_per_hour={limit}");
        let ran = place.run(&["config", "set", "processing_prefs", &field]).await;
        assert_eq!(ran.code, 0, "{ran:?}");
    };
    set(1).await;
    let mut worker = place.worker("worker");
    worker.start().await;
    // What the store held is known to others once the worker has recorded it.
    until("the first version in the history", PATIENCE, async || {
        let told = place.run(&["events", "show", "config-processing_prefs"]).await;
        ensure(told.out.contains("config.changed"), || format!("{told:?}"))
    })
    .await;
    redis.kill();
    set(22).await;
    worker.kill();
    redis.restart().await;
    let theirs = r#"SET r:ss:config:processing_prefs '{"rate_limit_per_hour":33}'"#;
    assert!(redis.command(theirs).await.expect("an answer").starts_with("+OK"));
    worker.launch();
    let mut person = until("somebody to be signed in", PATIENCE, async || {
        let answer = worker.try_get("/livez").await.ok_or("it does not answer yet")?;
        if answer.status == 200 { Ok::<_, &str>(Person::signed_in(&worker).await) } else { Err("not yet") }
    })
    .await;
    let page = until("the conflict", PATIENCE, async || {
        let page = person.page("/reglages").await;
        ensure(page.contains("/reglages/conflit/processing_prefs"), || page.clone()).map(|()| page)
    })
    .await;
    assert!(page.contains("il faut choisir"), "{page}");
    let page = until("both sides", PATIENCE, async || {
        let page = person.page("/reglages/conflit/processing_prefs").await;
        ensure(page.contains("<bdi>22</bdi>") && page.contains("<bdi>33</bdi>"), || page.clone())
            .map(|()| page)
    })
    .await;
    assert!(page.contains("value=\"authority\"") && page.contains("value=\"pending\""), "{page}");
    let page = person.done("/reglages/conflit/processing_prefs", &[("keep", "pending")]).await;
    assert!(page.contains("C&#39;est décidé") && !page.contains("il faut choisir"), "{page}");
    assert_eq!(Form::of(&page, "form-limites").value("rate_limit_per_hour"), Some("22"));
}
