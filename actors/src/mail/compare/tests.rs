use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::mail::explain::explain;
use crate::mail::filters::{Filters, Keywords};
use crate::mail::groups::GroupRule;
use crate::mail::life::{MailHeld, MailIgnored, MailRouted, RoutedDelivery};
use crate::mail::parse::parse;
use crate::mail::samples::{self, at, policy, window};
use crate::mail::{HoldReason, detectors};

const MORNING: &str = "2026-01-26T08:00:00Z";

const RAW: [&str; 4] = [
    "From: a@b.fr\nSubject: Lot 3\n\nhttps://fromsmash.com/a",
    "From: x@y.fr\nSubject: Dispo\n\nd\u{e9}sabonner journ\u{e9}e tarifs habituels https://www.dropbox.com/request/abc",
    "From: x@y.fr\nSubject: Re: Lot 3\n\nx",
    "From: x@y.fr\nSubject: Lot 3\nContent-Disposition: attachment; filename=a\n\nsans lien",
];

fn mail(subject: &str, body: &str) -> Mail {
    let raw = format!("Message-ID: <{subject}>\nFrom: a@b.fr\nSubject: {subject}\n\n{body}");
    parse(raw.as_bytes()).expect("a mail")
}

fn smash() -> Mail {
    mail("Lot 3", "https://fromsmash.com/a")
}

fn desabo() -> Mail {
    mail("Dispo", "désabonner journée tarifs habituels https://www.dropbox.com/request/abc")
}

fn with(change: impl FnOnce(&mut Policy)) -> Policy {
    let mut policy = policy();
    change(&mut policy);
    policy
}

fn ruled(actions: Value) -> Policy {
    let rule = json!([{"id": "r", "name": "R", "actions": actions,
        "conditions": [{"field": "subject", "operator": "contains", "value": "lot"}]}]);
    with(|policy| policy.rules = samples::rules(&rule))
}

fn limited(bytes: u64) -> Policy {
    with(|policy| policy.max_email_bytes = Some(bytes))
}

fn excluding(word: &str) -> Policy {
    let everywhere = Keywords::new(&[word.to_owned()]);
    with(|policy| policy.prefs.filters = Filters { everywhere, ..Filters::default() })
}

/// The changes as lines of text.
fn told(before: Policy, after: Policy, mail: &Mail) -> Vec<String> {
    let found = Trial::new(before, after).compare(mail, at(MORNING));
    found.changes.iter().map(|c| format!("{}: {} -> {}", c.field, c.before, c.after)).collect()
}

