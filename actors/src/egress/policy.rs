//! Which addresses may be connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use url::{Host, Url};

/// Which networks requests may go to.
///
/// The public internet over `https://` is always allowed. Everything else (private,
/// loopback, link-local, metadata, documentation … and plain `http://`) only towards the
/// networks named here; if that was narrowed ([`Self::only_towards`]), only when certain
/// names are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EgressPolicy {
    allow: Vec<IpNet>,
    /// The names that `allow` is for; `None` = any, and addresses written as such.
    names: Option<&'static [&'static str]>,
}

/// What the protocol of an address allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AddressReach {
    /// `https://`: the public internet and the allowed networks.
    Public,
    /// `http://`: the allowed networks only.
    AllowedOnly,
}

impl EgressPolicy {
    /// A policy that also allows `allow` (`EGRESS_ALLOW_CIDRS`).
    #[must_use]
    pub const fn new(allow: Vec<IpNet>) -> Self {
        Self { allow, names: None }
    }

    /// The same, but the networks may be entered only by these names, `www.` before them or
    /// not: for addresses that strangers choose. Who names another host there, or writes an
    /// address, is let out to the public internet only. Sub-domains are other hosts, as
    /// their owners publish addresses of networks of their own.
    #[must_use]
    pub fn only_towards(self, names: &'static [&'static str]) -> Self {
        Self { names: Some(names), ..self }
    }

    /// The networks that may be entered when `name` is asked for; `None` = an address is.
    fn allowed(&self, name: Option<&str>) -> &[IpNet] {
        let is_meant = |names: &[&str]| {
            name.is_some_and(|name| names.contains(&name.strip_prefix("www.").unwrap_or(name)))
        };
        if self.names.is_none_or(is_meant) { &self.allow } else { &[] }
    }

    /// Checks an address that `name` resolved to, or that was written as such (no name).
    pub(super) fn check(
        &self,
        name: Option<&str>,
        address: IpAddr,
        reach: AddressReach,
    ) -> Result<(), String> {
        let address = address.to_canonical();
        if self.allowed(name).iter().any(|net| net.contains(&address)) {
            return Ok(());
        }
        if let Some(kind) = special(address) {
            return Err(match self.names {
                None => format!(
                    "{address} is a {kind} address; name its network in EGRESS_ALLOW_CIDRS to allow it"
                ),
                Some(_) => format!("{address} is a {kind} address"),
            });
        }
        match reach {
            AddressReach::Public => Ok(()),
            AddressReach::AllowedOnly => Err(format!(
                "http:// is allowed only towards EGRESS_ALLOW_CIDRS, and {address} is not in it; use https://"
            )),
        }
    }

    /// Checks what can be checked before a name is resolved: the protocol, and a host
    /// written as an address in any spelling (the parser of `Url` has normalised it).
    /// Needed because no resolver is asked for such a host.
    pub(crate) fn check_url(&self, url: &Url) -> Result<AddressReach, String> {
        let reach = match url.scheme() {
            "https" => AddressReach::Public,
            "http" if self.allowed(url.domain()).is_empty() => {
                return Err("the address must start with https:// (http:// only towards EGRESS_ALLOW_CIDRS)"
                    .to_owned());
            }
            "http" => AddressReach::AllowedOnly,
            other => return Err(format!("the address must start with https://, not {other}://")),
        };
        match url.host() {
            None => Err("the address has no host".to_owned()),
            Some(Host::Domain(_)) => Ok(reach),
            Some(Host::Ipv4(address)) => self.check(None, IpAddr::V4(address), reach).map(|()| reach),
            Some(Host::Ipv6(address)) => self.check(None, IpAddr::V6(address), reach).map(|()| reach),
        }
    }
}

/// What is special about an address that is not on the public internet (IANA special
/// purpose registries, RFC 6890 and its successors); `None` for a public one.
fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => special_v4(v4),
        IpAddr::V6(v6) => special_v6(v6),
    }
}

const fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    match address.octets() {
        [0, ..] => Some("\"this network\""),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Some("private"),
        [100, 64..=127, ..] => Some("carrier-grade NAT"),
        [127, ..] => Some("loopback"),
        // Azure answers there to every machine, although the address looks public.
        [169, 254, 169, 254] | [168, 63, 129, 16] => Some("cloud metadata"),
        [169, 254, ..] => Some("link-local"),
        [192, 0, 0, _] | [192, 88, 99, _] => Some("reserved"),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Some("documentation"),
        [198, 18..=19, ..] => Some("benchmark"),
        [224..=239, ..] => Some("multicast"),
        [240..=255, ..] => Some("reserved"),
        _ => None,
    }
}

/// Of IPv6 only the global unicast block is public, without the parts that carry an
/// IPv4 address inside or that nobody is reachable at.
///
/// Addresses that carry an IPv4 address: mapped (`::ffff:a.b.c.d`, judged as that IPv4 address
/// by the caller), compatible (`::a.b.c.d`), translated (`::ffff:0:a.b.c.d`, RFC 2765), NAT64 with
/// the well-known and the local prefixes (RFC 6052, RFC 8215), 6to4 (RFC 3056), Teredo
/// (RFC 4380), ISATAP (RFC 5214). A NAT64 prefix of the network's own looks like any other.
const fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("\"unspecified\""),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("loopback"),
        [0x64, 0xff9b, ..] => Some("NAT64"),
        [0x2002, ..] => Some("6to4"),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Some("documentation"),
        [0x2001, 0..=0x1ff, ..] => Some("special-purpose"),
        segments if is_isatap(segments) => Some("ISATAP"),
        [0x2000..=0x3fff, ..] => None,
        [0xfc00..=0xfdff, ..] => Some("unique local"),
        [0xfe80..=0xfebf, ..] => Some("link-local"),
        [0xff00..=0xffff, ..] => Some("multicast"),
        _ => Some("reserved"),
    }
}

