//! With many mails in the journal: how soon each page is seen on a cheap phone, and that the list
//! keeps still while they come in.

use std::time::Duration;

use super::pages::{PAGES, Page, Who};
use super::{Desk, Setup, checks};
use crate::support::browser::{Screen, css};
use crate::support::until::ensure;
use crate::support::{PATIENCE, mails, until};

#[path = "../../../benches/http/fill.rs"]
mod fill;

/// As many as five years of two thousand a month.
const MANY: usize = 100_000;
/// How many come each second, and for how many seconds.
const RUSH: (usize, u32) = (50, 6);

async fn crowded() -> Desk {
    let setup = Setup::new(&[]).await;
    let mut setup = setup.variable("DATA_DIR", "data");
    setup.crowd = MANY;
    Desk::with(setup).await
}

/// Fills the journal of a place.
pub(super) async fn fill(folder: &std::path::Path, mails: usize) -> String {
    fill::journal(folder, mails).await
}

/// Pages that have to do with how many mails there are.
fn of_mails(page: &&Page) -> bool {
    ["overview", "overview-month", "mails", "mails-none", "rules", "settings", "system", "events", "access"]
        .contains(&page.name)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a journal of 100,000 mails takes its time: cargo test --test suite dashboard::crowd -- --ignored"]
async fn pages_are_seen_soon_and_the_list_keeps_still_with_many_mails() {
    let desk = crowded().await;
    let browser = &desk.browser;
    browser.screen(Screen::Phone).await;
    browser.language("fr").await;
    let port = desk.worker.port();
    println!("with {MANY} mails:");
    for page in PAGES.iter().filter(of_mails) {
        desk.visit(page).await;
        println!("{}: {}", page.name, checks::paints(browser, port, &desk.path(page)).await);
    }
    desk.come_as(Who::User).await;
    let mail = format!("/mails/{}", desk.places.of("crowded"));
    browser.go(&mail).await;
    println!("a mail: {}", checks::paints(browser, port, &mail).await);

    // The link is another host.
    drop(browser.noise().await);

    // While mails rush in, the list that is read keeps still.
    browser.go("/mails").await;
    browser.until_true("the stream", "return document.body.dataset.liveState === 'live'").await;
    let tops = "return JSON.stringify([...document.querySelectorAll('#mails .mail')].map(
        (row) => [row.id, Math.round(row.getBoundingClientRect().top)]))";
    browser
        .run(
            "window.__slow = []; new PerformanceObserver((list) => {
            for (const entry of list.getEntries()) window.__slow.push(Math.round(entry.duration));
        }).observe({ type: 'longtask' })",
            &[],
        )
        .await;
    let before = browser.run(tops, &[]).await;
    let mut rush = tokio::time::interval(Duration::from_secs(1));
    for _ in 0..RUSH.1 {
        rush.tick().await;
        for mail in mails::mixed(RUSH.0) {
            desk.place.deliver(&mail);
        }
        assert_eq!(browser.run(tops, &[]).await, before, "nothing moves");
    }
    let all = RUSH.0 * RUSH.1 as usize;
    until("the new mails to be announced", PATIENCE, async || {
        let said = browser.text_of(&css("#news")).await;
        // More than a hundred are not counted one by one.
        ensure(said.starts_with("plus de"), || said)
    })
    .await;
    assert_eq!(browser.run(tops, &[]).await, before, "nothing moves");
    let slow = browser.run("return window.__slow", &[]).await;
    println!("{all} mails in {} s: tasks of the page over 50 ms: {slow}", RUSH.1);
    browser.assert_quiet().await;
    desk.close().await;
}
