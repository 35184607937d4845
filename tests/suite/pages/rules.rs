//! `/regles`: a rule is changed, tried, saved, acts and is taken back; lists are put in order; what
//! is wrong is said at its field.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use crate::support::http::{self, Response};
use crate::support::place::Place;
use crate::support::receiver::Receiver;
use crate::support::until::ensure;
use crate::support::{PATIENCE, Program, mails, until};

/// `TRIGGER_PAGE_PASSWORD` of a [`Place`].
const PASSWORD: &str = "a-password-of-the-tests";
const HOSTILE: &str = "\"><script>alert(1)</script>'&\u{202e}";

/// A browser that runs no script.
struct Reader {
    port: u16,
    language: &'static str,
    cookies: BTreeMap<String, String>,
}

impl Reader {
    async fn of(worker: &Program, language: &'static str) -> Self {
        let mut reader = Self { port: worker.port(), language, cookies: BTreeMap::new() };
        let fields = [("username", "admin"), ("password", PASSWORD)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(reader.post("/login", &fields).await.status, 303);
        reader
    }

    async fn send(&mut self, method: &str, path: &str, extra: &str, body: &str) -> Response {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let head = format!(
            "Connection: close\r\nAccept: text/html\r\nAccept-Language: {}\r\nCookie: {}\r\n{extra}",
            self.language,
            cookies.join("; ")
        );
        let request = http::request(method, path, &head, body);
        let answer = http::exchange_within(self.port, &request, PATIENCE).await;
        let answer = answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        for (_, set) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (pair, _) = set.split_once(';').expect("attributes");
            let (name, value) = pair.split_once('=').expect("a value");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    async fn page(&mut self, path: &str) -> String {
        let path = path.split('#').next().expect("a path");
        let answer = self.send("GET", path, "", "").await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    }

    async fn post(&mut self, path: &str, fields: &[(String, String)]) -> Response {
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        let extra = "Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: same-origin\r\n";
        self.send("POST", path, extra, &body).await
    }

    /// Sends a form, and says where that leads.
    async fn sent(&mut self, path: &str, fields: &[(String, String)]) -> String {
        let answer = self.post(path, fields).await;
        assert_eq!(answer.status, 303, "{path}: {}", answer.body);
        answer.header("location").expect("a way").to_owned()
    }

    /// Presses a button of a list, and reads the page that follows.
    async fn press(&mut self, list: &str, what: &str) -> String {
        let fields = [("list", list), ("do", what)].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let to = self.sent("/regles/liste", &fields).await;
        self.page(&to).await
    }

    /// Waits for a trial to end, and shows it.
    async fn tried(&mut self, path: &str) -> String {
        until("the trial ends", PATIENCE, async || {
            let page = self.page(path).await;
            if page.contains("data-running") { Err("it runs".to_owned()) } else { Ok(page) }
        })
        .await
    }
}

/// The text of a value in a page.
fn plain(text: &str) -> String {
    let named = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ];
    named.into_iter().fold(text.to_owned(), |text, (code, sign)| text.replace(code, sign))
}

/// What a browser would send of the form with this id: names and values.
fn form(page: &str, id: &str) -> Vec<(String, String)> {
    let form = page
        .split(&format!("<form class=\"form\" id=\"{id}\""))
        .nth(1)
        .unwrap_or_else(|| panic!("no {id}: {page}"));
    let mut rest = form.split("</form>").next().expect("an end");
    let mut fields = Vec::new();
    while let Some((at, kind)) =
        ["<input", "<select", "<textarea"].into_iter().filter_map(|kind| Some((rest.find(kind)?, kind))).min()
    {
        let tag = &rest[at..];
        let (head, after) = tag.split_once('>').expect("a tag");
        let attribute = |text: &str, name: &str| {
            let value = text.split(&format!(" {name}=\"")).nth(1)?.split('"').next()?;
            Some(plain(value))
        };
        let name = attribute(head, "name").expect("a name");
        let value = match kind {
            "<input" if head.contains("type=\"checkbox\"") && !head.contains(" checked") => None,
            "<input" => Some(attribute(head, "value").unwrap_or_default()),
            "<textarea" => {
                let text = after.split("</textarea>").next().expect("an end");
                Some(plain(text.strip_prefix('\n').unwrap_or(text)))
            }
            _ => {
                let options = after.split("</select>").next().expect("an end");
                let chosen = options.split("<option").skip(1).find(|option| option.contains(" selected"));
                let chosen = chosen.or(options.split("<option").nth(1)).expect("an option");
                attribute(chosen.split('>').next().expect("a tag"), "value")
            }
        };
        fields.extend(value.map(|value| (name, value)));
        rest = after;
    }
    fields
}

/// The same with some values typed anew.
fn typed(mut fields: Vec<(String, String)>, changes: &[(&str, &str)]) -> Vec<(String, String)> {
    for (name, value) in changes {
        let typed = ((*name).to_owned(), (*value).to_owned());
        match fields.iter_mut().find(|(known, _)| known == name) {
            Some(field) => *field = typed,
            None => fields.push(typed),
        }
    }
    fields
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
    let mut reader = Reader::of(&worker, "fr").await;
    let overview = reader.page("/regles").await;
    for said in ["Ce qui arrive à un mail", "Lots", "nothing has this", "et nulle part ailleurs", "recadrage"]
    {
        assert!(overview.contains(said), "{said}: {overview}");
    }
    assert!(!overview.contains("secret"), "{overview}");

    // Tried: what would change is said, mail by mail, and nothing is changed.
    let page = reader.page("/regles/regle?id=lots").await;
    assert!(!page.contains("secret"), "{page}");
    let fields = typed(form(&page, "rule"), &[("c0-value", "lot"), ("do", "try")]);
    let before = place.stored("routing_rules");
    let trial = reader.sent("/regles/regle?id=lots", &fields).await;
    assert!(trial.starts_with("/regles/essais/"), "{trial}");
    let found = reader.tried(&trial).await;
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
        reader.page(&format!("/regles/regle?id=lots&essai={}", &trial["/regles/essais/".len()..])).await;
    assert!(form(&again, "rule").contains(&("c0-value".to_owned(), "lot".to_owned())), "{again}");

    // Saved as it was tried, and it acts.
    let to = reader.sent(&trial, &[("do".to_owned(), "save".to_owned())]).await;
    let overview = reader.page(&to).await;
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
    let history = reader.page("/reglages/historique/routing_rules/1").await;
    let action = "/reglages/historique/routing_rules/1";
    let seen = history.split("name=\"seen\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let fields: Vec<(String, String)> =
        seen.map(|seen| ("seen".to_owned(), seen.to_owned())).into_iter().collect();
    reader.sent(action, &fields).await;
    assert_eq!(place.stored("routing_rules")["rules"], before["rules"]);
    let overview = reader.page("/regles").await;
    assert!(overview.contains("nothing has this"), "{overview}");
}

#[tokio::test]
async fn a_bad_value_is_named_at_its_field_in_the_readers_language_and_what_was_typed_is_kept() {
    let place = Place::new(crate::support::place::NOWHERE);
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
        let mut reader = Reader::of(&worker, language).await;
        let page = reader.page("/regles/regle").await;
        let fields = typed(
            form(&page, "rule"),
            &[("name", "Une <règle>"), ("url", "ftp://plain.example.com/x"), ("do", "save")],
        );
        let refused = reader.post("/regles/regle", &fields).await;
        assert_eq!(refused.status, 422, "{}", refused.body);
        for said in words.into_iter().chain(["href=\"#f-c0-value\"", "href=\"#f-url\"", "id=\"f-url-error\""])
        {
            assert!(plain(&refused.body).contains(said), "{said}: {}", refused.body);
        }
        let kept = form(&refused.body, "rule");
        for pair in [("name", "Une <règle>"), ("url", "ftp://plain.example.com/x")] {
            assert!(kept.contains(&(pair.0.to_owned(), pair.1.to_owned())), "{kept:?}");
        }
        assert!(!place.document("routing_rules").exists());
    }
}

#[tokio::test]
async fn a_form_gets_rows_without_a_script() {
    let place = Place::new(crate::support::place::NOWHERE);
    let worker = started(&place).await;
    let mut reader = Reader::of(&worker, "en").await;
    let page = reader.page("/regles/regle").await;
    let fields = typed(
        form(&page, "rule"),
        &[("name", "Two"), ("c0-value", "one"), ("url", "a-token"), ("do", "add")],
    );
    let more = reader.post("/regles/regle", &fields).await;
    assert_eq!(more.status, 200);
    let fields = typed(form(&more.body, "rule"), &[("c1-value", "two"), ("do", "add")]);
    let more = reader.post("/regles/regle", &fields).await;
    let fields = typed(form(&more.body, "rule"), &[("c2-value", "three"), ("do", "remove-0")]);
    let fewer = reader.post("/regles/regle", &fields).await;
    assert!(!place.document("routing_rules").exists(), "rows are no change");
    let fields = typed(form(&fewer.body, "rule"), &[("do", "save")]);
    let to = reader.sent("/regles/regle", &fields).await;
    let overview = reader.page(&to).await;
    assert!(overview.contains("“Two” is saved."), "{overview}");
    let stored = &place.stored("routing_rules")["rules"][0];
    assert_eq!(stored["id"], "two");
    let values: Vec<&Value> =
        stored["conditions"].as_array().unwrap().iter().map(|one| &one["value"]).collect();
    assert_eq!(values, [&json!("two"), &json!("three")]);
}

#[tokio::test]
async fn lists_are_put_in_order_switched_and_copied_and_hostile_names_are_text() {
    let place = Place::new(crate::support::place::NOWHERE);
    let url = "https://hook.example.com/secret";
    let rules = json!({"rules": [rule("a", "First", "x", url), rule("b", HOSTILE, HOSTILE, url), {"name": "broken", "conditions": []}]});
    place.put("routing_rules", &rules.to_string());
    let worker = started(&place).await;
    let mut reader = Reader::of(&worker, "en").await;
    let ids = || -> Vec<String> {
        let stored = place.stored("routing_rules");
        stored["rules"]
            .as_array()
            .unwrap()
            .iter()
            .map(|rule| rule["id"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    let overview = reader.page("/regles").await;
    assert!(!overview.contains("<script>alert") && overview.contains("alert(1)"), "{overview}");
    assert!(
        overview.contains("A rule must have at least one condition."),
        "the fault is said at its place: {overview}"
    );
    let moved = reader.press("rules", "down a").await;
    assert!(moved.contains("“First”: place 2 of 3."), "{moved}");
    assert_eq!(ids(), ["b", "a", "rule-3"]);
    reader.press("rules", "order rule-3\na\nb").await;
    assert_eq!(ids(), ["rule-3", "a", "b"]);
    let stale = reader.press("rules", "order a\nb").await;
    assert!(stale.contains("The list has changed meanwhile"), "{stale}");
    let off = reader.press("rules", "switch b").await;
    assert!(off.contains("is off; it keeps its place."), "{off}");
    assert_eq!(place.stored("routing_rules")["rules"][2]["enabled"], false);
    reader.press("rules", "duplicate a").await;
    assert_eq!(ids(), ["rule-3", "a", "a-2", "b"]);
    assert_eq!(place.stored("routing_rules")["rules"][2]["actions"]["webhook_url"], url);
    reader.press("rules", "delete rule-3").await;
    assert_eq!(ids(), ["a", "a-2", "b"]);
    // What a move would do can be seen before.
    let fields =
        [("list", "rules"), ("do", "try-switch a")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let trial = reader.sent("/regles/liste", &fields).await;
    let found = reader.tried(&trial).await;
    assert!(found.contains("No mail came in that time."), "{found}");
    assert_eq!(ids(), ["a", "a-2", "b"]);
    assert!(reader.send("GET", "/regles/regle?id=nobody", "", "").await.status == 404);
    assert!(reader.send("GET", "/regles/essais/nobody", "", "").await.status == 404);
}

#[tokio::test]
async fn who_is_overtaken_sees_both_sides_and_can_save_over_it() {
    let place = Place::new(crate::support::place::NOWHERE);
    let url = "https://hook.example.com/secret";
    place.put("routing_rules", &json!({"rules": [rule("a", "A", "x", url)]}).to_string());
    let worker = started(&place).await;
    let (mut one, mut other) = (Reader::of(&worker, "fr").await, Reader::of(&worker, "fr").await);
    let page = one.page("/regles/regle?id=a").await;
    other.press("rules", "duplicate a").await;
    let fields = typed(form(&page, "rule"), &[("c0-value", "mine"), ("do", "save")]);
    let conflict = one.post("/regles/regle?id=a", &fields).await;
    assert_eq!(conflict.status, 409, "{}", conflict.body);
    assert!(conflict.body.contains("mine") && !conflict.body.contains("secret"), "{}", conflict.body);
    assert_eq!(place.stored("routing_rules")["rules"][0]["conditions"][0]["value"], "x");
    let seen = conflict
        .body
        .split("name=\"seen\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("a version");
    one.sent("/regles/regle?id=a", &typed(fields, &[("seen", seen)])).await;
    let stored = place.stored("routing_rules");
    assert_eq!(stored["rules"][0]["conditions"][0]["value"], "mine");
    assert_eq!(stored["rules"].as_array().unwrap().len(), 2, "what the other one did is there");
}

#[tokio::test]
async fn detectors_services_senders_and_words_are_edited_from_what_is_built_in() {
    let place = Place::new(crate::support::place::NOWHERE);
    let worker = started(&place).await;
    let mut reader = Reader::of(&worker, "en").await;
    let overview = reader.page("/regles").await;
    for said in [
        "Open to all",
        "Those of the program: nothing is stored.",
        "recadrage",
        "desabonnement_journee_tarifs",
    ] {
        assert!(overview.contains(said), "{said}: {overview}");
    }
    // A detector whose conditions fit no rows is JSON, and what is wrong in there is named.
    let page = reader.page("/regles/detecteur?id=recadrage").await;
    let fields = form(&page, "detector");
    let bad = typed(fields.clone(), &[("conditions", "{\"all\": [{\"field\": \"to\"}]}"), ("do", "save")]);
    let refused = reader.post("/regles/detecteur?id=recadrage", &bad).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("conditions.all[0].field: "), "{}", refused.body);
    let good = typed(fields, &[("keywords", "brouillon"), ("do", "save")]);
    reader.sent("/regles/detecteur?id=recadrage", &good).await;
    let built_in: Value =
        serde_json::from_str(include_str!("../../../actors/src/mail/detectors/default.json")).unwrap();
    let mut expected = built_in["detectors"].clone();
    expected[0]["exclude_keywords"] = json!(["brouillon"]);
    assert_eq!(place.stored("detectors")["detectors"], expected, "nothing else is another one");
    // And back to those of the program.
    let to = reader.sent("/regles/liste", &[("reset".to_owned(), "detectors".to_owned())]).await;
    assert!(reader.page(&to).await.contains("in force again"));
    assert!(!place.document("detectors").exists());

    let page = reader.page("/regles/service").await;
    let fields = typed(
        form(&page, "service"),
        &[("name", "wetransfer"), ("hosts", "we.tl\n*.wetransfer.com"), ("do", "save")],
    );
    let refused = reader.post("/regles/service", &fields).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("id=\"f-paths-error\""), "{}", refused.body);
    reader.sent("/regles/service", &typed(fields, &[("paths", "/t-*")])).await;
    let services = &place.stored("providers")["providers"];
    assert_eq!(services.as_array().unwrap().len(), 4);
    assert_eq!(
        services[3],
        json!({"name": "wetransfer", "hosts": ["we.tl", "*.wetransfer.com"], "paths": ["/t-*"]})
    );

    let page = reader.page("/regles/expediteurs").await;
    let fields = typed(
        form(&page, "form-senders"),
        &[("sender_of_interest_for_polling", "A@b.fr\n\nnobody"), ("do", "save")],
    );
    let refused = reader.post("/regles/expediteurs", &fields).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("nobody"), "{}", refused.body);
    let fields = typed(fields, &[("sender_of_interest_for_polling", "A@b.fr")]);
    reader.sent("/regles/expediteurs", &fields).await;
    assert_eq!(place.stored("polling_config")["sender_of_interest_for_polling"], json!(["a@b.fr"]));
    let page = reader.page("/regles/expediteurs").await;
    reader
        .sent(
            "/regles/expediteurs",
            &typed(form(&page, "form-priorities"), &[("high", "a@b.fr"), ("do", "save")]),
        )
        .await;
    let page = reader.page("/regles/mots").await;
    reader
        .sent(
            "/regles/mots",
            &typed(
                form(&page, "form-aside"),
                &[("exclude_keywords", "test"), ("require_attachments", "on"), ("do", "save")],
            ),
        )
        .await;
    let prefs = place.stored("processing_prefs");
    assert_eq!(
        (&prefs["sender_priority"], &prefs["exclude_keywords"], &prefs["require_attachments"]),
        (&json!({"a@b.fr": "high"}), &json!(["test"]), &json!(true))
    );
    let overview = reader.page("/regles").await;
    for said in [
        "1 sender is accepted",
        "1 word is excluded",
        "A mail without an attachment is ignored",
        "wetransfer",
    ] {
        assert!(overview.contains(said), "{said}: {overview}");
    }
}
