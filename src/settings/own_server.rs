//! Where the server of this environment can be asked from its own machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use secrecy::SecretString;

use super::reader::{SettingError, VariableReader};
use super::variables as vars;
use super::{bind, tokens};

/// The server that `serve` would start with the same environment.
#[derive(Debug, Clone)]
pub(crate) struct OwnServer {
    /// Where it listens, as seen from its own machine; port 0 = any free one, which cannot be known.
    pub(crate) address: SocketAddr,
    /// `METRICS_TOKEN`: opens what strangers are not told.
    pub(crate) token: Option<SecretString>,
}

impl OwnServer {
    /// Reads where it is; nothing is required.
    ///
    /// # Errors
    /// Every variable of these that is malformed.
    pub(crate) fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<SettingError>> {
        let mut reader = VariableReader::new(&lookup);
        let host = reached_at(bind(&mut reader));
        let port = reader.int(&vars::PORT);
        let token = tokens::own(&mut reader, &vars::METRICS_TOKEN);
        if reader.errors.is_empty() {
            Ok(Self { address: SocketAddr::new(host, port), token })
        } else {
            Err(reader.errors)
        }
    }
}

/// Who listens on every address is reached on the loopback one.
const fn reached_at(bound: IpAddr) -> IpAddr {
    match bound {
        IpAddr::V4(address) if address.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(address) if address.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(environment: &[(&str, &str)]) -> Result<OwnServer, Vec<SettingError>> {
        let set = |name: &str| environment.iter().find(|(known, _)| *known == name);
        OwnServer::from_env(|name| set(name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn it_is_asked_where_it_listens() {
        for (bound, port, reached) in [
            ("0.0.0.0", "8000", "127.0.0.1:8000"),
            ("[::]", "80", "[::1]:80"),
            ("192.0.2.7", "10000", "192.0.2.7:10000"),
        ] {
            let server = server(&[("BIND", bound), ("PORT", port)]).unwrap();
            assert_eq!(server.address.to_string(), reached);
        }
        let server = server(&[]).unwrap();
        assert_eq!(server.address.to_string(), "127.0.0.1:8000");
        assert!(server.token.is_none());
    }

    #[test]
    fn what_is_malformed_is_named() {
        let errors = server(&[("PORT", "http"), ("METRICS_TOKEN", "short")]).unwrap_err();
        let names: Vec<_> = errors.iter().map(|error| error.name).collect();
        assert_eq!(names, ["PORT", "METRICS_TOKEN"]);
    }
}
