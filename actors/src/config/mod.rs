//! ConfigActor: documents, stores, hot reload.
//!
//! ```text
//! store ─read─▶ ActiveDocuments ─build─▶ Policy ─▶ PolicyCell + PolicyChanged
//!   │                                   └─▶ what this worker runs, told to the others
//!   └─changes─▶ config.changed, with a copy of the document
//! ```
//!
//! * [`documents`]: what is stored, and what it means.
//! * [`policy`]: documents + environment = policy; pure.
//! * [`active`]: what is in force, what is refused and why; pure.
//! * [`store`]: where documents are kept.
//! * [`edit`]: the one door for changes.
//! * [`history`]: every change is an event, one that waits or that lost against another too;
//!   [`state`] is what the stream of a document says, pure; [`diff`] shows what two versions differ in.
//! * [`notes`]: what earlier versions kept in files, as events.
//! * `rollout`: do the workers run the same; pure.
//! * [`load`]: everything read once, without an actor; `actor`: reads again and again, and
//!   tells the others; `effects`: what it does to the world.

pub mod active;
mod actor;
pub mod diff;
pub mod documents;
pub mod edit;
mod effects;
pub mod events;
pub mod history;
pub mod load;
pub mod notes;
pub mod policy;
pub mod prune;
mod rollout;
pub mod rules;
pub mod state;
mod status;
pub mod store;
pub mod urls;

use std::sync::Arc;

use actix::Message;

pub use self::actor::ConfigActor;
use self::policy::EnvDefaults;
pub use self::status::{ConfigStatus, DocumentStatus, GetConfigStatus, ReadAgain};
use self::store::DocumentStore;
use crate::kernel::clock::World;
use crate::kernel::journal::Journal;
use crate::kernel::port::Port;
use crate::mail::policy::PolicyCell;
use crate::messages::PolicyChanged;

/// Id of the default target; no rule may have it.
pub const DEFAULT_TARGET: &str = "default";

/// What the actor needs.
#[derive(Clone)]
pub struct ConfigDeps {
    /// Time, ids, jitter.
    pub world: World,
    /// Where changes are recorded.
    pub journal: Arc<dyn Journal>,
    /// Where the policy in force is put. Filled from [`load::load`] before the start.
    pub policy: PolicyCell,
    /// Name of this worker, told to the others.
    pub worker: String,
    /// Where the documents are.
    pub store: Arc<dyn DocumentStore>,
    /// What holds where the documents say nothing.
    pub env: Arc<EnvDefaults>,
}

/// Whom to tell about changes. Sent once by the root, after the others are started; each
/// of them is told the policy in force at once.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct WireConfig(pub Vec<Port<PolicyChanged>>);

/// Cases of `tests/golden/config.json`: recorded from the reference system, with a
/// `differs` where this program differs on purpose.
#[cfg(test)]
pub(crate) fn golden(area: &str) -> Vec<serde_json::Value> {
    let cases: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("../../../tests/golden/config.json")).unwrap();
    let cases: Vec<_> = cases.into_iter().filter(|case| case["area"] == area).collect();
    assert!(!cases.is_empty(), "no golden case of {area}");
    cases
}

#[cfg(test)]
mod tests;
