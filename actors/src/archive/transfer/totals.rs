//! How much a copy has, and a sum over what its lines say, by which a torn or altered copy is noticed.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::CopyLine;
use crate::kernel::canonical::canonical_hash;
use crate::kernel::digest::hex;

/// How much there is of everything, and what it comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyTotals {
    /// Events.
    pub events: u64,
    /// Streams that have lost events to an archive.
    pub trimmed: u64,
    /// Bodies.
    pub bodies: u64,
    /// Rows of the outbox.
    pub rows: u64,
    /// SHA-256 over what matters of all of them, in hex: positions, which a copy without
    /// gaps counts anew, and the order of bodies and trimmed streams, which each backend has
    /// its own of, are left out.
    pub sha256: String,
}

/// Adds up what passes by.
#[derive(Default)]
pub(super) struct Adder {
    tally: CopyTotals,
    events: Sha256,
    rows: Sha256,
    /// Added up so that their order does not matter.
    others: [u8; 32],
}

impl Adder {
    pub(super) fn add(&mut self, line: &CopyLine) {
        match line {
            CopyLine::Event(event) => {
                self.tally.events += 1;
                let facts = (&event.id, &event.stream, event.version, &event.kind, event.schema);
                digest(&mut self.events, &(facts, event.at, event.cause, &event.payload));
            }
            CopyLine::Row(row) => {
                self.tally.rows += 1;
                digest(&mut self.rows, row);
            }
            CopyLine::Trim { stream, version } => {
                self.tally.trimmed += 1;
                self.mix(&(stream, version));
            }
            CopyLine::Body { key, bytes, .. } => {
                self.tally.bodies += 1;
                self.mix(&(key, bytes));
            }
            CopyLine::Journal(_) | CopyLine::End(_) => {}
        }
    }

    fn mix(&mut self, facts: &impl Serialize) {
        let mut hash = Sha256::new();
        digest(&mut hash, facts);
        for (sum, byte) in self.others.iter_mut().zip(hash.finalize()) {
            *sum = sum.wrapping_add(byte);
        }
    }

    pub(super) fn finish(self) -> CopyTotals {
        let mut all = self.events;
        all.update(self.rows.finalize());
        all.update(self.others);
        CopyTotals { sha256: hex(all.finalize()), ..self.tally }
    }
}

/// JSON with sorted keys: the backends keep the order of fields, but need not.
fn digest(hash: &mut Sha256, facts: &impl Serialize) {
    let value = serde_json::to_value(facts).unwrap_or_default();
    let text = canonical_hash(&value);
    hash.update(text.as_bytes());
}
