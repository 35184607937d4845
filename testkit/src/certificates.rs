//! A certificate authority for one test, and a certificate for loopback.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// Writes `ca.pem`, and `cert.pem` and `key.pem` for both names of loopback, into `folder`.
pub fn write(folder: &Path) {
    write_for(folder, &["localhost", "127.0.0.1"]);
}

/// The same with a certificate for these names alone.
pub fn write_for(folder: &Path, names: &[&str]) {
    let ca_key = KeyPair::generate().expect("a key");
    let mut ca = CertificateParams::new(Vec::new()).expect("no names to reject");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, "render-signal test authority");
    let ca_certificate = ca.self_signed(&ca_key).expect("a self-signed authority");
    let issuer = Issuer::new(ca, ca_key);

    let key = KeyPair::generate().expect("a key");
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut leaf = CertificateParams::new(names).expect("valid names");
    leaf.distinguished_name.push(DnType::CommonName, "localhost");
    let certificate = leaf.signed_by(&key, &issuer).expect("a signed certificate");

    for (name, text) in
        [("ca.pem", ca_certificate.pem()), ("cert.pem", certificate.pem()), ("key.pem", key.serialize_pem())]
    {
        std::fs::write(folder.join(name), text).expect("writing a certificate");
    }
}
