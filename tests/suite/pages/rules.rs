//! `/regles`: a rule is changed, tried, saved, acts and is taken back; lists are put in order; what
//! is wrong is said at its field.

use serde_json::{Value, json};

use super::form::{Form, plain};
use super::person::{Person, value};
use crate::support::place::{NOWHERE, Place};
use crate::support::receiver::Receiver;
use crate::support::until::ensure;
use crate::support::{PATIENCE, Program, mails, until};

const HOSTILE: &str = "\"><script>alert(1)</script>'&\u{202e}";

/// Somebody who has signed in and reads this language.
async fn reader(worker: &Program, language: &'static str) -> Person {
    let mut person = Person::at(worker);
    person.language = language;
    person.sign_in().await;
    person
}

/// Sends a form, and says where that leads.
async fn sent(person: &mut Person, path: &str, form: &Form) -> String {
    let answer = person.send(path, &form.pairs()).await;
    assert_eq!(answer.status, 303, "{path}: {}", answer.body);
    answer.header("location").expect("a way").to_owned()
}

/// Presses a button of the rules, and reads the page that follows.
async fn press(person: &mut Person, what: &str) -> String {
    person.done("/regles/liste", &[("list", "rules"), ("do", what)]).await
}

/// Waits for a trial to end, and shows it.
async fn tried(person: &mut Person, path: &str) -> String {
    until("the trial ends", PATIENCE, async || {
        let page = person.page(path).await;
        if page.contains("data-running") { Err("it runs".to_owned()) } else { Ok(page) }
    })
    .await
}

fn rule(id: &str, name: &str, value: &str, url: &str) -> Value {
    json!({"id": id, "name": name, "conditions": [{"field": "subject", "operator": "contains", "value": value}],
           "actions": {"webhook_url": url, "priority": "normal", "stop_processing": true}})
}

async fn started(place: &Place) -> Program {
    let mut worker = place.worker("one");
    worker.start().await;
    worker
}

#[tokio::test]
async fn a_rule_is_changed_tried_saved_acts_and_is_taken_back() {
    let receiver = Receiver::start().await;
    let place = Place::new(&receiver.url("/default"));
    let url = receiver.url("/rule-with-a-secret");
    place.put(
        "routing_rules",
        &json!({"rules": [rule("lots", "Lots", "nothing has this", &url)]}).to_string(),
    );
    let worker = started(&place).await;
    let first = mails::named("Lot 3", "a@b.example");
    place.deliver(&first);
    until("the first mail goes to the default target", PATIENCE, async || {
        ensure(receiver.count() == 1, || worker.tail())
    })
    .await;
    let mut person = reader(&worker, "fr").await;
    let overview = person.page("/regles").await;
    for said in ["Ce qui arrive à un mail", "Lots", "nothing has this", "et nulle part ailleurs", "recadrage"]
    {
        assert!(overview.contains(said), "{said}: {overview}");
    }
    assert!(!overview.contains("secret"), "{overview}");

    // Tried: what would change is said, mail by mail, and nothing is changed.
    let page = person.page("/regles/regle?id=lots").await;
    assert!(!page.contains("secret"), "{page}");
    let fields = Form::of(&page, "rule").with("c0-value", "lot").with("do", "try");
    let before = place.stored("routing_rules");
    let trial = sent(&mut person, "/regles/regle?id=lots", &fields).await;
    assert!(trial.starts_with("/regles/essais/"), "{trial}");
    let found = tried(&mut person, &trial).await;
    for said in [
        &first.mark,
        "<strong>1</strong> <span>partiraient autrement",
        "1 mail essayé",
        "la destination par défaut",
        "Lots",
        "/mails/",
    ] {
        assert!(found.contains(said), "{said}: {found}");
    }
    assert!(!found.contains("secret"), "{found}");
    assert_eq!(place.stored("routing_rules"), before);
    let again =
        person.page(&format!("/regles/regle?id=lots&essai={}", &trial["/regles/essais/".len()..])).await;
    assert_eq!(Form::of(&again, "rule").value("c0-value"), Some("lot"));

    // Saved as it was tried, and it acts.
    let overview = person.done(&trial, &[("do", "save")]).await;
    assert!(overview.contains("Le changement essayé est enregistré."), "{overview}");
    let stored = &place.stored("routing_rules")["rules"][0];
    assert_eq!(
        (&stored["conditions"][0]["value"], &stored["actions"]["webhook_url"]),
        (&json!("lot"), &json!(url))
    );
    let second = mails::named("Lot 4", "a@b.example");
    place.deliver(&second);
    until("the second mail goes to the rule's target only", PATIENCE, async || {
        let paths: Vec<String> = receiver.deliveries().into_iter().map(|delivery| delivery.path).collect();
        ensure(paths == ["/default", "/rule-with-a-secret"], || format!("{paths:?}"))
    })
    .await;

    // And back again.
    let history = person.page("/reglages/historique/routing_rules/1").await;
    let action = "/reglages/historique/routing_rules/1";
    person.done(action, &[("seen", value(&history, "seen"))]).await;
    assert_eq!(place.stored("routing_rules")["rules"], before["rules"]);
    let overview = person.page("/regles").await;
    assert!(overview.contains("nothing has this"), "{overview}");
}

