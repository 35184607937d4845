//! Quotation marks around a value.
//!
//! A shell takes them off, a file of variables may not: `docker run --env-file` and many
//! platforms' editors hand them to the program, where they change what the value means.

/// Opening and closing marks, straight ones and those of word processors.
const MARKS: [(char, char); 4] = [('"', '"'), ('\'', '\''), ('“', '”'), ('‘', '’')];

/// What stands between the marks; `None` = there are none around it.
pub(super) fn around(value: &str) -> Option<&str> {
    MARKS.iter().find_map(|(open, close)| value.strip_prefix(*open)?.strip_suffix(*close)).map(str::trim)
}

/// Whether it is one of them.
pub(super) fn is_mark(letter: char) -> bool {
    MARKS.iter().any(|(open, close)| letter == *open || letter == *close)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_count_only_as_a_pair() {
        for (value, inner) in [
            ("\"true\"", Some("true")),
            ("'data'", Some("data")),
            ("“oui”", Some("oui")),
            ("\" a@b.fr \"", Some("a@b.fr")),
            ("\"\"", Some("")),
            ("\"", None),
            ("\"half", None),
            ("l'été", None),
            ("\"mixed'", None),
            ("", None),
        ] {
            assert_eq!(around(value), inner, "{value}");
        }
    }
}
