//! All documents in one file, and documents from files into the shared store.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use actix_web::web::Data;
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::edit::Editor;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

use crate::http::HttpState;
use crate::http::access::Caller;
use crate::http::openapi::refusals::{ChangeRefusals, ReadRefusals};
use crate::http::problem::{HttpProblem, ProblemField, ProblemKind};
use crate::http::v1::page::Nothing;
use crate::http::v1::{JsonBody, Params};
use crate::services::config::bundle::{Bundle, ImportOutcome};
use crate::services::migrate::{self, MigrationLog, MigrationOptions, MigrationTarget, by_name};
use crate::wiring;

/// All documents but the sign-in links, with what is masked elsewhere: what `import` takes.
#[utoipa::path(get, path = "/api/v1/config/export", tag = "configuration",
    responses((status = 200, body = Bundle), ReadRefusals))]
pub(in crate::http) async fn export(
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let bundle = state.services.configuration.export(true).await?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"render-signal-config.json\""))
        .json(bundle))
}

/// Whether to write.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct ImportParams {
    /// Say only what would change.
    #[serde(default)]
    #[param(default = false)]
    dry_run: bool,
}

/// Writes the documents of a file, or says what that would change. Nothing is written when one of
/// them is not valid. Documents that it does not name stay.
#[utoipa::path(post, path = "/api/v1/config/import", tag = "configuration", params(ImportParams),
    request_body = Bundle,
    responses((status = 200, body = ImportOutcome), ChangeRefusals))]
pub(in crate::http) async fn import(
    Params(params): Params<ImportParams>,
    caller: Caller,
    state: Data<HttpState>,
    JsonBody(bundle): JsonBody<Bundle>,
) -> Result<HttpResponse, HttpProblem> {
    let outcome = state.services.configuration.import(&bundle, &caller.by(), params.dry_run).await?;
    if !params.dry_run && !outcome.written {
        let errors = outcome.documents.iter().flat_map(|document| {
            document.problems.iter().map(|problem| ProblemField {
                field: format!("documents.{}.{}", document.key, problem.field),
                message: problem.message.english.clone(),
            })
        });
        let why = "a document is not valid, so none was written";
        return Err(HttpProblem::new(ProblemKind::InvalidDocument, why).with_errors(errors.collect()));
    }
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(outcome))
}

/// What to migrate.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MigrateDocuments)]
pub(in crate::http) struct Migrate {
    /// Only these documents; all when it is empty.
    #[serde(default)]
    only: Vec<String>,
    /// Say only what would be migrated.
    #[serde(default)]
    #[schema(default = false)]
    dry_run: bool,
    /// Read each document back, and compare.
    #[serde(default)]
    verify: bool,
}

/// Writes the files of `CONFIG_DIR` into the shared store (Redis, or the PHP host). The answer is
/// the log, in the words of the system before; `ok` says whether all went well.
#[utoipa::path(post, path = "/api/v1/config/migrate", tag = "configuration",
    request_body = Migrate,
    responses((status = 200, body = MigrationLog), ChangeRefusals))]
pub(in crate::http) async fn migrate(
    _: Params<Nothing>,
    state: Data<HttpState>,
    JsonBody(asked): JsonBody<Migrate>,
) -> Result<HttpResponse, HttpProblem> {
    let keys = selected(&asked.only)?;
    let target = target(&state)?;
    let options = MigrationOptions { dry: asked.dry_run, verify: asked.verify };
    let storage = &state.services.storage;
    let log = migrate::migrate(&keys, !asked.only.is_empty(), options, storage, &target, |_| {}).await;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(log))
}

fn selected(only: &[String]) -> Result<Vec<Key>, HttpProblem> {
    if let Some((place, unknown)) = only.iter().enumerate().find(|(_, name)| Key::named(name).is_none()) {
        let field =
            ProblemField { field: format!("only[{place}]"), message: format!("{unknown:?} is no document") };
        return Err(
            HttpProblem::new(ProblemKind::InvalidDocument, "only: not a document").with_errors(vec![field])
        );
    }
    let wanted = |key: &Key| only.is_empty() || only.iter().any(|name| name == key.as_str());
    Ok(by_name().into_iter().filter(wanted).collect())
}

/// The shared store: with its history, and as it is itself.
fn target(state: &HttpState) -> Result<MigrationTarget, HttpProblem> {
    let editor = &state.services.configuration.editor;
    let storage = &state.services.storage;
    let journal = editor.journal.clone();
    let unusable = |failure: crate::exit::CommandFailure| HttpProblem::unavailable(failure.message);
    let store =
        wiring::shared_documents(storage, &editor.env, &editor.world, journal.clone()).map_err(unusable)?;
    let egress = render_signal_actors::egress::EgressPolicy::new(editor.env.egress_allow.clone());
    let (storage, world) = (Arc::clone(storage), editor.world.clone());
    let itself = move || wiring::remote_documents(&storage, &egress, &world).ok()?.into_iter().next();
    Ok(MigrationTarget {
        editor: store.map(|store| Editor {
            store,
            env: Arc::clone(&editor.env),
            journal,
            world: editor.world.clone(),
        }),
        itself: Box::new(itself),
    })
}
