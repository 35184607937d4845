//! Whom to believe that it is the server, when `REDIS_CA_FILE` names authorities.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// TLS to a server whose certificate is of one of these authorities, or is one of these itself.
///
/// # Errors
/// One of them cannot be used.
pub(super) fn config(named: Vec<CertificateDer<'static>>) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    for certificate in &named {
        roots.add(certificate.clone())?;
    }
    let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|error| Error::General(error.to_string()))?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedTrust { named, inner }))
        .with_no_client_auth();
    Ok(config)
}

/// Believes the authorities, and also a certificate of the file that a server shows as its own.
/// `openssl req -x509` makes such ones; they say of themselves that they are an authority, and no
/// chain may end in one. The operator has named exactly this one, which is more than a chain says.
#[derive(Debug)]
struct PinnedTrust {
    named: Vec<CertificateDer<'static>>,
    inner: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for PinnedTrust {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let error = match self.inner.verify_server_cert(shown, intermediates, name, ocsp, now) {
            Err(error) => error,
            valid => return valid,
        };
        // Its time is looked at before its kind: one that has run out is refused with another word.
        let of_its_kind = matches!(
            error,
            Error::InvalidCertificate(CertificateError::Other(_) | CertificateError::UnknownIssuer)
        );
        if !of_its_kind || !self.named.iter().any(|named| named == shown) {
            return Err(error);
        }
        verify_server_name(&ParsedCertificate::try_from(shown)?, name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, shown, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, shown, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

    use super::*;

    /// Self-signed, for `redis.example`; it ran out in 1990, or runs for long.
    fn own(authority: bool, old: bool) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(["redis.example".to_owned()]).unwrap();
        if authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        if old {
            params.not_after = rcgen::date_time_ymd(1990, 1, 1);
        }
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn judge(named: &CertificateDer<'static>, shown: &CertificateDer<'_>, name: &str) -> Result<(), String> {
        let mut roots = RootCertStore::empty();
        roots.add(named.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let verifier = PinnedTrust { named: vec![named.clone()], inner };
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(1_795_000_000));
        let verified = verifier.verify_server_cert(shown, &[], &name, &[], now);
        verified.map(|_| ()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_certificate_that_is_named_itself_is_believed_for_its_name_and_its_time() {
        for authority in [true, false] {
            let certificate = own(authority, false);
            assert_eq!(judge(&certificate, &certificate, "redis.example"), Ok(()), "{authority}");
            let refused = judge(&certificate, &certificate, "other.example").unwrap_err();
            assert!(refused.contains("not valid for name"), "{refused}");
            let old = own(authority, true);
            let refused = judge(&old, &old, "redis.example").unwrap_err();
            assert!(refused.contains("expired"), "{refused}");
            assert!(judge(&certificate, &own(authority, false), "redis.example").is_err(), "another key");
        }
    }
}
