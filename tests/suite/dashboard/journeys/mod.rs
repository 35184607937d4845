//! From one page to the next, through what people see and touch, with the program as it runs.

mod access;
mod conflicts;
mod live;
mod login;
mod mails;
mod overview;
mod rules;
mod sessions;
mod settings;
mod system;
mod without_script;

use super::Desk;
use crate::support::browser::{Browser, css};

/// What the fields of the login are called.
const FRENCH: [&str; 3] = ["Utilisateur", "Mot de passe", "Se connecter"];
/// The same in English.
const ENGLISH: [&str; 3] = ["User", "Password", "Sign in"];

/// Presses the button that opens a question, then the one that says yes.
async fn confirm(browser: &Browser, opener: &str) {
    browser.click(&css(&format!("{opener}:not([popovertargetaction])"))).await;
    browser.click(&css("[popover]:popover-open button.primary")).await;
}

/// Has the page that is shown remember that it was not loaded again since.
async fn mark(browser: &Browser) {
    browser.run("window.__same = true", &[]).await;
}

/// The page is the one that was marked.
async fn assert_same(browser: &Browser) {
    let same = browser.run("return window.__same === true", &[]).await;
    assert_eq!(same, true, "the page was loaded again");
}

/// The link to a mail in the list, by the mark in its subject.
fn row(id: &str) -> crate::support::browser::Target {
    css(&format!("#mails a[href=\"/mails/{id}\"]"))
}

/// What the number field of the limit says.
const LIMIT: &str = "#f-rate_limit_per_hour";
/// Its button.
const SAVE_LIMITS: &str = "#form-limites .save-bar button.primary";

/// The stored limit of webhooks per hour.
fn stored_limit(desk: &Desk) -> serde_json::Value {
    desk.place.stored("processing_prefs")["rate_limit_per_hour"].clone()
}
