//! The steps of an explanation: each check in the order in which it decides, with its outcome
//! in words.

use chrono::{DateTime, Utc};

use super::Step;
use crate::mail::authentication::Mode;
use crate::mail::decide::{self, Material};
use crate::mail::detectors::{OutsideWindow, Recognised};
use crate::mail::policy::{Policy, Priority};
use crate::mail::rules::Facts;
use crate::mail::{
    HoldReason, IgnoreReason, Mail, Outcome, Verdict, detect, groups, identity, rules, windows,
};

/// The checks in the order of [`decide::decide`], up to the one that ends the matter.
pub(super) fn checks(
    mail: &Mail,
    material: &Material<'_>,
    verdict: &Verdict,
    findings: &[detect::Finding],
    policy: &Policy,
    now: DateTime<Utc>,
    steps: &mut Vec<Step>,
) {
    if let Some(why) = policy.withheld.why() {
        steps.push(Step::new("configuration", "stop", format!("every mail waits until it is mended: {why}")));
        return;
    }
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
    steps.extend(authentication(mail, policy));
    if ignored == Some(IgnoreReason::SenderNotAuthenticated) {
        return;
    }
    steps.push(Step::new("automatic", stops(IgnoreReason::Automatic), automatic(mail, policy)));
    if ignored == Some(IgnoreReason::Automatic) {
        return;
    }
    let reply = match policy.prefs.replies.found_in(&mail.subject) {
        Some(prefix) => format!("the subject begins with \"{prefix}\", like a reply or a forward"),
        None => "the subject has no reply prefix".to_owned(),
    };
    steps.push(Step::new("reply", stops(IgnoreReason::Reply), reply));
    if ignored == Some(IgnoreReason::Reply) {
        return;
    }
    if !preferences(mail, material, policy, ignored, because, steps) {
        return;
    }
    let wanted = if policy.allow_without_links { "; mails without links are delivered, too" } else { "" };
    let doubt = material.found().doubt().filter(|_| verdict.links.is_empty());
    let doubt = doubt.map(|doubt| format!("; {doubt}")).unwrap_or_default();
    let left_out = match material.found().left_out {
        0 => String::new(),
        further => format!("; further ones stand there {further} times, and are left out"),
    };
    let found = format!("{} delivery links{left_out}{wanted}{doubt}", verdict.links.len());
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
                HoldReason::SendingDisabled => "sending is switched off".to_owned(),
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

/// Who sent it, as trusted servers say; nothing where nobody asks.
fn authentication(mail: &Mail, policy: &Policy) -> Option<Step> {
    let asked = &policy.prefs.authentication;
    match (asked.mode, asked.judge(mail)) {
        (Mode::Off, _) => None,
        (_, Ok(words)) => Some(Step::new("authentication", "pass", words)),
        (Mode::Require, Err(why)) => Some(Step::new("authentication", "stop", why)),
        (Mode::Warn, Err(why)) => {
            Some(Step::new("authentication", "pass", format!("{why}; it is not required")))
        }
    }
}

fn automatic(mail: &Mail, policy: &Policy) -> String {
    match (&mail.automatic, decide::unwanted_answer(mail, policy)) {
        (None, _) => "nothing says that a program answered".to_owned(),
        (Some(evidence), Some(_)) => format!("a program's answer, by \"{evidence}\""),
        (Some(evidence), None) => format!("a program's answer, by \"{evidence}\", and such are accepted"),
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
pub(super) fn counting(findings: &[detect::Finding]) -> Option<&Recognised> {
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
