//! A certificate authority for one test, and a certificate for loopback.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// Writes `ca.pem`, `cert.pem` and `key.pem` into `folder`.
pub(crate) fn write(folder: &Path) {
    let ca_key = KeyPair::generate().expect("a key");
    let mut ca = CertificateParams::new(Vec::new()).expect("no names to reject");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, "render-signal test authority");
    let ca_certificate = ca.self_signed(&ca_key).expect("a self-signed authority");
    let issuer = Issuer::new(ca, ca_key);

    let key = KeyPair::generate().expect("a key");
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let mut leaf = CertificateParams::new(names).expect("valid names");
    leaf.distinguished_name.push(DnType::CommonName, "localhost");
    let certificate = leaf.signed_by(&key, &issuer).expect("a signed certificate");

    for (name, text) in
        [("ca.pem", ca_certificate.pem()), ("cert.pem", certificate.pem()), ("key.pem", key.serialize_pem())]
    {
        std::fs::write(folder.join(name), text).expect("writing a certificate");
    }
}
