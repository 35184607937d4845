//! `/api/migrate_configs_to_redis`, `/api/verify_config_store`: results, as values. Nothing is
//! taken from what the process prints.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use render_signal_actors::config::diff::masked;
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::edit::Editor;
use render_signal_actors::config::store::DocumentStore;
use render_signal_actors::egress::EgressPolicy;
use serde_json::{Value, json};

use super::answer::{CompatRefusal, CompatResult, JsonFields};
use crate::exit::CommandFailure;
use crate::http::HttpState;
use crate::services::check::{self, CheckedDocument};
use crate::services::migrate::{self, MigrationLog, MigrationOptions, MigrationTarget, by_name, is_our_own};
use crate::wiring;

const NO_STORE: &str = "Le magasin de configuration ne peut pas être ouvert.";

/// The documents that the reference knows, in either of its revisions, by name.
pub(in crate::http) fn known() -> Vec<Key> {
    by_name().into_iter().filter(|key| !is_our_own(*key)).collect()
}

/// The documents that a body names, each once; all of them when it names none.
fn keys(fields: &JsonFields) -> Result<Vec<Key>, CompatRefusal> {
    let known = known();
    let allowed: Vec<&str> = known.iter().map(|key| key.as_str()).collect();
    let refused = |message: String| CompatRefusal::bad(message).with(&json!({ "allowed_keys": allowed }));
    let no_list = || refused("Le champ 'keys' doit être une liste de chaînes.".to_owned());
    let members = match fields.get("keys") {
        None | Some(Value::Null) => return Ok(known),
        Some(Value::Array(members)) if members.is_empty() => return Ok(known),
        Some(Value::Array(members)) => members,
        Some(_) => return Err(no_list()),
    };
    let names: Option<Vec<&str>> = members.iter().map(Value::as_str).collect();
    let names = names.ok_or_else(no_list)?;
    let unknown: Vec<&str> = names.iter().copied().filter(|name| !allowed.contains(name)).collect();
    if !unknown.is_empty() {
        return Err(refused(format!("Clés invalides: {}", unknown.join(", "))));
    }
    Ok(known.into_iter().filter(|key| names.contains(&key.as_str())).collect())
}

fn names(keys: &[Key]) -> Vec<&'static str> {
    keys.iter().map(|key| key.as_str()).collect()
}

/// 200, or 502 when something is wrong.
fn answer(ok: bool, mut body: Value) -> HttpResponse {
    if let Value::Object(fields) = &mut body {
        fields.insert("success".to_owned(), json!(ok));
        fields.insert("exit_code".to_owned(), json!(i32::from(!ok)));
    }
    let status = if ok { StatusCode::OK } else { StatusCode::BAD_GATEWAY };
    HttpResponse::build(status).insert_header((CACHE_CONTROL, "no-store")).json(body)
}

/// POST `/api/migrate_configs_to_redis`: from files into Redis alone, and read back.
pub(super) async fn migrate(state: Data<HttpState>, fields: JsonFields) -> CompatResult {
    let keys = keys(&fields)?;
    let log = migrated(&state, &keys, fields.get("keys").is_some())
        .await
        .map_err(|error| CompatRefusal::not_now(NO_STORE, &error.message))?;
    let complaints: Vec<&str> = log.complaints.iter().map(|said| said.french.as_str()).collect();
    Ok(answer(log.ok, json!({ "keys": names(&keys), "log": log.lines.join("\n"), "complaints": complaints })))
}

/// Writes the files of the documents into Redis, and reads each back. `asked` = they were asked for
/// by name.
pub(in crate::http) async fn migrated(
    state: &HttpState,
    keys: &[Key],
    asked: bool,
) -> Result<MigrationLog, CommandFailure> {
    let storage = &state.services.storage;
    let redis = wiring::redis_documents(storage, &state.world)?;
    let (place, world) = (Arc::clone(storage), state.world.clone());
    let target = MigrationTarget {
        editor: redis.map(|store| Editor { store, ..state.editor.clone() }),
        itself: Box::new(move || wiring::redis_documents(&place, &world).ok().flatten()),
    };
    let wanted = MigrationOptions { dry: false, verify: true };
    Ok(migrate::migrate(keys, asked, wanted, storage, &target, |_| {}).await)
}

/// POST `/api/verify_config_store`: the documents in the shared store, which is asked anew.
pub(super) async fn verify(state: Data<HttpState>, fields: JsonFields) -> CompatResult {
    let keys = keys(&fields)?;
    let checked =
        verified(&state, &keys).await.map_err(|error| CompatRefusal::not_now(NO_STORE, &error.message))?;
    let raw = fields.get("raw") == Some(&Value::Bool(true));
    let results: Vec<Value> = checked.iter().map(|one| told(one, raw)).collect();
    let ok = checked.iter().all(|one| one.valid && one.unread.is_none());
    Ok(answer(ok, json!({ "keys": names(&keys), "results": results })))
}

/// What the first shared store holds, asked anew, and what is wrong with it.
pub(in crate::http) async fn verified(
    state: &HttpState,
    keys: &[Key],
) -> Result<Vec<CheckedDocument>, CommandFailure> {
    let store = shared(state)?;
    Ok(check::all(store.as_deref(), keys, true, &state.reference.env).await)
}

/// The first shared store itself, with nothing behind it: Redis, or the PHP host.
fn shared(state: &HttpState) -> Result<Option<Arc<dyn DocumentStore>>, CommandFailure> {
    let storage = &state.services.storage;
    if let Some(redis) = wiring::redis_documents(storage, &state.world)? {
        return Ok(Some(redis));
    }
    let egress = EgressPolicy::new(state.reference.env.egress_allow.clone());
    let stores = wiring::remote_documents(storage, &egress, &state.world)?;
    Ok(stores.into_iter().next())
}

/// Of a document, in the reference's words; what opens something is masked.
fn told(checked: &CheckedDocument, raw: bool) -> Value {
    let payload = checked.payload.as_ref().filter(|_| raw && checked.payload_present);
    let key = Key::named(checked.key);
    let payload = payload.zip(key).map(|(payload, key)| masked(key, payload));
    json!({
        "key": checked.key,
        "valid": checked.valid,
        "status": checked.status,
        "message": checked.unread.as_deref().unwrap_or(&checked.message.french),
        "summary": checked.summary,
        "payload_present": checked.payload_present,
        "payload": payload,
    })
}
