//! `routing_rules` (reference section 3.6): one bad rule disables itself, visibly, and not
//! the others.

use serde_json::Value;

use super::FieldProblem;
use super::coerce::no_object;
use crate::config::policy::EnvDefaults;
use crate::config::rules;
use crate::kernel::said::said;
use crate::mail::rules::Rule;

/// The document.
#[derive(Debug, Clone, Default)]
pub struct RoutingRules {
    /// The usable rules that are switched on, in order, compiled.
    pub rules: Vec<Rule>,
    /// What is wrong with the others; the field names the rule.
    pub disabled: Vec<FieldProblem>,
}

impl RoutingRules {
    /// Reads the document.
    ///
    /// # Errors
    /// When there is no list of rules at all. A bad rule is no error: it is in `disabled`.
    pub fn parse(value: &Value, env: &EnvDefaults) -> Result<Self, Vec<FieldProblem>> {
        let Value::Object(object) = value else {
            return Err(vec![FieldProblem::new("document", no_object(value))]);
        };
        let list = match object.get("rules") {
            None | Some(Value::Null) => return Ok(Self::default()),
            Some(Value::Array(list)) => list,
            Some(_) => {
                return Err(vec![FieldProblem::new(
                    "rules",
                    said!("rules doit être une liste.", "rules must be a list."),
                )]);
            }
        };
        let mut document = Self::default();
        let mut taken = vec![crate::config::DEFAULT_TARGET.to_owned()];
        for (index, rule) in list.iter().enumerate() {
            match rules::compile(rule, index + 1, &mut taken, env) {
                Ok(rule) => document.rules.extend(rule),
                Err(problem) => document.disabled.push(problem),
            }
        }
        Ok(document)
    }
}
