//! The names that a document may have, at every depth. A name that nobody reads would be a
//! setting that does nothing: whoever writes one is told, and the nearest known name with it.
//!
//! Names that begin with `_` are notes, as in a detector. A new field of a document is entered
//! here, or its own test fails. What lies within a detector is checked where detectors are read.

use serde_json::{Map, Value};

use super::{FieldProblem, Key};
use crate::kernel::said::{Said, said};

/// What may stand at a place.
#[derive(Clone, Copy)]
enum Shape {
    /// A value; what lies within it is not for this module.
    Value,
    /// An object with these names.
    Object(KnownNames),
    /// A list of such objects.
    List(KnownNames),
}

type KnownNames = &'static [(&'static str, Shape)];

use Shape::{List, Object, Value as V};

const POLLING: KnownNames = &[
    ("active_days", V),
    ("active_start_hour", V),
    ("active_end_hour", V),
    ("enable_subject_group_dedup", V),
    ("sender_of_interest_for_polling", V),
    ("vacation_start", V),
    ("vacation_end", V),
    ("enable_polling", V),
];

const WEBHOOK: KnownNames = &[
    ("webhook_url", V),
    ("webhook_ssl_verify", V),
    ("webhook_sending_enabled", V),
    ("webhook_time_start", V),
    ("webhook_time_end", V),
    ("absence_pause_enabled", V),
    ("absence_pause_days", V),
    ("global_time_start", V),
    ("global_time_end", V),
    ("webhook_delivery_mode", V),
    ("ordering", V),
    ("webhook_body", V),
    ("webhook_enabled", V),
    ("time_window", Object(&[("start_hour", V), ("end_hour", V), ("active_days", V)])),
    // Of the reference system; what they do not do is said by `effect`.
    ("polling_enabled", V),
    ("recadrage_webhook_url", V),
    ("autorepondeur_webhook_url", V),
    ("webhook_fallback_on_415", V),
];

const PREFERENCES: KnownNames = &[
    ("exclude_keywords", V),
    ("exclude_keywords_recadrage", V),
    ("exclude_keywords_autorepondeur", V),
    ("require_attachments", V),
    ("max_email_size_mb", V),
    ("sender_priority", V),
    ("retry_count", V),
    ("retry_delay_sec", V),
    ("webhook_timeout_sec", V),
    ("rate_limit_per_hour", V),
    ("notify_on_failure", V),
    ("mirror_media_to_custom", V),
    ("sender_authentication", V),
    ("trusted_authserv_ids", V),
    ("ignore_automatic", V),
    ("ignore_automatic_except", V),
    ("reply_prefixes", V),
    ("subject_marks", V),
];

const FLAGS: KnownNames =
    &[("disable_email_id_dedup", V), ("allow_custom_webhook_without_links", V), ("gmail_ingress_enabled", V)];

const ROUTING: KnownNames = &[("rules", List(RULE))];

const RULE: KnownNames =
    &[("id", V), ("name", V), ("enabled", V), ("conditions", List(CONDITION)), ("actions", Object(ACTIONS))];

const CONDITION: KnownNames = &[("field", V), ("operator", V), ("value", V), ("case_sensitive", V)];

const ACTIONS: KnownNames =
    &[("webhook_url", V), ("priority", V), ("stop_processing", V), ("ordering", V), ("body", V)];

const DETECTORS: KnownNames = &[("detectors", V)];

// Each refuses unknown names itself: with one it would mean something else.
const PROVIDERS: KnownNames = &[("providers", V)];

/// The names of a document; `None` = any: those of sign-in links are the links' own ids.
const fn names(key: Key) -> Option<KnownNames> {
    match key {
        Key::PollingConfig => Some(POLLING),
        Key::WebhookConfig => Some(WEBHOOK),
        Key::ProcessingPrefs => Some(PREFERENCES),
        Key::RuntimeFlags => Some(FLAGS),
        Key::RoutingRules => Some(ROUTING),
        Key::Detectors => Some(DETECTORS),
        Key::Providers => Some(PROVIDERS),
        Key::MagicLinkTokens => None,
    }
}

/// The names that each document may have, but those of sign-in links.
pub fn top_level() -> impl Iterator<Item = (Key, Vec<&'static str>)> {
    Key::ALL.into_iter().filter_map(|key| Some((key, names(key)?.iter().map(|(name, _)| *name).collect())))
}

/// A name that is not known where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownField {
    /// Where, such as `rules[0].actions.webhook_uri`; fit to be shown.
    pub field: String,
    /// The same without the numbers: two members of a list may change places.
    place: String,
    /// The known name that looks most like it, if one does.
    pub nearest: Option<&'static str>,
    /// The document in which this is a name.
    pub elsewhere: Option<Key>,
}

