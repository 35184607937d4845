//! What `deployment/monitoring/` asks for is what the program tells: every metric in the alerts and
//! on the board exists, is of the kind that it is used as, and has the labels and values named there.
//! `promtool` tries the alerts themselves in `tests/suite/monitoring.rs`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::Value;

use super::tests::all_sources;
use super::*;

/// Labels that Prometheus adds.
const ADDED: [&str; 3] = ["job", "instance", "le"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deployment/monitoring")
}

/// An alert as it is written.
struct Alert {
    name: String,
    text: String,
}

impl Alert {
    /// The value of a field of one line, without its quotes.
    fn field(&self, name: &str) -> Option<String> {
        let line = self.text.lines().find_map(|line| line.trim().strip_prefix(&format!("{name}: ")))?;
        Some(line.trim_matches('\'').replace("''", "'"))
    }

    fn expression(&self) -> String {
        let one_line = self.field("expr").expect("an expression");
        if one_line != "|" {
            return one_line;
        }
        let lines = self.text.lines().skip_while(|line| !line.trim().starts_with("expr:")).skip(1);
        lines.take_while(|line| line.starts_with("          ")).collect::<Vec<_>>().join("\n")
    }
}

fn alerts() -> Vec<Alert> {
    let mut alerts = Vec::new();
    for entry in fs::read_dir(folder().join("rules")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for part in text.split("- alert: ").skip(1) {
            let (name, text) = part.split_once('\n').unwrap();
            alerts.push(Alert { name: name.to_owned(), text: text.to_owned() });
        }
    }
    assert!(alerts.len() > 30, "the alerts are where they were: {}", alerts.len());
    alerts
}

fn board() -> Value {
    serde_json::from_str(&fs::read_to_string(folder().join("grafana.json")).unwrap()).unwrap()
}

fn panels(board: &Value) -> impl Iterator<Item = &Value> {
    board["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row")
}

/// Every expression, with the place that it stands at.
fn expressions() -> Vec<(String, String)> {
    let of_alerts = alerts().into_iter().map(|alert| (alert.name.clone(), alert.expression()));
    let board = board();
    let of_panels = panels(&board).flat_map(|panel| {
        let title = panel["title"].as_str().unwrap().to_owned();
        let expr = |target: &Value| target["expr"].as_str().unwrap().to_owned();
        panel["targets"].as_array().unwrap().iter().map(move |target| (title.clone(), expr(target)))
    });
    let of_variables = board["templating"]["list"].as_array().unwrap().iter().filter_map(|variable| {
        Some((variable["name"].as_str()?.to_owned(), variable["definition"].as_str()?.to_owned()))
    });
    of_alerts.chain(of_panels).chain(of_variables).collect()
}

/// The metric that a series belongs to: a histogram has several.
fn metric_of(series: &str) -> Option<&'static Metric> {
    let known = |name: &str| METRICS.iter().chain(&ASKED).find(|metric| metric.name == name);
    let of_histogram = || {
        let parts = ["_bucket", "_count", "_sum"];
        let name = parts.iter().find_map(|part| series.strip_suffix(part))?;
        known(name).filter(|metric| metric.kind == MetricKind::Histogram)
    };
    known(series).filter(|metric| metric.kind != MetricKind::Histogram).or_else(of_histogram)
}

