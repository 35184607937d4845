//! Addresses of targets, as far as the text alone can tell. What a name resolves to is
//! checked when a connection is made, by the delivery.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use url::{Host, Url};

/// The reference's message for a `webhook_url` it does not take.
pub const NOT_HTTPS: &str = "webhook_url doit être une URL HTTPS valide.";

/// Why an address is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetRefused {
    /// It is no `https://` address.
    #[error("(il manque https:// ou un nom d'hôte)")]
    NotHttps,
    /// `http://` outside the networks that were named.
    #[error("(http:// n'est permis que dans les réseaux de EGRESS_ALLOW_CIDRS)")]
    PlainHttp,
    /// A private, loopback or otherwise special address outside the networks that were named.
    #[error("({0} est une adresse privée hors des réseaux de EGRESS_ALLOW_CIDRS)")]
    Private(IpAddr),
}

/// Whether webhooks may go to `url`. `allow` names the private or loopback networks that
/// targets may lie in, `http://` included.
///
/// # Errors
/// See [`TargetRefused`]. The address is not repeated in the error: it is a capability.
pub fn check_target(url: &str, allow: &[IpNet]) -> Result<(), TargetRefused> {
    let parsed = Url::parse(url).map_err(|_| TargetRefused::NotHttps)?;
    let plain = match parsed.scheme() {
        "https" => false,
        "http" => true,
        _ => return Err(TargetRefused::NotHttps),
    };
    let literal = match parsed.host() {
        None | Some(Host::Domain("")) => return Err(TargetRefused::NotHttps),
        Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => Some(ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4)),
        // RFC 6761 section 6.3: always loopback.
        Some(Host::Domain(name)) if name == "localhost" || name.ends_with(".localhost") => {
            Some(IpAddr::V4(Ipv4Addr::LOCALHOST))
        }
        Some(Host::Domain(_)) => None,
    };
    match literal {
        Some(ip) if allow.iter().any(|network| network.contains(&ip)) => Ok(()),
        Some(ip) if is_special(ip) => Err(TargetRefused::Private(ip)),
        Some(_) if plain => Err(TargetRefused::PlainHttp),
        // A name may resolve into a named network: only the connection can tell.
        None if plain && allow.is_empty() => Err(TargetRefused::PlainHttp),
        Some(_) | None => Ok(()),
    }
}

/// Whether an address is not one of the public internet.
fn is_special(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_special_v4(ip),
        IpAddr::V6(ip) => is_special_v6(ip),
    }
}

fn is_special_v4(ip: Ipv4Addr) -> bool {
    let [a, b, _, _] = ip.octets();
    ip.is_loopback()
        || ip.is_private()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_broadcast()
        || ip.is_documentation()
        || a == 0
        || a >= 240
        // RFC 6598, shared address space of carriers.
        || (a == 100 && (64..128).contains(&b))
        // RFC 2544, benchmarks.
        || (a == 198 && (b == 18 || b == 19))
}

fn is_special_v6(ip: Ipv6Addr) -> bool {
    let [first, second, ..] = ip.segments();
    ip.is_loopback()
        || ip.is_unspecified()
        || ip.is_multicast()
        || ip.is_unique_local()
        || ip.is_unicast_link_local()
        // RFC 3849, documentation.
        || (first == 0x2001 && second == 0x0db8)
        // RFC 6052, NAT64: an IPv4 address in disguise.
        || (first == 0x0064 && second == 0xff9b)
}

/// An address or one of the short forms of Make.com (reference section 3.2); `None` when
/// it is neither.
#[must_use]
pub fn normalize_make_url(text: &str) -> Option<String> {
    const MAKE: &str = "hook.eu2.make.com";
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    if text.starts_with("http://") || text.starts_with("https://") {
        return Some(text.to_owned());
    }
    if text.contains("@hook.eu2.make.com") {
        let token = text.split('@').next().unwrap_or_default();
        return Some(format!("https://{MAKE}/{token}"));
    }
    if text.contains(|c: char| c == '/' || c == '@' || c.is_whitespace()) {
        return None;
    }
    Some(format!("https://{MAKE}/{text}"))
}

/// An address as it may be shown: scheme and host only (reference section 4.4). Displays
/// as `***` when it is no address.
#[must_use]
pub fn mask(url: &str) -> Masked {
    Masked(mask_text(url).unwrap_or_else(|| "***".to_owned()))
}

/// The masked form; `None` for what does not start with `http`.
fn mask_text(url: &str) -> Option<String> {
    if !url.starts_with("http") {
        return None;
    }
    let after_scheme = url.split_once("://");
    match after_scheme.and_then(|(scheme, rest)| rest.split_once('/').map(|(host, _)| (scheme, host))) {
        // A user name and password before the host are not shown either.
        Some((scheme, host)) => {
            Some(format!("{scheme}://{}/***", host.rsplit('@').next().unwrap_or_default()))
        }
        None => {
            let head: String = url.split(['?', '#']).next().unwrap_or_default().chars().take(30).collect();
            Some(format!("{head}***"))
        }
    }
}

/// A masked address.
#[derive(Clone, PartialEq, Eq)]
pub struct Masked(String);

impl fmt::Display for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
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
            ("https://93.184.216.34/x", &[], true),
            ("http://hook.example.fr/x", &[], false),
            ("http://93.184.216.34/x", &["10.0.0.0/8"], false),
            ("https://127.0.0.1/x", &[], false),
            ("https://localhost/x", &[], false),
            ("https://[::1]/x", &[], false),
            ("https://[::ffff:10.0.0.1]/x", &[], false),
            ("https://169.254.169.254/latest", &[], false),
            ("https://0x7f.1/x", &[], false),
            ("http://127.0.0.1:8080/x", &["127.0.0.0/8"], true),
            ("http://localhost:8080/x", &["127.0.0.0/8"], true),
            ("http://[::1]:8080/x", &["::1/128"], true),
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

    #[test]
    fn a_mask_hides_everything_that_lets_one_in() {
        for secret in ["https://user:pw@h.fr/a", "https://h.fr?token=pw", "https://h.fr/a?pw"] {
            assert!(!mask(secret).to_string().contains("pw"), "{secret}");
        }
    }

    #[test]
    fn golden_make_url_and_mask_url() {
        for case in crate::config::golden("make_url") {
            let value = case["input"]["value"].as_str().unwrap_or_default();
            assert_eq!(normalize_make_url(value).as_deref(), case["output"].as_str(), "{case}");
        }
        for case in crate::config::golden("mask_url") {
            let url = case["input"]["url"].as_str().unwrap();
            assert_eq!(mask_text(url).as_deref(), case["output"].as_str(), "{case}");
        }
    }
}
