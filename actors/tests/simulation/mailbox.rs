//! A mailbox on a server that outlives every worker.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::bell::Bell;

/// One mail on the server.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) raw: Bytes,
    pub(crate) seen: bool,
    pub(crate) arrived_at: DateTime<Utc>,
    /// What the test calls it.
    pub(crate) label: u32,
}

/// The server's state.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) validity: u64,
    pub(crate) uid_next: u64,
    pub(crate) messages: BTreeMap<u64, Message>,
    /// Moved away for a while.
    pub(crate) elsewhere: Vec<Message>,
}

/// Cheap to clone; all clones are the same server.
#[derive(Clone)]
pub(crate) struct Server {
    state: Arc<Mutex<State>>,
    pub(crate) changed: Bell,
}

impl Server {
    pub(crate) fn new() -> Self {
        let state = State { validity: 1, uid_next: 1, ..State::default() };
        Self { state: Arc::new(Mutex::new(state)), changed: Bell::default() }
    }

    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap())
    }

    fn tell(&self) {
        self.changed.ring();
    }

    pub(crate) fn arrive(&self, message: Message) {
        self.with(|state| {
            let uid = state.uid_next;
            state.uid_next += 1;
            state.messages.insert(uid, message);
        });
        self.tell();
    }

    /// The server renumbers everything.
    pub(crate) fn renumber(&self) {
        self.with(|state| {
            state.validity += 1;
            let old = std::mem::take(&mut state.messages);
            state.uid_next = 1;
            for message in old.into_values() {
                let uid = state.uid_next;
                state.uid_next += 1;
                state.messages.insert(uid, message);
            }
        });
        self.tell();
    }

    /// Somebody moves the `nth` mail to another folder.
    pub(crate) fn move_away(&self, nth: u64) {
        self.with(|state| {
            let uid = state.messages.keys().nth(usize::try_from(nth).unwrap()).copied();
            if let Some(message) = uid.and_then(|uid| state.messages.remove(&uid)) {
                state.elsewhere.push(message);
            }
        });
    }

    /// Everything that was moved away comes back, under new UIDs.
    pub(crate) fn move_back(&self) {
        let back = self.with(|state| std::mem::take(&mut state.elsewhere));
        for message in back {
            self.arrive(message);
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.with(|state| state.messages.len() as u64)
    }
}
