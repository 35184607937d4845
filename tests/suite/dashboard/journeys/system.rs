//! Configurations are carried and checked, with their log.

use super::super::pages::Who;
use super::super::{Desk, Setup};
use super::confirm;
use crate::support::Redis;
use crate::support::browser::{css, role};

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
    browser.see(&css("#verified")).await;
    browser.see_text("Toutes les données sont valides").await;

    // Somebody spoils one: the check says which, and why.
    let key = redis.command("KEYS *processing_prefs*").await.expect("a key");
    let key =
        key.split_whitespace().find(|word| word.contains("processing_prefs")).expect("a key").to_owned();
    redis.command(&format!("SET {key} nonsense")).await.expect("an answer");
    browser.click(&role("button", "Vérifier les données en Redis")).await;
    browser.see_text("Des données ne sont pas valides").await;
    let table = browser.text_of(&css("#verified")).await;
    assert!(table.contains("processing_prefs") && table.contains("Invalide"), "{table}");
    browser.assert_quiet().await;
    desk.close().await;
}
