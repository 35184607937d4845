//! Routing rules from JSON (reference section 3.6): normalised, validated, compiled.

use serde_json::{Map, Value};

use super::documents::webhook::{ordering, share};
use super::documents::{FieldProblem, coerce};
use super::policy::EnvDefaults;
use super::urls;
use crate::egress::check_target;
use crate::kernel::said::{Said, said};
use crate::mail::conditions::{MailField, Operator, Predicate};
use crate::mail::policy::Target;
use crate::mail::rules::{Rule, normalize_make_webhook_url, target_id};

/// Compiles one rule; `None` when it is switched off, which hides whatever else is wrong with it.
/// `index` counts from 1; `taken` holds the ids of the rules before it and gets this one's, even
/// when the rule is refused or off, so that mending or switching a rule renames none.
///
/// # Errors
/// The first thing that is wrong, with the reference's message.
pub fn compile(
    rule: &Value,
    index: usize,
    taken: &mut Vec<String>,
    env: &EnvDefaults,
) -> Result<Option<Rule>, FieldProblem> {
    let at = |field: &str| format!("rules[{}]{field}", index - 1);
    let wrong = |field: &str, message: Said| FieldProblem::new(at(field), message);
    let Value::Object(rule) = rule else {
        taken.push(format!("rule-{index}"));
        return Err(wrong("", said!("Chaque règle doit être un objet.", "A rule must be an object.")));
    };
    let id = unique_id(rule, index, taken);
    taken.push(id.clone());
    if !enabled(rule).map_err(|message| wrong(".enabled", message))? {
        return Ok(None);
    }
    let name = match rule.get("name") {
        None | Some(Value::Null) => format!("Rule {index}"),
        Some(name) => match plain_text(name) {
            Some(name) if !name.is_empty() => name,
            _ => {
                return Err(wrong(
                    ".name",
                    said!("Chaque règle doit avoir un nom.", "A rule must have a name."),
                ));
            }
        },
    };
    let conditions = conditions(rule, &at)?;
    let Some(Value::Object(actions)) = rule.get("actions") else {
        return Err(wrong(
            ".actions",
            said!("Actions invalides (objet attendu).", "actions must be an object."),
        ));
    };
    let url =
        target_url(actions, env).map_err(|message| FieldProblem::new(at(".actions.webhook_url"), message))?;
    let priority = match actions.get("priority") {
        None | Some(Value::Null) => "normal".to_owned(),
        Some(priority) => plain_text(priority).unwrap_or_default().to_lowercase(),
    };
    if !matches!(priority.as_str(), "normal" | "high") {
        return Err(wrong(
            ".actions.priority",
            said!("priority invalide (normal|high).", "priority must be normal or high."),
        ));
    }
    let stop_processing = switch(actions, "stop_processing")
        .map_err(|message| FieldProblem::new(at(".actions.stop_processing"), message))?;
    let ordering = actions.get("ordering").map(ordering).transpose();
    let ordering =
        ordering.map_err(|message| FieldProblem::new(at(".actions.ordering"), message))?.unwrap_or_default();
    let share = actions.get("body").map(share).transpose();
    let share = share.map_err(|message| FieldProblem::new(at(".actions.body"), message))?.unwrap_or_default();
    let target = Target { id: target_id(&id), url, ordering, share };
    Ok(Some(Rule { id, name, priority, target, stop_processing, conditions }))
}

/// The ids of stored rules, in order: as written, or as they are made where none is written or
/// one is repeated.
#[must_use]
pub fn ids(rules: &[Value]) -> Vec<String> {
    let mut taken = vec![super::DEFAULT_TARGET.to_owned()];
    for (place, rule) in rules.iter().enumerate() {
        let index = place + 1;
        taken.push(match rule {
            Value::Object(rule) => unique_id(rule, index, &taken),
            _ => format!("rule-{index}"),
        });
    }
    taken.split_off(1)
}

/// Whether a stored rule is asked: absent and `null` are on.
///
/// # Errors
/// The value is no switch.
pub fn enabled(rule: &Map<String, Value>) -> Result<bool, Said> {
    rule.get("enabled").filter(|value| !value.is_null()).map_or(Ok(true), coerce::word)
}

/// The id as written, `rule-<index>` without one; a repeated one gets `-<index>`.
fn unique_id(rule: &Map<String, Value>, index: usize, taken: &[String]) -> String {
    let written = rule.get("id").and_then(Value::as_str).map(str::trim).filter(|id| !id.is_empty());
    let mut id = written.map_or_else(|| format!("rule-{index}"), str::to_owned);
    while taken.contains(&id) {
        id = format!("{id}-{index}");
    }
    id
}

