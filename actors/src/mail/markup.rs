//! HTML in pieces, as a browser reads it (HTML standard, section 13.2.5), as far as mails need
//! that: comments and what is never shown are left out, a `>` in a quoted value ends no tag.
//!
//! One pass: the cost is linear whatever the markup.

/// A piece of a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MarkupToken<'h> {
    /// Text, its entities untouched.
    Text(&'h str),
    /// A tag.
    Tag(Tag<'h>),
    /// A tag that never ends, with all that follows. The last piece.
    Unfinished(&'h str),
}

/// A tag.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tag<'h> {
    /// As written, without what follows a `:` or `-`.
    pub(super) name: &'h str,
    /// `</…>`.
    pub(super) closing: bool,
    attributes: &'h str,
}

/// Elements whose content is never shown, and is no markup either.
const UNSEEN: [&str; 8] = ["style", "script", "title", "template", "xmp", "iframe", "noembed", "noframes"];

/// The pieces of a page.
pub(super) struct Tokens<'h> {
    rest: &'h str,
    /// Inside which element of [`UNSEEN`] the rest begins.
    unseen: Option<&'static str>,
    /// Quotation marks that do not occur any more, so that nobody looks for them again.
    gone: [bool; 2],
}

impl<'h> Tokens<'h> {
    /// Reads `html` from its beginning.
    pub(super) const fn of(html: &'h str) -> Self {
        Self { rest: html, unseen: None, gone: [false; 2] }
    }

    fn split(&mut self, at: usize) -> &'h str {
        let (piece, rest) = self.rest.split_at_checked(at).unwrap_or((self.rest, ""));
        self.rest = rest;
        piece
    }

    /// What begins with `<`; `None` when it is nothing that is shown.
    fn markup(&mut self) -> Option<MarkupToken<'h>> {
        let body = self.rest.get(1..).unwrap_or_default();
        if let Some(comment) = body.strip_prefix("!--") {
            self.rest = after_comment(comment).unwrap_or_default();
            return None;
        }
        let named = body.strip_prefix('/').unwrap_or(body);
        if !named.starts_with(|first: char| first.is_ascii_alphabetic()) {
            if !body.starts_with(['/', '!', '?']) {
                return Some(MarkupToken::Text(self.split(1)));
            }
            // A declaration, or a comment by mistake.
            let Some(end) = self.rest.find('>') else {
                return Some(MarkupToken::Unfinished(self.split(usize::MAX)));
            };
            self.split(end + 1);
            return None;
        }
        let Some(end) = self.end_of_tag() else {
            return Some(MarkupToken::Unfinished(self.split(usize::MAX)));
        };
        let closing = body.starts_with('/');
        let inner = self.split(end + 1);
        let inner = inner.get(1 + usize::from(closing)..end).unwrap_or_default();
        let name = inner.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(inner.len());
        let (name, attributes) = inner.split_at_checked(name).unwrap_or((inner, ""));
        if !closing {
            self.unseen = UNSEEN.into_iter().find(|element| name.eq_ignore_ascii_case(element));
        }
        Some(MarkupToken::Tag(Tag { name, closing, attributes }))
    }

    /// Where the `>` of the tag stands with which the rest begins.
    fn end_of_tag(&mut self) -> Option<usize> {
        let bytes = self.rest.as_bytes();
        let mut at = 1;
        loop {
            match bytes.get(at)? {
                b'>' => return Some(at),
                b'=' => {
                    at += 1;
                    at += bytes.get(at..)?.iter().position(|byte| !byte.is_ascii_whitespace())?;
                    at = self.after_quoted(at).unwrap_or(at);
                }
                _ => at += 1,
            }
        }
    }

    /// Behind the quoted value that begins there; `None` where none does. A quotation mark that
    /// nothing closes is none.
    fn after_quoted(&mut self, at: usize) -> Option<usize> {
        let marks = [b'"', b'\''];
        let mark = self.rest.as_bytes().get(at)?;
        let which = marks.iter().position(|known| known == mark)?;
        let gone = self.gone.get_mut(which).filter(|gone| !**gone)?;
        let closed = self.rest.get(at + 1..)?.find(char::from(*mark));
        *gone = closed.is_none();
        closed.map(|length| at + length + 2)
    }

    /// Skips what is never shown.
    fn skip(&mut self, element: &str) {
        let mut from = 0;
        while let Some(found) = self.rest.get(from..).and_then(|rest| rest.find("</")) {
            from += found;
            let name = self.rest.get(from + 2..).unwrap_or_default();
            let ends = name.get(..element.len()).is_some_and(|start| start.eq_ignore_ascii_case(element))
                && !name
                    .get(element.len()..)
                    .is_some_and(|after| after.starts_with(|letter: char| letter.is_ascii_alphanumeric()));
            if ends {
                self.split(from);
                return;
            }
            from += 2;
        }
        self.rest = "";
    }
}

