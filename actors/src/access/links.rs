//! Makes, consumes and revokes sign-in links.
//!
//! What is in the document `magic_link_tokens` opens a session; what is not opens none: so links
//! of the reference system work here, and ours there. The document alone cannot say who was
//! first, since that system does not compare before it writes. Here a link is consumed by a
//! commit to its stream, under the version that was read: of two workers one is first. The same
//! commit opens the session, so that no link is lost without one. The document follows; what a
//! crash or a store that was down left undone is done by [`MagicLinks::tidy`].

mod consume;
mod seen;

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde_json::Value;

pub use self::seen::{LinkSeen, LinkStatus};
use self::seen::{of_record, of_row};
use super::record::{Record, read_all};
use super::sessions::Sessions;
use super::state::{
    MagicLinkCommand, MagicLinkCreated, MagicLinkEvent, MagicLinkState, link_name, link_stream,
};
use super::token::{LinkRefusal, Signer, end_of};
use super::{AccessError, Committed, commit, new_events};
use crate::config::documents::Key;
use crate::config::edit::{Edit, Editor};
use crate::config::store::StoreReading;
use crate::kernel::aggregate::{Aggregate as _, Loaded, rehydrate};
use crate::kernel::execute::ATTEMPTS;
use crate::kernel::journal::{Commit, Expected, Journal, StreamWrite};
use crate::readmodel::queries::access as rows;

/// Who changes the document, for its history.
pub const ORIGIN: &str = "access";

/// Links that are over are listed for so long.
const LISTED: TimeDelta = TimeDelta::days(30);

/// A link that was made.
#[derive(Debug)]
pub struct NewLink {
    /// What it is called; opens nothing.
    pub name: String,
    /// Its text: whoever has it can sign in.
    pub token: SecretString,
    /// It opens nothing after that; `None` = never.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Why nobody is let in with a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// The link is none, or none any more.
    Refused(LinkRefusal),
    /// It is not known whether it is one.
    Failed(AccessError),
}

impl From<AccessError> for Denied {
    fn from(error: AccessError) -> Self {
        Self::Failed(error)
    }
}

impl From<LinkRefusal> for Denied {
    fn from(refusal: LinkRefusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Makes, consumes and revokes sign-in links, in step with the document `magic_link_tokens`.
pub struct MagicLinks {
    editor: Editor,
    journal: Arc<dyn Journal>,
    sessions: Arc<Sessions>,
    signer: Signer,
    user: String,
    life: TimeDelta,
}

impl std::fmt::Debug for MagicLinks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MagicLinks")
    }
}

/// The document as it was read.
struct TokenDocument {
    links: HashMap<String, Record>,
    /// Entries that are none.
    others: Vec<String>,
}

impl MagicLinks {
    /// Of the document that `editor` changes. Links open sessions of `user`; one that is to end
    /// does so after `life`.
    #[must_use]
    pub fn new(
        editor: Editor,
        journal: Arc<dyn Journal>,
        sessions: Arc<Sessions>,
        signer: Signer,
        user: &str,
        life: TimeDelta,
    ) -> Self {
        Self { editor, journal, sessions, signer, user: user.to_owned(), life }
    }

    /// How long a link that ends can be used.
    #[must_use]
    pub const fn life(&self) -> TimeDelta {
        self.life
    }

    fn now(&self) -> DateTime<Utc> {
        self.editor.world.now()
    }

    async fn document(&self) -> Result<TokenDocument, AccessError> {
        self.editor.store.forget();
        let failed = |why: String| AccessError::Document(why);
        let text = match self.editor.store.read(Key::MagicLinkTokens).await {
            Ok(StoreReading::Found { text, .. }) => text,
            Ok(StoreReading::Absent) => {
                return Ok(TokenDocument { links: HashMap::new(), others: Vec::new() });
            }
            Err(error) => return Err(failed(error.to_string())),
        };
        let (links, others) = read_all(&text).map_err(failed)?;
        Ok(TokenDocument { links: links.into_iter().collect(), others })
    }

    /// Writes entries; `None` removes one. Others are as they were, whoever changed them last.
    async fn write(&self, fields: Vec<(String, Option<Value>)>) -> Result<(), AccessError> {
        let edit = Edit::merge(Key::MagicLinkTokens, fields, ORIGIN);
        self.editor.apply(&edit).await.map(drop).map_err(|error| AccessError::Document(error.to_string()))
    }

    async fn known(&self, name: &str) -> Result<Loaded<MagicLinkState>, AccessError> {
        let events = self.journal.read_stream(&link_stream(name), 0).await.map_err(AccessError::journal)?;
        rehydrate(&events).map_err(AccessError::journal)
    }

    fn link_write(
        &self,
        name: &str,
        version: u64,
        events: &[MagicLinkEvent],
    ) -> Result<StreamWrite, AccessError> {
        Ok(StreamWrite {
            stream: link_stream(name),
            expected: Expected::after(version),
            events: new_events(&self.editor.world, events)?,
        })
    }

    async fn commit(&self, writes: Vec<StreamWrite>) -> Result<Committed, AccessError> {
        let all = Commit { writes, ..Commit::default() };
        commit(self.journal.as_ref(), &self.editor.world, all).await
    }

