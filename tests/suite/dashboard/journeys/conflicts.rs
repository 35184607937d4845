//! Two people change the same at the same time.

use super::super::Desk;
use super::super::pages::Who;
use super::{LIMIT, SAVE_LIMITS, stored_limit};
use crate::support::browser::{Browser, css, role};

#[tokio::test(flavor = "multi_thread")]
async fn who_saves_second_sees_both_sides_and_decides() {
    let desk = Desk::open().await;
    let first = &desk.browser;
    let second = Browser::start(desk.worker.port()).await;
    for browser in [first, &second] {
        browser.language("fr").await;
    }
    desk.come_as(Who::User).await;
    second.go("/login").await;
    super::super::places::sign_in(&second, super::FRENCH).await;
    second.arrive("/").await;
    for browser in [first, &second] {
        browser.go("/reglages").await;
    }
    first.fill(&css(LIMIT), "40").await;
    second.fill(&css(LIMIT), "70").await;
    second.fill(&css("#f-webhook_timeout_sec"), "20").await;
    first.click(&css(SAVE_LIMITS)).await;
    first.until_true("a notice", "return document.querySelector('#status .notice.good') !== null").await;
    assert_eq!(stored_limit(&desk), 40);

    // What is typed stays while the page around it is brought up to date.
    assert_eq!(second.value(&css(LIMIT)).await, "70");
    second.click(&css(SAVE_LIMITS)).await;
    second.see(&role("heading", "Les deux versions")).await;
    assert_eq!(stored_limit(&desk), 40, "nothing is overwritten");
    let said = second.text_of(&css("table.changes")).await;
    assert!(said.contains("40") && said.contains("70"), "both sides: {said}");
    second.click(&role("button", "Enregistrer ma saisie")).await;
    second.see(&role("heading", "Réglages")).await;
    second.until_true("a notice", "return document.querySelector('#status .notice.good') !== null").await;
    assert_eq!(stored_limit(&desk), 70);
    assert_eq!(desk.place.stored("processing_prefs")["webhook_timeout_sec"], 20);

    // And the other way: the second lets the version of the first be.
    second.go("/reglages").await;
    first.go("/reglages").await;
    first.fill(&css(LIMIT), "10").await;
    second.fill(&css(LIMIT), "11").await;
    first.click(&css(SAVE_LIMITS)).await;
    first.until_true("a notice", "return document.querySelector('#status .notice.good') !== null").await;
    second.click(&css(SAVE_LIMITS)).await;
    second.click(&role("link", "Laisser la version de l'autre")).await;
    second.see(&role("heading", "Réglages")).await;
    assert_eq!(second.value(&css(LIMIT)).await, "10");
    assert_eq!(stored_limit(&desk), 10);
    first.assert_quiet().await;
    drop(second);
    desk.close().await;
}
