//! Stored routing rules to usable ones (reference section 3.6). A rule that cannot be used
//! costs itself only; the messages are those of the reference.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::policy::{Ordering, Target};
use super::rules::{Condition, Field, Rule, Test, normalize_make_webhook_url, regex, target_id};

/// A stored rule that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRule {
    /// Its place in the list, from 0.
    pub index: usize,
    /// Its id, if it has one.
    pub id: Option<String>,
    /// What is wrong, to be shown to the operator.
    pub message: String,
}

/// What a list of stored rules gives.
#[derive(Debug, Clone, Default)]
pub struct Compiled {
    /// The usable rules, in order.
    pub rules: Vec<Rule>,
    /// The others.
    pub bad: Vec<BadRule>,
}

/// Compiles the value of `rules`. `http_allowed` says whether a target may be reached
/// without TLS at that address.
///
/// # Errors
/// When `rules` is no list.
pub fn compile_all(rules: &Value, http_allowed: &dyn Fn(&str) -> bool) -> Result<Compiled, String> {
    let Value::Array(rules) = rules else { return Err("rules doit être une liste.".to_owned()) };
    let mut names = Names::default();
    let mut compiled = Compiled::default();
    for (index, stored) in rules.iter().enumerate() {
        match compile(stored, index, &mut names, http_allowed) {
            Ok(rule) => compiled.rules.push(rule),
            Err(message) => {
                let id = stored.get("id").and_then(Value::as_str).map(str::to_owned);
                compiled.bad.push(BadRule { index, id, message });
            }
        }
    }
    Ok(compiled)
}

/// The ids that are taken: those of earlier rules, and `default`, the default target.
#[derive(Debug, Clone)]
pub struct Names(HashSet<String>);

impl Default for Names {
    fn default() -> Self {
        Self(HashSet::from(["default".to_owned()]))
    }
}

impl Names {
    /// `id`, or `id-<place>` when it is taken.
    fn claim(&mut self, id: &str, place: usize) -> String {
        let mut free = id.to_owned();
        while !self.0.insert(free.clone()) {
            free = format!("{free}-{place}");
        }
        free
    }
}

/// Compiles one stored rule, the one at `index` from 0.
///
/// # Errors
/// What is wrong with it, to be shown to the operator.
pub fn compile(
    stored: &Value,
    index: usize,
    names: &mut Names,
    http_allowed: &dyn Fn(&str) -> bool,
) -> Result<Rule, String> {
    let place = index + 1;
    let Value::Object(rule) = stored else { return Err("Chaque règle doit être un objet.".to_owned()) };
    let id = text(rule, "id").map_or_else(|| format!("rule-{place}"), str::to_owned);
    let id = names.claim(&id, place);
    let name = match rule.get("name") {
        None | Some(Value::Null) => format!("Rule {place}"),
        Some(_) => text(rule, "name").ok_or("Chaque règle doit avoir un nom.")?.to_owned(),
    };
    let conditions = match rule.get("conditions") {
        Some(Value::Array(conditions)) if !conditions.is_empty() => {
            conditions.iter().map(condition).collect::<Result<_, _>>()?
        }
        _ => return Err("Chaque règle doit contenir au moins une condition.".to_owned()),
    };
    let Some(Value::Object(actions)) = rule.get("actions") else {
        return Err("Actions invalides (objet attendu).".to_owned());
    };
    let target =
        Target { id: target_id(&id), url: webhook_url(actions, http_allowed)?, ordering: ordering(actions)? };
    let priority = choice(actions, "priority", "normal");
    if !["normal", "high"].contains(&priority.as_str()) {
        return Err("priority invalide (normal|high).".to_owned());
    }
    Ok(Rule {
        id,
        name,
        priority,
        target,
        stop_processing: truthy(actions.get("stop_processing")),
        conditions,
    })
}

fn condition(stored: &Value) -> Result<Condition, String> {
    let Value::Object(stored) = stored else { return Err("Condition invalide (objet attendu).".to_owned()) };
    let field = match choice(stored, "field", "").as_str() {
        "sender" => Field::Sender,
        "subject" => Field::Subject,
        "body" => Field::Body,
        _ => return Err("Champ de condition invalide.".to_owned()),
    };
    let operator = choice(stored, "operator", "");
    if !["contains", "equals", "regex"].contains(&operator.as_str()) {
        return Err("Opérateur de condition invalide.".to_owned());
    }
    let value = condition_value(stored.get("value")).ok_or("Valeur de condition requise.")?;
    let case_sensitive = truthy(stored.get("case_sensitive"));
    let folded = |value: String| if case_sensitive { value } else { value.to_lowercase() };
    let test = match operator.as_str() {
        "contains" => Test::Contains { value: folded(value), case_sensitive },
        "equals" => Test::Equals { value: folded(value), case_sensitive },
        _ => Test::Regex(regex(&value, case_sensitive)?),
    };
    Ok(Condition { field, test })
}

