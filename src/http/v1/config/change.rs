//! Changes of documents. Each is one version of the history, with who made it.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::{CACHE_CONTROL, ETAG};
use actix_web::web::{Data, Path};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use render_signal_actors::config::diff::differences;
use render_signal_actors::config::documents::{Key, effect, from_json};
use render_signal_actors::config::edit::{Edit, SavedEdit, UPDATED_AT};
use render_signal_actors::config::store::ConflictWinner;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::{etag, seen, writable};
use crate::http::HttpState;
use crate::http::access::Caller;
use crate::http::openapi::refusals::ChangeRefusals;
use crate::http::problem::{HttpProblem, ProblemField, ProblemKind};
use crate::http::v1::extract::{body, json, media_type};
use crate::http::v1::page::Nothing;
use crate::http::v1::refused::fields;
use crate::http::v1::{JsonBody, Params};
use crate::services::ServiceError;
use crate::services::config::Stored;

/// How to write.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct WriteParams {
    /// Say only what would change.
    #[serde(default)]
    #[param(default = false)]
    dry_run: bool,
    /// Fields that nobody knows are written, too; otherwise a new one is refused.
    #[serde(default)]
    allow_unknown: bool,
}

/// What a change came to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DocumentSaved)]
pub(in crate::http) struct SavedView {
    /// Which document.
    key: &'static str,
    /// It was written; false = it was so already, or only a preview was asked for.
    written: bool,
    /// The top-level fields that differ.
    fields: Vec<String>,
    /// Its version in the history; null = nothing was written, or a worker records it in a moment.
    version: Option<u64>,
    /// The store that has it.
    stored_in: Option<&'static str>,
    /// Why another store than the authority took it, when that is so.
    degraded: Option<String>,
    /// What was wrong before and still is: until it is mended the change does not act.
    still_wrong: Vec<ProblemField>,
    /// What of it changes nothing.
    remarks: Vec<String>,
}

impl SavedView {
    fn of(key: Key, saved: SavedEdit) -> Self {
        let document = from_json::<Value>(&saved.text).ok();
        Self {
            key: key.as_str(),
            written: !saved.stored_in.is_empty(),
            fields: saved.fields,
            version: saved.version,
            stored_in: Some(saved.stored_in).filter(|store| !store.is_empty()),
            degraded: saved.degraded,
            still_wrong: fields(&saved.still_wrong),
            remarks: document.map(|document| remarks(key, &document)).unwrap_or_default(),
        }
    }
}

fn remarks(key: Key, document: &Value) -> Vec<String> {
    effect::remarks(key, document).into_iter().map(|said| said.english).collect()
}

/// Makes a change, or says what it would do.
async fn write(
    state: &HttpState,
    request: &HttpRequest,
    edit: Edit,
    params: &WriteParams,
) -> Result<HttpResponse, HttpProblem> {
    let key = edit.key;
    let configuration = &state.services.configuration;
    let mut edit = edit.keeping_masked().expecting(seen(request, state, key).await?);
    edit.allow_unknown = params.allow_unknown;
    if params.dry_run {
        let before = configuration.stored(key).await?.and_then(|stored| stored.value);
        let after =
            configuration.editor.preview(&edit).await.map_err(|error| ServiceError::edit(key, error))?;
        let found = differences(key, before.as_ref(), Some(&after));
        let top = |path: &str| path.split(['.', '[']).next().unwrap_or_default().to_owned();
        let mut fields: Vec<String> = found.iter().map(|found| top(&found.path)).collect();
        fields.retain(|field| field != UPDATED_AT);
        fields.dedup();
        return Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(SavedView {
            key: key.as_str(),
            written: false,
            fields,
            version: None,
            stored_in: None,
            degraded: None,
            still_wrong: Vec::new(),
            remarks: remarks(key, &after),
        }));
    }
    let saved = configuration.change(&edit).await?;
    Ok(changed(key, saved))
}

fn changed(key: Key, saved: SavedEdit) -> HttpResponse {
    tracing::info!(%key, version = saved.version, stored_in = saved.stored_in, "document written through the API");
    let stored = Stored { value: from_json(&saved.text).ok(), revision: saved.revision.clone() };
    HttpResponse::Ok()
        .insert_header((ETAG, etag(&stored)))
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(SavedView::of(key, saved))
}

/// Replaces a document. With `If-Match` only the version that it names; with `If-None-Match: *`
/// only where there is none. A mask (`***`) of what is stored stands for that.
#[utoipa::path(put, path = "/api/v1/config/{key}", tag = "configuration",
    params(("key" = String, Path, description = "Its name"), WriteParams,
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be replaced")),
    request_body = Object,
    responses((status = 200, body = SavedView, headers(("ETag" = String, description = "Of the new version"))), ChangeRefusals))]
pub(in crate::http) async fn replace(
    name: Path<String>,
    Params(params): Params<WriteParams>,
    request: HttpRequest,
    caller: Caller,
    state: Data<HttpState>,
    JsonBody(document): JsonBody<Value>,
) -> Result<HttpResponse, HttpProblem> {
    let edit = Edit::replace(writable(&name)?, document, &caller.by());
    write(&state, &request, edit, &params).await
}

