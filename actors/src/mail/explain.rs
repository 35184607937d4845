//! Why a mail would or would not trigger a webhook.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::decide::Material;
use super::detectors::{OutsideWindow, Recognised};
use super::groups::KnownGroup;
use super::policy::{Policy, Priority};
use super::rules::Facts;
use super::{
    IgnoreReason, Link, Mail, Outcome, Verdict, decide, detect, groups, identity, parse, payload, rules,
    windows,
};

/// The explanation: a stable contract, `null` where nothing applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Identity of the mail; of its source when it cannot be read.
    pub email_id: String,
    /// Clean address.
    pub sender: Option<String>,
    /// Decoded.
    pub subject: Option<String>,
    /// Without month.
    pub subject_group: Option<String>,
    /// A reply or a forward.
    pub is_reply: Option<bool>,
    /// What the detector that counts is called in the payload.
    pub detector: Option<String>,
    /// When the detector found one.
    pub delivery_time: Option<String>,
    /// What the detector says about urgency.
    pub urgent: Option<bool>,
    /// Named texts that the detector took out; empty where there are none.
    pub extracted: BTreeMap<String, String>,
    /// In order of appearance.
    pub links: Vec<LinkFound>,
    /// `deliver`, `hold`, `skip`, `ignore`, `quarantine`.
    pub decision: &'static str,
    /// Why it is not delivered now: `outside_window`, `sending_disabled`, `absence`,
    /// `sender_not_allowed`, `reply`, `excluded_keyword`, `no_attachment`, `no_links`,
    /// `too_large`, `duplicate_group`, `not_a_mail`.
    pub reason: Option<&'static str>,
    /// What exactly: the keyword, the first mail of the group.
    pub detail: Option<String>,
    /// RFC 3339, UTC.
    pub hold_until: Option<DateTime<Utc>>,
    /// Empty unless it is delivered now.
    pub deliveries: Vec<Delivery>,
    /// Every check that was made, in order.
    pub steps: Vec<Step>,
    /// What could not be read.
    pub flaws: Vec<String>,
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkFound {
    /// File service.
    pub provider: String,
    /// As found.
    pub raw_url: String,
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// Id of the target.
    pub target: String,
    /// The body, as it is sent when links are not copied first.
    pub payload: Value,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// `readable`, `size`, `allow_list`, `reply`, `keywords`, `attachments`, `links`, the id
    /// of a detector, `sending`, `window`, `subject_group`, `rule`, `default_target`,
    /// `priority`.
    pub check: Cow<'static, str>,
    /// `pass`, `stop` (the mail goes no further now), `match`, `no_match`.
    pub outcome: &'static str,
    /// In words.
    pub detail: String,
    /// Id of the detector that was asked; only in the steps of detectors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detector: Option<String>,
    /// Where the condition that failed stands in the detector, such as
    /// `conditions.all[2]`; only when one failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
}

impl Step {
    fn new(check: impl Into<Cow<'static, str>>, outcome: &'static str, detail: impl Into<String>) -> Self {
        Self { check: check.into(), outcome, detail: detail.into(), detector: None, condition: None }
    }
}

/// Explains what `policy` makes of the mail `raw` at `now`. Its subject group is believed to
/// be free.
#[must_use]
pub fn explain(raw: &[u8], policy: &Policy, now: DateTime<Utc>) -> Explanation {
    explain_knowing(raw, policy, now, None)
}