/// Whether the interface identifier is that of ISATAP: 000000ug 00000000 5efe, and then an IPv4
/// address, in any network.
const fn is_isatap(segments: [u16; 8]) -> bool {
    matches!(segments, [_, _, _, _, 0 | 0x100 | 0x200 | 0x300, 0x5efe, _, _])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(policy: &EgressPolicy, url: &str) -> Result<AddressReach, String> {
        policy.check_url(&Url::parse(url).unwrap())
    }

    #[test]
    fn literal_addresses_in_any_spelling() {
        let none = EgressPolicy::default();
        for refused in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f.0.0.1/",
            "https://0177.0.0.1/",
            "https://127.0.0.1./",
            "https://１２７.0.0.1/",
            "https://0/",
            "https://10.1.2.3/",
            "https://172.31.255.255/",
            "https://192.168.0.1/",
            "https://100.64.0.1/",
            "https://169.254.169.254/latest/meta-data/",
            "https://192.0.0.8/",
            "https://192.0.2.1/",
            "https://198.18.0.1/",
            "https://198.51.100.7/",
            "https://203.0.113.7/",
            "https://224.0.0.1/",
            "https://240.0.0.1/",
            "https://255.255.255.255/",
            "https://[::]/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:7f00:1]/",
            "https://[::127.0.0.1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[64:ff9b:1::1]/",
            "https://[2002:7f00:1::]/",
            "https://[2001::1]/",
            "https://[2001:db8::1]/",
            "https://[3fff::1]/",
            "https://[fc00::1]/",
            "https://[fd12:3456::1]/",
            "https://[fe80::1]/",
            "https://[fec0::1]/",
            "https://[ff02::1]/",
            "https://[100::1]/",
            "http://8.8.8.8/",
            "http://example.org/",
            "ftp://example.org/",
            "file:///etc/passwd",
        ] {
            assert!(verdict(&none, refused).is_err(), "{refused} must be refused");
        }
        for allowed in [
            "https://8.8.8.8/",
            "https://172.32.0.1/",
            "https://100.128.0.1/",
            "https://192.0.1.1/",
            "https://[2606:4700::1]/",
            "https://[2001:4860:4860::8888]/",
            "https://[::ffff:8.8.8.8]/",
            "https://hook.eu2.make.com/x",
        ] {
            assert_eq!(verdict(&none, allowed), Ok(AddressReach::Public), "{allowed}");
        }
    }

    #[test]
    fn allowed_networks_open_private_addresses_and_plain_http() {
        let policy = EgressPolicy::new(vec!["127.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        assert_eq!(verdict(&policy, "https://127.0.0.1/"), Ok(AddressReach::Public));
        assert_eq!(verdict(&policy, "http://127.9.9.9:80/"), Ok(AddressReach::AllowedOnly));
        assert_eq!(verdict(&policy, "http://[fd00::1]/"), Ok(AddressReach::AllowedOnly));
        assert_eq!(verdict(&policy, "http://[::ffff:127.0.0.1]/"), Ok(AddressReach::AllowedOnly));
        assert_eq!(verdict(&policy, "http://receiver.internal/"), Ok(AddressReach::AllowedOnly));
        assert!(verdict(&policy, "http://8.8.8.8/").unwrap_err().contains("https://"));
        assert!(verdict(&policy, "https://10.0.0.1/").unwrap_err().contains("EGRESS_ALLOW_CIDRS"));
    }

    #[test]
    fn networks_for_certain_names_are_closed_to_every_other_host() {
        let policy = EgressPolicy::new(vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()])
            .only_towards(&["files.example"]);
        for open in ["http://files.example/", "http://WWW.Files.Example:8080/"] {
            assert_eq!(verdict(&policy, open), Ok(AddressReach::AllowedOnly), "{open}");
        }
        for refused in [
            "http://10.0.0.1/",
            "https://10.0.0.1/",
            "https://167772161/",
            "https://[::ffff:10.0.0.1]/",
            "https://[fd00::1]/",
            "http://8.8.8.8/",
            "http://other.example/",
            "http://sub.files.example/",
            "http://www.www.files.example/",
            "http://files.example./",
            "http://files.example.other/",
            "http://xfiles.example/",
        ] {
            assert!(verdict(&policy, refused).is_err(), "{refused}");
        }
        assert_eq!(verdict(&policy, "https://other.example/"), Ok(AddressReach::Public));
        assert_eq!(verdict(&policy, "https://8.8.8.8/"), Ok(AddressReach::Public));
        let (inside, public) = ("10.1.2.3".parse().unwrap(), "8.8.8.8".parse().unwrap());
        for reach in [AddressReach::Public, AddressReach::AllowedOnly] {
            assert_eq!(policy.check(Some("files.example"), inside, reach), Ok(()));
            assert_eq!(policy.check(Some("www.files.example"), inside, reach), Ok(()));
            for name in [None, Some("other.example"), Some("sub.files.example"), Some("files.example.")] {
                let why = policy.check(name, inside, reach).unwrap_err();
                assert!(!why.contains("EGRESS_ALLOW_CIDRS"), "it would not help: {why}");
                assert_eq!(policy.check(name, public, reach).is_ok(), reach == AddressReach::Public);
            }
        }
    }
}
