//! Earlier versions of a document, and what two of them differ in.

use render_signal_actors::config::diff::{FieldDifference, differences};
use render_signal_actors::config::documents::{self, Key};
use render_signal_actors::config::{history, state};
use render_signal_actors::said;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::ConfigService;
use crate::services::ServiceError;

/// Whether a version can be shown and restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = VersionContent)]
pub(crate) enum VersionContent {
    /// There is a copy.
    Kept,
    /// There was one; its time is over.
    Gone,
    /// There is nothing to show.
    None,
}

/// A version.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Past {
    /// As the history has it.
    #[serde(flatten)]
    pub(crate) version: history::HistoryVersion,
    /// Whether it can be shown and restored.
    pub(crate) content: VersionContent,
}

/// What two versions differ in.
#[derive(Debug, Clone)]
pub(crate) struct Diff {
    /// The older one; 0 = what was before the first: no document.
    pub(crate) from: u64,
    /// The newer one; `None` = what is stored now.
    pub(crate) to: Option<u64>,
    /// What differs, masked.
    pub(crate) differences: Vec<FieldDifference>,
}

impl ConfigService {
    /// Who changed a document, oldest first.
    pub(crate) async fn history(&self, key: Key) -> Result<Vec<Past>, ServiceError> {
        let journal = self.history_journal()?;
        let versions = history::versions(journal, key).await.map_err(ServiceError::Journal)?;
        let mut past = Vec::with_capacity(versions.len());
        for version in versions {
            let content = match history::is_kept(journal, &version).await.map_err(ServiceError::Journal)? {
                true => VersionContent::Kept,
                false if version.removed || !state::keeps_content(key) => VersionContent::None,
                false => VersionContent::Gone,
            };
            past.push(Past { version, content });
        }
        Ok(past)
    }

    /// The content of a version, not masked; `None` = there was no document. Version 0 is what
    /// was before the first.
    pub(crate) async fn version(&self, key: Key, version: u64) -> Result<Option<Value>, ServiceError> {
        if version == 0 {
            return Ok(None);
        }
        let copy = history::copy(self.history_journal()?, key, version).await?;
        copy.map(|text| parsed(key, &text)).transpose()
    }

    /// What two versions differ in; without a first one, the last change.
    pub(crate) async fn diff(
        &self,
        key: Key,
        from: Option<u64>,
        to: Option<u64>,
    ) -> Result<Diff, ServiceError> {
        let (from, to) = match from {
            Some(from) => (from, to),
            None => {
                let versions =
                    history::versions(self.history_journal()?, key).await.map_err(ServiceError::Journal)?;
                let newest = to.or(versions.last().map(|newest| newest.version)).unwrap_or_default();
                let before = versions.iter().rfind(|known| known.version < newest && !known.lost);
                (before.map_or(0, |before| before.version), Some(newest))
            }
        };
        let before = self.version(key, from).await?;
        let after = match to {
            Some(to) => self.version(key, to).await?,
            None => match self.editor.store.read(key).await? {
                render_signal_actors::config::store::StoreReading::Absent => None,
                render_signal_actors::config::store::StoreReading::Found { text, .. } => {
                    Some(parsed(key, &text)?)
                }
            },
        };
        Ok(Diff { from, to, differences: differences(key, before.as_ref(), after.as_ref()) })
    }
}

fn parsed(key: Key, text: &str) -> Result<Value, ServiceError> {
    documents::from_json(text).map_err(|error| {
        ServiceError::Unusable(said!("{key} n'est pas du JSON\u{a0}: {error}", "{key} is no JSON: {error}"))
    })
}
