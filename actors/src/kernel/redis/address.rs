//! Where a server is, and whom to believe that it is the one.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ::redis::Client;
use rustls::ClientConfig;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};

use super::dial::Dialer;
use super::trust;

/// The address of a Redis or Valkey server. Never shown: it may hold a password.
#[derive(Debug, Clone)]
pub struct RedisAddress {
    /// `redis://…` or `rediss://…` (TLS).
    pub url: SecretString,
    /// `REDIS_CA_FILE`: for `rediss://`, only authorities of this file (PEM) are believed, and a
    /// server whose certificate is in it; `None` = those of Mozilla's list.
    pub ca_file: Option<PathBuf>,
}

impl<T: Into<String>> From<T> for RedisAddress {
    fn from(url: T) -> Self {
        Self { url: url.into().into(), ca_file: None }
    }
}

impl RedisAddress {
    /// Whether the server is reached over TLS.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        let (scheme, _) = self.url.expose_secret().split_once(':').unwrap_or_default();
        scheme.eq_ignore_ascii_case("rediss")
    }

    /// The way to it; connects to nothing yet.
    ///
    /// # Errors
    /// The address or the file cannot be used; in plain words, without the address.
    pub(crate) fn dialer(&self) -> Result<Dialer, String> {
        let client = Client::open(self.url.expose_secret())
            .map_err(|error| format!("the Redis URL cannot be used: {error}"))?;
        let tls = match self.ca_file.as_deref().filter(|_| self.is_encrypted()) {
            Some(path) => Some(Trusted::of(path.to_owned())?),
            None => None,
        };
        Ok(Dialer::new(client, tls))
    }
}

/// TLS that believes the certificates of a file. It is read anew for each connection, since the
/// program lives longer than certificates do.
pub(super) struct Trusted {
    path: PathBuf,
    /// What it held last that could be used, and TLS with that.
    last: Mutex<(Vec<u8>, Arc<ClientConfig>)>,
}

impl Trusted {
    fn of(path: PathBuf) -> Result<Self, String> {
        let content = read(&path)?;
        let config = Arc::new(trusting(&path, &content)?);
        Ok(Self { path, last: Mutex::new((content, config)) })
    }

    /// TLS for a new connection. A file that cannot be used any more is said, and what it held
    /// before is believed.
    pub(super) fn config(&self) -> Arc<ClientConfig> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = read(&self.path).and_then(|content| {
            if content == last.0 {
                return Ok(None);
            }
            let config = trusting(&self.path, &content)?;
            Ok(Some((content, Arc::new(config))))
        });
        match fresh {
            Ok(None) => {}
            Ok(Some(next)) => *last = next,
            Err(why) => tracing::warn!(why, "the certificates from before are believed"),
        }
        Arc::clone(&last.1)
    }
}

fn bad(path: &Path, why: &dyn fmt::Display) -> String {
    format!("REDIS_CA_FILE {} cannot be used: {why}", path.display())
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| bad(path, &error))
}

/// TLS that believes these certificates, when there is at least one and all can be read.
fn trusting(path: &Path, content: &[u8]) -> Result<ClientConfig, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(content).collect();
    match read {
        Ok(certificates) if certificates.is_empty() => Err(bad(path, &"it contains no certificate")),
        Ok(certificates) => trust::config(certificates).map_err(|error| bad(path, &error)),
        Err(error) => Err(bad(path, &error)),
    }
}

/// What a connection failed with, and what to do if it is the certificate.
pub(crate) fn explain(error: &dyn fmt::Display) -> String {
    let text = error.to_string();
    let advice = if !text.contains("invalid peer certificate") {
        ""
    } else if text.contains("NotValidForName") {
        "; the URL has to name the server as its certificate does"
    } else {
        "; if it is the right server, put the certificate of its authority (PEM) into a file and name that in REDIS_CA_FILE"
    };
    text + advice
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_that_were_replaced_are_believed_with_the_next_connection() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let made =
            || rcgen::generate_simple_self_signed(vec!["redis.example".to_owned()]).unwrap().cert.pem();
        std::fs::write(&path, made()).unwrap();
        let trusted = Trusted::of(path.clone()).unwrap();
        let first = trusted.config();
        assert!(Arc::ptr_eq(&first, &trusted.config()), "nothing has changed");
        std::fs::write(&path, "half a certificate").unwrap();
        assert!(Arc::ptr_eq(&first, &trusted.config()), "the last that could be used");
        std::fs::write(&path, made()).unwrap();
        assert!(!Arc::ptr_eq(&first, &trusted.config()));
    }

    #[test]
    fn a_file_that_is_no_list_of_authorities_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let broken = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
        for (name, content, why) in [
            ("missing.pem", None, "No such file"),
            ("empty.pem", Some(""), "no certificate"),
            ("broken.pem", Some(broken), "cannot be used"),
            (
                "wrong.pem",
                Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
                "cannot be used",
            ),
        ] {
            let path = folder.path().join(name);
            if let Some(content) = content {
                std::fs::write(&path, content).unwrap();
            }
            let address = |url: &str| RedisAddress { ca_file: Some(path.clone()), ..url.into() };
            let error = address("rediss://:s3cret@h").dialer().map(|_| ()).unwrap_err();
            assert!(error.contains(why) && !error.contains("s3cret"), "{error}");
            assert!(address("redis://h").dialer().is_ok(), "nobody is asked for a certificate");
        }
        assert!(!format!("{:?}", RedisAddress::from("redis://:s3cret@h")).contains("s3cret"));
    }
}
