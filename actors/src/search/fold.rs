//! Texts as they are compared: without case and accents, letters that are two in other spellings
//! written as two, and blanks alike. Pure.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Characters of a text that are folded; the rest is not found.
const LONGEST: usize = 400;
/// Words of a question that count.
const WORDS: usize = 16;

/// A text as it is compared.
#[must_use]
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    // Lower case first: a letter such as `İ` becomes one and a mark, which then goes.
    let lower = text.chars().take(LONGEST).flat_map(char::to_lowercase);
    for character in lower.nfkd().filter(|character| !is_combining_mark(*character)) {
        match character {
            'œ' => folded.push_str("oe"),
            'æ' => folded.push_str("ae"),
            'ß' => folded.push_str("ss"),
            'þ' => folded.push_str("th"),
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'đ' | 'ð' => folded.push('d'),
            'ħ' => folded.push('h'),
            'ı' => folded.push('i'),
            'ς' => folded.push('σ'),
            '\u{2018}' | '\u{2019}' | '\u{02bc}' => folded.push('\''),
            '\u{2010}'..='\u{2015}' => folded.push('-'),
            // Cannot be seen, so nobody types it.
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' => {}
            blank if blank.is_whitespace() || blank.is_control() => {
                if !folded.ends_with(' ') {
                    folded.push(' ');
                }
            }
            // Compatibility forms decompose into capitals, too.
            other => folded.extend(other.to_lowercase()),
        }
    }
    folded.trim().to_owned()
}

/// The words of a question, each to be found as a part of a text.
#[must_use]
pub(super) fn words(question: &str) -> Vec<String> {
    fold(question).split(' ').filter(|word| !word.is_empty()).take(WORDS).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_that_are_the_same_to_a_reader_are_the_same() {
        for (text, folded) in [
            ("Média Solution – Été", "media solution - ete"),
            ("E\u{301}te\u{301}", "ete"),
            ("Œuvre, cœur, Æther", "oeuvre, coeur, aether"),
            ("STRASSE Straße", "strasse strasse"),
            ("İstanbul ıssız", "istanbul issiz"),
            ("ﬁchier ① ℡", "fichier 1 tel"),
            ("l’été l'été", "l'ete l'ete"),
            ("Łódź Ørsted Đorđe", "lodz orsted dorde"),
            ("  a\t\n b\u{a0}c ", "a b c"),
            ("re\u{ad}cadrage\u{200b}", "recadrage"),
            ("ΣΊΣΥΦΟΣ", "σισυφοσ"),
            ("\u{0}a\u{7}b", "a b"),
            ("", ""),
        ] {
            assert_eq!(fold(text), folded, "{text:?}");
        }
        assert_eq!(words(" Lot 42 \"É\" OR "), ["lot", "42", "\"e\"", "or"]);
        assert_eq!(words(" \u{301} "), [""; 0]);
        assert_eq!(words(&"a ".repeat(100)).len(), WORDS);
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in ".{0,60}") {
            let once = fold(&text);
            prop_assert_eq!(&fold(&once), &once);
            prop_assert!(!once.chars().any(char::is_control));
        }
    }
}
