//! The table of the reference system's weaknesses in `docs/compatibility.md` is whole, and names tests
//! that exist. Of one of them, secrets in the repository, the test is here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

const PAGE: &str = include_str!("../docs/compatibility.md");
const COUNT: usize = 102;
/// What a weakness without a test, or with an open part, begins with.
const WORDS: [&str; 3] = ["**does not apply**", "**not yet**", "**kept**"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The rows of the table: number, and what closes it.
fn rows(page: &str) -> Vec<(usize, &str)> {
    let row = Regex::new(r"(?m)^\| W-(\d+) \| [^|]+ \| (.+) \|$").unwrap();
    row.captures_iter(page).map(|row| (row[1].parse().unwrap(), row.get(2).unwrap().as_str())).collect()
}

/// The tests that a text names: file and function.
fn named(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split('`')
        .filter_map(|part| part.split_once(".rs::").map(|_| part))
        .filter_map(|part| part.split_once("::"))
}

/// Whether a source has a test of this name: a function with an attribute such as `#[tokio::test]`.
fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let begins = [format!("fn {name}("), format!("async fn {name}(")];
    lines.iter().enumerate().filter(|(_, line)| begins.iter().any(|begin| line.starts_with(begin))).any(
        |(at, _)| {
            let above = lines
                .iter()
                .take(at)
                .rev()
                .take_while(|line| line.starts_with("#[") || line.starts_with("//"));
            let mut attributes = above.filter(|line| line.starts_with("#["));
            attributes.any(|line| line.contains("test]") || line.contains("test("))
        },
    )
}

#[test]
fn tests_are_recognised() {
    let source = "    #[tokio::test(start_paused = true)]\n    /// Of it.\n    async fn one() {}\n\
                  #[test]\nfn two(a in b) {}\n#[cfg(unix)]\nfn three() {}\nfn four() {}";
    let found: Vec<_> =
        ["one", "two", "three", "four", "tw"].into_iter().filter(|name| has_test(source, name)).collect();
    assert_eq!(found, ["one", "two"]);
    let page = "| | x | y |\n| W-01 | odd | `a/b.rs::one`, `c.rs::two` |\n| W-02 | z | **not yet**: `d`, `e.rs::f` |\n";
    let found: Vec<_> =
        rows(page).into_iter().map(|(number, by)| (number, named(by).collect::<Vec<_>>())).collect();
    assert_eq!(found, [(1, vec![("a/b.rs", "one"), ("c.rs", "two")]), (2, vec![("e.rs", "f")])]);
}

#[test]
fn each_weakness_is_closed_by_tests_that_exist() {
    let rows = rows(PAGE);
    let numbers: Vec<usize> = rows.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=COUNT).collect::<Vec<_>>(), "each once, in order");
    let mut wrong = Vec::new();
    for (number, by) in rows {
        let mut count = 0;
        for (file, name) in named(by) {
            count += 1;
            let source = fs::read_to_string(root().join(file)).unwrap_or_default();
            if !has_test(&source, name) {
                wrong.push(format!("W-{number:02}: there is no test {name} in {file}"));
            }
        }
        if count == 0 && !WORDS.iter().any(|word| by.starts_with(word)) {
            wrong.push(format!("W-{number:02}: neither a test nor one of {WORDS:?}"));
        }
    }
    assert!(wrong.is_empty(), "docs/compatibility.md:\n{}", wrong.join("\n"));
}

/// Every file that could be checked in.
fn files(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    let has_builds = folder.join("Cargo.toml").exists();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default();
        let made = [".git", "node_modules", "corpus"].into_iter().any(|other| name == other);
        if made || (has_builds && name == "target") {
            continue;
        }
        if path.is_dir() && !path.is_symlink() {
            files(&path, found);
        } else if path.is_file() {
            found.insert(path);
        }
    }
}

#[test]
fn no_file_holds_what_opens_something() {
    // Keys in PEM, of Google, AWS, GitHub, Slack and Render, refresh tokens of Google, and Make's webhooks,
    // whose addresses are capabilities.
    let secret = Regex::new(concat!(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s*[A-Za-z0-9+/=]{40}|GOCSPX-[A-Za-z0-9_-]{20}|\bAKIA[0-9A-Z]{16}\b",
        r"|\bgh[pousr]_[A-Za-z0-9]{30}|\bxox[abp]-[0-9A-Za-z-]{20}|\brnd_[A-Za-z0-9]{20}|\b1//0[A-Za-z0-9_-]{30}",
        r"|hook\.(?:eu|us)\d\.make\.com/[a-z0-9]{30}",
    ))
    .unwrap();
    let mut paths = BTreeSet::new();
    files(root(), &mut paths);
    assert!(paths.len() > 1_000, "the files are where they were: {}", paths.len());
    let found: Vec<_> = paths
        .iter()
        .filter(|path| {
            let content = fs::read(path).unwrap_or_default();
            secret.is_match(&String::from_utf8_lossy(&content))
        })
        .collect();
    assert!(found.is_empty(), "{found:?}");
    // In pieces: this file is among those that are searched.
    for sample in [
        ["GOCSPX", "-abcdefghijklmnopqrstuv"],
        ["AKIA", "ABCDEFGHIJKLMNOP"],
        ["1//", "0abcdefghijklmnopqrstuvwxyz012345"],
    ] {
        assert!(secret.is_match(&sample.concat()), "{sample:?}");
    }
}
