//! A Redis server of one's own.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::until::{PATIENCE, ensure, until};
use super::{certificates, child, free_port};

/// A server. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Redis {
    child: Child,
    port: u16,
    folder: TempDir,
    kind: Kind,
}

/// What a server is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Writes every command to its disk.
    Durable,
    /// Writes what it is told to.
    Forgetful,
    /// Like [`Self::Durable`], and speaks TLS on this port, too.
    Encrypted(u16),
}

impl Redis {
    /// Starts one that writes every command to its disk before it answers.
    pub(crate) async fn start() -> Self {
        Self::start_with(Kind::Durable).await
    }

    /// Starts one that comes back from a restart with what it had at the last [`Self::save`].
    pub(crate) async fn start_forgetful() -> Self {
        Self::start_with(Kind::Forgetful).await
    }

    /// Starts one that speaks TLS, with a certificate for loopback of an authority of its own.
    pub(crate) async fn start_encrypted() -> Self {
        Self::start_with(Kind::Encrypted(free_port())).await
    }

    async fn start_with(kind: Kind) -> Self {
        let port = free_port();
        let folder = tempfile::Builder::new().prefix("rs-redis-").tempdir().expect("a temporary folder");
        certificates::write(folder.path());
        let redis = Self { child: Self::spawn(port, &folder, kind), port, folder, kind };
        redis.until_up().await;
        redis
    }

    fn spawn(port: u16, folder: &TempDir, kind: Kind) -> Child {
        let aof = kind != Kind::Forgetful;
        let mut command = Command::new("redis-server");
        command
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", if aof { "yes" } else { "no" }, "--appendfsync", "always", "--dir"])
            .arg(folder.path());
        if let Kind::Encrypted(port) = kind {
            command.args(["--tls-port", &port.to_string(), "--tls-auth-clients", "no"]);
            for (option, file) in [
                ("--tls-cert-file", "cert.pem"),
                ("--tls-key-file", "key.pem"),
                ("--tls-ca-cert-file", "ca.pem"),
            ] {
                command.arg(option).arg(folder.path().join(file));
            }
        }
        command
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed (Debian package redis-server)")
    }

    async fn until_up(&self) {
        until("redis-server", PATIENCE, async || {
            let answer = self.command("PING").await.map_err(|error| error.to_string())?;
            ensure(answer.starts_with("+PONG"), || answer)
        })
        .await;
    }

    /// Sends one command of plain words, and returns the first bytes of the raw answer.
    pub(crate) async fn command(&self, words: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.write_all(format!("{words}\r\n").as_bytes()).await?;
        let mut answer = vec![0; 4_096];
        let length = stream.read(&mut answer).await?;
        answer.truncate(length);
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// Removes everything.
    pub(crate) async fn flush(&self) {
        let answer = self.command("FLUSHALL").await.expect("an answer");
        assert!(answer.starts_with("+OK"), "{answer}");
    }

    /// Writes a snapshot of everything to its disk.
    pub(crate) async fn save(&self) {
        let answer = self.command("SAVE").await.expect("an answer");
        assert!(answer.starts_with("+OK"), "{answer}");
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Starts it again, with what is on its disk, on the same port.
    pub(crate) async fn restart(&mut self) {
        self.kill();
        self.child = Self::spawn(self.port, &self.folder, self.kind);
        self.until_up().await;
    }

    /// Freezes the process (`SIGSTOP`).
    pub(crate) fn freeze(&self) {
        child::signal(self.child.id(), Signal::SIGSTOP);
        child::until_stopped(self.child.id());
    }

    /// Lets a frozen process go on (`SIGCONT`).
    pub(crate) fn thaw(&self) {
        child::signal(self.child.id(), Signal::SIGCONT);
    }

    /// Where it listens.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        url_at(self.port)
    }

    /// Its address over TLS.
    pub(crate) fn encrypted_url(&self) -> String {
        let Kind::Encrypted(port) = self.kind else { panic!("it does not speak TLS") };
        format!("rediss://127.0.0.1:{port}/0")
    }

    /// The certificate that it shows.
    pub(crate) fn certificate_file(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// The certificate of its authority.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}

/// The address of a server, or of a wire to one.
pub(crate) fn url_at(port: u16) -> String {
    format!("redis://127.0.0.1:{port}/0")
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
