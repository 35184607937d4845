//! Chromium without a window, driven as a person drives it: addresses, names that are read out,
//! the pointer, the keyboard.
//!
//! Nothing here sleeps: whatever is to be found is waited for. What goes wrong panics with what
//! was wanted and where, and a picture of the page is left in `target/tmp/screenshots`.

mod act;
mod driver;
mod find;
mod heard;
mod shot;
mod slow_link;
mod view;

use std::fmt::Display;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use thirtyfour::{ChromiumLikeCapabilities as _, DesiredCapabilities, LoggingPrefsLogLevel, WebDriver};

use super::until::{PATIENCE, ensure, until};
use driver::Chromedriver;
pub(crate) use find::{Target, css, label, role};
pub(crate) use shot::screenshots;
pub(crate) use slow_link::SlowLink;
pub(crate) use view::{Screen, Theme};

/// How long the browser may take for one command, a page that loads included.
const COMMAND: Duration = Duration::from_secs(60);
/// Where the program is.
const BINARY: &str = "/usr/bin/chromium";

/// A browser with a profile of its own. Dropping it kills it.
pub(crate) struct Browser {
    driver: WebDriver,
    /// Scheme, host and port of the program under test.
    origin: String,
    media: Mutex<view::Media>,
    agent: String,
    process: Chromedriver,
}

/// The value, or a panic that says what was tried.
fn done<T, E: Display>(what: impl Display, answer: Result<T, E>) -> T {
    answer.unwrap_or_else(|error| panic!("the browser could not {what}: {error}"))
}

impl Browser {
    /// A browser for the program that listens on this loopback port, with the window of a desk.
    pub(crate) async fn start(port: u16) -> Self {
        let process = Chromedriver::start().await;
        let mut capabilities = DesiredCapabilities::chrome();
        let profile = format!("--user-data-dir={}", process.profile().display());
        for argument in ARGUMENTS.into_iter().chain([profile.as_str()]) {
            done("be set up", capabilities.add_arg(argument));
        }
        if nix::unistd::Uid::effective().is_root() {
            done("be set up", capabilities.add_arg("--no-sandbox"));
        }
        done("be set up", capabilities.set_binary(BINARY));
        for log in ["browser", "performance"] {
            done("be set up", capabilities.set_logging_prefs(log, LoggingPrefsLogLevel::All));
        }
        let about = json!({ "enableNetwork": true, "enablePage": false });
        done("be set up", capabilities.add_experimental_option("perfLoggingPrefs", about));

        // Its client is one that speaks TLS, though it never does here.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().timeout(COMMAND + PATIENCE).build();
        let session = WebDriver::builder(process.url(), capabilities).client(done("be reached", client));
        let driver = done("start", session.await);
        // Its processes are killed; no session need be ended before.
        done("be set up", driver.clone().leak());
        done("be set up", driver.set_page_load_timeout(COMMAND).await);
        done("be set up", driver.set_script_timeout(COMMAND).await);
        let version = done("tell its version", driver.cdp().send_raw("Browser.getVersion", json!({})).await);
        let agent = version["userAgent"].as_str().expect("a name").replace("Headless", "");
        let (origin, media) = (format!("http://127.0.0.1:{port}"), Mutex::default());
        let browser = Self { driver, origin, media, agent, process };
        browser.process.keep_session(browser.driver.session_id());
        browser.screen(Screen::Desk).await;
        browser
    }

    /// Scheme, host and port of the program under test.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// Opens a page of the program, and waits until it is loaded.
    pub(crate) async fn go(&self, path: &str) {
        let url = format!("{}{path}", self.origin);
        done(format!("go to {path}"), self.driver.goto(url).await);
    }

    /// Opens a page of somebody else.
    pub(crate) async fn goto_elsewhere(&self, url: &str) {
        done(format!("go to {url}"), self.driver.goto(url).await);
    }

