//! The pure state of sessions and sign-in links: their events, and the rules that make them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::record::Record;
use super::token::LinkRefusal;
use crate::domain_events;
use crate::kernel::aggregate::{Aggregate, Evolve};
use crate::kernel::digest::short_sha256;
use crate::kernel::event::StreamId;

/// Payload of `session.opened`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionOpened {
    /// SHA-256 of the text in the cookie, which nobody but the browser has.
    pub hash: String,
    /// Whose.
    pub user: String,
    /// `password` or `magic_link`.
    pub method: String,
    /// Which sign-in link; empty for another method.
    pub link: String,
    /// Fingerprint of the user name and password that were in force; with others, it is over.
    pub credential: String,
    /// It is over then, whatever happens.
    pub ends_at: DateTime<Utc>,
    /// Who opened it; empty = not known.
    pub address: String,
    /// What the browser calls itself; empty = it does not say.
    pub agent: String,
}

/// Payload of `session.used`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionUsed {
    /// From where; empty = not known.
    pub address: String,
}

/// Payload of `session.ended`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEnded {
    /// `logout`, `replaced`, `revoked`, `everywhere` or `password_changed`.
    pub reason: String,
    /// Who ended it.
    pub by: String,
}

/// Payload of `magic_link.created`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MagicLinkCreated {
    /// It opens one session; otherwise any number.
    pub single_use: bool,
    /// It opens none after that; `None` = never.
    pub expires_at: Option<DateTime<Utc>>,
    /// Who made it; `external` = another program.
    pub by: String,
}

/// Payload of `magic_link.consumed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MagicLinkConsumed {
    /// The session that it opened.
    pub session: String,
}

/// Payload of `magic_link.revoked`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MagicLinkRevoked {
    /// Who revoked it.
    pub by: String,
}

domain_events! {
    /// What happens to a session.
    pub enum SessionEvent {
        Opened(SessionOpened) = "session.opened", schema 1, in "session", "Somebody signed in.", {
            hash: "SHA-256 of the text in the cookie", user: "whose", method: "password or magic_link",
            link: "which sign-in link; empty for another method", credential: "keyed fingerprint of the password in force",
            ends_at: "it is over then, whatever happens", address: "who opened it", agent: "what the browser calls itself" };
        Used(SessionUsed) = "session.used", schema 1, in "session", "A session was used; told once in a quarter of an hour.", {
            address: "from where" };
        Ended(SessionEnded) = "session.ended", schema 1, in "session", "A session was ended before its time.", {
            reason: "logout, replaced, revoked, everywhere or password_changed", by: "who ended it" };
    }
}

domain_events! {
    /// What happens to a sign-in link.
    pub enum MagicLinkEvent {
        Created(MagicLinkCreated) = "magic_link.created", schema 1, in "magic_link", "A sign-in link was made, here or by another program.", {
            single_use: "it opens one session", expires_at: "it opens none after that; null = never",
            by: "who made it; external = another program" };
        Consumed(MagicLinkConsumed) = "magic_link.consumed", schema 1, in "magic_link", "A sign-in link opened a session.", {
            session: "which" };
        Revoked(MagicLinkRevoked) = "magic_link.revoked", schema 1, in "magic_link", "A sign-in link was revoked.", {
            by: "who revoked it" };
    }
}

/// The stream of a session.
#[must_use]
pub fn session_stream(id: &str) -> StreamId {
    StreamId::new("session", id)
}

/// What a sign-in link is called in streams, lists and answers: a hash of its own id, which is
/// a part of what opens a session.
#[must_use]
pub fn link_name(id: &str) -> String {
    short_sha256(id, 32)
}

/// The stream of a sign-in link, by [`link_name`].
#[must_use]
pub fn link_stream(name: &str) -> StreamId {
    StreamId::new("magic_link", name)
}

/// Where a session stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SessionState {
    /// There is none of this name.
    #[default]
    Unknown,
    /// It was opened; its time may be over.
    Open,
    /// It was ended.
    Ended,
}

/// What somebody wants of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionCommand {
    /// Begin it.
    Open(SessionOpened),
    /// Note that it is used.
    Use(SessionUsed),
    /// End it.
    End(SessionEnded),
}

/// There is no such session, or it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSession;

impl Evolve for SessionState {
    type Event = SessionEvent;

