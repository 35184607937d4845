//! The history of a document, version by version.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::config::documents::Key;
use crate::config::events::{ConfigEvent, config_stream};
use crate::kernel::event::DomainEvent as _;
use crate::kernel::journal::Journal;
use crate::mail::policy::Configuration;

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
    events
        .iter()
        .map(|event| {
            let (version, at) = (event.version, event.at);
            Ok(match ConfigEvent::from_recorded(event).map_err(|error| error.to_string())? {
                ConfigEvent::Changed(changed) => HistoryVersion {
                    version,
                    at,
                    origin: changed.origin,
                    fields: changed.fields,
                    removed: changed.hash.is_empty(),
                    lost: false,
                    hash: changed.hash,
                    body_key: changed.body_key,
                },
                ConfigEvent::Conflicted(lost) => HistoryVersion {
                    version,
                    at,
                    origin: lost.origin,
                    fields: lost.fields,
                    removed: false,
                    lost: true,
                    hash: lost.hash,
                    body_key: lost.body_key,
                },
            })
        })
        .collect()
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
