//! What stands between a connection and the HTTP parser: one request at a time.
//!
//! The parser sees the head of a request and nothing of what lies behind it, until it is
//! known what that is: the body of an address that takes one, by its announced length, or
//! the next request once this one is answered. Behind a body that nobody reads, and behind
//! one whose end only the parser could tell (`Transfer-Encoding`), lies nothing that is ever
//! read. So no parser's mistake about where a body ends can turn a body into a request, in
//! this version of it or the next.
//!
//! It also bounds what a connection may cost: the time for a head, for a body and for taking
//! an answer. When there are too many connections it ends the one that it has waited for longest.

mod crowd;
mod phase;
mod refusal;
mod stream;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

pub(super) use crowd::Crowd;
pub(super) use phase::Follows;
use phase::ReadPhase;
pub(super) use stream::{Gated, MAX_LINGER};

/// How long a head (from its first byte) or a body may take to arrive, and how long a client may
/// pause while it takes an answer.
pub(super) const IO_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection's gate: its stream asks what may be read, and its requests say what follows.
#[derive(Debug, Clone)]
pub(super) struct ConnectionGate(Rc<RefCell<GateState>>);

#[derive(Debug)]
struct GateState {
    phase: ReadPhase,
    /// Since when it has stood there.
    since: Instant,
    /// When what is being read must be here.
    deadline: Option<Instant>,
    /// The answer is a stream without an end: a client that closes its side has gone.
    streams: bool,
    /// Another connection has taken its place.
    evicted: bool,
    /// Wakes the reader.
    reader: Option<Waker>,
}

impl ConnectionGate {
    fn new() -> Self {
        Self(Rc::new(RefCell::new(GateState {
            phase: ReadPhase::NEXT,
            since: Instant::now(),
            deadline: None,
            streams: false,
            evicted: false,
            reader: None,
        })))
    }

    /// The head of a request has been parsed, and this follows it.
    pub(super) fn go_on(&self, follows: Follows) {
        self.change(|state| {
            state.phase.go_on(follows);
            let body = matches!(state.phase, ReadPhase::Body { .. });
            state.deadline = body.then(|| Instant::now() + IO_TIMEOUT);
        });
    }

    /// The answer to a request is made; the request was the `last` one, or not.
    pub(super) fn answered(&self, last: bool) {
        self.change(|state| {
            state.phase.answered(last);
            state.deadline = None;
        });
    }

    /// The answer that is being made is a stream without an end. The parser takes the end of what a
    /// client sends for nothing more than that, and would go on until a write fails.
    pub(super) fn streams(&self) {
        self.change(|state| state.streams = true);
    }

    /// Ends the connection at once.
    fn evict(&self) {
        self.change(|state| state.evicted = true);
    }

    fn change(&self, change: impl FnOnce(&mut GateState)) {
        let mut state = self.0.borrow_mut();
        change(&mut state);
        state.since = Instant::now();
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
    }
}

impl GateState {
    /// How many of `bytes` may be read now; counts them as read.
    fn read(&mut self, bytes: &[u8]) -> usize {
        let before = self.phase;
        let read = self.phase.read(bytes);
        if self.phase.is_within_a_head() {
            self.deadline = self.deadline.or_else(|| Some(Instant::now() + IO_TIMEOUT));
        } else if self.phase != before && !matches!(self.phase, ReadPhase::Body { .. }) {
            self.deadline = None;
        }
        read
    }
}
