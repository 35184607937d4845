//! The side of a conflict that is not in force: kept in the history, like the other side.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::active::canonical_hash;
use super::documents::Key;
use super::events::{ConfigEvent, DocumentConflicted, config_stream};
use super::history::{for_ever, keeps_content, last};
use crate::kernel::clock::World;
use crate::kernel::event::DomainEvent as _;
use crate::kernel::execute::{Decision, execute};
use crate::kernel::journal::{Body, Commit, Journal, StreamWrite};

/// A version of a document that lost.
#[derive(Debug, Clone, Copy)]
pub struct LosingVersion<'a> {
    /// The document.
    pub text: &'a str,
    /// Who made it.
    pub origin: &'a str,
    /// When.
    pub at: DateTime<Utc>,
    /// The top-level fields that both sides changed; empty = the whole document.
    pub fields: &'a [String],
}

/// Records that a version lost, with a copy of it. Safe to repeat.
///
/// # Errors
/// The journal did not take it now, in plain words: try again later.
pub async fn record(
    journal: &dyn Journal,
    world: &World,
    key: Key,
    lost: &LosingVersion<'_>,
) -> Result<(), String> {
    let hash = super::documents::from_json(lost.text).map(|value| canonical_hash(&value)).unwrap_or_default();
    // The same conflict is the same event, whoever records it.
    let name = format!("config.conflicted/{key}/{hash}/{}", lost.at.to_rfc3339());
    let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes());
    let body_key =
        if keeps_content(key) { format!("config/{key}/conflict/{}", id.simple()) } else { String::new() };
    let event = ConfigEvent::Conflicted(DocumentConflicted {
        key: key.as_str().to_owned(),
        hash,
        origin: lost.origin.to_owned(),
        fields: lost.fields.to_vec(),
        body_key: body_key.clone(),
    })
    .to_new(id)
    .map_err(|error| error.to_string())?;
    let copy = keeps_content(key).then(|| Body {
        key: body_key,
        bytes: lost.text.to_owned().into(),
        keep_until: for_ever(),
    });
    let decide = async || {
        let before = last(journal, key).await?.map_or(0, |last| last.version);
        Ok(Decision::write(Commit {
            at: world.now(),
            writes: vec![StreamWrite::after(before, config_stream(key.as_str()), vec![event.clone()])],
            bodies: copy.iter().cloned().collect(),
            ..Commit::default()
        }))
    };
    execute(journal, || Box::pin(decide()), |error| format!("{}: {error}", config_stream(key.as_str()))).await
}
