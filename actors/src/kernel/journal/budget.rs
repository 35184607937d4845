//! How much of the bodies a claim brings into memory. Pure.
//!
//! Rows are small, bodies are what strangers make of them: 64 rows may be a megabyte or a
//! gigabyte. So a claim is bounded in bytes as well as in number. An ordinary body is *light*
//! and passes always, since the number of rows bounds those; *heavy* ones share a budget, in
//! order, and light rows go on beside them.

use std::collections::{HashMap, HashSet};

use super::ClaimRequest;

/// Largest body that is light, in bytes. An ordinary mail's has some kilobytes; as many of
/// these as are under way at once (640) have 40 MiB, as much as three of the largest drafts.
pub const LIGHT: usize = 64 * 1024;

/// How many rows of a partition are looked at behind those that a claim may have, when some of
/// those are too heavy. Each costs a look at a length; without a bound a backlog of heavy rows
/// would be read with every claim.
pub(super) const BEYOND: usize = 256;

/// How much of the bodies a claim may bring. The default: any number of bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BodyBudget {
    /// Bytes of all heavy bodies of the claim, `None` = any. The first heavy
    /// row comes whatever its size, so that none is stuck; with `Some(0)` none comes. A heavy row
    /// that does not fit lets no heavy row behind it pass, so that none waits for ever.
    pub bytes: Option<u64>,
    /// Largest body that is light, in bytes: [`LIGHT`] for whoever has no reason for another.
    pub light: u64,
    /// Of these partitions only light rows come.
    pub light_only: HashSet<String>,
    /// Nothing passes a heavy row that does not come, be it light: for whoever works in the order
    /// of the rows.
    pub in_order: bool,
}

impl BodyBudget {
    /// So many bytes, from every partition.
    #[must_use]
    pub fn of(bytes: u64) -> Self {
        Self { bytes: Some(bytes), light: LIGHT as u64, ..Self::default() }
    }
}

/// Takes rows for a claim, which are offered in their order: first those that each partition may
/// have at most, then, of the partitions that had too heavy ones ([`Self::looks_beyond`]),
/// [`BEYOND`] more.
pub(super) struct Picker<'a> {
    request: &'a ClaimRequest,
    left: Option<u64>,
    has_heavy: bool,
    /// A heavy row did not fit.
    closed: bool,
    /// Nothing passes it.
    ended: bool,
    count: usize,
    taken: HashMap<&'a str, usize>,
    skipped: HashSet<&'a str>,
}

impl<'a> Picker<'a> {
    pub(super) fn new(request: &'a ClaimRequest) -> Self {
        Self {
            request,
            left: request.bodies.bytes,
            has_heavy: false,
            closed: false,
            ended: false,
            count: 0,
            taken: HashMap::new(),
            skipped: HashSet::new(),
        }
    }

    /// How many rows of a partition the claim may have.
    pub(super) fn most(request: &ClaimRequest, partition: &str) -> usize {
        let most = request.per_partition.get(partition).unwrap_or(&request.partition_default);
        (*most).min(request.limit)
    }

    /// Whether the length of the bodies matters.
    pub(super) fn weighs(&self) -> bool {
        self.request.bodies.bytes.is_some() || !self.request.bodies.light_only.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.ended || self.count >= self.request.limit
    }

    /// Whether a light row further back of this partition may be taken.
    pub(super) fn looks_beyond(&self, partition: &str) -> bool {
        self.skipped.contains(partition)
    }

    /// Whether the next row is taken; `bytes`: length of its body.
    pub(super) fn takes(&mut self, partition: &'a str, bytes: u64) -> bool {
        let taken = self.taken.entry(partition).or_default();
        if self.ended || self.count >= self.request.limit || *taken >= Self::most(self.request, partition) {
            return false;
        }
        if self.weighs() && bytes > self.request.bodies.light && !self.bears(partition, bytes) {
            self.skipped.insert(partition);
            self.ended = self.request.bodies.in_order;
            return false;
        }
        *self.taken.entry(partition).or_default() += 1;
        self.count += 1;
        true
    }

    fn bears(&mut self, partition: &str, bytes: u64) -> bool {
        if self.request.bodies.light_only.contains(partition) {
            return false;
        }
        let Some(left) = self.left else { return true };
        let is_first = !self.has_heavy && left > 0;
        if self.closed || !(is_first || bytes <= left) {
            self.closed = true;
            return false;
        }
        self.has_heavy = true;
        self.left = Some(left.saturating_sub(bytes));
        true
    }
}
