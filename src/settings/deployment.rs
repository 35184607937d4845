//! What is checked in for a deployment names variables that exist, and values that are accepted.

use std::collections::BTreeMap;

use super::variables::{Need, VARIABLES, Variable};
use super::*;

/// The Blueprints for Render.
const BLUEPRINTS: [(&str, &str); 2] = [
    ("render.yaml", include_str!("../../render.yaml")),
    ("render-keyvalue.yaml", include_str!("../../deployment/render-keyvalue.yaml")),
];
const COMPOSE: &str = include_str!("../../deployment/compose.yaml");
const DOCKERFILE: &str = include_str!("../../Dockerfile");
/// What `generateValue` makes: 32 random bytes in base64. Each time others.
const GENERATED: [&str; 4] = [
    "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=",
    "ASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4mrze8=",
    "I0VniavN7wEjRWeJq83vASNFZ4mrze8BI0VniavN7wE=",
    "RWeJq83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASM=",
];

fn known(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| variable.name == name || variable.aliases.contains(&name))
}

/// The variables of a Blueprint, each with the line or lines that say where its value comes from.
fn variables_of(blueprint: &'static str) -> BTreeMap<&'static str, (&'static str, &'static str)> {
    let lines: Vec<_> = blueprint.lines().map(str::trim).collect();
    let pairs = lines.windows(2).filter_map(|pair| {
        let name = pair[0].strip_prefix("- key: ")?;
        Some((name, pair[1].split_once(": ").unwrap_or((pair[1].trim_end_matches(':'), ""))))
    });
    pairs.collect()
}

fn unquoted(value: &str) -> &str {
    value.trim_matches('"')
}

/// The environment that Render makes of a Blueprint, once the operator has answered its questions.
fn environment(blueprint: &'static str) -> BTreeMap<&'static str, String> {
    let mut generated = GENERATED.iter();
    let value = |(name, (source, value)): (&'static str, (&str, &str))| {
        let value = match (source, value) {
            ("value", value) => unquoted(value).to_owned(),
            ("generateValue", "true") => (*generated.next().unwrap()).to_owned(),
            ("sync", "false") => answer(name).to_owned(),
            ("fromService", "") => "redis://red-abc:6379".to_owned(),
            other => panic!("{name}: {other:?}"),
        };
        (name, value)
    };
    variables_of(blueprint).into_iter().map(value).collect()
}

/// What an operator answers.
fn answer(name: &str) -> &'static str {
    match name {
        "WEBHOOK_URL" => "https://hook.eu2.make.com/abc",
        name => known(name).unwrap_or_else(|| panic!("{name} is no variable")).example,
    }
}

#[test]
fn a_blueprint_gives_an_environment_that_starts_without_a_remark() {
    for (file, blueprint) in BLUEPRINTS {
        let environment = environment(blueprint);
        for name in environment.keys() {
            assert!(known(name).is_some_and(|variable| variable.need != Need::NoEffect), "{file}: {name}");
        }
        for required in VARIABLES.iter().filter(|variable| {
            matches!(variable.need, Need::Required | Need::RequiredForImap)
                || ["WEBHOOK_SECRET", "METRICS_TOKEN"].contains(&variable.name)
        }) {
            assert!(environment.contains_key(required.name), "{file}: {} is missing", required.name);
        }
        let settings = Settings::from_env(|name| environment.get(name).cloned());
        let settings = settings.unwrap_or_else(|errors| panic!("{file}: {}", describe_errors(&errors)));
        assert!(settings.warnings.is_empty(), "{file}: {:?}", settings.warnings);
        assert!(settings.signing_keys.is_some() && settings.mail.is_some(), "{file}");
    }
}

#[test]
fn render_takes_no_shutdown_delay_beside_a_disk_and_the_disk_is_used() {
    let has = |blueprint: &str, field: &str| blueprint.lines().any(|line| line.trim().starts_with(field));
    for (file, blueprint) in BLUEPRINTS {
        let disk = has(blueprint, "disk:");
        assert_ne!(disk, has(blueprint, "maxShutdownDelaySeconds:"), "{file}");
        assert_ne!(disk, has(blueprint, "numInstances:"), "{file}: a disk is for one instance");
        assert_ne!(disk, has(blueprint, "REDIS_URL") || has(blueprint, "- key: REDIS_URL"), "{file}");
        if disk {
            let settings = environment(blueprint);
            let mounted = blueprint.lines().find_map(|line| line.trim().strip_prefix("mountPath: "));
            let mounted = mounted.unwrap_or_default();
            for folder in ["DATA_DIR", "CONFIG_DIR", "WEBHOOK_LINKS_FILE"] {
                assert!(settings[folder].starts_with(mounted), "{folder} is not on the disk");
            }
        }
        assert!(has(blueprint, "healthCheckPath: /livez"), "{file}: a restart mends no mailbox");
    }
}

#[test]
fn a_blueprint_names_the_files_that_the_image_is_made_of() {
    let copied = DOCKERFILE.lines().filter(|line| line.starts_with("COPY ") && !line.contains("--from="));
    let sources = copied.flat_map(|line| {
        let mut words: Vec<_> = line.split(' ').skip(1).filter(|word| !word.starts_with("--")).collect();
        words.pop();
        words
    });
    for source in sources {
        for (file, blueprint) in BLUEPRINTS {
            let folder = format!("- {source}/**");
            let named = |line: &str| line.trim() == format!("- {source}") || line.trim() == folder;
            assert!(blueprint.lines().any(named), "{file}: a change of {source} builds nothing");
        }
    }
}

#[test]
fn what_runs_on_ones_own_machine_names_variables_that_exist() {
    let program = COMPOSE.split("\n  program:\n").nth(1).and_then(|rest| rest.split("\n  valkey:\n").next());
    let block = program.and_then(|program| program.split("    environment:\n").nth(1)).unwrap_or_default();
    let environment: BTreeMap<_, _> = block
        .lines()
        .take_while(|line| line.starts_with("      "))
        .filter_map(|line| line.trim().split_once(": "))
        .filter(|(name, _)| !name.starts_with('#'))
        .map(|(name, value)| (name, unquoted(value).to_owned()))
        .collect();
    assert!(environment.len() > 10, "{environment:?}");
    for name in environment.keys() {
        assert!(known(name).is_some_and(|variable| variable.need != Need::NoEffect), "{name}");
    }
    let settings = Settings::from_env(|name| environment.get(name).cloned());
    let settings = settings.unwrap_or_else(|errors| panic!("{}", describe_errors(&errors)));
    assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
    // Those of the receiver are the same.
    let secrets: Vec<_> =
        COMPOSE.lines().filter(|line| line.trim().starts_with("WEBHOOK_SECRET: ")).collect();
    assert!(secrets.len() == 2 && secrets[0] == secrets[1], "{secrets:?}");
}

#[test]
fn the_image_names_variables_that_exist() {
    let block =
        DOCKERFILE.split("\nENV ").nth(1).and_then(|rest| rest.split("\nEXPOSE").next()).unwrap_or_default();
    let names: Vec<_> = block.split_whitespace().filter_map(|word| word.split_once('=')).collect();
    assert!(names.len() >= 5, "{names:?}");
    for (name, _) in names {
        assert!(known(name).is_some(), "{name}");
    }
}
