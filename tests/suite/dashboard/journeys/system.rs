//! Configurations are carried and checked, with their log.

use super::super::pages::Who;
use super::super::{Desk, Setup};
use super::confirm;
use crate::support::browser::{Browser, css, role};
use crate::support::until::ensure;
use crate::support::{PATIENCE, Redis, until};

/// The row of a document in the table of what was checked.
async fn said_of(browser: &Browser, document: &str) -> String {
    browser.see(&css("#verified")).await;
    let script = format!(
        "return [...document.querySelectorAll('#verified tbody tr')].map((row) => row.innerText)
            .find((text) => text.includes('{document}')) ?? ''"
    );
    browser.run(&script, &[]).await.as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_is_migrated_and_the_data_are_checked_and_the_log_is_read() {
    let redis = Redis::start().await;
    let setup = Setup::new(&[]).await.variable("REDIS_URL", &redis.url());
    let desk = Desk::with(setup).await;
    let browser = &desk.browser;
    browser.language("fr").await;
    desk.come_as(Who::User).await;
    browser.go("/systeme").await;
    let heading = "#configurations button[popovertarget]";
    let opener = format!("{heading}:not([popovertargetaction])");
    assert_eq!(browser.text_of(&css(&opener)).await, "Migrer les configurations");
    confirm(browser, heading).await;
    let log = browser.text_of(&css("#migration-log")).await;
    assert!(log.contains("processing_prefs: OK (source=") && log.contains("VERIFY OK"), "{log}");
    browser.see_text("Les configurations ont été migrées").await;

    browser.click(&role("button", "Vérifier les données en Redis")).await;
    assert!(said_of(browser, "processing_prefs").await.contains("Valide"));
    // What is not there is said, too: nobody has stored it yet.
    browser.see_text("Des données ne sont pas valides").await;

    // Somebody spoils one: the check says which, and why.
    redis.command(r#"SET r:ss:config:processing_prefs '{"retry_count":"many"}'"#).await.expect("an answer");
    browser.click(&role("button", "Vérifier les données en Redis")).await;
    until("the spoiled document to be told", PATIENCE, async || {
        let said = said_of(browser, "processing_prefs").await;
        ensure(said.contains("Invalide"), || said)
    })
    .await;
    browser.assert_quiet().await;
    desk.close().await;
}
