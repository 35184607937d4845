//! The steps of an explanation: each check in the order in which it decides, with its outcome
//! in words.

use chrono::{DateTime, Utc};

use super::ExplainStep;
use crate::kernel::said::{Said, said};
use crate::mail::authentication::Mode;
use crate::mail::conditions::Facts;
use crate::mail::decide::{self, Material};
use crate::mail::detectors::{OutsideWindow, Recognised};
use crate::mail::policy::{Policy, Priority};
use crate::mail::{
    HoldReason, IgnoreReason, Mail, Outcome, Verdict, detect, groups, identity, rules, windows,
};

/// The checks in the order of [`decide::decide`], up to the one that ends the matter.
pub(super) fn checks(
    mail: &Mail,
    material: &Material<'_>,
    (verdict, because): (&Verdict, Option<&Said>),
    findings: &[detect::Finding],
    policy: &Policy,
    now: DateTime<Utc>,
    steps: &mut Vec<ExplainStep>,
) {
    if let Some(why) = policy.withheld.why() {
        let Said { french, english } = why;
        let detail = said!(
            "tous les mails attendent qu'elle soit corrigée : {french}",
            "every mail waits until it is mended: {english}"
        );
        steps.push(ExplainStep::new("configuration", "stop", detail));
        return;
    }
    let ignored = match &verdict.outcome {
        Outcome::Ignore { reason, .. } => Some(*reason),
        Outcome::Deliver { .. } | Outcome::Hold { .. } | Outcome::Skip { .. } => None,
    };
    let stops = |reason| if ignored == Some(reason) { "stop" } else { "pass" };
    steps.push(ExplainStep::new(
        "allow_list",
        stops(IgnoreReason::SenderNotAllowed),
        allow_list(mail, policy),
    ));
    if ignored == Some(IgnoreReason::SenderNotAllowed) {
        return;
    }
    steps.extend(authentication(mail, policy));
    if ignored == Some(IgnoreReason::SenderNotAuthenticated) {
        return;
    }
    steps.push(ExplainStep::new("automatic", stops(IgnoreReason::Automatic), automatic(mail, policy)));
    if ignored == Some(IgnoreReason::Automatic) {
        return;
    }
    let reply = match policy.prefs.replies.found_in(&mail.subject) {
        Some(prefix) => said!(
            "le sujet commence par « {prefix} », comme une réponse ou un transfert",
            "the subject begins with \"{prefix}\", like a reply or a forward"
        ),
        None => said!("le sujet n'a aucun préfixe de réponse", "the subject has no reply prefix"),
    };
    steps.push(ExplainStep::new("reply", stops(IgnoreReason::Reply), reply));
    if ignored == Some(IgnoreReason::Reply) {
        return;
    }
    if !preferences(mail, material, policy, ignored, because, steps) {
        return;
    }
    steps.push(ExplainStep::new("links", stops(IgnoreReason::NoLinks), links(material, verdict, policy)));
    if ignored == Some(IgnoreReason::NoLinks) {
        return;
    }
    steps.extend(findings.iter().map(detector));
    if ignored == Some(IgnoreReason::ExcludedKeyword) {
        let keyword = because.map_or("", |keyword| keyword.english.as_str());
        let detail = said!(
            "les mails de ce détecteur qui contiennent « {keyword} » sont exclus",
            "mails of this detector that contain \"{keyword}\" are excluded"
        );
        steps.push(ExplainStep::new("keywords", "stop", detail));
        return;
    }
    if let Err(closed) = windows::sending(policy, now) {
        let zone = policy.zone;
        let detail = match closed.reason {
            HoldReason::SendingDisabled => said!("l'envoi est désactivé", "sending is switched off"),
            _ => said!("un jour d'absence globale ({zone})", "a day of absence in {zone}"),
        };
        steps.push(ExplainStep::new("sending", "stop", detail));
        return;
    }
    let detail = said!(
        "l'envoi est activé et ce n'est pas un jour d'absence globale",
        "sending is switched on and this is no day of absence"
    );
    steps.push(ExplainStep::new("sending", "pass", detail));
    steps.push(window(policy, counting(findings), now));
    if ignored == Some(IgnoreReason::DuplicateGroup) {
        let detail = because.cloned().unwrap_or_else(|| Said::alike(""));
        steps.push(ExplainStep::new("subject_group", "stop", detail));
    }
    if matches!(verdict.outcome, Outcome::Deliver { .. }) {
        steps.extend(subject_group(mail, policy, now));
        routing(mail, material.combined(), policy, steps);
        steps.extend(priority(mail, policy));
    }
}

fn allow_list(mail: &Mail, policy: &Policy) -> Said {
    let sender = &mail.sender;
    match policy.allowed_senders.len() {
        0 => said!(
            "tout expéditeur est accepté ; celui-ci est « {sender} »",
            "every sender is accepted; this is from \"{sender}\""
        ),
        1 => said!(
            "1 adresse est acceptée ; celui-ci vient de « {sender} »",
            "1 addresses are accepted; this is from \"{sender}\""
        ),
        count => said!(
            "{count} adresses sont acceptées ; celui-ci vient de « {sender} »",
            "{count} addresses are accepted; this is from \"{sender}\""
        ),
    }
}