    /// Loads the page again.
    pub(crate) async fn reload(&self) {
        done("load the page again", self.driver.refresh().await);
    }

    /// Path and query of the page that is shown.
    pub(crate) async fn path(&self) -> String {
        let url = done("tell where it is", self.driver.current_url().await);
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{}{query}", url.path())
    }

    /// Waits until this page is shown, and loaded.
    pub(crate) async fn arrive(&self, path: &str) {
        until(&format!("the page {path}"), PATIENCE, async || {
            let (at, state) = (self.path().await, self.run("return document.readyState", &[]).await);
            ensure(at == path && state == "complete", || format!("it is {at} ({state})"))
        })
        .await;
    }

    /// The title of the page.
    pub(crate) async fn title(&self) -> String {
        done("tell the title", self.driver.title().await)
    }

    /// The text of the page, as it is shown.
    pub(crate) async fn text(&self) -> String {
        let text = self.run("return document.body?.innerText ?? ''", &[]).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page shows this; spaces at which no line is broken are spaces.
    pub(crate) async fn see_text(&self, wanted: &str) {
        let plain = |text: &str| text.replace(['\u{a0}', '\u{202f}'], " ");
        let wanted = plain(wanted);
        until(&format!("{wanted:?} on a page"), PATIENCE, async || {
            let text = self.text().await;
            ensure(plain(&text).contains(&wanted), || format!("the page says {text:?}"))
        })
        .await;
    }

    /// Runs a script within the page: the body of a function, to which `arguments` are given. A
    /// promise is waited for. No policy of the page hinders it.
    pub(crate) async fn run(&self, script: &str, arguments: &[Value]) -> Value {
        done("run a script", self.try_run(script, arguments).await)
    }

    /// The same, where the page may go away meanwhile.
    pub(crate) async fn try_run(&self, script: &str, arguments: &[Value]) -> Result<Value, String> {
        let answer = self.driver.execute(script, arguments.to_vec()).await;
        answer.map(|answer| answer.json().clone()).map_err(|error| error.to_string())
    }

    /// Waits until a script answers with something true.
    pub(crate) async fn until_true(&self, what: &str, script: &str) -> Value {
        until(what, PATIENCE, async || {
            let answer = self.try_run(script, &[]).await?;
            let holds = !matches!(answer, Value::Null | Value::Bool(false));
            ensure(holds, || format!("it is {answer}")).map(|()| answer)
        })
        .await
    }

    /// A command of the DevTools protocol, for what this has no word for.
    pub(crate) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        done(command, self.driver.cdp().send_raw(command, parameters).await)
    }

    /// Has the browser keep a cookie that scripts can read.
    pub(crate) async fn set_cookie(&self, name: &str, value: &str) {
        let cookie = json!({ "name": name, "value": value, "url": self.origin });
        let set = self.devtools("Network.setCookie", cookie).await;
        assert_eq!(set["success"], true, "the cookie {name}={value}: {set}");
    }

    /// The value of a cookie.
    pub(crate) async fn cookie(&self, name: &str) -> Option<String> {
        let kept = self.devtools("Network.getCookies", json!({ "urls": [self.origin] })).await;
        let cookies = kept["cookies"].as_array().expect("cookies");
        let found = cookies.iter().find(|cookie| cookie["name"] == name)?;
        found["value"].as_str().map(str::to_owned)
    }

    /// Forgets every cookie.
    pub(crate) async fn forget_cookies(&self) {
        self.devtools("Network.clearBrowserCookies", json!({})).await;
    }
}

/// It shows pages, and does nothing else: no name is looked up, nobody is asked for news.
const ARGUMENTS: [&str; 16] = [
    "--headless=new",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--disable-breakpad",
    "--disable-features=Translate,OptimizationHints,MediaRouter,InterestFeedContentSuggestions",
    "--no-first-run",
    "--no-default-browser-check",
    "--force-color-profile=srgb",
    "--metrics-recording-only",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--window-size=1440,900",
];
