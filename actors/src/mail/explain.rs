//! Why a mail would or would not trigger a webhook.

mod steps;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::decide::Material;
use super::groups::KnownGroup;
use super::policy::Policy;
use super::{IgnoreReason, Link, Mail, Outcome, Verdict, decide, detect, groups, identity, parse, payload};
use crate::kernel::said::{Said, said};

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
    /// `configuration_refused`, `sender_not_allowed`, `reply`, `excluded_keyword`, `no_attachment`, `no_links`,
    /// `too_large`, `duplicate_group`, `not_a_mail`.
    pub reason: Option<&'static str>,
    /// What exactly: the keyword, the first mail of the group, the host that hides where a link leads.
    /// In words; JSON has the English ones.
    pub detail: Option<Said>,
    /// RFC 3339, UTC.
    pub hold_until: Option<DateTime<Utc>>,
    /// Empty unless it is delivered now.
    pub deliveries: Vec<Delivery>,
    /// Every check that was made, in order.
    pub steps: Vec<ExplainStep>,
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
pub struct ExplainStep {
    /// `readable`, `size`, `configuration`, `allow_list`, `reply`, `keywords`, `attachments`, `links`, the id
    /// of a detector, `sending`, `window`, `subject_group`, `rule`, `default_target`,
    /// `priority`.
    pub check: Cow<'static, str>,
    /// `pass`, `stop` (the mail goes no further now), `match`, `no_match`.
    pub outcome: &'static str,
    /// In words; JSON has the English ones.
    pub detail: Said,
    /// Id of the detector that was asked; only in the steps of detectors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detector: Option<String>,
    /// Where the condition that failed stands in the detector, such as
    /// `conditions.all[2]`; only when one failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
}

impl ExplainStep {
    fn new(check: impl Into<Cow<'static, str>>, outcome: &'static str, detail: Said) -> Self {
        Self { check: check.into(), outcome, detail, detector: None, condition: None }
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
    let read = if limit.is_some() {
        parse::parse_header_only(raw, raw.len() as u64)
    } else {
        parse::parse_for(raw, &policy.providers)
    };
    let mail = match read {
        Ok(mail) => mail,
        Err(unreadable) => return unreadable_mail(raw, &unreadable),
    };
    let mut steps = vec![ExplainStep::new(
        "readable",
        "pass",
        said!("les champs d'en-tête d'un mail ont été trouvés", "the header fields of a mail were found"),
    )];
    if let Some(limit) = limit {
        let bytes = raw.len();
        let detail =
            said!("{bytes} octets ; la limite est de {limit}", "{bytes} bytes; the limit is {limit}");
        steps.push(ExplainStep::new("size", "stop", detail));
        let outcome = Outcome::Ignore { reason: IgnoreReason::TooLarge, detail: None };
        return assemble(mail, Verdict { detection: None, links: Vec::new(), outcome }, None, policy, steps);
    }
    explain_read(mail, policy, now, group, steps)
}

/// The same for a mail that the journal keeps. How large its source was matters no more: it was
/// taken in.
#[must_use]
pub fn explain_kept(
    mail: Mail,
    policy: &Policy,
    now: DateTime<Utc>,
    group: Option<&KnownGroup>,
) -> Explanation {
    let steps = vec![ExplainStep::new(
        "readable",
        "pass",
        said!("il est conservé, et a été relu", "it is kept, and was read again"),
    )];
    explain_read(mail, policy, now, group, steps)
}

fn explain_read(
    mail: Mail,
    policy: &Policy,
    now: DateTime<Utc>,
    group: Option<&KnownGroup>,
    mut steps: Vec<ExplainStep>,
) -> Explanation {
    // What the mail says is shown even when an earlier check ends the matter.
    let material = Material::of(&mail, policy);
    let findings = detect::findings(&mail, material.links(), policy, now);
    let verdict = decide::decide_on(&material, policy, now, || steps::counting(&findings).cloned());
    let (mut verdict, _) = groups::claim(verdict, &mail.email_id, &mail.subject, policy, now, group);
    verdict.links = material.links().to_vec();
    let because = because(&mail, &material, &verdict, policy, now, group);
    steps::checks(&mail, &material, (&verdict, because.as_ref()), &findings, policy, now, &mut steps);
    verdict.detection = steps::counting(&findings).map(|recognised| recognised.detection.clone());
    assemble(mail, verdict, because, policy, steps)
}

/// What exactly a mail is ignored for, in both languages: the verdict has what is recorded.
fn because(
    mail: &Mail,
    material: &Material<'_>,
    verdict: &Verdict,
    policy: &Policy,
    now: DateTime<Utc>,
    group: Option<&KnownGroup>,
) -> Option<Said> {
    let Outcome::Ignore { reason, detail } = &verdict.outcome else { return None };
    let recorded = detail.as_ref()?;
    let said = match reason {
        IgnoreReason::NoLinks => material.found().doubt(),
        IgnoreReason::SenderNotAuthenticated => policy.prefs.authentication.judge(mail).err(),
        IgnoreReason::DuplicateGroup => groups::taken(&mail.email_id, &mail.subject, policy, now, group),
        // A keyword or a header field is what it is.
        _ => None,
    };
    Some(said.unwrap_or_else(|| Said::alike(recorded)))
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
        steps: vec![ExplainStep::new("readable", "stop", unreadable.said())],
        flaws: Vec::new(),
    }
}

fn assemble(
    mail: Mail,
    verdict: Verdict,
    detail: Option<Said>,
    policy: &Policy,
    steps: Vec<ExplainStep>,
) -> Explanation {
    let Verdict { detection, links, outcome } = verdict;
    let (decision, reason, hold_until) = match &outcome {
        Outcome::Deliver { .. } => ("deliver", None, None),
        Outcome::Hold { reason, until } => ("hold", Some(reason.as_str()), *until),
        Outcome::Skip { reason, .. } => ("skip", Some(reason.as_str()), None),
        Outcome::Ignore { reason, .. } => ("ignore", Some(reason.as_str()), None),
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
        is_reply: Some(policy.prefs.replies.found_in(&mail.subject).is_some()),
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
