//! A task's right to a row.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::super::claimed::ClaimedDelivery;
use super::super::deliver::Clearance;
use super::Dispatcher;

/// By the key of the row: as long as it lasts, no other task of this worker has the row.
pub(in super::super) struct Ownership {
    dispatcher: Arc<Dispatcher>,
    key: String,
    is_over: bool,
}

impl Ownership {
    pub(in super::super) fn new(dispatcher: &Arc<Dispatcher>, key: String) -> Self {
        Self { dispatcher: Arc::clone(dispatcher), key, is_over: false }
    }

    pub(in super::super) fn key(&self) -> &str {
        &self.key
    }

    /// The row, if it was claimed anew meanwhile; else the ownership is over.
    pub(in super::super) fn successor(&mut self) -> Option<(ClaimedDelivery, oneshot::Receiver<Clearance>)> {
        let (waiter, clearance) = oneshot::channel();
        let row = {
            let mut state = self.dispatcher.state();
            let Some(row) = state.owned.get_mut(&self.key).and_then(|owned| owned.take_successor(waiter))
            else {
                state.owned.remove(&self.key);
                self.is_over = true;
                let is_idle = state.is_idle();
                drop(state);
                if is_idle {
                    self.dispatcher.idle.notify_waiters();
                }
                return None;
            };
            state.scheduler.push(&row);
            row
        };
        self.dispatcher.wake.notify_one();
        Some((row, clearance))
    }
}

impl Drop for Ownership {
    /// Of a task that has panicked twice, or was ended. Asks no clock.
    fn drop(&mut self) {
        if !self.is_over {
            self.dispatcher.state().owned.remove(&self.key);
            self.dispatcher.idle.notify_waiters();
        }
    }
}
