//! Every change of a document is an event, with a copy of the document beside it.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use super::active::{InForce, canonical_hash};
use super::documents::{DocumentSet, Key};
use super::events::{ConfigEvent, DocumentChanged, config_stream};
use super::policy::EnvDefaults;
use super::store::{DocumentStore, StoreReading};
use crate::kernel::clock::World;
use crate::kernel::event::DomainEvent;
use crate::kernel::execute::{Decision, execute};
use crate::kernel::journal::{Body, Commit, Expected, Journal, StreamWrite};
use crate::kernel::said::{Said, said};
use crate::mail::policy::Configuration;

/// How many copies are looked through for one that somebody has seen: nobody has been
/// looking at a form for longer.
const MAX_COPIES_SEARCHED: usize = 50;

/// The newest recorded version of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct LastRecorded {
    /// Version of the stream.
    pub version: u64,
    /// Its hash; empty when the document was removed.
    pub hash: String,
    /// Its copy; `None` when it was removed or the copy is gone.
    pub text: Option<String>,
}

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
    pub(super) body_key: String,
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

/// Why there is no copy of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyError {
    /// There never was one of this number.
    NoVersion {
        /// The document.
        key: Key,
        /// The number.
        version: u64,
        /// The newest there is; 0 = none.
        newest: u64,
    },
    /// The history keeps no content of this document.
    NoContent(Key),
    /// Its time is over.
    Gone {
        /// The document.
        key: Key,
        /// The number.
        version: u64,
    },
    /// The journal could not be read.
    Unreadable(String),
}

impl CopyError {
    /// In words.
    #[must_use]
    pub fn said(&self) -> Said {
        match self {
            Self::NoVersion { key, newest: 0, .. } => {
                said!("{key} n'a pas encore d'historique", "{key} has no history yet")
            }
            Self::NoVersion { key, version, newest } => said!(
                "{key} n'a pas de version {version}\u{a0}; la plus récente est {newest}",
                "{key} has no version {version}; the newest is {newest}"
            ),
            Self::NoContent(key) => said!(
                "de {key} l'historique ne garde aucun contenu, seulement quand il a changé et une empreinte",
                "of {key} the history keeps no content, only when it changed and a hash"
            ),
            Self::Gone { key, version } => said!(
                "la copie de la version {version} de {key} n'est plus là\u{a0}: CONFIG_HISTORY_VERSIONS et \
                 CONFIG_HISTORY_DAYS disent combien de temps elle reste",
                "the copy of version {version} of {key} is gone: CONFIG_HISTORY_VERSIONS and CONFIG_HISTORY_DAYS \
                 say how long one stays"
            ),
            Self::Unreadable(why) => Said::alike(why.as_str()),
        }
    }
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.said().fmt(f)
    }
}

impl std::error::Error for CopyError {}

/// The copy of a version; `None` when the document was removed by it.
///
/// # Errors
/// When there is no such version, its copy is gone, or the journal cannot be read.
pub async fn copy(journal: &dyn Journal, key: Key, version: u64) -> Result<Option<String>, CopyError> {
    let versions = versions(journal, key).await.map_err(CopyError::Unreadable)?;
    let newest = versions.last().map_or(0, |newest| newest.version);
    let found = versions.into_iter().find(|known| known.version == version);
    let found = found.ok_or(CopyError::NoVersion { key, version, newest })?;
    if found.removed {
        return Ok(None);
    }
    match text_of(journal, &found.body_key).await.map_err(CopyError::Unreadable)? {
        Some(text) => Ok(Some(text)),
        None if !keeps_content(key) => Err(CopyError::NoContent(key)),
        None => Err(CopyError::Gone { key, version }),
    }
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

/// Whether the copy of a version is still there.
///
/// # Errors
/// When the journal cannot be read.
pub async fn is_kept(journal: &dyn Journal, version: &HistoryVersion) -> Result<bool, String> {
    Ok(text_of(journal, &version.body_key).await?.is_some())
}

/// The newest copy that is the one in question; `None` when none is.
///
/// # Errors
/// When the journal cannot be read.
pub async fn copy_with(
    journal: &dyn Journal,
    key: Key,
    is_it: impl Fn(&str) -> bool,
) -> Result<Option<String>, String> {
    for known in versions(journal, key).await?.iter().rev().take(MAX_COPIES_SEARCHED) {
        if let Some(text) = text_of(journal, &known.body_key).await?
            && is_it(&text)
        {
            return Ok(Some(text));
        }
    }
    Ok(None)
}

pub(super) async fn text_of(journal: &dyn Journal, body_key: &str) -> Result<Option<String>, String> {
    if body_key.is_empty() {
        return Ok(None);
    }
    let copy = journal.body(body_key).await.map_err(|error| error.to_string())?;
    // An empty one is about to be dropped.
    let copy = copy.filter(|bytes| !bytes.is_empty());
    Ok(copy.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok()))
}

