//! The pages for people, in a browser: [`pages::PAGES`] is the table of them, `everywhere` holds
//! for each, `journeys`, `reading` and `underneath` go from one to the next, `hostile` shows them what strangers write, `crowd`
//! looks at them when there are many mails. `flawed` shows that the checks see what they look for,
//! `pictures` takes those of the README.
//!
//! Needed: Chromium (Debian packages `chromium`, `chromium-driver`) and axe-core, which
//! `tests/dashboard/install` gets from npm once. Pictures of every page lie in
//! `target/tmp/screenshots`; how to add a page or a journey: `docs/TESTING.md`.

mod checks;
mod crowd;
mod everywhere;
mod flawed;
mod hostile;
mod journeys;
mod pages;
mod pictures;
mod places;
mod reading;
mod rules;
mod underneath;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::api::{self, Api};
use crate::support::browser::Browser;
use crate::support::http;
use crate::support::place::Place;
use crate::support::receiver::Receiver;
use crate::support::site::HOOK;
use crate::support::until::ensure;
use crate::support::{PATIENCE, Program, TestMail, mails, until};
use pages::{Page, Who};
use places::Places;

/// `TRIGGER_PAGE_USER` as it is unless it is set.
const USER: &str = "admin";
/// `TRIGGER_PAGE_PASSWORD` of a [`Place`].
const PASSWORD: &str = "a-password-of-the-tests";

/// The running program with mails that were sent on, and somebody in front of it.
struct Desk {
    browser: Browser,
    api: Api,
    worker: Program,
    receiver: Receiver,
    /// Where mails are put.
    place: Place,
    /// Of a session, to come in without the form.
    session: String,
    /// What stands for the names in the paths of the table.
    places: Places,
}

/// What there is before the program starts.
struct Setup {
    receiver: Receiver,
    mails: Vec<TestMail>,
    variables: Vec<(String, String)>,
    documents: BTreeMap<&'static str, Value>,
    /// Mails of years before, which only the journal knows.
    crowd: usize,
    /// What the program is started through; nothing = by itself.
    wrapper: &'static [&'static str],
}

impl Setup {
    /// A receiver that says yes, and what fails is tried once more after a second.
    async fn new(mails: &[TestMail]) -> Self {
        let preferences = json!({ "rate_limit_per_hour": 0, "retry_count": 1, "retry_delay_sec": 1 });
        let documents = BTreeMap::from([("processing_prefs", preferences)]);
        let secret = format!("whsec_{}", STANDARD.encode("a-secret-of-the-tests-0123456789"));
        let variables = vec![("WEBHOOK_SECRET".to_owned(), secret)];
        Self {
            receiver: Receiver::start().await,
            mails: mails.to_vec(),
            variables,
            documents,
            crowd: 0,
            wrapper: &[],
        }
    }

    /// With a document.
    fn document(mut self, key: &'static str, document: Value) -> Self {
        self.documents.insert(key, document);
        self
    }

    /// With a variable of the environment.
    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A place with all of that, and where webhooks go.
    fn place(&self) -> Place {
        let mut place = Place::new(&self.receiver.url(HOOK));
        place.set("API_TOKEN_SCOPES", "read,actions,config,access");
        for (name, value) in &self.variables {
            place.set(name, value);
        }
        for (key, document) in &self.documents {
            place.put(key, &document.to_string());
        }
        place
    }
}

impl Desk {
    /// With a few ordinary mails, sent on to a receiver that says yes.
    async fn open() -> Self {
        Self::with(Setup::new(&mails::mixed(4)).await).await
    }

    /// With what was set up.
    async fn with(setup: Setup) -> Self {
        let place = setup.place();
        for mail in &setup.mails {
            place.deliver(mail);
        }
        let crowded = match setup.crowd {
            0 => None,
            mails => Some(crowd::fill(&place.path("data"), mails).await),
        };
        let mut worker = place.worker("worker");
        worker.set("PUBLIC_BASE_URL", &format!("http://127.0.0.1:{}", worker.port()));
        worker.wrap(setup.wrapper);
        worker.start().await;
        let api = Api::new(worker.port());
        until("every mail in the list", PATIENCE, async || {
            let page = api.get("/api/v1/mails?limit=200").await;
            let complete = setup.crowd > 0 || page["count"].as_u64() == Some(setup.mails.len() as u64);
            ensure(complete && page["complete"] == true, || page.to_string())
        })
        .await;
        let session = session(worker.port()).await;
        let browser = Browser::start(worker.port()).await;
        let mut desk = Self {
            browser,
            api,
            worker,
            receiver: setup.receiver,
            place,
            session,
            places: Places::default(),
        };
        if let Some(id) = crowded {
            desk.places.know("crowded", id);
        }
        desk.places.know("link", desk.sign_in_link().await);
        desk
    }