/// The same for somebody who knows who has the mail's subject group.
#[must_use]
pub fn explain_knowing(
    raw: &[u8],
    policy: &Policy,
    now: DateTime<Utc>,
    group: Option<&KnownGroup>,
) -> Explanation {
    let limit = policy.max_email_bytes.filter(|limit| raw.len() as u64 > *limit);
    let read =
        if limit.is_some() { parse::parse_header_only(raw, raw.len() as u64) } else { parse::parse(raw) };
    let mail = match read {
        Ok(mail) => mail,
        Err(unreadable) => return unreadable_mail(raw, &unreadable),
    };
    let mut steps = vec![Step::new("readable", "pass", "the header fields of a mail were found")];
    if let Some(limit) = limit {
        steps.push(Step::new("size", "stop", format!("{} bytes; the limit is {limit}", raw.len())));
        let outcome = Outcome::Ignore { reason: IgnoreReason::TooLarge, detail: None };
        return assemble(mail, Verdict { detection: None, links: Vec::new(), outcome }, steps);
    }
    // What the mail says is shown even when an earlier check ends the matter.
    let material = Material::of(&mail);
    let findings = detect::findings(&mail, material.links(), policy, now);
    let verdict = decide::decide_on(&material, policy, now, || counting(&findings).cloned());
    let (mut verdict, _) = groups::claim(verdict, &mail.email_id, &mail.subject, policy, now, group);
    verdict.links = material.links().to_vec();
    checks(&mail, &material, &verdict, &findings, policy, now, &mut steps);
    verdict.detection = counting(&findings).map(|recognised| recognised.detection.clone());
    assemble(mail, verdict, steps)
}

fn unreadable_mail(raw: &[u8], unreadable: &parse::Unreadable) -> Explanation {
    Explanation {
        email_id: identity::source_id(raw),
        sender: None,
        subject: None,
        subject_group: None,
        is_reply: None,
        detector: None,
        delivery_time: None,
        urgent: None,
        extracted: BTreeMap::new(),
        links: Vec::new(),
        decision: "quarantine",
        reason: Some("not_a_mail"),
        detail: None,
        hold_until: None,
        deliveries: Vec::new(),
        steps: vec![Step::new("readable", "stop", unreadable.to_string())],
        flaws: Vec::new(),
    }
}

fn assemble(mail: Mail, verdict: Verdict, steps: Vec<Step>) -> Explanation {
    let Verdict { detection, links, outcome } = verdict;
    let (decision, reason, hold_until) = match &outcome {
        Outcome::Deliver { .. } => ("deliver", None, None),
        Outcome::Hold { reason, until } => ("hold", Some(reason.as_str()), *until),
        Outcome::Skip { reason, .. } => ("skip", Some(reason.as_str()), None),
        Outcome::Ignore { reason, .. } => ("ignore", Some(reason.as_str()), None),
    };
    let detail = match &outcome {
        Outcome::Ignore { detail, .. } => detail.clone(),
        _ => None,
    };
    let deliveries = match &outcome {
        Outcome::Deliver { deliveries } => deliveries
            .iter()
            .map(|planned| {
                let body = payload::body(&mail, detection.as_ref(), &links, planned);
                let payload = serde_json::from_slice(&body).unwrap_or_else(|_| json!({}));
                Delivery { target: planned.target.clone(), payload }
            })
            .collect(),
        Outcome::Hold { .. } | Outcome::Skip { .. } | Outcome::Ignore { .. } => Vec::new(),
    };
    Explanation {
        subject_group: Some(identity::subject_group(&mail.subject)),
        is_reply: Some(identity::is_reply(&mail.subject)),
        email_id: mail.email_id,
        sender: Some(mail.sender).filter(|sender| !sender.is_empty()),
        subject: Some(mail.subject),
        urgent: detection.as_ref().map(|found| found.urgent),
        delivery_time: detection.as_ref().and_then(|found| found.delivery_time.clone()),
        extracted: detection.as_ref().map(|found| found.extracted.clone()).unwrap_or_default(),
        detector: detection.map(|found| found.detector),
        links: links
            .into_iter()
            .map(|Link { provider, raw_url, .. }| LinkFound { provider, raw_url })
            .collect(),
        decision,
        reason,
        detail,
        hold_until,
        deliveries,
        steps,
        flaws: mail.flaws,
    }
}

