//! Who can get in.

use super::super::Desk;
use super::super::pages::Who;
use super::confirm;
use crate::support::browser::{Browser, css, role};

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_link_is_made_and_used_in_another_browser_whose_session_is_ended_then() {
    let desk = Desk::open().await;
    let browser = &desk.browser;
    browser.language("fr").await;
    desk.come_as(Who::User).await;
    browser.go("/acces").await;
    browser.click(&css("#liens form.form button.primary")).await;
    browser.see(&role("heading", "Le lien est créé")).await;
    browser.see(&css("svg.qr")).await;
    let url = browser.text_of(&css("#made-link")).await;
    let path = url.strip_prefix(browser.origin()).unwrap_or_else(|| panic!("not ours: {url}"));
    browser.click(&role("link", "J'ai le lien, revenir")).await;
    browser.arrive("/acces").await;
    assert!(!browser.text().await.contains(path), "it is shown once");

    let other = Browser::start(desk.worker.port()).await;
    other.language("en").await;
    other.go(path).await;
    other.click(&role("button", "Sign in")).await;
    other.arrive("/").await;
    other.see(&role("link", "Overview")).await;

    // The first browser sees the second come, and ends it.
    let there = "return document.querySelectorAll('#sessions-live button[popovertarget]:not([popovertargetaction])').length === 1";
    browser.until_true("the session of the other browser", there).await;
    confirm(browser, "#sessions-live button[popovertarget]").await;
    browser.see_text("La session est terminée").await;
    other.see_text("Your session has ended.").await;
    other.go("/mails").await;
    other.arrive("/login?next=%2Fmails").await;
    browser.assert_quiet().await;
    drop(other);
    desk.close().await;
}
