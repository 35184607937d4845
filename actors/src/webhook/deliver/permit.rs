//! A permit: the right to one attempt, which occupies a slot of its target.

use std::sync::Arc;
use std::time::Duration;

use super::super::dispatch::Dispatcher;
use super::super::limit::QueuedReservation;
use super::super::scheduler::{AttemptKind, Signal};

/// See the module page. Dropped, it frees the slot and tells nothing about the target.
pub(in super::super) struct Permit {
    dispatcher: Arc<Dispatcher>,
    target: String,
    kind: AttemptKind,
    /// Of a first attempt: it has to have a place of the hour, too.
    reservation: Option<QueuedReservation>,
    is_spent: bool,
}

impl Permit {
    pub(in super::super) fn new(dispatcher: &Arc<Dispatcher>, target: String, kind: AttemptKind) -> Self {
        // A repetition has been counted already.
        let counts = kind.failing_since.is_none();
        let reservation = if counts { dispatcher.limiter.queue(&dispatcher.deps, &target) } else { None };
        Self { dispatcher: Arc::clone(dispatcher), target, kind, reservation, is_spent: false }
    }

    /// The position among those that ask for a place of the hour.
    pub(super) fn reservation(&mut self) -> Option<QueuedReservation> {
        self.reservation.take()
    }

    /// The attempt has ended: frees the slot, and tells how the target is.
    pub(super) fn ended(mut self, signal: Signal, took: Duration) {
        self.dispatcher.attempt_ended(&self.target, self.kind, signal, took);
        // Last: the dispatcher asks the clock before it changes anything, and that may panic.
        self.is_spent = true;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.is_spent {
            self.dispatcher.attempt_dropped(&self.target, self.kind);
        }
    }
}
