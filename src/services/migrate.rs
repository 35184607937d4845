//! Documents from files into the shared store, with the words of the reference system (its
//! section 2.6) as a log.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use render_signal_actors::config::documents::normal::normalise;
use render_signal_actors::config::documents::{self, Key, effect};
use render_signal_actors::config::edit::{Edit, Editor, UPDATED_AT};
use render_signal_actors::config::store::{DocumentStore, StoreReading};
use render_signal_actors::kernel::said::Said;
use render_signal_actors::said;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::ServiceError;
use crate::settings::Storage;

/// Who changed it, as the history says.
const ORIGIN: &str = "migrate";

const NOT_THERE: &str = "could not read back";

/// Every document, in the order of the reference system's commands: by name.
pub(crate) fn by_name() -> [Key; Key::ALL.len()] {
    let mut keys = Key::ALL;
    keys.sort_unstable_by_key(|key| key.as_str());
    keys
}

/// Whether the reference system knows nothing of a document, so that nobody misses it who
/// did not ask for it by name.
pub(crate) const fn is_our_own(key: Key) -> bool {
    matches!(key, Key::Detectors | Key::Providers)
}

/// What became of one document.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = MigrationLog)]
pub(crate) struct MigrationLog {
    /// All is well.
    pub(crate) ok: bool,
    /// What the reference system's script prints, line by line.
    pub(crate) lines: Vec<String>,
    /// What is to be said besides, each naming the document.
    #[schema(value_type = Vec<String>)]
    pub(crate) complaints: Vec<Said>,
}

impl MigrationLog {
    fn line(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    fn complain(&mut self, said: Said) {
        self.complaints.push(said);
    }
}

/// Which steps of a migration are taken.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MigrationOptions {
    /// Say only what would be migrated.
    pub(crate) dry: bool,
    /// Read each document back, and compare.
    pub(crate) verify: bool,
}

/// The store that documents are written into.
pub(crate) struct MigrationTarget {
    /// `None` = nowhere.
    pub(crate) editor: Option<Editor>,
    /// A new connection to the store itself, without fallbacks and without what was read before.
    pub(crate) itself: Box<dyn Fn() -> Option<Arc<dyn DocumentStore>>>,
}

/// Migrates the documents, in the order of their names. `each` is told of every document when it
/// is done, so that who watches sees it go on. `asked` = they were asked for by name.
pub(crate) async fn migrate(
    keys: &[Key],
    asked: bool,
    options: MigrationOptions,
    storage: &Storage,
    target: &MigrationTarget,
    mut each: impl FnMut(&MigrationLog),
) -> MigrationLog {
    let mut all = MigrationLog { ok: true, ..MigrationLog::default() };
    for key in keys.iter().copied() {
        let log = one(key, asked, options, storage, target).await;
        each(&log);
        all.ok &= log.ok;
        all.lines.extend(log.lines);
        all.complaints.extend(log.complaints);
    }
    all
}

async fn one(
    key: Key,
    asked: bool,
    options: MigrationOptions,
    storage: &Storage,
    target: &MigrationTarget,
) -> MigrationLog {
    let mut log = MigrationLog { ok: true, ..MigrationLog::default() };
    let source = source(key, storage);
    let shown = source.display();
    if !source.exists() {
        if asked || !is_our_own(key) {
            log.line(format!("{key}: source file not found; skip"));
        }
        return log;
    }
    let Some(mut document) = read(&source) else {
        log.line(format!("{key}: invalid or missing JSON at {shown}; skip"));
        return log;
    };
    if let Value::Object(fields) = &mut document {
        // As it is stored, so that it is what is read back.
        normalise(key, fields, |_| true);
    }
    if options.dry {
        log.line(format!("{key}: DRY (source={shown})"));
        return log;
    }
    let written = target.write(key, document.clone(), &mut log).await;
    let word = if written { "OK" } else { "FAILED" };
    log.line(format!("{key}: {word} (source={shown})"));
    log.ok = written;
    if options.verify && written {
        let wrong = target.differs(key, document, &mut log).await;
        log.ok = wrong.is_none();
        log.line(match wrong {
            None => format!("{key}: VERIFY OK"),
            Some(why) => format!("{key}: VERIFY FAILED ({why})"),
        });
    }
    log
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

impl MigrationTarget {
    /// Writes a document as it is. Returns whether that was done.
    async fn write(&self, key: Key, document: Value, log: &mut MigrationLog) -> bool {
        let Some(editor) = &self.editor else {
            log.complain(said!(
                "{key}\u{a0}: il n'y a nulle part où l'écrire\u{a0}: définissez REDIS_URL",
                "{key}: there is nowhere to write it: set REDIS_URL"
            ));
            return false;
        };
        // What another program has left is moved as it is, and said.
        for Said { french, english } in effect::unknown(key, &document) {
            log.complain(said!("{key}\u{a0}: {french}", "{key}: {english}"));
        }
        let edit = Edit::replace(key, document, ORIGIN).keeping_time().allowing_unknown();
        match editor.apply(&edit).await {
            Ok(saved) => {
                if let Some(why) = saved.degraded {
                    let place = saved.stored_in;
                    log.complain(said!(
                        "{key} est en vigueur et attend, avec une copie dans {place}\u{a0}: {why}",
                        "{key} is in force, and waits with a copy in {place}: {why}"
                    ));
                }
                true
            }
            Err(error) => {
                log.complain(ServiceError::edit(key, error).said());
                false
            }
        }
    }

    /// What is wrong with what the store itself says, beside what was sent. When it was written
    /// is the store's business.
    async fn differs(&self, key: Key, sent: Value, log: &mut MigrationLog) -> Option<&'static str> {
        let Some(store) = (self.itself)() else { return Some(NOT_THERE) };
        match store.read(key).await {
            Ok(StoreReading::Found { text, .. }) => {
                let found = documents::from_json::<Value>(&text).ok().map(timeless);
                (found != Some(timeless(sent))).then_some("read back something else")
            }
            Ok(StoreReading::Absent) => Some(NOT_THERE),
            Err(error) => {
                log.complain(ServiceError::from(error).said());
                Some(NOT_THERE)
            }
        }
    }
}

/// A document without the time of its writing.
fn timeless(mut document: Value) -> Value {
    if let Value::Object(fields) = &mut document {
        fields.shift_remove(UPDATED_AT);
    }
    document
}