/// The checks in the order of [`decide::decide`], up to the one that ends the matter.
fn checks(
    mail: &Mail,
    material: &Material<'_>,
    verdict: &Verdict,
    findings: &[detect::Finding],
    policy: &Policy,
    now: DateTime<Utc>,
    steps: &mut Vec<Step>,
) {
    let listed = match policy.allowed_senders.len() {
        0 => "every sender is accepted".to_owned(),
        count => format!("{count} addresses are accepted"),
    };
    let (ignored, because) = match &verdict.outcome {
        Outcome::Ignore { reason, detail } => (Some(*reason), detail.as_deref()),
        Outcome::Deliver { .. } | Outcome::Hold { .. } | Outcome::Skip { .. } => (None, None),
    };
    let stops = |reason| if ignored == Some(reason) { "stop" } else { "pass" };
    steps.push(Step::new(
        "allow_list",
        stops(IgnoreReason::SenderNotAllowed),
        format!("{listed}; this is from \"{}\"", mail.sender),
    ));
    if ignored == Some(IgnoreReason::SenderNotAllowed) {
        return;
    }
    let reply = if identity::is_reply(&mail.subject) {
        "the subject begins like a reply or a forward"
    } else {
        "the subject has no reply prefix"
    };
    steps.push(Step::new("reply", stops(IgnoreReason::Reply), reply));
    if ignored == Some(IgnoreReason::Reply) {
        return;
    }
    if !preferences(mail, material, policy, ignored, because, steps) {
        return;
    }
    let wanted = if policy.allow_without_links { "; mails without links are delivered, too" } else { "" };
    let found = format!("{} delivery links{wanted}", verdict.links.len());
    steps.push(Step::new("links", stops(IgnoreReason::NoLinks), found));
    if ignored == Some(IgnoreReason::NoLinks) {
        return;
    }
    steps.extend(findings.iter().map(detector));
    if ignored == Some(IgnoreReason::ExcludedKeyword) {
        let keyword = because.unwrap_or_default();
        let detail = format!("mails of this detector that contain \"{keyword}\" are excluded");
        steps.push(Step::new("keywords", "stop", detail));
        return;
    }
    if let Err(closed) = windows::sending(policy, now) {
        steps.push(Step::new(
            "sending",
            "stop",
            match closed.reason {
                super::HoldReason::SendingDisabled => "sending is switched off".to_owned(),
                _ => format!("a day of absence in {}", policy.zone),
            },
        ));
        return;
    }
    steps.push(Step::new("sending", "pass", "sending is switched on and this is no day of absence"));
    steps.push(window(policy, counting(findings), now));
    if ignored == Some(IgnoreReason::DuplicateGroup) {
        steps.push(Step::new("subject_group", "stop", because.unwrap_or_default()));
    }
    if matches!(verdict.outcome, Outcome::Deliver { .. }) {
        steps.extend(subject_group(mail, policy, now));
        routing(mail, material.combined(), policy, steps);
        steps.extend(priority(mail, policy));
    }
}

/// The keywords for every mail and the attachments; whether the mail goes on.
fn preferences(
    mail: &Mail,
    material: &Material<'_>,
    policy: &Policy,
    ignored: Option<IgnoreReason>,
    keyword: Option<&str>,
    steps: &mut Vec<Step>,
) -> bool {
    let filters = &policy.prefs.filters;
    let everywhere =
        !filters.everywhere.is_empty() && filters.everywhere.found_in(material.content()).is_some();
    if !filters.everywhere.is_empty() {
        steps.push(if everywhere {
            let detail = format!("mails that contain \"{}\" are excluded", keyword.unwrap_or_default());
            Step::new("keywords", "stop", detail)
        } else {
            Step::new("keywords", "pass", format!("none of {} keywords is found", filters.everywhere.len()))
        });
    }
    if everywhere {
        return false;
    }
    if filters.require_attachments {
        steps.push(if mail.has_attachment {
            Step::new("attachments", "pass", "it has an attachment")
        } else {
            Step::new("attachments", "stop", "it has no attachment, and only mails with one are wanted")
        });
    }
    ignored != Some(IgnoreReason::NoAttachment)
}

