//! Keeps the mails of one order in that order while they are read side by side.
//!
//! A mail that takes long to read is overtaken by later ones, except by those that a target
//! wants delivered after it: they wait until it is in the journal, and so do those behind them.

use std::collections::HashMap;

use tokio::sync::oneshot;

use crate::mail::life::Location;
use crate::mail::policy::{Ordering, Policy};

/// What the mails of one order have in common; `None` = no target wants an order.
///
/// Which targets a mail goes to is not known before it is read, so every target counts.
pub(super) fn order_of(policy: &Policy, location: &Location, sender: &str) -> Option<String> {
    let targets = policy.rules.iter().map(|rule| &rule.target).chain([&policy.default_target]);
    let wanted = targets.map(|target| target.ordering).filter(|ordering| *ordering != Ordering::None);
    // The mails of a sender keep their order when those of the mailbox do.
    match wanted.max_by_key(|ordering| *ordering == Ordering::Mailbox)? {
        Ordering::Mailbox => Some(format!("mailbox {}", location.mailbox)),
        Ordering::Sender | Ordering::None => Some(format!("sender {sender}")),
    }
}

/// Whether some target wants an order.
pub(super) fn wants_order(policy: &Policy) -> bool {
    let targets = policy.rules.iter().map(|rule| &rule.target).chain([&policy.default_target]);
    targets.into_iter().any(|target| target.ordering != Ordering::None)
}

/// The orders in which a mail waits, or is waited for.
#[derive(Debug, Default)]
pub(super) struct Sequencer {
    /// Closed when the last mail of the order is done.
    last: HashMap<String, oneshot::Receiver<()>>,
}

/// The place of a mail in its order. Dropping it lets the next mail go on.
#[derive(Debug, Default)]
pub(super) struct SequencerTurn {
    before: Option<oneshot::Receiver<()>>,
    /// Dropped with the place: the next mail waits for that.
    _done: Option<oneshot::Sender<()>>,
}

impl Sequencer {
    /// The place of the next mail of an order. `late`: others may overtake it.
    pub(super) fn take(&mut self, late: bool, order: Option<String>) -> SequencerTurn {
        self.last.retain(|_, last| last.try_recv() == Err(oneshot::error::TryRecvError::Empty));
        let Some(order) = order else { return SequencerTurn::default() };
        let before = self.last.remove(&order);
        if !late && before.is_none() {
            return SequencerTurn::default();
        }
        let (done, last) = oneshot::channel();
        self.last.insert(order, last);
        SequencerTurn { before, _done: Some(done) }
    }
}

impl SequencerTurn {
    /// Returns when the mails before it are done.
    pub(super) async fn ready(&mut self) {
        if let Some(before) = self.before.take() {
            // Nothing is ever sent: the other end is dropped.
            drop(before.await);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::future::FutureExt as _;

    use super::*;

    fn order(name: &str) -> Option<String> {
        Some(name.to_owned())
    }

    #[test]
    fn only_those_of_the_same_order_wait_and_one_after_the_other() {
        let mut turns = Sequencer::default();
        let comes = |turn: &mut SequencerTurn| turn.ready().now_or_never().is_some();
        let mut first = turns.take(false, order("a"));
        let mut late = turns.take(true, order("a"));
        let mut behind = turns.take(false, order("a"));
        let mut further = turns.take(false, order("a"));
        let mut other = turns.take(false, order("b"));
        let mut free = turns.take(true, None);
        assert!(comes(&mut first) && comes(&mut late) && comes(&mut other) && comes(&mut free));
        let waiting = |turn: &mut SequencerTurn| {
            let before = turn.before.as_mut().expect("it waits");
            before.try_recv() == Err(oneshot::error::TryRecvError::Empty)
        };
        assert!(waiting(&mut behind) && waiting(&mut further));
        drop(late);
        assert!(comes(&mut behind) && waiting(&mut further));
        drop(behind);
        assert!(comes(&mut further));
        drop(further);
        assert!(comes(&mut turns.take(false, order("a"))));
        assert!(turns.last.is_empty(), "nobody waits, so nothing is kept");
    }
}
