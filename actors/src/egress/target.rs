//! Addresses of targets, as far as the text alone can tell. What a name resolves to is checked
//! when a connection is made.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use url::{Host, Url};

use super::EgressPolicy;

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
}
