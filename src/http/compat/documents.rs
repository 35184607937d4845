//! The documents, as this room reads and changes them.

use std::fmt::Display;

use render_signal_actors::config::documents::Key;
use render_signal_actors::config::edit::{Edit, SavedEdit};
use serde_json::{Map, Value};

use super::answer::CompatRefusal;
use crate::http::HttpState;
use crate::http::access::Caller;

/// The document as it is stored, or as it is in force though it has vanished; empty when there
/// is none. `not_read` is what the reference says when it cannot be read.
///
/// # Errors
/// The store cannot be reached.
pub(super) async fn read(
    state: &HttpState,
    key: Key,
    not_read: &str,
) -> Result<Map<String, Value>, CompatRefusal> {
    let present =
        state.editor.present(key).await.map_err(|error| CompatRefusal::not_read(&error, not_read))?;
    Ok(present.unwrap_or_default())
}

/// Changes fields of a document; `None` removes one. Without any nothing is written.
///
/// # Errors
/// It would not be valid, or the store did not take it.
pub(super) async fn merge(
    state: &HttpState,
    caller: &Caller,
    key: Key,
    fields: Vec<(String, Option<Value>)>,
    not_saved: &str,
) -> Result<Option<SavedEdit>, CompatRefusal> {
    if fields.is_empty() {
        return Ok(None);
    }
    let edit = Edit::merge(key, fields, &origin(caller));
    let saved =
        state.editor.apply(&edit).await.map_err(|error| CompatRefusal::not_saved(error, not_saved))?;
    tracing::info!(%key, by = caller.by(), version = saved.version, "document changed over HTTP");
    Ok(Some(saved))
}

/// Who changed a document, as the history says.
fn origin(caller: &Caller) -> String {
    caller.by()
}

/// The text of a field; empty when it is none.
pub(super) fn text<'d>(document: &'d Map<String, Value>, name: &str) -> &'d str {
    document.get(name).and_then(Value::as_str).map(str::trim).unwrap_or_default()
}

/// A text, or null when it is empty.
pub(super) fn or_null(text: impl Display) -> Value {
    let text = text.to_string();
    if text.is_empty() { Value::Null } else { Value::String(text) }
}
