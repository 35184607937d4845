//! `config migrate`: files into Redis, with the words and exit codes of the reference system
//! (its section 2.6).

use std::path::{Path, PathBuf};

use render_signal_actors::config::documents::normal::normalise;
use render_signal_actors::config::documents::{self, Key};
use render_signal_actors::config::edit::{Edit, UPDATED_AT};
use render_signal_actors::config::store::Read;
use serde_json::{Map, Value};

use super::{Documents, by_name, is_our_own, itself, not_changed, say_unknown};
use crate::cli::config::MigrateArgs;
use crate::commands;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Output, complain};
use crate::settings::Storage;

/// Who changed it, as the history says.
const ORIGIN: &str = "migrate";

const NOT_THERE: &str = "could not read back";

/// What `--only` asks for; names that are no document are dropped.
fn selected(only: &[String]) -> Vec<Key> {
    let wanted = |key: &Key| only.is_empty() || only.iter().any(|name| name.trim() == key.as_str());
    by_name().into_iter().filter(wanted).collect()
}

/// Migrates and prints one line per document, and one more per verification.
pub(super) async fn run(args: &MigrateArgs, out: &mut Output) -> Outcome {
    let keys = selected(&args.only);
    if keys.is_empty() {
        return Err(Failure::new(Exit::Usage, "No valid values provided for --only"));
    }
    let storage = Storage::from_env(commands::environment).map_err(commands::malformed)?;
    let target = if args.dry_run { None } else { Some(Target::open(args).await?) };
    let mut all_well = true;
    for key in keys {
        let source = source(key, &storage);
        if !source.exists() {
            if is_our_own(key) && args.only.is_empty() {
                continue;
            }
            out.line(format!("{key}: source file not found; skip"))?;
            continue;
        }
        let Some(mut document) = read(&source) else {
            out.line(format!("{key}: invalid or missing JSON at {}; skip", source.display()))?;
            continue;
        };
        if let Value::Object(fields) = &mut document {
            // As it is stored, so that it is what is read back.
            normalise(key, fields, |_| true);
        }
        let Some(target) = &target else {
            out.line(format!("{key}: DRY (source={})", source.display()))?;
            continue;
        };
        let written = target.write(key, document.clone()).await;
        let word = if written { "OK" } else { "FAILED" };
        out.line(format!("{key}: {word} (source={})", source.display()))?;
        all_well &= written;
        if args.verify && written {
            let wrong = target.differs(key, document).await?;
            all_well &= wrong.is_none();
            out.line(match wrong {
                None => format!("{key}: VERIFY OK"),
                Some(why) => format!("{key}: VERIFY FAILED ({why})"),
            })?;
        }
    }
    if let Some(documents) = target.and_then(|target| target.documents) {
        documents.close().await;
    }
    Ok(if all_well { Exit::Ok } else { Exit::Found })
}

/// The file of a document: for the sign-in links the first that exists.
fn source(key: Key, storage: &Storage) -> PathBuf {
    let in_folder = |name: &str| storage.config_dir.join(name);
    if key != Key::MagicLinkTokens {
        return in_folder(&format!("{key}.json"));
    }
    let mut places = vec![in_folder("magic_link_tokens.json"), in_folder("magic_links.json")];
    if !places.contains(&storage.magic_links_file) {
        places.insert(0, storage.magic_links_file.clone());
    }
    let first = places.iter().find(|path| path.exists()).or(places.first());
    first.cloned().unwrap_or_default()
}

/// The object of a file. What Python takes for false is an empty one.
fn read(path: &Path) -> Option<Value> {
    let text = std::fs::read_to_string(path).ok()?;
    let value: Value = documents::from_json(&text).ok()?;
    let is_nothing = match &value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(members) => members.is_empty(),
        Value::Object(_) => return Some(value),
        Value::Bool(true) => false,
    };
    is_nothing.then(|| Value::Object(Map::new()))
}

/// Where documents go.
struct Target {
    /// `None` = nowhere.
    documents: Option<Documents>,
    redis_only: bool,
}

impl Target {
    async fn open(args: &MigrateArgs) -> Result<Self, Failure> {
        let redis_only = args.require_redis;
        Ok(Self { documents: Documents::shared(&args.journal, redis_only).await?, redis_only })
    }

    /// Writes a document as it is. Returns whether that was done; why not goes to standard error.
    async fn write(&self, key: Key, document: Value) -> bool {
        let Some(documents) = &self.documents else {
            complain(&format!("{key}: there is nowhere to write it: set REDIS_URL"));
            return false;
        };
        // What another program has left is moved as it is, and said.
        say_unknown(key, &document);
        let edit = Edit::replace(key, document, ORIGIN).keeping_time().allowing_unknown();
        match documents.editor().apply(&edit).await {
            Ok(saved) => {
                if let Some(why) = saved.degraded {
                    complain(&format!("{key} is in {} only: {why}", saved.stored_in));
                }
                true
            }
            Err(error) => {
                complain(&not_changed(key.as_str(), error).to_string());
                false
            }
        }
    }

    /// What is wrong with what the store itself says, asked anew, beside what was sent. When it
    /// was written is the store's business.
    async fn differs(&self, key: Key, sent: Value) -> Result<Option<&'static str>, Failure> {
        let Some(store) = itself(self.redis_only)? else { return Ok(Some(NOT_THERE)) };
        Ok(match store.read(key).await {
            Ok(Read::Found { text, .. }) => {
                let found = documents::from_json::<Value>(&text).ok().map(timeless);
                (found != Some(timeless(sent))).then_some("read back something else")
            }
            Ok(Read::Absent) => Some(NOT_THERE),
            Err(error) => {
                complain(&error.to_string());
                Some(NOT_THERE)
            }
        })
    }
}

/// A document without the time of its writing.
fn timeless(mut document: Value) -> Value {
    if let Value::Object(fields) = &mut document {
        fields.shift_remove(UPDATED_AT);
    }
    document
}