    fn evolve(&mut self, event: &SessionEvent) {
        *self = match (*self, event) {
            (Self::Ended, _) | (_, SessionEvent::Ended(_)) => Self::Ended,
            (_, SessionEvent::Opened(_)) => Self::Open,
            (before, SessionEvent::Used(_)) => before,
        };
    }
}

impl Aggregate for SessionState {
    type Command = SessionCommand;
    type Cx = ();
    type Reject = NoSession;

    fn decide(&self, command: &SessionCommand, (): &()) -> Result<Vec<SessionEvent>, NoSession> {
        match (self, command) {
            (Self::Unknown, SessionCommand::Open(opened)) => Ok(vec![SessionEvent::Opened(opened.clone())]),
            (Self::Open, SessionCommand::Use(used)) => Ok(vec![SessionEvent::Used(used.clone())]),
            (Self::Open, SessionCommand::End(ended)) => Ok(vec![SessionEvent::Ended(ended.clone())]),
            (Self::Ended, SessionCommand::End(_)) => Ok(Vec::new()),
            _ => Err(NoSession),
        }
    }
}

/// What the journal knows of a sign-in link. What is not in the document `magic_link_tokens`
/// opens nothing, whatever is known here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MagicLinkState {
    /// How it was made, when that is known.
    pub created: Option<MagicLinkCreated>,
    /// Sessions that it opened.
    pub uses: u64,
    /// It was revoked.
    pub revoked: bool,
}

/// What somebody wants of a sign-in link.
#[derive(Debug, Clone, PartialEq)]
pub enum MagicLinkCommand {
    /// Make it.
    Create(MagicLinkCreated),
    /// Open a session with it, of which the document says this.
    Consume {
        /// The document's entry.
        record: Record,
        /// The session.
        session: String,
    },
    /// Have it open nothing any more.
    Revoke {
        /// The document's entry, when it has one.
        record: Option<Record>,
        /// Who.
        by: String,
    },
}

impl MagicLinkState {
    /// Nothing will ever be opened with it after `now`.
    #[must_use]
    pub fn is_over(&self, now: DateTime<Utc>) -> bool {
        let created = self.created.as_ref();
        self.revoked
            || created.is_some_and(|created| created.single_use && self.uses > 0)
            || created.and_then(|created| created.expires_at).is_some_and(|end| end < now)
    }

    /// Another program made it: that is written down with the first thing that happens to it.
    fn made_elsewhere(&self, record: &Record) -> Option<MagicLinkEvent> {
        self.created.is_none().then(|| {
            MagicLinkEvent::Created(MagicLinkCreated {
                single_use: record.single_use,
                expires_at: record.expires_at,
                by: "external".to_owned(),
            })
        })
    }
}

impl Evolve for MagicLinkState {
    type Event = MagicLinkEvent;

    fn evolve(&mut self, event: &MagicLinkEvent) {
        match event {
            MagicLinkEvent::Created(created) => self.created = Some(created.clone()),
            MagicLinkEvent::Consumed(_) => self.uses += 1,
            MagicLinkEvent::Revoked(_) => self.revoked = true,
        }
    }
}

impl Aggregate for MagicLinkState {
    type Command = MagicLinkCommand;
    /// The present instant.
    type Cx = DateTime<Utc>;
    type Reject = LinkRefusal;

