//! What is to be done is done from the overview.

use super::super::pages::Who;
use super::super::{Desk, Setup};
use super::{assert_same, confirm, mark};
use crate::support::browser::{css, role};
use crate::support::receiver::Answer;
use crate::support::site::HOOK;
use crate::support::{PATIENCE, mails, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_sent_again_from_the_overview() {
    let mail = mails::named("Lot abandonné", "Amélie Durand <amelie@exemple.fr>");
    let setup = Setup::new(std::slice::from_ref(&mail)).await;
    setup.receiver.always(HOOK, Answer::Html(500));
    let desk = Desk::with(setup).await;
    let id = desk.id_of(&mail).await;
    let browser = &desk.browser;
    browser.language("fr").await;
    desk.come_as(Who::User).await;
    browser.go("/").await;
    // It is given up while the page is open, which says so without being loaded again.
    mark(browser).await;
    browser.see_text("1 webhook abandonné").await;
    browser.until_true("the tab to say it", "return document.title.startsWith('(1)')").await;
    assert_same(browser).await;

    desk.receiver.always(HOOK, Answer::Ok);
    browser.click(&css("#tasks a.button")).await;
    browser.see_text("Abandonné").await;
    browser.back().await;
    confirm(browser, "#tasks button[popovertarget]").await;
    browser.see_text("1 webhook renvoyé").await;
    browser.see_text("Rien ne demande votre attention.").await;
    desk.until_mail(&id, "delivered", |mail| mail["delivered"] == 1).await;
    browser.see(&role("heading", "Tout fonctionne")).await;
    until("the tab to be calm", PATIENCE, async || {
        let title = browser.title().await;
        if title.starts_with('(') { Err(title) } else { Ok(()) }
    })
    .await;
    let sent = desk.receiver.deliveries();
    let ids: std::collections::BTreeSet<&str> = sent.iter().map(|sent| sent.webhook_id()).collect();
    assert_eq!(ids.len(), 1, "the same webhook each time");
    browser.assert_quiet().await;
    desk.close().await;
}
