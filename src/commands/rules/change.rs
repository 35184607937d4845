//! The changed documents, and the two policies: what is in force, and what would be.

use std::path::Path;
use std::sync::Arc;

use chrono_tz::Tz;
use render_signal_actors::config::diff::differences;
use render_signal_actors::config::documents::{self, Key};
use render_signal_actors::config::edit::{Edit, EditError, Editor};
use render_signal_actors::config::load::load;
use render_signal_actors::config::store::file::FileStore;
use render_signal_actors::config::store::{DocumentStore as _, Read, Stamp};
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::kernel::said::Said;
use render_signal_actors::mail::compare::Trial;
use render_signal_actors::said;
use serde::Serialize;
use serde_json::Value;

use crate::cli::rules::{TestArgs, keys};
use crate::commands::{self, config};
use crate::exit::{Exit, Failure};
use crate::output::complain;
use crate::settings::{Storage, defaults_from_env};
use crate::wiring;

/// A document that is tried.
#[derive(Debug, Serialize)]
pub(super) struct Changed {
    /// Which.
    pub(super) key: &'static str,
    /// In how many places it differs from the one in force.
    pub(super) differences: usize,
}

/// Reads the documents in force and the changed ones. Writes nothing.
pub(super) async fn read(
    args: &TestArgs,
    past: Option<&dyn Journal>,
    world: &World,
) -> Result<(Trial, Vec<Changed>, Tz), Failure> {
    let proposed = match (&args.file, &args.config) {
        (Some(file), _) => vec![of_file(file, args.key)?],
        (None, Some(folder)) => of_folder(folder).await?,
        (None, None) => return Err(Failure::new(Exit::Usage, "name the change with --file or --config")),
    };
    let storage = Storage::from_env(commands::environment).map_err(commands::malformed)?;
    let env = Arc::new(defaults_from_env(commands::environment).map_err(commands::malformed)?);
    let store = wiring::documents(&storage, &env, world, None)?;
    let now = world.now();
    let in_force = load(store.as_ref(), &env, past, now).await;
    let editor = Editor { store, env: Arc::clone(&env), journal: None, world: world.clone() };
    let mut changed = Vec::new();
    let mut book = in_force.clone();
    for (key, document) in proposed {
        let next = editor.preview(&Edit::replace(key, document, "rules test").allowing_unknown()).await;
        let text = next.map_err(|error| refused(key, error))?.to_string();
        let read = Read::Found { stamp: Stamp::of(&text), text: text.clone() };
        book.insist(key, Ok(read), &env, now);
        if book.is_refused(key) {
            let Said { french, english } = book.what_is_wrong(key);
            let what = said!("{key} est refusé : {french}", "{key} is refused: {english}");
            return Err(Failure::found(commands::lang().one(what)));
        }
        let before = in_force.in_force(key).map(|document| document.text.as_str());
        changed.push(Changed { key: key.as_str(), differences: count(key, before, &text) });
    }
    for key in Key::ALL {
        let problems = book.problems(key).into_iter().map(|problem| problem.said());
        for said in problems.chain(book.remarks(key)) {
            complain(&commands::lang().about(key.as_str(), &said));
        }
    }
    Ok((Trial::new(in_force.policy(&env, 1), book.policy(&env, 2)), changed, env.zone))
}

/// Differences besides the time of writing, which is always another one.
fn count(key: Key, before: Option<&str>, after: &str) -> usize {
    let parsed = |text: &str| documents::from_json::<Value>(text).ok();
    let found = differences(key, before.and_then(parsed).as_ref(), parsed(after).as_ref());
    found.iter().filter(|found| found.path != render_signal_actors::config::edit::UPDATED_AT).count()
}

fn of_file(file: &Path, key: Option<Key>) -> Result<(Key, Value), Failure> {
    let by_name = || file.file_stem().and_then(|name| name.to_str()).and_then(Key::named);
    let Some(key) = key.or_else(by_name).filter(|key| *key != Key::MagicLinkTokens) else {
        let names: Vec<&str> = keys().map(Key::as_str).collect();
        return Err(Failure::new(
            Exit::Usage,
            format!("which document is {}? Say it with --key: {}", file.display(), names.join(", ")),
        ));
    };
    Ok((key, config::document_file(key, file)?))
}

async fn of_folder(folder: &Path) -> Result<Vec<(Key, Value)>, Failure> {
    let store = FileStore::new(folder, None);
    let mut found = Vec::new();
    for key in keys() {
        match store.read(key).await.map_err(|error| Failure::found(error.to_string()))? {
            Read::Absent => {}
            Read::Found { text, .. } => {
                let document = documents::from_json(&text).map_err(|error| {
                    Failure::found(format!("{key}: {} is no JSON: {error}", store.path(key).display()))
                })?;
                found.push((key, document));
            }
        }
    }
    if found.is_empty() {
        let names: Vec<String> = keys().map(|key| format!("{key}.json")).collect();
        return Err(Failure::found(format!(
            "there is no document in {}: none of {}",
            folder.display(),
            names.join(", ")
        )));
    }
    Ok(found)
}

fn refused(key: Key, error: EditError) -> Failure {
    Failure::found(match error {
        EditError::Invalid(problems) => {
            let lang = commands::lang();
            let head = lang.pick("est refusé, rien n'a été essayé", "is refused, nothing was tested");
            let problems = problems.iter().map(|problem| format!("\n  {}", lang.problem(problem)));
            format!("{key} {head}{}{}", lang.pick(" :", ":"), problems.collect::<String>())
        }
        other => format!("{key}: {other}"),
    })
}
