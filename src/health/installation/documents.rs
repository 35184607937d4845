//! The documents where they are kept, the store that has the last word first.

use std::sync::Arc;

use render_signal_actors::config::active::ActiveDocuments;
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::policy::EnvDefaults;
use render_signal_actors::config::store::{DocumentStore, StoreReading};
use render_signal_actors::egress::EgressPolicy;
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::said::Said;
use render_signal_actors::said;

use crate::findings::{Finding, InTurn, Names};
use crate::health::Check;
use crate::settings::Storage;
use crate::wiring;

pub(super) async fn look(
    active: &ActiveDocuments,
    storage: &Storage,
    (defaults, world): (&EnvDefaults, &World),
    checks: &mut Vec<Check>,
) {
    let egress = EgressPolicy::new(defaults.egress_allow.clone());
    let shared = wiring::remote_documents(storage, &egress, world).unwrap_or_default();
    let before = checks.len();
    for key in Key::ALL {
        checks.extend(wrong(active, storage, &shared, key).await);
    }
    let sound = checks.len() == before;
    for key in Key::ALL {
        let document = key.as_str();
        checks.extend(active.remarks(key).into_iter().map(|remark| {
            Check::new(name(key), Finding::FieldIdle { document: document.to_owned(), remark })
        }));
    }
    if sound {
        checks.push(all_sound(active, storage, &shared));
    }
}

fn name(key: Key) -> String {
    format!("document {key}")
}

/// What is wrong with a document, and what to do about it.
async fn wrong(
    active: &ActiveDocuments,
    storage: &Storage,
    shared: &[Arc<dyn DocumentStore>],
    key: Key,
) -> Vec<Check> {
    let problems = active.problems(key);
    if problems.is_empty() {
        return Vec::new();
    }
    let mend = mend(key, holder(shared, key).await, storage);
    let document = || key.as_str().to_owned();
    let mut checks: Vec<Check> = problems
        .into_iter()
        .map(|problem| match active.withholds(key) {
            _ if active.is_missing(key) => Finding::DocumentMissing { document: document(), problem },
            Some(stops) => Finding::DocumentStops {
                document: document(),
                problem,
                what: stops.said(),
                mend: mend.clone(),
            },
            None => Finding::DocumentRefused { document: document(), problem, mend: mend.clone() },
        })
        .map(|finding| Check::new(name(key), finding))
        .collect();
    if active.is_switched_off(key) {
        checks.push(Check::new(name(key), Finding::DocumentOff { document: document() }));
    }
    checks
}

fn all_sound(active: &ActiveDocuments, storage: &Storage, shared: &[Arc<dyn DocumentStore>]) -> Check {
    let absent = |key: &Key| active.in_force(*key).is_none() && !active.is_refused(*key);
    let absent: Names = Key::ALL.into_iter().filter(absent).map(Key::as_str).collect();
    let mut places: Vec<Said> = shared.iter().map(|store| place(store.name(), storage)).collect();
    places.push(place("file", storage));
    let mut check = Check::new("documents", Finding::DocumentsSound { places: InTurn(places) });
    if !absent.0.is_empty() {
        check.findings.push(Finding::SomeAbsent { documents: absent });
    }
    check
}

/// The name of the store whose word about a document holds; `Err` = of the one that does not
/// answer.
async fn holder(shared: &[Arc<dyn DocumentStore>], key: Key) -> Result<&'static str, &'static str> {
    for store in shared {
        match store.read(key).await {
            Ok(StoreReading::Absent) => {}
            Ok(StoreReading::Found { .. }) => return Ok(store.name()),
            Err(_) => return Err(store.name()),
        }
    }
    Ok("file")
}

/// A store in plain words.
fn place(store: &str, storage: &Storage) -> Said {
    match (store, &storage.php, &storage.redis_documents) {
        ("php", Some(host), _) => {
            let host = host.host();
            said!("chez {host}", "at {host}")
        }
        ("redis", _, Some(prefix)) => said!("dans Redis sous {prefix}", "in Redis under {prefix}"),
        _ => {
            let folder = storage.config_dir.display();
            said!("dans {folder}", "in {folder}")
        }
    }
}

/// What to do about a document that is wrong.
fn mend(key: Key, holder: Result<&'static str, &'static str>, storage: &Storage) -> Said {
    match holder {
        Ok("file") => {
            let file = match key {
                Key::MagicLinkTokens => storage.magic_links_file.clone(),
                _ => storage.config_dir.join(format!("{key}.json")),
            };
            let file = file.display();
            said!("modifiez {file}", "edit {file}")
        }
        Ok(store) => {
            let Said { french, english } = place(store, storage);
            said!(
                "il est gardé {french}\u{a0}; config show {key} --reveal > FICHIER, modifiez-le, config set {key} --file \
                 FICHIER",
                "it is kept {english}; config show {key} --reveal > FILE, edit it, config set {key} --file FILE"
            )
        }
        Err(store) => {
            let Said { french, english } = place(store, storage);
            said!(
                "regardez {french}, qui le garde\u{a0}; voyez « A configuration store does not answer » dans \
                 docs/RUNBOOK.md",
                "look {english}, which keeps it; see \"A configuration store does not answer\" in docs/RUNBOOK.md"
            )
        }
    }
}
