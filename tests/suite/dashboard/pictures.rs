//! The pictures of the README: `target/tmp/screenshots/readme-*.png`, of which smaller ones lie in
//! `docs/screenshots`.

use serde_json::json;

use super::pages::Who;
use super::places::rule;
use super::{Desk, Setup};
use crate::support::browser::{Screen, Theme, css};
use crate::support::worker::Mode;
use crate::support::{TestMail, Worker};

/// Mails as people write them.
fn sample() -> Vec<TestMail> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/demo/mails");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("mails").flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mails = files.iter().filter(|file| !file.to_string_lossy().contains("illisible"));
    mails
        .map(|file| TestMail {
            mark: file.file_stem().expect("a name").to_string_lossy().into_owned(),
            raw: std::fs::read(file).expect("a mail"),
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pictures_of_the_readme_are_taken() {
    let files = Worker::start(Mode::Copies).await;
    let mut setup = Setup::new(&sample()).await;
    setup.variables.extend(files.environment());
    let url = setup.receiver.url("/factures");
    let rules = json!({ "rules": [rule("factures", "Factures", "facture", &url)] });
    let desk = Desk::with(setup.document("routing_rules", rules)).await;
    let browser = &desk.browser;
    browser.language("fr").await;
    browser.theme(Theme::Light).await;
    browser.screen(Screen::Desk).await;
    desk.come_as(Who::User).await;
    let list = desk.api.get("/api/v1/mails?text=recadrage").await;
    let mut mails = list["items"].as_array().expect("mails").iter();
    let sent =
        mails.find(|mail| mail["state"] == "routed").unwrap_or_else(|| panic!("none was sent: {list}"));
    let id = sent["id"].as_str().expect("an id");
    desk.until_mail(id, "delivered", |mail| mail["delivered"] == 1).await;
    // By then the worker has the mailbox.
    browser.go("/").await;
    browser.see_text("à l'écoute").await;
    for (name, path) in
        [("overview", "/".to_owned()), ("mail", format!("/mails/{id}")), ("rules", "/regles".to_owned())]
    {
        browser.go(&path).await;
        browser.see(&css("main h1")).await;
        browser.until_true("the stream", "return document.body.dataset.liveState === 'live'").await;
        browser.shoot_screen(&format!("readme-{name}")).await;
    }
    browser.assert_quiet().await;
    desk.close().await;
}
