//! Where things are: a mail of each fate, a rule, a trial, for the paths of the table of pages.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Desk, PASSWORD, Setup, USER};
use crate::support::browser::{Browser, label, role};
use crate::support::http;
use crate::support::receiver::Answer;
use crate::support::until::ensure;
use crate::support::worker::Mode;
use crate::support::{PATIENCE, TestMail, Worker, mails, until};

/// Mails with a fate each; the mark of each is said in its fate.
const FATES: [(&str, &str); 6] = [
    ("delivered", "Livré"),
    ("waiting", "En attente"),
    ("held", "Retenu"),
    ("failed", "Abandonné"),
    ("ignored", "Re: Une réponse"),
    ("unreadable", ""),
];

/// What stands for the names in braces.
#[derive(Debug, Default)]
pub(super) struct Places(BTreeMap<&'static str, String>);

impl Places {
    /// This name stands for this.
    pub(super) fn know(&mut self, name: &'static str, place: String) {
        self.0.insert(name, place);
    }

    /// What it stands for.
    pub(super) fn of(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_else(|| panic!("nobody said where {name} is"))
    }

    /// A path of the table with what stands for its names.
    pub(super) fn path(&self, path: &str) -> String {
        let mut path = path.to_owned();
        for (name, place) in &self.0 {
            path = path.replace(&format!("{{{name}}}"), place);
        }
        assert!(!path.contains('{'), "nobody said where {path} is");
        path
    }
}

/// A routing rule with this name, for subjects with this in them.
pub(super) fn rule(id: &str, name: &str, value: &str, url: &str) -> Value {
    json!({
        "id": id, "name": name, "conditions": [{ "field": "subject", "operator": "contains", "value": value }],
        "actions": { "webhook_url": url, "priority": "normal", "stop_processing": true },
    })
}

impl Desk {
    /// With a mail of each fate, their files copied, a rule, and a trial of what it does.
    pub(super) async fn of_everything() -> (Self, Worker) {
        let files = Worker::start(Mode::Copies).await;
        let sender = "Amélie Durand <amelie@exemple.fr>";
        let named =
            |text: &str| if text.is_empty() { mails::unreadable() } else { mails::named(text, sender) };
        let fates: Vec<(&'static str, TestMail)> =
            FATES.iter().map(|(fate, text)| (*fate, named(text))).collect();
        let (late, early): (Vec<_>, Vec<_>) = fates.into_iter().partition(|(fate, _)| *fate == "held");
        let mut all: Vec<TestMail> = mails::mixed(4);
        all.extend(early.iter().map(|(_, mail)| mail.clone()));
        let mut setup = Setup::new(&all).await;
        setup.variables.extend(files.environment());
        let url = setup.receiver.url("/lots");
        let rules = json!({ "rules": [rule("lots", "Lots urgents", "urgent", &url)] });
        let setup = setup.document("routing_rules", rules);
        for (fate, mail) in &early {
            match *fate {
                "waiting" => setup.receiver.for_mail(&mail.mark, Answer::RetryAfter(503, 3600)),
                "failed" => setup.receiver.for_mail(&mail.mark, Answer::Html(500)),
                _ => {}
            }
        }
        let mut desk = Self::with(setup).await;
        for (fate, mail) in early {
            let id = desk.known(fate, &mail).await;
            desk.until_mail(&id, fate, |mail| has(mail, fate)).await;
            desk.places.know(fate, id);
        }
        let off = json!({ "webhook_sending_enabled": false });
        let changed = desk.api.ask("PATCH", "/api/v1/config/webhook_config", JSON, &off.to_string()).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        desk.worker.until_log("document applied key=webhook_config").await;
        for (fate, mail) in late {
            desk.place.deliver(&mail);
            let id = desk.known(fate, &mail).await;
            desk.until_mail(&id, fate, |mail| has(mail, fate)).await;
            desk.places.know(fate, id);
        }
        desk.places.know("rule", "lots".to_owned());
        let trial = desk.trial("lots").await;
        desk.places.know("trial", trial);
        (desk, files)
    }

    /// The identity of a mail of this fate.
    async fn known(&self, fate: &str, mail: &TestMail) -> String {
        if fate != "unreadable" {
            return self.id_of(mail).await;
        }
        until("the mail that cannot be read", PATIENCE, async || {
            let found = self.api.get("/api/v1/mails?state=quarantined").await;
            let id = found["items"][0]["id"].as_str().map(str::to_owned);
            id.ok_or_else(|| found.to_string())
        })
        .await
    }

    /// The id of a trial that has ended: what would be if this rule were off.
    pub(super) async fn trial(&self, rule: &str) -> String {
        let form = format!("list=rules&do=try-switch+{rule}");
        let headers = format!(
            "Connection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Sec-Fetch-Site: same-origin\r\nCookie: session={}\r\n",
            self.session
        );
        let ask = async |method: &str, path: &str, form: &str| {
            let request = http::request(method, path, &headers, form);
            http::exchange_within(self.worker.port(), &request, PATIENCE).await.expect("an answer")
        };
        let made = ask("POST", "/regles/liste", &form).await;
        let path =
            made.header("location").unwrap_or_else(|| panic!("{} {}", made.status, made.body)).to_owned();
        until("the end of the trial", PATIENCE, async || {
            let page = ask("GET", &path, "").await.body;
            ensure(!page.contains("data-running"), || "it runs".to_owned())
        })
        .await;
        path.strip_prefix("/regles/essais/").unwrap_or_else(|| panic!("no trial: {path}")).to_owned()
    }

    /// Signs in on the page of the login, where the browser is.
    pub(super) async fn sign_in(&self, [user, password, enter]: [&str; 3]) {
        sign_in(&self.browser, [user, password, enter]).await;
    }
}

/// Signs in on the page of the login, where the browser is, by what its fields are called.
pub(super) async fn sign_in(browser: &Browser, [user, password, enter]: [&str; 3]) {
    browser.fill(&label(user), USER).await;
    browser.fill(&label(password), PASSWORD).await;
    browser.click(&role("button", enter)).await;
}

const JSON: &str = "Content-Type: application/json\r\n";

/// Whether what the API says of a mail is this fate.
fn has(mail: &Value, fate: &str) -> bool {
    let count = |field: &str| mail[field].as_u64().unwrap_or_default();
    match fate {
        "delivered" => count("delivered") == 1,
        "failed" => count("dead_lettered") == 1,
        "waiting" => mail["state"] == "routed" && count("delivered") == 0,
        "unreadable" => mail["state"] == "quarantined",
        state => mail["state"] == state,
    }
}