fn subject_group(mail: &Mail, policy: &Policy, now: DateTime<Utc>) -> Option<Step> {
    policy.prefs.subject_groups?;
    let group = groups::scoped(&identity::subject_group(&mail.subject), policy.zone, now);
    let stream = groups::group_stream(&group);
    let detail = format!("no other mail of it is known to have been routed (stream {stream})");
    Some(Step::new("subject_group", "pass", detail))
}

fn priority(mail: &Mail, policy: &Policy) -> Option<Step> {
    let priority = policy.prefs.priority_of(&mail.sender);
    let detail = match priority {
        Priority::High => "high: it goes before others that wait for the same target",
        Priority::Low => "low: it goes after others that wait for the same target",
        Priority::Medium => return None,
    };
    Some(Step::new("priority", "match", detail))
}

/// The finding that counts: the first detector that recognises the mail.
fn counting(findings: &[detect::Finding]) -> Option<&Recognised> {
    findings.iter().find_map(|finding| finding.result.as_ref().ok())
}

fn detector(finding: &detect::Finding) -> Step {
    let step = match &finding.result {
        Ok(Recognised { detection, .. }) => {
            let mut found = Vec::new();
            if let Some(time) = &detection.delivery_time {
                found.push(format!("delivery time \"{time}\""));
            }
            found.extend(detection.extracted.iter().map(|(name, value)| format!("{name} \"{value}\"")));
            match detection.urgent {
                true => found.push("urgent".to_owned()),
                false if found.is_empty() => found.push("not urgent".to_owned()),
                false => {}
            }
            Step::new(finding.id.clone(), "match", found.join(", "))
        }
        Err(miss) => Step {
            condition: Some(miss.condition.clone()),
            ..Step::new(finding.id.clone(), "no_match", miss.words.clone())
        },
    };
    Step { detector: Some(finding.id.clone()), ..step }
}

fn window(policy: &Policy, recognised: Option<&Recognised>, now: DateTime<Utc>) -> Step {
    let Some(window) = &policy.window else {
        return Step::new("window", "pass", "no delivery window is configured");
    };
    let local = now.with_timezone(&policy.zone).format("%H:%M");
    let bounds =
        format!("from \"{}\" to \"{}\", now {local} in {}", window.start_text, window.end_text, policy.zone);
    if windows::within(window, policy.zone, now) {
        Step::new("window", "pass", format!("open {bounds}"))
    } else if decide::outside_window(recognised) == OutsideWindow::Send {
        Step::new("window", "pass", format!("closed, {bounds}; a mail of this kind does not wait"))
    } else if decide::outside_window(recognised) == OutsideWindow::Skip {
        Step::new("window", "stop", format!("closed, {bounds}; a mail of this kind is skipped"))
    } else {
        Step::new("window", "stop", format!("closed, {bounds}"))
    }
}

