//! How much a server may send, and how long it may take, shared by those who ask and the
//! stream that listens.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What a server may send beyond what was asked for, in bytes: notices of other mail programs'
/// work, one for each mail of the mailbox at the worst.
const NOTICES: u64 = 4 * 1024 * 1024;
/// Bytes of one such notice.
const NOTICE: u64 = 256;
/// The same for a fetched mail's line, its flags among it.
pub(super) const ANSWER: u64 = 4 * 1024;
/// So many mails of a mailbox are believed when bounds are computed.
pub(super) const BELIEVED: u64 = 500_000;

/// All waiting for the answer to one command may take this long, however often a byte comes …
const GIVE_UP: Duration = Duration::from_secs(300);
/// … and one second more for so many bytes that did come.
const RATE: u64 = 8 * 1024;

/// What a command asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ask {
    /// Bytes of all answers together.
    pub(super) bytes: u64,
    /// The largest literal, in bytes.
    pub(super) literal: u64,
}

#[derive(Debug)]
struct BoundsState {
    /// Silence is what is expected: during IDLE.
    patient: bool,
    under_way: usize,
    /// Counts commands that were answered.
    answered: u64,
    /// Bytes that may still come.
    left: u64,
    literal: u64,
    refusal: Option<Vec<u8>>,
}

/// The bounds of one connection.
#[derive(Debug, Clone)]
pub(super) struct ConnectionBounds(Arc<Mutex<BoundsState>>);

impl Default for ConnectionBounds {
    fn default() -> Self {
        let state = BoundsState {
            patient: false,
            under_way: 0,
            answered: 0,
            left: NOTICES,
            literal: 0,
            refusal: None,
        };
        Self(Arc::new(Mutex::new(state)))
    }
}

impl ConnectionBounds {
    fn state(&self) -> MutexGuard<'_, BoundsState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether silence is expected from now on.
    pub(super) fn set_patient(&self, patient: bool) {
        self.state().patient = patient;
    }

    pub(super) fn is_patient(&self) -> bool {
        self.state().patient
    }

    /// A command is sent to a mailbox of `exists` mails, beside those that are under way.
    pub(super) fn asked(&self, ask: Ask, exists: u32) {
        let mut state = self.state();
        if state.under_way == 0 {
            state.left = NOTICES + NOTICE * u64::from(exists).min(BELIEVED);
            state.literal = 0;
        }
        state.under_way += 1;
        state.left = state.left.saturating_add(ask.bytes);
        state.literal = state.literal.max(ask.literal);
    }

    /// The answer to one of the commands is complete.
    pub(super) fn answered(&self) {
        let mut state = self.state();
        state.under_way = state.under_way.saturating_sub(1);
        state.answered += 1;
    }

    /// How many were, so far: waiting begins anew with each.
    pub(super) fn count_of_answered(&self) -> u64 {
        self.state().answered
    }

    /// The largest literal that may come.
    pub(super) fn literal(&self) -> u64 {
        self.state().literal
    }

    /// Counts bytes that came. False = more than may come.
    pub(super) fn spend(&self, bytes: usize) -> bool {
        let mut state = self.state();
        let left = state.left.checked_sub(bytes as u64);
        state.left = left.unwrap_or_default();
        left.is_some()
    }

    pub(super) fn note_refusal(&self, refusal: Vec<u8>) {
        self.state().refusal = Some(refusal);
    }

    /// What the server said when it declined last; told once.
    pub(super) fn refusal(&self) -> Option<Vec<u8>> {
        self.state().refusal.take()
    }
}

/// How long the waiting for one answer may take in all, when so many bytes came of it.
pub(super) fn patience(bytes: u64) -> Duration {
    GIVE_UP + Duration::from_secs(bytes / RATE)
}
