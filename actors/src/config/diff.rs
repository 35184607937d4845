//! What two versions of a document differ in, and how documents are shown: without the
//! addresses and tokens that open something. Pure.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::documents::Key;
use crate::mail::rules::mask_url;

/// Stands for a secret.
const HIDDEN: &str = "***";

/// Parts of field names whose texts are secrets.
const SECRET_NAMES: [&str; 4] = ["token", "secret", "password", "api_key"];

/// One thing that differs. Values are masked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldDifference {
    /// Where, such as `webhook_url` or `rules[rule-1].actions.webhook_url`.
    pub path: String,
    /// `None` = it was not there.
    pub before: Option<Value>,
    /// `None` = it is gone.
    pub after: Option<Value>,
    /// It differs in what the mask hides, so both values may look the same.
    pub hidden: bool,
}

/// What differs, in the order of the documents. `None` = there was no document.
#[must_use]
pub fn differences(key: Key, before: Option<&Value>, after: Option<&Value>) -> Vec<FieldDifference> {
    let mut found = Vec::new();
    if key == Key::MagicLinkTokens {
        // The field names are the links' own ids.
        let shown = |document: Option<&Value>| document.map(|document| masked(key, document));
        walk("", "", shown(before).as_ref(), shown(after).as_ref(), &mut found);
        if found.is_empty() && before != after {
            found.push(FieldDifference { path: "links".to_owned(), before: None, after: None, hidden: true });
        }
        return found;
    }
    let nothing = Value::Object(Map::new());
    walk("", "", Some(before.unwrap_or(&nothing)), Some(after.unwrap_or(&nothing)), &mut found);
    found
}

/// The document as it may be shown: addresses lose their paths, tokens disappear, and
/// sign-in links are only counted.
#[must_use]
pub fn masked(key: Key, document: &Value) -> Value {
    match (key, document) {
        (Key::MagicLinkTokens, Value::Object(links)) => count_links(links),
        _ => mask("", document),
    }
}

/// The document with every mask of a stored text put back: whoever edited what was shown to them
/// has not changed it. Members of lists are known by their `id`, or by their place while there
/// are as many. A mask of something else stays one.
#[must_use]
pub fn unmasked(document: &Value, stored: &Value) -> Value {
    put_back("", document, stored)
}

/// The same for one field of a document.
#[must_use]
pub fn unmasked_field(name: &str, value: &Value, stored: &Value) -> Value {
    put_back(name, value, stored)
}

fn put_back(name: &str, value: &Value, stored: &Value) -> Value {
    match (value, stored) {
        (Value::Object(fields), Value::Object(stored)) => fields
            .iter()
            .map(|(name, value)| {
                let real = stored.get(name).map(|stored| put_back(name, value, stored));
                (name.clone(), real.unwrap_or_else(|| value.clone()))
            })
            .collect(),
        (Value::Array(members), Value::Array(stored)) => put_back_members(name, members, stored),
        (Value::String(text), Value::String(real)) if is_mask(text) && mask_text(name, real) == *text => {
            stored.clone()
        }
        (value, _) => value.clone(),
    }
}

fn put_back_members(name: &str, members: &[Value], stored: &[Value]) -> Value {
    let known = by_id(stored);
    let same_place = members.len() == stored.len();
    let real = |place: usize, member: &Value| match (&known, member.get("id").and_then(Value::as_str)) {
        (Some(known), Some(id)) => known.iter().find(|(one, _)| *one == id).map(|(_, stored)| *stored),
        _ => stored.get(place).filter(|_| same_place),
    };
    let members = members.iter().enumerate().map(|(place, member)| match real(place, member) {
        Some(stored) => put_back(name, member, stored),
        None => member.clone(),
    });
    members.collect()
}

/// Texts that are a mask and no value: somebody edited what was shown to them.
#[must_use]
pub fn is_mask(text: &str) -> bool {
    text == HIDDEN || (text.contains("://") && text.ends_with(HIDDEN))
}