/// A scalar as trimmed text, the way the reference converts it.
fn plain_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(true) => Some("True".to_owned()),
        Value::Bool(false) => Some("False".to_owned()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn switch(object: &Map<String, Value>, name: &str) -> Result<bool, Said> {
    object.get(name).map_or(Ok(false), coerce::word)
}

fn target_url(actions: &Map<String, Value>, env: &EnvDefaults) -> Result<String, Said> {
    let required =
        || said!("webhook_url est requis pour chaque règle.", "webhook_url is required in every rule.");
    let written = match actions.get("webhook_url") {
        Some(Value::String(written)) if !written.trim().is_empty() => written,
        _ => return Err(required()),
    };
    let url = normalize_make_webhook_url(written).ok_or_else(urls::not_https)?;
    check_target(&url, &env.egress_allow).map_err(|why| urls::refusal(&why))?;
    Ok(url)
}

fn conditions(
    rule: &Map<String, Value>,
    at: &impl Fn(&str) -> String,
) -> Result<Vec<Predicate>, FieldProblem> {
    let list = match rule.get("conditions") {
        Some(Value::Array(list)) if !list.is_empty() => list,
        _ => {
            return Err(FieldProblem::new(
                at(".conditions"),
                said!(
                    "Chaque règle doit contenir au moins une condition.",
                    "A rule must have at least one condition."
                ),
            ));
        }
    };
    list.iter()
        .enumerate()
        .map(|(index, value)| {
            condition(value).map_err(|(field, message)| {
                FieldProblem::new(at(&format!(".conditions[{index}]{field}")), message)
            })
        })
        .collect()
}

fn condition(value: &Value) -> Result<Predicate, (&'static str, Said)> {
    let Value::Object(object) = value else {
        return Err(("", said!("Condition invalide (objet attendu).", "A condition must be an object.")));
    };
    let word = |name: &str| object.get(name).and_then(plain_text).unwrap_or_default().to_lowercase();
    let field = match word("field").as_str() {
        "sender" => MailField::Sender,
        "subject" => MailField::Subject,
        "body" => MailField::Body,
        _ => {
            return Err((
                ".field",
                said!("Champ de condition invalide.", "The field of a condition is sender, subject or body."),
            ));
        }
    };
    let operator = match word("operator").as_str() {
        "contains" => Operator::Contains,
        "equals" => Operator::Equals,
        "regex" => Operator::Regex,
        _ => {
            return Err((
                ".operator",
                said!(
                    "Opérateur de condition invalide.",
                    "The operator of a condition is contains, equals or regex."
                ),
            ));
        }
    };
    let text =
        object.get("value").and_then(plain_text).filter(|text| !text.is_empty()).ok_or_else(|| {
            (".value", said!("Valeur de condition requise.", "A condition must have a value."))
        })?;
    let case_sensitive = switch(object, "case_sensitive").map_err(|message| (".case_sensitive", message))?;
    Predicate::as_written(field, operator, &text, case_sensitive).map_err(|bad| (".value", bad.said()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::documents::routing::RoutingRules;
    use crate::mail::conditions::TextForm;

    fn parse(rules: &Value) -> Result<RoutingRules, Vec<FieldProblem>> {
        RoutingRules::parse(&json!({ "rules": rules }), &EnvDefaults::default())
    }

    fn describe(rule: &Rule) -> Value {
        let conditions: Vec<Value> = rule
            .conditions
            .iter()
            .map(|condition| {
                let field = condition.field.as_str();
                let operator = match condition.operator {
                    Operator::Contains => "contains",
                    Operator::Equals => "equals",
                    Operator::Regex => "regex",
                    other => panic!("no operator of rules: {other:?}"),
                };
                let value = condition.values[0].clone();
                let case_sensitive = operator != "regex" && condition.form == TextForm::Seen;
                json!({"field": field, "operator": operator, "value": value, "case_sensitive": case_sensitive})
            })
            .collect();
        json!({
            "id": rule.id, "name": rule.name, "conditions": conditions,
            "actions": {"webhook_url": rule.target.url, "priority": rule.priority,
                        "stop_processing": rule.stop_processing},
        })
    }

    #[test]
    fn golden_routing_validation() {
        for case in crate::config::golden("routing_validation") {
            let expected = case["differs"].get("output").unwrap_or(&case["output"]).clone();
            let actual = match parse(&case["input"]["rules"]) {
                Ok(document) => {
                    json!([true, "ok", document.rules.iter().map(describe).collect::<Vec<_>>()])
                }
                Err(problems) => json!([false, problems[0].message.french, []]),
            };
            assert_eq!(actual, expected, "{case}");
        }
    }

    #[test]
    fn one_bad_rule_disables_itself_only() {
        let good = json!({"conditions": [{"field": "sender", "operator": "contains", "value": "a"}],
                          "actions": {"webhook_url": "https://h"}});
        let with = |path: &str, value: Value| {
            let mut rule = good.clone();
            *rule.pointer_mut(path).unwrap() = value;
            rule
        };
        let mut named = good.clone();
        named["name"] = json!("  ");
        let cases = [
            (json!(5), "rules[1]", "Chaque règle doit être un objet."),
            (named, "rules[1].name", "Chaque règle doit avoir un nom."),
            (
                with("/conditions", json!([])),
                "rules[1].conditions",
                "Chaque règle doit contenir au moins une condition.",
            ),
            (
                with("/conditions/0", json!("x")),
                "rules[1].conditions[0]",
                "Condition invalide (objet attendu).",
            ),
            (
                with("/conditions/0/field", json!("to")),
                "rules[1].conditions[0].field",
                "Champ de condition invalide.",
            ),
            (
                with("/conditions/0/operator", json!("is")),
                "rules[1].conditions[0].operator",
                "Opérateur de condition invalide.",
            ),
            (
                with("/conditions/0/value", json!(" ")),
                "rules[1].conditions[0].value",
                "Valeur de condition requise.",
            ),
            (with("/actions", json!([])), "rules[1].actions", "Actions invalides (objet attendu)."),
            (
                with("/actions/webhook_url", json!("")),
                "rules[1].actions.webhook_url",
                "webhook_url est requis pour chaque règle.",
            ),
            (
                with("/actions/webhook_url", json!("http://h.fr/x")),
                "rules[1].actions.webhook_url",
                "webhook_url doit être une URL HTTPS valide.",
            ),
            (
                with("/actions", json!({"webhook_url": "https://h", "priority": "low"})),
                "rules[1].actions.priority",
                "priority invalide (normal|high).",
            ),
            (
                with("/actions", json!({"webhook_url": "https://h", "ordering": "date"})),
                "rules[1].actions.ordering",
                "ordering invalide",
            ),
            (
                with("/actions", json!({"webhook_url": "https://h", "body": "half"})),
                "rules[1].actions.body",
                "body invalide (all|text|none).",
            ),
            (
                with("/conditions/0", json!({"field": "body", "operator": "regex", "value": "(?=x)"})),
                "rules[1].conditions[0].value",
                "Expression régulière invalide.",
            ),
            (
                with(
                    "/conditions/0",
                    json!({"field": "body", "operator": "regex", "value": "(a{1000}){1000}"}),
                ),
                "rules[1].conditions[0].value",
                "Expression régulière trop longue",
            ),
        ];
        for (bad, field, message) in cases {
            let document = parse(&json!([good, bad, good])).unwrap();
            let ids: Vec<&str> = document.rules.iter().map(|rule| rule.id.as_str()).collect();
            assert_eq!(ids, ["rule-1", "rule-3"], "{bad}");
            assert_eq!(document.disabled.len(), 1, "{bad}");
            assert_eq!(document.disabled[0].field, field);
            assert!(document.disabled[0].message.french.starts_with(message), "{:?}", document.disabled);
        }
    }

    #[test]
    fn a_rule_that_is_off_is_not_asked_and_keeps_its_id() {
        let rule = |id: &str, enabled: Value| {
            json!({"id": id, "enabled": enabled, "actions": {"webhook_url": "https://h"},
                   "conditions": [{"field": "sender", "operator": "contains", "value": "a"}]})
        };
        let mut broken = rule("a", json!(false));
        broken["conditions"] = json!([]);
        let rules = json!([
            broken,
            rule("a", json!(true)),
            rule("b", json!(null)),
            rule("c", json!("off")),
            rule("d", json!("perhaps"))
        ]);
        let document = parse(&rules).unwrap();
        let asked: Vec<&str> = document.rules.iter().map(|rule| rule.id.as_str()).collect();
        assert_eq!(asked, ["a-2", "b"]);
        assert_eq!(document.disabled.len(), 1);
        assert_eq!(document.disabled[0].field, "rules[4].enabled");
        assert_eq!(ids(rules.as_array().unwrap()), ["a", "a-2", "b", "c", "d"]);
        assert_eq!(
            ids(&[json!(1), json!({"id": " "}), json!({"id": "rule-1"})]),
            ["rule-1", "rule-2", "rule-1-3"]
        );
    }

    #[test]
    fn ids_are_unique_and_targets_never_pose_as_the_default() {
        let rule = |id: &str| {
            json!({"id": id, "conditions": [{"field": "sender", "operator": "regex", "value": "^(a|b)$"}],
                   "actions": {"webhook_url": "https://h", "ordering": "sender", "body": "Text"}})
        };
        let document =
            parse(&json!([rule("default"), rule("a"), rule("a"), rule("été / 1"), rule("a-3")])).unwrap();
        let targets: Vec<&str> = document.rules.iter().map(|rule| rule.target.id.as_str()).collect();
        assert_eq!(targets[..3], ["default-1", "a", "a-3"]);
        assert!(targets[3].is_ascii() && targets[3].starts_with("rule-"), "{targets:?}");
        assert_eq!(targets[4], "a-3-5");
        assert!(
            document.rules.iter().all(|rule| rule.target.ordering == crate::mail::policy::Ordering::Sender)
        );
        assert!(document.rules.iter().all(|rule| rule.target.share == crate::mail::policy::Share::Text));
    }
}
