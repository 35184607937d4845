//! What documents are told of an address that is none, and which addresses stand for no target.
//! Whether requests may go to one is said by [`crate::egress::check_target`].

use url::Url;

use crate::kernel::said::{Said, said};

/// That a `webhook_url` is none. The French words are the reference's.
#[must_use]
pub fn not_https() -> Said {
    said!("webhook_url doit être une URL HTTPS valide.", "webhook_url must be a valid HTTPS address.")
}

/// Whether an address is one of those that stand in examples, and so nobody's target: the
/// reference system's list (July). One without a host is, too.
#[must_use]
pub fn is_placeholder(url: &str) -> bool {
    let host = Url::parse(url.trim()).ok().and_then(|url| url.host_str().map(str::to_lowercase));
    let Some(host) = host.filter(|host| !host.is_empty()) else { return true };
    matches!(
        host.as_str(),
        "example.com" | "example.org" | "example.net" | "test.com" | "localhost" | "127.0.0.1"
    ) || host.ends_with(".example.com")
        || host.ends_with(".example.net")
}

/// The message for the `webhook_url` of a document: the reference's, and why. What the guard says
/// is English; in French there is the rule that it stands for.
pub(super) fn refusal(why: &str) -> Said {
    said!(
        "webhook_url doit être une URL HTTPS valide. (https://, un hôte public\u{a0}; http:// et les réseaux privés seulement dans EGRESS_ALLOW_CIDRS)",
        "webhook_url must be a valid HTTPS address. ({why})"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was recorded of the reference (`jul_placeholder`).
    #[test]
    fn placeholders_are_those_of_the_reference() {
        let cases = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/jul.json"));
        let cases: Vec<serde_json::Value> = serde_json::from_str(cases).unwrap();
        let cases: Vec<_> = cases.iter().filter(|case| case["area"] == "jul_placeholder").collect();
        assert_eq!(cases.len(), 8);
        for case in cases {
            assert_eq!(case["output"], is_placeholder(case["input"]["url"].as_str().unwrap()), "{case}");
        }
    }
}
