//! Where a server is, and whom to believe that it is the one.

use std::fmt;
use std::path::{Path, PathBuf};

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
            Some(path) => Some(trusting(path)?),
            None => None,
        };
        Ok(Dialer::new(client, tls))
    }
}

/// TLS that believes the certificates of a file, when there is at least one and all can be read.
fn trusting(path: &Path) -> Result<ClientConfig, String> {
    let bad = |why: &dyn fmt::Display| format!("REDIS_CA_FILE {} cannot be used: {why}", path.display());
    let content = std::fs::read(path).map_err(|error| bad(&error))?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&content).collect();
    match read {
        Ok(certificates) if certificates.is_empty() => Err(bad(&"it contains no certificate")),
        Ok(certificates) => trust::config(certificates).map_err(|error| bad(&error)),
        Err(error) => Err(bad(&error)),
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
