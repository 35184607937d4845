//! `/regles` with scripts: lists are put in order by the keyboard and by drag, a rule is tried and saved.

use serde_json::Value;
use thirtyfour::Key;

use super::Desk;
use super::pages::Who;
use crate::support::browser::{Browser, css, label, role};

/// The ids of the detectors, as the page has them.
async fn detectors(browser: &Browser) -> Value {
    let script =
        "return [...document.querySelectorAll('#list-detectors .member')].map((one) => one.dataset.id)";
    browser.run(script, &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn detectors_are_put_in_order_by_the_keyboard_and_by_drag() {
    let desk = Desk::open().await;
    let browser = &desk.browser;
    browser.language("fr").await;
    desk.come_as(Who::User).await;
    browser.go("/regles").await;
    browser.run("document.querySelectorAll('#list-detectors .member-move button')[1].focus()", &[]).await;
    browser.press(Key::Enter).await;
    browser.see_text("« Recadrage (Média Solution) » : place 2 sur 2.").await;
    let focused = browser.run("return document.activeElement.getAttribute('aria-label')", &[]).await;
    assert_eq!(focused, "Monter\u{a0}: Recadrage (Média Solution)", "the focus stays with what was moved");
    desk.until_stored(&["desabo", "recadrage"]).await;
    browser.reload().await;
    assert_eq!(detectors(browser).await, serde_json::json!(["desabo", "recadrage"]));

    // Above the middle of the first one: below it the last would stay behind it.
    let (last, first) = (".member:last-child .member-place", ".member:first-child .member-place");
    browser
        .drag(
            &css(format!("#list-detectors {last}").as_str()),
            &css(format!("#list-detectors {first}").as_str()),
        )
        .await;
    desk.until_stored(&["recadrage", "desabo"]).await;
    browser.assert_quiet().await;
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_is_typed_tried_and_saved_as_it_was_tried() {
    let desk = Desk::open().await;
    let browser = &desk.browser;
    browser.language("en").await;
    desk.come_as(Who::User).await;
    browser.go("/regles/regle").await;
    browser.fill(&label("Name"), "Everything").await;
    browser.fill(&label("Value"), ".").await;
    browser.fill(&label("Address of the webhook"), "a-token").await;
    browser.see_text("Unsaved changes").await;
    browser.click(&role("button", "Try")).await;
    browser.see_text("4 mails tried").await;
    browser.click(&role("button", "Save this change")).await;
    browser.see_text("The change that was tried is saved.").await;
    browser.see_text("Everything").await;
    browser.assert_quiet().await;
    desk.close().await;
}