    /// Makes one, for one session within its life, or for ever.
    ///
    /// # Errors
    /// There is none: nothing is left that would open anything.
    pub async fn create(&self, permanent: bool, by: &str) -> Result<NewLink, AccessError> {
        let now = self.now();
        let expires_at = (!permanent).then(|| end_of(now, self.life));
        let (id, token) = self.signer.make(&self.editor.world.ids.secret(), expires_at);
        let name = link_name(&id);
        let created = MagicLinkCreated { single_use: !permanent, expires_at, by: by.to_owned() };
        let events = MagicLinkState::default()
            .decide(&MagicLinkCommand::Create(created), &now)
            .map_err(|_| AccessError::journal("a new link cannot be made"))?;
        if self.commit(vec![self.link_write(&name, 0, &events)?]).await? == Committed::SomebodyWasFirst {
            return Err(AccessError::journal("a link of a new name was there already"));
        }
        let record = Record { expires_at, consumed: false, consumed_at: None, single_use: !permanent };
        if let Err(error) = self.write(vec![(id, Some(record.write()))]).await {
            // It is in no document, so it opens nothing; lists are to say so, too.
            if let Err(error) = self.mark_revoked(&name, None, by).await {
                tracing::debug!(%error, "a link that could not be stored is listed");
            }
            return Err(error);
        }
        Ok(NewLink { name, token, expires_at })
    }

    /// Has a link open nothing any more, and ends the sessions that it opened. Answers how many
    /// those were; `None` = there is no link of this name.
    ///
    /// # Errors
    /// It may still open something, or have open sessions: repeat it.
    pub async fn revoke(&self, name: &str, by: &str) -> Result<Option<u64>, AccessError> {
        let document = self.document().await?;
        let entry = document.links.iter().find(|(id, _)| link_name(id) == name);
        let known = self.known(name).await?;
        if entry.is_none() && known.version == 0 {
            return Ok(None);
        }
        self.mark_revoked(name, entry.map(|(_, record)| record), by).await?;
        // After the mark no session is opened with it; whether the document can be written or not.
        let ended = self.sessions.end_those_of_link(name, by).await?;
        if let Some((id, _)) = entry {
            self.write(vec![(id.clone(), None)]).await?;
        }
        Ok(Some(ended))
    }

    async fn mark_revoked(&self, name: &str, record: Option<&Record>, by: &str) -> Result<(), AccessError> {
        let revoke = MagicLinkCommand::Revoke { record: record.cloned(), by: by.to_owned() };
        for _ in 0..ATTEMPTS {
            let known = self.known(name).await?;
            let events = known.state.decide(&revoke, &self.now()).unwrap_or_default();
            if events.is_empty() {
                return Ok(());
            }
            let write = self.link_write(name, known.version, &events)?;
            match self.commit(vec![write]).await? {
                Committed::Done => return Ok(()),
                Committed::SomebodyWasFirst if self.is_archived(name).await? => return Ok(()),
                Committed::SomebodyWasFirst => {}
            }
        }
        Err(AccessError::journal("somebody else went on writing"))
    }

    /// Those of the document, and those that were over of late; the newest first.
    ///
    /// # Errors
    /// The document or the journal cannot be read.
    pub async fn list(&self) -> Result<Vec<LinkSeen>, AccessError> {
        let document = self.document().await?;
        let now = self.now();
        let since = now - LISTED;
        let known = self.journal.views().read(move |db| rows::links_since(db, since)).await;
        let known = known.map_err(AccessError::journal)?;
        let mut entries: HashMap<String, Record> =
            document.links.into_iter().map(|(id, record)| (link_name(&id), record)).collect();
        let mut seen: Vec<LinkSeen> = Vec::new();
        for row in known {
            let record = entries.remove(&row.name);
            seen.push(of_row(&row, record.as_ref(), now));
        }
        // Another program made them, or they were made and not touched for long.
        for (name, record) in entries {
            let query = name.clone();
            let row = self.journal.views().read(move |db| rows::link(db, &query)).await;
            match row.map_err(AccessError::journal)? {
                Some(row) => seen.push(of_row(&row, Some(&record), now)),
                None => seen.push(of_record(name, &record, now)),
            }
        }
        let key = |link: &LinkSeen| (link.standing == LinkStatus::Open, link.created_at, link.name.clone());
        seen.sort_unstable_by_key(|link| std::cmp::Reverse(key(link)));
        Ok(seen)
    }

    /// Brings the document into step with the journal, and drops entries that have been of no use
    /// for a minute, as the reference system does when it starts. Returns how many entries it
    /// changed.
    ///
    /// # Errors
    /// The document is as it was: repeat it.
    pub async fn tidy(&self) -> Result<usize, AccessError> {
        let document = self.document().await?;
        let now = self.now();
        let mut fields: Vec<(String, Option<Value>)> = Vec::new();
        for (id, record) in &document.links {
            if record.is_stale(now) {
                fields.push((id.clone(), None));
                continue;
            }
            let state = self.known(&link_name(id)).await?.state;
            if state.revoked {
                fields.push((id.clone(), None));
            } else if record.single_use && !record.consumed && state.uses > 0 {
                let consumed = Record { consumed: true, consumed_at: Some(now), ..record.clone() };
                fields.push((id.clone(), Some(consumed.write())));
            }
        }
        let changed = fields.len();
        if changed > 0 {
            self.write(fields).await?;
        }
        Ok(changed)
    }
}