    /// The identity of a mail, by its mark, once it is in the list.
    async fn id_of(&self, mail: &TestMail) -> String {
        until("the mail in the list", PATIENCE, async || {
            let found = self.api.get(&format!("/api/v1/mails?text={}", mail.mark)).await;
            let id = found["items"][0]["id"].as_str().map(str::to_owned);
            id.ok_or_else(|| found.to_string())
        })
        .await
    }

    /// Waits until the API says this of a mail.
    async fn until_mail(&self, id: &str, what: &str, holds: impl Fn(&Value) -> bool) {
        until(&format!("the mail {id} to be {what}"), PATIENCE, async || {
            let story = self.api.get(&format!("/api/v1/mails/{id}")).await;
            ensure(holds(&story["mail"]), || story["mail"].to_string())
        })
        .await;
    }

    /// The end of a new sign-in link, after `/login/magic/`.
    async fn sign_in_link(&self) -> String {
        let made = self.api.post("/api/v1/magic-links", &json!({})).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let made = api::json(&made);
        let url = made["url"].as_str().expect("an address");
        url.split_once("/login/magic/").expect("a link").1.to_owned()
    }

    /// Waits until the detectors are stored in this order.
    async fn until_stored(&self, ids: &[&str]) {
        until("the order is stored", PATIENCE, async || {
            let stored = self.api.get("/api/v1/config/detectors").await;
            let list = stored["stored"]["detectors"].as_array().cloned().unwrap_or_default();
            let found: Vec<&str> = list.iter().filter_map(|one| one["id"].as_str()).collect();
            ensure(found == ids, || stored.to_string())
        })
        .await;
    }

    /// Where a page of the table is.
    fn path(&self, page: &Page) -> String {
        self.places.path(page.path)
    }

    /// The browser has the cookie of a session from now on, or none.
    async fn come_as(&self, who: Who) {
        let value = match who {
            Who::Stranger => "",
            Who::User => &self.session,
        };
        let cookie = json!({
            "name": "session", "value": value, "url": self.browser.origin(), "httpOnly": true, "sameSite": "Lax",
        });
        self.browser.devtools("Network.setCookie", cookie).await;
    }

    /// Goes to a page of the table, as who may see it.
    async fn visit(&self, page: &Page) -> String {
        let path = self.path(page);
        self.come_as(page.who).await;
        self.browser.go(&path).await;
        self.browser.arrive(&path).await;
        path
    }

    /// What the browser complains of, but for the status that a page of the table has to have: it
    /// may say so a moment later, on the next page.
    async fn noise(&self) -> Vec<String> {
        let origin = self.browser.origin();
        let expected = |said: &String| {
            pages::PAGES.iter().filter(|page| page.status >= 400).any(|page| {
                said.contains(&format!("{origin}{}", self.places.path(page.path)))
                    && said.contains(&format!("the server responded with a status of {}", page.status))
            })
        };
        let mut noise = self.browser.noise().await;
        noise.retain(|said| !expected(said));
        noise
    }

    /// The journal is sound, and the program stops as it should.
    async fn close(mut self) {
        drop(self.browser);
        self.worker.stop().await;
        self.worker.assert_journal_verifies().await;
    }
}

/// The cookie of a new session, by the password.
async fn session(port: u16) -> String {
    let headers = "Connection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let form = format!("username={USER}&password={PASSWORD}");
    let request = http::request("POST", "/login", headers, &form);
    let answer = http::exchange_within(port, &request, PATIENCE).await.expect("an answer");
    assert_eq!(answer.status, 303, "{}", answer.body);
    let cookie = answer.header("set-cookie").expect("a cookie");
    let value = cookie.strip_prefix("session=").expect("the session's").split(';').next();
    value.expect("a value").to_owned()
}

/// The texts of an array.
fn texts(value: &Value) -> Vec<String> {
    let texts = value.as_array().unwrap_or_else(|| panic!("no list: {value}"));
    texts.iter().map(|text| text.as_str().map_or_else(|| text.to_string(), str::to_owned)).collect()
}
