//! `/api/routing_rules`. Addresses of targets are capabilities: they are masked, and a mask that
//! comes back means the address that it stands for.

use actix_web::web::Data;
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::documents::routing::RoutingRules;
use render_signal_actors::config::rules::enabled;
use render_signal_actors::mail::rules::{Rule, mask_url};
use serde_json::{Map, Value, json};

use super::answer::{CompatRefusal, CompatResult, JsonFields, success};
use super::documents::{merge, read};
use crate::http::HttpState;
use crate::http::access::Caller;

const NOT_SAVED: &str = "Erreur lors de la sauvegarde des règles.";
const NOT_READ: &str = "Erreur lors de la récupération des règles.";
const NO_LIST: &str = "rules doit être une liste.";

/// The stored rules, as they are.
fn list(document: &Map<String, Value>) -> &[Value] {
    document.get("rules").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn id(rule: &Value) -> Option<&str> {
    rule.get("id").and_then(Value::as_str)
}

fn url(rule: &Value) -> Option<&str> {
    rule.get("actions")?.get("webhook_url")?.as_str()
}

/// The rule with this in place of its address.
fn with_url(mut rule: Value, url: String) -> Value {
    if let Some(Value::Object(actions)) = rule.get_mut("actions") {
        actions.insert("webhook_url".to_owned(), Value::String(url));
    }
    rule
}

fn masked(rule: Value) -> Value {
    match url(&rule).map(mask_url) {
        Some(mask) => with_url(rule, mask),
        None => rule,
    }
}

/// A rule with its address where a mask of it came back. Of two rules with the same mask, the one
/// of the same id is meant, else the one at the same place.
fn unmasked(rule: Value, place: usize, before: &[Value]) -> Value {
    let Some(mask) = url(&rule).filter(|url| url.ends_with("***")).map(str::to_owned) else { return rule };
    let stands = |known: &&Value| url(known).is_some_and(|url| mask_url(url) == mask);
    let by_id = || before.iter().find(|known| id(known).is_some() && id(known) == id(&rule)).filter(stands);
    let by_place = || before.get(place).filter(stands);
    let only = || {
        let mut same = before.iter().filter(stands);
        let first = same.next()?;
        same.all(|other| url(other) == url(first)).then_some(first)
    };
    match by_id().or_else(by_place).or_else(only).and_then(url) {
        Some(url) => {
            let url = url.to_owned();
            with_url(rule, url)
        }
        None => rule,
    }
}

/// Whether it is switched off, which the reference's clients do not know.
fn is_off(rule: &Value) -> bool {
    rule.as_object().is_some_and(|rule| enabled(rule) == Ok(false))
}

/// A rule that a client sends back without the switch that it does not know: it stays off, if the
/// stored one of its id is.
fn switched(mut rule: Value, before: &[Value]) -> Value {
    let off = |known: &Value| id(known).is_some() && id(known) == id(&rule) && is_off(known);
    if rule.get("enabled").is_none()
        && before.iter().any(off)
        && let Value::Object(rule) = &mut rule
    {
        rule.insert("enabled".to_owned(), Value::Bool(false));
    }
    rule
}

/// A rule as the reference stores it.
fn normal(rule: &Rule, written: &Value) -> Value {
    let word = |value: Option<&Value>| match value {
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Null) | None => String::new(),
        Some(Value::Bool(on)) => if *on { "True" } else { "False" }.to_owned(),
        Some(other) => other.to_string(),
    };
    let conditions: Vec<Value> = written
        .get("conditions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|condition| {
            json!({
                "field": word(condition.get("field")).to_lowercase(),
                "operator": word(condition.get("operator")).to_lowercase(),
                "value": word(condition.get("value")),
                "case_sensitive": is_on(condition.get("case_sensitive")),
            })
        })
        .collect();
    let mut actions = json!({
        "webhook_url": rule.target.url,
        "priority": rule.priority,
        "stop_processing": rule.stop_processing,
    });
    // What the reference does not know is kept.
    for name in ["ordering", "body"] {
        if let (Some(value), Value::Object(actions)) =
            (written.get("actions").and_then(|actions| actions.get(name)), &mut actions)
        {
            actions.insert(name.to_owned(), value.clone());
        }
    }
    json!({ "id": rule.id, "name": rule.name, "conditions": conditions, "actions": actions })
}

/// A switch of a condition; it was read before, so a text is a word.
fn is_on(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(on)) => *on,
        Some(Value::Number(number)) => number.as_f64().is_some_and(|number| number != 0.0),
        Some(Value::String(text)) => {
            matches!(text.trim().to_lowercase().as_str(), "1" | "true" | "yes" | "y" | "on")
        }
        _ => false,
    }
}