#[tokio::test]
async fn a_bad_value_is_named_at_its_field_in_the_readers_language_and_what_was_typed_is_kept() {
    let place = Place::new(NOWHERE);
    let worker = started(&place).await;
    for (language, words) in [
        (
            "fr",
            [
                "À corriger avant d'enregistrer",
                "Valeur de condition requise.",
                "webhook_url doit être une URL HTTPS valide.",
            ],
        ),
        (
            "en",
            [
                "To be mended before this can be saved",
                "A condition must have a value.",
                "webhook_url must be a valid HTTPS address.",
            ],
        ),
    ] {
        let mut person = reader(&worker, language).await;
        let page = person.page("/regles/regle").await;
        let fields = Form::of(&page, "rule")
            .with("name", "Une <règle>")
            .with("url", "ftp://plain.example.com/x")
            .with("do", "save");
        let refused = person.send("/regles/regle", &fields.pairs()).await;
        assert_eq!(refused.status, 422, "{}", refused.body);
        for said in words.into_iter().chain(["href=\"#f-c0-value\"", "href=\"#f-url\"", "id=\"f-url-error\""])
        {
            assert!(plain(&refused.body).contains(said), "{said}: {}", refused.body);
        }
        let kept = Form::of(&refused.body, "rule");
        assert_eq!(kept.value("name"), Some("Une <règle>"));
        assert_eq!(kept.value("url"), Some("ftp://plain.example.com/x"));
        assert!(!place.document("routing_rules").exists());
    }
}

#[tokio::test]
async fn a_form_gets_rows_without_a_script() {
    let place = Place::new(NOWHERE);
    let worker = started(&place).await;
    let mut person = reader(&worker, "en").await;
    let page = person.page("/regles/regle").await;
    let fields = Form::of(&page, "rule")
        .with("name", "Two")
        .with("c0-value", "one")
        .with("url", "a-token")
        .with("do", "add");
    let more = person.send("/regles/regle", &fields.pairs()).await;
    assert_eq!(more.status, 200);
    let fields = Form::of(&more.body, "rule").with("c1-value", "two").with("do", "add");
    let more = person.send("/regles/regle", &fields.pairs()).await;
    let fields = Form::of(&more.body, "rule").with("c2-value", "three").with("do", "remove-0");
    let fewer = person.send("/regles/regle", &fields.pairs()).await;
    assert!(!place.document("routing_rules").exists(), "rows are no change");
    let fields = Form::of(&fewer.body, "rule").with("do", "save");
    let to = sent(&mut person, "/regles/regle", &fields).await;
    let overview = person.page(&to).await;
    assert!(overview.contains("“Two” is saved."), "{overview}");
    let stored = &place.stored("routing_rules")["rules"][0];
    assert_eq!(stored["id"], "two");
    let values: Vec<&Value> =
        stored["conditions"].as_array().unwrap().iter().map(|one| &one["value"]).collect();
    assert_eq!(values, [&json!("two"), &json!("three")]);
}