/// The value as text, trimmed; numbers and booleans as the reference writes them.
fn condition_value(value: Option<&Value>) -> Option<String> {
    let text = match value? {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

fn webhook_url(actions: &Map<String, Value>, http_allowed: &dyn Fn(&str) -> bool) -> Result<String, String> {
    let written = text(actions, "webhook_url").ok_or("webhook_url est requis pour chaque règle.")?;
    normalize_make_webhook_url(written)
        .filter(|url| url.starts_with("https://") || url.starts_with("http://") && http_allowed(url))
        .filter(|url| url::Url::parse(url).is_ok_and(|url| url.has_host()))
        .ok_or_else(|| "webhook_url doit être une URL HTTPS valide.".to_owned())
}

fn ordering(actions: &Map<String, Value>) -> Result<Ordering, String> {
    match choice(actions, "ordering", "none").as_str() {
        "none" => Ok(Ordering::None),
        "sender" => Ok(Ordering::Sender),
        "mailbox" => Ok(Ordering::Mailbox),
        _ => Err("ordering invalide (none|sender|mailbox).".to_owned()),
    }
}

/// A text that is not blank, trimmed.
fn text<'v>(object: &'v Map<String, Value>, key: &str) -> Option<&'v str> {
    object.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}

/// One of several words, trimmed and lower-cased; `default` when there is none. Something
/// that is no text gives an empty word, which no choice allows.
fn choice(object: &Map<String, Value>, key: &str, default: &str) -> String {
    match object.get(key) {
        None | Some(Value::Null) => default.to_owned(),
        Some(Value::String(word)) if word.trim().is_empty() => default.to_owned(),
        Some(Value::String(word)) => word.trim().to_lowercase(),
        Some(_) => String::new(),
    }
}

/// Truth as the reference takes it: everything but nothing, zero and the empty.
fn truthy(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Bool(value)) => *value,
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        Some(Value::Object(object)) => !object.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn https_only(_: &str) -> bool {
        false
    }

    fn good() -> Value {
        json!({"name": "n", "conditions": [{"field": "subject", "operator": "contains", "value": "x"}],
               "actions": {"webhook_url": "https://h.fr/a"}})
    }

    #[test]
    fn one_bad_rule_costs_itself_only() {
        let mut bad = good();
        bad["conditions"][0]["operator"] = json!("regex");
        bad["conditions"][0]["value"] = json!("(");
        bad["id"] = json!("b");
        let compiled = compile_all(&json!([good(), bad, good()]), &https_only).expect("a list");
        assert_eq!(
            compiled.rules.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>(),
            ["rule-1", "rule-3"]
        );
        let message = "Expression régulière invalide.".to_owned();
        assert_eq!(compiled.bad, [BadRule { index: 1, id: Some("b".to_owned()), message }]);
    }

    #[test]
    fn each_error_has_its_message() {
        for (path, value, expected) in [
            ("", json!(5), "Chaque règle doit être un objet."),
            ("/name", json!("  "), "Chaque règle doit avoir un nom."),
            ("/conditions", json!([]), "Chaque règle doit contenir au moins une condition."),
            ("/conditions/0", json!("x"), "Condition invalide (objet attendu)."),
            ("/conditions/0/field", json!("to"), "Champ de condition invalide."),
            ("/conditions/0/operator", json!("like"), "Opérateur de condition invalide."),
            ("/conditions/0/value", json!("  "), "Valeur de condition requise."),
            ("/actions", json!([]), "Actions invalides (objet attendu)."),
            ("/actions/webhook_url", json!(" "), "webhook_url est requis pour chaque règle."),
            ("/actions/webhook_url", json!("http://h.fr/a"), "webhook_url doit être une URL HTTPS valide."),
            ("/actions/webhook_url", json!("https://"), "webhook_url doit être une URL HTTPS valide."),
            (
                "/actions",
                json!({"webhook_url": "https://h.fr", "priority": "low"}),
                "priority invalide (normal|high).",
            ),
            (
                "/actions",
                json!({"webhook_url": "https://h.fr", "ordering": "x"}),
                "ordering invalide (none|sender|mailbox).",
            ),
        ] {
            let mut rule = good();
            *rule.pointer_mut(path).expect("a place") = value;
            let result = compile(&rule, 0, &mut Names::default(), &https_only);
            assert_eq!(result.map(|rule| rule.id), Err(expected.to_owned()), "{path}");
        }
        assert_eq!(
            compile_all(&json!({}), &https_only).map(|_| ()),
            Err("rules doit être une liste.".to_owned())
        );
    }

    #[test]
    fn ids_are_unique_and_never_that_of_the_default_target() {
        let mut rule = good();
        rule["id"] = json!("default");
        let compiled = compile_all(&json!([rule, rule, rule]), &https_only).expect("a list");
        let ids: Vec<_> = compiled.rules.iter().map(|rule| rule.target.id.as_str()).collect();
        assert_eq!(ids, ["default-1", "default-2", "default-3"]);
    }

    #[test]
    fn an_allowed_network_needs_no_tls() {
        let mut rule = good();
        rule["actions"]["webhook_url"] = json!("http://127.0.0.1:1/a");
        rule["actions"]["ordering"] = json!(" Sender ");
        let compiled = compile_all(&json!([rule]), &|url| url.starts_with("http://127.")).expect("a list");
        let target = &compiled.rules[0].target;
        assert_eq!((target.url.as_str(), target.ordering), ("http://127.0.0.1:1/a", Ordering::Sender));
    }
}
