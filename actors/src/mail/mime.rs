//! MIME parts (RFC 2045, RFC 2046), read from mails as they are rather than as they should be.
//!
//! This is not `mail_parser::MessageParser`: we need the raw text of some headers and the
//! concatenation rules of the reference (section 5.8), and above all bounds. Nesting is
//! limited, every level reads its bytes once, and nothing is built per level that would
//! have to be dropped recursively. What is decoded of messages within messages is kept while
//! they are read, so it is bounded in all; of a text no more is decoded at once than
//! [`cut::PIECE`].

use std::borrow::Cow;
use std::sync::Arc;

use mail_parser::ContentType;

use super::automatic;
use super::cut::{self, CutRest};
use super::encoding::{self, Guess};
use super::flowed;
use super::header::{Entity, entity, message, trim_line_end};
use super::providers::Providers;

/// Decoded bytes of HTML that are kept, as many as in the reference system (reference section 5.8).
const HTML_BUDGET: usize = 1 << 20;
/// Bytes of plain text that are taken. Every copy that is made of a mail, in memory, in the
/// journal and in webhooks, is bounded by these two.
const PLAIN_BUDGET: usize = 1 << 20;
/// Nested multiparts and messages that are looked into.
const MAX_DEPTH: usize = 12;
/// Parts that are looked at.
const MAX_PARTS: usize = 1000;
/// Bytes that may be decoded of messages within messages, where the mail itself is smaller: each
/// level is held while those within it are read, and twelve levels would be twelve mails.
const ENCLOSED: usize = 4 << 20;
/// Bytes that are looked at to tell a text from noise.
const TELLING: usize = 64 << 10;

/// The text of a mail, put together as the reference does.
#[derive(Default)]
pub(super) struct MailTexts {
    /// All `text/plain` parts, at most 1 MiB, and then what [`cut`] says of the rest.
    pub(super) plain: String,
    /// All `text/html` parts, raw, at most 1 MiB, and the same.
    pub(super) html: String,
    /// Whether there is a part that is no text of the mail.
    pub(super) has_attachment: bool,
    /// What could not be read.
    pub(super) flaws: Vec<String>,
    /// Whose links are kept of what is left out.
    providers: Arc<Providers>,
    plain_left_out: CutRest,
    html_left_out: CutRest,
    parts: usize,
    /// Inside a mail that this one holds: what it says is not said of this one.
    forwarded: bool,
    /// What a part says that makes the mail an automatic answer.
    pub(super) automatic: Option<String>,
    /// Parts that hold no others.
    leaves: usize,
    /// The first text that says it is an attachment, and whether it is HTML.
    attached: Option<(String, bool)>,
    /// Bytes that may still be decoded of messages within this one.
    enclosed: usize,
    /// The plain text needs a line end before more of it.
    is_joint: bool,
}

/// Walks the parts of `message`.
pub(super) fn bodies(message: &Entity<'_>, providers: &Arc<Providers>) -> MailTexts {
    let enclosed = message.body.len().max(ENCLOSED);
    let mut bodies = MailTexts { providers: Arc::clone(providers), enclosed, ..MailTexts::default() };
    bodies.part(message, 0, false);
    // Some programs mark all that they send as an attachment: the only part is the text.
    if let (1, Some((text, html))) = (bodies.leaves, bodies.attached.take()) {
        bodies.has_attachment = false;
        bodies.join(html);
        bodies.take(&text, html);
    }
    cut::mark(&mut bodies.plain, &bodies.plain_left_out);
    cut::mark(&mut bodies.html, &bodies.html_left_out);
    bodies
}

