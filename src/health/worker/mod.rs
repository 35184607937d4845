//! What the parts of a worker answer, judged: ready or not, and each part in findings.
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
pub(crate) mod oauth;
#[cfg(test)]
mod tests;
mod upkeep;

use serde_json::json;

use super::probe::{Answers, Idle, Pulse};
use super::{Check, worst};
use crate::findings::{Finding, Severity};

/// How the worker is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Readiness {
    /// `ready` or `not_ready`.
    pub(crate) status: &'static str,
    /// In the order of their names.
    pub(crate) checks: Vec<Check>,
}

impl Readiness {
    /// New work may come here unless a check fails.
    pub(crate) fn of(mut checks: Vec<Check>) -> Self {
        checks.sort_by(|one, other| one.name.cmp(&other.name));
        let status = if worst(&checks) == Severity::Fail { "not_ready" } else { "ready" };
        Self { status, checks }
    }

    /// Whether new work may come here.
    pub(crate) fn is_ready(&self) -> bool {
        worst(&self.checks) != Severity::Fail
    }
}

/// Judges what the parts answered.
pub(crate) fn readiness(answers: &Answers) -> Readiness {
    let now = answers.now;
    let (poller, lock) = (answers.poller.as_ref(), answers.lock.as_ref());
    let always = [
        process(answers),
        answered("journal", &answers.journal, |finding| journal::judge(finding, now)),
        of_poller("mailbox", poller, answers.idle, |status| mailbox::judge(status, now)),
        of_poller("lease", lock, None, |status| lease::judge(status, now)),
        answered("config", &answers.config, config::judge),
        answered("copies", &answers.r2, upkeep::copies),
        answered("deliveries", &answers.webhook, |status| deliveries::judge(status, answers)),
    ];
    let redis = answers.redis.as_ref().map(upkeep::redis);
    let retention = answers.retention.as_ref().map(|rounds| upkeep::retention(rounds, now));
    let oauth = answers.oauth.as_ref().map(|answer| oauth::judge(answer, now));
    Readiness::of(always.into_iter().chain(redis).chain(retention).chain(oauth).collect())
}

fn answered<T>(name: &'static str, answer: &Result<T, Finding>, judge: impl FnOnce(&T) -> Check) -> Check {
    match answer {
        Ok(status) => judge(status),
        Err(finding) => Check::new(name, finding.clone()),
    }
}

/// What only a worker that may poll has.
fn of_poller<T>(
    name: &'static str,
    answer: Option<&Result<T, Finding>>,
    idle: Option<Idle>,
    judge: impl FnOnce(&T) -> Check,
) -> Check {
    let finding = match (answer, idle) {
        (Some(answer), _) => return answered(name, answer, judge),
        (None, Some(Idle::SwitchedOff)) => Finding::PollingOff {},
        // Nobody said that it is meant.
        (None, Some(Idle::NoMailbox)) => Finding::MailboxMissing {},
        (None, None) => Finding::PollsNothing {},
    };
    Check::new(name, finding)
}

/// Who only answers is not well: parts may still say what they knew while nothing moves.
fn process(answers: &Answers) -> Check {
    let version = env!("CARGO_PKG_VERSION");
    let check = |finding| Check::new("process", finding);
    if answers.pulse >= Pulse::LIMIT {
        check(Finding::Hung { seconds: answers.pulse.as_secs() }).with(json!({"version": version}))
    } else if answers.draining {
        check(Finding::Stopping {})
    } else {
        check(Finding::Running { version }).with(json!({"version": version}))
    }
}
