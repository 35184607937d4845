//! The changed documents, and the two policies: what is in force, and what would be.

use std::path::Path;
use std::sync::Arc;

use chrono_tz::Tz;
use render_signal_actors::config::documents::{self, Key};
use render_signal_actors::config::edit::Editor;
use render_signal_actors::config::store::file::FileStore;
use render_signal_actors::config::store::{DocumentStore as _, StoreReading};
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::said;
use serde_json::Value;

use crate::cli::rules::{TestArgs, keys};
use crate::commands::{self, config};
use crate::exit::{CommandFailure, Exit};
use crate::output::complain;
use crate::services::ServiceError;
use crate::services::trial::{self, PreparedTrial};
use crate::settings::{Storage, defaults_from_env};
use crate::wiring;

/// Reads the documents in force and the changed ones. Writes nothing.
pub(super) async fn read(
    args: &TestArgs,
    past: Option<Arc<dyn Journal>>,
    world: &World,
) -> Result<(PreparedTrial, Tz), CommandFailure> {
    let proposed = match (&args.file, &args.config) {
        (Some(file), _) => vec![of_file(file, args.key)?],
        (None, Some(folder)) => of_folder(folder).await?,
        (None, None) => {
            let unnamed = said!(
                "nommez le changement par --file ou --config",
                "name the change with --file or --config"
            );
            return Err(CommandFailure::new(Exit::Usage, commands::lang().one(unnamed)));
        }
    };
    let storage = Storage::from_env(commands::environment).map_err(commands::malformed)?;
    let env = Arc::new(defaults_from_env(commands::environment).map_err(commands::malformed)?);
    let store = wiring::documents(&storage, &env, world, past.clone())?;
    let editor = Editor { store, env: Arc::clone(&env), journal: None, world: world.clone() };
    let prepared = trial::prepare(&editor, past.as_deref(), proposed).await.map_err(refused)?;
    for (key, said) in &prepared.remarks {
        complain(&commands::lang().about(key.as_str(), said));
    }
    Ok((prepared, env.zone))
}

fn of_file(file: &Path, key: Option<Key>) -> Result<(Key, Value), CommandFailure> {
    let by_name = || file.file_stem().and_then(|name| name.to_str()).and_then(Key::named);
    let Some(key) = key.or_else(by_name).filter(|key| *key != Key::MagicLinkTokens) else {
        let names: Vec<&str> = keys().map(Key::as_str).collect();
        let (file, names) = (file.display(), names.join(", "));
        let which = said!(
            "quel document est {file} ? Dites-le par --key : {names}",
            "which document is {file}? Say it with --key: {names}"
        );
        return Err(CommandFailure::new(Exit::Usage, commands::lang().one(which)));
    };
    Ok((key, config::document_file(key, file)?))
}

async fn of_folder(folder: &Path) -> Result<Vec<(Key, Value)>, CommandFailure> {
    let store = FileStore::new(folder, None);
    let mut found = Vec::new();
    for key in keys() {
        match store.read(key).await.map_err(|error| CommandFailure::from(ServiceError::from(error)))? {
            StoreReading::Absent => {}
            StoreReading::Found { text, .. } => {
                let document = documents::from_json(&text).map_err(|error| {
                    let path = store.path(key);
                    let path = path.display();
                    CommandFailure::found(commands::lang().one(said!(
                        "{key} : {path} n'est pas du JSON : {error}",
                        "{key}: {path} is no JSON: {error}"
                    )))
                })?;
                found.push((key, document));
            }
        }
    }
    if found.is_empty() {
        let names: Vec<String> = keys().map(|key| format!("{key}.json")).collect();
        let (folder, names) = (folder.display(), names.join(", "));
        return Err(CommandFailure::found(commands::lang().one(said!(
            "il n'y a aucun document dans {folder} : ni l'un ni l'autre de {names}",
            "there is no document in {folder}: none of {names}"
        ))));
    }
    Ok(found)
}

fn refused(refused: ServiceError) -> CommandFailure {
    match &refused {
        ServiceError::Invalid(key, problems) => {
            let nothing =
                commands::lang().pick("est refusé, rien n'a été essayé", "is refused, nothing was tested");
            CommandFailure::found(commands::refusal(key.as_str(), nothing, problems))
        }
        _ => refused.into(),
    }
}
