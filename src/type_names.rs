//! One noun, one type: no two types of the workspace share a name, so that a search for one finds
//! that one. Tests may call theirs what they like.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What begins the definition of a type.
const KINDS: [&str; 5] = ["struct", "enum", "trait", "type", "union"];

/// The sources below `folder`, without tests that have files of their own.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        if name == "tests" || name.ends_with("_tests") {
            continue;
        }
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The types that are defined at the top level of a source, whoever may see them.
fn types(source: &str) -> impl Iterator<Item = &str> {
    let code = source.split("\nmod tests {").next().unwrap_or(source);
    code.lines().filter(|line| !line.starts_with(' ')).filter_map(|line| {
        let line = line.strip_prefix("pub").unwrap_or(line);
        // The scope of `pub(crate)`.
        let line = line.split_once(") ").filter(|_| line.starts_with('(')).map_or(line, |(_, rest)| rest);
        let mut words = line.trim_start().split(|sign: char| !sign.is_alphanumeric() && sign != '_');
        words.next().filter(|word| KINDS.contains(word)).and_then(|_| words.next())
    })
}

#[test]
fn definitions_are_recognised() {
    let source = "pub struct A;\npub(crate) enum B {}\nstruct C<T>(T);\n    struct Inner;\npub(in crate::x) type D = u8;\n\
                  // struct No\nimpl A {}\nlet struct_e = 1;\n#[cfg(test)]\nmod tests {\nstruct Test;";
    assert_eq!(types(source).collect::<Vec<_>>(), ["A", "B", "C", "D"]);
}

#[test]
fn no_two_types_share_a_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "actors/src"] {
        sources(&root.join(folder), &mut files);
    }
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in &files {
        let place = file.strip_prefix(root).unwrap().display().to_string();
        for name in types(&std::fs::read_to_string(file).unwrap()) {
            places.entry(name.to_owned()).or_default().push(place.clone());
        }
    }
    assert!(places.len() > 1_000, "the sources are where they were: {}", places.len());
    let shared: Vec<_> = places.iter().filter(|(_, places)| places.len() > 1).collect();
    assert!(shared.is_empty(), "one noun, one type: {shared:#?}");
}
