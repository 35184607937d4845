//! Opens, finds and ends sessions.
//!
//! A browser holds 32 random bytes; the journal holds their SHA-256. Whoever is looked up is
//! looked up in the read model, which has caught up with the journal before it answers: so a
//! session that was opened on another worker is known here, and one that was ended there is not
//! any more. What was found is believed for a quarter of a second, and no longer.

mod end;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::state::{SessionCommand, SessionEvent, SessionOpened, SessionState, SessionUsed, session_stream};
use super::{AccessError, Committed, Visitor, commit, new_events};
use crate::kernel::aggregate::Aggregate as _;
use crate::kernel::clock::World;
use crate::kernel::digest::hex;
use crate::kernel::journal::{Commit, Expected, Journal, StreamWrite};
use crate::readmodel::queries::access as rows;
use crate::readmodel::queries::access::{OpenSessions, SessionRow};

/// A session that was not used for so long is over.
const IDLE: TimeDelta = TimeDelta::hours(8);
/// A session is over after so long, whatever happens.
const LIFE: TimeDelta = TimeDelta::days(30);
/// Its use is noted once in so long.
const NOTED: TimeDelta = TimeDelta::minutes(15);
/// What was found is believed for so long: a session that is ended elsewhere is used so much
/// longer at most.
const BELIEVED: Duration = Duration::from_millis(250);
/// So many are remembered; there is no reason for more.
const REMEMBERED: usize = 1_024;
/// Sessions ended by one commit.
const PAGE_SIZE: usize = 100;

/// A session that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// What it is called; opens nothing.
    pub id: String,
    /// Whose.
    pub user: String,
    /// `password` or `magic_link`.
    pub method: String,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// It is over then, unless it is used.
    pub idle_ends_at: DateTime<Utc>,
    /// It is over then, whatever happens.
    pub ends_at: DateTime<Utc>,
}

impl Session {
    fn of(row: &SessionRow) -> Self {
        Self {
            id: row.id.clone(),
            user: row.user.clone(),
            method: row.method.clone(),
            opened_at: row.opened_at,
            idle_ends_at: row.used_at + IDLE,
            ends_at: row.ends_at,
        }
    }

    fn is_over(&self, now: DateTime<Utc>) -> bool {
        now >= self.ends_at || now >= self.idle_ends_at
    }
}

/// How somebody has proved who he is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignInMethod {
    /// By name and password.
    Password,
    /// By a sign-in link of this name.
    MagicLink(String),
}

/// A session that is about to be opened, by a commit that holds its event.
#[derive(Debug)]
pub struct NewSession {
    /// What the cookie will hold.
    pub secret: SecretString,
    /// The session.
    pub session: Session,
    pub(super) write: StreamWrite,
}

/// Opens, checks and ends sessions.
pub struct Sessions {
    journal: Arc<dyn Journal>,
    world: World,
    /// [`super::password::Passwords::fingerprint`] of what is in force.
    credential: String,
    found: Mutex<HashMap<[u8; 32], (Instant, Session)>>,
    /// Counts what made this worker forget: what was read before is not remembered after.
    forgotten: AtomicU64,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sessions")
    }
}

impl Sessions {
    /// Of this journal; those that were opened under another password are over.
    #[must_use]
    pub fn new(journal: Arc<dyn Journal>, world: World, credential: &str) -> Self {
        Self {
            journal,
            world,
            credential: credential.to_owned(),
            found: Mutex::default(),
            forgotten: AtomicU64::new(0),
        }
    }

    /// Opens one: what the cookie is to hold, and the session.
    ///
    /// # Errors
    /// None was opened, or the journal does not say.
    pub async fn open(
        &self,
        user: &str,
        method: SignInMethod,
        from: &Visitor,
    ) -> Result<(SecretString, Session), AccessError> {
        let opening = self.opening(user, method, from)?;
        let writes = vec![opening.write];
        match commit(self.journal.as_ref(), &self.world, Commit { writes, ..Commit::default() }).await? {
            Committed::Done => Ok((opening.secret, opening.session)),
            Committed::SomebodyWasFirst => {
                Err(AccessError::journal("a session of a new name was there already"))
            }
        }
    }

    /// What opens one, when it is committed.
    pub(super) fn opening(
        &self,
        user: &str,
        method: SignInMethod,
        from: &Visitor,
    ) -> Result<NewSession, AccessError> {
        let random = self.world.ids.secret();
        let now = self.world.now();
        let id = self.world.ids.next().simple().to_string();
        let (method, link) = match method {
            SignInMethod::Password => ("password", String::new()),
            SignInMethod::MagicLink(name) => ("magic_link", name),
        };
        let opened = SessionOpened {
            hash: hex(Sha256::digest(random)),
            user: user.to_owned(),
            method: method.to_owned(),
            link,
            credential: self.credential.clone(),
            ends_at: now + LIFE,
            address: from.address.clone(),
            agent: from.agent.clone(),
        };
        let session = Session {
            id: id.clone(),
            user: user.to_owned(),
            method: method.to_owned(),
            opened_at: now,
            idle_ends_at: now + IDLE,
            ends_at: opened.ends_at,
        };
        let events = SessionState::default()
            .decide(&SessionCommand::Open(opened), &())
            .map_err(|_| AccessError::journal("a new session cannot be opened"))?;
        let write = StreamWrite {
            stream: session_stream(&id),
            expected: Expected::NoStream,
            events: new_events(&self.world, &events)?,
        };
        Ok(NewSession { secret: URL_SAFE_NO_PAD.encode(random).into(), session, write })
    }

