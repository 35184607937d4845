//! What is underneath, and who can get in: a look at everything, an import, a link for a phone.

use super::pages::Who;
use super::{Desk, Setup};
use crate::support::browser::{css, label, role};
use crate::support::mails;

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_checked_and_settings_are_imported_after_a_look() {
    let mut setup = Setup::new(&mails::mixed(4)).await;
    // Without a secret, which is what is found.
    setup.variables.clear();
    let desk = Desk::with(setup).await;
    let browser = &desk.browser;
    desk.come_as(Who::User).await;
    browser.language("en").await;
    browser.go("/systeme").await;
    browser.see_text("answers this page").await;
    browser.click(&role("button", "Check everything")).await;
    browser.see_text("Everything was checked").await;
    browser.see_text("Webhooks are not signed").await;

    let settings = r#"{"format":1,"documents":{"processing_prefs":{"retry_count":7,"retry_delay_sec":1,"rate_limit_per_hour":0}}}"#;
    browser.go("/systeme").await;
    browser.fill(&label("What the file holds"), settings).await;
    browser.click(&role("button", "See what would change")).await;
    browser.see_text("1 document would change").await;
    browser.click(&css("[popovertarget=importer]:not(.quiet)")).await;
    browser.click(&css("#importer button.primary")).await;
    browser.arrive("/systeme").await;
    browser.see_text("1 document was imported.").await;
    let stored = desk.api.get("/api/v1/config/processing_prefs").await;
    assert_eq!(stored["stored"]["retry_count"], 7, "{stored}");
    browser.assert_quiet().await;
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_made_read_once_and_revoked_and_its_page_goes_on_being_there() {
    let desk = Desk::open().await;
    let browser = &desk.browser;
    desk.come_as(Who::User).await;
    browser.language("fr").await;
    browser.go("/acces").await;
    browser.click(&role("button", "Créer un lien")).await;
    browser.see_text("Le lien est créé").await;
    let link = browser.text_of(&css("#made-link")).await;
    assert!(link.contains("/login/magic/"), "{link}");
    assert_eq!(browser.count(&css("svg.qr")).await, 1);
    // The page is the answer to a form: what keeps pages up to date must not take it for another one.
    browser.until_true("the page is live", "return document.body.dataset.liveState === \"live\"").await;
    browser.gone(&css("#alert p")).await;

    browser.go("/acces").await;
    browser.click(&css("#liens .rows li:first-child button.danger[popovertarget]")).await;
    browser.click(&css("#liens .dialog:popover-open button.primary")).await;
    browser.see_text("Le lien est révoqué.").await;
    browser.assert_quiet().await;
    desk.close().await;
}
