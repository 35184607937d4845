//! Whoever has switched scripts off comes in all the same.

use super::{Desk, PASSWORD, USER};
use crate::support::browser::{label, role};

#[tokio::test(flavor = "multi_thread")]
async fn the_login_needs_no_script() {
    let desk = Desk::open().await;
    let browser = &desk.browser;
    browser.scripts(false).await;
    browser.language("en").await;
    browser.go("/login").await;
    browser.fill(&label("User"), USER).await;
    browser.fill(&label("Password"), PASSWORD).await;
    browser.click(&role("button", "Sign in")).await;
    browser.arrive("/").await;
    browser.see(&role("button", "Sign out")).await;
    browser.click(&role("button", "Sign out")).await;
    browser.arrive("/login").await;
    assert_eq!(browser.cookie("session").await, None);
    browser.assert_quiet().await;
    desk.close().await;
}
