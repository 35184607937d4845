//! One temporary place with everything a worker needs: a mailbox, a receiver, a data
//! folder and configuration documents.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::dovecot::{self, Dovecot, Seen};
use super::program::Program;
use super::receiver::Receiver;
use super::standard_webhooks;
use super::until::{PATIENCE, ensure, until};

/// Path of the default target at the receiver.
pub(crate) const HOOK: &str = "/hook";

/// The place.
#[derive(Debug)]
pub(crate) struct Site {
    /// The mailbox.
    pub(crate) dovecot: Dovecot,
    /// Where webhooks go.
    pub(crate) receiver: Receiver,
    folder: TempDir,
}

impl Site {
    /// A fresh one. The mailbox is empty, the receiver says yes, nothing limits the rate.
    pub(crate) async fn start() -> Self {
        Self::of(Dovecot::start().await).await
    }

    /// The same with this mailbox.
    pub(crate) async fn of(dovecot: Dovecot) -> Self {
        let folder = tempfile::Builder::new().prefix("rs-site-").tempdir().expect("a temporary folder");
        let site = Self { dovecot, receiver: Receiver::start().await, folder };
        fs::create_dir(site.folder.path().join("debug")).expect("a configuration folder");
        site.configure("processing_prefs", &json!({ "rate_limit_per_hour": 0, "retry_delay_sec": 1 }));
        site
    }

    /// Writes a configuration document, at one instant.
    pub(crate) fn configure(&self, key: &str, document: &Value) {
        let path = self.folder.path().join("debug").join(format!("{key}.json"));
        let aside = path.with_extension("json.tmp");
        fs::write(&aside, document.to_string()).expect("writing a document");
        fs::rename(&aside, &path).expect("replacing a document");
    }

    /// The folder the workers run in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The journal's file.
    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.path().join("data/render-signal.db")
    }

    /// The file of the polling lease.
    pub(crate) fn lease_file(&self) -> PathBuf {
        self.folder.path().join("data/poller.lock")
    }

    /// A worker that watches the mailbox over TLS; not started yet.
    pub(crate) fn worker(&self, name: &str) -> Program {
        Program::new(self.folder.path(), name, self.environment())
    }

    fn environment(&self) -> Vec<(String, String)> {
        let (start, end) = active_hours();
        let mut environment: Vec<(String, String)> = [
            ("FLASK_SECRET_KEY", "a-secret-of-the-tests-0123456789"),
            ("TRIGGER_PAGE_PASSWORD", "a-password-of-the-tests"),
            ("PROCESS_API_TOKEN", "a-token-of-the-tests"),
            ("EMAIL_ADDRESS", dovecot::USER),
            ("EMAIL_PASSWORD", dovecot::PASSWORD),
            ("IMAP_SERVER", "127.0.0.1"),
            ("IMAP_SECURITY", "tls"),
            ("ENABLE_BACKGROUND_TASKS", "true"),
            ("POLLING_TIMEZONE", "UTC"),
            ("POLLING_ACTIVE_DAYS", "0,1,2,3,4,5,6"),
            ("EMAIL_POLLING_INTERVAL_SECONDS", "2"),
            ("EGRESS_ALLOW_CIDRS", "127.0.0.0/8"),
            ("DATA_DIR", "data"),
            ("CONFIG_DIR", "debug"),
            // By default all programs of a host share one.
            ("BG_POLLER_LOCK_FILE", "data/poller.lock"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        environment.extend(
            [
                ("POLLING_ACTIVE_START_HOUR", start.to_string()),
                ("POLLING_ACTIVE_END_HOUR", end.to_string()),
                ("IMAP_PORT", self.dovecot.tls_port().to_string()),
                ("IMAP_CA_FILE", self.dovecot.ca_file().display().to_string()),
                ("WEBHOOK_URL", self.receiver.url(HOOK)),
                ("WEBHOOK_SECRET", standard_webhooks::secret("present")),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        environment
    }

    /// Waits until `count` mails of the INBOX are read, and none is unread.
    pub(crate) async fn until_all_seen(&self, count: usize) {
        until("every mail to be marked as read", PATIENCE, async || {
            let seen = self.dovecot.seen().await;
            ensure(seen == Seen { seen: count, unseen: 0 }, || format!("{seen:?}"))
        })
        .await;
    }
}

/// Hours of a schedule that is active now and for the next 22 hours. (Hours are 0–23 and
/// the end is exclusive, so no schedule covers a whole day.)
fn active_hours() -> (u8, u8) {
    use chrono::Timelike as _;
    #[expect(clippy::disallowed_methods, reason = "the program reads the real clock, so the test must, too")]
    let hour = chrono::Utc::now().hour();
    let hour = u8::try_from(hour).expect("an hour");
    ((hour + 23) % 24, (hour + 22) % 24)
}