/// Reads the newest recorded version; `None` when there is none.
///
/// # Errors
/// When the journal cannot be read, in plain words.
pub async fn last(journal: &dyn Journal, key: Key) -> Result<Option<LastRecorded>, String> {
    let events =
        journal.read_stream(&config_stream(key.as_str()), 0).await.map_err(|error| error.to_string())?;
    let Some(newest) = events.last() else { return Ok(None) };
    let mut changed = None;
    for event in events.iter().rev() {
        // A version that lost was never the newest.
        if let ConfigEvent::Changed(found) =
            ConfigEvent::from_recorded(event).map_err(|error| error.to_string())?
        {
            changed = Some(found);
            break;
        }
    }
    let Some(changed) = changed else {
        return Ok(Some(LastRecorded { version: newest.version, hash: String::new(), text: None }));
    };
    let text = text_of(journal, &changed.body_key).await?;
    Ok(Some(LastRecorded { version: newest.version, hash: changed.hash, text }))
}

/// The newest recorded copy that is a good document by today's checks; `None` when there is
/// none since the document was last removed.
///
/// # Errors
/// When the journal cannot be read, in plain words.
pub async fn last_good(journal: &dyn Journal, key: Key, env: &EnvDefaults) -> Result<Option<String>, String> {
    let versions = versions(journal, key).await?;
    let since_removal = versions.iter().rev().filter(|version| !version.lost).take_while(|v| !v.removed);
    for known in since_removal.take(MAX_COPIES_SEARCHED) {
        if let Some(text) = text_of(journal, &known.body_key).await?
            && let Ok(value) = super::documents::from_json::<Value>(&text)
            && DocumentSet::default().put(key, Some(&value), env).is_ok()
        {
            return Ok(Some(text));
        }
    }
    Ok(None)
}

/// Records what was seen in a store that keeps no list of changes (`None` = the document was
/// removed), unless that is what was recorded last, or the store holds something else by now:
/// who wrote that records it. Returns whether something was written. Safe to repeat.
///
/// # Errors
/// The journal did not take it now, in plain words: try again later.
pub async fn record(
    (journal, world): (&dyn Journal, &World),
    (store, env): (&dyn DocumentStore, &EnvDefaults),
    key: Key,
    in_force: Option<&InForce>,
    origin: &str,
) -> Result<bool, String> {
    // After a conflict: what was written in between may be this very document.
    let decide = async || {
        let last = last(journal, key).await?;
        let hash = in_force.map_or("", |document| document.hash.as_str());
        if last.as_ref().map_or("", |last| last.hash.as_str()) == hash {
            return Ok(Decision::already(false));
        }
        // In this order: who replaces it after this look records that after what was last
        // before it, so that this commit is refused.
        let removed = last.as_ref().is_some_and(|last| last.hash.is_empty());
        if is_superseded(store, env, key, hash, removed).await {
            return Ok(Decision::already(false));
        }
        let commit = commit(world, key, in_force, last.as_ref(), origin, "")?;
        Ok(Decision { commit: Some(commit), answer: true })
    };
    execute(journal, || Box::pin(decide()), |error| format!("{}: {error}", config_stream(key.as_str()))).await
}

