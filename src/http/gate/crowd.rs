//! All connections of the server, whose number is bounded.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::ConnectionGate;
use super::phase::ReadPhase;

/// How long every connection is left alone, so that its request is read and answered. Without this,
/// a crowd that connects again as soon as it is turned out would evict requests that have arrived
/// and were not read yet.
pub(super) const GRACE: Duration = Duration::from_millis(200);
/// How often it is checked whether a connection has ended, while none may be evicted.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// The connections. Clones share them.
#[derive(Debug, Clone)]
pub(in crate::http) struct Crowd {
    bound: usize,
    members: Rc<RefCell<Vec<OpenConnection>>>,
    /// New connections that wait, in the order in which they came.
    queue: Rc<Mutex<()>>,
}

#[derive(Debug)]
struct OpenConnection {
    /// Gone with the stream. A request that is kept for the next one may keep the gate.
    alive: Weak<()>,
    gate: ConnectionGate,
}

impl Crowd {
    /// With at most `bound` connections at a time.
    pub(in crate::http) fn new(bound: usize) -> Self {
        Self { bound: bound.max(1), members: Rc::default(), queue: Rc::default() }
    }

    /// One more connection. If there are too many, the one that has kept us waiting for
    /// longest ends: a client with a request sends it at once, and is answered even while a
    /// crowd that sends half a request holds every connection. None ends within its [`GRACE`];
    /// until then the new one waits. Dropping what is returned leaves.
    pub(super) async fn enter(&self) -> (ConnectionGate, Rc<()>) {
        let _turn = self.queue.lock().await;
        while let Err(at) = self.make_room() {
            tokio::time::sleep_until(at.min(Instant::now() + POLL_INTERVAL)).await;
        }
        let (gate, alive) = (ConnectionGate::new(), Rc::new(()));
        let mut members = self.members.borrow_mut();
        members.push(OpenConnection { alive: Rc::downgrade(&alive), gate: gate.clone() });
        // render_signal_http_connections: open connections, seen when one comes.
        #[expect(clippy::cast_precision_loss, reason = "at most a few thousand")]
        metrics::gauge!("render_signal_http_connections").set(members.len() as f64);
        (gate, alive)
    }

    /// Leaves a place free, or says when one can be taken at the latest.
    fn make_room(&self) -> Result<(), Instant> {
        let mut members = self.members.borrow_mut();
        members.retain(|member| member.alive.strong_count() > 0);
        while members.len() >= self.bound {
            let Some((at, since)) = longest(&members) else { break };
            if since.elapsed() < GRACE {
                return Err(since + GRACE);
            }
            members.swap_remove(at).gate.evict();
            // render_signal_http_dropped_total{reason}: connections that were given up.
            metrics::counter!("render_signal_http_dropped_total", "reason" => "crowd").increment(1);
        }
        Ok(())
    }
}

/// The one that has kept us waiting for longest, and since when. Those for which an answer is
/// being made come last.
fn longest(members: &[OpenConnection]) -> Option<(usize, Instant)> {
    let rank = |member: &OpenConnection| {
        let state = member.gate.0.borrow();
        (matches!(state.phase, ReadPhase::Asked | ReadPhase::Answering | ReadPhase::Last), state.since)
    };
    let places = members.iter().map(rank).enumerate();
    places.min_by_key(|(_, rank)| *rank).map(|(at, (_, since))| (at, since))
}
