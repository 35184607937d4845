//! Makes, consumes and revokes sign-in links.
//!
//! What is in the document `magic_link_tokens` opens a session; what is not opens none: so links
//! of the reference system work here, and ours there. The document alone cannot say who was
//! first, since that system does not compare before it writes. Here a link is consumed by a
//! commit to its stream, under the version that was read: of two workers one is first. The same
//! commit opens the session, so that no link is lost without one. The document follows; what a
//! crash or a store that was down left undone is done by [`MagicLinks::tidy`].

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde_json::Value;

use super::record::{Record, read_all};
use super::sessions::{Session, Sessions, SignInMethod};
use super::state::{
    MagicLinkCommand, MagicLinkCreated, MagicLinkEvent, MagicLinkState, link_name, link_stream,
};
use super::token::{LinkRefusal, Signer, end_of};
use super::{AccessError, Committed, Visitor, commit, new_events};
use crate::config::documents::Key;
use crate::config::edit::{Edit, Editor};
use crate::config::store::StoreReading;
use crate::kernel::aggregate::{Aggregate as _, Loaded, rehydrate};
use crate::kernel::execute::ATTEMPTS;
use crate::kernel::journal::{Commit, Expected, Journal, StreamWrite};
use crate::readmodel::queries::access::{self as rows, SignInLinkRow};

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

/// Where a link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkStatus {
    /// It opens a session.
    Open,
    /// It has opened its one session.
    Used,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
    /// The document does not have it any more.
    Gone,
}

/// A link as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSeen {
    /// What it is called; opens nothing.
    pub name: String,
    /// Where it stands.
    pub standing: LinkStatus,
    /// It opens one session; otherwise any number.
    pub single_use: bool,
    /// When it was made; `None` = another program made it, and it was not used here.
    pub created_at: Option<DateTime<Utc>>,
    /// Who made it; `external` = another program.
    pub created_by: String,
    /// It opens nothing after that; `None` = never.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was used last, as far as that is known.
    pub used_at: Option<DateTime<Utc>>,
    /// Sessions that it opened here.
    pub uses: u64,
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

    /// Whether a session could be opened with it now; opens none, and changes nothing.
    ///
    /// # Errors
    /// Why not.
    pub async fn look(&self, text: &str) -> Result<(), Denied> {
        let signed = self.signer.read(text, self.now())?;
        if signed.expired {
            return Err(LinkRefusal::Expired.into());
        }
        let document = self.document().await?;
        let record = document.links.get(&signed.id).ok_or(LinkRefusal::Unknown)?;
        let known = self.known(&link_name(&signed.id)).await?;
        let consume = MagicLinkCommand::Consume { record: record.clone(), session: String::new() };
        known.state.decide(&consume, &self.now())?;
        Ok(())
    }

    /// Opens a session with it: what the cookie is to hold, and the session. The checks and their
    /// order are those of the reference system (section 6.2).
    ///
    /// # Errors
    /// Why none was opened.
    pub async fn consume(&self, text: &str, from: &Visitor) -> Result<(SecretString, Session), Denied> {
        let signed = self.signer.read(text, self.now())?;
        if signed.expired {
            self.drop_entry(&signed.id).await;
            return Err(LinkRefusal::Expired.into());
        }
        let name = link_name(&signed.id);
        for _ in 0..ATTEMPTS {
            let document = self.document().await?;
            let record = document.links.get(&signed.id).ok_or(LinkRefusal::Unknown)?;
            let known = self.known(&name).await?;
            let opening = self.sessions.opening(&self.user, SignInMethod::MagicLink(name.clone()), from)?;
            let consume =
                MagicLinkCommand::Consume { record: record.clone(), session: opening.session.id.clone() };
            let events = match known.state.decide(&consume, &self.now()) {
                Ok(events) => events,
                Err(refusal) => {
                    if refusal == LinkRefusal::Expired {
                        self.drop_entry(&signed.id).await;
                    }
                    return Err(refusal.into());
                }
            };
            let link = self.link_write(&name, known.version, &events)?;
            match self.commit(vec![link, opening.write]).await? {
                Committed::Done => {
                    if record.single_use {
                        self.mark_consumed(&signed.id, record, &document.others).await;
                    }
                    return Ok((opening.secret, opening.session));
                }
                // It has left the log: it was over before.
                Committed::SomebodyWasFirst if self.is_archived(&name).await? => {
                    return Err(LinkRefusal::Unknown.into());
                }
                Committed::SomebodyWasFirst => {}
            }
        }
        Err(AccessError::journal("somebody else went on writing").into())
    }

    /// Whether nothing is left of its stream but its version.
    async fn is_archived(&self, name: &str) -> Result<bool, AccessError> {
        Ok(self.known(name).await?.version == 0)
    }

    /// The document is to say that it was consumed. What is not an entry leaves it, as it does
    /// with every change of the reference system.
    async fn mark_consumed(&self, id: &str, record: &Record, others: &[String]) {
        let consumed = Record { consumed: true, consumed_at: Some(self.now()), ..record.clone() };
        let mut fields = vec![(id.to_owned(), Some(consumed.write()))];
        fields.extend(others.iter().map(|name| (name.clone(), None)));
        if let Err(error) = self.write(fields).await {
            tracing::warn!(%error, "a sign-in link that was used is not marked in its document yet; here it opens nothing more");
        }
    }

    async fn drop_entry(&self, id: &str) {
        if let Err(error) = self.write(vec![(id.to_owned(), None)]).await {
            tracing::debug!(%error, "an expired sign-in link stays in its document for now");
        }
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

fn of_row(row: &SignInLinkRow, record: Option<&Record>, now: DateTime<Utc>) -> LinkSeen {
    let single_use = record.map_or(row.single_use, |record| record.single_use);
    let expires_at = record.map_or(row.expires_at, |record| record.expires_at);
    let used = single_use && (row.uses > 0 || record.is_some_and(|record| record.consumed));
    let standing = match record {
        _ if row.revoked_at.is_some() => LinkStatus::Revoked,
        _ if used => LinkStatus::Used,
        _ if expires_at.is_some_and(|end| end < now) => LinkStatus::Expired,
        None => LinkStatus::Gone,
        Some(_) => LinkStatus::Open,
    };
    LinkSeen {
        name: row.name.clone(),
        standing,
        single_use,
        created_at: Some(row.created_at).filter(|_| row.created_by != "external"),
        created_by: row.created_by.clone(),
        expires_at,
        used_at: row.used_at.or_else(|| record.and_then(|record| record.consumed_at)),
        uses: row.uses,
    }
}

fn of_record(name: String, record: &Record, now: DateTime<Utc>) -> LinkSeen {
    let standing = match record {
        record if record.single_use && record.consumed => LinkStatus::Used,
        record if record.expires_at.is_some_and(|end| end < now) => LinkStatus::Expired,
        _ => LinkStatus::Open,
    };
    LinkSeen {
        name,
        standing,
        single_use: record.single_use,
        created_at: None,
        created_by: "external".to_owned(),
        expires_at: record.expires_at,
        used_at: record.consumed_at,
        uses: 0,
    }
}
