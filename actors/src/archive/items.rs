//! Where archived mails lie in their mailboxes, in few words. Pure.
//!
//! A mail that was archived may stay in the mailbox for years. The poller must know it without
//! its stream, so the event that tells of the archiving names its items: UIDs as ranges, since
//! neighbours are archived together.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::kernel::event::{DomainEvent as _, EventError, Recorded};
use crate::mail::life::{Location, MailEvent, uid_of};

/// Items of one mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Items {
    /// Name of the mailbox.
    pub mailbox: String,
    /// UIDVALIDITY; 0 for a Maildir.
    pub validity: u64,
    /// UIDs, from the first to the last of each range.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uids: Vec<(u32, u32)>,
    /// Names that are no UIDs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// Every place that these events name for a copy of a mail.
///
/// # Errors
/// When an event cannot be read.
pub fn items_of<'e>(events: impl Iterator<Item = &'e Recorded>) -> Result<Vec<Items>, EventError> {
    let mut found: BTreeMap<(String, u64), (BTreeSet<u32>, BTreeSet<String>)> = BTreeMap::new();
    for event in events.filter(|event| event.stream.category() == "mail") {
        let event = MailEvent::from_recorded(event)?;
        let Some(Location { mailbox, validity, item }) = event.location().cloned() else { continue };
        let (uids, names) = found.entry((mailbox, validity)).or_default();
        match uid_of(&item) {
            Some(uid) => uids.insert(uid),
            None => names.insert(item),
        };
    }
    let items = found.into_iter().map(|((mailbox, validity), (uids, names))| Items {
        mailbox,
        validity,
        uids: ranges(uids),
        names: names.into_iter().collect(),
    });
    Ok(items.collect())
}

fn ranges(uids: BTreeSet<u32>) -> Vec<(u32, u32)> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for uid in uids {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(uid) => *last = uid,
            _ => ranges.push((uid, uid)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_make_a_range() {
        for (uids, want) in [
            (vec![], vec![]),
            (vec![7], vec![(7, 7)]),
            (vec![3, 1, 2, 9, 8, 5], vec![(1, 3), (5, 5), (8, 9)]),
            (vec![u32::MAX, 0], vec![(0, 0), (u32::MAX, u32::MAX)]),
        ] {
            assert_eq!(ranges(uids.into_iter().collect()), want);
        }
    }

    #[test]
    fn only_a_plain_number_is_a_uid() {
        for (item, want) in [
            ("1", Some(1)),
            ("4294967295", Some(u32::MAX)),
            ("4294967296", None),
            ("01", None),
            ("+1", None),
            ("", None),
            ("1700000000.M1P2.host", None),
        ] {
            assert_eq!(uid_of(item), want, "{item}");
        }
    }
}