/// What is wrong with an expression.
fn faults(expr: &str, sources: &str) -> Vec<String> {
    let series = Regex::new(r"((?:rate|increase)\()?\b(render_signal_[a-z0-9_]+)(?:\{([^}]*)\})?").unwrap();
    let matcher = Regex::new(r#"([a-z_]+)\s*(?:=~|!=|=)\s*"([^"]*)""#).unwrap();
    let grouping = Regex::new(r"\b(?:by|on)\s*\(([^)]*)\)").unwrap();
    let mut faults = Vec::new();
    let mut labels: BTreeSet<&str> = ADDED.into();
    for found in series.captures_iter(expr) {
        let name = found.get(2).unwrap().as_str();
        let Some(metric) = metric_of(name) else {
            faults.push(format!("there is no metric {name}"));
            continue;
        };
        labels.extend(metric.labels);
        if found.get(1).is_some() == (metric.kind == MetricKind::Gauge) {
            faults.push(format!("{name} is a {:?}", metric.kind));
        }
        for found in matcher.captures_iter(found.get(3).map_or("", |text| text.as_str())) {
            if ADDED.contains(&&found[1]) {
                continue;
            }
            if !metric.labels.contains(&&found[1]) {
                faults.push(format!("{name} has no label {}", &found[1]));
            }
            let values = found.get(2).unwrap().as_str().split('|');
            let unknown = values.filter(|value| !sources.contains(&format!("\"{value}\"")));
            faults.extend(
                unknown.map(|value| format!("nothing says {value:?} as the {} of {name}", &found[1])),
            );
        }
    }
    let named = grouping.captures_iter(expr).flat_map(|found| found.get(1).unwrap().as_str().split(','));
    let unknown = named.map(str::trim).filter(|label| !labels.contains(label));
    faults.extend(unknown.map(|label| format!("nothing has the label {label}")));
    faults
}

#[test]
fn what_is_wrong_with_an_expression_is_found() {
    let sources = all_sources().join("\n");
    for (expr, fault) in [
        ("render_signal_nothing > 0", "no metric"),
        ("render_signal_config_store_seconds > 0", "no metric"),
        ("rate(render_signal_mailbox_silent[5m])", "is a Gauge"),
        ("render_signal_mails_admitted_total > 5", "is a Counter"),
        (r#"render_signal_mailbox_silent{target="x"} == 1"#, "has no label target"),
        (r#"render_signal_check{check="no-such-check"} == 1"#, "nothing says"),
        ("sum by (target) (render_signal_mailbox_silent)", "the label target"),
    ] {
        let found = faults(expr, &sources);
        assert!(found.iter().any(|found| found.contains(fault)), "{expr}: {found:?}");
    }
    let good = "sum by (job, le) (rate(render_signal_config_store_seconds_bucket[5m]))";
    assert_eq!(faults(good, &sources), Vec::<String>::new());
}

#[test]
fn every_metric_of_the_alerts_and_the_board_is_told() {
    let sources = all_sources().join("\n");
    let expressions = expressions();
    assert!(expressions.len() > 60, "only {} were found", expressions.len());
    let wrong: Vec<String> = expressions
        .iter()
        .flat_map(|(place, expr)| {
            faults(expr, &sources).into_iter().map(move |fault| format!("{place}: {fault}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// As GitHub makes the anchor of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|sign| sign.is_alphanumeric() || [' ', '-', '_'].contains(sign));
    kept.map(|sign| if sign == ' ' { '-' } else { sign }).collect()
}

#[test]
fn an_alert_says_what_to_do_in_both_languages_and_is_tried() {
    let runbook = include_str!("../../../docs/RUNBOOK.md");
    let anchors: BTreeSet<String> =
        runbook.lines().filter_map(|line| line.strip_prefix("## ")).map(anchor).collect();
    let tests: String = ["mails", "configuration", "machine"]
        .map(|name| fs::read_to_string(folder().join(format!("tests/{name}.yml"))).unwrap())
        .concat();
    let alerts = alerts();
    let names: BTreeSet<&str> = alerts.iter().map(|alert| alert.name.as_str()).collect();
    assert_eq!(names.len(), alerts.len(), "none twice");
    for alert in &alerts {
        let field = |name: &str| alert.field(name).unwrap_or_else(|| panic!("{}: no {name}", alert.name));
        assert!(["critical", "warning", "info"].contains(&field("severity").as_str()), "{}", alert.name);
        for name in ["summary", "description"] {
            let (english, french) = (field(name), field(&format!("{name}_fr")));
            assert!(english.len() > 10 && french.len() > 10 && english != french, "{}", alert.name);
            let values = |text: &str| -> Vec<String> {
                let mut values: Vec<_> = text
                    .split("{{")
                    .skip(1)
                    .filter_map(|part| part.split("}}").next())
                    .map(str::to_owned)
                    .collect();
                values.sort();
                values
            };
            assert_eq!(values(&english), values(&french), "{}: both name the same", alert.name);
        }
        let url = field("runbook_url");
        let place = url.strip_prefix("docs/RUNBOOK.md#").unwrap_or_else(|| panic!("{}: {url}", alert.name));
        assert!(anchors.contains(place), "{}: the runbook has no {place}: {anchors:?}", alert.name);
        let expected = format!("labels: '{{alertname=\"{}\"}}'", alert.name);
        assert!(tests.contains(&expected), "{} is not tried", alert.name);
    }
}

#[test]
fn the_board_can_be_imported() {
    let board = board();
    assert!(board["schemaVersion"].as_u64().is_some_and(|version| version >= 39));
    let ids: BTreeSet<u64> =
        board["panels"].as_array().unwrap().iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), board["panels"].as_array().unwrap().len());
    for panel in panels(&board) {
        let title = panel["title"].as_str().unwrap();
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
            let expr = target["expr"].as_str().unwrap();
            assert!(expr.contains("job=\"$job\", instance=~\"$instance\""), "{title}: of the chosen workers");
        }
    }
}
