//! The compiled program as a child process.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::child;
use super::free_port;
use super::http::{self, QUICKLY, Response};
use super::until::{PATIENCE, ensure, until};

/// Opens what strangers are not told; see [`Program::get`].
pub(crate) const METRICS_TOKEN: &str = "a-token-of-the-tests-for-metrics";

/// Path of the program under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_render-signal");

/// One worker: how it is started, and its process while it runs. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Program {
    folder: PathBuf,
    environment: Vec<(String, String)>,
    wrapper: Vec<String>,
    name: String,
    port: u16,
    child: Option<Child>,
}

impl Program {
    /// A worker that is not started yet. It runs in `folder`, and logs to a file there.
    pub(crate) fn new(folder: &Path, name: &str, environment: Vec<(String, String)>) -> Self {
        let wrapper = Vec::new();
        let (folder, name) = (folder.to_owned(), name.to_owned());
        Self { folder, environment, wrapper, name, port: free_port(), child: None }
    }

    /// Sets a variable for the next start.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.unset(name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Removes a variable for the next start.
    pub(crate) fn unset(&mut self, name: &str) {
        self.environment.retain(|(have, _)| have != name);
    }

    /// Starts it through another program, which must `exec` it.
    pub(crate) fn wrap(&mut self, wrapper: &[&str]) {
        self.wrapper = wrapper.iter().map(|&word| word.to_owned()).collect();
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.name))
    }

    /// Everything it has said so far, in all its lives.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// The last lines of it.
    pub(crate) fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(80)..].join("\n")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut words =
            self.wrapper.iter().map(String::as_str).chain([BINARY]).chain(arguments.iter().copied());
        let mut command = Command::new(words.next().expect("at least the binary"));
        command
            .args(words)
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("METRICS_TOKEN", METRICS_TOKEN)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("PORT", self.port.to_string())
            .stdin(Stdio::null());
        command
    }

    /// Starts `serve` without waiting for anything.
    pub(crate) fn launch(&mut self) {
        assert!(self.child.is_none(), "{} runs already", self.name);
        let log = File::options().create(true).append(true).open(self.log_file()).expect("a log file");
        let child = self
            .command(&["serve"])
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("the compiled program");
        self.child = Some(child);
    }

    /// Starts `serve` and waits until it is ready.
    pub(crate) async fn start(&mut self) {
        self.launch();
        self.until_ready().await;
    }

    /// Waits until `/readyz` answers 200.
    pub(crate) async fn until_ready(&mut self) {
        self.until_answer("/readyz", |answer| answer.status == 200).await;
    }

    /// Waits until the answer at `path` is as wanted, while the process lives.
    pub(crate) async fn until_answer(&mut self, path: &str, wanted: impl Fn(&Response) -> bool) -> Response {
        let what = format!("the answer of {} at {path}", self.name);
        until(&what, PATIENCE, async || {
            if let Some(status) = self.child.as_mut().expect("a started program").try_wait().expect("a child")
            {
                panic!("{} ended with {status} while it was to answer {path}", self.name);
            }
            let answer = self.ask(path, QUICKLY).await.map_err(|error| error.to_string())?;
            ensure(wanted(&answer), || format!("{} {}", answer.status, answer.body)).map(|()| answer)
        })
        .await
    }

    /// Waits until it has logged this.
    pub(crate) async fn until_log(&self, text: &str) {
        let what = format!("{:?} in the log of {}", text, self.name);
        until(&what, PATIENCE, async || ensure(self.log().contains(text), || "it is not there".to_owned()))
            .await;
    }

    /// One of its pages, as one may see it who has [`METRICS_TOKEN`].
    async fn ask(&self, path: &str, patience: Duration) -> io::Result<Response> {
        let headers = format!("Connection: close\r\nAuthorization: Bearer {METRICS_TOKEN}\r\n");
        http::exchange_within(self.port, &http::request("GET", path, &headers, ""), patience).await
    }

    /// The answer of one of its pages.
    pub(crate) async fn get(&self, path: &str) -> Response {
        let answer = self.ask(path, PATIENCE).await;
        answer.unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// The answer of one of its pages, if there is one.
    pub(crate) async fn try_get(&self, path: &str) -> Option<Response> {
        self.ask(path, QUICKLY).await.ok()
    }

    /// Whether `/readyz` answers 200 now.
    pub(crate) async fn is_ready(&self) -> bool {
        self.ask("/readyz", QUICKLY).await.is_ok_and(|answer| answer.status == 200)
    }

    /// Where it listens.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Id of the running process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("a running program").id()
    }

    /// Whether the process runs.
    pub(crate) fn is_alive(&self) -> bool {
        self.child.as_ref().is_some_and(|child| child::is_alive(child.id()))
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a child can be killed");
            child.wait().expect("a child can be waited for");
        }
    }

    /// Freezes the process (`SIGSTOP`).
    pub(crate) fn freeze(&self) {
        child::signal(self.pid(), Signal::SIGSTOP);
        child::until_stopped(self.pid());
    }

    /// Lets a frozen process go on (`SIGCONT`).
    pub(crate) fn thaw(&self) {
        child::signal(self.pid(), Signal::SIGCONT);
    }

    /// Asks it to stop (`SIGTERM`) and waits for its end.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        child::signal(self.pid(), Signal::SIGTERM);
        self.until_end().await
    }

    /// Waits until the process ends by itself.
    pub(crate) async fn until_end(&mut self) -> ExitStatus {
        let what = format!("{} to end", self.name);
        let status = until(&what, PATIENCE, async || {
            let status = self.child.as_mut().expect("a started program").try_wait().expect("a child");
            status.ok_or_else(|| "it still runs".to_owned())
        })
        .await;
        self.child = None;
        status
    }

    /// Runs another subcommand with the same environment and folder.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Finished {
        let mut out = tempfile::tempfile_in(&self.folder).expect("a temporary file");
        let mut child = self
            .command(arguments)
            .stdout(out.try_clone().expect("a second handle"))
            .stderr(out.try_clone().expect("a second handle"))
            .spawn()
            .expect("the compiled program");
        let what = format!("render-signal {}", arguments.join(" "));
        let status = until(&what, Duration::from_secs(30), async || {
            child.try_wait().expect("a child").ok_or("it still runs")
        })
        .await;
        let mut text = String::new();
        out.rewind().and_then(|()| out.read_to_string(&mut text).map(|_| ())).expect("its output");
        Finished { status, text }
    }

    /// The journal is sound, as `events verify` says.
    pub(crate) async fn assert_journal_verifies(&self) {
        let verified = self.run(&["events", "verify"]).await;
        assert!(verified.status.success(), "events verify: {}\n{}", verified.status, verified.text);
    }
}

/// What a finished subcommand said, on both channels.
#[derive(Debug)]
pub(crate) struct Finished {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// Both channels.
    pub(crate) text: String,
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the last lines of {} ---\n{}", self.name, self.tail());
        }
        self.kill();
    }
}
