//! HTML to the text a reader sees, for the detectors. One pass, no look-ahead: the cost is
//! linear whatever the markup.

use super::markup::{MarkupToken, Tokens};

/// Renders HTML: tags, comments, style and script dropped, entities decoded, blocks on
/// lines of their own, and `<blockquote>` (the history of a reply) marked with `> ` as in
/// plain text.
pub(super) fn to_text(html: &str) -> String {
    let mut page =
        TextCollector { out: String::with_capacity(html.len() / 2), quotes: 0, blank: Blank::Line };
    for token in Tokens::of(html) {
        match token {
            // A tag that never ends: what is left is shown as it is.
            MarkupToken::Text(text) | MarkupToken::Unfinished(text) => page.text(text),
            MarkupToken::Tag(tag) => page.tag(tag.name, tag.closing),
        }
    }
    page.out
}

/// What the output ends with.
#[derive(PartialEq, Eq, Clone, Copy)]
enum Blank {
    /// Nothing, or a line end.
    Line,
    /// Text.
    None,
    /// Text, and a blank that is written before the next word.
    Space,
}

struct TextCollector {
    out: String,
    quotes: usize,
    blank: Blank,
}

impl TextCollector {
    fn text(&mut self, text: &str) {
        for (index, word) in text.split([' ', '\t', '\r', '\n', '\u{c}']).enumerate() {
            if index > 0 && self.blank == Blank::None {
                self.blank = Blank::Space;
            }
            if word.is_empty() {
                continue;
            }
            match self.blank {
                Blank::Line if self.quotes > 0 => self.out.push_str("> "),
                Blank::Space => self.out.push(' '),
                Blank::Line | Blank::None => {}
            }
            if word.contains('&') {
                html_escape::decode_html_entities_to_string(word, &mut self.out);
            } else {
                self.out.push_str(word);
            }
            self.blank = Blank::None;
        }
    }

    fn tag(&mut self, name: &str, closing: bool) {
        const BLOCKS: [&str; 24] = [
            "br",
            "p",
            "div",
            "tr",
            "li",
            "ul",
            "ol",
            "table",
            "tbody",
            "thead",
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "hr",
            "pre",
            "section",
            "article",
            "header",
            "footer",
            "blockquote",
            "body",
        ];
        if name.eq_ignore_ascii_case("blockquote") {
            self.line();
            self.quotes = if closing { self.quotes.saturating_sub(1) } else { self.quotes + 1 };
        } else if BLOCKS.iter().any(|block| name.eq_ignore_ascii_case(block)) {
            self.line();
        } else if ["td", "th", "dt", "dd", "img", "option"].iter().any(|cell| name.eq_ignore_ascii_case(cell))
            && self.blank == Blank::None
        {
            self.blank = Blank::Space;
        }
    }

    fn line(&mut self) {
        if self.blank != Blank::Line {
            self.out.push('\n');
            self.blank = Blank::Line;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::to_text;

    #[test]
    fn what_a_reader_sees() {
        assert_eq!(
            to_text(
                "<html><head><title>x</title><style>p {a:b}</style></head><body><p>&Agrave; <b>fai</b>re\r\n pour \
                 11h51</p><table><tr><td>Lot</td><td>42</td></tr></table><!-- 9h00 --><div>a &lt; b</div>"
            ),
            "À faire pour 11h51\nLot 42\na < b\n"
        );
    }

    #[test]
    fn history_is_marked() {
        assert_eq!(
            to_text(
                "<p>Neuf</p><blockquote>vieux<br>tr&egrave;s<blockquote>ancien</blockquote></blockquote>fin"
            ),
            "Neuf\n> vieux\n> très\n> ancien\nfin"
        );
    }

    #[test]
    fn broken_markup_keeps_the_text() {
        assert_eq!(to_text("a < b et c <"), "a < b et c <");
        assert_eq!(to_text("a <b"), "a <b");
        assert_eq!(to_text("<head>x<body>y"), "x\ny");
        assert_eq!(to_text("<head/><p>y"), "y");
        assert_eq!(to_text("<head><title>x</title><meta a><p>y"), "y");
        for comment in ["<!-->", "<!--->", "<!-- a -- b -->", "<!-- a --!>", "<!------>", "<!-- a --->"] {
            assert_eq!(to_text(&format!("x{comment}y")), "xy", "{comment}");
        }
        assert_eq!(to_text("y<!-- z"), "y");
        assert_eq!(to_text("tarifs&nbsp;habituels"), "tarifs\u{a0}habituels");
    }
}
