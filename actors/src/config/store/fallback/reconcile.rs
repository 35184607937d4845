//! What becomes of a change that waits, when the authority answers again.
//!
//! ```text
//! it says the same, or is as the writer saw it ─▶ it is given the change
//! it was changed in other fields ─────────────▶ it is given both changes
//! it was changed in the same fields ──────────▶ it stays in force; a person decides
//! ```

use serde_json::Value;
use uuid::Uuid;

use super::merge::{MergeOutcome, same, three_way_merge};
use super::{FallbackStore, unread};
use crate::config::active::{InForce, canonical_hash};
use crate::config::documents::{DocumentSet, Key};
use crate::config::events::ReconcileOutcome;
use crate::config::history::follow::DocumentFollower;
use crate::config::history::{self, RECONCILED};
use crate::config::state::{DocumentCommand, LosingVersion, Reconciliation, WaitingChange};
use crate::config::store::{DocumentChange, DocumentStore as _, Precondition, StoreError, StoreReading};

/// A change that is offered, and what it is about.
pub(super) struct Offer<'a> {
    pub(super) key: Key,
    pub(super) change: &'a WaitingChange,
    pub(super) claim: Option<Uuid>,
}

impl FallbackStore {
    /// What waits, and what the authority holds. Answers whether it waits no more.
    pub(super) async fn give(
        &self,
        follower: &DocumentFollower,
        offer: Offer<'_>,
        held: StoreReading,
    ) -> Result<bool, StoreError> {
        let Offer { key, change, .. } = offer;
        let text = self.text(follower, offer.key, change).await?;
        let theirs = match &held {
            StoreReading::Absent => None,
            StoreReading::Found { text, .. } => Some(value(text)),
        };
        let base = self.base(follower, key, change, theirs.as_ref()).await?;
        let fields = match three_way_merge(base.as_ref(), &value(&text), theirs.as_ref()) {
            MergeOutcome::Same => {
                let StoreReading::Found { text, .. } = held else { return Ok(false) };
                return self.reconciled(follower, offer, ReconcileOutcome::Same, text).await;
            }
            MergeOutcome::Give { document, merged } if !merged || self.is_valid(key, &document) => {
                let outcome = if merged { ReconcileOutcome::Merged } else { ReconcileOutcome::Given };
                let text = self.give_document((key, document), RECONCILED, held).await?;
                return self.reconciled(follower, offer, outcome, text).await;
            }
            MergeOutcome::Give { .. } => Vec::new(),
            // Fields of the sign-in links are the links' own ids, which nobody may see.
            MergeOutcome::Conflict(_) if key == Key::MagicLinkTokens => Vec::new(),
            MergeOutcome::Conflict(fields) => fields,
        };
        let shown = fields.join(", ");
        let command = DocumentCommand::Lose(LosingVersion {
            text,
            origin: change.origin.clone(),
            at: self.deps.world.now(),
            fields,
            number: Some(change.number),
            claim: offer.claim,
        });
        let settled = self.enter(follower, key, &command).await?;
        if settled {
            tracing::error!(
                %key, fields = shown, origin = change.origin,
                "a document was changed in the configuration store and, while that did not answer, here: \
                 the store's is in force; decide with: config resolve"
            );
        }
        Ok(settled)
    }

    /// Writes a document into the authority, where `held` is. Answers it in the authority's own words,
    /// if that still answers.
    pub(super) async fn give_document(
        &self,
        (key, value): (Key, Value),
        origin: &str,
        held: StoreReading,
    ) -> Result<String, StoreError> {
        let expected = match held.revision() {
            None => Precondition::Absent,
            Some(revision) => Precondition::Revision(revision.clone()),
        };
        let change = DocumentChange { key, value, expected, origin: origin.to_owned() };
        let written = self.authority.write(&change).await?;
        self.took(&change, &written).await;
        match self.ask(&self.authority, key).await {
            Ok(StoreReading::Found { text, revision }) if revision == written.revision => Ok(text),
            // Somebody has written again, which is recorded after this.
            Ok(_) | Err(_) => Ok(change.value.to_string()),
        }
    }

    async fn reconciled(
        &self,
        follower: &DocumentFollower,
        offer: Offer<'_>,
        outcome: ReconcileOutcome,
        text: String,
    ) -> Result<bool, StoreError> {
        let Offer { key, change, claim } = offer;
        let command = DocumentCommand::Reconcile(Reconciliation {
            number: change.number,
            outcome,
            document: InForce { hash: canonical_hash(&value(&text)), text },
            stored_in: self.name().to_owned(),
            claim,
        });
        let settled = self.enter(follower, key, &command).await?;
        if settled {
            tracing::info!(
                %key, ?outcome, origin = change.origin,
                "the configuration store holds the change that waited for it"
            );
        }
        Ok(settled)
    }

    /// Enters an outcome in the history. Answers whether it was news.
    pub(super) async fn enter(
        &self,
        follower: &DocumentFollower,
        key: Key,
        command: &DocumentCommand,
    ) -> Result<bool, StoreError> {
        let place = (follower.journal(), &self.deps.world);
        let entered = history::record(place, key, command, None).await;
        let (said, written) =
            entered.map_err(|why| StoreError::Unwritable { what: format!("the history of {key}"), why })?;
        self.tracker.noted(key, &said.state);
        follower.wrote(key, said);
        Ok(written)
    }

    pub(super) async fn text(
        &self,
        follower: &DocumentFollower,
        key: Key,
        change: &WaitingChange,
    ) -> Result<String, StoreError> {
        let text = follower.text(key, &change.body_key, &change.hash).await;
        let text = text.map_err(|why| unread(key, why))?;
        text.ok_or_else(|| unread(key, "the change that waits is gone".to_owned()))
    }

    /// What the authority is compared with: what the writer saw; or a change that waited before this
    /// one, which holds it, when the authority has taken that without anybody having heard of it.
    async fn base(
        &self,
        follower: &DocumentFollower,
        key: Key,
        change: &WaitingChange,
        theirs: Option<&Value>,
    ) -> Result<Option<Value>, StoreError> {
        let read = async |body_key: &str| {
            let kept = history::text_of(follower.journal(), body_key).await;
            kept.map(|text| text.map(|text| value(&text))).map_err(|why| unread(key, why))
        };
        for earlier in change.earlier.iter().filter(|_| theirs.is_some()) {
            let taken = read(earlier).await?;
            if taken.as_ref().zip(theirs).is_some_and(|(taken, theirs)| same(taken, theirs)) {
                return Ok(taken);
            }
        }
        read(&change.base).await
    }

    fn is_valid(&self, key: Key, document: &Value) -> bool {
        DocumentSet::default().put(key, Some(document), &self.deps.env).is_ok()
    }
}

/// What a text says; one that is no JSON is like no document.
pub(super) fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}