impl<'h> Iterator for Tokens<'h> {
    type Item = MarkupToken<'h>;

    fn next(&mut self) -> Option<MarkupToken<'h>> {
        loop {
            if let Some(element) = self.unseen.take() {
                self.skip(element);
            }
            match self.rest.find('<') {
                None if self.rest.is_empty() => return None,
                None => return Some(MarkupToken::Text(self.split(usize::MAX))),
                Some(0) => {
                    if let Some(token) = self.markup() {
                        return Some(token);
                    }
                }
                Some(text) => return Some(MarkupToken::Text(self.split(text))),
            }
        }
    }
}

impl<'h> Tag<'h> {
    /// Whether this is the element `name`.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The value of the first attribute of that name, its entities untouched.
    pub(super) fn attribute(&self, wanted: &str) -> Option<&'h str> {
        let mut rest = self.attributes;
        loop {
            rest = rest.trim_start_matches(|letter: char| letter.is_ascii_whitespace() || letter == '/');
            if rest.is_empty() {
                return None;
            }
            // A `=` at the beginning is part of the name (HTML standard, section 13.2.5.32).
            let name =
                rest.get(1..)?.find(|letter: char| letter.is_ascii_whitespace() || "=/".contains(letter));
            let (name, after) = rest.split_at_checked(name.map_or(rest.len(), |end| end + 1))?;
            let (value, after) = value(after);
            if name.eq_ignore_ascii_case(wanted) {
                return Some(value);
            }
            rest = after;
        }
    }
}

/// The value that follows a name, if one does, and what follows that.
fn value(after: &str) -> (&str, &str) {
    let Some(written) = after.trim_start().strip_prefix('=').map(str::trim_start) else { return ("", after) };
    for mark in ['"', '\''] {
        if let Some(quoted) = written.strip_prefix(mark).and_then(|quoted| quoted.split_once(mark)) {
            return quoted;
        }
    }
    // Of a value whose quotation mark nothing closes, the mark is none.
    let bare = written.trim_start_matches(['"', '\'']);
    let end = bare.find(|letter: char| letter.is_ascii_whitespace()).unwrap_or(bare.len());
    bare.split_at_checked(end).unwrap_or((bare, ""))
}

/// What follows a comment that has begun with `<!--`. Its own dashes may end it at once
/// (HTML standard, section 13.2.5.43).
fn after_comment(comment: &str) -> Option<&str> {
    let at_once = [">", "->"].iter().find_map(|end| comment.strip_prefix(end));
    at_once.or_else(|| {
        let (_, after) = comment.split_once("--").filter(|(_, after)| !after.is_empty())?;
        let mut after = after;
        loop {
            match after.strip_prefix('>').or_else(|| after.strip_prefix("!>")) {
                Some(rest) => return Some(rest),
                None => match after.strip_prefix('-') {
                    Some(rest) => after = rest,
                    None => after = after.split_once("--")?.1,
                },
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hrefs(html: &str) -> Vec<&str> {
        Tokens::of(html)
            .filter_map(|token| match token {
                MarkupToken::Tag(tag) => tag.attribute("href"),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn attributes_are_read_as_a_browser_reads_them() {
        for (html, expected) in [
            ("<a href=\"x\">", vec!["x"]),
            ("<a title='a > b' href = 'x y'>", vec!["x y"]),
            ("<A HREF=x/y>", vec!["x/y"]),
            ("<a href=x href=y>", vec!["x"]),
            ("<a data-href=y disabled href=x>", vec!["x"]),
            ("<a href>", vec![""]),
            ("<a href=\"x\"title=\"y\">", vec!["x"]),
            ("<a\n\thref\n=\n'x'\n>", vec!["x"]),
            ("<a/href=x>", vec!["x"]),
            ("<a href=\"x>text</a>", vec!["x"]),
            ("<!-- <a href=x> --><a href=y>", vec!["y"]),
            ("<style><a href=x></style><a href=y>", vec!["y"]),
            ("<script>'<a href=x>'</SCRIPT ><a href=y>", vec!["y"]),
            ("<title><a href=x>", vec![]),
            ("<!DOCTYPE html \"a\"><a href=y>", vec!["y"]),
            ("<![if mso]><a href=y><![endif]>", vec!["y"]),
            ("<a href=x", vec![]),
        ] {
            assert_eq!(hrefs(html), expected, "{html}");
        }
    }

    #[test]
    fn hostile_markup_is_read_once() {
        for piece in
            ["<a href=", "<a href=\"x>", "<", "<!--", "</", "<style>", "<a =", "<a href='x\">", "<a b"]
        {
            let html = piece.repeat(200_000);
            assert!(Tokens::of(&html).count() <= 400_000, "{piece}");
        }
    }
}
