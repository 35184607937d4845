//! Headers and MIME parts (RFC 5322, RFC 2045, RFC 2046), read from mails as they are
//! rather than as they should be.
//!
//! This is not `mail_parser::MessageParser`: we need the raw text of some headers and the
//! concatenation rules of the reference (section 5.8), and above all bounds. Nesting is
//! limited, every level reads its bytes once, and nothing is built per level that would
//! have to be dropped recursively.

use std::borrow::Cow;
use std::sync::Arc;

use mail_parser::parsers::MessageStream;
use mail_parser::{ContentType, HeaderValue};

use super::automatic;
use super::cut::{self, Rest};
use super::encoding::{self, Guess};
use super::flowed;
use super::providers::Providers;

/// Decoded bytes of HTML that are kept (reference section 5.8).
const HTML_BUDGET: usize = 1 << 20;
/// Bytes of plain text that are taken. Every copy that is made of a mail, in memory, in the
/// journal and in webhooks, is bounded by these two.
const PLAIN_BUDGET: usize = 1 << 20;
/// Nested multiparts and messages that are looked into.
const MAX_DEPTH: usize = 12;
/// Parts that are looked at.
const MAX_PARTS: usize = 1000;
/// Length of a Content-Type that is looked at.
const MAX_PARAMETERS: usize = 8 << 10;
/// A field name that is longer is text.
const MAX_NAME: usize = 76;

/// A header block and what follows it.
pub(super) struct Entity<'a> {
    fields: Vec<Field<'a>>,
    /// The body, untouched.
    pub(super) body: &'a [u8],
    /// The header block was not as it should be: lines that are no fields, or no empty
    /// line at its end.
    pub(super) flawed: bool,
}

struct Field<'a> {
    name: &'a [u8],
    /// Where its first line starts.
    line: usize,
    /// Where its value starts.
    start: usize,
    value: &'a [u8],
    known: bool,
}

impl<'a> Entity<'a> {
    /// The value of the first field of that name, unfolded (each fold becomes one blank),
    /// without the blanks before it.
    pub(super) fn field(&self, name: &str) -> Option<Cow<'a, [u8]>> {
        let field = self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name.as_bytes()))?;
        Some(unfold(field.value))
    }

    /// The field as text.
    pub(super) fn text(&self, name: &str) -> String {
        self.field(name).map_or_else(String::new, |value| {
            encoding::header_text(&encoding::escape_raw_bytes(&value)).into_owned()
        })
    }

    /// Every field of that name as text, from the top.
    pub(super) fn texts(&self, name: &str) -> impl Iterator<Item = String> {
        self.fields
            .iter()
            .filter(move |field| field.name.eq_ignore_ascii_case(name.as_bytes()))
            .map(|field| encoding::header_text(&unfold(field.value)).into_owned())
    }

    /// Whether there is one of the fields that only a mail has.
    pub(super) fn is_mail(&self) -> bool {
        const TELLING: [&str; 11] = [
            "from",
            "to",
            "cc",
            "sender",
            "reply-to",
            "subject",
            "date",
            "message-id",
            "received",
            "return-path",
            "delivered-to",
        ];
        self.fields.iter().any(|field| is_one_of(field.name, &TELLING))
    }

    fn content_type(&self) -> Option<ContentType<'static>> {
        let value = self.field("content-type")?;
        let bounded = value.get(..MAX_PARAMETERS.min(value.len()))?;
        let line = [bounded, b"\n"].concat();
        match MessageStream::new(&line).parse_content_type().into_owned() {
            HeaderValue::ContentType(content_type) => Some(content_type),
            _ => None,
        }
    }
}

fn is_one_of(name: &[u8], names: &[&str]) -> bool {
    names.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// A field that software writes. Used only where the text of a mail could be taken for a
/// header, because the line between them is missing.
fn is_known(name: &[u8]) -> bool {
    const NAMES: [&str; 27] = [
        "from",
        "to",
        "cc",
        "bcc",
        "sender",
        "reply-to",
        "subject",
        "date",
        "message-id",
        "received",
        "return-path",
        "delivered-to",
        "in-reply-to",
        "references",
        "mime-version",
        "dkim-signature",
        "authentication-results",
        "user-agent",
        "importance",
        "priority",
        "precedence",
        "auto-submitted",
        "organization",
        "envelope-to",
        "feedback-id",
        "autocrypt",
        "errors-to",
    ];
    const PREFIXES: [&[u8]; 6] = [b"x-", b"content-", b"list-", b"arc-", b"resent-", b"thread-"];
    is_one_of(name, &NAMES)
        || PREFIXES
            .iter()
            .any(|prefix| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)))
}

fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    let value = value.trim_ascii_start();
    if !value.contains(&b'\n') {
        return Cow::Borrowed(value);
    }
    let mut out = Vec::with_capacity(value.len());
    for (index, line) in value.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if index > 0 {
            out.push(b' ');
            out.extend_from_slice(line.trim_ascii_start());
        } else {
            out.extend_from_slice(line);
        }
    }
    Cow::Owned(out)
}

/// Reads the header block of a whole message: a byte order mark, empty lines and the
/// `From ` line of an mbox before it are skipped.
pub(super) fn message(raw: &[u8]) -> Entity<'_> {
    let raw = raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw);
    let mut raw = raw.trim_ascii_start();
    if raw.starts_with(b"From ") || raw.starts_with(b">From ") {
        let end = raw.iter().position(|byte| *byte == b'\n').map_or(raw.len(), |at| at + 1);
        raw = raw.get(end..).unwrap_or_default();
    }
    entity(raw)
}

/// Reads a header block. Lines that are no fields end it, unless fields that software
/// writes follow before the next empty line.
fn entity(raw: &[u8]) -> Entity<'_> {
    let mut fields: Vec<Field<'_>> = Vec::with_capacity(24);
    let mut position = 0;
    // Where the text starts if no further known field comes.
    let mut stray: Option<usize> = None;
    let mut flawed = false;
    let mut separated = false;
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        let start = position;
        position += line.len();
        let line = trim_line_end(line);
        if line.is_empty() {
            separated = true;
            break;
        }
        if matches!(line.first(), Some(b' ' | b'\t')) {
            match fields.last_mut() {
                Some(field) if stray.is_none() => {
                    field.value = raw.get(field.start..start + line.len()).unwrap_or(field.value);
                }
                _ => stray = stray.or(Some(start)),
            }
            continue;
        }
        match field(raw, line, start) {
            Some(field) if stray.is_none() || field.known => {
                flawed |= stray.take().is_some();
                fields.push(field);
            }
            _ => stray = stray.or(Some(start)),
        }
    }
    if !separated && stray.is_none() {
        // The block runs to the end: fields that no software writes are the text.
        let known = fields.iter().rposition(|field| field.known).map_or(0, |last| last + 1);
        stray = fields.get(known).map(|field| field.line);
        fields.truncate(known);
    }
    flawed |= stray.is_some();
    Entity { fields, body: raw.get(stray.unwrap_or(position)..).unwrap_or_default(), flawed }
}

fn trim_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The field that `line`, which lies at `start` in `raw`, begins.
fn field<'a>(raw: &'a [u8], line: &'a [u8], start: usize) -> Option<Field<'a>> {
    let colon = line.iter().take(MAX_NAME + 1).position(|byte| *byte == b':')?;
    let (written, _) = line.split_at_checked(colon)?;
    let name = written.trim_ascii_end();
    let known = is_known(name);
    let valid =
        !name.is_empty() && name.iter().all(u8::is_ascii_graphic) && (known || name.len() == written.len());
    if !valid {
        return None;
    }
    let value_start = start + colon + 1;
    Some(Field {
        name,
        line: start,
        start: value_start,
        value: raw.get(value_start..start + line.len())?,
        known,
    })
}

/// The text of a mail, put together as the reference does.
#[derive(Default)]
pub(super) struct Bodies {
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
    plain_left_out: Rest,
    html_left_out: Rest,
    parts: usize,
    /// Inside a mail that this one holds: what it says is not said of this one.
    forwarded: bool,
    /// What a part says that makes the mail an automatic answer.
    pub(super) automatic: Option<String>,
    /// Parts that hold no others.
    leaves: usize,
    /// The first text that says it is an attachment, and whether it is HTML.
    attached: Option<(String, bool)>,
}