/// How many links there are, and what else is to be known of them.
fn links(material: &Material<'_>, verdict: &Verdict, policy: &Policy) -> Said {
    let mut told = match verdict.links.len() {
        count @ 0..2 => said!("{count} lien de livraison", "{count} delivery links"),
        count => said!("{count} liens de livraison", "{count} delivery links"),
    };
    let mut and = |more: Said| {
        told.french.push_str(&format!(" ; {}", more.french));
        told.english.push_str(&format!("; {}", more.english));
    };
    match material.found().left_out {
        0 => {}
        1 => and(said!(
            "d'autres y figurent 1 fois, et sont laissés de côté",
            "further ones stand there 1 times, and are left out"
        )),
        further => and(said!(
            "d'autres y figurent {further} fois, et sont laissés de côté",
            "further ones stand there {further} times, and are left out"
        )),
    }
    if policy.allow_without_links {
        and(said!("les mails sans lien sont envoyés aussi", "mails without links are delivered, too"));
    }
    if let Some(doubt) = material.found().doubt().filter(|_| verdict.links.is_empty()) {
        and(doubt);
    }
    told
}

/// Who sent it, as trusted servers say; nothing where nobody asks.
fn authentication(mail: &Mail, policy: &Policy) -> Option<ExplainStep> {
    let asked = &policy.prefs.authentication;
    match (asked.mode, asked.judge(mail)) {
        (Mode::Off, _) => None,
        (_, Ok(words)) => Some(ExplainStep::new("authentication", "pass", words)),
        (Mode::Require, Err(why)) => Some(ExplainStep::new("authentication", "stop", why)),
        (Mode::Warn, Err(why)) => {
            let Said { french, english } = why;
            let detail = said!("{french} ; ce n'est pas exigé", "{english}; it is not required");
            Some(ExplainStep::new("authentication", "pass", detail))
        }
    }
}

fn automatic(mail: &Mail, policy: &Policy) -> Said {
    match (&mail.automatic, decide::unwanted_answer(mail, policy)) {
        (None, _) => {
            said!("rien ne dit qu'un programme a répondu", "nothing says that a program answered")
        }
        (Some(evidence), Some(_)) => {
            said!("la réponse d'un programme, par « {evidence} »", "a program's answer, by \"{evidence}\"")
        }
        (Some(evidence), None) => said!(
            "la réponse d'un programme, par « {evidence} », et elles sont acceptées",
            "a program's answer, by \"{evidence}\", and such are accepted"
        ),
    }
}

/// The keywords for every mail and the attachments; whether the mail goes on.
fn preferences(
    mail: &Mail,
    material: &Material<'_>,
    policy: &Policy,
    ignored: Option<IgnoreReason>,
    keyword: Option<&Said>,
    steps: &mut Vec<ExplainStep>,
) -> bool {
    let filters = &policy.prefs.filters;
    let everywhere =
        !filters.everywhere.is_empty() && filters.everywhere.found_in(material.content()).is_some();
    if !filters.everywhere.is_empty() {
        steps.push(if everywhere {
            let keyword = keyword.map_or("", |keyword| keyword.english.as_str());
            let detail = said!(
                "les mails qui contiennent « {keyword} » sont exclus",
                "mails that contain \"{keyword}\" are excluded"
            );
            ExplainStep::new("keywords", "stop", detail)
        } else {
            let count = filters.everywhere.len();
            let detail = match count {
                1 => said!("le seul mot-clé ne s'y trouve pas", "none of 1 keywords is found"),
                _ => said!("aucun des {count} mots-clés ne s'y trouve", "none of {count} keywords is found"),
            };
            ExplainStep::new("keywords", "pass", detail)
        });
    }
    if everywhere {
        return false;
    }
    if filters.require_attachments {
        steps.push(if mail.has_attachment {
            ExplainStep::new("attachments", "pass", said!("il a une pièce jointe", "it has an attachment"))
        } else {
            let detail = said!(
                "il n'a pas de pièce jointe, et seuls les mails qui en ont une sont voulus",
                "it has no attachment, and only mails with one are wanted"
            );
            ExplainStep::new("attachments", "stop", detail)
        });
    }
    ignored != Some(IgnoreReason::NoAttachment)
}

fn subject_group(mail: &Mail, policy: &Policy, now: DateTime<Utc>) -> Option<ExplainStep> {
    policy.prefs.subject_groups?;
    let group = groups::scoped(&identity::subject_group(&mail.subject), policy.zone, now);
    let stream = groups::group_stream(&group);
    let detail = said!(
        "on ne connaît aucun autre mail de ce groupe dont l'envoi a été décidé (flux {stream})",
        "no other mail of it is known to have been routed (stream {stream})"
    );
    Some(ExplainStep::new("subject_group", "pass", detail))
}