fn count_links(links: &Map<String, Value>) -> Value {
    let links: Vec<&Map<String, Value>> = links.values().filter_map(Value::as_object).collect();
    let consumed = links.iter().filter(|link| link.get("consumed") == Some(&Value::Bool(true))).count();
    let permanent = links.iter().filter(|link| link.get("expires_at").is_none_or(Value::is_null)).count();
    json!({ "links": links.len(), "consumed": consumed, "without_expiry": permanent })
}

fn mask(name: &str, value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), mask(name, value))).collect()
        }
        Value::Array(members) => members.iter().map(|member| mask(name, member)).collect(),
        Value::String(text) => mask_text(name, text).into(),
        scalar => scalar.clone(),
    }
}

fn mask_text(name: &str, text: &str) -> String {
    let name = name.to_lowercase();
    if text.is_empty() {
        String::new()
    } else if name.ends_with("url") || text.contains("://") {
        mask_url(text)
    } else if SECRET_NAMES.iter().any(|secret| name.contains(secret)) {
        HIDDEN.to_owned()
    } else {
        text.to_owned()
    }
}

fn walk(
    path: &str,
    name: &str,
    before: Option<&Value>,
    after: Option<&Value>,
    found: &mut Vec<FieldDifference>,
) {
    if before == after {
        return;
    }
    match (before, after) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            for name in old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))) {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                walk(&path, name, old.get(name), new.get(name), found);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => match (by_id(old), by_id(new)) {
            (Some(old), Some(new)) => walk_ids(path, name, &old, &new, found),
            _ => found.push(difference(path, name, before, after)),
        },
        _ => found.push(difference(path, name, before, after)),
    }
}

type ById<'v> = Vec<(&'v str, &'v Value)>;

/// The members of a list by their `id`; `None` when one has none, or two have the same.
fn by_id(members: &[Value]) -> Option<ById<'_>> {
    let members: ById<'_> =
        members.iter().map(|member| Some((member.get("id")?.as_str()?, member))).collect::<Option<_>>()?;
    let mut ids: Vec<&str> = members.iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    ids.dedup();
    (ids.len() == members.len()).then_some(members)
}

fn walk_ids(path: &str, name: &str, old: &ById<'_>, new: &ById<'_>, found: &mut Vec<FieldDifference>) {
    let of = |members: &ById<'_>, id: &str| -> Option<Value> {
        members.iter().find(|(known, _)| *known == id).map(|(_, member)| (*member).clone())
    };
    for (id, _) in old.iter().chain(new.iter().filter(|(id, _)| of(old, id).is_none())) {
        walk(&format!("{path}[{id}]"), name, of(old, id).as_ref(), of(new, id).as_ref(), found);
    }
    let order = |members: &ById<'_>, other: &ById<'_>| -> Vec<String> {
        members.iter().filter(|(id, _)| of(other, id).is_some()).map(|(id, _)| (*id).to_owned()).collect()
    };
    let (before, after) = (order(old, new), order(new, old));
    if before != after {
        found.push(FieldDifference {
            path: format!("{path} (order)"),
            before: Some(before.into()),
            after: Some(after.into()),
            hidden: false,
        });
    }
}

