//! What is configured, and what was.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, ETAG};
use actix_web::web::{Data, Path};
use chrono::{DateTime, Utc};
use render_signal_actors::config::GetConfigStatus;
use render_signal_actors::config::diff::masked;
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::store::StoreHealth;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{etag, key};
use crate::http::HttpState;
use crate::http::openapi::refusals::ReadRefusals;
use crate::http::problem::{HttpProblem, ProblemField, ProblemKind};
use crate::http::v1::Params;
use crate::http::v1::page::Nothing;
use crate::http::v1::refused::fields;
use crate::services::check::{self, CheckedDocument};
use crate::services::config::overview::{ConfigOverview, DocumentOverview};
use crate::services::config::versions::{Past, VersionContent};
use crate::services::migrate::by_name;

fn answer(body: impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(body)
}

/// What is known of these documents, this worker's own word included.
pub(in crate::http) async fn seen(
    state: &HttpState,
    keys: &[Key],
    content: bool,
) -> Result<ConfigOverview, HttpProblem> {
    let overview = state.services.configuration.overview(keys, content);
    let (overview, own) = tokio::join!(overview, state.probe.actors.config.ask(GetConfigStatus));
    let mut overview = overview?;
    // Who does not answer is not counted.
    if let Ok(own) = own {
        overview.with_own(&own);
    }
    Ok(overview)
}

/// How all documents are, where they are kept, and which workers run them.
#[utoipa::path(get, path = "/api/v1/config", tag = "configuration",
    responses((status = 200, body = ConfigOverview), ReadRefusals))]
pub(in crate::http) async fn overview(
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    Ok(answer(seen(&state, &by_name(), false).await?))
}

/// The stored documents, judged as the service judges them, in the words of the system before.
#[utoipa::path(get, path = "/api/v1/config/check", tag = "configuration",
    responses((status = 200, body = Vec<CheckedDocument>), ReadRefusals))]
pub(in crate::http) async fn check(
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let editor = &state.services.configuration.editor;
    Ok(answer(check::all(Some(editor.store.as_ref()), &by_name(), false, &editor.env).await))
}

/// A document that two stores hold in different versions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConfigConflict)]
pub(in crate::http) struct ConflictView {
    /// Which document.
    key: &'static str,
    /// The store that has the last word.
    store: &'static str,
}

/// Documents that wait for a decision: changed in two stores, each without the other's knowledge.
#[utoipa::path(get, path = "/api/v1/config/conflicts", tag = "configuration",
    responses((status = 200, body = Vec<ConflictView>), ReadRefusals))]
pub(in crate::http) async fn conflicts(
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let health = state.services.configuration.store_health();
    let of = |store: StoreHealth| {
        let name = store.store;
        store.conflicts.into_iter().map(move |key| ConflictView { key: key.as_str(), store: name })
    };
    Ok(answer(health.into_iter().flat_map(of).collect::<Vec<_>>()))
}

/// A document, and how it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Document)]
pub(in crate::http) struct DocumentView {
    /// How it is; `stored` is what is stored, masked.
    #[serde(flatten)]
    state: DocumentOverview,
    /// What is wrong with it, field by field.
    errors: Vec<ProblemField>,
}

/// A document as it is stored, masked, and how it is. `ETag` names its version for `If-Match`.
#[utoipa::path(get, path = "/api/v1/config/{key}", tag = "configuration",
    params(("key" = String, Path, description = "Its name, such as `webhook_config`")),
    responses((status = 200, body = DocumentView, headers(("ETag" = String, description = "For `If-Match`; absent when nothing is stored"))), ReadRefusals))]
pub(in crate::http) async fn document(
    name: Path<String>,
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let key = key(&name)?;
    let configuration = &state.services.configuration;
    let stored = configuration.stored(key).await?;
    let overview = seen(&state, &[key], true).await?;
    let shown = overview.documents.into_iter().next();
    let shown = shown.ok_or_else(|| HttpProblem::new(ProblemKind::NotFound, format!("there is no {key}")))?;
    let errors = fields(&shown.problems);
    let mut response = HttpResponse::Ok();
    if let Some(stored) = &stored {
        response.insert_header((ETAG, etag(stored)));
    }
    Ok(response.insert_header((CACHE_CONTROL, "no-store")).json(DocumentView { state: shown, errors }))
}

/// A document as it is stored, with what is masked elsewhere.
#[utoipa::path(get, path = "/api/v1/config/{key}/source", tag = "configuration",
    params(("key" = String, Path, description = "Its name")),
    responses((status = 200, body = Object, headers(("ETag" = String, description = "For `If-Match`"))), ReadRefusals))]