    /// The order of the checks is that of the reference system (section 6.2).
    fn decide(
        &self,
        command: &MagicLinkCommand,
        now: &DateTime<Utc>,
    ) -> Result<Vec<MagicLinkEvent>, LinkRefusal> {
        match command {
            MagicLinkCommand::Create(created) if *self == Self::default() => {
                Ok(vec![MagicLinkEvent::Created(created.clone())])
            }
            MagicLinkCommand::Create(_) => Err(LinkRefusal::Unknown),
            MagicLinkCommand::Consume { .. } if self.revoked => Err(LinkRefusal::Unknown),
            MagicLinkCommand::Consume { record, session } => {
                if record.single_use && (record.consumed || self.uses > 0) {
                    return Err(LinkRefusal::Used);
                }
                if record.expires_at.is_some_and(|end| end < *now) {
                    return Err(LinkRefusal::Expired);
                }
                let consumed = MagicLinkEvent::Consumed(MagicLinkConsumed { session: session.clone() });
                Ok(self.made_elsewhere(record).into_iter().chain([consumed]).collect())
            }
            MagicLinkCommand::Revoke { .. } if self.revoked => Ok(Vec::new()),
            MagicLinkCommand::Revoke { record, by } => {
                let revoked = MagicLinkEvent::Revoked(MagicLinkRevoked { by: by.clone() });
                let made = record.as_ref().and_then(|record| self.made_elsewhere(record));
                Ok(made.into_iter().chain([revoked]).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn record(single_use: bool, consumed: bool, expires_at: Option<i64>) -> Record {
        Record { single_use, consumed, expires_at: expires_at.map(at), consumed_at: None }
    }

    fn consume(record: &Record) -> MagicLinkCommand {
        MagicLinkCommand::Consume { record: record.clone(), session: "s".to_owned() }
    }

    fn after(
        command: &MagicLinkCommand,
        state: &mut MagicLinkState,
    ) -> Result<Vec<&'static str>, LinkRefusal> {
        use crate::kernel::event::DomainEvent as _;
        let events = state.decide(command, &at(100))?;
        events.iter().for_each(|event| state.evolve(event));
        Ok(events.iter().map(|event| event.kind()).collect())
    }

    #[test]
    fn a_single_link_opens_one_session_whoever_says_that_it_has() {
        let mut state = MagicLinkState::default();
        let fresh = record(true, false, Some(200));
        let first = after(&consume(&fresh), &mut state);
        assert_eq!(first, Ok(vec!["magic_link.created", "magic_link.consumed"]));
        // The document is behind, or was put back from a copy.
        assert_eq!(after(&consume(&fresh), &mut state), Err(LinkRefusal::Used));
        // The reference system has consumed it.
        let elsewhere = consume(&record(true, true, Some(200)));
        assert_eq!(after(&elsewhere, &mut MagicLinkState::default()), Err(LinkRefusal::Used));
        assert!(state.is_over(at(0)));
    }

    #[test]
    fn a_permanent_link_opens_any_number_until_it_is_revoked() {
        let mut state = MagicLinkState::default();
        let permanent = record(false, false, None);
        for wanted in [&["magic_link.created", "magic_link.consumed"][..], &["magic_link.consumed"]] {
            assert_eq!(after(&consume(&permanent), &mut state).as_deref(), Ok(wanted));
        }
        assert!(!state.is_over(at(i64::from(u32::MAX))));
        let revoke = MagicLinkCommand::Revoke { record: Some(permanent.clone()), by: "cli".to_owned() };
        assert_eq!(after(&revoke, &mut state), Ok(vec!["magic_link.revoked"]));
        assert_eq!(after(&revoke, &mut state), Ok(vec![]), "once is enough");
        assert_eq!(after(&consume(&permanent), &mut state), Err(LinkRefusal::Unknown));
        assert!(state.is_over(at(0)));
    }

    #[test]
    fn the_document_may_end_a_link_before_its_token_does() {
        let late = consume(&record(true, false, Some(99)));
        assert_eq!(after(&late, &mut MagicLinkState::default()), Err(LinkRefusal::Expired));
        let just = consume(&record(true, false, Some(100)));
        assert!(after(&just, &mut MagicLinkState::default()).is_ok());
    }

    fn any_event() -> impl Strategy<Value = SessionEvent> {
        let opened = SessionOpened {
            hash: String::new(),
            user: String::new(),
            method: String::new(),
            link: String::new(),
            credential: String::new(),
            ends_at: at(0),
            address: String::new(),
            agent: String::new(),
        };
        prop_oneof![
            Just(SessionEvent::Opened(opened)),
            Just(SessionEvent::Used(SessionUsed { address: String::new() })),
            Just(SessionEvent::Ended(SessionEnded { reason: String::new(), by: String::new() })),
        ]
    }

    proptest! {
        #[test]
        fn an_ended_session_stays_ended_whatever_is_written_after_it(
            events in proptest::collection::vec(any_event(), 0..8)
        ) {
            let mut state = SessionState::default();
            let mut ended = false;
            for event in &events {
                state.evolve(event);
                ended |= matches!(event, SessionEvent::Ended(_));
            }
            prop_assert_eq!(state == SessionState::Ended, ended);
            if ended {
                let used = SessionCommand::Use(SessionUsed { address: String::new() });
                prop_assert_eq!(state.decide(&used, &()), Err(NoSession));
            }
        }
    }
}
