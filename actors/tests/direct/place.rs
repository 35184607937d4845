//! A store between a file host and a bucket.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use render_signal_actors::egress::{ClientOptions, EgressPolicy, Resolver};
use render_signal_actors::kernel::clock::{FixedClock, World};
use render_signal_actors::mail::providers::{self, Providers};
use render_signal_actors::r2::direct::{DirectSettings, DirectStore, Pace};
use render_signal_actors::r2::plan::SourceLink;
use render_signal_actors::r2::{Copied, Job, LinkStore};
use render_signal_actors::s3::Account;
use render_signal_testkit::file_host::{File, FileHost};
use render_signal_testkit::s3::{ACCESS_KEY, BUCKET, PUBLIC_BASE_URL, S3Server, SECRET_KEY};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use tokio_rustls::TlsAcceptor;

/// The file host has an address of its own, as an internal server would be another one.
pub(crate) const HOST: &str = "127.0.0.2";
pub(crate) const PART: u64 = 8 * 1024 * 1024;

/// Resolves every name to what it is told, and remembers what it was asked.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) known: Mutex<HashMap<String, IpAddr>>,
    pub(crate) asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Resolver for Names {
    async fn resolve(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        self.asked.lock().unwrap().push(host.to_owned());
        let known = self.known.lock().unwrap().get(host).copied();
        Ok(vec![known.unwrap_or_else(|| HOST.parse().unwrap())])
    }
}

pub(crate) struct Place {
    pub(crate) s3: S3Server,
    pub(crate) host: FileHost,
    pub(crate) secure: FileHost,
    pub(crate) names: Arc<Names>,
    certificate: CertificateDer<'static>,
    pub(crate) settings: DirectSettings,
}

impl Place {
    pub(crate) async fn start() -> Self {
        let s3 = S3Server::start().await;
        let (tls, certificate) = tls();
        let settings = DirectSettings {
            account: account(&s3),
            bucket: BUCKET.to_owned(),
            public_base_url: PUBLIC_BASE_URL.parse().unwrap(),
            max_bytes: 64 * 1024 * 1024,
            retention: Some(Duration::from_secs(24 * 3600)),
            limit: Duration::from_secs(60),
            pace: Pace::default(),
        };
        Self {
            s3,
            host: FileHost::start(HOST, None).await,
            secure: FileHost::start(HOST, Some(tls)).await,
            names: Arc::default(),
            certificate,
            settings,
        }
    }

    /// A store whose clock stands `ahead` of now.
    pub(crate) fn store_ahead(&self, ahead: chrono::Duration) -> DirectStore {
        // As an operator would who has a bucket and a mirror inside.
        let policy = EgressPolicy::new(vec!["127.0.0.0/8".parse().unwrap()]);
        let options = ClientOptions {
            extra_roots: vec![self.certificate.clone()].into(),
            resolver: self.names.clone(),
            ..ClientOptions::default()
        };
        let world = World::real();
        let now: DateTime<Utc> = world.now() + ahead;
        let world = World { clock: Arc::new(FixedClock(now)), ..world };
        DirectStore::new(self.settings.clone(), &policy, &options, world).unwrap()
    }

    pub(crate) fn store(&self) -> DirectStore {
        self.store_ahead(chrono::Duration::zero())
    }

    /// A link of `fromsmash` (over plain HTTP, which loopback may) to a path of the host.
    pub(crate) fn link(&self, path: &str) -> String {
        format!("http://fromsmash.com:{}{path}", self.host.port())
    }

    /// Offloads a fresh file at `/f/a.bin`.
    pub(crate) async fn offload(&self, file: File) -> Result<Copied, String> {
        self.host.serve("/f/a.bin", file);
        let copied = self.store().offload(job(&self.link("/f/a.bin"), "fromsmash")).await;
        copied.map_err(|failure| failure.why)
    }

    /// The key of a copy.
    pub(crate) fn key(copied: &Copied) -> String {
        let key =
            copied.r2_url.strip_prefix(PUBLIC_BASE_URL).expect("below the base").trim_start_matches('/');
        percent_encoding::percent_decode_str(key).decode_utf8().unwrap().into_owned()
    }

    /// Nothing of an upload is left, and no note about one.
    pub(crate) fn assert_nothing_unfinished(&self) {
        assert_eq!(self.s3.unfinished(), Vec::<String>::new());
        let notes: Vec<_> =
            self.s3.keys().into_iter().filter(|key| key.starts_with("render-signal/uploads/")).collect();
        assert_eq!(notes, Vec::<String>::new());
    }
}

/// Waits for a condition, also while tokio's clock stands still.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = std::time::Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(60), "not in time: {what}");
        tokio::task::yield_now().await;
    }
}

pub(crate) fn account(s3: &S3Server) -> Account {
    Account {
        endpoint: s3.url().parse().unwrap(),
        access_key_id: ACCESS_KEY.to_owned(),
        secret_access_key: SECRET_KEY.to_owned().into(),
    }
}

pub(crate) fn job(raw_url: &str, provider: &str) -> Job {
    let source = SourceLink::of(raw_url, provider).expect("a short link");
    job_of(&providers::defaults(), source)
}

/// The same under a document `providers`.
pub(crate) fn job_under(document: &Value, raw_url: &str, provider: &str) -> Job {
    let source = SourceLink::of(raw_url, provider).expect("a short link");
    job_of(&providers::providers(document).expect("a good document"), source)
}

fn job_of(known: &Providers, source: SourceLink) -> Job {
    let reach = known.named(&source.provider).map(|provider| Arc::clone(&provider.reach));
    Job { source, email_id: "e1".to_owned(), reach }
}

fn tls() -> (TlsAcceptor, CertificateDer<'static>) {
    let names =
        ["www.dropbox.com", "dropbox.com", "uc1.dl.dropboxusercontent.com"].map(str::to_owned).to_vec();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), certificate)
}
