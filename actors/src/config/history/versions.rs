//! The history of a document, version by version.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::config::documents::Key;
use crate::config::events::{ConfigEvent, config_stream};
use crate::kernel::event::{DomainEvent as _, Recorded};
use crate::kernel::journal::Journal;
use crate::mail::policy::Configuration;

/// Who is said to have made a version that holds a change which waited.
pub const RECONCILED: &str = "reconciled";

/// A version in the history of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryVersion {
    /// Its number: 1 is the first that was recorded.
    pub version: u64,
    /// When it was recorded.
    pub at: DateTime<Utc>,
    /// Who changed it.
    pub origin: String,
    /// Top-level fields that differ from the version before.
    pub fields: Vec<String>,
    /// The document was removed.
    pub removed: bool,
    /// It lost against another version, and was never in force.
    pub lost: bool,
    /// SHA-256 of its canonical JSON; empty when it was removed.
    pub hash: String,
    /// Key of its copy; empty when it was removed, or has none.
    #[serde(skip)]
    pub(in crate::config) body_key: String,
}

/// A document that a decision was made under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DecidedUnder {
    /// Its key.
    pub document: String,
    /// Its version in the history; see [`versions_of`].
    pub version: Option<u64>,
    /// The first digits of its hash.
    pub hash: String,
}

/// The whole history of a document, oldest first.
///
/// # Errors
/// When the journal cannot be read, in plain words.
pub async fn versions(journal: &dyn Journal, key: Key) -> Result<Vec<HistoryVersion>, String> {
    let events =
        journal.read_stream(&config_stream(key.as_str()), 0).await.map_err(|error| error.to_string())?;
    let mut versions = Vec::with_capacity(events.len());
    let mut in_force = String::new();
    for recorded in &events {
        let event = ConfigEvent::from_recorded(recorded).map_err(|error| error.to_string())?;
        versions.extend(version_of(recorded, event, &mut in_force));
    }
    Ok(versions)
}

/// The version that an event makes; `None` = it makes none. `in_force` is the hash of the one
/// before, and of this one afterwards.
fn version_of(recorded: &Recorded, event: ConfigEvent, in_force: &mut String) -> Option<HistoryVersion> {
    let of = |origin, fields, hash, body_key| HistoryVersion {
        version: recorded.version,
        at: recorded.at,
        origin,
        fields,
        removed: false,
        lost: false,
        hash,
        body_key,
    };
    let version = match event {
        ConfigEvent::Changed(event) => {
            let removed = event.hash.is_empty();
            HistoryVersion { removed, ..of(event.origin, event.fields, event.hash, event.body_key) }
        }
        ConfigEvent::Deferred(event) => of(event.origin, event.fields, event.hash, event.body_key),
        ConfigEvent::Reconciled(event) => of(RECONCILED.to_owned(), event.fields, event.hash, event.body_key),
        ConfigEvent::Conflicted(event) => {
            // It takes nothing's place.
            let lost = of(event.origin, event.fields, event.hash, event.body_key);
            return Some(HistoryVersion { lost: true, ..lost });
        }
        ConfigEvent::Resolved(_) | ConfigEvent::Absent(_) => return None,
    };
    // The same, that has come to another place.
    let moved = version.hash == *in_force && version.fields.is_empty() && !version.removed;
    in_force.clone_from(&version.hash);
    (!moved).then_some(version)
}

/// The versions of the documents that a decision was made under, in order of their keys; a
/// version is `None` when the history does not know it: it was in force before it was recorded,
/// or the journal has lost it.
///
/// # Errors
/// When the journal cannot be read.
pub async fn versions_of(
    journal: &dyn Journal,
    configuration: &Configuration,
) -> Result<Vec<DecidedUnder>, String> {
    let mut found = Vec::with_capacity(configuration.0.len());
    for (document, hash) in &configuration.0 {
        let history = match Key::named(document) {
            Some(key) => versions(journal, key).await?,
            None => Vec::new(),
        };
        let version = history.iter().rfind(|known| !known.lost && known.hash.starts_with(hash.as_str()));
        let version = version.map(|known| known.version);
        found.push(DecidedUnder { document: document.clone(), version, hash: hash.clone() });
    }
    Ok(found)
}
