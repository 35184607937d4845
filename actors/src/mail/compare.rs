//! What two policies make of the same mail, and where they differ.
//!
//! Both policies decide anew; what really happened to a mail is another matter
//! ([`recorded`]). A [`Trial`] goes through many mails and remembers, for each policy, which
//! subject groups were taken on the way; it knows nothing of the time before its first mail.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use super::groups::{self, GroupOwner, Taking};
use super::life::MailEvent;
use super::outbox_rows::target_of;
use super::policy::{Policy, Priority};
use super::rules::mask_url;
use super::{Detection, IgnoreReason, Link, Mail, Outcome, Planned, Verdict, decide, identity, payload};
use crate::kernel::event::StreamId;

/// What a policy makes of a mail: as in [`super::explain::Explanation`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    /// `deliver`, `hold`, `skip`, `ignore`.
    pub decision: &'static str,
    /// Why it is not delivered now.
    pub reason: Option<&'static str>,
    /// What exactly: the keyword, the first mail of the group.
    pub detail: Option<String>,
    /// When a held mail is decided again at the latest.
    pub hold_until: Option<DateTime<Utc>>,
    /// What the detector that counts is called in the payload.
    pub detector: Option<String>,
    /// When the detector found one.
    pub delivery_time: Option<String>,
    /// What the detector says about urgency.
    pub urgent: Option<bool>,
    /// Ids of the targets; of a held mail, those it would go to at the end of the hold.
    pub targets: Vec<String>,
    /// How urgent the sender's mails are.
    pub priority: Priority,
    /// Address and payload for each target. Addresses are capabilities.
    #[serde(skip)]
    webhooks: BTreeMap<String, Webhook>,
}

/// A webhook, without what every policy makes the same of it.
#[derive(Debug, Clone, PartialEq)]
struct Webhook {
    url: String,
    fields: Map<String, Value>,
}

/// One thing that differs. Addresses are masked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DecisionChange {
    /// `decision`, `reason`, `detail`, `hold_until`, `detector`, `delivery_time`, `urgent`,
    /// `targets`, `priority`, `address of <target>`, `payload for <target>: <field>`.
    pub field: String,
    /// `null` = there is none.
    pub before: Value,
    /// `null` = there is none.
    pub after: Value,
}

/// What two policies make of a mail.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Under the first policy.
    pub before: Judgement,
    /// Under the second one.
    pub after: Judgement,
    /// Where they differ; empty = nowhere.
    pub changes: Vec<DecisionChange>,
}

/// Two policies on the same mails.
#[derive(Debug)]
pub struct Trial {
    before: Side,
    after: Side,
}

/// A policy, and the groups that were taken under it.
#[derive(Debug)]
struct Side {
    policy: Policy,
    groups: HashMap<StreamId, GroupOwner>,
}

impl Trial {
    /// Compares what is in force with what is proposed.
    #[must_use]
    pub fn new(before: Policy, after: Policy) -> Self {
        let side = |policy| Side { policy, groups: HashMap::new() };
        Self { before: side(before), after: side(after) }
    }

    /// The next mail, as if it came at `now`.
    pub fn compare(&mut self, mail: &Mail, now: DateTime<Utc>) -> Comparison {
        let before = self.before.judge(mail, now);
        let after = self.after.judge(mail, now);
        let changes = changes(&before, &after);
        Comparison { before, after, changes }
    }
}

impl Side {
    fn judge(&mut self, mail: &Mail, now: DateTime<Utc>) -> Judgement {
        let policy = &self.policy;
        if policy.max_email_bytes.is_some_and(|limit| mail.size > limit) {
            let outcome = Outcome::Ignore { reason: IgnoreReason::TooLarge, detail: None };
            return judgement(mail, Verdict { detection: None, links: Vec::new(), outcome }, policy, now);
        }
        let verdict = decide::decide(mail, policy, now);
        let group = groups::scoped(&identity::subject_group(&mail.subject), policy.zone, now);
        let stream = groups::group_stream(&group);
        let known = self.groups.get(&stream).map(|standing| (stream, standing.clone()));
        let (verdict, taking) =
            groups::claim(verdict, &mail.email_id, &mail.subject, policy, now, known.as_ref());
        let judgement = judgement(mail, verdict, policy, now);
        if let Some(Taking { stream, .. }) = taking {
            self.groups.insert(stream, GroupOwner::taken_by(&mail.email_id, now));
        }
        judgement
    }
}

fn judgement(mail: &Mail, verdict: Verdict, policy: &Policy, now: DateTime<Utc>) -> Judgement {
    let Verdict { detection, links, outcome } = verdict;
    let (decision, reason, detail, hold_until) = match &outcome {
        Outcome::Deliver { .. } => ("deliver", None, None, None),
        Outcome::Hold { reason, until } => ("hold", Some(reason.as_str()), None, *until),
        Outcome::Skip { reason, .. } => ("skip", Some(reason.as_str()), None, None),
        Outcome::Ignore { reason, detail } => ("ignore", Some(reason.as_str()), detail.clone(), None),
    };
    let (deliveries, told) = match outcome {
        Outcome::Deliver { deliveries } => (deliveries, detection.clone()),
        // Which rule applies to a mail that came at night is of interest, too.
        Outcome::Hold { until, .. } => {
            let then = decide::release(mail, policy, until.unwrap_or(now));
            match then.outcome {
                Outcome::Deliver { deliveries } => (deliveries, then.detection),
                Outcome::Hold { .. } | Outcome::Skip { .. } | Outcome::Ignore { .. } => (Vec::new(), None),
            }
        }
        Outcome::Skip { .. } | Outcome::Ignore { .. } => (Vec::new(), None),
    };
    Judgement {
        decision,
        reason,
        detail,
        hold_until,
        urgent: detection.as_ref().map(|found| found.urgent),
        delivery_time: detection.as_ref().and_then(|found| found.delivery_time.clone()),
        detector: detection.map(|found| found.detector),
        targets: deliveries.iter().map(|planned| planned.target.clone()).collect(),
        priority: policy.prefs.priority_of(&mail.sender),
        webhooks: deliveries
            .iter()
            .map(|planned| (planned.target.clone(), webhook(mail, told.as_ref(), &links, planned, policy)))
            .collect(),
    }
}

