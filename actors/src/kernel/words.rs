//! What strangers write, where it could pretend to be something else: on a terminal, in the
//! name of a file, in an address. Pure.

use std::borrow::Cow;

/// Whether a character shows nothing by itself but changes how others are shown: a control
/// character (C0, DEL, C1: terminals obey U+009B as they obey ESC `[`), a mark or an override
/// of the direction of writing (`gpj.exe` would look like `exe.jpg`), or an invisible end of
/// a line.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// The text with every hidden character but those that `keep` wants written as `\u202e`: as
/// in JSON, so that a JSON text still says the same.
#[must_use]
pub fn visible(text: &str, keep: impl Fn(char) -> bool) -> Cow<'_, str> {
    let escaped = |c: char| is_hidden(c) && !keep(c);
    if !text.contains(escaped) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if escaped(c) {
            shown.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_steers_a_terminal_is_written_out() {
        let none = |_| false;
        assert_eq!(visible("Média « Lot 42 » 👩‍💻", none), "Média « Lot 42 » 👩‍💻");
        assert_eq!(visible("a\u{1b}[31mb\u{9b}2J\u{7f}", none), "a\\u001b[31mb\\u009b2J\\u007f");
        assert_eq!(visible("annex\u{202e}gpj.exe\u{2028}", none), "annex\\u202egpj.exe\\u2028");
        assert_eq!(visible("a\nb\u{9d}", |c| c == '\n'), "a\nb\\u009d");
        let json = serde_json::json!({"subject": "a\u{9b}\u{2066}\u{1b}"}).to_string();
        let shown = visible(&json, none);
        assert!(!shown.contains(is_hidden));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).ok(), serde_json::from_str(&json).ok());
    }

    proptest! {
        #[test]
        fn nothing_hidden_is_left(text in any::<String>()) {
            let shown = visible(&text, |_| false).into_owned();
            prop_assert!(!shown.contains(is_hidden));
            prop_assert_eq!(visible(&shown, |_| false), shown.as_str());
        }
    }
}
