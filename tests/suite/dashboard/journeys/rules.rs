//! A rule is changed, tried, saved, acts on another worker, and is taken back.

use serde_json::json;

use super::super::Setup;
use super::super::places::{rule, sign_in};
use super::{FRENCH, confirm};
use crate::support::browser::{Browser, css, role};
use crate::support::until::ensure;
use crate::support::{PATIENCE, Redis, mails, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_is_tried_saved_acts_on_a_second_worker_and_is_restored_there() {
    let redis = Redis::start().await;
    let setup = Setup::new(&[]).await.variable("REDIS_URL", &redis.url());
    let url = setup.receiver.url("/lots");
    let rules = json!({ "rules": [rule("lots", "Lots urgents", "rien n'a cela", &url)] });
    let setup = setup.document("routing_rules", rules);
    let place = setup.place();
    let migrated = place.run(&["config", "migrate"]).await;
    assert_eq!(migrated.code, 0, "{migrated:?}");
    let (mut one, mut two) = (place.worker("one"), place.worker("two"));
    one.start().await;
    let first = mails::named("Lot 12, à faire", "Amélie <amelie@exemple.fr>");
    place.deliver(&first);
    until("the first mail at the default target", PATIENCE, async || {
        ensure(setup.receiver.count() == 1, || one.tail())
    })
    .await;
    two.start().await;

    let browser = Browser::start(one.port()).await;
    browser.language("fr").await;
    browser.go("/login?next=%2Fregles").await;
    sign_in(&browser, FRENCH).await;
    browser.arrive("/regles").await;
    browser.click(&role("link", "Lots urgents")).await;
    browser.fill(&css("#f-c0-value"), "lot").await;
    browser.see_text("Modifications non enregistrées").await;
    browser.click(&role("button", "Essayer")).await;
    browser.see(&css("#trial .trial-done")).await;
    browser.see(&css("#mails a[href*=\"/mails/\"]")).await;
    let found = browser.text().await;
    assert!(found.contains(&first.mark) && found.contains("la destination par défaut"), "{found}");
    assert_eq!(browser.text_of(&css("#trial .tally li.care strong")).await, "1");
    browser.click(&role("button", "Enregistrer ce changement")).await;
    browser.see_text("Le changement essayé est enregistré.").await;
    browser.assert_quiet().await;
    drop(browser);

    // The other worker goes on alone, by the rule as it is now.
    one.stop().await;
    let second = mails::named("Lot 13, à faire", "Amélie <amelie@exemple.fr>");
    place.deliver(&second);
    let paths =
        || -> Vec<String> { setup.receiver.deliveries().into_iter().map(|delivery| delivery.path).collect() };
    until("the second mail where the rule says", PATIENCE, async || {
        ensure(paths().last().is_some_and(|path| path == "/lots"), || {
            format!("{:?}\n{}", paths(), two.tail())
        })
    })
    .await;

    let browser = Browser::start(two.port()).await;
    browser.language("fr").await;
    browser.go("/login?next=%2Freglages%2Fhistorique%2Frouting_rules").await;
    sign_in(&browser, FRENCH).await;
    browser.see(&role("heading", "Versions, la plus récente d'abord")).await;
    browser.click(&css(".history li:last-child a.target")).await;
    browser.see(&role("heading", "Rétablir cette version")).await;
    let changes = browser.text_of(&css("main")).await;
    assert!(changes.contains("rien n'a cela"), "{changes}");
    confirm(&browser, "main .card button[popovertarget]").await;
    browser.see(&css("#status .notice.good")).await;
    browser.go("/regles").await;
    browser.see_text("rien n'a cela").await;
    let third = mails::named("Lot 14, à faire", "Amélie <amelie@exemple.fr>");
    place.deliver(&third);
    until("the third mail at the default target", PATIENCE, async || {
        ensure(paths().len() == 3 && paths().last().is_some_and(|path| path != "/lots"), || {
            format!("{:?}", paths())
        })
    })
    .await;
    browser.assert_quiet().await;
    drop(browser);
    two.stop().await;
}
