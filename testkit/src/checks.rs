//! The promises, as checks on what a receiver was sent.

use std::collections::{BTreeMap, BTreeSet};

use super::mails::TestMail;
use super::receiver::Receiver;
use super::until::ensure;

/// Whether every mail's webhook was accepted at least once; names the missing ones.
pub fn all_accepted(receiver: &Receiver, mails: &[TestMail]) -> Result<(), String> {
    let accepted = receiver.accepted();
    let missing: Vec<_> =
        mails.iter().map(|mail| mail.mark.as_str()).filter(|mark| !accepted.contains_key(*mark)).collect();
    ensure(missing.is_empty(), || {
        let some = missing.iter().take(5).copied().collect::<Vec<_>>().join(", ");
        format!("{} of {} webhooks are missing, such as {some}", missing.len(), mails.len())
    })
}

/// Every mail's webhook was accepted exactly once, and nothing else arrived.
pub fn assert_each_exactly_once(receiver: &Receiver, mails: &[TestMail]) {
    let expected: BTreeMap<String, usize> = mails.iter().map(|mail| (mail.mark.clone(), 1)).collect();
    assert_eq!(receiver.accepted(), expected, "each mail once");
    assert_repeats_are_identical(receiver);
}

/// What was sent more than once carried the same `webhook-id` and the same bytes, and
/// one mail never had two ids at one target.
pub fn assert_repeats_are_identical(receiver: &Receiver) {
    let mut bodies: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut ids: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for delivery in receiver.deliveries() {
        let id = delivery.webhook_id().to_owned();
        assert!(!id.is_empty(), "a webhook without an id: {:?}", delivery.headers);
        ids.entry((delivery.path.clone(), delivery.mark())).or_default().insert(id.clone());
        let first = bodies.entry(id.clone()).or_insert_with(|| delivery.body.clone());
        assert_eq!(
            String::from_utf8_lossy(first),
            String::from_utf8_lossy(&delivery.body),
            "two bodies for webhook {id}"
        );
    }
    for ((path, mark), ids) in ids {
        assert_eq!(ids.len(), 1, "mail {mark} had several webhook ids at {path}: {ids:?}");
    }
}
