//! The journal: how large it is, what it promises, whether it is sound, and a copy of it.

use std::path::Path;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::Data;
use chrono::{DateTime, Utc};
use render_signal_actors::kernel::journal::{Loss, VerifyReport};
use serde::Serialize;
use tokio_util::io::ReaderStream;
use utoipa::ToSchema;

use super::answer;
use super::status::FindingView;
use crate::findings;
use crate::http::HttpState;
use crate::http::openapi::refusals::{ChangeRefusals, ReadRefusals};
use crate::http::problem::{HttpProblem, ProblemKind};
use crate::http::v1::Params;
use crate::http::v1::page::{Nothing, unavailable};
use crate::settings::JournalPlace;

/// Commits that the server of the journal has lost.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JournalLoss)]
pub(in crate::http) struct LossView {
    /// When it was noticed.
    pub(in crate::http) at: DateTime<Utc>,
    /// Highest position known before.
    pub(in crate::http) known_position: u64,
    /// The one that was found.
    pub(in crate::http) found_position: u64,
}

impl From<Loss> for LossView {
    fn from(loss: Loss) -> Self {
        Self { at: loss.at, known_position: loss.known_head, found_position: loss.found_head }
    }
}

/// The journal.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Journal)]
pub(in crate::http) struct JournalView {
    /// `file` or `redis`.
    pub(in crate::http) kind: &'static str,
    /// Where, without what opens it.
    pub(in crate::http) place: String,
    /// Position of the last event.
    pub(in crate::http) position: u64,
    /// Bytes on the disk; null = it is on a server.
    pub(in crate::http) bytes: Option<u64>,
    /// What an acknowledgement means.
    pub(in crate::http) durability: FindingView,
    /// The last loss of commits that this worker has noticed.
    pub(in crate::http) last_loss: Option<LossView>,
}

/// How large the journal is, and what it promises.
#[utoipa::path(get, path = "/api/v1/journal", tag = "operations",
    responses((status = 200, body = JournalView), ReadRefusals))]
pub(in crate::http) async fn journal(
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    Ok(answer(seen(&state).await?))
}

/// How large the journal is, and what it promises.
pub(in crate::http) async fn seen(state: &HttpState) -> Result<JournalView, HttpProblem> {
    let place = &state.services.storage.journal;
    let (kind, bytes) = match place {
        JournalPlace::File(path) => ("file", size(path)),
        JournalPlace::Redis(_) => ("redis", None),
    };
    let last_loss = state.journal.losses().borrow().clone().map(LossView::from);
    Ok(JournalView {
        kind,
        place: place.to_string(),
        position: state.journal.head().await.map_err(unavailable)?,
        bytes,
        durability: FindingView::from(&findings::durability(state.journal.durability())),
        last_loss,
    })
}

/// The file, and the log beside it that is not yet part of it.
fn size(path: &Path) -> Option<u64> {
    let bytes = |path: &Path| std::fs::metadata(path).map(|found| found.len());
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let log = bytes(Path::new(&log)).unwrap_or_default();
    bytes(path).ok().map(|file| file.saturating_add(log))
}

/// What a check of the journal found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JournalReport)]
pub(in crate::http) struct ReportView {
    /// Nothing is wrong.
    pub(in crate::http) sound: bool,
    /// Events read.
    pub(in crate::http) events: u64,
    /// Events that were archived and have left the log.
    pub(in crate::http) trimmed: u64,
    /// Streams.
    pub(in crate::http) streams: u64,
    /// Rows in the outbox.
    pub(in crate::http) outbox: u64,
    /// Each thing that is wrong.
    pub(in crate::http) problems: Vec<String>,
}

impl From<VerifyReport> for ReportView {
    fn from(report: VerifyReport) -> Self {
        let VerifyReport { events, trimmed, streams, outbox, problems } = report;
        Self { sound: problems.is_empty(), events, trimmed, streams, outbox, problems }
    }
}

/// Reads the whole journal and checks it.
#[utoipa::path(post, path = "/api/v1/journal/verify", tag = "operations",
    responses((status = 200, body = ReportView), ChangeRefusals))]
pub(in crate::http) async fn verify(
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    Ok(answer(checked(&state).await?))
}

/// Reads the whole journal and checks it; one at a time.
pub(in crate::http) async fn checked(state: &HttpState) -> Result<ReportView, HttpProblem> {
    let Ok(_alone) = state.services.verifying.try_acquire() else {
        let why = "the journal is being read already; ask again in a moment";
        return Err(HttpProblem::new(ProblemKind::TooManyRequests, why).retry_after(15));
    };
    Ok(ReportView::from(state.journal.verify().await.map_err(unavailable)?))
}

/// A consistent copy of the journal, made while the service goes on. Of a journal in a file it is
/// a file that can be put in its place; of one in Redis it is what `events import` takes. It holds
/// mails and what opens sessions: keep it as safe as the journal.
#[utoipa::path(get, path = "/api/v1/journal/backup", tag = "operations",
    responses((status = 200, description = "The copy", content(
        (Vec<u8> = "application/vnd.sqlite3"), (Vec<u8> = "application/jsonl"))), ReadRefusals))]
pub(in crate::http) async fn backup(
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    handed_out(&state).await
}

/// A copy of the journal, to keep.
pub(in crate::http) async fn handed_out(state: &HttpState) -> Result<HttpResponse, HttpProblem> {
    let backup = state.services.backups.make().await?;
    tracing::info!(bytes = backup.length, "a copy of the journal is handed out");
    let stream = ReaderStream::new(tokio::fs::File::from_std(backup.file));
    let body = actix_web::body::SizedStream::new(backup.length, stream);
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, backup.media_type))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", backup.name)))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(body))
}
