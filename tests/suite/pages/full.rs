//! A journal that has no room: a form that could not be saved says so, and what to do.

use super::person::Person;
use crate::support::FullDisk;
use crate::support::api::Api;
use crate::support::mails::named;
use crate::support::place::{NOWHERE, Place};
use crate::support::until::ensure;
use crate::support::{PATIENCE, until};

/// What is said of a full disk; and of a disk that fails, which is what a program is told that may
/// not enlarge its files.
const SAID: [(&str, [&str; 2]); 2] = [
    (
        "fr",
        ["Le journal est plein, donc rien n'a été enregistré. Libérez de la place", "Le disque du journal"],
    ),
    ("en", ["The journal is full, so nothing was saved. Make room on its disk", "The journal's disk fails"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_a_full_journal_did_not_take_says_that_and_what_to_do_in_the_readers_language() {
    let mut place = Place::new(NOWHERE);
    place.set("API_TOKEN_SCOPES", "read,actions");
    place.set("DATA_DIR", "small-disk");
    let disk = FullDisk::prepare(&place.path("small-disk"));
    let mut worker = place.worker("worker");
    disk.attach(&mut worker);
    worker.start().await;
    place.deliver(&named("Re: Photos", "Zoe <zoe@example.fr>"));
    let id = until("the mail to be ignored", PATIENCE, async || {
        let list = Api::new(worker.port()).get("/api/v1/mails?state=ignored").await;
        ensure(list["items"][0]["id"].is_string(), || list.to_string())?;
        Ok::<_, String>(list["items"][0]["id"].as_str().unwrap_or_default().to_owned())
    })
    .await;
    let mut reader = Person::signed_in(&worker).await;

    disk.fill(&worker);
    for (language, wanted) in SAID {
        reader.language = language;
        let page = reader.done(&format!("/mails/{id}/liberer"), &[]).await.replace("&#39;", "'");
        assert!(page.contains("role=\"alert\""), "{page}");
        assert!(wanted.iter().any(|wanted| page.contains(wanted)), "{page}");
        assert!(!page.contains("database or disk") && !page.contains("render-signal.db"), "{page}");
    }

    disk.free(&worker);
    reader.language = "fr";
    reader.done(&format!("/mails/{id}/liberer"), &[]).await;
    let page = reader.page(&format!("/mails/{id}")).await;
    assert!(page.contains("Libéré"), "there is room again: {page}");
}
