//! How somebody comes in and goes, with the pointer and the keyboard.

use thirtyfour::Key;

use super::pages::Who;
use super::{Desk, PASSWORD, USER};
use crate::support::api;
use crate::support::browser::{Screen, css, label, role};

#[tokio::test(flavor = "multi_thread")]
async fn somebody_signs_in_by_the_password_and_goes() {
    let desk = Desk::open().await;
    let browser = &desk.browser;
    browser.language("fr").await;
    browser.go("/").await;
    browser.arrive("/login?next=%2F").await;

    browser.fill(&label("Utilisateur"), USER).await;
    browser.fill(&label("Mot de passe"), "wrong").await;
    browser.click(&role("button", "Se connecter")).await;
    browser.see_text("Identifiants invalides.").await;
    assert_eq!(browser.value(&label("Utilisateur")).await, USER, "what was right need not be typed again");
    assert_eq!(browser.value(&label("Mot de passe")).await, "");
    assert_eq!(browser.cookie("session").await, None);
    let heard = browser.heard().await;
    assert!(heard.complaints.iter().all(|said| said.contains("status of 401")), "{heard:?}");

    // The keyboard does as well.
    browser.fill(&label("Mot de passe"), PASSWORD).await;
    browser.press(Key::Enter).await;
    browser.arrive("/").await;
    let before = browser.cookie("session").await.expect("a session");

    browser.click(&role("button", "Se déconnecter")).await;
    browser.arrive("/login").await;
    assert_eq!(browser.cookie("session").await, None);
    browser.set_cookie("session", &before).await;
    browser.go("/").await;
    browser.arrive("/login?next=%2F").await;
    browser.assert_quiet().await;
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_signs_somebody_in_once() {
    let desk = Desk::open().await;
    let browser = &desk.browser;
    browser.language("en").await;
    let path = format!("/login/magic/{}", desk.sign_in_link().await);
    browser.go(&path).await;
    browser.click(&role("button", "Sign in")).await;
    browser.arrive("/").await;
    assert!(browser.cookie("session").await.is_some());
    browser.assert_quiet().await;

    browser.forget_cookies().await;
    browser.language("en").await;
    browser.go(&path).await;
    browser.see(&role("button", "Sign in")).await;
    let alert = browser.text_of(&css("[role=alert]")).await;
    assert!(!alert.is_empty() && browser.cookie("session").await.is_none(), "{alert}");
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_signed_out_comes_back_to_the_page_he_was_on() {
    let desk = Desk::open().await;
    let browser = &desk.browser;
    browser.language("fr").await;
    desk.come_as(Who::User).await;
    browser.go("/?seite=2").await;
    browser.arrive("/?seite=2").await;

    // Somebody ends it elsewhere.
    let ended = desk.api.ask("DELETE", "/api/v1/sessions", "", "").await;
    assert!(ended.status < 300, "{}", ended.body);
    browser.reload().await;
    browser.arrive("/login?next=%2F%3Fseite%3D2").await;
    browser.fill(&label("Utilisateur"), USER).await;
    browser.fill(&label("Mot de passe"), PASSWORD).await;
    browser.click(&role("button", "Se connecter")).await;
    browser.arrive("/?seite=2").await;
    browser.assert_quiet().await;
    let listed = desk.api.ask("GET", "/api/v1/sessions", "", "").await;
    assert_eq!(api::json(&listed)["items"].as_array().map(Vec::len), Some(1), "{}", listed.body);
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vacation_is_set_on_a_phone_in_three_taps() {
    let desk = Desk::open().await;
    let browser = &desk.browser;
    browser.screen(Screen::Phone).await;
    browser.language("fr").await;
    desk.come_as(Who::User).await;
    browser.go("/").await;
    browser.click(&css(".nav a[href='/reglages']")).await;
    browser.click(&role("button", "1 semaine")).await;
    browser.see_text("Aucun mail n'est relevé pendant ce temps.").await;
    browser.click(&role("button", "Partir")).await;
    browser.see_text("inclus\u{a0}: rien n'est relevé.").await;
    browser.see(&role("button", "Terminer les vacances")).await;
    browser.assert_quiet().await;
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_says_what_it_would_do_while_it_is_filled_in() {
    let desk = Desk::open().await;
    let browser = &desk.browser;
    browser.language("fr").await;
    desk.come_as(Who::User).await;
    browser.go("/reglages").await;
    browser.click(&label("Envoi des webhooks")).await;
    browser.see_text("L'envoi est coupé\u{a0}: les mails sont relevés et attendent.").await;
    browser.click(&css("#form-envoi .button.primary")).await;
    browser.see_text("Enregistré\u{a0}: Envoi des webhooks.").await;
    browser.assert_quiet().await;
    desk.close().await;
}