fn priority(mail: &Mail, policy: &Policy) -> Option<ExplainStep> {
    let priority = policy.prefs.priority_of(&mail.sender);
    let detail = match priority {
        Priority::High => said!(
            "haute : il passe avant les autres qui attendent la même destination",
            "high: it goes before others that wait for the same target"
        ),
        Priority::Low => said!(
            "basse : il passe après les autres qui attendent la même destination",
            "low: it goes after others that wait for the same target"
        ),
        Priority::Medium => return None,
    };
    Some(ExplainStep::new("priority", "match", detail))
}

/// The finding that counts: the first detector that recognises the mail.
pub(super) fn counting(findings: &[detect::Finding]) -> Option<&Recognised> {
    findings.iter().find_map(|finding| finding.result.as_ref().ok())
}

fn detector(finding: &detect::Finding) -> ExplainStep {
    let step = match &finding.result {
        Ok(Recognised { detection, .. }) => {
            let mut found = Vec::new();
            if let Some(time) = &detection.delivery_time {
                found.push(said!("heure de livraison « {time} »", "delivery time \"{time}\""));
            }
            let named = |(name, value)| said!("{name} « {value} »", "{name} \"{value}\"");
            found.extend(detection.extracted.iter().map(named));
            match detection.urgent {
                true => found.push(Said::alike("urgent")),
                false if found.is_empty() => found.push(said!("pas urgent", "not urgent")),
                false => {}
            }
            ExplainStep::new(finding.id.clone(), "match", Said::joined(&found, ", "))
        }
        Err(miss) => ExplainStep {
            condition: Some(miss.condition.clone()),
            ..ExplainStep::new(finding.id.clone(), "no_match", miss.words.clone())
        },
    };
    ExplainStep { detector: Some(finding.id.clone()), ..step }
}

fn window(policy: &Policy, recognised: Option<&Recognised>, now: DateTime<Utc>) -> ExplainStep {
    let Some(window) = &policy.window else {
        let none = said!("aucune fenêtre d'envoi n'est configurée", "no delivery window is configured");
        return ExplainStep::new("window", "pass", none);
    };
    let zone = policy.zone;
    let local = now.with_timezone(&zone).format("%H:%M");
    let (start, end) = (&window.start_text, &window.end_text);
    let Said { french: bounds_fr, english: bounds } = said!(
        "de « {start} » à « {end} », il est {local} ({zone})",
        "from \"{start}\" to \"{end}\", now {local} in {zone}"
    );
    let (outcome, detail) = if windows::within(window, zone, now) {
        ("pass", said!("ouverte {bounds_fr}", "open {bounds}"))
    } else {
        match decide::outside_window(recognised) {
            OutsideWindow::Send => (
                "pass",
                said!(
                    "fermée, {bounds_fr} ; un mail de ce genre n'attend pas",
                    "closed, {bounds}; a mail of this kind does not wait"
                ),
            ),
            OutsideWindow::Skip => (
                "stop",
                said!(
                    "fermée, {bounds_fr} ; un mail de ce genre est laissé de côté",
                    "closed, {bounds}; a mail of this kind is skipped"
                ),
            ),
            _ => ("stop", said!("fermée, {bounds_fr}", "closed, {bounds}")),
        }
    };
    ExplainStep::new("window", outcome, detail)
}

fn routing(mail: &Mail, combined: &str, policy: &Policy, steps: &mut Vec<ExplainStep>) {
    let facts = Facts::for_rules(mail, combined);
    let matched = rules::first_match(&policy.rules, &facts);
    for rule in &policy.rules {
        let Some(unmet) = rule.unmet(&facts) else { break };
        let (id, field) = (&rule.id, unmet.field().as_str());
        let detail = said!(
            "« {id} » : sa condition sur {field} n'est pas remplie",
            "\"{id}\": its condition on {field} does not hold"
        );
        steps.push(ExplainStep::new("rule", "no_match", detail));
    }
    if let Some(rule) = matched {
        let id = &rule.id;
        let detail = said!(
            "« {id} » est la première règle dont toutes les conditions sont remplies",
            "\"{id}\" is the first rule whose conditions all hold"
        );
        steps.push(ExplainStep::new("rule", "match", detail));
    }
    let (outcome, detail) = match matched.filter(|rule| decide::is_alone(rule, policy)) {
        Some(rule) => {
            let id = &rule.id;
            let stops = said!("« {id} » arrête le traitement", "\"{id}\" stops the processing");
            let same = said!("« {id} » a la même adresse", "\"{id}\" has the same address");
            ("no_match", if rule.stop_processing { stops } else { same })
        }
        None => ("match", said!("elle reçoit un webhook aussi", "it receives a webhook, too")),
    };
    steps.push(ExplainStep::new("default_target", outcome, detail));
}
