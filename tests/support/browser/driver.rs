//! The process that drives a browser, and the processes below it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use super::super::{child, free_port, http};
use super::screenshots;
use super::{PATIENCE, ensure, until};

/// chromedriver on a port of its own, with the profile of its one browser.
pub(super) struct Chromedriver {
    child: Child,
    port: u16,
    session: OnceLock<String>,
    folder: TempDir,
}

impl Chromedriver {
    /// Starts one, and waits until it can be spoken to.
    pub(super) async fn start() -> Self {
        // That of a run before would be looked at for this one's.
        let _ = std::fs::remove_file(last_picture_of_this_test());
        let folder = tempfile::Builder::new().prefix("rs-browser-").tempdir().expect("a temporary folder");
        let port = free_port();
        let child = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .arg(format!("--log-path={}", folder.path().join("driver.log").display()))
            // Chromium writes beside its profile, too.
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path())
            .env("XDG_CONFIG_HOME", folder.path())
            .env("XDG_CACHE_HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver (Debian package chromium-driver; ./run-tests --prepare)");
        let driver = Self { child, port, session: OnceLock::new(), folder };
        until("chromedriver", PATIENCE, async || {
            let answer = http::get(port, "/status").await.map_err(|error| error.to_string())?;
            ensure(answer.body.contains("\"ready\":true"), || answer.body.clone())
        })
        .await;
        driver
    }

    /// Where it listens.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The folder of the browser's profile.
    pub(super) fn profile(&self) -> PathBuf {
        self.folder.path().join("profile")
    }

    /// Of which session a picture is taken when a test fails.
    pub(super) fn keep_session(&self, session: impl ToString) {
        self.session.set(session.to_string()).expect("one session");
    }

    /// A picture of what was shown when the test failed. Nothing of the test's own runtime is
    /// left to wait with.
    fn last_picture(&self) {
        let Some(session) = self.session.get().cloned() else { return };
        let port = self.port;
        let taken = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            let request = http::request("GET", &format!("/session/{session}/screenshot"), "", "");
            let patience = Duration::from_secs(10);
            let answer = runtime.block_on(http::exchange_within(port, &request, patience)).ok()?;
            let body: serde_json::Value = serde_json::from_str(&answer.body).ok()?;
            STANDARD.decode(body["value"].as_str()?).ok()
        });
        let file = last_picture_of_this_test();
        match taken.join() {
            Ok(Some(png)) if std::fs::write(&file, &png).is_ok() => {
                eprintln!("--- what the browser showed: {} ---", file.display());
            }
            _ => eprintln!("--- the browser could not show what it showed ---"),
        }
    }
}

impl Drop for Chromedriver {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.last_picture();
        }
        let mut all = vec![self.child.id()];
        all.extend(child::descendants(self.child.id()));
        // Some of Chromium's processes leave the family; the profile tells whose they are.
        all.extend(naming(&self.profile()));
        // One may have started another meanwhile.
        while !all.is_empty() {
            child::kill_all(&all);
            let _ = self.child.try_wait();
            all = naming(&self.profile());
        }
        let _ = self.child.wait();
    }
}

/// Where the picture of a test that fails is left.
fn last_picture_of_this_test() -> PathBuf {
    let test = std::thread::current().name().unwrap_or("test").replace("::", "-");
    screenshots().join(format!("failed-{test}.png"))
}

/// Processes that live and have this path on their command line.
fn naming(path: &Path) -> Vec<u32> {
    let path = path.display().to_string();
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&path) && child::is_alive(*pid)
    })
    .collect()
}
