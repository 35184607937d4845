//! A session that ends while a form is being filled in loses nothing.

use super::super::Desk;
use super::super::pages::Who;
use super::{FRENCH, LIMIT, SAVE_LIMITS, stored_limit};
use crate::support::browser::{css, role};

async fn end_sessions(desk: &Desk) {
    let ended = desk.api.ask("DELETE", "/api/v1/sessions", "", "").await;
    assert!(ended.status < 300, "{}", ended.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_is_back_after_signing_in_again() {
    let desk = Desk::open().await;
    let browser = &desk.browser;
    browser.language("fr").await;
    desk.come_as(Who::User).await;
    browser.go("/reglages").await;
    browser.fill(&css(LIMIT), "55").await;
    browser.fill(&css("#f-retry_count"), "4").await;
    browser.see_text("Pas encore enregistré").await;
    end_sessions(&desk).await;

    // The page says so by itself, and keeps what was typed.
    browser.see_text("Votre session est terminée.").await;
    browser.see_text("Ce que vous avez saisi ici est gardé dans ce navigateur.").await;
    assert_eq!(browser.value(&css(LIMIT)).await, "55");
    browser.click(&role("link", "Se reconnecter")).await;
    browser.arrive("/login?next=%2Freglages").await;
    let heard = browser.heard().await;
    assert!(heard.complaints.iter().all(|said| said.contains("401")), "{heard:?}");
    desk.sign_in(FRENCH).await;
    browser.arrive("/reglages").await;
    browser.see_text("Votre saisie non enregistrée a été reprise.").await;
    assert_eq!(browser.value(&css(LIMIT)).await, "55");
    browser.click(&css(SAVE_LIMITS)).await;
    browser.until_true("a notice", "return document.querySelector('#status .notice.good') !== null").await;
    assert_eq!(stored_limit(&desk), 55);
    assert_eq!(desk.place.stored("processing_prefs")["retry_count"], 4);
    browser.assert_quiet().await;
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_script_it_is_in_the_page_that_answers_and_is_sent_from_there() {
    let desk = Desk::open().await;
    let browser = &desk.browser;
    browser.scripts(false).await;
    browser.language("fr").await;
    desk.come_as(Who::User).await;
    browser.go("/reglages").await;
    browser.fill(&css(LIMIT), "56").await;
    end_sessions(&desk).await;
    browser.click(&css(SAVE_LIMITS)).await;
    browser.see(&role("heading", "Session terminée")).await;
    assert_ne!(stored_limit(&desk), 56);

    browser.click(&role("link", "1. Se reconnecter (nouvel onglet)")).await;
    browser.newest_tab().await;
    browser.arrive("/login").await;
    desk.sign_in(FRENCH).await;
    browser.arrive("/").await;
    browser.first_tab().await;
    browser.click(&role("button", "2. Envoyer ce que j'avais saisi")).await;
    browser.see(&css("#status .notice.good")).await;
    assert_eq!(stored_limit(&desk), 56);
    desk.close().await;
}
