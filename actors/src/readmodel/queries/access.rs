//! Sessions, sign-in links, and who did what.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{count, limit, time, time_or_epoch};
use crate::readmodel::integer;

/// A row of `sessions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// What it is called.
    pub id: String,
    /// Position of the event that opened it.
    pub position: u64,
    /// Whose.
    pub user: String,
    /// `password` or `magic_link`.
    pub method: String,
    /// Name of the sign-in link; empty for another method.
    pub link: String,
    /// Fingerprint of the password in force when it was opened.
    pub credential: String,
    /// From where it was used last, as far as it was noted; empty = not known.
    pub address: String,
    /// What the browser calls itself; empty = it does not say.
    pub agent: String,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// When it was used last, as far as it was noted.
    pub used_at: DateTime<Utc>,
    /// It is over then, whatever happens.
    pub ends_at: DateTime<Utc>,
    /// When somebody ended it.
    pub ended_at: Option<DateTime<Utc>>,
    /// Version of its stream.
    pub version: u64,
}

impl SessionRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            position: count(row, "position")?,
            user: row.get("user")?,
            method: row.get("method")?,
            link: row.get("link")?,
            credential: row.get("credential")?,
            address: row.get("address")?,
            agent: row.get("agent")?,
            opened_at: time_or_epoch(row, "opened_at")?,
            used_at: time_or_epoch(row, "used_at")?,
            ends_at: time_or_epoch(row, "ends_at")?,
            ended_at: time(row, "ended_at")?,
            version: count(row, "version")?,
        })
    }
}

/// The session of a cookie, by the SHA-256 of what that holds.
///
/// # Errors
/// What SQLite says.
pub fn session_by_hash(db: &Connection, hash: &str) -> rusqlite::Result<Option<SessionRow>> {
    db.prepare_cached("SELECT * FROM sessions WHERE hash = ?1")?
        .query_row([hash], SessionRow::read)
        .optional()
}

/// Which sessions are open: nobody has ended them, and their time is not over at `now`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSessions {
    /// At this instant.
    pub now: DateTime<Utc>,
    /// Opened under the password of this fingerprint; `None` = under any.
    pub credential: Option<String>,
    /// Used since then; `None` = at any time.
    pub used_since: Option<DateTime<Utc>>,
}

/// The open sessions below a position, the newest first.
///
/// # Errors
/// What SQLite says.
pub fn open_sessions(
    db: &Connection,
    open: &OpenSessions,
    before: Option<u64>,
    n: usize,
) -> rusqlite::Result<Vec<SessionRow>> {
    db.prepare_cached(
        "SELECT * FROM sessions
         WHERE ended_at IS NULL AND position < ?1 AND ends_at > ?2
             AND (?3 IS NULL OR credential = ?3) AND (?4 IS NULL OR used_at > ?4)
         ORDER BY position DESC LIMIT ?5",
    )?
    .query_map(
        (
            before.map_or(i64::MAX, integer),
            open.now.timestamp_millis(),
            open.credential.as_deref(),
            open.used_since.map(|since| since.timestamp_millis()),
            limit(n),
        ),
        SessionRow::read,
    )?
    .collect()
}

/// All sessions that were opened below a position, whatever became of them, the newest first.
///
/// # Errors
/// What SQLite says.
pub fn all_sessions(db: &Connection, before: Option<u64>, n: usize) -> rusqlite::Result<Vec<SessionRow>> {
    db.prepare_cached("SELECT * FROM sessions WHERE position < ?1 ORDER BY position DESC LIMIT ?2")?
        .query_map((before.map_or(i64::MAX, integer), limit(n)), SessionRow::read)?
        .collect()
}

/// A row of `magic_links`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInLinkRow {
    /// What it is called.
    pub name: String,
    /// When it was made, or seen for the first time.
    pub created_at: DateTime<Utc>,
    /// Who made it; `external` = another program.
    pub created_by: String,
    /// It opens one session.
    pub single_use: bool,
    /// It opens nothing after that; `None` = never ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// Sessions that it opened.
    pub uses: u64,
    /// When it did so last.
    pub used_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

impl SignInLinkRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            name: row.get("name")?,
            created_at: time_or_epoch(row, "created_at")?,
            created_by: row.get("created_by")?,
            single_use: row.get("single_use")?,
            expires_at: time(row, "expires_at")?,
            uses: count(row, "uses")?,
            used_at: time(row, "used_at")?,
            revoked_at: time(row, "revoked_at")?,
        })
    }
}

/// The links to which something has happened since then.
///
/// # Errors
/// What SQLite says.
pub fn links_since(db: &Connection, since: DateTime<Utc>) -> rusqlite::Result<Vec<SignInLinkRow>> {
    db.prepare_cached("SELECT * FROM magic_links WHERE updated_at >= ?1 ORDER BY updated_at DESC")?
        .query_map([since.timestamp_millis()], SignInLinkRow::read)?
        .collect()
}

/// The link of this name.
///
/// # Errors
/// What SQLite says.
pub fn link(db: &Connection, name: &str) -> rusqlite::Result<Option<SignInLinkRow>> {
    db.prepare_cached("SELECT * FROM magic_links WHERE name = ?1")?
        .query_row([name], SignInLinkRow::read)
        .optional()
}

/// A row of `actions`: somebody did something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionRow {
    /// Position of its event.
    pub position: u64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who: `session:<user>`, `token:<name>`, `cli` …
    pub actor: String,
    /// What: the kind of the event.
    pub kind: String,
    /// To what: the stream of the event.
    pub stream: String,
}

/// What was done below a position, the newest first; by one actor when one is named.
///
/// # Errors
/// What SQLite says.
pub fn actions(
    db: &Connection,
    actor: Option<&str>,
    before: Option<u64>,
    n: usize,
) -> rusqlite::Result<Vec<ActionRow>> {
    db.prepare_cached(
        "SELECT * FROM actions WHERE position < ?1 AND (?2 IS NULL OR actor = ?2)
         ORDER BY position DESC LIMIT ?3",
    )?
    .query_map((before.map_or(i64::MAX, integer), actor, limit(n)), |row| {
        Ok(ActionRow {
            position: count(row, "position")?,
            at: time_or_epoch(row, "at")?,
            actor: row.get("actor")?,
            kind: row.get("kind")?,
            stream: row.get("stream")?,
        })
    })?
    .collect()
}
