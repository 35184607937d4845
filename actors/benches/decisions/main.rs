//! Decisions per second on one core, beside a bare parse of the same bytes in the same run.
//!
//! `cargo bench -p render-signal-actors --bench decisions`; `ROUNDS` (default 9) and
//! `MILLIS` (default 400, of each measurement in a round) set the size.
//!
//! *decision*: all that happens to a mail between its bytes and its webhooks, as the server
//! does it: reading, detectors, rules, window, payloads. *reading*: the first of these.
//! *bare parse*: mail-parser's own parse of the same bytes, which decides nothing. The figure
//! of a row is the median of the rounds; the percentiles are over every decision of a pass of
//! its own.
//!
//! *golden*: the recorded cases of the reference system, each under its own documents; most
//! are one line long. *realistic*: mails as they come, with several parts and encodings.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking and reports on the terminal"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use render_signal_actors::config::documents::{DocumentSet, Key};
use render_signal_actors::config::policy::{EnvDefaults, build};
use render_signal_actors::mail::policy::Policy;
use render_signal_actors::mail::{Outcome, decide, parse, payload};
use render_signal_testkit::mails;
use serde_json::{Value, json};

const CASES: &str = include_str!("../../../tests/golden/mail.json");

/// A mail, and what it is decided under.
struct Case {
    raw: Vec<u8>,
    policy: Policy,
    now: DateTime<Utc>,
}

impl Case {
    /// Reads, decides, and makes the webhooks; their bytes are the result.
    fn decide(&self) -> usize {
        let mail = parse::parse(&self.raw).expect("a mail");
        let verdict = decide::decide(&mail, &self.policy, self.now);
        let Outcome::Deliver { deliveries } = &verdict.outcome else { return 0 };
        let body = |planned| payload::body(&mail, verdict.detection.as_ref(), &verdict.links, planned).len();
        deliveries.iter().map(body).sum()
    }
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_default()
}

/// The policy of a recorded case: its documents, read as the server reads them.
fn policy(input: &Value) -> Policy {
    let senders = input["allowlist"].as_array().into_iter().flatten();
    let env = EnvDefaults {
        zone: text(input, "tz").parse().unwrap_or(chrono_tz::Europe::Paris),
        webhook_url: "https://hook.example.com/recv".to_owned(),
        senders: senders.filter_map(Value::as_str).map(str::to_lowercase).collect(),
        allow_without_links: input["allow_without_links"] == json!(true),
        ..EnvDefaults::default()
    };
    let mut documents = DocumentSet::default();
    if input["webhook_config"].is_object() {
        // One that is refused is not in force, here as there.
        drop(documents.put(Key::WebhookConfig, Some(&input["webhook_config"]), &env));
    }
    if input["routing_rules"].is_array() {
        let rules = json!({ "rules": input["routing_rules"] });
        documents.put(Key::RoutingRules, Some(&rules), &env).expect("a document");
    }
    build(&documents, &env, 1)
}

/// Every recorded mail: those of the pipeline as they are, those of the detectors in a mail
/// of their own.
fn golden() -> Vec<Case> {
    let cases: Vec<Value> = serde_json::from_str(CASES).expect("cases");
    let mut found = Vec::new();
    for case in &cases {
        let input = &case["input"];
        let now = input["now_utc"].as_str().unwrap_or("2026-01-26T10:00:00Z");
        let mut push = |raw: Vec<u8>| {
            let now = now.parse().expect("an instant");
            found.push(Case { raw, policy: policy(input), now });
        };
        match text(case, "area") {
            "pipeline" => {
                let several = input["raw_messages_latin1"].as_array();
                let messages =
                    several.map_or_else(|| std::slice::from_ref(&input["raw_message_latin1"]), Vec::as_slice);
                for message in messages {
                    push(message.as_str().expect("a text").chars().map(|byte| byte as u8).collect());
                }
            }
            "media_solution" | "desabo" => {
                let (subject, body) = (text(input, "subject"), text(input, "body"));
                let head = "Message-ID: <m@ex>\r\nFrom: a@b.fr\r\nDate: Mon, 26 Jan 2026 10:59:00 +0100";
                push(format!("{head}\r\nSubject: {subject}\r\n\r\n{body}").into_bytes());
            }
            _ => {}
        }
    }
    found
}