/// A text that is no part of a message, and has its character set behind it.
pub(super) fn text(text: &str, html: bool, providers: &Arc<Providers>) -> MailTexts {
    let mut bodies = MailTexts { providers: Arc::clone(providers), ..MailTexts::default() };
    let split = |text: &str, limit: usize| {
        let at = text.floor_char_boundary(cut::piece(text.as_bytes(), limit, html, None));
        // Never nothing: what is left gets shorter each time.
        if at == 0 { text.len() } else { at }
    };
    let mut rest = text;
    if html && !rest.is_empty() {
        let (taken, behind) = rest.split_at_checked(split(rest, HTML_BUDGET)).unwrap_or((rest, ""));
        bodies.html.push_str(taken);
        rest = behind;
    }
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at_checked(split(rest, cut::PIECE)).unwrap_or((rest, ""));
        if html {
            bodies.leave_out(piece, true)
        } else {
            bodies.take(piece, false)
        }
        rest = behind;
    }
    cut::mark(&mut bodies.plain, &bodies.plain_left_out);
    cut::mark(&mut bodies.html, &bodies.html_left_out);
    bodies
}

impl MailTexts {
    fn flaw(&mut self, flaw: String) {
        if self.flaws.len() < 20 && !self.flaws.contains(&flaw) {
            self.flaws.push(flaw);
        }
    }

    fn part(&mut self, part: &Entity<'_>, depth: usize, in_digest: bool) {
        self.parts += 1;
        if depth > MAX_DEPTH || self.parts > MAX_PARTS {
            self.flaw("more parts than are looked into; the others were left out".to_owned());
            return;
        }
        if part.is_cut && depth > 0 {
            self.flaw("the header of a part is longer than is read; the rest was left out".to_owned());
        }
        let content_type = part.content_type();
        let (kind, subkind) = match &content_type {
            Some(content_type) => match content_type.subtype() {
                Some(subtype) => (content_type.ctype(), subtype),
                None if content_type.ctype() == "multipart" => ("multipart", ""),
                // RFC 2045 section 5.2: what is no type is text.
                None => ("text", "plain"),
            },
            None if in_digest => ("message", "rfc822"),
            None => ("text", "plain"),
        };
        let attached = token(&part.text("content-disposition")) == "attachment";
        let parameter =
            |name: &str| content_type.as_ref().and_then(|content_type| content_type.attribute(name));
        if !self.forwarded && self.automatic.is_none() {
            self.automatic = automatic::part(kind, subkind, parameter("method"));
        }
        match (kind, subkind) {
            ("multipart", _) => {
                let boundary = parameter("boundary").unwrap_or_default().trim_end();
                if !self.multipart(part, boundary, depth, subkind == "digest") {
                    self.flaw("a multipart without its boundary was read as text".to_owned());
                    self.leaf(part, None, false);
                }
            }
            ("message", "rfc822" | "global") => {
                self.has_attachment |= attached;
                let source = self.enclosed(part);
                let outer = std::mem::replace(&mut self.forwarded, true);
                self.part(&message(&source), depth + 1, false);
                self.forwarded = outer;
            }
            ("text", "plain" | "html") if attached && depth > 0 => {
                self.leaves += 1;
                self.has_attachment = true;
                if self.attached.is_none() && part.body.len() <= HTML_BUDGET {
                    let html = subkind == "html";
                    let text = TextType::of(content_type.as_ref(), html);
                    let bytes = self.transfer(part, part.body, text.charset);
                    self.attached = Some((self.decoded(&bytes, &text), html));
                }
            }
            _ if attached && depth > 0 => {
                self.leaves += 1;
                self.has_attachment = true;
            }
            ("text", "html") => self.leaf(part, content_type.as_ref(), true),
            ("text", "plain") => self.leaf(part, content_type.as_ref(), false),
            _ => {
                self.leaves += 1;
                self.has_attachment |= part.field("content-id").is_none();
            }
        }
    }

    /// False when the boundary does not occur.
    fn multipart(&mut self, part: &Entity<'_>, boundary: &str, depth: usize, digest: bool) -> bool {
        if boundary.is_empty() {
            return false;
        }
        let mut open: Option<usize> = None;
        let mut found = false;
        let mut position = 0;
        for line in part.body.split_inclusive(|byte| *byte == b'\n') {
            let start = position;
            position += line.len();
            let Some(last) = delimiter(line, boundary.as_bytes()) else { continue };
            found = true;
            self.slice(part.body, open, start, depth, digest);
            open = (!last).then_some(position);
            if last {
                break;
            }
        }
        if let Some(from) = open {
            self.flaw("the end of a multipart is missing".to_owned());
            self.slice(part.body, Some(from), part.body.len(), depth, digest);
        }
        found
    }

