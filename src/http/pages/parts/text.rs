//! What strangers wrote, as text.

use std::fmt;

use askama::filters::HtmlSafe;

/// A text of a stranger: a subject, a sender, an answer. It cannot change how what stands around
/// it is read: it is isolated (`<bdi>`, Unicode TR 9), and signs that are not seen are shown as such.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct UntrustedText(pub(in crate::http::pages) String);

impl HtmlSafe for UntrustedText {}

impl UntrustedText {
    /// Without the signs that are not seen: for a tab, which shows plain text only.
    pub(in crate::http::pages) fn visible(&self) -> String {
        self.0
            .chars()
            .map(|sign| if sign.is_whitespace() { ' ' } else { sign })
            .filter(|sign| !is_hidden(*sign))
            .collect()
    }
}

/// A text within HTML or SVG that is not made by a template, an attribute included.
pub(in crate::http::pages) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for sign in text.chars() {
        match entity(sign) {
            Some(entity) => escaped.push_str(entity),
            None => escaped.push(sign),
        }
    }
    escaped
}

/// The sign that HTML would take for its own, in words.
const fn entity(sign: char) -> Option<&'static str> {
    match sign {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        '\'' => Some("&#39;"),
        _ => None,
    }
}

impl fmt::Display for UntrustedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<bdi>")?;
        for sign in self.0.chars() {
            if let Some(entity) = entity(sign) {
                f.write_str(entity)?;
                continue;
            }
            match sign {
                '\n' | '\t' => write!(f, "{sign}")?,
                hidden if is_hidden(hidden) => {
                    write!(f, "<span class=\"hidden-sign\">U+{:04X}</span>", u32::from(hidden))?;
                }
                plain => write!(f, "{plain}")?,
            }
        }
        f.write_str("</bdi>")
    }
}

/// Controls, signs that turn the direction of reading, and those without a width.
const fn is_hidden(sign: char) -> bool {
    matches!(sign,
        '\u{0}'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_stranger_writes_is_markup_or_hidden() {
        let shown =
            UntrustedText("<img src=x onerror=\"a('b')\">&\u{202e}gpj.exe\u{0}é\n".to_owned()).to_string();
        assert_eq!(
            shown,
            "<bdi>&lt;img src=x onerror=&quot;a(&#39;b&#39;)&quot;&gt;&amp;\
             <span class=\"hidden-sign\">U+202E</span>gpj.exe<span class=\"hidden-sign\">U+0000</span>é\n</bdi>"
        );
    }

    #[test]
    fn a_tab_is_shown_what_can_be_seen() {
        assert_eq!(UntrustedText("Lot\n42 \u{202e}gpj.exe\u{0}".to_owned()).visible(), "Lot 42 gpj.exe");
    }
}