#[tokio::test]
async fn lists_are_put_in_order_switched_and_copied_and_hostile_names_are_text() {
    let place = Place::new(NOWHERE);
    let url = "https://hook.example.com/secret";
    let rules = json!({"rules": [rule("a", "First", "x", url), rule("b", HOSTILE, HOSTILE, url), {"name": "broken", "conditions": []}]});
    place.put("routing_rules", &rules.to_string());
    let worker = started(&place).await;
    let mut person = reader(&worker, "en").await;
    let ids = || -> Vec<String> {
        let stored = place.stored("routing_rules");
        stored["rules"]
            .as_array()
            .unwrap()
            .iter()
            .map(|rule| rule["id"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    let overview = person.page("/regles").await;
    assert!(!overview.contains("<script>alert") && overview.contains("alert(1)"), "{overview}");
    assert!(
        overview.contains("A rule must have at least one condition."),
        "the fault is said at its place: {overview}"
    );
    let moved = press(&mut person, "down a").await;
    assert!(moved.contains("“First”: place 2 of 3."), "{moved}");
    assert_eq!(ids(), ["b", "a", "rule-3"]);
    press(&mut person, "order rule-3\na\nb").await;
    assert_eq!(ids(), ["rule-3", "a", "b"]);
    let stale = press(&mut person, "order a\nb").await;
    assert!(stale.contains("The list has changed meanwhile"), "{stale}");
    let off = press(&mut person, "switch b").await;
    assert!(off.contains("is off; it keeps its place."), "{off}");
    assert_eq!(place.stored("routing_rules")["rules"][2]["enabled"], false);
    press(&mut person, "duplicate a").await;
    assert_eq!(ids(), ["rule-3", "a", "a-2", "b"]);
    assert_eq!(place.stored("routing_rules")["rules"][2]["actions"]["webhook_url"], url);
    press(&mut person, "delete rule-3").await;
    assert_eq!(ids(), ["a", "a-2", "b"]);
    // What a move would do can be seen before.
    let trying = person.send("/regles/liste", &[("list", "rules"), ("do", "try-switch a")]).await;
    let trial = trying.header("location").expect("a trial").to_owned();
    let found = tried(&mut person, &trial).await;
    assert!(found.contains("No mail came in that time."), "{found}");
    assert_eq!(ids(), ["a", "a-2", "b"]);
    assert_eq!(person.get("/regles/regle?id=nobody").await.status, 404);
    assert_eq!(person.get("/regles/essais/nobody").await.status, 404);
}

#[tokio::test]
async fn who_is_overtaken_sees_both_sides_and_can_save_over_it() {
    let place = Place::new(NOWHERE);
    let url = "https://hook.example.com/secret";
    place.put("routing_rules", &json!({"rules": [rule("a", "A", "x", url)]}).to_string());
    let worker = started(&place).await;
    let (mut one, mut other) = (reader(&worker, "fr").await, reader(&worker, "fr").await);
    let page = one.page("/regles/regle?id=a").await;
    press(&mut other, "duplicate a").await;
    let fields = Form::of(&page, "rule").with("c0-value", "mine").with("do", "save");
    let conflict = one.send("/regles/regle?id=a", &fields.pairs()).await;
    assert_eq!(conflict.status, 409, "{}", conflict.body);
    assert!(conflict.body.contains("mine") && !conflict.body.contains("secret"), "{}", conflict.body);
    assert_eq!(place.stored("routing_rules")["rules"][0]["conditions"][0]["value"], "x");
    let seen = value(&conflict.body, "seen").to_owned();
    sent(&mut one, "/regles/regle?id=a", &fields.with("seen", &seen)).await;
    let stored = place.stored("routing_rules");
    assert_eq!(stored["rules"][0]["conditions"][0]["value"], "mine");
    assert_eq!(stored["rules"].as_array().unwrap().len(), 2, "what the other one did is there");
}

#[tokio::test]
async fn detectors_services_senders_and_words_are_edited_from_what_is_built_in() {
    let place = Place::new(NOWHERE);
    let worker = started(&place).await;
    let mut person = reader(&worker, "en").await;
    let overview = person.page("/regles").await;
    for said in [
        "Open to all",
        "Those of the program: nothing is stored.",
        "recadrage",
        "desabonnement_journee_tarifs",
    ] {
        assert!(overview.contains(said), "{said}: {overview}");
    }
    // A detector whose conditions fit no rows is JSON, and what is wrong in there is named.
    let page = person.page("/regles/detecteur?id=recadrage").await;
    let fields = Form::of(&page, "detector");
    let bad = fields.clone().with("conditions", "{\"all\": [{\"field\": \"to\"}]}").with("do", "save");
    let refused = person.send("/regles/detecteur?id=recadrage", &bad.pairs()).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("conditions.all[0].field: "), "{}", refused.body);
    let good = fields.with("keywords", "brouillon").with("do", "save");
    sent(&mut person, "/regles/detecteur?id=recadrage", &good).await;
    let built_in: Value =
        serde_json::from_str(include_str!("../../../actors/src/mail/detectors/default.json")).unwrap();
    let mut expected = built_in["detectors"].clone();
    expected[0]["exclude_keywords"] = json!(["brouillon"]);
    assert_eq!(place.stored("detectors")["detectors"], expected, "nothing else is another one");
    // And back to those of the program.
    let again = person.done("/regles/liste", &[("reset", "detectors")]).await;
    assert!(again.contains("in force again"), "{again}");
    assert!(!place.document("detectors").exists());

    let page = person.page("/regles/service").await;
    let fields = Form::of(&page, "service")
        .with("name", "wetransfer")
        .with("hosts", "we.tl\n*.wetransfer.com")
        .with("do", "save");
    let refused = person.send("/regles/service", &fields.pairs()).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("id=\"f-paths-error\""), "{}", refused.body);
    sent(&mut person, "/regles/service", &fields.with("paths", "/t-*")).await;
    let services = &place.stored("providers")["providers"];
    assert_eq!(services.as_array().unwrap().len(), 4);
    assert_eq!(
        services[3],
        json!({"name": "wetransfer", "hosts": ["we.tl", "*.wetransfer.com"], "paths": ["/t-*"]})
    );

    let page = person.page("/regles/expediteurs").await;
    let fields = Form::of(&page, "form-senders")
        .with("sender_of_interest_for_polling", "A@b.fr\n\nnobody")
        .with("do", "save");
    let refused = person.send("/regles/expediteurs", &fields.pairs()).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("nobody"), "{}", refused.body);
    let fields = fields.with("sender_of_interest_for_polling", "A@b.fr");
    sent(&mut person, "/regles/expediteurs", &fields).await;
    assert_eq!(place.stored("polling_config")["sender_of_interest_for_polling"], json!(["a@b.fr"]));
    let page = person.page("/regles/expediteurs").await;
    let fields = Form::of(&page, "form-priorities").with("high", "a@b.fr").with("do", "save");
    sent(&mut person, "/regles/expediteurs", &fields).await;
    let page = person.page("/regles/mots").await;
    let fields =
        Form::of(&page, "form-aside").with("exclude_keywords", "test").with("require_attachments", "on");
    sent(&mut person, "/regles/mots", &fields.with("do", "save")).await;
    let prefs = place.stored("processing_prefs");
    assert_eq!(
        (&prefs["sender_priority"], &prefs["exclude_keywords"], &prefs["require_attachments"]),
        (&json!({"a@b.fr": "high"}), &json!(["test"]), &json!(true))
    );
    let overview = person.page("/regles").await;
    for said in [
        "1 sender is accepted",
        "1 word is excluded",
        "A mail without an attachment is ignored",
        "wetransfer",
    ] {
        assert!(overview.contains(said), "{said}: {overview}");
    }
}