    fn slice(&mut self, body: &[u8], from: Option<usize>, to: usize, depth: usize, digest: bool) {
        let Some(bytes) = from.and_then(|from| body.get(from..to)) else { return };
        // The line end before a delimiter belongs to the delimiter (RFC 2046 section 5.1.1).
        let bytes = if to < body.len() { trim_line_end(bytes) } else { bytes };
        if self.parts <= MAX_PARTS {
            self.part(&entity(bytes), depth + 1, digest);
        }
    }

    fn leaf(&mut self, part: &Entity<'_>, content_type: Option<&ContentType<'_>>, html: bool) {
        self.leaves += 1;
        let text = TextType::of(content_type, html);
        let bytes = self.transfer(part, part.body, text.charset);
        self.join(html);
        let mut rest = &*bytes;
        if html {
            // Of HTML the bytes count that it has before its character set is decoded.
            let left = HTML_BUDGET.saturating_sub(self.html.len());
            let (taken, behind) = rest.split_at(cut::piece(rest, left, true, text.charset));
            let taken = self.decoded(taken, &text);
            self.html.push_str(&taken);
            rest = behind;
        }
        // Piece by piece: in another character set a text may be several times as large.
        let order = cut::byte_order(&bytes, text.charset);
        let mut missing = if html { order } else { &[] };
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(cut::piece(rest, cut::PIECE, html, text.charset));
            let piece = if missing.is_empty() { piece.into() } else { Cow::Owned([missing, piece].concat()) };
            let decoded = self.decoded(&piece, &text);
            if html {
                self.leave_out(&decoded, true);
            } else {
                self.take(&decoded, false);
            }
            (rest, missing) = (behind, order);
        }
    }

    /// The text of a part or of a piece of it, its paragraphs put together again (RFC 3676).
    fn decoded(&mut self, bytes: &[u8], text: &TextType<'_>) -> String {
        let (decoded, guess) = encoding::charset(bytes, text.charset);
        match guess {
            Guess::None => {}
            Guess::UnknownCharset => self.flaw("a part has an unknown character set".to_owned()),
            Guess::InvalidBytes => self.flaw("a part is not valid in its character set".to_owned()),
        }
        if text.flowed { flowed::unwrap(&decoded, text.delsp) } else { decoded }
    }

    /// The last word of a part and the first of the next are two: a link that runs into the
    /// footer of a list leads nowhere.
    fn join(&mut self, html: bool) {
        self.is_joint = !html && !self.plain.is_empty() && !self.plain.ends_with('\n');
    }

    fn take(&mut self, text: &str, html: bool) {
        if html {
            self.html.push_str(text);
            return;
        }
        if !text.is_empty() && std::mem::take(&mut self.is_joint) {
            self.plain.push('\n');
        }
        let left = PLAIN_BUDGET.saturating_sub(self.plain.len());
        let (taken, rest) =
            text.split_at(text.floor_char_boundary(cut::place(text.as_bytes(), left, false, None)));
        self.plain.push_str(taken);
        self.leave_out(rest, false);
    }

    fn leave_out(&mut self, rest: &str, html: bool) {
        if rest.is_empty() {
            return;
        }
        let kind = if html { "HTML" } else { "plain text" };
        self.flaw(format!("more than 1 MiB of {kind}; the rest was left out"));
        let left_out = if html { &mut self.html_left_out } else { &mut self.plain_left_out };
        left_out.add(rest, html, &self.providers);
    }

    /// The source of a message within this one, as much of it as may be decoded.
    fn enclosed<'a>(&mut self, part: &Entity<'a>) -> Cow<'a, [u8]> {
        let within = part.body.get(..self.enclosed).unwrap_or(part.body);
        match self.transfer(part, within, None) {
            Cow::Borrowed(_) => Cow::Borrowed(part.body),
            source @ Cow::Owned(_) => {
                self.enclosed = self.enclosed.saturating_sub(within.len());
                if within.len() < part.body.len() {
                    self.flaw("more encoded messages within messages than are decoded".to_owned());
                }
                source
            }
        }
    }

    /// `body`, which is that of `part` or its beginning, without its transfer encoding.
    fn transfer<'a>(&mut self, part: &Entity<'_>, body: &'a [u8], charset: Option<&str>) -> Cow<'a, [u8]> {
        match token(&part.text("content-transfer-encoding")).as_str() {
            "quoted-printable" => Cow::Owned(encoding::quoted_printable(body)),
            "base64" => self.base64(body, charset),
            _ => Cow::Borrowed(body),
        }
    }

    fn base64<'a>(&mut self, body: &'a [u8], charset: Option<&str>) -> Cow<'a, [u8]> {
        if let Some((encoded, appended)) =
            encoding::appended_text(body).and_then(|start| body.split_at_checked(start))
        {
            let (mut bytes, clean) = encoding::base64(encoded);
            // A line of words without a blank or a stop is base64 by its letters, too.
            if clean && looks_like_text(&bytes, charset) {
                bytes.push(b'\n');
                bytes.extend_from_slice(appended);
                return Cow::Owned(bytes);
            }
        }
        let (bytes, clean) = encoding::base64(body);
        if clean {
            return Cow::Owned(bytes);
        }
        self.flaw("a part is not valid base64".to_owned());
        if looks_like_text(&bytes, charset) { Cow::Owned(bytes) } else { Cow::Borrowed(body) }
    }
}