fn difference(path: &str, name: &str, before: Option<&Value>, after: Option<&Value>) -> FieldDifference {
    let shown = |value: Option<&Value>| value.map(|value| mask(name, value));
    let (before, after) = (shown(before), shown(after));
    let path = if path.is_empty() { "document" } else { path };
    FieldDifference { path: path.to_owned(), hidden: before == after, before, after }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(key: Key, before: Value, after: Value) -> Vec<String> {
        differences(key, Some(&before), Some(&after))
            .into_iter()
            .map(|found| {
                let shown = |value: Option<Value>| value.map_or("-".to_owned(), |value| value.to_string());
                let hidden = if found.hidden { " hidden" } else { "" };
                format!("{}: {} > {}{hidden}", found.path, shown(found.before), shown(found.after))
            })
            .collect()
    }

    #[test]
    fn fields_and_nested_fields_are_named() {
        let before = json!({"a": 1, "b": {"c": [1], "d": 2}, "e": null});
        let after = json!({"a": 1.0, "b": {"c": [1, 2], "d": 2}, "f": "x"});
        assert_eq!(
            lines(Key::WebhookConfig, before, after),
            ["a: 1 > 1.0", "b.c: [1] > [1,2]", "e: null > -", "f: - > \"x\""]
        );
        assert_eq!(
            differences(Key::WebhookConfig, None, Some(&json!({"a": 1}))),
            [FieldDifference { path: "a".into(), before: None, after: Some(json!(1)), hidden: false }]
        );
    }

    #[test]
    fn rules_are_told_apart_by_their_id() {
        let rule = |id: &str, url: &str| json!({"id": id, "actions": {"webhook_url": url}});
        let before = json!({"rules": [rule("a", "https://h/1"), rule("b", "https://h/2")]});
        let after =
            json!({"rules": [rule("b", "https://h/2"), rule("a", "https://h/9"), rule("c", "https://i/x")]});
        assert_eq!(
            lines(Key::RoutingRules, before, after),
            [
                "rules[a].actions.webhook_url: \"https://h/***\" > \"https://h/***\" hidden",
                "rules[c]: - > {\"id\":\"c\",\"actions\":{\"webhook_url\":\"https://i/***\"}}",
                "rules (order): [\"a\",\"b\"] > [\"b\",\"a\"]",
            ]
        );
    }

    #[test]
    fn nothing_that_opens_something_is_shown() {
        let document = json!({
            "webhook_url": "https://hook.example/capability", "autorepondeur_webhook_url": "capability@hook.eu2.make.com",
            "other": ["see https://x/capability", "plain"], "api_token": "capability", "n": 1, "empty_url": "",
        });
        let shown = masked(Key::WebhookConfig, &document);
        assert!(!shown.to_string().contains("capability"), "{shown}");
        assert_eq!(shown["webhook_url"], "https://hook.example/***");
        assert_eq!((&shown["n"], &shown["empty_url"]), (&json!(1), &json!("")));

        let links =
            json!({"capability": {"consumed": true}, "capability2": {"expires_at": 5.0}, "_updated_at": "x"});
        let shown = masked(Key::MagicLinkTokens, &links);
        assert_eq!(shown, json!({"links": 2, "consumed": 1, "without_expiry": 1}));
        let other = json!({"capability3": {"consumed": true}, "capability2": {"expires_at": 5.0}});
        assert_eq!(lines(Key::MagicLinkTokens, links.clone(), other), ["links: - > - hidden"]);
        let more = json!({"capability2": {"expires_at": 5.0}});
        assert!(!lines(Key::MagicLinkTokens, links, more).concat().contains("capability"));
    }

    #[test]
    fn a_mask_is_recognised() {
        for (text, expected) in [
            ("***", true),
            ("https://h/***", true),
            ("https://h***", true),
            ("x***", false),
            ("https://h/", false),
        ] {
            assert_eq!(is_mask(text), expected, "{text}");
        }
    }

    #[test]
    fn a_mask_that_comes_back_means_unchanged_and_nothing_else() {
        let stored = json!({
            "webhook_url": "https://a.example/s3cret",
            "rules": [
                {"id": "x", "actions": {"webhook_url": "https://a.example/x"}},
                {"id": "y", "actions": {"webhook_url": "https://b.example/y"}},
            ],
            "api_token": "t0ken",
        });
        let shown = masked(Key::WebhookConfig, &stored);
        assert_ne!(shown, stored);
        assert_eq!(unmasked(&shown, &stored), stored);
        // Members that changed places are known by their ids.
        let mut turned = shown;
        turned["rules"].as_array_mut().unwrap().reverse();
        let real = unmasked(&turned, &stored);
        assert_eq!(real["rules"][0]["actions"]["webhook_url"], "https://b.example/y");
        // The mask of another host is not that of a stored text.
        let other = json!({"webhook_url": "https://c.example/***"});
        assert_eq!(unmasked(&other, &stored), other);
    }
}
