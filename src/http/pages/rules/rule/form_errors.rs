//! What is wrong with a rule, at the field of the form where it can be mended.

use render_signal_actors::config::policy::EnvDefaults;
use render_signal_actors::config::rules::compile;
use render_signal_actors::kernel::said::Said;
use serde_json::{Value, json};

/// What is wrong with a form, by the names of its fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::http::pages::rules) struct FormErrors(pub(in crate::http::pages::rules) Vec<(String, String)>);

impl FormErrors {
    /// What is wrong with a field; empty = nothing.
    pub(in crate::http::pages::rules) fn at(&self, name: &str) -> &str {
        self.0.iter().find(|(found, _)| found == name).map_or("", |(_, why)| why.as_str())
    }
}

/// Everything that is wrong with a rule, each with the field of the form. The judge of rules stops at
/// the first fault: that is mended in a copy, and the next one asked for.
pub(in crate::http::pages::rules) fn faults(rule: &Value, env: &EnvDefaults) -> Vec<(String, Said)> {
    let mut rule = rule.clone();
    let mut found = Vec::new();
    let conditions = rule.get("conditions").and_then(Value::as_array).map_or(0, Vec::len);
    // One for each condition and for each other field.
    while found.len() < conditions + 8 {
        let Err(problem) = compile(&rule, 1, &mut Vec::new(), env) else { break };
        let path = problem.field.strip_prefix("rules[0]").unwrap_or_default().to_owned();
        found.push((field_of(&path), problem.message));
        if mend(&mut rule, &path).is_none() {
            break;
        }
    }
    found
}

/// The field of the form in which a path of a rule is entered; empty = the whole of it.
pub(in crate::http::pages::rules) fn field_of(path: &str) -> String {
    if let Some(rest) = path.strip_prefix(".conditions[") {
        let (number, within) = rest.split_once(']').unwrap_or((rest, ""));
        let name = match within {
            ".field" => "field",
            ".operator" => "operator",
            ".case_sensitive" => "case",
            _ => "value",
        };
        return format!("c{number}-{name}");
    }
    match path {
        ".name" => "name",
        ".enabled" => "enabled",
        ".conditions" => "c0-value",
        ".actions" | ".actions.webhook_url" => "url",
        ".actions.priority" => "priority",
        ".actions.stop_processing" => "stop",
        ".actions.ordering" => "ordering",
        ".actions.body" => "body",
        _ => "",
    }
    .to_owned()
}

/// Puts something good where something is wrong.
fn mend(rule: &mut Value, path: &str) -> Option<()> {
    let good = || json!({"field": "subject", "operator": "contains", "value": "x"});
    let rule = rule.as_object_mut()?;
    if let Some(rest) = path.strip_prefix(".conditions[") {
        let place: usize = rest.split_once(']')?.0.parse().ok()?;
        *rule.get_mut("conditions")?.get_mut(place)? = good();
        return Some(());
    }
    match path {
        ".name" => drop(rule.insert("name".to_owned(), "x".into())),
        ".enabled" => drop(rule.shift_remove("enabled")),
        ".conditions" => drop(rule.insert("conditions".to_owned(), json!([good()]))),
        ".actions" => {
            drop(rule.insert("actions".to_owned(), json!({"webhook_url": "https://hook.example.com/x"})));
        }
        ".actions.webhook_url" => {
            *rule.get_mut("actions")?.as_object_mut()?.entry("webhook_url").or_insert(Value::Null) =
                "https://hook.example.com/x".into();
        }
        _ => {
            let name = path.strip_prefix(".actions.")?;
            rule.get_mut("actions")?.as_object_mut()?.shift_remove(name)?;
        }
    }
    Some(())
}
