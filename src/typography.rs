//! How French is set: a sign of two parts (`:`, `;`, `?`, `!`) stands behind a blank at which no line is
//! broken, U+00A0, as `Lang::colon` has it. English puts none there, so a plain blank before
//! such a sign in a text of the program is French that is set wrongly.

use std::path::{Path, PathBuf};

/// What is no text for people: patterns of mails, data of tests, and files that others mirror.
const ELSEWHERE: [&str; 15] = [
    "src/http/v1",
    "src/http/compat",
    "src/http/routes.rs",
    "src/http/pages/design",
    // Its test takes U+00A0 for a blank.
    "src/http/pages/mails/became/tests.rs",
    "src/demo/samples.rs",
    "src/typography.rs",
    "actors/src/egress",
    "actors/src/lock",
    "actors/src/mail/content.rs",
    "actors/src/mail/detect",
    "actors/src/mail/replies.rs",
    "actors/src/mail/links",
    "actors/src/r2/direct/disposition.rs",
    "actors/src/search",
];

/// What the PHP host says in the same words, sign by sign.
const MIRRORED: [&str; 2] = ["champ inconnu : ", "booléen attendu : "];

/// Words of SQL, whose `?` is a value, and the head of a mail.
const NO_PROSE: [&str; 9] =
    ["SELECT", "WHERE", "INSERT", "UPDATE", "DELETE", "LIMIT", "BASE64", "quoted-printable", "Content-Type"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The plain string literals of a source: comments, characters and raw strings are passed over.
fn literals(source: &str) -> Vec<String> {
    let (mut found, mut rest) = (Vec::new(), source);
    while let Some(at) = rest.find(['"', '/', '\'', 'r']) {
        let before = rest[..at].chars().next_back();
        let here = &rest[at..];
        let raw = here.starts_with("r\"") || here.starts_with("r#\"");
        let skip = if here.starts_with("//") {
            here.find('\n').unwrap_or(here.len())
        } else if raw && !before.is_some_and(|sign| sign.is_alphanumeric() || sign == '_') {
            let end = if here.starts_with("r#") { "\"#" } else { "\"" };
            3 + here[3..].find(end).map_or(here.len() - 3, |place| place + end.len())
        } else if here.starts_with("'\"'") {
            3
        } else if here.starts_with("'\\") {
            4
        } else if let Some(text) = here.strip_prefix('"') {
            let mut escaped = false;
            let end = text.char_indices().find(|(_, sign)| {
                let ends = *sign == '"' && !escaped;
                escaped = *sign == '\\' && !escaped;
                ends
            });
            let end = end.map_or(text.len(), |(place, _)| place);
            found.push(text[..end].to_owned());
            end + 2
        } else {
            1
        };
        rest = here.get(skip..).unwrap_or_default();
    }
    found
}

/// Whether a plain blank stands before a sign of two parts that ends a phrase.
fn is_set_wrongly(text: &str) -> bool {
    let signs: Vec<char> = text.chars().collect();
    signs.iter().enumerate().any(|(place, sign)| {
        let before = place.checked_sub(2).and_then(|at| signs.get(at));
        let blank = place.checked_sub(1).and_then(|at| signs.get(at)) == Some(&' ');
        let ends = signs.get(place + 1).is_none_or(|next| matches!(next, ' ' | '\\' | ')' | '"' | '»' | '.'));
        let of_words = before.is_some_and(|sign| sign.is_alphanumeric() || "})»`%'.…".contains(*sign));
        matches!(sign, ':' | ';' | '?' | '!') && blank && ends && of_words
    })
}

#[test]
fn no_french_sign_of_two_parts_is_torn_from_its_word() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut files, mut wrong, mut french) = (Vec::new(), Vec::new(), 0);
    sources(&root.join("src"), &mut files);
    sources(&root.join("actors/src"), &mut files);
    for file in files {
        let name = file.strip_prefix(root).unwrap().display().to_string();
        if ELSEWHERE.iter().any(|elsewhere| name.starts_with(elsewhere)) {
            continue;
        }
        for text in literals(&std::fs::read_to_string(&file).unwrap()) {
            french += usize::from(text.contains("\u{a0}:") || text.contains("\\u{a0}:"));
            let exempt = MIRRORED.iter().chain(&NO_PROSE).any(|words| text.contains(words));
            if !exempt && is_set_wrongly(&text) {
                wrong.push(format!("{name}: {text}"));
            }
        }
    }
    assert!(french > 200, "the texts are found: {french}");
    assert!(wrong.is_empty(), "U+00A0 is missing:\n{}", wrong.join("\n"));
}

#[test]
fn what_is_set_wrongly_is_told_from_what_is_not() {
    for text in ["Rien\u{a0}: voilà", "is it? yes: no", "12:30", "a = ?", "{x}\u{a0}; {y}", ":: ;"] {
        assert!(!is_set_wrongly(text), "{text}");
    }
    for text in ["Rien : voilà", "Quoi ?", "{x} ; {y}", "« a » : b"] {
        assert!(is_set_wrongly(text), "{text}");
    }
    assert_eq!(
        literals("let a = \"x \\\" : y\"; // \"no\"\nlet b = '\"'; r#\"raw\"# \"z\""),
        ["x \\\" : y", "z"]
    );
}