/// Whether the store holds another document. One that is refused, or that cannot be read, leaves
/// the one before in force, and so does one that has vanished, unless somebody `removed` it.
async fn is_superseded(
    store: &dyn DocumentStore,
    env: &EnvDefaults,
    key: Key,
    hash: &str,
    removed: bool,
) -> bool {
    match store.read(key).await {
        Ok(StoreReading::Absent) => removed && !hash.is_empty(),
        Ok(StoreReading::Found { text, .. }) => {
            super::documents::from_json::<Value>(&text).is_ok_and(|value| {
                canonical_hash(&value) != hash && DocumentSet::default().put(key, Some(&value), env).is_ok()
            })
        }
        Err(_) => false,
    }
}

/// The commit of a change; `change` is its place in the list of a store, if it has one.
pub(super) fn commit(
    world: &World,
    key: Key,
    in_force: Option<&InForce>,
    last: Option<&LastRecorded>,
    origin: &str,
    change: &str,
) -> Result<Commit, String> {
    let before = last.map_or(0, |last| last.version);
    let copy = in_force.filter(|_| keeps_content(key)).map(|document| Body {
        key: format!("config/{key}/{}", before + 1),
        bytes: document.text.clone().into(),
        keep_until: for_ever(),
    });
    let event = ConfigEvent::Changed(DocumentChanged {
        key: key.as_str().to_owned(),
        hash: in_force.map(|document| document.hash.clone()).unwrap_or_default(),
        origin: origin.to_owned(),
        fields: changed_fields(
            key,
            last.and_then(|last| last.text.as_deref()),
            in_force.map(|document| document.text.as_str()),
        ),
        body_key: copy.as_ref().map(|copy| copy.key.clone()).unwrap_or_default(),
        change: change.to_owned(),
    });
    let event = event.to_new(world.ids.next()).map_err(|error| error.to_string())?;
    Ok(Commit {
        at: world.now(),
        writes: vec![StreamWrite {
            stream: config_stream(key.as_str()),
            expected: Expected::after(before),
            events: vec![event],
        }],
        bodies: copy.into_iter().collect(),
        ..Commit::default()
    })
}

/// Whether the history has copies of a document. Of sign-in links it has none: whoever finds an
/// old one could sign in with it, or learn who did.
#[must_use]
pub const fn keeps_content(key: Key) -> bool {
    !matches!(key, Key::MagicLinkTokens)
}

/// A copy stays until [`super::prune`] says otherwise.
pub(super) fn for_ever() -> DateTime<Utc> {
    NaiveDate::from_ymd_opt(9999, 12, 31)
        .and_then(|day| day.and_hms_opt(0, 0, 0))
        .map_or(DateTime::<Utc>::MAX_UTC, |at| at.and_utc())
}

/// The top-level fields that differ. The field names of the sign-in links are the links'
/// own ids, so they are not listed.
fn changed_fields(key: Key, before: Option<&str>, after: Option<&str>) -> Vec<String> {
    if key == Key::MagicLinkTokens {
        return Vec::new();
    }
    let object = |text: Option<&str>| -> Map<String, Value> {
        text.and_then(|text| super::documents::from_json(text).ok()).unwrap_or_default()
    };
    let (before, after) = (object(before), object(after));
    let mut fields: Vec<String> = before
        .iter()
        .filter(|(name, value)| after.get(*name) != Some(value))
        .map(|(name, _)| name.clone())
        .chain(after.keys().filter(|name| !before.contains_key(*name)).cloned())
        .collect();
    fields.sort_unstable();
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_that_differ() {
        let fields = |before, after| changed_fields(Key::WebhookConfig, before, after).join(",");
        assert_eq!(fields(None, Some(r#"{"b":1,"a":2}"#)), "a,b");
        assert_eq!(fields(Some(r#"{"a":1,"b":[1],"c":1}"#), Some(r#"{"b":[2],"c":1,"d":0}"#)), "a,b,d");
        assert_eq!(fields(Some(r#"{"a":1}"#), None), "a");
        let links = changed_fields(Key::MagicLinkTokens, None, Some(r#"{"secret-id":{}}"#));
        assert!(links.is_empty(), "ids of sign-in links stay out of events");
    }
}
