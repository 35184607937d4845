//! The line that says how fresh a page is, while what the page listens to goes away and comes back.

use serde_json::json;

use super::super::pages::Who;
use super::super::{Desk, Setup};
use super::{assert_same, mark};
use crate::support::api::EventStream;
use crate::support::browser::{Browser, css};
use crate::support::until::ensure;
use crate::support::{PATIENCE, mails, until};

/// Files that the program may have open in [`with_few_streams`].
const FILES: &str = "--nofile=256";
/// A quarter of them may be connections, and half of those streams.
const STREAMS: usize = 32;

/// Has pages wait a twentieth of what they would, where that is ten seconds or more: what they do
/// every fifteen seconds is seen in less than one, and what is drawn and retried stays as it is.
const FAST_CLOCK: &str = "for (const name of ['setTimeout', 'setInterval']) {
    const usual = window[name].bind(window);
    window[name] = (act, pause, ...rest) => usual(act, pause >= 10000 ? pause / 20 : pause, ...rest);
}";

/// Waits until the page says of itself that it is this, and in these words.
async fn until_state(browser: &Browser, state: &str, words: &str) {
    let script = format!(
        "return document.body.dataset.liveState === '{state}'
            && document.querySelector('[data-live-text]').textContent === '{words}'"
    );
    browser.until_true(&format!("a page that is {state}"), &script).await;
}

/// Runs a script in every page before its own.
async fn before_pages(browser: &Browser, script: &str) {
    browser.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script })).await;
}

/// In French, on the list of mails.
async fn reads_the_list(desk: &Desk) {
    desk.browser.language("fr").await;
    desk.come_as(Who::User).await;
    desk.browser.go("/mails").await;
}

/// A mail comes, and the page that is open tells of it without being loaded again.
async fn tells_of_a_mail(desk: &Desk) {
    mark(&desk.browser).await;
    desk.place.deliver(&mails::recadrage());
    desk.browser.see(&css("#news a")).await;
    assert_same(&desk.browser).await;
}

/// The program with so few streams that all can be taken.
async fn with_few_streams() -> Desk {
    let mut setup = Setup::new(&mails::mixed(1)).await;
    setup.wrapper = &["prlimit", FILES];
    let desk = Desk::with(setup).await;
    before_pages(&desk.browser, FAST_CLOCK).await;
    desk
}

/// Takes every stream that there is.
async fn take_all_streams(desk: &Desk) -> Vec<EventStream> {
    let port = desk.worker.port();
    futures::future::join_all((0..STREAMS).map(|_| EventStream::open(port, "/api/v1/live", ""))).await
}

/// How many streams the program serves.
async fn until_streams(desk: &Desk, wanted: usize) {
    until(&format!("{wanted} open streams"), PATIENCE, async || {
        let text = desk.worker.get("/metrics").await.body;
        let line = text.lines().find(|line| line.starts_with("render_signal_http_streams")).unwrap_or("none");
        ensure(line.ends_with(&format!(" {wanted}")), || line.to_owned())
    })
    .await;
}

/// Since it was asked last, how often a page has asked for a stream.
async fn streams_asked_for(browser: &Browser) -> usize {
    let heard = browser.heard().await;
    heard.requests.iter().filter(|url| url.ends_with("/api/v1/live")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_dies_is_told_and_the_page_is_live_again_once_it_is_back() {
    let mut desk = Desk::open().await;
    reads_the_list(&desk).await;
    until_state(&desk.browser, "live", "En direct").await;
    mark(&desk.browser).await;
    desk.worker.kill();
    let told = "return ['paused', 'polling'].includes(document.body.dataset.liveState)";
    desk.browser.until_true("a page that says it waits", told).await;
    desk.worker.start().await;
    until_state(&desk.browser, "live", "En direct").await;
    assert_same(&desk.browser).await;
    tells_of_a_mail(&desk).await;
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_refused_a_stream_is_refreshed_and_gets_one_once_there_is_one() {
    let desk = with_few_streams().await;
    let taken = take_all_streams(&desk).await;
    reads_the_list(&desk).await;
    until_state(&desk.browser, "polling", "Actualisé toutes les 15 s").await;
    tells_of_a_mail(&desk).await;
    drop(taken);
    until_state(&desk.browser, "live", "En direct").await;
    assert_same(&desk.browser).await;
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_ended_elsewhere_is_told_and_nothing_more_is_asked() {
    let desk = with_few_streams().await;
    let taken = take_all_streams(&desk).await;
    reads_the_list(&desk).await;
    // It is refreshed, tries to get a stream, and may do neither any more.
    until_state(&desk.browser, "polling", "Actualisé toutes les 15 s").await;
    let ended = desk.api.ask("DELETE", "/api/v1/sessions", "", "").await;
    assert!(ended.status < 300, "{}", ended.body);
    desk.browser.see_text("Votre session est terminée.").await;
    until_state(&desk.browser, "ended", "Session terminée").await;
    drop(taken);
    desk.browser.heard().await;
    // Longer than anything that a page waits for, by its own clock.
    let wait = "return new Promise((done) => setTimeout(() => done(true), 40000))";
    desk.browser.run(wait, &[]).await;
    assert_eq!(desk.browser.heard().await.requests, [] as [String; 0]);
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tab_that_nobody_sees_lets_go_of_its_stream_for_the_one_that_is_seen() {
    let desk = Desk::open().await;
    let browser = &desk.browser;
    reads_the_list(&desk).await;
    until_state(browser, "live", "En direct").await;
    assert_eq!(streams_asked_for(browser).await, 1);

    browser.new_tab().await;
    browser.go("/").await;
    until_state(browser, "live", "En direct").await;
    // A stream of its own, and not what the other tab would tell it.
    assert_eq!(streams_asked_for(browser).await, 1);
    until_streams(&desk, 1).await;

    browser.first_tab().await;
    browser.devtools("Page.bringToFront", json!({})).await;
    browser.until_true("a tab that is seen", "return !document.hidden").await;
    until_state(browser, "live", "En direct").await;
    tells_of_a_mail(&desk).await;
    assert_eq!(streams_asked_for(browser).await, 1);
    until_streams(&desk, 1).await;
    browser.assert_quiet().await;
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_without_locks_is_live_as_well() {
    let desk = Desk::open().await;
    // As where the program is reached by a name and without TLS.
    before_pages(&desk.browser, "delete Navigator.prototype.locks").await;
    reads_the_list(&desk).await;
    assert_eq!(desk.browser.run("return 'locks' in navigator", &[]).await, false);
    until_state(&desk.browser, "live", "En direct").await;
    tells_of_a_mail(&desk).await;
    desk.browser.assert_quiet().await;
    desk.close().await;
}
