//! Logs and metrics.
//!
//! Logs go to standard error, so that standard output holds results only.
//!
//! | variable | values | default |
//! |---|---|---|
//! | `LOG_LEVEL` (or `FLASK_LOG_LEVEL`) | `error`, `warn`, `info`, `debug`, `trace`, any case | `info` for `serve`, `warn` for other commands |
//! | `RUST_LOG` | directives of `tracing-subscriber`, such as `info,render_signal_actors::poller=debug` | – |
//! | `LOG_FORMAT` | `text`, `json` | `text` |

mod lines;
pub(crate) mod metrics;
pub(crate) mod traces;

use std::io::IsTerminal as _;
use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use self::lines::Lines;
use crate::exit::CommandFailure;

/// Libraries that see credentials or receivers' addresses on the wire and tell about it
/// below `info` (`async_imap` prints the LOGIN command at `trace`). No setting makes
/// them talk.
const PINNED: &[&str] = &[
    "async_imap",
    "imap_proto",
    "rustls",
    "tokio_rustls",
    "hyper",
    "hyper_util",
    "h2",
    "reqwest",
    "actix_http",
];

/// Buckets of times in seconds: from a loopback answer to a slow file service.
const SECONDS: &[f64] = &[
    0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0,
];

/// What the environment says about logging.
#[derive(Debug, Clone, PartialEq, Eq)]
struct LogSettings {
    directives: String,
    json: bool,
}

fn log_settings(default_level: &str, lookup: impl Fn(&str) -> Option<String>) -> LogSettings {
    let set =
        |name: &str| lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    let level = set("LOG_LEVEL")
        .or_else(|| set("FLASK_LOG_LEVEL"))
        .map(|level| known_level(&level))
        .unwrap_or_else(|| default_level.to_owned());
    LogSettings {
        directives: set("RUST_LOG").unwrap_or(level),
        json: set("LOG_FORMAT").is_some_and(|format| format.eq_ignore_ascii_case("json")),
    }
}

/// Python's names are understood, too; what is not known is `info`, as in the
/// reference system.
fn known_level(text: &str) -> String {
    match text.to_ascii_lowercase().as_str() {
        "critical" | "fatal" | "error" => "error",
        "warning" | "warn" => "warn",
        "debug" => "debug",
        "trace" => "trace",
        _ => "info",
    }
    .to_owned()
}

/// Libraries that tell at `info` what nobody wants to know at every start and stop.
const CHATTY: &[&str] = &["actix_server"];

/// What it calls an error is what one client did: a request that is malformed, a connection
/// that broke. Strangers would write our log.
const ONE_CLIENT: &str = "actix_http::h1::dispatcher";

fn may_talk(metadata: &Metadata<'_>) -> bool {
    if metadata.target() == ONE_CLIENT {
        return false;
    }
    let most = if named(metadata.target(), CHATTY) {
        Level::WARN
    } else if named(metadata.target(), PINNED) {
        Level::INFO
    } else {
        Level::TRACE
    };
    *metadata.level() <= most
}

fn named(target: &str, libraries: &[&str]) -> bool {
    let root = target.split("::").next().unwrap_or(target);
    libraries.contains(&root)
}

/// Starts logging. Called once, by the command that runs.
pub(crate) fn start_logging(default_level: &str) {
    let settings = log_settings(default_level, |name| std::env::var(name).ok());
    let filter = EnvFilter::builder().parse_lossy(&settings.directives).and(filter_fn(may_talk));
    let Ok(lines) = Lines::start() else {
        // Without standard error there is nobody to tell.
        return;
    };
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(lines.clone())
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    let layer = if settings.json { layer.json().flatten_event(true).boxed() } else { layer.boxed() };
    // A second call would be a mistake of ours, and costs nothing but its own logs.
    if tracing_subscriber::registry().with(layer.with_filter(filter)).with(traces::watch()).try_init().is_ok()
    {
        drop(LINES.set(lines));
        // The default hook writes to standard error itself, and waits when nobody reads.
        std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    }
}

/// Where log lines go, once logging has started.
static LINES: OnceLock<Lines> = OnceLock::new();
/// How long the last lines may take to be written at the end.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Waits until the log is written, unless nobody reads it. The last step of the program.
pub(crate) fn flush_log() {
    if let Some(lines) = LINES.get() {
        lines.flush(FLUSH_TIMEOUT);
    }
}

/// Starts collecting metrics; what is returned renders them for Prometheus.
///
/// # Errors
/// When a recorder is installed already.
pub(crate) fn start_metrics() -> Result<PrometheusHandle, CommandFailure> {
    let failed = |error: metrics_exporter_prometheus::BuildError| {
        CommandFailure::found(format!("metrics cannot be collected: {error}"))
    };
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
        .map_err(failed)?
        .install_recorder()
        .map_err(failed)?;
    self::metrics::describe();
    ::metrics::gauge!("render_signal_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &'static [(&str, &str)]) -> LogSettings {
        log_settings("info", |name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn the_level_comes_from_the_environment() {
        assert_eq!(with(&[]), LogSettings { directives: "info".into(), json: false });
        assert_eq!(with(&[("FLASK_LOG_LEVEL", "WARNING")]).directives, "warn");
        assert_eq!(with(&[("FLASK_LOG_LEVEL", "loud")]).directives, "info");
        assert_eq!(with(&[("FLASK_LOG_LEVEL", "DEBUG"), ("LOG_LEVEL", "error")]).directives, "error");
        assert_eq!(
            with(&[("RUST_LOG", "debug,hyper=trace"), ("LOG_LEVEL", "error")]).directives,
            "debug,hyper=trace"
        );
        assert!(with(&[("LOG_FORMAT", "JSON")]).json);
    }

    #[test]
    fn libraries_that_see_credentials_are_pinned() {
        for target in ["async_imap", "async_imap::imap_stream", "imap_proto", "h2::codec", "reqwest::connect"]
        {
            assert!(named(target, PINNED), "{target}");
        }
        for target in ["render_signal", "render_signal_actors::poller", "hyperion"] {
            assert!(!named(target, PINNED), "{target}");
        }
    }
}