fn webhook(
    mail: &Mail,
    detection: Option<&Detection>,
    links: &[Link],
    planned: &Planned,
    policy: &Policy,
) -> Webhook {
    // The text is the same under every policy, and may be long.
    let head = Mail {
        email_id: mail.email_id.clone(),
        message_id: String::new(),
        subject: mail.subject.clone(),
        date: mail.date.clone(),
        from: mail.from.clone(),
        sender: mail.sender.clone(),
        plain: String::new(),
        html: String::new(),
        text: String::new(),
        has_attachment: mail.has_attachment,
        size: mail.size,
        flaws: Vec::new(),
        arrived: mail.arrived,
        automatic: None,
        pushed: false,
        authentication: Vec::new(),
    };
    let body = payload::body(&head, detection, links, planned);
    Webhook {
        url: target_of(policy, &planned.target).map(|target| target.url.clone()).unwrap_or_default(),
        fields: serde_json::from_slice(&body).unwrap_or_default(),
    }
}

fn changes(before: &Judgement, after: &Judgement) -> Vec<DecisionChange> {
    let mut found = Vec::new();
    let mut differ = |field: String, before: Value, after: Value| {
        if before != after {
            found.push(DecisionChange { field, before, after });
        }
    };
    let instant = |at: Option<DateTime<Utc>>| Value::from(at.map(|at| at.to_rfc3339()));
    differ("decision".to_owned(), before.decision.into(), after.decision.into());
    differ("reason".to_owned(), before.reason.into(), after.reason.into());
    differ("detail".to_owned(), before.detail.clone().into(), after.detail.clone().into());
    differ("hold_until".to_owned(), instant(before.hold_until), instant(after.hold_until));
    differ("detector".to_owned(), before.detector.clone().into(), after.detector.clone().into());
    let times = (before.delivery_time.clone(), after.delivery_time.clone());
    differ("delivery_time".to_owned(), times.0.into(), times.1.into());
    differ("urgent".to_owned(), before.urgent.into(), after.urgent.into());
    differ("targets".to_owned(), before.targets.clone().into(), after.targets.clone().into());
    differ("priority".to_owned(), before.priority.as_str().into(), after.priority.as_str().into());
    for (target, ours) in &before.webhooks {
        let Some(theirs) = after.webhooks.get(target) else { continue };
        webhook_changes(target, ours, theirs, &mut found);
    }
    found
}

fn webhook_changes(target: &str, before: &Webhook, after: &Webhook, found: &mut Vec<DecisionChange>) {
    if before.url != after.url {
        // They may look the same: what differs is behind the mask.
        let shown = |url: &str| Value::from((!url.is_empty()).then(|| mask_url(url)));
        found.push(DecisionChange {
            field: format!("address of {target}"),
            before: shown(&before.url),
            after: shown(&after.url),
        });
    }
    let fields: BTreeSet<&String> = before.fields.keys().chain(after.fields.keys()).collect();
    for field in fields {
        let (ours, theirs) = (before.fields.get(field), after.fields.get(field));
        if ours != theirs {
            found.push(DecisionChange {
                field: format!("payload for {target}: {field}"),
                before: ours.cloned().unwrap_or_default(),
                after: theirs.cloned().unwrap_or_default(),
            });
        }
    }
}

/// What the journal says was decided about a mail when it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordedDecision {
    /// As in [`Judgement`].
    pub decision: &'static str,
    /// As in [`Judgement`].
    pub reason: Option<&'static str>,
    /// Ids of the targets of a mail that was delivered at once.
    pub targets: Vec<String>,
}

/// The first decision in the stream of a mail; `None` = there is none.
#[must_use]
pub fn recorded(events: &[MailEvent]) -> Option<RecordedDecision> {
    let so = |decision, reason| Some(RecordedDecision { decision, reason, targets: Vec::new() });
    events.iter().find_map(|event| match event {
        MailEvent::Routed(routed) => Some(RecordedDecision {
            decision: "deliver",
            reason: None,
            targets: routed.deliveries.iter().map(|delivery| delivery.target.clone()).collect(),
        }),
        MailEvent::Held(held) => so("hold", Some(held.reason.as_str())),
        MailEvent::Skipped(skipped) => so("skip", Some(skipped.reason.as_str())),
        MailEvent::Ignored(ignored) => so("ignore", Some(ignored.reason.as_str())),
        _ => None,
    })
}

impl RecordedDecision {
    /// Whether it is what `judgement` says, too.
    #[must_use]
    pub fn agrees_with(&self, judgement: &Judgement) -> bool {
        (self.decision, self.reason) == (judgement.decision, judgement.reason)
            && (self.decision != "deliver" || self.targets == judgement.targets)
    }
}

#[cfg(test)]
mod tests;
