//! Who offers a change that waits, and who decides a conflict.
//!
//! Whoever claims the row of the change offers it. The outcome settles the row in the commit of its
//! event, which the stream takes only while this change is the one that waits. Whoever is too late,
//! or dies in between, has written to the authority by compare-and-set, and whoever comes next finds
//! that there.

use std::collections::HashMap;
use std::time::Duration;

use uuid::Uuid;

use super::reconcile::{Offer, value};
use super::{FallbackStore, is_out_of_reach, unread};
use crate::config::active::{InForce, canonical_hash};
use crate::config::documents::Key;
use crate::config::history;
use crate::config::history::follow::DocumentFollower;
use crate::config::history::import::import_changes;
use crate::config::state::{DocumentCommand, WaitingChange};
use crate::config::store::{ConflictWinner, DocumentStore as _, StoreError};
use crate::kernel::journal::{BodyBudget, ClaimRequest, Commit, Defer, Due, Queue};

/// How often a change is offered to an authority that others change at the same time.
const MAX_RECONCILE_ATTEMPTS: usize = 8;

/// How long a claim holds: the slowest authority has been asked and given the change several times.
const CLAIM_LEASE: Duration = Duration::from_secs(60);

/// Who is said to have made a change that somebody decided for.
const RESOLVED: &str = "resolved";

impl FallbackStore {
    /// Gives the authority what waits for it. Answers whether something did, and does not any more.
    pub(super) async fn settle(&self, key: Key) -> Result<bool, StoreError> {
        let Some(follower) = &self.follower else { return Ok(false) };
        let said = follower.now(key).await.map_err(|why| unread(key, why))?;
        self.tracker.noted(key, &said.state);
        if said.state.pending.is_none() {
            return Ok(false);
        }
        // Nothing is claimed for an authority that does not answer.
        match self.ask_authority(key, &said.state).await {
            Err(error) if is_out_of_reach(&error) => return Err(error),
            Ok(_) | Err(_) => {}
        }
        let claim = self.claim(follower, key).await?;
        let settled = self.offer_claimed(follower, key, claim).await;
        if let (Err(error), Some(claim)) = (&settled, claim) {
            self.tracker.asked(self.name(), key, Some(error), self.deps.world.now());
            self.give_back(follower, key, claim).await;
        }
        settled
    }

    /// Claims the row of a document. `None` = there is none: the stream alone says that it waits.
    async fn claim(&self, follower: &DocumentFollower, key: Key) -> Result<Option<Uuid>, StoreError> {
        let unread = |why: String| unread(key, why);
        let request = ClaimRequest {
            queue: Queue::Config,
            now: self.deps.world.now(),
            lease: CLAIM_LEASE,
            limit: 1,
            partition_default: 0,
            per_partition: HashMap::from([(key.as_str().to_owned(), 1)]),
            bodies: BodyBudget::default(),
        };
        let claimed = follower.journal().claim(request).await.map_err(|error| unread(error.to_string()))?;
        if let Some(row) = claimed.first() {
            return Ok(Some(row.claim));
        }
        let rows = follower.journal().outbox(Queue::Config, usize::MAX).await;
        let rows = rows.map_err(|error| unread(error.to_string()))?;
        match rows.iter().any(|row| row.key == key.as_str()) {
            true => Err(StoreError::Unwritable {
                what: format!("{key} of {}", self.name()),
                why: "another process is giving it the change that waits".to_owned(),
            }),
            false => Ok(None),
        }
    }

    /// Lets others try. That this fails costs time: the claim runs out by itself.
    async fn give_back(&self, follower: &DocumentFollower, key: Key, claim: Uuid) {
        let now = self.deps.world.now();
        let back = Defer {
            queue: Queue::Config,
            key: key.as_str().to_owned(),
            claim: Some(claim),
            due: Due::At(now),
            meta: None,
            partition: None,
        };
        let commit = Commit { at: now, defer: vec![back], ..Commit::default() };
        if let Err(error) = follower.journal().append(commit).await {
            tracing::debug!(%key, %error, "a change that waits is claimed for a while, and nobody works on it");
        }
    }

    async fn offer_claimed(
        &self,
        follower: &DocumentFollower,
        key: Key,
        claim: Option<Uuid>,
    ) -> Result<bool, StoreError> {
        for _ in 0..MAX_RECONCILE_ATTEMPTS {
            let said = follower.now(key).await.map_err(|why| unread(key, why))?;
            self.tracker.noted(key, &said.state);
            let Some(change) = &said.state.pending else { return Ok(true) };
            self.authority.forget();
            let settled = match self.ask_authority(key, &said.state).await {
                Ok(held) => {
                    self.import(follower, key).await?;
                    self.give(follower, Offer { key, change, claim }, held).await
                }
                Err(StoreError::Lost(_)) => self.restore(follower, key, change).await,
                Err(error) => Err(error),
            };
            match settled {
                Ok(true) => return Ok(true),
                // Somebody wrote in between, to the authority or to the stream.
                Ok(false) | Err(StoreError::Conflict(_) | StoreError::Lost(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Conflict(key))
    }

    /// What the authority's own list has comes before the outcome in the history.
    async fn import(&self, follower: &DocumentFollower, key: Key) -> Result<(), StoreError> {
        let Some(log) = self.authority.change_log() else { return Ok(()) };
        let after = follower.last(key).and_then(|said| said.state.listed);
        // One that cannot be read is followed later.
        let Ok(changes) = log.changes(after.as_ref()).await else { return Ok(()) };
        let listed: Vec<_> = changes.listed.into_iter().filter(|listed| listed.key == key).collect();
        let (journal, world) = (follower.journal(), &self.deps.world);
        let imported = import_changes(journal, world, &self.deps.env, (self.name(), &listed)).await;
        imported.map_err(|why| unread(key, why))
    }

    /// The authority was emptied while a change waited for it: what waits is the newest
    /// there is. The next look finds it there, ours or another worker's.
    async fn restore(
        &self,
        follower: &DocumentFollower,
        key: Key,
        change: &WaitingChange,
    ) -> Result<bool, StoreError> {
        if let Some(log) = self.authority.change_log() {
            log.recover(key, &self.text(follower, key, change).await?).await?;
        }
        Err(StoreError::Lost(key))
    }

    /// Ends a conflict on behalf of `by`. Answers whether there was one.
    pub(super) async fn decide(&self, key: Key, kept: ConflictWinner, by: &str) -> Result<bool, StoreError> {
        let Some(follower) = &self.follower else { return Ok(false) };
        let said = follower.now(key).await.map_err(|why| unread(key, why))?;
        let Some(conflict) = &said.state.conflict else { return Ok(false) };
        if kept == ConflictWinner::Pending {
            let text = history::text_of(follower.journal(), &conflict.body_key).await;
            let text = text.map_err(|why| unread(key, why))?;
            let text = text.ok_or_else(|| unread(key, "the side that is not in force is gone".to_owned()))?;
            self.authority.forget();
            let held = self.ask_authority(key, &said.state).await?;
            let text = self.give_document((key, value(&text)), RESOLVED, held).await?;
            if self.authority.change_log().is_none() {
                // Nobody else could say who made it.
                let document = InForce { hash: canonical_hash(&value(&text)), text };
                let seen = DocumentCommand::seen(Some(&document), RESOLVED, self.name());
                self.enter(follower, key, &seen).await?;
            }
        }
        let command = DocumentCommand::Resolve { kept, by: by.to_owned() };
        let decided = self.enter(follower, key, &command).await?;
        tracing::info!(%key, ?kept, by, "the conflict of a document is decided");
        Ok(decided)
    }
}
