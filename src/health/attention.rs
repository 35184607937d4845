//! What needs a person: what nothing happens to until somebody does something, and what is wrong
//! or will be. In the order in which one would look at it.

use std::borrow::Cow;

use chrono::{DateTime, TimeDelta, Utc};
use render_signal_actors::readmodel::queries::NeedsPerson;

use super::probe::Answers;
use super::worker::Readiness;
use crate::findings::{Finding, Severity};

/// A worker that has started a moment ago may take the lease yet.
const SETTLED: TimeDelta = TimeDelta::seconds(15);

/// One thing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum AttentionKind {
    /// Deliveries to a target were given up.
    DeadLetters {
        /// Id of the target.
        target: String,
        /// How many.
        count: u64,
    },
    /// Mails could not be read.
    Quarantined {
        /// How many.
        count: u64,
    },
    /// Workers ended over mails, again and again.
    SetAside {
        /// How many.
        count: u64,
    },
    /// A target said that it is gone: its deliveries wait.
    TargetGone {
        /// Id of the target.
        target: String,
        /// What it answered, if that is known.
        reason: Option<String>,
    },
    /// Something that was found out.
    Found {
        /// By which check, such as `mailbox`.
        check: Cow<'static, str>,
        /// What.
        finding: Finding,
    },
}

/// One thing, and since when.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Item {
    /// What.
    pub(crate) what: AttentionKind,
    /// Since when, where that is known.
    pub(crate) since: Option<DateTime<Utc>>,
}

impl Item {
    /// Whether something is wrong now, and not only to be looked at.
    pub(crate) const fn is_wrong(&self) -> bool {
        match &self.what {
            // Nothing reaches it: its webhooks wait, whatever the program itself can do.
            AttentionKind::Found { finding: Finding::TargetFails { .. }, .. } => true,
            AttentionKind::Found { finding, .. } => matches!(finding.severity(), Severity::Fail),
            AttentionKind::DeadLetters { .. } | AttentionKind::TargetGone { .. } => true,
            AttentionKind::Quarantined { .. } | AttentionKind::SetAside { .. } => false,
        }
    }

    /// What it is, as programs are told.
    pub(crate) const fn code(&self) -> &'static str {
        match &self.what {
            AttentionKind::DeadLetters { .. } => "dead_letters",
            AttentionKind::Quarantined { .. } => "quarantined",
            AttentionKind::SetAside { .. } => "set_aside",
            AttentionKind::TargetGone { .. } => "target_gone",
            AttentionKind::Found { finding, .. } => finding.code(),
        }
    }

    /// How many there are of it: of what is not counted, one.
    pub(crate) const fn count(&self) -> u64 {
        match &self.what {
            AttentionKind::DeadLetters { count, .. }
            | AttentionKind::Quarantined { count }
            | AttentionKind::SetAside { count } => *count,
            AttentionKind::TargetGone { .. } | AttentionKind::Found { .. } => 1,
        }
    }
}

/// What is known beside the read models and the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AttentionInputs {
    /// Webhooks are signed.
    pub(crate) signed: bool,
    /// Webhooks that the hourly limit holds.
    pub(crate) limited: u64,
    /// There is a mailbox, and no worker of this installation is known to poll it.
    pub(crate) unpolled: bool,
}

/// Nobody is known to poll the mailbox, though somebody should: this worker does not, nor does any
/// of the others. `others` = whether one says that it does; `None` = they cannot be asked now, and one
/// may well poll.
pub(crate) fn is_unpolled(answers: &Answers, others: Option<bool>, started_at: DateTime<Utc>) -> bool {
    let polled = answers.holds_lease() || others.unwrap_or(true);
    answers.now - started_at > SETTLED && !polled && answers.idle.is_none()
}

