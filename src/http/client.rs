//! Who asks. Behind a proxy, the peer of a connection is the proxy; what it says about the one
//! before it is believed as far as `TRUSTED_PROXIES` reaches, and no step farther: everybody can
//! write an `X-Forwarded-For`.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::X_FORWARDED_FOR;
use render_signal_actors::egress::IpNet;

/// Proxies in a row that are believed; there is no reason for more.
const MAX_PROXIES: usize = 32;

/// The networks of `TRUSTED_PROXIES`. Clones share them; the default trusts nobody.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxies(Arc<[IpNet]>);

impl Proxies {
    /// Those of these networks.
    pub(crate) fn new(networks: Vec<IpNet>) -> Self {
        Self(networks.into())
    }

    /// The address of whoever asks; `None` when a trusted proxy hands on what is no address, so
    /// that it is not known.
    pub(super) fn client(&self, request: &HttpRequest) -> Option<IpAddr> {
        let mut client = request.peer_addr()?.ip().to_canonical();
        let headers = request.headers().get_all(X_FORWARDED_FOR).rev();
        // Each proxy adds the address that it saw at the end.
        let said =
            headers.flat_map(|header| header.as_bytes().rsplit(|byte| *byte == b',')).take(MAX_PROXIES);
        for said in said {
            if !is_in(&self.0, client) {
                break;
            }
            client = address(said)?;
        }
        Some(client)
    }

    /// Whether a trusted proxy says that it was reached over TLS (`X-Forwarded-Proto`).
    pub(super) fn says_tls(&self, request: &HttpRequest) -> bool {
        let trusted = request.peer_addr().is_some_and(|peer| is_in(&self.0, peer.ip()));
        let mut said = request.headers().get_all("x-forwarded-proto").rev();
        let last = said.next().and_then(|header| header.as_bytes().rsplit(|byte| *byte == b',').next());
        trusted && last.is_some_and(|last| last.trim_ascii().eq_ignore_ascii_case(b"https"))
    }
}

/// Whether an address lies in one of the networks.
pub(super) fn is_in(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

/// An address as proxies write it, with or without a port.
fn address(said: &[u8]) -> Option<IpAddr> {
    let said = std::str::from_utf8(said).ok()?.trim();
    let bare = said.strip_prefix('[').and_then(|said| said.strip_suffix(']')).unwrap_or(said);
    let address = bare.parse().or_else(|_| said.parse::<SocketAddr>().map(|address| address.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn that_tls_is_in_front_is_believed_of_a_trusted_proxy_alone() {
        let proxies = Proxies::new(vec!["10.0.0.0/8".parse().expect("a network")]);
        for (peer, said, expected) in [
            ("10.0.0.1:9", Some("https"), true),
            ("10.0.0.1:9", Some("http, HTTPS"), true),
            ("10.0.0.1:9", Some("https, http"), false),
            ("10.0.0.1:9", None, false),
            ("192.0.2.1:9", Some("https"), false),
        ] {
            let mut request = TestRequest::get().peer_addr(peer.parse().expect("an address"));
            if let Some(said) = said {
                request = request.insert_header(("x-forwarded-proto", said));
            }
            assert_eq!(proxies.says_tls(&request.to_http_request()), expected, "{peer} {said:?}");
        }
    }

    #[test]
    fn what_is_said_is_believed_as_far_as_the_proxies_are_trusted() {
        let proxies =
            Proxies::new(["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().expect("a network")).into());
        let nobody = Proxies::default();
        for (peer, headers, behind, expected) in [
            ("192.0.2.1:9", &[][..], &proxies, Some("192.0.2.1")),
            // A stranger says what he likes.
            ("192.0.2.1:9", &["198.51.100.7"], &proxies, Some("192.0.2.1")),
            ("10.0.0.1:9", &["198.51.100.7"], &nobody, Some("10.0.0.1")),
            ("10.0.0.1:9", &["198.51.100.7"], &proxies, Some("198.51.100.7")),
            ("[::ffff:10.0.0.1]:9", &["198.51.100.7"], &proxies, Some("198.51.100.7")),
            // What stands before the last one that is no proxy was written by that one.
            ("10.0.0.1:9", &["127.0.0.1, 198.51.100.7, 10.0.0.2"], &proxies, Some("198.51.100.7")),
            ("10.0.0.1:9", &["127.0.0.1", "198.51.100.7", "10.0.0.2"], &proxies, Some("198.51.100.7")),
            // The request is the proxy's own.
            ("10.0.0.1:9", &[], &proxies, Some("10.0.0.1")),
            ("10.0.0.1:9", &["10.0.0.3, 10.0.0.2"], &proxies, Some("10.0.0.3")),
            ("[fd00::1]:9", &["[2001:db8::1]:443"], &proxies, Some("2001:db8::1")),
            ("[fd00::1]:9", &["[2001:db8::1]"], &proxies, Some("2001:db8::1")),
            ("[fd00::1]:9", &["198.51.100.7:443"], &proxies, Some("198.51.100.7")),
            // It cannot be known.
            ("10.0.0.1:9", &["unknown"], &proxies, None),
            ("10.0.0.1:9", &["198.51.100.7, "], &proxies, None),
        ] {
            let mut request = TestRequest::get().peer_addr(peer.parse().expect("an address"));
            for header in headers {
                request = request.append_header((X_FORWARDED_FOR, *header));
            }
            let found = behind.client(&request.to_http_request()).map(|address| address.to_string());
            assert_eq!(found.as_deref(), expected, "{peer} {headers:?}");
        }
    }
}
