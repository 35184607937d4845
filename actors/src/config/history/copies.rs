//! The copies of documents that lie beside their history.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;

use super::versions::{HistoryVersion, versions};
use crate::config::documents::{DocumentSet, Key, from_json};
use crate::config::policy::EnvDefaults;
use crate::config::state::keeps_content;
use crate::kernel::journal::Journal;
use crate::kernel::said::{Said, said};

/// How many copies are looked through for one that somebody has seen: nobody has been
/// looking at a form for longer.
const MAX_COPIES_SEARCHED: usize = 50;

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

pub(in crate::config) async fn text_of(
    journal: &dyn Journal,
    body_key: &str,
) -> Result<Option<String>, String> {
    if body_key.is_empty() {
        return Ok(None);
    }
    let copy = journal.body(body_key).await.map_err(|error| error.to_string())?;
    // An empty one is about to be dropped.
    let copy = copy.filter(|bytes| !bytes.is_empty());
    Ok(copy.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok()))
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
            && let Ok(value) = from_json::<Value>(&text)
            && DocumentSet::default().put(key, Some(&value), env).is_ok()
        {
            return Ok(Some(text));
        }
    }
    Ok(None)
}

/// A copy stays until [`crate::config::prune`] says otherwise.
pub(in crate::config) fn kept_for_ever() -> DateTime<Utc> {
    NaiveDate::from_ymd_opt(9999, 12, 31)
        .and_then(|day| day.and_hms_opt(0, 0, 0))
        .map_or(DateTime::<Utc>::MAX_UTC, |at| at.and_utc())
}
