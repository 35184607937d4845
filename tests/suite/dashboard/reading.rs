//! Mails in a browser: the list stays where it is while mails come, and one is let go.

use super::Desk;
use super::pages::Who;
use crate::support::browser::{css, role};
use crate::support::mails;

/// Where the first row of the list is, and which it is.
const FIRST: &str = "const row = document.querySelector('.mail'); \
    return `${row.id} at ${Math.round(row.getBoundingClientRect().top)}`";

#[tokio::test(flavor = "multi_thread")]
async fn an_open_list_stays_where_it_is_and_announces_what_has_come() {
    let desk = Desk::open().await;
    let browser = &desk.browser;
    browser.language("fr").await;
    desk.come_as(Who::User).await;
    browser.go("/mails").await;
    browser.see_text("4\u{a0}mails").await;
    let before = browser.run(FIRST, &[]).await;

    let late = mails::named("Une livraison de plus", "Marc <marc@example.fr>");
    desk.place.deliver(&late);
    browser.see(&role("link", "1 nouveau mail")).await;
    assert_eq!(browser.run(FIRST, &[]).await, before, "nothing that is read moves");
    assert!(!browser.text().await.contains(&late.mark));
    browser.click(&role("link", "1 nouveau mail")).await;
    browser.see_text(&late.mark).await;
    browser.see_text("5\u{a0}mails").await;
    browser.assert_quiet().await;
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ignored_mail_is_let_go_and_its_page_tells_how_it_went() {
    let desk = Desk::open().await;
    let browser = &desk.browser;
    browser.language("en").await;
    desk.come_as(Who::User).await;
    browser.go("/mails?state=ignored").await;
    browser.see_text("No mail was ignored").await;
    let reply = mails::named("Re: Des nouvelles", "Marc <marc@example.fr>");
    desk.place.deliver(&reply);
    // An empty list shows what comes by itself.
    browser.see_text(&reply.mark).await;
    browser.click(&css(".mail .mail-main")).await;
    browser.see_text("Step by step").await;

    browser.click(&role("button", "Release")).await;
    browser.see_text("Send this mail?").await;
    browser.click(&css(".dialog:popover-open .primary")).await;
    browser.see_text("Released: it goes out in a moment.").await;
    // Without loading it again.
    browser.see_text("HTTP 200, at attempt 1").await;
    assert_eq!(desk.receiver.accepted().get(&reply.mark), Some(&1));
    browser.assert_quiet().await;
    desk.close().await;
}
