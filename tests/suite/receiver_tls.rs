//! A receiver whose certificate is of an authority of one's own.

use std::path::Path;
use std::sync::Arc;

use nix::sys::signal::Signal;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::support::site::HOOK;
use crate::support::{PATIENCE, Site, certificates, checks, child, mails, until};

/// The same server, behind TLS. Returns the port.
async fn tls_in_front_of(port: u16, folder: &Path) -> u16 {
    let chain = CertificateDer::pem_file_iter(folder.join("cert.pem")).expect("a file");
    let chain = chain.collect::<Result<Vec<_>, _>>().expect("certificates");
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a certificate and its key");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free loopback port");
    let tls_port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut outer) = acceptor.accept(stream).await else { return };
                let Ok(mut inner) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                let _ = tokio::io::copy_bidirectional(&mut outer, &mut inner).await;
            });
        }
    });
    tls_port
}

#[tokio::test(flavor = "multi_thread")]
async fn its_authority_is_named_once_and_believed_for_targets() {
    let site = Site::start().await;
    certificates::write(site.folder());
    let port = tls_in_front_of(site.receiver.port(), site.folder()).await;
    let mut worker = site.worker("worker");
    // The name has an IPv6 address as well, which is not allowed.
    worker.set("WEBHOOK_URL", &format!("https://localhost:{port}{HOOK}"));
    worker.start().await;
    let mails = mails::mixed(1);
    site.dovecot.deliver(&mails);
    until("the certificate to be refused", PATIENCE, async || {
        let listed = worker.run(&["deliveries", "list"]).await.text;
        if listed.contains("certificate") { Ok(()) } else { Err(listed) }
    })
    .await;
    assert_eq!(site.receiver.count(), 0);
    worker.stop().await;

    worker.set("WEBHOOK_CA_FILE", "nowhere.pem");
    worker.launch();
    assert_eq!(worker.until_end().await.code(), Some(3));
    assert!(worker.log().contains("WEBHOOK_CA_FILE: nowhere.pem cannot be used"), "{}", worker.log());

    // Of another authority; then the right one comes into the same file.
    let other = rcgen::generate_simple_self_signed(vec!["other.example".to_owned()]).expect("a certificate");
    std::fs::write(site.folder().join("mine.pem"), other.cert.pem()).expect("a file");
    worker.set("WEBHOOK_CA_FILE", "mine.pem");
    worker.start().await;
    std::fs::copy(site.folder().join("ca.pem"), site.folder().join("mine.pem")).expect("a file");
    child::signal(worker.pid(), Signal::SIGHUP);
    until("the webhook", PATIENCE, async || checks::all_accepted(&site.receiver, &mails)).await;
    checks::assert_each_exactly_once(&site.receiver, &mails);
}