impl UnknownField {
    /// That it is refused, for whoever writes it.
    #[must_use]
    pub fn problem(&self) -> FieldProblem {
        let message = match (self.elsewhere, self.nearest) {
            (Some(key), _) => {
                said!("champ inconnu : il appartient à {key}", "no such field: it belongs to {key}")
            }
            (None, Some(nearest)) => {
                said!(
                    "champ inconnu : vouliez-vous dire {nearest} ?",
                    "no such field: {nearest} may be meant"
                )
            }
            (None, None) => said!("champ inconnu", "no such field"),
        };
        FieldProblem::new(self.field.clone(), message)
    }

    /// That it changes nothing, for whoever looks at the document.
    #[must_use]
    pub fn remark(&self) -> Said {
        let field = &self.field;
        match (self.elsewhere, self.nearest) {
            (Some(key), _) => said!(
                "{field} n'est pas un champ connu et n'a aucun effet\u{a0}: il appartient à {key}",
                "{field} is no known field and has no effect: it belongs to {key}"
            ),
            (None, Some(nearest)) => said!(
                "{field} n'est pas un champ connu et n'a aucun effet\u{a0}: vouliez-vous dire {nearest}\u{a0}?",
                "{field} is no known field and has no effect: {nearest} may be meant"
            ),
            (None, None) => said!(
                "{field} n'est pas un champ connu et n'a aucun effet",
                "{field} is no known field and has no effect"
            ),
        }
    }
}

/// Every name of a document that is not known, in its order. What is no object where one should
/// be is not looked into: it is refused for that.
#[must_use]
pub fn unknown(key: Key, document: &Value) -> Vec<UnknownField> {
    let mut found = Vec::new();
    if let (Some(names), Value::Object(object)) = (names(key), document) {
        walk(key, names, object, &NamePlace::default(), &mut found);
    }
    found
}

/// Those that `after` has and `before` had nowhere of the kind.
#[must_use]
pub fn added(key: Key, before: Option<&Value>, after: &Value) -> Vec<UnknownField> {
    let mut found = unknown(key, after);
    if !found.is_empty()
        && let Some(before) = before
    {
        let had: Vec<String> = unknown(key, before).into_iter().map(|unknown| unknown.place).collect();
        found.retain(|unknown| !had.contains(&unknown.place));
    }
    found
}

/// Where a walk has come to, with and without the numbers of members.
#[derive(Default)]
struct NamePlace {
    field: String,
    place: String,
}

impl NamePlace {
    fn name(&self, name: &str) -> Self {
        let below = |path: &str, name: &str| {
            if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
        };
        Self { field: below(&self.field, &shown(name)), place: below(&self.place, name) }
    }

    fn member(&self, index: usize) -> Self {
        Self { field: format!("{}[{index}]", self.field), place: format!("{}[]", self.place) }
    }
}

fn walk(
    key: Key,
    names: KnownNames,
    object: &Map<String, Value>,
    at: &NamePlace,
    found: &mut Vec<UnknownField>,
) {
    for (name, value) in object.iter().filter(|(name, _)| !name.starts_with('_')) {
        let here = at.name(name);
        match (names.iter().find(|(known, _)| known == name), value) {
            (None, _) => found.push(UnknownField {
                nearest: nearest(name, names),
                elsewhere: Key::ALL.into_iter().find(|other| *other != key && has(*other, name)),
                field: here.field,
                place: here.place,
            }),
            (Some((_, Object(names))), Value::Object(object)) => walk(key, names, object, &here, found),
            (Some((_, List(names))), Value::Array(members)) => {
                for (index, member) in members.iter().enumerate() {
                    if let Value::Object(object) = member {
                        walk(key, names, object, &here.member(index), found);
                    }
                }
            }
            (Some(_), _) => {}
        }
    }
}

fn has(key: Key, name: &str) -> bool {
    names(key).is_some_and(|names| names.iter().any(|(known, _)| *known == name))
}

/// Longest name that is compared, in characters; the work grows with its square.
const LONGEST: usize = 64;

fn nearest(name: &str, names: KnownNames) -> Option<&'static str> {
    let written: String = name.chars().take(LONGEST).flat_map(char::to_lowercase).collect();
    let (distance, near) = names
        .iter()
        .map(|(known, _)| (strsim::damerau_levenshtein(&written, known), *known))
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= 1 + near.chars().count() / 5).then_some(near)
}

/// A name as it may be repeated in a message.
fn shown(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests;
