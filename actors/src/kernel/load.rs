//! How many bytes of strangers' mails a capability has in memory, and how many more it may claim.
//!
//! Bodies are claimed for as long as the budget is not used up. The last one may exceed it (a
//! large row would be stuck otherwise), so what is held is at most the budget and one body.
//! One owner may have a share of it: then at most twice that, since its last claim may bring as
//! much once more. Light bodies ([`LIGHT`]) are not counted: the number of rows bounds them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use tokio::sync::Notify;

use super::journal::{BodyBudget, LIGHT};

/// How many bytes of bodies are in memory, and a limit for them. Clones are the same load.
#[derive(Debug, Clone)]
pub struct Load(Arc<LoadInner>);

#[derive(Debug)]
struct LoadInner {
    /// Bytes in all.
    budget: u64,
    /// Bytes of one owner.
    share: u64,
    held: Mutex<Sums>,
    freed: Notify,
    careful: AtomicBool,
}

#[derive(Debug, Default)]
struct Sums {
    all: u64,
    by_owner: HashMap<String, u64>,
}

/// A body in memory. Clones hold the same one; it is counted until the last of them is dropped.
#[derive(Debug, Clone, Default)]
pub struct Held {
    _one: Option<Arc<One>>,
}

#[derive(Debug)]
struct One {
    load: Arc<LoadInner>,
    owner: String,
    bytes: u64,
}

impl LoadInner {
    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for One {
    fn drop(&mut self) {
        let mut sums = self.load.sums();
        sums.all = sums.all.saturating_sub(self.bytes);
        if let Some(held) = sums.by_owner.get_mut(&self.owner) {
            *held = held.saturating_sub(self.bytes);
            if *held == 0 {
                sums.by_owner.remove(&self.owner);
            }
        }
        drop(sums);
        self.load.freed.notify_one();
    }
}

impl Load {
    /// Nothing is held. `budget`: bytes in all; `share`: bytes of one owner.
    #[must_use]
    pub fn new(budget: usize, share: usize) -> Self {
        Self(Arc::new(LoadInner {
            budget: budget as u64,
            share: share as u64,
            held: Mutex::default(),
            freed: Notify::new(),
            careful: AtomicBool::new(true),
        }))
    }

    /// Counts a body of `bytes` that is in memory now.
    #[must_use]
    pub fn hold(&self, owner: &str, bytes: usize) -> Held {
        if bytes <= LIGHT {
            return Held::default();
        }
        let bytes = bytes as u64;
        let mut sums = self.0.sums();
        sums.all += bytes;
        *sums.by_owner.entry(owner.to_owned()).or_default() += bytes;
        drop(sums);
        Held { _one: Some(Arc::new(One { load: Arc::clone(&self.0), owner: owner.to_owned(), bytes })) }
    }

    /// What a claim may bring now. `partitions`: those of an owner; of an owner whose share is
    /// used up only light rows come.
    #[must_use]
    pub fn allows<const N: usize>(&self, partitions: impl Fn(&str) -> [String; N]) -> BodyBudget {
        let sums = self.0.sums();
        let full = sums.by_owner.iter().filter(|(_, held)| **held >= self.0.share);
        let light_only = full.flat_map(|(owner, _)| partitions(owner)).collect();
        // All of it may be one owner's.
        let bytes = self.0.budget.saturating_sub(sums.all).min(self.0.share);
        BodyBudget { light_only, ..BodyBudget::of(bytes) }
    }

    /// The same, of a capability without owners, whose rows are read alone after a death. As long
    /// as such rows may come ([`Self::met`]), heavy ones are claimed one at a time: then the
    /// claim cannot be what a worker died of, and the mail that is blamed for it is the one.
    #[must_use]
    pub fn allows_with_care(&self) -> BodyBudget {
        if !self.0.careful.load(Ordering::Relaxed) {
            return self.allows(|_| []);
        }
        BodyBudget::of(u64::from(self.0.sums().all == 0))
    }

    /// What a claim has brought: of each heavy row, whether a worker may have died of it.
    pub fn met(&self, suspects: impl Iterator<Item = bool>) {
        if let Some(any) = suspects.reduce(|one, other| one | other) {
            self.0.careful.store(any, Ordering::Relaxed);
        }
    }

    /// Waits until a body was dropped since the last time.
    pub async fn freed(&self) {
        self.0.freed.notified().await;
    }

    /// Whether a body was dropped since the last time.
    #[must_use]
    pub fn was_freed(&self) -> bool {
        self.freed().now_or_never().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn bytes(load: &Load) -> Option<u64> {
        load.allows(|_| []).bytes
    }

    #[test]
    fn heavy_bodies_use_the_budget_up_until_the_last_clone_is_gone() {
        let load = Load::new(10 * MIB, 10 * MIB);
        let light = load.hold("a", LIGHT);
        assert_eq!(bytes(&load), Some(10 << 20));
        let first = load.hold("a", 4 * MIB);
        let clone = first.clone();
        assert_eq!(bytes(&load), Some(6 << 20));
        let over = load.hold("a", 9 * MIB);
        assert_eq!(bytes(&load), Some(0));
        drop(light);
        drop(first);
        assert!(!load.was_freed(), "one clone is left");
        drop(clone);
        assert!(load.was_freed() && !load.was_freed());
        assert_eq!(bytes(&load), Some(1 << 20));
        drop(over);
        assert_eq!(bytes(&load), Some(10 << 20));
    }

    #[test]
    fn an_owner_with_its_share_leaves_the_rest_to_others() {
        let load = Load::new(10 * MIB, 3 * MIB);
        let of = |load: &Load| load.allows(|owner| [format!("{owner}/1"), format!("{owner}/2")]);
        let held = [load.hold("a", 2 * MIB), load.hold("b", 2 * MIB), load.hold("a", MIB)];
        let both = ["a/1".to_owned(), "a/2".to_owned()].into();
        assert_eq!(of(&load), BodyBudget { light_only: both, ..BodyBudget::of(3 << 20) });
        let other = load.hold("c", 4 * MIB);
        assert_eq!(of(&load).bytes, Some(1 << 20));
        drop((held, other));
        assert_eq!(of(&load), BodyBudget::of(3 << 20));
    }

    #[test]
    fn after_a_start_and_after_a_suspect_heavy_bodies_come_one_by_one() {
        let load = Load::new(10 * MIB, 10 * MIB);
        assert_eq!(load.allows_with_care(), BodyBudget::of(1));
        let suspect = load.hold("", MIB);
        load.met([true].into_iter());
        assert_eq!(load.allows_with_care(), BodyBudget::of(0));
        load.met(std::iter::empty());
        drop(suspect);
        assert_eq!(load.allows_with_care(), BodyBudget::of(1), "light rows say nothing");
        load.met([false, false].into_iter());
        assert_eq!(load.allows_with_care(), BodyBudget::of(10 << 20));
        load.met([true, false].into_iter());
        assert_eq!(load.allows_with_care(), BodyBudget::of(1));
    }
}