pub(in crate::http) async fn source(
    name: Path<String>,
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let key = key(&name)?;
    let nothing = || HttpProblem::new(ProblemKind::NotFound, format!("no {key} is stored"));
    let stored = state.services.configuration.stored(key).await?.ok_or_else(nothing)?;
    let tag = etag(&stored);
    let no_json = || {
        let why = format!("the stored {key} is no JSON; replace the whole of it");
        HttpProblem::new(ProblemKind::Conflict, why)
    };
    // A sign-in link opens the program, so here too they are only counted.
    let value = stored.value.map(|value| match key {
        Key::MagicLinkTokens => masked(key, &value),
        _ => value,
    });
    let value = value.ok_or_else(no_json)?;
    Ok(HttpResponse::Ok().insert_header((ETAG, tag)).insert_header((CACHE_CONTROL, "no-store")).json(value))
}

/// A version of a document.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DocumentVersion)]
pub(in crate::http) struct VersionView {
    /// Its number, from 1.
    version: u64,
    /// When it was recorded.
    at: DateTime<Utc>,
    /// Who changed it.
    origin: String,
    /// Top-level fields that differ from the version before.
    fields: Vec<String>,
    /// The document was removed.
    removed: bool,
    /// It lost against another version, and was never in force.
    lost: bool,
    /// SHA-256 of its canonical JSON; empty when it was removed.
    hash: String,
    /// Whether it can be shown and restored.
    content: VersionContent,
}

impl From<Past> for VersionView {
    fn from(past: Past) -> Self {
        let Past { version, content } = past;
        Self {
            version: version.version,
            at: version.at,
            origin: version.origin,
            fields: version.fields,
            removed: version.removed,
            lost: version.lost,
            hash: version.hash,
            content,
        }
    }
}

/// Who changed a document, oldest first.
#[utoipa::path(get, path = "/api/v1/config/{key}/history", tag = "configuration",
    params(("key" = String, Path, description = "Its name")),
    responses((status = 200, body = Vec<VersionView>), ReadRefusals))]
pub(in crate::http) async fn history(
    name: Path<String>,
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let past = state.services.configuration.history(key(&name)?).await?;
    Ok(answer(past.into_iter().map(VersionView::from).collect::<Vec<_>>()))
}

/// An earlier version, masked; null = by that version the document was removed.
#[utoipa::path(get, path = "/api/v1/config/{key}/versions/{version}", tag = "configuration",
    params(("key" = String, Path, description = "Its name"), ("version" = u64, Path, description = "From 1")),
    responses((status = 200, body = Value), ReadRefusals))]
pub(in crate::http) async fn version(
    at: Path<(String, String)>,
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let (name, version) = at.into_inner();
    let key = key(&name)?;
    let number = version.parse().ok().filter(|number| *number > 0);
    let number: u64 = number.ok_or_else(|| {
        HttpProblem::new(ProblemKind::NotFound, format!("{version:?} is no version of {key}"))
    })?;
    let value = state.services.configuration.version(key, number).await?;
    Ok(answer(value.map(|value| masked(key, &value))))
}

/// Which versions to compare.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct DiffParams {
    /// The older one; 0 = no document. Without it, the one before the newest.
    from: Option<u64>,
    /// The newer one; without it, what is stored now, or the newest when `from` is not sent either.
    to: Option<u64>,
}

/// One thing that differs; values are masked.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DocumentDifference)]
pub(in crate::http) struct DifferenceView {
    /// Where, such as `webhook_url` or `rules[rule-1].actions.webhook_url`.
    path: String,
    /// Null = it was not there.
    before: Option<Value>,
    /// Null = it is gone.
    after: Option<Value>,
    /// It differs in what the mask hides, so both values may look the same.
    hidden: bool,
}

/// What two versions differ in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DocumentDiff)]
pub(in crate::http) struct DiffView {
    /// The older one; 0 = no document.
    from: u64,
    /// The newer one; null = what is stored now.
    to: Option<u64>,
    /// In the order of the documents.
    differences: Vec<DifferenceView>,
}

/// What two versions of a document differ in; without parameters, what the last change changed.
#[utoipa::path(get, path = "/api/v1/config/{key}/diff", tag = "configuration",
    params(("key" = String, Path, description = "Its name"), DiffParams),
    responses((status = 200, body = DiffView), ReadRefusals))]
pub(in crate::http) async fn diff(
    name: Path<String>,
    Params(params): Params<DiffParams>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let diff = state.services.configuration.diff(key(&name)?, params.from, params.to).await?;
    let differences = diff.differences.into_iter().map(|found| DifferenceView {
        path: found.path,
        before: found.before,
        after: found.after,
        hidden: found.hidden,
    });
    Ok(answer(DiffView { from: diff.from, to: diff.to, differences: differences.collect() }))
}