    /// The open session of whoever shows this cookie; `None` = there is none.
    ///
    /// # Errors
    /// The journal does not say.
    pub async fn find(&self, cookie: &str, from: &Visitor) -> Result<Option<Session>, AccessError> {
        let Some(hash) = hash_of(cookie) else { return Ok(None) };
        let now = self.world.now();
        if let Some(session) = self.remembered(&hash) {
            return Ok(Some(session).filter(|session| !session.is_over(now)));
        }
        let forgotten = self.forgotten.load(Ordering::Acquire);
        let key = hex(hash);
        let row = self.journal.views().read(move |db| rows::session_by_hash(db, &key)).await;
        let Some(row) = row.map_err(AccessError::journal)?.filter(|row| self.holds(row)) else {
            return Ok(None);
        };
        let mut session = Session::of(&row);
        if session.is_over(now) {
            return Ok(None);
        }
        if now - row.used_at >= NOTED && self.note(&row, from).await {
            session.idle_ends_at = now + IDLE;
        }
        self.remember(hash, &session, forgotten);
        Ok(Some(session))
    }

    /// Whether the session of this cookie is open still; to ask is no use of it.
    ///
    /// # Errors
    /// The journal does not say.
    pub async fn is_open(&self, cookie: &str) -> Result<bool, AccessError> {
        let Some(hash) = hash_of(cookie) else { return Ok(false) };
        let key = hex(hash);
        let row = self.journal.views().read(move |db| rows::session_by_hash(db, &key)).await;
        let row = row.map_err(AccessError::journal)?.filter(|row| self.holds(row));
        Ok(row.is_some_and(|row| !Session::of(&row).is_over(self.world.now())))
    }

    /// Whether nobody has ended it.
    fn holds(&self, row: &SessionRow) -> bool {
        row.ended_at.is_none() && row.credential == self.credential
    }

    /// Notes that it is used. Whoever asks does not wait for long, and another worker may have
    /// noted it.
    async fn note(&self, row: &SessionRow, from: &Visitor) -> bool {
        let used = SessionEvent::Used(SessionUsed { address: from.address.clone() });
        let Ok(events) = new_events(&self.world, &[used]) else { return false };
        let write =
            StreamWrite { stream: session_stream(&row.id), expected: Expected::Exact(row.version), events };
        let commit = Commit { at: self.world.now(), writes: vec![write], ..Commit::default() };
        match self.journal.append(commit).await {
            Ok(_) => true,
            Err(error) => {
                tracing::debug!(%error, "the use of a session was not noted");
                false
            }
        }
    }

    fn found(&self) -> MutexGuard<'_, HashMap<[u8; 32], (Instant, Session)>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remembered(&self, hash: &[u8; 32]) -> Option<Session> {
        let found = self.found();
        let (at, session) = found.get(hash)?;
        (at.elapsed() < BELIEVED).then(|| session.clone())
    }

    fn remember(&self, hash: [u8; 32], session: &Session, forgotten: u64) {
        let mut found = self.found();
        // Looked at while it is locked: who forgets has counted before he locks it.
        if self.forgotten.load(Ordering::Acquire) != forgotten {
            return;
        }
        if found.len() >= REMEMBERED {
            found.retain(|_, (at, _)| at.elapsed() < BELIEVED);
        }
        if found.len() < REMEMBERED {
            found.insert(hash, (Instant::now(), session.clone()));
        }
    }

    fn forget(&self, ids: &[&str]) {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        self.found().retain(|_, (_, session)| !ids.contains(&session.id.as_str()));
    }

    /// Those that are open, the newest first: at most `limit`, opened before `before` (a
    /// [`SessionRow::position`]).
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn list(&self, before: Option<u64>, limit: usize) -> Result<Vec<SessionRow>, AccessError> {
        let now = self.world.now();
        let open =
            OpenSessions { now, credential: Some(self.credential.clone()), used_since: Some(now - IDLE) };
        let page = self.journal.views().read(move |db| rows::open_sessions(db, &open, before, limit)).await;
        page.map_err(AccessError::journal)
    }

    /// Those that there were and are, the newest first: at most `limit`, opened before `before` (a
    /// [`SessionRow::position`]).
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn all(&self, before: Option<u64>, limit: usize) -> Result<Vec<SessionRow>, AccessError> {
        let page = self.journal.views().read(move |db| rows::all_sessions(db, before, limit)).await;
        page.map_err(AccessError::journal)
    }

    /// When a session that was used last at this instant is over.
    #[must_use]
    pub fn idle_end(used_at: DateTime<Utc>) -> DateTime<Utc> {
        used_at + IDLE
    }
}

/// What a cookie is known by; `None` = it is none of ours.
fn hash_of(cookie: &str) -> Option<[u8; 32]> {
    let bytes: [u8; 32] = URL_SAFE_NO_PAD.decode(cookie).ok()?.try_into().ok()?;
    Some(Sha256::digest(bytes).into())
}