#[test]
fn what_changes_is_named() {
    let night = || with(|policy| policy.window = Some(window("10h30", "19h00")));
    let until = r#""2026-01-26T09:30:00+00:00""#;
    let cases: Vec<(Policy, Policy, Mail, Vec<String>)> = vec![
        (policy(), policy(), smash(), vec![]),
        (
            policy(),
            ruled(json!({"webhook_url": "https://r.example/1"})),
            smash(),
            vec![r#"targets: ["default"] -> ["r","default"]"#.into()],
        ),
        (policy(), ruled(json!({"webhook_url": "https://r.example/1"})), desabo(), vec![]),
        (
            ruled(json!({"webhook_url": "https://r.example/1", "stop_processing": true})),
            ruled(
                json!({"webhook_url": "https://r.example/2", "stop_processing": true, "priority": "high"}),
            ),
            smash(),
            vec![
                r#"address of r: "https://r.example/***" -> "https://r.example/***""#.into(),
                r#"payload for r: routing_rule: {"id":"r","name":"R","priority":"normal"} -> {"id":"r","name":"R","priority":"high"}"#
                    .into(),
            ],
        ),
        (
            policy(),
            with(|policy| policy.detectors = Vec::new()),
            desabo(),
            vec![
                r#"detector: "desabonnement_journee_tarifs" -> null"#.into(),
                "urgent: false -> null".into(),
                r#"payload for default: detector: "desabonnement_journee_tarifs" -> null"#.into(),
            ],
        ),
        (
            policy(),
            night(),
            smash(),
            vec![
                r#"decision: "deliver" -> "hold""#.into(),
                r#"reason: null -> "outside_window""#.into(),
                format!("hold_until: null -> {until}"),
                r#"payload for default: webhooks_time_end: null -> "19h00""#.into(),
                r#"payload for default: webhooks_time_start: null -> "maintenant""#.into(),
            ],
        ),
        (
            policy(),
            limited(10),
            smash(),
            vec![
                r#"decision: "deliver" -> "ignore""#.into(),
                r#"reason: null -> "too_large""#.into(),
                r#"targets: ["default"] -> []"#.into(),
            ],
        ),
        (
            excluding("fromsmash"),
            excluding("LOT"),
            smash(),
            vec![r#"detail: "fromsmash" -> "LOT""#.into()],
        ),
        (
            policy(),
            with(|policy| {
                policy.prefs.sender_priority.insert("a@b.fr".to_owned(), Priority::High);
            }),
            smash(),
            vec![r#"priority: "medium" -> "high""#.into()],
        ),
    ];
    for (index, (before, after, mail, expected)) in cases.into_iter().enumerate() {
        let found = told(before, after, &mail);
        assert_eq!(found, expected, "case {index}");
    }
}

#[test]
fn a_rule_for_a_mail_that_waits_is_seen() {
    let close = |mut policy: Policy| {
        policy.window = Some(window("10h30", "19h00"));
        policy
    };
    let after = close(ruled(json!({"webhook_url": "https://r.example/1", "stop_processing": true})));
    assert_eq!(told(close(policy()), after, &smash()), [r#"targets: ["default"] -> ["r"]"#]);
}

#[test]
fn of_a_group_the_first_mail_of_the_trial_counts() {
    let grouped = || with(|policy| policy.prefs.subject_groups = Some(GroupRule::default()));
    let mails =
        [mail("Lot 42 un", "https://fromsmash.com/a"), mail("Lot 42 deux", "https://fromsmash.com/b")];
    let decisions = |before: Policy, after: Policy, now: [&str; 2]| -> Vec<(&str, &str)> {
        let mut trial = Trial::new(before, after);
        let found = mails.iter().zip(now).map(|(mail, now)| trial.compare(mail, at(now)));
        found.map(|found| (found.before.decision, found.after.decision)).collect()
    };
    let both = [MORNING, MORNING];
    assert_eq!(decisions(policy(), grouped(), both), [("deliver", "deliver"), ("deliver", "ignore")]);
    assert_eq!(decisions(grouped(), grouped(), both)[1], ("ignore", "ignore"));
    let months = [MORNING, "2026-02-26T08:00:00Z"];
    assert_eq!(decisions(policy(), grouped(), months)[1], ("deliver", "deliver"));
}

#[test]
fn what_was_recorded_is_the_first_decision() {
    let routed = MailEvent::Routed(MailRouted {
        detection: None,
        links: Vec::new(),
        deliveries: vec![RoutedDelivery {
            target: "default".to_owned(),
            rule: None,
            share: crate::mail::policy::Share::All,
        }],
        offload: false,
        priority: Priority::Medium,
        text: None,
        configuration: None,
    });
    let held =
        MailEvent::Held(MailHeld { reason: HoldReason::OutsideWindow, until: None, configuration: None });
    let ignored = MailEvent::Ignored(MailIgnored {
        reason: IgnoreReason::NoLinks,
        detail: None,
        configuration: None,
        by: None,
    });
    let delivered = Trial::new(policy(), policy()).compare(&smash(), at(MORNING)).before;
    let close = with(|policy| policy.window = Some(window("10h30", "19h00")));
    let waits = Trial::new(close.clone(), close).compare(&smash(), at(MORNING)).before;
    for (events, agrees) in [
        (vec![routed.clone()], [true, false]),
        (vec![held, routed], [false, true]),
        (vec![ignored], [false, false]),
    ] {
        let recorded = recorded(&events).expect("a decision");
        assert_eq!(
            [&delivered, &waits].map(|judgement| recorded.agrees_with(judgement)),
            agrees,
            "{events:?}"
        );
    }
    assert_eq!(recorded(&[]), None);
}

/// Policies that differ in everything that decides about a mail.
fn policies() -> impl Strategy<Value = Policy> {
    let switches = any::<[bool; 8]>();
    let rules = prop::option::of((any::<bool>(), prop::sample::select(vec!["1", "2"])));
    (switches, rules, prop::option::of(prop::sample::select(vec!["lot", "journée", "rien"]))).prop_map(
        |(on, rule, word)| {
            let mut policy = match rule {
                Some((alone, path)) => ruled(
                    json!({"webhook_url": format!("https://r.example/{path}"), "stop_processing": alone}),
                ),
                None => policy(),
            };
            policy.sending_enabled = on[0];
            policy.window = on[1].then(|| window("10h30", "19h00"));
            policy.detectors = if on[2] { detectors::defaults() } else { Vec::new() };
            policy.max_email_bytes = on[3].then_some(90);
            policy.allow_without_links = on[4];
            policy.prefs.subject_groups = on[5].then(GroupRule::default);
            policy.allowed_senders = if on[6] { vec!["x@y.fr".to_owned()] } else { Vec::new() };
            policy.prefs.filters.require_attachments = on[7];
            if let Some(word) = word {
                policy.prefs.filters.everywhere = Keywords::new(&[word.to_owned()]);
            }
            policy
        },
    )
}

fn mails() -> impl Strategy<Value = Vec<Mail>> {
    let kinds = vec![smash(), desabo(), mail("Re: Lot 3", "x"), mail("Lot 3 bis", "sans lien")];
    prop::collection::vec(prop::sample::select(kinds), 1..6)
}

proptest! {
    #[test]
    fn a_policy_does_not_differ_from_itself(policy in policies(), mails in mails()) {
        let mut trial = Trial::new(policy.clone(), policy);
        for mail in &mails {
            let found = trial.compare(mail, at(MORNING));
            prop_assert_eq!(found.changes, vec![]);
            prop_assert_eq!(found.before, found.after);
        }
    }

    #[test]
    fn a_difference_is_symmetric(one in policies(), other in policies(), mails in mails()) {
        let mut there = Trial::new(one.clone(), other.clone());
        let mut back = Trial::new(other, one);
        for mail in &mails {
            let (there, back) = (there.compare(mail, at(MORNING)), back.compare(mail, at(MORNING)));
            let mirrored: Vec<DecisionChange> = back
                .changes
                .into_iter()
                .map(|DecisionChange { field, before, after }| DecisionChange { field, before: after, after: before })
                .collect();
            prop_assert_eq!(&there.changes, &mirrored);
            prop_assert_eq!(there.changes.is_empty(), there.before == there.after);
        }
    }

    /// What is tried is what `explain` says, and the server does.
    #[test]
    fn a_judgement_is_the_decision(policy in policies(), raw in prop::sample::select(RAW.to_vec())) {
        let mail = parse(raw.as_bytes()).expect("a mail");
        let judged = Trial::new(policy.clone(), policy.clone()).compare(&mail, at(MORNING)).before;
        let explained = explain(raw.as_bytes(), &policy, at(MORNING));
        prop_assert_eq!((judged.decision, judged.reason), (explained.decision, explained.reason));
        prop_assert_eq!(judged.detail, explained.detail.map(|detail| detail.english));
        prop_assert_eq!(judged.hold_until, explained.hold_until);
        if judged.decision == "deliver" {
            let targets: Vec<String> = explained.deliveries.into_iter().map(|d| d.target).collect();
            prop_assert_eq!(judged.targets, targets);
        }
    }
}
