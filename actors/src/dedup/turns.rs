//! Whose turn it is to be appended.
//!
//! A mail that takes very long to read is overtaken by those behind it, but not by those
//! that a target wants after it: they wait until it is in the journal, and so do those
//! behind them.

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

/// The orders in which somebody waits or is waited for.
#[derive(Debug, Default)]
pub(super) struct Sequencer {
    /// Closed when the last mail of the order is done.
    last: HashMap<String, oneshot::Receiver<()>>,
}

/// A mail's turn. The next one's comes when this is dropped.
#[derive(Debug, Default)]
pub(super) struct SequencerTurn {
    before: Option<oneshot::Receiver<()>>,
    /// Dropped with the turn, which is what the next one waits for.
    _done: Option<oneshot::Sender<()>>,
}

impl Sequencer {
    /// The turn of the next mail of an order. `late` = it is overtaken by others.
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
    /// Waits until the mails before are done.
    pub(super) async fn comes(&mut self) {
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
        let comes = |turn: &mut SequencerTurn| turn.comes().now_or_never().is_some();
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
