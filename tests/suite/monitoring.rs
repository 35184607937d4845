//! What Prometheus is given: `promtool`, its own tool, reads the alerts and the sample configuration,
//! tries each alert, and reads what the compiled program tells.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use crate::support::place::{NOWHERE, Place};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

static PROMTOOL: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("promtool");
    let done = Command::new(root().join("tests/monitoring/install")).arg(&folder).output();
    let done = done.expect("tests/monitoring/install");
    assert!(done.status.success(), "tests/monitoring/install: {}", String::from_utf8_lossy(&done.stderr));
    folder.join("promtool")
});

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), output.stderr.as_slice()].concat()).into_owned()
}

/// Runs it on files of a folder below `deployment/monitoring`.
fn promtool(arguments: &[&str], folder: &str) -> String {
    let folder = root().join("deployment/monitoring").join(folder);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("a file").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yml"));
    files.sort();
    assert!(!files.is_empty(), "nothing in {}", folder.display());
    let output = Command::new(&*PROMTOOL).args(arguments).args(files).output().expect("promtool");
    assert!(output.status.success(), "promtool {arguments:?}: {}", said(&output));
    said(&output)
}

#[test]
fn the_alerts_and_the_sample_can_be_read() {
    let read = promtool(&["check", "rules"], "rules");
    assert_eq!(read.matches("SUCCESS").count(), 3, "{read}");
    promtool(&["check", "config", "--syntax-only"], "");
}

#[test]
fn each_alert_fires_when_it_should_and_not_otherwise() {
    let tried = promtool(&["test", "rules"], "tests");
    assert_eq!(tried.matches("SUCCESS").count(), 3, "{tried}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_program_tells_is_read_by_prometheus() {
    let mut place = Place::new(NOWHERE);
    place.set("WEBHOOK_SECRET", "");
    let mut worker = place.worker("worker");
    worker.start().await;
    // Asked for something, it has also a page and a refusal to tell of.
    assert_eq!(worker.get("/login").await.status, 200);
    assert_eq!(worker.get("/nowhere").await.status, 404);
    let metrics = worker.get("/metrics").await.body;
    for told in [
        "render_signal_ready 1",
        "render_signal_attention{what=\"unsigned\"} 1",
        "render_signal_http_request_seconds_bucket{status=\"2xx\",le=\"1\"} 1",
        "render_signal_http_request_seconds_count{status=\"4xx\"} 1",
    ] {
        assert!(metrics.lines().any(|line| line == told), "{told} is missing in {metrics}");
    }
    let mut checker = Command::new(&*PROMTOOL)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool");
    std::io::Write::write_all(&mut checker.stdin.take().expect("a pipe"), metrics.as_bytes())
        .expect("a reader");
    let read = checker.wait_with_output().expect("an end");
    assert!(read.status.success(), "promtool check metrics: {}", said(&read));
    worker.stop().await;
}
