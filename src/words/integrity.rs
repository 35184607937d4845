//! What the check of a journal finds, said in French. The journal itself says it in English, which is
//! what programs and logs have.

use std::borrow::Cow;

use super::recorded::plain;
use crate::lang::Lang;

/// What is said around names and numbers, each a `{}`, which stand in the same order in both.
const SENTENCES: [(&str, &str); 20] = [
    ("and {} more problems", "et {} autres problèmes"),
    ("the file is damaged: {}", "le fichier est endommagé\u{a0}: {}"),
    ("position {} follows {}", "la position {} suit la position {}"),
    ("event {} cannot be read: {}", "l'événement {} ne peut pas être lu\u{a0}: {}"),
    ("event {} cannot be read", "l'événement {} ne peut pas être lu"),
    (
        "event {} has version {} after {} in its stream",
        "l'événement {} a la version {} après la version {} dans son flux",
    ),
    ("event {} belongs to no stream", "l'événement {} n'appartient à aucun flux"),
    (
        "event {} ({} in {}) should be archived, or should not",
        "l'événement {} ({} dans {}) devrait être archivé, ou ne devrait pas l'être",
    ),
    (
        "event {} ({} in {}) does not match its checksum",
        "l'événement {} ({} dans {}) ne correspond pas à sa somme de contrôle",
    ),
    (
        "event {} ({} in {}) has a payload that is not JSON",
        "l'événement {} ({} dans {}) a un contenu qui n'est pas du JSON",
    ),
    ("event {} does not match its checksum", "l'événement {} ne correspond pas à sa somme de contrôle"),
    (
        "stream {} should end with version {} at position {}",
        "le flux {} devrait finir par la version {} à la position {}",
    ),
    ("stream {} should have {} events and has {}", "le flux {} devrait avoir {} événements et en a {}"),
    ("row {} is in the unknown queue {}", "la ligne {} est dans la file inconnue {}"),
    (
        "{} row {} refers to the body {}, which is not there",
        "file {}\u{a0}: la ligne {} renvoie au corps {}, qui n'est pas là",
    ),
    ("a {} row cannot be read", "une ligne de la file {} ne peut pas être lue"),
    ("body {} does not match its checksum", "le corps {} ne correspond pas à sa somme de contrôle"),
    (
        "read model {} has seen position {}, the log ends at {}",
        "la table de lecture {} a vu la position {}, le journal finit à {}",
    ),
    (
        "{} events are missing from the log, {} were archived",
        "{} événements manquent au journal, {} ont été archivés",
    ),
    ("the id of event {} leads to {}", "l'identifiant de l'événement {} mène à {}"),
];

/// What is wrong with a journal, in the user's language.
pub(crate) fn problem(lang: Lang, found: &str) -> Cow<'_, str> {
    match lang {
        Lang::En => found.into(),
        Lang::Fr => french(found).map_or_else(|| plain(lang, found), Cow::Owned),
    }
}

fn french(found: &str) -> Option<String> {
    said_in_french(&SENTENCES, found)
}

/// The sentence that this is, in French, with what stands in it in French as far as that is known.
pub(super) fn said_in_french(sentences: &[(&str, &str)], found: &str) -> Option<String> {
    sentences.iter().find_map(|(english, french)| {
        let mut values = values(english, found)?.into_iter();
        let mut said = String::new();
        for (place, part) in french.split("{}").enumerate() {
            if place > 0 {
                said.push_str(&plain(Lang::Fr, values.next()?));
            }
            said.push_str(part);
        }
        Some(said)
    })
}

/// What stands at each `{}` of a sentence; `None` = it is another sentence.
fn values<'f>(sentence: &str, found: &'f str) -> Option<Vec<&'f str>> {
    let (first, rest) = sentence.split_once("{}")?;
    let mut left = found.strip_prefix(first)?;
    let mut values = Vec::new();
    let parts: Vec<&str> = rest.split("{}").collect();
    let (last, between) = parts.split_last()?;
    for part in between {
        let (value, behind) = left.split_once(part)?;
        values.push(value);
        left = behind;
    }
    values.push(left.strip_suffix(last)?);
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_check_finds_is_said_in_french_with_its_names_and_numbers() {
        for (english, french) in [
            ("position 7 follows 5", "la position 7 suit la position 5"),
            (
                "event 7 (mail.received in mail-a) does not match its checksum",
                "l'événement 7 (mail.received dans mail-a) ne correspond pas à sa somme de contrôle",
            ),
            (
                "event 9 has version 3 after 1 in its stream",
                "l'événement 9 a la version 3 après la version 1 dans son flux",
            ),
            (
                "deliver row \"a\" refers to the body \"b\", which is not there",
                "file deliver\u{a0}: la ligne \"a\" renvoie au corps \"b\", qui n'est pas là",
            ),
            ("and 12 more problems", "et 12 autres problèmes"),
            (
                "body \"x\" does not match its checksum",
                "le corps \"x\" ne correspond pas à sa somme de contrôle",
            ),
            ("words that nobody knows", "words that nobody knows"),
        ] {
            assert_eq!(problem(Lang::Fr, english), french);
            assert_eq!(problem(Lang::En, english), english);
        }
    }

    #[test]
    fn every_sentence_of_the_checks_has_its_french() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/actors/src/kernel/journal/");
        let (mut seen, mut missing) = (0, Vec::new());
        for file in ["sqlite/verify.rs", "redis/verify.rs"] {
            let text = std::fs::read_to_string(format!("{root}{file}")).unwrap();
            for literal in text.split("format!(").skip(1) {
                let literal = literal.trim_start().strip_prefix('"').unwrap_or_default();
                let sentence = literal.split('"').next().unwrap_or_default();
                // What is asked of Redis is no sentence.
                if !sentence.contains(' ') {
                    continue;
                }
                let holes = sentence.split('{').enumerate().map(|(place, part)| {
                    match (place, part.split_once('}')) {
                        (0, _) | (_, None) => part.to_owned(),
                        (_, Some((_, rest))) => format!("9{rest}"),
                    }
                });
                let said: String = holes.collect();
                seen += 1;
                if french(&said).is_none() {
                    missing.push(said);
                }
            }
        }
        assert!(missing.is_empty(), "no French for {missing:?}");
        assert!(seen > 15, "{seen}");
    }
}