fn routing(mail: &Mail, combined: &str, policy: &Policy, steps: &mut Vec<Step>) {
    let facts = Facts::new(mail, combined);
    let matched = rules::first_match(&policy.rules, &facts);
    for rule in &policy.rules {
        let Some(unmet) = rule.unmet(&facts) else { break };
        let detail = format!("\"{}\": its condition on {} does not hold", rule.id, unmet.field.as_str());
        steps.push(Step::new("rule", "no_match", detail));
    }
    if let Some(rule) = matched {
        steps.push(Step::new(
            "rule",
            "match",
            format!("\"{}\" is the first rule whose conditions all hold", rule.id),
        ));
    }
    steps.push(match matched.filter(|rule| decide::is_alone(rule, policy)) {
        Some(rule) if rule.stop_processing => {
            Step::new("default_target", "no_match", format!("\"{}\" stops the processing", rule.id))
        }
        Some(rule) => {
            Step::new("default_target", "no_match", format!("\"{}\" has the same address", rule.id))
        }
        None => Step::new("default_target", "match", "it receives a webhook, too"),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::samples::{at, policy, window};

    const RAW: &[u8] = "Message-ID: <a@x>\nFrom: a@b.fr\nSubject: =?utf-8?q?M=C3=A9dia_Solution_-_Missions_Recadrage_-_Lot_42?=\n\
        Date: d\n\nhttps://fromsmash.com/a à faire pour 25h99"
        .as_bytes();

    fn check<'e>(explanation: &'e Explanation, check: &str) -> Option<(&'e str, &'e str)> {
        let step = explanation.steps.iter().find(|step| step.check == check)?;
        Some((step.outcome, step.detail.as_str()))
    }

    #[test]
    fn a_delivery_is_explained_with_its_payload() {
        let explanation = explain(RAW, &policy(), at("2026-01-26T08:00:00Z"));
        let json = serde_json::to_value(&explanation).expect("JSON");
        assert_eq!(json["decision"], "deliver");
        assert_eq!(json["reason"], Value::Null);
        assert_eq!(json["hold_until"], Value::Null);
        assert_eq!(json["detector"], Value::Null);
        assert_eq!(json["urgent"], Value::Null);
        assert_eq!(json["is_reply"], false);
        assert_eq!(json["subject_group"], "media_solution_missions_recadrage_lot_42");
        assert_eq!(json["links"], json!([{"provider": "fromsmash", "raw_url": "https://fromsmash.com/a"}]));
        assert_eq!(json["deliveries"][0]["target"], "default");
        assert_eq!(json["deliveries"][0]["payload"]["sender_email"], "a@b.fr");
        assert_eq!(json["email_id"], json["deliveries"][0]["payload"]["microsoft_graph_email_id"]);
        assert_eq!(
            check(&explanation, "recadrage"),
            Some(("no_match", "no valid delivery time was found in the text"))
        );
        let asked: Vec<&Value> = json["steps"]
            .as_array()
            .expect("a list")
            .iter()
            .filter(|step| step.get("detector").is_some())
            .collect();
        assert_eq!(asked.len(), 2);
        assert_eq!(
            *asked[1],
            json!({"check": "desabo", "outcome": "no_match", "detail": "the text does not contain \"journee\"",
                   "detector": "desabo", "condition": "conditions.all[0]"})
        );
        assert_eq!(asked[0]["condition"], "extract.delivery_time");
    }

    #[test]
    fn a_hold_says_until_when() {
        let mut policy = policy();
        policy.window = Some(window("10h30", "19h00"));
        let explanation = explain(RAW, &policy, at("2026-01-26T08:00:00Z"));
        let json = serde_json::to_value(&explanation).expect("JSON");
        assert_eq!((&json["decision"], &json["reason"]), (&json!("hold"), &json!("outside_window")));
        assert_eq!(json["hold_until"], "2026-01-26T09:30:00Z");
        assert_eq!(json["deliveries"], json!([]));
        assert_eq!(check(&explanation, "window").map(|step| step.0), Some("stop"));
        assert_eq!(check(&explanation, "rule"), None);
    }

    #[test]
    fn what_is_not_decided_is_still_described() {
        let mut policy = policy();
        policy.allowed_senders = vec!["x@y.fr".to_owned()];
        let explanation = explain(RAW, &policy, at("2026-01-26T08:00:00Z"));
        assert_eq!((explanation.decision, explanation.reason), ("ignore", Some("sender_not_allowed")));
        assert_eq!(explanation.links.len(), 1);
        policy.max_email_bytes = Some(10);
        let explanation = explain(RAW, &policy, at("2026-01-26T08:00:00Z"));
        assert_eq!((explanation.decision, explanation.reason), ("ignore", Some("too_large")));
        let explanation = explain(b"\xff\xfe", &policy, at("2026-01-26T08:00:00Z"));
        assert_eq!((explanation.decision, explanation.reason), ("quarantine", Some("not_a_mail")));
        assert_eq!(explanation.email_id.len(), 32);
    }

    #[test]
    fn each_preference_says_what_it_does() {
        use std::time::Duration;

        use crate::kernel::event::{DomainEvent as _, Recorded};
        use crate::mail::filters::Keywords;
        use crate::mail::groups::{GroupRule, Standing};

        let now = at("2026-01-26T08:00:00Z");
        let words = |word: &str| Keywords::new(&[word.to_owned()]);
        let said = |change: &dyn Fn(&mut Policy), name: &str| {
            let mut policy = policy();
            change(&mut policy);
            let explanation = explain(RAW, &policy, now);
            let (outcome, detail) = check(&explanation, name).expect("the check was made");
            (explanation.decision, explanation.reason, outcome.to_owned(), detail.to_owned())
        };
        let (decision, reason, outcome, detail) =
            said(&|policy| policy.prefs.filters.everywhere = words("MISSIONS recadrage"), "keywords");
        assert_eq!((decision, reason, outcome.as_str()), ("ignore", Some("excluded_keyword"), "stop"));
        assert!(detail.contains("MISSIONS recadrage"), "{detail}");
        let (decision, _, outcome, _) =
            said(&|policy| policy.prefs.filters.everywhere = words("absent"), "keywords");
        assert_eq!((decision, outcome.as_str()), ("deliver", "pass"));
        let (decision, reason, outcome, _) =
            said(&|policy| policy.prefs.filters.require_attachments = true, "attachments");
        assert_eq!((decision, reason, outcome.as_str()), ("ignore", Some("no_attachment"), "stop"));
        let (decision, reason, outcome, _) =
            said(&|policy| policy.max_email_bytes = Some(RAW.len() as u64 - 1), "size");
        assert_eq!((decision, reason, outcome.as_str()), ("ignore", Some("too_large"), "stop"));
        let mut policy = policy();
        policy.max_email_bytes = Some(RAW.len() as u64);
        policy.prefs.sender_priority = [("a@b.fr".to_owned(), Priority::High)].into();
        policy.prefs.subject_groups = Some(GroupRule { ttl: Some(Duration::from_secs(60)) });
        let free = explain(RAW, &policy, now);
        assert_eq!(free.decision, "deliver", "the limit is inclusive");
        assert_eq!(check(&free, "priority").map(|step| step.0), Some("match"));
        assert_eq!(check(&free, "subject_group").map(|step| step.0), Some("pass"));

        let group = "2026-01:media_solution_missions_recadrage_lot_42".to_owned();
        let stream = groups::group_stream(&group);
        let taken = groups::GroupEvent::Taken(groups::Taken { group, email_id: "first".to_owned() });
        let new = taken.to_new(uuid::Uuid::nil()).expect("an event");
        let recorded = Recorded {
            position: 1,
            id: new.id,
            stream: stream.clone(),
            version: 1,
            kind: new.kind.to_owned(),
            schema: new.schema,
            at: now,
            cause: None,
            payload: new.payload,
        };
        let known = (stream, Standing::of(&[recorded]).expect("readable"));
        let taken = explain_knowing(RAW, &policy, now, Some(&known));
        assert_eq!((taken.decision, taken.reason), ("ignore", Some("duplicate_group")));
        assert!(taken.detail.as_deref().is_some_and(|detail| detail.contains("mail first")), "{taken:?}");
        assert_eq!(check(&taken, "subject_group").map(|step| step.0), Some("stop"));
    }

    #[test]
    fn a_skipped_mail_is_explained() {
        let mut policy = policy();
        policy.window = Some(window("10h30", "19h00"));
        for detector in &mut policy.detectors {
            detector.outside_window = [OutsideWindow::Skip; 2];
        }
        let raw = String::from_utf8(RAW.to_vec()).expect("text").replace("25h99", "11h51");
        let explanation = explain(raw.as_bytes(), &policy, at("2026-01-26T08:00:00Z"));
        assert_eq!((explanation.decision, explanation.reason), ("skip", Some("outside_window")));
        let (outcome, detail) = check(&explanation, "window").expect("a step");
        assert!(outcome == "stop" && detail.contains("skipped"), "{detail}");
    }
}
