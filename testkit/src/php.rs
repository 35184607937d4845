//! PHP's own web server (Debian package `php-cli`), running a copy of `deployment/`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use nix::sys::signal::Signal;

use super::child::{descendants, kill_all, signal, until_stopped};
use super::http::{self, Response};
use super::until::{PATIENCE, until};

/// The token that [`Php::start`] configures; of other tests, that of the program's own documents.
pub const TOKEN: &str = "a-token-of-the-tests-for-documents";

/// The value of a header of the reference's cases, whose token would be too short.
pub fn with_token(header: &str) -> String {
    header.strip_suffix(" tok").map_or_else(|| header.to_owned(), |scheme| format!("{scheme} {TOKEN}"))
}

/// The deployment in a temporary folder, and the server when it runs. Dropping it kills
/// the server.
#[derive(Debug)]
pub struct Php {
    folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
    server: Option<Child>,
    port: u16,
    root: &'static str,
}

impl Php {
    /// A server with [`TOKEN`] and a storage of its own.
    pub async fn start() -> Self {
        let mut php = Self::prepare();
        php.set("CONFIG_API_TOKEN", TOKEN);
        php.launch().await;
        php
    }

    /// The same, not configured and not started.
    pub fn prepare() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../deployment"), &folder.path().join("deployment"));
        Self { folder, environment: Vec::new(), server: None, port: 0, root: "deployment/public_html" }
    }

    /// Sets an environment variable for the next start.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Publishes another folder of the host, as somebody who has misread how to set it up.
    pub const fn publish(&mut self, root: &'static str) {
        self.root = root;
    }

    /// Starts the server, with four processes, on a free port, after that on the same.
    pub async fn launch(&mut self) {
        if self.port == 0 {
            self.port = super::free_port();
        }
        let log = File::options().create(true).append(true).open(self.log_file()).expect("a log");
        let server = Command::new("php")
            .args(["-S", &format!("127.0.0.1:{}", self.port), "-t", self.root])
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("PHP_CLI_SERVER_WORKERS", "4")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the log"))
            .stderr(log)
            .spawn()
            .expect("php, of the package php-cli");
        self.server = Some(server);
        let port = self.port;
        until("PHP", PATIENCE, async || http::get(port, "/").await.map(drop)).await;
    }

    /// Kills every process of the server, as `kill -9` does.
    pub fn kill(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        // Stopped first: it may still be starting workers, and one that is not on the list
        // would go on answering on this port.
        signal(server.id(), Signal::SIGSTOP);
        until_stopped(server.id());
        let mut pids = descendants(server.id());
        pids.push(server.id());
        kill_all(&pids);
        server.wait().expect("the server's end");
    }

    /// Where it listens.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// A path of the copied deployment.
    pub fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join("deployment").join(below)
    }

    /// Where documents lie, if nothing else is configured.
    pub fn storage(&self) -> PathBuf {
        self.path("data/app_config")
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).expect("a log")
    }

    /// Reads a document, with [`TOKEN`].
    pub async fn read(&self, key: &str) -> Response {
        self.ask("GET", &format!("?key={key}"), Some(TOKEN), "").await.expect("an answer")
    }

    /// Replaces a document, with [`TOKEN`].
    pub async fn write(&self, key: &str, config: &Value) -> Response {
        let body = json!({"key": key, "config": config}).to_string();
        self.ask("POST", "", Some(TOKEN), &body).await.expect("an answer")
    }

    /// Any request to `config_api.php`.
    pub async fn ask(
        &self,
        method: &str,
        query: &str,
        token: Option<&str>,
        body: &str,
    ) -> io::Result<Response> {
        let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        ask(self.port, method, query, &authorization.unwrap_or_default(), body).await
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("php.log")
    }
}

impl Drop for Php {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Any request to the `config_api.php` of a port; `headers` are whole lines.
pub async fn ask(port: u16, method: &str, query: &str, headers: &str, body: &str) -> io::Result<Response> {
    let headers = format!("{headers}Content-Type: application/json\r\nConnection: close\r\n");
    let request = http::request(method, &format!("/config_api.php{query}"), &headers, body);
    http::exchange_within(port, &request, PATIENCE).await
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("the deployment").flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target);
        } else {
            fs::copy(&source, &target).expect("a copy");
        }
    }
}
