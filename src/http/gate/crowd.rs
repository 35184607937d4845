//! All connections of the server, of which there is a bound.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use super::Gate;
use super::phase::Phase;

/// The connections. Clones share them.
#[derive(Debug, Clone)]
pub(in crate::http) struct Crowd {
    bound: usize,
    members: Rc<RefCell<Vec<Member>>>,
}

#[derive(Debug)]
struct Member {
    /// Gone with the stream. A request that is kept for the next one may keep the gate.
    alive: Weak<()>,
    gate: Gate,
}

impl Crowd {
    /// At most so many.
    pub(in crate::http) fn new(bound: usize) -> Self {
        Self { bound, members: Rc::default() }
    }

    /// One more connection. If there are too many, the one that has kept us waiting for
    /// longest ends: whoever has a question sends it at once, and is answered even while a
    /// crowd that sends half a request holds every place. Dropping what is returned leaves.
    pub(super) fn enter(&self, gate: &Gate) -> Rc<()> {
        let mut members = self.members.borrow_mut();
        members.retain(|member| member.alive.strong_count() > 0);
        while members.len() >= self.bound.max(1) {
            let Some(at) = longest(&members) else { break };
            members.swap_remove(at).gate.evict();
            // render_signal_http_dropped_total{reason}: connections that were given up.
            metrics::counter!("render_signal_http_dropped_total", "reason" => "crowd").increment(1);
        }
        let alive = Rc::new(());
        members.push(Member { alive: Rc::downgrade(&alive), gate: gate.clone() });
        // render_signal_http_connections: open connections, seen when one comes.
        #[expect(clippy::cast_precision_loss, reason = "at most a few thousand")]
        metrics::gauge!("render_signal_http_connections").set(members.len() as f64);
        alive
    }
}

/// Those for which an answer is being made come last.
fn longest(members: &[Member]) -> Option<usize> {
    let rank = |member: &Member| {
        let state = member.gate.0.borrow();
        (matches!(state.phase, Phase::Asked | Phase::Answering | Phase::Last), state.since)
    };
    let places = members.iter().map(rank).enumerate();
    places.min_by_key(|(_, rank)| *rank).map(|(at, _)| at)
}
