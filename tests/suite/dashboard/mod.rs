//! The pages for people, in a browser: [`pages::PAGES`] is the table of them, `everywhere` holds
//! for each, `journeys`, `reading` and `without_script` go from one to the next, `hostile` shows them what
//! strangers write. `flawed` shows that the checks see what they look for.
//!
//! Needed: Chromium (Debian packages `chromium`, `chromium-driver`) and axe-core, which
//! `tests/dashboard/install` gets from npm once. Pictures of every page lie in
//! `target/tmp/screenshots`; how to add a page or a journey: `docs/TESTING.md`.

mod checks;
mod everywhere;
mod flawed;
mod hostile;
mod journeys;
mod pages;
mod reading;
mod rules;
mod underneath;
mod without_script;

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
    /// Identity of a mail, and the end of a sign-in link that nobody has used.
    mail: String,
    link: String,
}

impl Desk {
    /// With a few ordinary mails, sent on to a receiver that says yes.
    async fn open() -> Self {
        Self::with(Receiver::start().await, &mails::mixed(4), &[]).await
    }

    /// With these mails, whatever the receiver says to them, and further variables.
    async fn with(receiver: Receiver, mails: &[TestMail], variables: &[(String, String)]) -> Self {
        let mut place = Place::new(&receiver.url(HOOK));
        place.set("API_TOKEN_SCOPES", "read,actions,config,access");
        for (name, value) in variables {
            place.set(name, value);
        }
        let preferences = json!({ "rate_limit_per_hour": 0, "retry_count": 1, "retry_delay_sec": 1 });
        place.put("processing_prefs", &preferences.to_string());
        for mail in mails {
            place.deliver(mail);
        }
        let mut worker = place.worker("worker");
        worker.set("PUBLIC_BASE_URL", &format!("http://127.0.0.1:{}", worker.port()));
        worker.start().await;
        let api = Api::new(worker.port());
        let first = until("every mail in the list", PATIENCE, async || {
            let page = api.get("/api/v1/mails").await;
            let complete = page["count"].as_u64() == Some(mails.len() as u64) && page["complete"] == true;
            ensure(complete, || page.to_string())?;
            Ok::<_, String>(page["items"][0]["id"].as_str().unwrap_or("none").to_owned())
        })
        .await;
        let session = session(worker.port()).await;
        let browser = Browser::start(worker.port()).await;
        let mut desk =
            Self { browser, api, worker, receiver, place, session, mail: first, link: String::new() };
        desk.link = desk.sign_in_link().await;
        desk
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
        page.path.replace("{mail}", &self.mail).replace("{link}", &self.link)
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

    /// What the browser complains of on this page, but for the status that the page has to have.
    async fn noise(&self, page: &Page) -> Vec<String> {
        let own = format!("{}{} - Failed to load resource", self.browser.origin(), self.path(page));
        let mut noise = self.browser.noise().await;
        noise.retain(|said| !(page.status >= 400 && said.contains(&own)));
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