/// What the type of a text says about it.
struct TextType<'c> {
    charset: Option<&'c str>,
    /// RFC 3676.
    flowed: bool,
    delsp: bool,
}

impl<'c> TextType<'c> {
    fn of(content_type: Option<&'c ContentType<'_>>, html: bool) -> Self {
        let parameter = |name: &str| content_type.and_then(|content_type| content_type.attribute(name));
        let is = |name: &str, value: &str| {
            parameter(name).is_some_and(|said| said.trim().eq_ignore_ascii_case(value))
        };
        Self {
            charset: parameter("charset"),
            flowed: !html && is("format", "flowed"),
            delsp: is("delsp", "yes"),
        }
    }
}

/// The value of a field that is one token, as `Content-Disposition` (RFC 2183) and
/// `Content-Transfer-Encoding` (RFC 2045 section 6): in lower case, without what some programs
/// add, which is parameters, comments, quotes, or an encoded word around it.
fn token(value: &str) -> String {
    let (decoded, _) = encoding::words(value);
    let end = decoded.find([';', '(']).unwrap_or(decoded.len());
    let bare = decoded.get(..end).unwrap_or_default();
    bare.trim_matches(|letter: char| letter.is_whitespace() || "\"'".contains(letter)).to_ascii_lowercase()
}

/// Whether `line` is a delimiter of `boundary`, and the last one.
fn delimiter(line: &[u8], boundary: &[u8]) -> Option<bool> {
    let rest = line.strip_prefix(b"--")?.strip_prefix(boundary)?;
    let (last, rest) = match rest.strip_prefix(b"--") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    rest.trim_ascii().is_empty().then_some(last)
}

/// Tells decoded base64 from the noise that plain text gives when it is wrongly declared
/// as base64.
fn looks_like_text(bytes: &[u8], charset: Option<&str>) -> bool {
    let bytes = bytes.get(..cut::piece(bytes, TELLING, false, charset)).unwrap_or(bytes);
    let (text, guess) = encoding::charset(bytes, charset);
    guess != Guess::InvalidBytes
        && !text.is_empty()
        && !text.contains(|c: char| c.is_control() && !"\t\r\n\u{c}".contains(c))
}
