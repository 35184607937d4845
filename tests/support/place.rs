//! A worker's place without a server: a Maildir, documents in files, and commands that are
//! run there to their end.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::mails;
use super::program::{BINARY, Program};

/// Where nobody listens, with a path that must not be shown.
pub(crate) const NOWHERE: &str = "http://127.0.0.1:9/a-capability";

/// A worker with a Maildir and files of its own.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(crate) environment: Vec<(String, String)>,
}

impl Place {
    /// Webhooks go to `webhook_url`.
    pub(crate) fn new(webhook_url: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("rs-place-").tempdir().expect("a temporary folder");
        for part in ["Maildir/new", "Maildir/cur", "Maildir/tmp", "debug"] {
            std::fs::create_dir_all(folder.path().join(part)).expect("a folder");
        }
        let environment = [
            ("FLASK_SECRET_KEY", "a-secret-of-the-tests-0123456789"),
            ("TRIGGER_PAGE_PASSWORD", "a-password-of-the-tests"),
            ("PROCESS_API_TOKEN", "a-token-of-the-tests"),
            ("MAIL_SOURCE", "maildir:Maildir"),
            ("POLLING_TIMEZONE", "UTC"),
            ("POLLING_ACTIVE_DAYS", "0,1,2,3,4,5,6"),
            ("POLLING_ACTIVE_START_HOUR", "0"),
            ("POLLING_ACTIVE_END_HOUR", "24"),
            ("EMAIL_POLLING_INTERVAL_SECONDS", "1"),
            ("EGRESS_ALLOW_CIDRS", "127.0.0.0/8"),
            ("WEBHOOK_URL", webhook_url),
            ("BIND", "127.0.0.1"),
            // By default all programs of a host share one.
            ("BG_POLLER_LOCK_FILE", "data/poller.lock"),
        ];
        let environment =
            environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
        Self { folder, environment }
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn worker(&self, name: &str) -> Program {
        Program::new(self.folder.path(), name, self.environment.clone())
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    pub(crate) fn document(&self, key: &str) -> PathBuf {
        self.path(&format!("debug/{key}.json"))
    }

    pub(crate) fn put(&self, key: &str, text: &str) {
        std::fs::write(self.document(key), text).expect("a document");
    }

    pub(crate) fn stored(&self, key: &str) -> Value {
        let text = std::fs::read_to_string(self.document(key)).expect("a document");
        serde_json::from_str(&text).expect("JSON")
    }

    pub(crate) fn deliver(&self, mail: &mails::TestMail) {
        let name = format!("{}.example", mail.mark);
        std::fs::write(self.path("Maildir/tmp").join(&name), &mail.raw).expect("a mail");
        std::fs::rename(self.path("Maildir/tmp").join(&name), self.path("Maildir/new").join(&name))
            .expect("a delivery");
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        let (folder, environment) = (self.folder.path().to_owned(), self.environment.clone());
        let arguments: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
        let done = tokio::task::spawn_blocking(move || run(&folder, &environment, &arguments, None)).await;
        Ran::of(&done.expect("a command"))
    }

    /// The same for a test without a server beside it.
    pub(crate) fn run_now(&self, arguments: &[&str]) -> Ran {
        let arguments: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
        Ran::of(&run(self.folder.path(), &self.environment, &arguments, None))
    }

    /// The same with something on its standard input.
    pub(crate) async fn feed(&self, arguments: &[&str], input: &str) -> Ran {
        let arguments: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
        Ran::of(&run(self.folder.path(), &self.environment, &arguments, Some(input)))
    }

    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.run(arguments).await;
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
    }
}

fn run(folder: &Path, environment: &[(String, String)], arguments: &[String], input: Option<&str>) -> Output {
    use std::io::Write as _;
    let mut child = Command::new(BINARY)
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the compiled program");
    // A command that does not read it may be gone already.
    drop(child.stdin.take().expect("a pipe").write_all(input.unwrap_or_default().as_bytes()));
    child.wait_with_output().expect("its end")
}

/// How a command ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) complaints: String,
}

impl Ran {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or_else(|| panic!("ended with {}", output.status)),
            out: String::from_utf8(output.stdout.clone()).expect("text"),
            complaints: String::from_utf8(output.stderr.clone()).expect("text"),
        }
    }

    pub(crate) fn lines(&self) -> Vec<&str> {
        self.out.lines().collect()
    }
}
