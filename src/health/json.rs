//! Checks as programs are told them: codes with their values, and English words beside them.

use std::collections::BTreeMap;

use render_signal_actors::kernel::said::Said;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::Check;
use super::installation::Inspection;
use super::worker::Readiness;
use crate::findings::{Finding, Severity, gravest};

/// A check. Which of the optional fields there are depends on who asks, and is a promise to each.
#[derive(Serialize)]
struct CheckBody<'c> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'c str>,
    state: Severity,
    code: Option<&'static str>,
    message: Said,
    #[serde(skip_serializing_if = "Option::is_none")]
    said: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<Value>,
    findings: Vec<Value>,
    #[serde(skip_serializing_if = "Value::is_null")]
    detail: &'c Value,
}

impl<'c> CheckBody<'c> {
    /// For `/readyz`, where the name is the key. `health` shows it to people, in their language.
    fn under_its_name(check: &'c Check) -> Self {
        Self {
            name: None,
            state: check.state(),
            code: gravest(&check.findings).map(Finding::code),
            message: check.said(),
            said: Some(in_both(check.said())),
            advice: check.advice().map(in_both),
            findings: check.findings.iter().map(Finding::coded).collect(),
            detail: &check.detail,
        }
    }

    /// For `doctor`, where several checks may have one name.
    fn in_a_list(check: &'c Check) -> Self {
        Self {
            name: Some(&check.name),
            said: None,
            advice: check.advice().map(|advice| json!(advice)),
            ..Self::under_its_name(check)
        }
    }
}

/// A text in both languages.
fn in_both(said: Said) -> Value {
    json!({"fr": said.french, "en": said.english})
}

impl Serialize for Readiness {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Body<'r> {
            status: &'static str,
            checks: BTreeMap<&'r str, CheckBody<'r>>,
        }
        let checks = self.checks.iter().map(|check| (&*check.name, CheckBody::under_its_name(check)));
        Body { status: self.status, checks: checks.collect() }.serialize(to)
    }
}

impl Readiness {
    /// What anybody may know of it: no names, no numbers.
    pub(crate) fn states(&self) -> Value {
        let checks: BTreeMap<_, _> =
            self.checks.iter().map(|check| (&*check.name, json!({"state": check.state()}))).collect();
        json!({"status": self.status, "checks": checks})
    }

    /// What was found, by check: codes, values, and words in both languages.
    pub(crate) fn findings(&self) -> Value {
        let coded = |check: &Check| {
            let findings: Vec<Value> = check.findings.iter().map(Finding::worded).collect();
            json!({"state": check.state(), "findings": findings})
        };
        self.checks.iter().map(|check| (check.name.to_string(), coded(check))).collect()
    }
}

impl Serialize for Inspection {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Body<'r> {
            state: Severity,
            checks: Vec<CheckBody<'r>>,
        }
        let checks = self.checks.iter().map(CheckBody::in_a_list).collect();
        Body { state: self.state(), checks }.serialize(to)
    }
}
