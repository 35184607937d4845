//! `/api/ping`, `/api/diag/runtime`, `/api/get_local_status`, `/api/check_trigger`.

use std::path::{Path, PathBuf};

use actix_web::web::Data;
use render_signal_actors::kernel::files;
use render_signal_actors::kernel::port::PortError;
use render_signal_actors::poller::{GetPollerStatus, PollerStatus};
use render_signal_actors::readmodel::queries;
use serde_json::{Value, json};

use super::answer::{CompatRefusal, CompatResult, iso, plain};
use crate::http::HttpState;

/// The file in which another program of this machine leaves a command, where the reference looks
/// for it.
pub(crate) const TRIGGER: &str = "signal_data_app_render/local_workflow_trigger_signal.json";
/// Bytes of it that are read.
const MAX_TRIGGER_BYTES: u64 = 1 << 20;

/// GET `/api/ping`.
pub(super) async fn ping(state: Data<HttpState>) -> CompatResult {
    Ok(plain(&json!({ "status": "pong", "timestamp_utc": iso(state.world.now()) })))
}

/// GET `/api/diag/runtime`.
pub(super) async fn runtime(state: Data<HttpState>) -> CompatResult {
    let now = state.world.now();
    let started = state.reference.started;
    let poller = poller(&state).await;
    let since = now - chrono::TimeDelta::days(30);
    let last = state.journal.views().read(move |db| queries::attempts(db, since, 1)).await;
    let last = last.map_err(|error| CompatRefusal::not_now("Erreur interne", &error))?;
    let last_sent =
        last.first().filter(|attempt| attempt.target.is_some()).map(|attempt| attempt.at.timestamp());
    let alive = poller.as_ref().is_some_and(|poller| !poller.silent);
    let heard = poller.and_then(|poller| poller.last_heard).map(|heard| heard.timestamp());
    Ok(plain(&json!({
        "process_start_time": iso(started),
        "uptime_sec": (now - started).num_seconds().max(0),
        "last_poll_cycle_ts": heard,
        "last_webhook_sent_ts": last_sent,
        "bg_poller_thread_alive": alive,
        "make_watcher_thread_alive": state.reference.make.configured && state.probe.actors.lock.is_some(),
        "enable_background_tasks": state.reference.env.background_tasks,
        "server_time_utc": iso(now),
    })))
}

async fn poller(state: &HttpState) -> Option<PollerStatus> {
    let answer: Result<PollerStatus, PortError> =
        state.probe.actors.poller.as_ref()?.ask(GetPollerStatus).await;
    answer.ok()
}

/// GET `/api/get_local_status`: the reference's own answer, which says nothing.
pub(super) async fn local_status() -> CompatResult {
    Ok(plain(&json!({
        "overall_status_text": "En attente...",
        "status_text": "Système prêt.",
        "overall_status_code_from_worker": "idle",
        "progress_current": 0,
        "progress_total": 0,
        "current_step_name": "",
        "recent_downloads": [],
    })))
}

/// GET `/api/check_trigger`: whether a command waits. Nothing is taken by looking.
pub(super) async fn peek(state: Data<HttpState>) -> CompatResult {
    Ok(told(look(&state.reference.trigger).await?.as_ref()))
}

/// POST `/api/check_trigger`: takes the command that waits, once.
pub(super) async fn take(state: Data<HttpState>) -> CompatResult {
    let path = state.reference.trigger.clone();
    // Whoever renames it has it: of two who ask at the same time, one.
    let taken = path.with_extension(format!("{}.taken", state.world.ids.next().simple()));
    match rename(path, taken.clone()).await {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(told(None)),
        Err(error) => return Err(CompatRefusal::not_now("Erreur interne", &error)),
    }
    let command = look(&taken).await;
    let removed = taken.clone();
    drop(blocking(move || std::fs::remove_file(removed)).await);
    Ok(told(command?.as_ref()))
}

fn told(command: Option<&Value>) -> actix_web::HttpResponse {
    plain(&json!({ "command_pending": command.is_some(), "payload": command }))
}

/// The command that waits; null when it cannot be read.
async fn look(path: &Path) -> Result<Option<Value>, CompatRefusal> {
    let path = path.to_owned();
    match blocking(move || files::read_plain(&path, MAX_TRIGGER_BYTES)).await {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).unwrap_or_default())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CompatRefusal::not_now("Erreur interne", &error)),
    }
}

async fn rename(from: PathBuf, to: PathBuf) -> std::io::Result<()> {
    blocking(move || std::fs::rename(from, to)).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(std::io::Error::other(error)))
}
