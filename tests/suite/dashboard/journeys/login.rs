//! How somebody comes in and goes, with the pointer and the keyboard.

use thirtyfour::Key;

use super::super::pages::Who;
use super::super::{Desk, PASSWORD, USER};
use super::FRENCH;
use crate::support::api;
use crate::support::browser::{Theme, css, label, role};

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

    browser.click(&css("details.menu > summary")).await;
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
    desk.sign_in(FRENCH).await;
    browser.arrive("/?seite=2").await;
    browser.assert_quiet().await;
    let listed = desk.api.ask("GET", "/api/v1/sessions", "", "").await;
    assert_eq!(api::json(&listed)["items"].as_array().map(Vec::len), Some(1), "{}", listed.body);
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_theme_and_the_language_are_chosen_in_the_menu_and_stay_chosen() {
    let desk = Desk::open().await;
    let browser = &desk.browser;
    browser.language("fr").await;
    browser.theme(Theme::Light).await;
    desk.come_as(Who::User).await;
    browser.go("/mails?state=delivered").await;
    let ground = async || browser.run("return getComputedStyle(document.body).backgroundColor", &[]).await;
    let light = ground().await;

    // By the keyboard: the menu is reached, opened, closed by Escape, and the focus is back on it.
    browser.run("document.querySelector('details.menu > summary').focus()", &[]).await;
    browser.press(Key::Enter).await;
    browser.see(&role("button", "Sombre")).await;
    browser.press(Key::Escape).await;
    browser.gone(&role("button", "Sombre")).await;
    let script = "return document.activeElement === document.querySelector('details.menu > summary')";
    assert_eq!(browser.run(script, &[]).await, true);

    browser.click(&css("details.menu > summary")).await;
    browser.click(&role("button", "Sombre")).await;
    browser.arrive("/mails?state=delivered").await;
    let script = "return document.documentElement.dataset.theme === 'dark'";
    browser.until_true("the dark theme", script).await;
    assert_ne!(ground().await, light, "the system asks for light, the person for dark");
    assert_eq!(browser.cookie("theme").await.as_deref(), Some("dark"));
    browser.go("/reglages").await;
    browser.until_true("the dark theme on another page", script).await;

    browser.click(&css("details.menu > summary")).await;
    browser.click(&role("button", "English")).await;
    browser.see(&role("heading", "Settings")).await;
    browser.arrive("/reglages").await;
    assert_eq!(browser.cookie("lang").await.as_deref(), Some("en"));
    browser.click(&css("details.menu > summary")).await;
    browser.click(&role("button", "Auto")).await;
    browser
        .until_true("the system's theme", "return document.documentElement.dataset.theme === 'auto'")
        .await;
    assert_eq!(ground().await, light);
    browser.assert_quiet().await;
    desk.close().await;
}
