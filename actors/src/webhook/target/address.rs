//! The address of a target as it is compared and looked up.

use crate::kernel::digest::sha256;
use crate::mail::outbox_rows::{self, DeliverMeta};
use crate::mail::policy::Policy;

/// SHA-256 of an address in hex: lets events tell addresses apart without holding one.
#[must_use]
pub fn url_hash(address: &str) -> String {
    sha256(address)
}

/// The address that the present policy has for a target, if it has one.
#[must_use]
pub fn configured<'p>(policy: &'p Policy, target: &str) -> Option<&'p str> {
    if target == outbox_rows::NOTIFY_TARGET {
        return policy.prefs.notify();
    }
    outbox_rows::target_of(policy, target).map(|target| target.url.as_str()).filter(|url| !url.is_empty())
}

/// The address a delivery goes to now: the configured one, or the one it was routed to.
#[must_use]
pub fn of_delivery<'a>(policy: &'a Policy, meta: &'a DeliverMeta) -> &'a str {
    configured(policy, &meta.target).unwrap_or(&meta.url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_address_has_another_hash() {
        assert_eq!(url_hash(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_ne!(url_hash("https://a/1"), url_hash("https://a/2"));
    }
}
