//! Addresses of targets, as far as the text alone can tell. What a name resolves to is
//! checked when a connection is made, by [`crate::egress`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use ipnet::IpNet;
use url::{Host, Url};

use crate::egress::EgressPolicy;
use crate::kernel::said::{Said, said};

/// That a `webhook_url` is none. The French words are the reference's.
#[must_use]
pub fn not_https() -> Said {
    said!("webhook_url doit être une URL HTTPS valide.", "webhook_url must be a valid HTTPS address.")
}

/// Whether requests may go to `url`. `allow` names the private or loopback networks that
/// they may go to, `http://` included (`EGRESS_ALLOW_CIDRS`).
///
/// # Errors
/// Why not. The address is not repeated beyond its host: it is a capability.
pub fn check_target(url: &str, allow: &[IpNet]) -> Result<(), String> {
    let Ok(parsed) = Url::parse(url) else {
        return Err("the address must start with https:// and name a host".to_owned());
    };
    let policy = EgressPolicy::new(allow.to_vec());
    let is_local = matches!(parsed.host(), Some(Host::Domain(name)) if name == "localhost" || name.ends_with(".localhost"));
    if !is_local {
        return policy.check_url(&parsed).map(drop);
    }
    // RFC 6761 section 6.3: always loopback, so it need not be resolved to know.
    let at = |address: IpAddr| {
        let mut literal = parsed.clone();
        match literal.set_ip_host(address) {
            Ok(()) => policy.check_url(&literal).map(drop),
            Err(()) => Err("the address has no host".to_owned()),
        }
    };
    at(Ipv6Addr::LOCALHOST.into()).or_else(|_| at(Ipv4Addr::LOCALHOST.into()))
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

    fn nets(list: &[&str]) -> Vec<IpNet> {
        list.iter().map(|net| net.parse().unwrap()).collect()
    }

    #[test]
    fn targets_lie_on_the_public_internet_or_in_a_named_network() {
        let cases = [
            ("https://hook.eu2.make.com/abc", &[][..], true),
            ("https://h", &[], true),
            ("http://hook.example.fr/x", &[], false),
            ("https://127.0.0.1/x", &[], false),
            ("https://localhost/x", &[], false),
            ("https://a.localhost/x", &[], false),
            ("http://127.0.0.1:8080/x", &["127.0.0.0/8"], true),
            ("http://localhost:8080/x", &["127.0.0.0/8"], true),
            ("http://localhost:8080/x", &["::1/128"], true),
            ("http://localhost:8080/x", &["10.0.0.0/8"], false),
            ("http://10.1.2.3/x", &["127.0.0.0/8"], false),
            ("http://receiver:8080/x", &["172.16.0.0/12"], true),
            ("ftp://h/x", &[], false),
            ("https://", &[], false),
            ("abc", &[], false),
        ];
        for (url, allow, allowed) in cases {
            assert_eq!(check_target(url, &nets(allow)).is_ok(), allowed, "{url} {allow:?}");
        }
    }

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
