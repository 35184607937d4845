//! What is explained, and how it is said.

use super::*;
use crate::mail::detectors::OutsideWindow;
use crate::mail::policy::Priority;
use crate::mail::samples::{at, policy, window};

const RAW: &[u8] = "Message-ID: <a@x>\nFrom: a@b.fr\nSubject: =?utf-8?q?M=C3=A9dia_Solution_-_Missions_Recadrage_-_Lot_42?=\n\
    Date: d\n\nhttps://fromsmash.com/a à faire pour 25h99"
    .as_bytes();

fn check<'e>(explanation: &'e Explanation, check: &str) -> Option<(&'e str, &'e str)> {
    let step = explanation.steps.iter().find(|step| step.check == check)?;
    Some((step.outcome, step.detail.english.as_str()))
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
    use crate::mail::groups::{GroupOwner, GroupRule};

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
    let taken = groups::GroupEvent::Taken(groups::GroupTaken { group, email_id: "first".to_owned() });
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
    let known = (stream, GroupOwner::of(&[recorded]).expect("readable"));
    let taken = explain_knowing(RAW, &policy, now, Some(&known));
    assert_eq!((taken.decision, taken.reason), ("ignore", Some("duplicate_group")));
    assert!(taken.detail.as_ref().is_some_and(|detail| detail.english.contains("mail first")), "{taken:?}");
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
