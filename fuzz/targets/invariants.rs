//! What holds for every mail.

use chrono::{DateTime, Utc};
use render_signal_actors::mail::policy::Policy;
use render_signal_actors::mail::{Mail, Outcome, Verdict, decide, explain, identity, parse, payload};

/// Bytes of HTML, and of plain text, that are kept; their text in UTF-8 may be longer.
const KEPT: usize = 1 << 20;
/// Links that are taken.
const LINKS: usize = 10_000;
/// What is said of the rest of a text, with its links.
const REST: usize = 72 << 10;
/// Most bytes that one byte of a character set becomes.
const WIDEST: usize = 4;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_769_421_600, 0).unwrap_or_default()
}

/// All that is done with a mail until its webhooks are posted.
pub fn work(raw: &[u8], policy: &Policy) {
    crate::whole::work(raw, policy, now());
}

/// Reads, decides and explains; a panic is a finding.
pub fn check(raw: &[u8], policy: &Policy) {
    let explanation = explain::explain(raw, policy, now());
    let Ok(mail) = parse::parse(raw) else {
        assert_eq!(explanation.decision, "quarantine");
        return;
    };
    assert_eq!(parse::parse(raw).as_ref(), Ok(&mail), "a mail is read the same way twice");
    read(raw, &mail);
    let verdict = decide::decide(&mail, policy, now());
    assert_eq!(decide::decide(&mail, policy, now()), verdict, "a mail is decided the same way twice");
    decided(&mail, &verdict, policy);
    explained(&mail, &verdict, &explanation, policy);
}

fn read(raw: &[u8], mail: &Mail) {
    assert_eq!(mail.email_id.len(), 32);
    assert_eq!(mail.size, raw.len() as u64);
    assert!(mail.html.len() <= WIDEST * KEPT + REST, "{} bytes of HTML", mail.html.len());
    assert!(
        mail.plain.len() <= KEPT.min(WIDEST * raw.len() + WIDEST) + REST,
        "{} bytes of text",
        mail.plain.len()
    );
    assert_eq!(mail.sender, mail.sender.to_lowercase());
    assert!(!mail.sender.contains(char::is_whitespace) || mail.sender.contains('@'));
    assert!(mail.flaws.len() < 40);
    for (what, text, most) in [
        ("subject", &mail.subject, 4 << 10),
        ("From", &mail.from, 2 << 10),
        ("sender", &mail.sender, 320),
        ("Date", &mail.date, 1 << 10),
        ("Message-ID", &mail.message_id, 1 << 10),
    ] {
        assert!(text.len() <= most, "{} bytes of {what}", text.len());
    }
    assert!(identity::subject_group(&mail.subject).len() < 100);
}

fn decided(mail: &Mail, verdict: &Verdict, policy: &Policy) {
    assert!(verdict.links.len() <= LINKS, "{} links", verdict.links.len());
    for link in &verdict.links {
        let provider = policy.providers.of(&link.raw_url).map(|provider| &*provider.name);
        assert_eq!(provider, Some(&*link.provider), "{}", link.raw_url);
        let url = url::Url::parse(&link.raw_url).expect("a link is an address");
        let host = url.host_str().unwrap_or_default();
        let host = host.strip_prefix("www.").unwrap_or(host);
        let hosts = ["dropbox.com", "dl.dropboxusercontent.com", "fromsmash.com", "swisstransfer.com"];
        assert!(hosts.contains(&host) || host.ends_with(".fromsmash.com"), "{url}");
        assert!(url.username().is_empty() && url.password().is_none(), "{url}");
    }
    match &verdict.outcome {
        Outcome::Deliver { deliveries } => {
            let mut targets: Vec<&str> = deliveries.iter().map(|planned| planned.target.as_str()).collect();
            targets.sort_unstable();
            targets.dedup();
            assert!(!targets.is_empty() && targets.len() == deliveries.len());
            for planned in deliveries {
                let body = payload::body(mail, verdict.detection.as_ref(), &verdict.links, planned);
                let payload: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
                assert_eq!(
                    payload.get("microsoft_graph_email_id").and_then(|id| id.as_str()),
                    Some(&*mail.email_id)
                );
            }
        }
        Outcome::Hold { until, .. } => assert!(until.is_none_or(|until| until > now())),
        Outcome::Skip { .. } | Outcome::Ignore { .. } => {}
    }
    let unsent = matches!(verdict.outcome, Outcome::Ignore { .. });
    assert!(unsent || !verdict.links.is_empty() || policy.allow_without_links);
}

fn explained(mail: &Mail, verdict: &Verdict, explanation: &explain::Explanation, policy: &Policy) {
    let (decision, reason) = match &verdict.outcome {
        Outcome::Deliver { .. } => ("deliver", None),
        Outcome::Hold { reason, .. } => ("hold", Some(reason.as_str())),
        Outcome::Skip { reason, .. } => ("skip", Some(reason.as_str())),
        Outcome::Ignore { reason, .. } => ("ignore", Some(reason.as_str())),
    };
    assert_eq!((explanation.decision, explanation.reason), (decision, reason));
    assert_eq!(explanation.email_id, mail.email_id);
    let deliver = decision == "deliver";
    assert_eq!(explanation.deliveries.is_empty(), !deliver);
    let stops = explanation.steps.iter().filter(|step| step.outcome == "stop").count();
    assert_eq!(stops, usize::from(!deliver), "{:?} under policy {}", explanation.steps, policy.version);
    if deliver {
        assert_eq!(explanation.detector, verdict.detection.as_ref().map(|found| found.detector.clone()));
        let urls = |links: &[explain::LinkFound]| -> Vec<String> {
            links.iter().map(|link| link.raw_url.clone()).collect()
        };
        let decided: Vec<String> = verdict.links.iter().map(|link| link.raw_url.clone()).collect();
        assert_eq!(urls(&explanation.links), decided);
    }
}
