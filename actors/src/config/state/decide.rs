//! What happens when something is entered in the history of a document. Pure.

use serde_json::{Map, Value};

use super::{DocumentCommand, DocumentCx, DocumentState, Overtaken, keeps_content};
use crate::config::documents::{self, Key};
use crate::config::events::{
    ChangeDeferred, ChangeReconciled, ConfigEvent, ConflictResolved, DocumentChanged, DocumentConflicted,
};
use crate::kernel::aggregate::Aggregate;

impl Aggregate for DocumentState {
    type Command = DocumentCommand;
    type Cx = DocumentCx;
    type Reject = Overtaken;

    fn decide(&self, command: &DocumentCommand, cx: &DocumentCx) -> Result<Vec<ConfigEvent>, Overtaken> {
        if command.is_done(self) {
            return Ok(Vec::new());
        }
        let key = cx.key.as_str().to_owned();
        let differing = |after| changed_fields(cx.key, cx.before.as_deref(), after);
        let next = copy_key(cx.key, &(cx.version + 1).to_string());
        Ok(vec![match command {
            DocumentCommand::Change { document, origin, listed, stored_in } => {
                let hash = document.as_ref().map(|document| document.hash.clone()).unwrap_or_default();
                // The same, in another place: its copy is there.
                let moved = !hash.is_empty() && hash == self.hash;
                let kept = if moved { self.body_key.clone() } else { next };
                ConfigEvent::Changed(DocumentChanged {
                    key,
                    origin: origin.clone(),
                    fields: match moved {
                        true => Vec::new(),
                        false => differing(document.as_ref().map(|document| document.text.as_str())),
                    },
                    body_key: if hash.is_empty() { String::new() } else { kept },
                    change: listed.as_ref().map(ToString::to_string).unwrap_or_default(),
                    stored_in: if hash.is_empty() { String::new() } else { stored_in.clone() },
                    hash,
                })
            }
            DocumentCommand::Defer(deferred) => {
                self.waits_for(deferred.over)?;
                let base = || deferred.base.as_ref().map(|_| format!("config/{key}/base"));
                ConfigEvent::Deferred(ChangeDeferred {
                    hash: deferred.document.hash.clone(),
                    origin: deferred.origin.clone(),
                    fields: differing(Some(&deferred.document.text)),
                    waits: waiting_key(&next, cx.key, "waiting"),
                    base: match &self.pending {
                        Some(pending) => pending.base.clone(),
                        None => base().unwrap_or_default(),
                    },
                    why: deferred.why.clone(),
                    body_key: next,
                    key,
                })
            }
            DocumentCommand::Reconcile(reconciled) => {
                self.waits_for(Some(reconciled.number))?;
                let hash = reconciled.document.hash.clone();
                let same = self.pending.as_ref().is_some_and(|pending| pending.hash == hash);
                ConfigEvent::Reconciled(ChangeReconciled {
                    key,
                    outcome: reconciled.outcome,
                    fields: if same { Vec::new() } else { differing(Some(&reconciled.document.text)) },
                    body_key: if same && self.hash == hash { self.body_key.clone() } else { next },
                    stored_in: reconciled.stored_in.clone(),
                    hash,
                })
            }
            DocumentCommand::Lose(losing) => {
                self.waits_for(losing.number)?;
                let name = format!("conflict/{}", losing.event_id(cx.key).simple());
                let kept = copy_key(cx.key, &name);
                ConfigEvent::Conflicted(DocumentConflicted {
                    key,
                    hash: losing.hash(),
                    origin: losing.origin.clone(),
                    fields: losing.fields.clone(),
                    waits: waiting_key(&kept, cx.key, "conflict"),
                    body_key: kept,
                })
            }
            DocumentCommand::Resolve { kept, by } => {
                ConfigEvent::Resolved(ConflictResolved { key, kept: *kept, by: by.clone() })
            }
        }])
    }
}

/// Key of a copy for the history; empty when the history keeps none.
fn copy_key(key: Key, name: &str) -> String {
    match keeps_content(key) {
        true => format!("config/{key}/{name}"),
        false => String::new(),
    }
}

/// Key of what waits: the copy of the history, or one that goes when it waits no more.
fn waiting_key(kept: &str, key: Key, name: &str) -> String {
    if kept.is_empty() { format!("config/{key}/{name}") } else { kept.to_owned() }
}

/// The top-level fields that differ. The field names of the sign-in links are the links'
/// own ids, so they are not listed.
pub(super) fn changed_fields(key: Key, before: Option<&str>, after: Option<&str>) -> Vec<String> {
    if key == Key::MagicLinkTokens {
        return Vec::new();
    }
    let object = |text: Option<&str>| -> Map<String, Value> {
        text.and_then(|text| documents::from_json(text).ok()).unwrap_or_default()
    };
    let (before, after) = (object(before), object(after));
    let mut fields: Vec<String> = before
        .iter()
        .filter(|(name, value)| after.get(*name) != Some(value))
        .map(|(name, _)| name.clone())
        .chain(after.keys().filter(|name| !before.contains_key(*name)).cloned())
        .collect();
    fields.sort_unstable();
    fields
}