fn realistic() -> Vec<Case> {
    let now = "2026-01-26T10:00:00Z".parse().expect("an instant");
    let rules: Vec<Value> = (0..10)
        .map(|n| {
            json!({"id": format!("r{n}"), "conditions": [
                {"field": "sender", "operator": "contains", "value": format!("studio-{n}")},
                {"field": "subject", "operator": "regex", "value": format!("lot\\s+{n}\\d+")},
            ], "actions": {"webhook_url": format!("https://hook.example.com/{n}")}})
        })
        .collect();
    let input = json!({"routing_rules": rules, "webhook_config": {}});
    mails::mixed(40).into_iter().map(|mail| Case { raw: mail.raw, policy: policy(&input), now }).collect()
}

/// Mails per second: whole passes over the cases until the time is over.
fn rate(cases: &[Case], time: Duration, work: impl Fn(&Case) -> usize) -> f64 {
    let started = Instant::now();
    let mut done = 0_usize;
    while started.elapsed() < time {
        for case in cases {
            black_box(work(black_box(case)));
        }
        done += cases.len();
    }
    done as f64 / started.elapsed().as_secs_f64()
}

/// Microseconds of each decision in one pass of `time`, sorted.
fn latencies(cases: &[Case], time: Duration) -> Vec<f64> {
    let started = Instant::now();
    let mut found = Vec::new();
    while started.elapsed() < time {
        for case in cases {
            let begun = Instant::now();
            black_box(black_box(case).decide());
            found.push(begun.elapsed().as_secs_f64() * 1e6);
        }
    }
    found.sort_by(f64::total_cmp);
    found
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn percentile(sorted: &[f64], percent: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * percent / 100.0) as usize]
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn measure(name: &str, cases: &[Case], rounds: u64, time: Duration) {
    let bytes: usize = cases.iter().map(|case| case.raw.len()).sum();
    let mean = bytes as f64 / cases.len() as f64;
    let delivered = cases.iter().filter(|case| case.decide() > 0).count();
    println!(
        "{name}: {} mails, {bytes} bytes ({mean:.0} each), {delivered} of them are delivered",
        cases.len()
    );
    let parser = mail_parser::MessageParser::default();
    let bare = |case: &Case| parser.parse(&case.raw).map_or(0, |message| message.parts.len());
    let read = |case: &Case| parse::parse(&case.raw).map_or(0, |mail| mail.text.len());
    let mut rates: [Vec<f64>; 3] = Default::default();
    let mut times = Vec::new();
    rate(cases, time / 4, Case::decide);
    for _ in 0..rounds {
        rates[0].push(rate(cases, time, Case::decide));
        rates[1].push(rate(cases, time, read));
        rates[2].push(rate(cases, time, bare));
        times.extend(latencies(cases, time));
    }
    times.sort_by(f64::total_cmp);
    let [decisions, readings, bares] = rates.map(median);
    for (what, rate) in [("decision", decisions), ("reading", readings), ("bare parse", bares)] {
        let speed = rate * mean / (1024.0 * 1024.0);
        println!("  {what:<11} {rate:>10.0} /s  {speed:>8.1} MiB/s  {:>6.2} of the bare parse", rate / bares);
    }
    println!(
        "  each decision: p50 {:.1} µs, p99 {:.1} µs, longest {:.0} µs",
        percentile(&times, 50.0),
        percentile(&times, 99.0),
        percentile(&times, 100.0)
    );
}

fn main() {
    let (rounds, time) = (number("ROUNDS", 9).max(1), Duration::from_millis(number("MILLIS", 400).max(1)));
    println!("one core, median of {rounds} rounds of {} ms", time.as_millis());
    measure("golden", &golden(), rounds, time);
    measure("realistic", &realistic(), rounds, time);
}