/// Walks the parts of `message`.
pub(super) fn bodies(message: &Entity<'_>, providers: &Arc<Providers>) -> Bodies {
    let mut bodies = Bodies { providers: Arc::clone(providers), ..Bodies::default() };
    bodies.part(message, 0, false);
    // Some programs mark all that they send as an attachment: the only part is the text.
    if let (1, Some((text, html))) = (bodies.leaves, bodies.attached.take()) {
        bodies.has_attachment = false;
        bodies.take(&text, html);
    }
    cut::mark(&mut bodies.plain, &bodies.plain_left_out);
    cut::mark(&mut bodies.html, &bodies.html_left_out);
    bodies
}

impl Bodies {
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
                let source = self.transfer(part, None);
                let outer = std::mem::replace(&mut self.forwarded, true);
                self.part(&message(&source), depth + 1, false);
                self.forwarded = outer;
            }
            ("text", "plain" | "html") if attached && depth > 0 => {
                self.leaves += 1;
                self.has_attachment = true;
                if self.attached.is_none() && part.body.len() <= HTML_BUDGET {
                    let html = subkind == "html";
                    self.attached = Some((self.text(part, content_type.as_ref(), html), html));
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
        let text = self.text(part, content_type, html);
        self.take(&text, html);
    }

    /// The text of a part, its paragraphs put together again (RFC 3676).
    fn text(&mut self, part: &Entity<'_>, content_type: Option<&ContentType<'_>>, html: bool) -> String {
        let parameter = |name: &str| content_type.and_then(|content_type| content_type.attribute(name));
        let is = |name: &str, value: &str| {
            parameter(name).is_some_and(|said| said.trim().eq_ignore_ascii_case(value))
        };
        let text = self.decoded(part, parameter("charset"), html);
        if !html && is("format", "flowed") { flowed::unwrap(&text, is("delsp", "yes")) } else { text }
    }

    fn decoded(&mut self, part: &Entity<'_>, charset: Option<&str>, html: bool) -> String {
        let bytes = self.transfer(part, charset);
        let left = HTML_BUDGET.saturating_sub(self.html.len());
        let bytes = match bytes.split_at_checked(cut::place(&bytes, left, true, charset)) {
            Some((taken, rest)) if html && !rest.is_empty() => {
                self.flaw("more than 1 MiB of HTML; the rest was left out".to_owned());
                self.html_left_out.add(&encoding::charset(rest, charset).0, true, &self.providers);
                taken
            }
            _ => &bytes,
        };
        let (text, guess) = encoding::charset(bytes, charset);
        match guess {
            Guess::None => {}
            Guess::UnknownCharset => self.flaw("a part has an unknown character set".to_owned()),
            Guess::InvalidBytes => self.flaw("a part is not valid in its character set".to_owned()),
        }
        text
    }

    fn take(&mut self, text: &str, html: bool) {
        if html {
            self.html.push_str(text);
            return;
        }
        // The last word of a part and the first of the next are two: a link that runs into the
        // footer of a list leads nowhere.
        if !self.plain.is_empty() && !self.plain.ends_with('\n') && !text.is_empty() {
            self.plain.push('\n');
        }
        let left = PLAIN_BUDGET.saturating_sub(self.plain.len());
        let (taken, rest) =
            text.split_at(text.floor_char_boundary(cut::place(text.as_bytes(), left, false, None)));
        self.plain.push_str(taken);
        if !rest.is_empty() {
            self.flaw("more than 1 MiB of plain text; the rest was left out".to_owned());
            self.plain_left_out.add(rest, false, &self.providers);
        }
    }

    fn transfer<'a>(&mut self, part: &Entity<'a>, charset: Option<&str>) -> Cow<'a, [u8]> {
        match token(&part.text("content-transfer-encoding")).as_str() {
            "quoted-printable" => Cow::Owned(encoding::quoted_printable(part.body)),
            "base64" => self.base64(part.body, charset),
            _ => Cow::Borrowed(part.body),
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
    let (text, guess) = encoding::charset(bytes, charset);
    guess != Guess::InvalidBytes
        && !text.is_empty()
        && !text.contains(|c: char| c.is_control() && !"\t\r\n\u{c}".contains(c))
}
