use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use regex::Regex;

use super::*;

fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "tests" {
                sources(&path, found);
            }
        } else if name.ends_with(".rs")
            && !["tests.rs", "metrics.rs", "monitoring.rs"].contains(&name.as_str())
        {
            found.push(fs::read_to_string(&path).unwrap());
        }
    }
}

/// All sources of the program, tests left out.
pub(super) fn all_sources() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    sources(&root.join("src"), &mut found);
    sources(&root.join("actors/src"), &mut found);
    // `metrics.rs` is also the name of a part that counts.
    found.push(fs::read_to_string(root.join("actors/src/config/store/metrics.rs")).unwrap());
    found
}

#[test]
fn every_metric_that_is_counted_has_a_meaning_and_the_other_way_round() {
    let name = Regex::new(r#""(render_signal_[a-z0-9_]+)""#).unwrap();
    let sources = all_sources();
    let counted: BTreeSet<&str> = sources
        .iter()
        .flat_map(|text| name.captures_iter(text))
        .map(|found| found.get(1).unwrap().as_str())
        .collect();
    let known: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(known.len(), METRICS.len(), "none twice");
    assert_eq!(counted, known);
}

#[test]
fn each_is_counted_as_what_it_is_said_to_be() {
    let call = Regex::new(
        r#"(counter|gauge|histogram)!\(\s*"(render_signal_[a-z0-9_]+)"\s*((?:,\s*"[a-z_]+"\s*=>\s*[^,;]+?)*)\s*\)\s*\."#,
    )
    .unwrap();
    let label = Regex::new(r#""([a-z_]+)"\s*=>"#).unwrap();
    let known: BTreeMap<&str, &Metric> = METRICS.iter().map(|metric| (metric.name, metric)).collect();
    let mut seen = 0;
    for text in &all_sources() {
        for found in call.captures_iter(text) {
            let metric = known[found.get(2).unwrap().as_str()];
            assert_eq!(format!("{:?}", metric.kind).to_lowercase(), found[1], "{}", metric.name);
            let labels: Vec<&str> = label
                .captures_iter(found.get(3).unwrap().as_str())
                .map(|one| one.get(1).unwrap().as_str())
                .collect();
            assert_eq!(labels, metric.labels, "{}", metric.name);
            seen += 1;
        }
    }
    assert!(seen > 50, "only {seen} calls were understood");
}

/// `UPDATE_METRICS=1` writes the page anew.
#[test]
fn the_page_tells_of_every_metric() {
    let mut page = "# Metrics\n\n<!-- Written by a test: UPDATE_METRICS=1 cargo test --workspace --bins -- metrics -->\n\nAt `/metrics`, in the text format of Prometheus; who may read it: `METRICS_TOKEN`, `METRICS_PUBLIC`.\nCounters and histograms begin at 0 with each start of a worker.\n\n| name | kind | labels | meaning |\n|---|---|---|---|\n".to_owned();
    for metric in METRICS.iter().chain(&ASKED) {
        let kind = format!("{:?}", metric.kind).to_lowercase();
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = labels.join(", ");
        writeln!(page, "| `{}` | {kind} | {labels} | {} |", metric.name, metric.meaning).unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/METRICS.md");
    if std::env::var_os("UPDATE_METRICS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    assert_eq!(
        fs::read_to_string(&path).unwrap_or_default(),
        page,
        "docs/METRICS.md: UPDATE_METRICS=1 writes it anew"
    );
}
