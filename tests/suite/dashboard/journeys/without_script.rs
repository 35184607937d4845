//! Whoever has switched scripts off does all of it, too.

use super::super::{Desk, Setup};
use super::{ENGLISH, LIMIT, SAVE_LIMITS, confirm, row, stored_limit};
use crate::support::browser::{css, label, role};
use crate::support::mails;
use crate::support::receiver::Answer;

#[tokio::test(flavor = "multi_thread")]
async fn mails_are_read_a_setting_is_saved_and_a_webhook_is_sent_again_without_a_script() {
    let failed = mails::named("Lot perdu", "Amélie Durand <amelie@exemple.fr>");
    let mut all = mails::mixed(3);
    all.push(failed.clone());
    let setup = Setup::new(&all).await;
    setup.receiver.for_mail(&failed.mark, Answer::Html(500));
    let desk = Desk::with(setup).await;
    let id = desk.id_of(&failed).await;
    desk.until_mail(&id, "given up", |mail| mail["dead_lettered"] == 1).await;
    let browser = &desk.browser;
    browser.scripts(false).await;
    browser.language("en").await;
    browser.go("/login").await;
    desk.sign_in(ENGLISH).await;
    browser.arrive("/").await;
    browser.see_text("Without script: reload the page to bring it up to date.").await;

    // A story.
    browser.click(&css(".nav a[href=\"/mails\"]")).await;
    browser.fill(&label("Search subjects and senders"), "LOT pérdu").await;
    browser.click(&role("button", "Search")).await;
    browser.see_text("1\u{a0}mail").await;
    browser.click(&row(&id)).await;
    browser.see(&role("heading", "What happened")).await;
    browser.click(&css("#story li:nth-child(1 of :has(details)) summary")).await;
    browser.see(&css("#story details[open] pre")).await;
    let story = browser.text_of(&css("#story")).await;
    assert!(story.contains("HTTP 500"), "{story}");

    // Sent again, with the question before.
    desk.receiver.for_mail(&failed.mark, Answer::Ok);
    confirm(browser, "#state button.primary[popovertarget]").await;
    browser.see_text("1 webhook goes out again.").await;
    desk.until_mail(&id, "delivered", |mail| mail["delivered"] == 1).await;
    browser.reload().await;
    browser.see_text("Delivered in").await;

    // A setting, at first a wrong one.
    browser.click(&css(".nav a[href=\"/reglages\"]")).await;
    browser.fill(&css(LIMIT), "-3").await;
    browser.click(&css(SAVE_LIMITS)).await;
    browser.see(&css(".errors a[href=\"#f-rate_limit_per_hour\"]")).await;
    assert_eq!(browser.value(&css(LIMIT)).await, "-3", "what was typed stays");
    browser.fill(&css(LIMIT), "30").await;
    browser.click(&css(SAVE_LIMITS)).await;
    browser.see(&css("#status .notice.good")).await;
    assert_eq!(stored_limit(&desk), 30);

    browser.click(&css("details.menu > summary")).await;
    browser.click(&role("button", "Sign out")).await;
    browser.arrive("/login").await;
    assert_eq!(browser.cookie("session").await, None);
    desk.close().await;
}
