//! A Redis server of one's own.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::until::{PATIENCE, ensure, until};
use super::{certificates, child, free_port};

/// Writes every command to its disk before it answers.
const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];
/// Writes to its disk what [`Redis::save`] tells it to.
const FORGETFUL: [&str; 2] = ["--appendonly", "no"];

/// A server. Dropping it kills it.
#[derive(Debug)]
pub struct Redis {
    child: Child,
    port: u16,
    tls_port: Option<u16>,
    folder: TempDir,
    settings: Vec<String>,
}

impl Redis {
    /// Starts one that writes every command to its disk before it answers.
    pub async fn start() -> Self {
        let redis = Self::spawn_with(&DURABLE, None);
        redis.until_up().await;
        redis
    }

    /// Starts one that comes back from a restart with what it had at the last [`Self::save`].
    pub async fn start_forgetful() -> Self {
        let redis = Self::spawn_with(&FORGETFUL, None);
        redis.until_up().await;
        redis
    }

    /// Starts one that speaks TLS, with a certificate for loopback of an authority of its own.
    pub async fn start_encrypted() -> Self {
        let redis = Self::spawn_with(&DURABLE, Some(free_port()));
        redis.until_up().await;
        redis
    }

    /// Starts one with these settings, of the form of its command line, and waits for it outside of
    /// any runtime.
    #[must_use]
    pub fn launch(settings: &[&str]) -> Self {
        let redis = Self::spawn_with(settings, None);
        redis.block_until_up();
        redis
    }

    fn spawn_with(settings: &[&str], tls_port: Option<u16>) -> Self {
        let port = free_port();
        let folder = tempfile::Builder::new().prefix("rs-redis-").tempdir().expect("a temporary folder");
        let mut settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
        if let Some(port) = tls_port {
            certificates::write(folder.path());
            let file = |name: &str| folder.path().join(name).display().to_string();
            settings.extend(["--tls-port".to_owned(), port.to_string()]);
            settings.extend(["--tls-auth-clients".to_owned(), "no".to_owned()]);
            settings.extend(["--tls-cert-file".to_owned(), file("cert.pem")]);
            settings.extend(["--tls-key-file".to_owned(), file("key.pem")]);
            settings.extend(["--tls-ca-cert-file".to_owned(), file("ca.pem")]);
        }
        Self { child: spawn(port, &settings, &folder), port, tls_port, folder, settings }
    }

    async fn until_up(&self) {
        until("redis-server", PATIENCE, async || {
            let answer = self.command("PING").await.map_err(|error| error.to_string())?;
            ensure(answer.starts_with("+PONG"), || answer)
        })
        .await;
    }

    fn block_until_up(&self) {
        let started = Instant::now();
        while self.ping().is_err() {
            assert!(started.elapsed() < PATIENCE, "redis-server does not answer");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn ping(&self) -> std::io::Result<()> {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.port))?;
        std::io::Write::write_all(&mut stream, b"PING\r\n")?;
        let mut answer = [0; 5];
        std::io::Read::read_exact(&mut stream, &mut answer)?;
        if answer == *b"+PONG" { Ok(()) } else { Err(std::io::ErrorKind::InvalidData.into()) }
    }

    /// Sends one command of plain words, and returns the first bytes of the raw answer.
    pub async fn command(&self, words: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.write_all(format!("{words}\r\n").as_bytes()).await?;
        let mut answer = vec![0; 4_096];
        let length = stream.read(&mut answer).await?;
        answer.truncate(length);
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// Removes everything.
    pub async fn flush(&self) {
        let answer = self.command("FLUSHALL").await.expect("an answer");
        assert!(answer.starts_with("+OK"), "{answer}");
    }

    /// Writes a snapshot of everything to its disk.
    pub async fn save(&self) {
        let answer = self.command("SAVE").await.expect("an answer");
        assert!(answer.starts_with("+OK"), "{answer}");
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Starts it again, with what is on its disk, on the same port.
    pub async fn restart(&mut self) {
        self.respawn();
        self.until_up().await;
    }

    /// The same, outside of any runtime.
    pub fn relaunch(&mut self) {
        self.respawn();
        self.block_until_up();
    }

    /// Starts it again with other settings, and does not wait until it answers.
    pub fn relaunch_with(&mut self, settings: &[&str]) {
        self.settings = settings.iter().map(ToString::to_string).collect();
        self.respawn();
    }

    fn respawn(&mut self) {
        self.kill();
        self.child = spawn(self.port, &self.settings, &self.folder);
    }

    /// Freezes the process (`SIGSTOP`).
    pub fn freeze(&self) {
        child::signal(self.child.id(), Signal::SIGSTOP);
        child::until_stopped(self.child.id());
    }

    /// Lets a frozen process go on (`SIGCONT`).
    pub fn thaw(&self) {
        child::signal(self.child.id(), Signal::SIGCONT);
    }

    /// Where it listens.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Its address.
    pub fn url(&self) -> String {
        url_at(self.port)
    }

    /// Its address over TLS.
    pub fn encrypted_url(&self) -> String {
        let port = self.tls_port.expect("it speaks TLS");
        format!("rediss://127.0.0.1:{port}/0")
    }

    /// The certificate that it shows.
    pub fn certificate_file(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// The certificate of its authority.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}

fn spawn(port: u16, settings: &[String], folder: &TempDir) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"])
        .arg(folder.path())
        .args(settings)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed (Debian package redis-server)")
}

/// The address of a server, or of a wire to one.
pub fn url_at(port: u16) -> String {
    format!("redis://127.0.0.1:{port}/0")
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
