//! Subjects of replies, forwards and automatic answers: by the prefix with which a mail
//! program begins them, behind the marks that gateways and mailing lists put before it.

use super::identity::{normalize, visible};

/// Marks before the prefix that are looked behind.
const MARKS: usize = 4;
/// Characters of a mark in brackets.
const MARK: usize = 60;

/// Prefixes that mail programs write, in several languages, without their colon.
const PREFIXES: [&str; 52] = [
    // replies
    "re",
    "rep",
    "reponse",
    "aw",
    "antw",
    "antwort",
    "sv",
    "vs",
    "odp",
    "ynt",
    "res",
    "rif",
    "ref",
    "答复",
    "回复",
    "回覆",
    // forwards
    "fwd",
    "fw",
    "tr",
    "rv",
    "wg",
    "vb",
    "vl",
    "enc",
    "doorst",
    "ilt",
    "i̇lt",
    "pd",
    "转发",
    "轉寄",
    // answers of programs
    "confirmation",
    "automatic reply",
    "auto reply",
    "autoreply",
    "auto-reply",
    "auto response",
    "out of office",
    "out of office autoreply",
    "reponse automatique",
    "absence du bureau",
    "automatische antwort",
    "abwesenheitsnotiz",
    "respuesta automatica",
    "risposta automatica",
    "resposta automatica",
    "automatisch antwoord",
    // receipts and answers to invitations
    "lu",
    "read",
    "accepted",
    "declined",
    "tentative",
    "undeliverable",
];

/// Words before the prefix that say where a mail comes from: `EXTERNAL: RE: …`.
const WORDS: [&str; 5] = ["external", "externe", "extern", "ext", "externo"];

/// What makes a subject that of a reply. The default is what mail programs write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyPrefixes {
    prefixes: Vec<String>,
    marks: Vec<String>,
}

impl Default for ReplyPrefixes {
    fn default() -> Self {
        Self::new(&PREFIXES, &WORDS)
    }
}

impl ReplyPrefixes {
    /// These prefixes, and these words that may stand before one. Accents, case and blanks do
    /// not count.
    pub fn new<T: AsRef<str>>(prefixes: &[T], marks: &[T]) -> Self {
        let compared = |words: &[T]| {
            let words = words.iter().map(|word| normalize(word.as_ref()));
            words.filter(|word| !word.is_empty()).collect()
        };
        Self { prefixes: compared(prefixes), marks: compared(marks) }
    }

    /// The default, with what is given in place of its prefixes or of its words.
    #[must_use]
    pub fn with(prefixes: Option<&[String]>, marks: Option<&[String]>) -> Self {
        let mut all = Self::default();
        if let Some(prefixes) = prefixes {
            all.prefixes = Self::new(prefixes, &[]).prefixes;
        }
        if let Some(marks) = marks {
            all.marks = Self::new(marks, &[]).prefixes;
        }
        all
    }

    /// The prefix that makes `subject` that of a reply, as it is compared.
    #[must_use]
    pub fn found_in(&self, subject: &str) -> Option<&str> {
        let seen = visible(subject);
        let mut rest = seen.trim();
        for _ in 0..=MARKS {
            let (before, after) = match rest.find([':', '：']) {
                Some(colon) => rest.split_at(colon),
                None => (rest, ""),
            };
            let has_colon = !after.is_empty();
            let head = normalize(without_counter(before.trim()));
            if has_colon && let Some(prefix) = self.prefixes.iter().find(|prefix| **prefix == head) {
                return Some(prefix);
            }
            rest = match without_brackets(rest) {
                Some(behind) => behind,
                None if has_colon && self.marks.contains(&head) => after.trim_start_matches([':', '：']),
                None => return None,
            }
            .trim_start_matches(|letter: char| letter.is_whitespace() || "-–|".contains(letter));
        }
        None
    }
}

/// `Re[2]`, `RE(3)`, `Re^2`: some programs count.
fn without_counter(written: &str) -> &str {
    let bare = written.trim_end_matches(|letter: char| letter.is_ascii_digit() || "[]()^ ".contains(letter));
    if bare.is_empty() { written } else { bare }
}

/// What stands behind a mark in brackets at the start: `[EXTERNE]`, `(External)`, `[a-list]`.
fn without_brackets(text: &str) -> Option<&str> {
    let close = match text.chars().next()? {
        '[' => ']',
        '(' => ')',
        '{' => '}',
        '*' => '*',
        _ => return None,
    };
    let end = text.char_indices().skip(1).take(MARK).find(|(_, letter)| *letter == close)?.0;
    text.get(end + close.len_utf8()..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_of_mail_programs_make_a_reply() {
        let all = ReplyPrefixes::default();
        for subject in [
            "Re: x",
            "RE : x",
            "TR:x",
            "fwd:",
            "Confirmation : x",
            "Re\u{a0}: x",
            "AW: x",
            "Antw: x",
            "Ré: x",
            "Rép : x",
            "Réponse : x",
            "SV: x",
            "WG: x",
            "Re[2]: x",
            "RE(3): x",
            "Re^2: x",
            "Re：x",
            "回复：x",
            "Re\u{200b}: x",
            "Réponse automatique : x",
            "Automatic reply: x",
            "Lu : x",
            "Accepted: x",
            "[EXTERNE] RE: x",
            "[External] Automatic reply: x",
            "[missions] Re: x",
            "EXTERNAL: RE: x",
            "[a][b] (c) TR : x",
            "*EXTERNE* - Re: x",
            "[EXT] EXTERNE : AW: x",
            "  re: x",
        ] {
            assert!(all.found_in(subject).is_some(), "{subject}");
        }
        for subject in [
            "Lot 3 ",
            "Retour : x",
            "Média Solution - Re: x",
            "[urgent] Lot 3",
            "Reprise : x",
            "",
            "re",
            ":",
            "[",
            "[Re: x]",
            "Lot: re: x",
            "External partner: x",
            "Resume: x",
            "[a][b][c][d][e] Re: x",
            "Livraison 11:51",
            "Read me: x",
        ] {
            assert!(all.found_in(subject).is_none(), "{subject}");
        }
    }

    #[test]
    fn the_operator_names_his_own() {
        let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let prefixes = ReplyPrefixes::with(Some(&own(&["Suite à"])), Some(&own(&["Portail"])));
        assert_eq!(prefixes.found_in("SUITE A : x"), Some("suite a"));
        assert_eq!(prefixes.found_in("Portail : suite à : x"), Some("suite a"));
        assert_eq!(prefixes.found_in("Re: x"), None);
        assert_eq!(ReplyPrefixes::with(Some(&[]), None).found_in("Re: x"), None);
    }
}
