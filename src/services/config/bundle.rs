//! All documents in one file, and back: to carry a configuration from one installation to
//! another, or to keep a copy of it beside the history.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use render_signal_actors::config::diff::{FieldDifference, differences, masked};
use render_signal_actors::config::documents::{FieldProblem, Key};
use render_signal_actors::config::edit::{Edit, EditError, UPDATED_AT};
use render_signal_actors::kernel::said::Said;
use render_signal_actors::said;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::ConfigService;
use crate::services::ServiceError;

/// Version of the file's format.
const FORMAT_VERSION: u32 = 1;

/// All documents. Sign-in links are left out: whoever has them can log in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Documents)]
pub(crate) struct Bundle {
    /// 1.
    #[serde(deserialize_with = "whole")]
    pub(crate) format: u32,
    /// When it was made.
    #[serde(default)]
    pub(crate) at: Option<DateTime<Utc>>,
    /// By name.
    #[schema(value_type = Object)]
    pub(crate) documents: BTreeMap<String, Value>,
}

/// What becomes of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ImportedFate)]
pub(crate) enum ImportedFate {
    /// It is so already.
    Unchanged,
    /// There was none.
    Created,
    /// It is another one now.
    Replaced,
    /// It is not valid, so nothing at all was changed.
    Refused,
}

/// What an import does, or would do, to one document.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ImportedDocument)]
pub(crate) struct Imported {
    /// Which.
    #[schema(value_type = String)]
    pub(crate) key: Key,
    /// What becomes of it.
    pub(crate) fate: ImportedFate,
    /// What differs, masked.
    #[schema(value_type = Vec<Object>)]
    pub(crate) differences: Vec<FieldDifference>,
    /// What is wrong with it.
    #[schema(value_type = Vec<String>)]
    pub(crate) problems: Vec<FieldProblem>,
    /// Its version in the history, when it was written.
    pub(crate) version: Option<u64>,
}

/// What an import came to.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Import)]
pub(crate) struct ImportOutcome {
    /// The documents were written; `false` = it was a preview, or one of them is refused.
    pub(crate) written: bool,
    /// One entry per document of the file.
    pub(crate) documents: Vec<Imported>,
}

/// The documents that are carried: all but the sign-in links.
pub(crate) fn carried() -> impl Iterator<Item = Key> {
    Key::ALL.into_iter().filter(|key| *key != Key::MagicLinkTokens)
}

impl ConfigService {
    /// All documents as they are stored; with what the masks hide, if `reveal`.
    pub(crate) async fn export(&self, reveal: bool) -> Result<Bundle, ServiceError> {
        let mut documents = BTreeMap::new();
        for key in carried() {
            let Some(stored) = self.stored(key).await? else { continue };
            let value = stored.value.ok_or_else(|| {
                ServiceError::State(said!(
                    "le document {key} stocké n'est pas du JSON\u{a0}: corrigez-le d'abord",
                    "the stored document {key} is no JSON: mend it first"
                ))
            })?;
            documents.insert(key.as_str().to_owned(), if reveal { value } else { masked(key, &value) });
        }
        Ok(Bundle { format: FORMAT_VERSION, at: Some(self.editor.world.now()), documents })
    }

    /// Writes the documents of a file, or says what that would change. All of them are looked at
    /// before the first is written; a masked text means the stored one. Documents that the file
    /// does not name stay as they are.
    pub(crate) async fn import(
        &self,
        bundle: &Bundle,
        origin: &str,
        dry: bool,
    ) -> Result<ImportOutcome, ServiceError> {
        let mut planned = Vec::with_capacity(bundle.documents.len());
        for (key, document) in named(bundle)? {
            let edit = Edit::replace(key, document.clone(), origin).allowing_unknown().keeping_masked();
            planned.push((self.look_at(&edit).await?, edit));
        }
        let refused = planned.iter().any(|(imported, _)| imported.fate == ImportedFate::Refused);
        let mut documents = Vec::with_capacity(planned.len());
        for (mut imported, edit) in planned {
            if !dry && !refused && imported.fate != ImportedFate::Unchanged {
                imported.version = self.change(&edit).await?.version;
            }
            documents.push(imported);
        }
        Ok(ImportOutcome { written: !dry && !refused, documents })
    }

    /// What an edit would do.
    async fn look_at(&self, edit: &Edit) -> Result<Imported, ServiceError> {
        let key = edit.key;
        let before = self.stored(key).await?.and_then(|stored| stored.value);
        let refused = |problems| Imported {
            key,
            fate: ImportedFate::Refused,
            differences: Vec::new(),
            problems,
            version: None,
        };
        let after = match self.editor.preview(edit).await {
            Ok(after) => after,
            Err(EditError::Invalid(problems)) => return Ok(refused(problems)),
            Err(error) => return Err(ServiceError::edit(key, error)),
        };
        let mut differences = differences(key, before.as_ref(), Some(&after));
        // When it was written is another time every time.
        differences.retain(|difference| difference.path != UPDATED_AT);
        let fate = match (&before, differences.is_empty()) {
            (None, _) => ImportedFate::Created,
            (Some(_), true) => ImportedFate::Unchanged,
            (Some(_), false) => ImportedFate::Replaced,
        };
        Ok(Imported { key, fate, differences, problems: Vec::new(), version: None })
    }
}

/// JSON makes no difference between `1` and `1.0`.
fn whole<'de, D: Deserializer<'de>>(reader: D) -> Result<u32, D::Error> {
    let number = f64::deserialize(reader)?;
    if number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is whole, and within"
        )]
        let whole = number as u32;
        return Ok(whole);
    }
    Err(D::Error::custom(format!("{number} is no format: a small whole number is expected")))
}

/// The documents of a file by their keys.
fn named(bundle: &Bundle) -> Result<Vec<(Key, &Value)>, ServiceError> {
    if bundle.format != FORMAT_VERSION {
        let found = bundle.format;
        return Err(ServiceError::Unusable(said!(
            "format {found} inconnu\u{a0}: ce programme connaît le format {FORMAT_VERSION}",
            "format {found} is not known: this program knows format {FORMAT_VERSION}"
        )));
    }
    let unknown = |name: &str| -> Said {
        let names: Vec<&str> = carried().map(Key::as_str).collect();
        let names = names.join(", ");
        said!("{name} n'est aucun de {names}", "{name} is none of {names}")
    };
    let key = |name: &str| Key::named(name).filter(|key| carried().any(|carried| carried == *key));
    bundle
        .documents
        .iter()
        .map(|(name, document)| {
            key(name).map(|key| (key, document)).ok_or_else(|| ServiceError::Unusable(unknown(name)))
        })
        .collect()
}
