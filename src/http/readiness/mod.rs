//! What the findings mean: ready or not, and each part in plain words.
//!
//! Not ready (503) is what another instance, a restart or a human can mend by looking at
//! *this* worker: it is stopping, its journal or one of its actors does not answer, or
//! its mailbox has gone silent; and a document that cannot be used and has no good version
//! before it, because what it governs stands still until it is mended. A receiver that is down,
//! a document that is wrong while an older one is in force, or a lease that another worker holds is said, and is no reason to take the worker out.

mod config;
mod deliveries;
mod journal;
mod lease;
mod mailbox;
#[cfg(test)]
mod tests;
mod upkeep;

use std::collections::BTreeMap;

use render_signal_actors::kernel::said::Said;
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::probe::{Findings, Idle, Pulse};
use crate::findings::{Finding, gravest, together};

pub(crate) use crate::findings::Severity as State;

/// One part.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Check {
    /// What was found; never empty.
    pub(crate) findings: Vec<Finding>,
    /// The numbers behind it.
    pub(crate) detail: Value,
}

impl Check {
    fn new(findings: Vec<Finding>, detail: Value) -> Self {
        Self { findings, detail }
    }

    /// How it is: as the gravest finding says.
    pub(crate) fn state(&self) -> State {
        gravest(&self.findings).map_or(State::Ok, Finding::severity)
    }

    /// In words.
    pub(crate) fn said(&self) -> Said {
        together(&self.findings)
    }
}

/// Programs read the codes; the message is for people who read what programs read.
impl Serialize for Check {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let coded: Vec<Value> = self.findings.iter().map(Finding::coded).collect();
        let mut check = to.serialize_struct("Check", 5)?;
        check.serialize_field("state", &self.state())?;
        check.serialize_field("code", &gravest(&self.findings).map(Finding::code))?;
        check.serialize_field("message", &self.said())?;
        check.serialize_field("findings", &coded)?;
        if self.detail.is_null() {
            check.skip_field("detail")?;
        } else {
            check.serialize_field("detail", &self.detail)?;
        }
        check.end()
    }
}

/// The whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Readiness {
    /// `ready` or `not_ready`.
    pub(crate) status: &'static str,
    /// By name.
    pub(crate) checks: BTreeMap<&'static str, Check>,
}

impl Readiness {
    /// What anybody may know of it: no names, no numbers.
    pub(crate) fn states(&self) -> Value {
        let checks: BTreeMap<_, _> =
            self.checks.iter().map(|(name, check)| (name, json!({"state": check.state()}))).collect();
        json!({"status": self.status, "checks": checks})
    }

    /// What was found, by check: codes, values, and words in both languages.
    pub(crate) fn findings(&self) -> Value {
        let coded = |check: &Check| {
            let findings: Vec<Value> = check.findings.iter().map(Finding::worded).collect();
            json!({"state": check.state(), "findings": findings})
        };
        self.checks.iter().map(|(name, check)| ((*name).to_owned(), coded(check))).collect()
    }

    /// Whether new work may come here.
    pub(crate) fn is_ready(&self) -> bool {
        self.checks.values().all(|check| check.state() != State::Fail)
    }
}

/// Puts the findings together.
pub(crate) fn readiness(findings: &Findings) -> Readiness {
    let now = findings.now;
    let mut checks = BTreeMap::new();
    checks.insert("process", process(findings));
    checks.insert("journal", answered(&findings.journal, |finding| journal::judge(finding, now)));
    let (poller, lock) = (findings.poller.as_ref(), findings.lock.as_ref());
    checks.insert("mailbox", of_poller(poller, findings.idle, |status| mailbox::judge(status, now)));
    checks.insert("lease", of_poller(lock, None, |status| lease::judge(status, now)));
    checks.insert("config", answered(&findings.config, config::judge));
    if let Some(found) = &findings.redis {
        checks.insert("redis", upkeep::redis(found));
    }
    if let Some(rounds) = &findings.retention {
        checks.insert("retention", upkeep::retention(rounds, now));
    }
    checks.insert("copies", answered(&findings.r2, upkeep::copies));
    checks.insert("deliveries", answered(&findings.webhook, |status| deliveries::judge(status, findings)));
    let mut readiness = Readiness { status: "ready", checks };
    if !readiness.is_ready() {
        readiness.status = "not_ready";
    }
    readiness
}

fn answered<T>(answer: &Result<T, Finding>, judge: impl FnOnce(&T) -> Check) -> Check {
    match answer {
        Ok(status) => judge(status),
        Err(finding) => Check::new(vec![finding.clone()], Value::Null),
    }
}

/// What only a worker that may poll has.
fn of_poller<T>(
    answer: Option<&Result<T, Finding>>,
    idle: Option<Idle>,
    judge: impl FnOnce(&T) -> Check,
) -> Check {
    let finding = match (answer, idle) {
        (Some(answer), _) => return answered(answer, judge),
        (None, Some(Idle::SwitchedOff)) => Finding::PollingOff {},
        // Nobody said that it is meant.
        (None, Some(Idle::NoMailbox)) => Finding::MailboxMissing {},
        (None, None) => Finding::PollsNothing {},
    };
    Check::new(vec![finding], Value::Null)
}

/// Who only answers is not well: parts may still say what they knew while nothing moves.
fn process(findings: &Findings) -> Check {
    let version = env!("CARGO_PKG_VERSION");
    let detail = json!({"version": version});
    if findings.pulse >= Pulse::LIMIT {
        Check::new(vec![Finding::Hung { seconds: findings.pulse.as_secs() }], detail)
    } else if findings.draining {
        Check::new(vec![Finding::Stopping {}], Value::Null)
    } else {
        Check::new(vec![Finding::Running { version }], detail)
    }
}