/// A merge patch.
#[derive(Debug)]
pub(in crate::http) struct Patch(Map<String, Value>);

impl FromRequest for Patch {
    type Error = HttpProblem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, HttpProblem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let kind = media_type(&request);
            if !["application/merge-patch+json", "application/json"].contains(&kind.as_str()) {
                let why = format!("this address takes application/merge-patch+json, not {kind:?}");
                return Err(HttpProblem::new(ProblemKind::UnsupportedMediaType, why));
            }
            json(&body(&request, payload).await?).map(Self)
        })
    }
}

/// Changes fields of a document by a merge patch (RFC 7396): null removes a field, objects are
/// merged, all other fields stay.
#[utoipa::path(patch, path = "/api/v1/config/{key}", tag = "configuration",
    params(("key" = String, Path, description = "Its name"), WriteParams,
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be changed")),
    request_body(content = Object, content_type = "application/merge-patch+json"),
    responses((status = 200, body = SavedView, headers(("ETag" = String, description = "Of the new version"))), ChangeRefusals))]
pub(in crate::http) async fn merge(
    name: Path<String>,
    Params(params): Params<WriteParams>,
    request: HttpRequest,
    caller: Caller,
    state: Data<HttpState>,
    Patch(patch): Patch,
) -> Result<HttpResponse, HttpProblem> {
    let edit = Edit::patch(writable(&name)?, patch, &caller.by());
    write(&state, &request, edit, &params).await
}

/// Removes a document: the environment or a built-in default decides from then on.
#[utoipa::path(delete, path = "/api/v1/config/{key}", tag = "configuration",
    params(("key" = String, Path, description = "Its name"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be removed")),
    responses((status = 204, description = "It is removed"), ChangeRefusals))]
pub(in crate::http) async fn remove(
    name: Path<String>,
    _: Params<Nothing>,
    request: HttpRequest,
    caller: Caller,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let key = writable(&name)?;
    seen(&request, &state, key).await?;
    match state.services.configuration.remove(key, &caller.by()).await? {
        true => {
            tracing::info!(%key, "document removed through the API");
            Ok(HttpResponse::NoContent().insert_header((CACHE_CONTROL, "no-store")).finish())
        }
        false => Err(HttpProblem::new(ProblemKind::NotFound, format!("there is no {key}"))),
    }
}

/// Which version.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RestoreDocument)]
pub(in crate::http) struct Restore {
    /// Its number in the history, from 1.
    version: u64,
}

/// Writes an earlier version as a new one.
#[utoipa::path(post, path = "/api/v1/config/{key}/restore", tag = "configuration",
    params(("key" = String, Path, description = "Its name"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be replaced")),
    request_body = Restore,
    responses((status = 200, body = SavedView, headers(("ETag" = String, description = "Of the new version"))), ChangeRefusals))]
pub(in crate::http) async fn restore(
    name: Path<String>,
    _: Params<Nothing>,
    request: HttpRequest,
    caller: Caller,
    state: Data<HttpState>,
    JsonBody(Restore { version }): JsonBody<Restore>,
) -> Result<HttpResponse, HttpProblem> {
    let key = writable(&name)?;
    let seen = seen(&request, &state, key).await?;
    let saved = state.services.configuration.restore(key, version, &caller.by(), seen).await?;
    Ok(changed(key, saved))
}

/// Which side of a conflict.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ConflictSide)]
pub(in crate::http) enum ConflictSide {
    /// What the authority holds.
    Authority,
    /// What was changed elsewhere while the authority did not answer.
    Pending,
}

/// A decision.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ResolveConflict)]
pub(in crate::http) struct Resolve {
    /// The side that is to be in force; the other one stays in the history.
    keep: ConflictSide,
}

/// Decides a conflict between two stores.
#[utoipa::path(post, path = "/api/v1/config/{key}/resolve", tag = "configuration",
    params(("key" = String, Path, description = "Its name")),
    request_body = Resolve,
    responses((status = 204, description = "It is decided"), ChangeRefusals))]
pub(in crate::http) async fn resolve(
    name: Path<String>,
    _: Params<Nothing>,
    caller: Caller,
    state: Data<HttpState>,
    JsonBody(Resolve { keep }): JsonBody<Resolve>,
) -> Result<HttpResponse, HttpProblem> {
    let key = writable(&name)?;
    let keep = match keep {
        ConflictSide::Authority => ConflictWinner::Authority,
        ConflictSide::Pending => ConflictWinner::Pending,
    };
    match state.services.configuration.resolve(key, keep, &caller.by()).await? {
        true => {
            tracing::info!(%key, ?keep, by = caller.by(), "a conflict was decided through the API");
            Ok(HttpResponse::NoContent().insert_header((CACHE_CONTROL, "no-store")).finish())
        }
        false => Err(HttpProblem::new(ProblemKind::Conflict, format!("{key} is not in conflict here"))),
    }
}