/// Each rule in its normal form; one that cannot be used or is off stays as it is.
fn normalised(state: &HttpState, rules: &[Value]) -> Vec<Value> {
    let parsed = RoutingRules::parse(&json!({ "rules": rules }), &state.reference.env).unwrap_or_default();
    let is_bad = |place: usize| {
        let named = format!("rules[{place}]");
        parsed.disabled.iter().any(|fault| {
            fault.field.strip_prefix(&named).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    };
    let mut usable = parsed.rules.iter();
    rules
        .iter()
        .enumerate()
        .map(|(place, written)| {
            let rule = if is_bad(place) || is_off(written) { None } else { usable.next() };
            rule.map_or_else(|| written.clone(), |rule| normal(rule, written))
        })
        .collect()
}

fn shown(state: &HttpState, document: &Map<String, Value>) -> Value {
    let rules: Vec<Value> = normalised(state, list(document)).into_iter().map(masked).collect();
    json!({ "rules": rules, "_updated_at": document.get("_updated_at") })
}

/// GET `/api/routing_rules`.
pub(super) async fn show(state: Data<HttpState>) -> CompatResult {
    let document = read(&state, Key::RoutingRules, NOT_READ).await?;
    Ok(success(json!({ "config": shown(&state, &document) })))
}

/// POST `/api/routing_rules`.
pub(super) async fn change(state: Data<HttpState>, caller: Caller, fields: JsonFields) -> CompatResult {
    let Some(Value::Array(rules)) = fields.get("rules") else { return Err(CompatRefusal::bad(NO_LIST)) };
    let document = read(&state, Key::RoutingRules, NOT_READ).await?;
    let before = list(&document);
    let rules: Vec<Value> = rules
        .iter()
        .enumerate()
        .map(|(place, rule)| switched(unmasked(rule.clone(), place, before), before))
        .collect();
    // What is wrong is said of the rules as they were written.
    let parsed = RoutingRules::parse(&json!({ "rules": rules }), &state.reference.env)
        .map_err(|faults| CompatRefusal::invalid(&faults))?;
    if !parsed.disabled.is_empty() {
        return Err(CompatRefusal::invalid(&parsed.disabled));
    }
    let wanted = vec![("rules".to_owned(), Some(Value::Array(normalised(&state, &rules))))];
    merge(&state, &caller, Key::RoutingRules, wanted, NOT_SAVED).await?;
    let document = read(&state, Key::RoutingRules, NOT_READ).await?;
    let body = json!({ "config": shown(&state, &document), "message": "Règles mises à jour." });
    Ok(success(fields.noting(body, &["rules"])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(id: &str, url: &str) -> Value {
        json!({ "id": id, "actions": { "webhook_url": url } })
    }

    #[test]
    fn a_mask_that_comes_back_is_the_address_that_it_stands_for() {
        let before =
            [rule("a", "https://h.fr/one"), rule("b", "https://h.fr/two"), rule("c", "https://other.fr/x")];
        let back = |rule: Value, place: usize| url(&unmasked(rule, place, &before)).map(str::to_owned);
        let is = |url: &str| Some(url.to_owned());
        assert_eq!(back(rule("b", "https://h.fr/***"), 0), is("https://h.fr/two"), "by its id");
        assert_eq!(back(rule("new", "https://h.fr/***"), 1), is("https://h.fr/two"), "by its place");
        assert_eq!(back(rule("new", "https://other.fr/***"), 9), is("https://other.fr/x"), "the only one");
        assert_eq!(back(rule("new", "https://h.fr/***"), 9), is("https://h.fr/***"), "nobody knows which");
        assert_eq!(back(rule("a", "https://x.fr/***"), 0), is("https://x.fr/***"), "of nothing");
        assert_eq!(back(rule("a", "https://h.fr/new"), 0), is("https://h.fr/new"));
        assert_eq!(unmasked(json!(1), 0, &before), json!(1));
    }

    #[test]
    fn a_client_that_does_not_know_the_switch_switches_nothing_on() {
        let off = |rule: Value| is_off(&rule);
        let mut stored = rule("a", "https://h.fr/one");
        stored["enabled"] = json!(false);
        let before = [stored, rule("b", "https://h.fr/two")];
        assert!(off(switched(rule("a", "https://h.fr/new"), &before)));
        assert!(!off(switched(rule("b", "https://h.fr/new"), &before)));
        let mut on = rule("a", "https://h.fr/one");
        on["enabled"] = json!(true);
        assert!(!off(switched(on, &before)));
        assert_eq!(switched(json!(1), &before), json!(1));
    }
}