/// All of it; empty = nothing needs anybody.
pub(crate) fn items(needs: &NeedsPerson, ready: &Readiness, known: AttentionInputs) -> Vec<Item> {
    let mut items = Vec::new();
    let mut found: Vec<Item> = Vec::new();
    for check in &ready.checks {
        for finding in &check.findings {
            // A target that is gone is said by itself.
            let told =
                matches!(finding, Finding::DeliveriesLate { .. }) && !needs.disabled_targets.is_empty();
            if is_for_a_person(finding) && !told {
                let what = AttentionKind::Found { check: check.name.clone(), finding: finding.clone() };
                found.push(Item { what, since: None });
            }
        }
    }
    let (wrong, worth_a_look): (Vec<_>, Vec<_>) = found.into_iter().partition(Item::is_wrong);
    items.extend(wrong);
    for row in &needs.dead_letters {
        let what = AttentionKind::DeadLetters { target: row.target.clone(), count: row.n };
        items.push(Item { what, since: row.since });
    }
    for row in &needs.disabled_targets {
        let what = AttentionKind::TargetGone { target: row.id.clone(), reason: row.reason.clone() };
        items.push(Item { what, since: row.last_failure_at });
    }
    if needs.quarantined > 0 {
        items.push(Item { what: AttentionKind::Quarantined { count: needs.quarantined }, since: None });
    }
    if needs.set_aside > 0 {
        items.push(Item { what: AttentionKind::SetAside { count: needs.set_aside }, since: None });
    }
    items.extend(worth_a_look);
    if known.unpolled {
        items.push(Item {
            what: AttentionKind::Found { check: "lease".into(), finding: Finding::PolledByNoWorker {} },
            since: None,
        });
    }
    if known.limited > 0 {
        let finding = Finding::LimitHolds { webhooks: known.limited };
        items.push(Item { what: AttentionKind::Found { check: "deliveries".into(), finding }, since: None });
    }
    if !known.signed {
        let what = AttentionKind::Found { check: "deliveries".into(), finding: Finding::Unsigned {} };
        items.push(Item { what, since: None });
    }
    items
}

/// Whether a finding is for a person to act on: not what is as it was chosen, nor what is said by
/// another item.
fn is_for_a_person(finding: &Finding) -> bool {
    finding.severity() > Severity::Ok
        && !is_a_choice(finding)
        && !matches!(finding, Finding::TargetGone { .. })
}

/// What somebody has set so, and may mean: it is said where it is set.
const fn is_a_choice(finding: &Finding) -> bool {
    matches!(
        finding,
        Finding::AnySender {}
            | Finding::DocumentRemark { .. }
            | Finding::PreferenceRemark { .. }
            | Finding::FieldIdle { .. }
            | Finding::MailboxDeclined {}
            | Finding::DocumentOff { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Check;
    use render_signal_actors::readmodel::queries::DeadLetters;

    const WELL: AttentionInputs = AttentionInputs { signed: true, limited: 0, unpolled: false };

    fn ready(findings: Vec<Finding>) -> Readiness {
        Readiness::of(vec![Check::of("mailbox", findings)])
    }

    #[test]
    fn when_all_is_well_nothing_needs_anybody() {
        let ready = ready(vec![Finding::ThisWorkerPolls {}, Finding::AnySender {}]);
        assert_eq!(items(&NeedsPerson::default(), &ready, WELL), []);
    }

    #[test]
    fn what_is_wrong_comes_before_what_is_worth_a_look() {
        let ready = ready(vec![Finding::MailboxMissing {}, Finding::Hung { seconds: 40 }]);
        let dead = DeadLetters { target: "make".into(), n: 3, since: None };
        let needs = NeedsPerson { dead_letters: vec![dead], quarantined: 1, ..NeedsPerson::default() };
        let codes: Vec<&str> =
            items(&needs, &ready, AttentionInputs { signed: false, limited: 2, unpolled: true })
                .iter()
                .map(Item::code)
                .collect();
        assert_eq!(
            codes,
            [
                "hung",
                "dead_letters",
                "quarantined",
                "mailbox_missing",
                "polled_by_no_worker",
                "limit_holds",
                "unsigned"
            ]
        );
    }
}
