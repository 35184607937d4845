//! The recorded cases of the reference system: what it did is what we do, except for the
//! cases in `mail_deviations.json`, each of which names the weakness it avoids and the
//! right value.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDateTime, NaiveTime, Utc, Weekday};
use chrono_tz::Tz;
use serde_json::{Value, json};

use super::conditions::Facts;
use super::policy::{Policy, Schedule};
use super::replies::ReplyPrefixes;
use super::rules::Rule;
use super::samples::{self, at, policy, window};
use super::windows::{Polling, next_opening, parse_time_hhmm, polling, sending, within};
use super::{
    Detection, Link, Mail, Outcome, decide, detect, encoding, groups, identity, links, parse, payload,
    providers, rules,
};
use crate::config::documents::webhook::WebhookConfig;
use crate::config::documents::{self, DocumentSet};
use crate::config::policy::{EnvDefaults, build};

const CASES: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/mail.json"));
const DEVIATIONS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/mail_deviations.json"));

const CONFIG_CASES: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/config.json"));
const COVERAGE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/mail_coverage.json"));

#[test]
fn recorded_cases() {
    let cases: Vec<Value> = serde_json::from_str(CASES).expect("cases");
    let deviations: Vec<Value> = serde_json::from_str(DEVIATIONS).expect("deviations");
    let listed = deviations.len();
    let mut deviations: BTreeMap<&str, &Value> =
        deviations.iter().map(|deviation| (text(deviation, "id"), deviation)).collect();
    assert_eq!(deviations.len(), listed, "a deviation is listed twice");
    let mut wrong = Vec::new();
    for case in &cases {
        let id = text(case, "id");
        let recorded = recorded(case);
        let expected = match deviations.remove(id) {
            Some(deviation) => {
                assert!(text(deviation, "weakness").starts_with("W-"), "{id} names its weakness");
                assert_ne!(deviation["right"], recorded, "{id} no longer deviates");
                deviation["right"].clone()
            }
            None => recorded,
        };
        let ours = ours(case);
        if ours != expected {
            wrong.push(format!("{id} ({}):\n  expected {expected}\n  got      {ours}", case["note"]));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(deviations.is_empty(), "deviations of unknown cases: {:?}", deviations.keys());
}

/// Every case that was recorded is compared, here or with the configuration, or is named
/// with the reason why there is nothing to compare.
#[test]
fn no_recorded_case_is_left_out() {
    let coverage: Value = serde_json::from_str(COVERAGE).expect("coverage");
    let ids = |list: &Value| -> Vec<String> {
        let entries = list.as_array().expect("a list").iter();
        entries.map(|entry| text(entry, "id").to_owned()).collect()
    };
    let read = |text: &str| -> Value { serde_json::from_str(text).expect("cases") };
    for entry in coverage["without_equivalent"].as_array().expect("a list") {
        assert!(!text(entry, "why").is_empty(), "{entry} says why");
    }
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for id in [ids(&read(CASES)), ids(&read(CONFIG_CASES)), ids(&coverage["without_equivalent"])].concat() {
        let area = id.rsplit_once('-').expect("area and number").0.to_owned();
        *found.entry(area).or_default() += 1;
        assert!(seen.insert(id.clone()), "{id} is there twice");
    }
    let recorded: BTreeMap<String, usize> =
        serde_json::from_value(coverage["recorded"].clone()).expect("counts");
    assert_eq!(found, recorded);
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

fn zone(input: &Value) -> Tz {
    text(input, "tz").parse().expect("a zone")
}

/// The recorded output, reduced to what we have an equivalent of.
fn recorded(case: &Value) -> Value {
    let output = &case["output"];
    match text(case, "area") {
        "desabo" => json!({"matches": output["matches"], "is_urgent": output["is_urgent"]}),
        "reply_prefix" => json!({"core": output, "reply": case["poller_treats_as_reply"]}),
        _ => output.clone(),
    }
}

fn ours(case: &Value) -> Value {
    let input = &case["input"];
    match text(case, "area") {
        "media_solution" => {
            let mail = mail(text(input, "subject"), text(input, "body"));
            let links = links::of_mail(&mail, &providers::defaults()).links;
            let found = asked(&mail, &links, zone(input), at(text(input, "now_utc")), "recadrage");
            json!({"matches": found.is_some(), "delivery_time": found.and_then(|found| found.delivery_time)})
        }
        "desabo" => {
            let mail = mail(text(input, "subject"), text(input, "body"));
            let links = links::of_mail(&mail, &providers::defaults()).links;
            let found = asked(&mail, &links, Tz::UTC, DateTime::UNIX_EPOCH, "desabo");
            json!({"matches": found.is_some(), "is_urgent": found.is_some_and(|found| found.urgent)})
        }
        "link_extraction" => json!(links::find(text(input, "text"), "", &providers::defaults()).links),
        "detect_provider" => {
            json!(providers::defaults().of(text(input, "url")).map_or("unknown", |provider| &provider.name))
        }
        "reply_prefix" => {
            let subject = text(input, "subject");
            let reply = ReplyPrefixes::default().found_in(subject).is_some();
            json!({"core": identity::strip_reply_prefixes(subject), "reply": reply})
        }
        "normalize" => json!(identity::normalize(text(input, "s"))),
        "subject_group" => json!(identity::subject_group(text(input, "subject"))),
        "email_id" => {
            json!(identity::email_id(text(input, "Message-ID"), text(input, "Subject"), text(input, "Date")))
        }
        "sender" => json!(identity::sender(text(input, "from"))),
        "header_decode" => json!(encoding::words(text(input, "value")).0),
        "parse_time" => json!(parse_time_hhmm(text(input, "s")).map(|time| time.format("%H:%M").to_string())),
        "time_window" => {
            let now: NaiveTime = parse_time_hhmm(text(input, "now_local")).expect("a time");
            open(input, Tz::UTC, at("2026-01-26T00:00:00Z").date_naive().and_time(now).and_utc())
        }
        "time_window_dst" => open(input, zone(input), at(text(input, "now_utc"))),
        "poll_schedule" => schedule(input),
        "absence" => {
            let env = EnvDefaults {
                sending_enabled: input["env_WEBHOOK_SENDING_ENABLED"] != json!("false"),
                ..EnvDefaults::default()
            };
            let Ok(webhook) = WebhookConfig::parse(&input["config"], &env) else {
                // Of a document that is refused, a switch that says off is obeyed.
                return json!(!documents::says_off(documents::Key::WebhookConfig, &input["config"]));
            };
            let documents = DocumentSet { webhook: Some(webhook), ..DocumentSet::default() };
            json!(sending(&build(&documents, &env, 1), at(text(input, "now_utc"))).is_ok())
        }
        "subject_group_month" => {
            json!(groups::scoped(text(input, "group_id"), zone(input), at(text(input, "now_utc"))))
        }
        "routing_condition" => {
            let conditions = json!([input["condition"]]);
            let rules = compiled(&json!([{"conditions": conditions}]));
            json!(matching(&rules, input).is_some())
        }
        "routing_rule" => json!(matching(&compiled(&input["rules"]), input)),
        "make_url" => json!(input["value"].as_str().and_then(rules::normalize_make_webhook_url)),
        // What is no address is hidden, not left out.
        "mask_url" => json!(Some(rules::mask_url(text(input, "url"))).filter(|shown| shown != "***")),
        "pipeline" => pipeline(case),
        area => panic!("no test for {area}"),
    }
}

fn asked(mail: &Mail, links: &[Link], zone: Tz, now: DateTime<Utc>, detector: &str) -> Option<Detection> {
    let findings = detect::findings(mail, links, &Policy { zone, ..policy() }, now);
    let finding = findings.into_iter().find(|finding| finding.id == detector).expect("a default detector");
    finding.result.ok().map(|recognised| recognised.detection)
}

fn mail(subject: &str, body: &str) -> Mail {
    let mut mail = parse::parse(b"From: a@b.fr\n\n").expect("a mail");
    mail.subject = subject.to_owned();
    mail.plain = body.to_owned();
    mail.text = parse::text(body, "");
    mail
}

/// Also: where the window is closed, it is open at its next opening.
fn open(input: &Value, zone: Tz, now: DateTime<Utc>) -> Value {
    let window = window(text(input, "start"), text(input, "end"));
    let opening = next_opening(&window, zone, now).expect("no recorded window is closed for ever");
    assert!(opening >= now && within(&window, zone, opening));
    json!(within(&window, zone, now))
}

fn schedule(input: &Value) -> Value {
    let number = |value: &Value| u8::try_from(value.as_u64().expect("a number")).expect("a small number");
    let schedule = Schedule {
        active_days: input["active_days"].as_array().expect("a list").iter().map(number).collect(),
        start_hour: number(&input["start_hour"]),
        end_hour: number(&input["end_hour"]),
        ..policy().schedule
    };
    let local: NaiveDateTime = format!("{}:00", text(input, "now_local")).parse().expect("a time");
    json!(polling(&schedule, Tz::UTC, local.and_utc()) == Polling::Active)
}

fn absence(policy: &mut Policy, config: &Value) {
    policy.sending_enabled = config["webhook_sending_enabled"] != json!(false);
    if config["absence_pause_enabled"] == json!(true) {
        let days = config["absence_pause_days"].as_array().expect("a list");
        policy.absence_days = days
            .iter()
            .map(|day| day.as_str().expect("a text").trim().parse::<Weekday>().expect("a weekday"))
            .collect();
    }
}

/// Compiles rules that were recorded without their actions.
fn compiled(rules: &Value) -> Vec<Rule> {
    let mut rules = rules.clone();
    for rule in rules.as_array_mut().expect("a list") {
        rule["actions"] = json!({"webhook_url": "https://r.example/1"});
    }
    samples::rules(&rules)
}

fn matching<'r>(rules: &'r [Rule], input: &Value) -> Option<&'r str> {
    let mut mail = mail(text(input, "subject"), "");
    mail.sender = text(input, "sender").to_owned();
    let facts = Facts::for_rules(&mail, text(input, "body"));
    rules::first_match(rules, &facts).map(|rule| rule.id.as_str())
}

/// Raw messages to the POSTs they cause at the recorded instant, first attempts only.
fn pipeline(case: &Value) -> Value {
    let input = &case["input"];
    let config = &input["webhook_config"];
    let mut policy = policy();
    policy.zone = zone(input);
    policy.allow_without_links = input["allow_without_links"] == json!(true);
    policy.allowed_senders = input["allowlist"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|sender| sender.as_str().expect("a text").to_owned())
        .collect();
    policy.rules = samples::rules(&input["routing_rules"]);
    absence(&mut policy, config);
    if config.get("webhook_time_start").is_some() {
        policy.window = Some(window(text(config, "webhook_time_start"), text(config, "webhook_time_end")));
    }
    let raw = match &input["raw_messages_latin1"] {
        Value::Array(messages) => messages.clone(),
        _ => vec![input["raw_message_latin1"].clone()],
    };
    let mut posts = Vec::new();
    for message in &raw {
        let bytes: Vec<u8> = message.as_str().expect("a text").chars().map(|byte| byte as u8).collect();
        let mail = parse::parse(&bytes).expect("a mail");
        let mut verdict = decide::decide(&mail, &policy, at(text(input, "now_utc")));
        if case["offload"] == json!(true) {
            copy_offload(&mut verdict.links, &case["output"]);
        }
        let Outcome::Deliver { deliveries } = &verdict.outcome else { continue };
        for planned in deliveries {
            let rule = policy.rules.iter().find(|rule| rule.target.id == planned.target);
            let url = rule.map_or(&policy.default_target.url, |rule| &rule.target.url);
            let body = payload::body(&mail, verdict.detection.as_ref(), &verdict.links, planned);
            posts.push(json!({"url": url, "json": serde_json::from_slice::<Value>(&body).expect("JSON")}));
        }
    }
    Value::Array(posts)
}

/// What the recorded transfers added to the links.
fn copy_offload(links: &mut [super::Link], output: &Value) {
    let recorded =
        output.as_array().and_then(|posts| posts.first()).map(|post| &post["json"]["delivery_links"]);
    for link in links {
        let entry = recorded
            .and_then(|list| list.as_array()?.iter().find(|entry| entry["raw_url"] == json!(link.raw_url)));
        let field = |name: &str| entry.and_then(|entry| entry[name].as_str()).map(str::to_owned);
        link.direct_url = field("direct_url");
        link.r2_url = field("r2_url");
        link.original_filename = field("original_filename");
    }
}
