//! Whether what an edit changes is still what its caller has seen.

use serde_json::{Map, Value};

use super::merge::changed_fields;
use super::request::conflict;
use super::{BasedOn, Edit, EditAction, EditError, Editor, Present};
use crate::config::documents::{self, Key};
use crate::config::history;
use crate::config::store::{Revision, StoreReading};

impl Editor {
    /// Whether the fields that the edit touches are still what the caller has seen.
    pub(super) async fn check_expected(&self, edit: &Edit, present: &Present) -> Result<(), EditError> {
        let Some(seen) = &edit.expected else { return Ok(()) };
        let base = match (seen, &present.read) {
            (BasedOn::Revision(seen), StoreReading::Found { revision, .. }) if seen == revision => {
                return Ok(());
            }
            (BasedOn::Absent, StoreReading::Absent) => return Ok(()),
            (BasedOn::Absent, StoreReading::Found { .. }) => Some(Map::new()),
            (BasedOn::Revision(revision), _) => self.copy_with(edit.key, revision).await,
            (BasedOn::Version(version), _) => Some(self.copy_of(edit.key, *version).await?),
        };
        let object = present.object.clone().unwrap_or_default();
        let fields = match (&edit.wanted, base) {
            (EditAction::Replace(_), Some(base)) => changed_fields(edit.key, Some(&base), &object),
            // It differs, and nobody knows in what.
            (EditAction::Replace(_), None) => return Err(conflict(edit.key, Vec::new(), present)),
            (EditAction::Merge(fields), base) => fields
                .iter()
                .filter(|(name, wanted)| {
                    object.get(name) != wanted.as_ref()
                        && base.as_ref().is_none_or(|base| base.get(name) != object.get(name))
                })
                .map(|(name, _)| name.clone())
                .collect(),
        };
        if fields.is_empty() { Ok(()) } else { Err(conflict(edit.key, fields, present)) }
    }

    /// The copy of a version of the history.
    async fn copy_of(&self, key: Key, version: u64) -> Result<Map<String, Value>, EditError> {
        let journal = self
            .journal
            .as_deref()
            .ok_or_else(|| EditError::Unknown("there is no history to compare with".to_owned()))?;
        let copy = history::copy(journal, key, version)
            .await
            .map_err(|error| EditError::Unknown(error.to_string()))?;
        Ok(copy.and_then(|text| documents::from_json(&text).ok()).unwrap_or_default())
    }

    /// The copy whose version in the store was `revision`, if the history has it.
    async fn copy_with(&self, key: Key, revision: &Revision) -> Option<Map<String, Value>> {
        let journal = self.journal.as_deref()?;
        let text = history::copy_with(journal, key, |text| Revision::of(text) == *revision).await.ok()??;
        documents::from_json(&text).ok()
    }
}
