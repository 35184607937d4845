//! What changed documents would change of a mail: names of fields and their values.

use std::borrow::Cow;

use render_signal_actors::mail::compare::DecisionChange;
use serde_json::Value;

use super::reasons;
use super::recorded::plain;
use crate::lang::Lang;

/// The name of what changes: of the comparison in English, where it is stable.
pub(crate) fn field(lang: Lang, field: &str) -> Cow<'_, str> {
    if lang == Lang::En {
        return field.into();
    }
    if let Some(target) = field.strip_prefix("address of ") {
        return format!("adresse de {target}").into();
    }
    if let Some((target, name)) = field.strip_prefix("payload for ").and_then(|of| of.split_once(": ")) {
        return format!("contenu pour {target} : {name}").into();
    }
    match field {
        "decision" => "décision".into(),
        "reason" => "raison".into(),
        "detail" => "détail".into(),
        "hold_until" => "retenu jusqu'au".into(),
        "detector" => "détecteur".into(),
        "delivery_time" => "heure de livraison".into(),
        "targets" => "destinations".into(),
        "priority" => "priorité".into(),
        other => other.into(),
    }
}

/// A value of the decision that is a word of the program's; `None` = what a mail or a document
/// says, which is shown as it is.
pub(crate) fn value<'v>(lang: Lang, change: &DecisionChange, value: &'v Value) -> Option<Cow<'v, str>> {
    match (change.field.as_str(), value) {
        ("reason", Value::String(code)) => Some(reasons::by_code(lang, code)),
        ("decision", Value::String(code)) => Some(reasons::decision(lang, code).into()),
        ("detail", Value::String(detail)) => Some(plain(lang, detail)),
        ("priority", Value::String(priority)) if lang == Lang::Fr => Some(match priority.as_str() {
            "high" => "haute".into(),
            "medium" => "moyenne".into(),
            "low" => "basse".into(),
            other => other.into(),
        }),
        ("urgent", Value::Bool(urgent)) if lang == Lang::Fr => {
            Some(if *urgent { "oui" } else { "non" }.into())
        }
        _ => None,
    }
}
