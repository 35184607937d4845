//! Header blocks (RFC 5322 section 2.2, RFC 2045 section 3), read from mails as they are rather
//! than as they should be, and no more of them than any mail has.

use std::borrow::Cow;

use mail_parser::parsers::MessageStream;
use mail_parser::{ContentType, HeaderValue};

use super::encoding;

/// Bytes of a header block that are read; what follows in it is left out. Mail servers refuse or
/// cut a longer one (Postfix above 100 KiB).
pub const LONGEST_HEADER: usize = 256 << 10;
/// Fields of a header block that are kept: each costs more memory than the shortest has bytes.
const MAX_FIELDS: usize = 1_000;
/// Length of a Content-Type that is looked at.
const MAX_PARAMETERS: usize = 8 << 10;
/// A field name that is longer is text.
const MAX_NAME: usize = 76;

/// A header block and what follows it.
pub(super) struct Entity<'a> {
    fields: Vec<HeaderField<'a>>,
    /// The body, untouched.
    pub(super) body: &'a [u8],
    /// The header block was not as it should be: lines that are no fields, or no empty
    /// line at its end.
    pub(super) flawed: bool,
    /// It had more fields or bytes than are read.
    pub(super) is_cut: bool,
}

struct HeaderField<'a> {
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

    pub(super) fn content_type(&self) -> Option<ContentType<'static>> {
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

/// The fields of a block, as far as they are kept.
struct HeaderFields<'a> {
    kept: Vec<HeaderField<'a>>,
    /// There was one, and the last one is kept.
    is_last_kept: Option<bool>,
    is_cut: bool,
}

impl<'a> HeaderFields<'a> {
    fn push(&mut self, field: HeaderField<'a>) {
        let fits = self.kept.len() < MAX_FIELDS && field.line < LONGEST_HEADER;
        self.is_last_kept = Some(fits);
        self.is_cut |= !fits;
        if fits {
            self.kept.push(field);
        }
    }

    /// The last field goes on up to `end` in `raw`; false when there is none.
    fn fold(&mut self, raw: &'a [u8], end: usize) -> bool {
        let Some(is_kept) = self.is_last_kept else { return false };
        self.is_cut |= end > LONGEST_HEADER;
        if let Some(field) = self.kept.last_mut().filter(|_| is_kept) {
            field.value = value(raw, field.start, end);
        }
        true
    }
}

/// The value of a field, as far as it is read.
fn value(raw: &[u8], start: usize, end: usize) -> &[u8] {
    raw.get(start..end.min(LONGEST_HEADER.max(start))).unwrap_or_default()
}

/// Reads a header block. Lines that are no fields end it, unless fields that software
/// writes follow before the next empty line. Where it ends is found however long it is.
pub(super) fn entity(raw: &[u8]) -> Entity<'_> {
    let mut fields = HeaderFields { kept: Vec::with_capacity(24), is_last_kept: None, is_cut: false };
    let mut position = 0;
    // Where the text starts if no further known field comes.
    let mut stray: Option<usize> = None;
    // Where the first of the fields starts that came behind the last known one.
    let mut unknown: Option<usize> = None;
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
            if stray.is_some() || !fields.fold(raw, start + line.len()) {
                stray = stray.or(Some(start));
            }
            continue;
        }
        match field(raw, line, start) {
            Some(field) if stray.is_none() || field.known => {
                flawed |= stray.take().is_some();
                unknown = if field.known { None } else { unknown.or(Some(start)) };
                fields.is_cut |= start + line.len() > LONGEST_HEADER;
                fields.push(field);
            }
            _ => stray = stray.or(Some(start)),
        }
    }
    let HeaderFields { kept: mut fields, is_cut, .. } = fields;
    if !separated && stray.is_none() {
        // The block runs to the end: fields that no software writes are the text.
        let known = fields.iter().rposition(|field| field.known).map_or(0, |last| last + 1);
        stray = unknown;
        fields.truncate(known);
    }
    flawed |= stray.is_some();
    Entity { fields, body: raw.get(stray.unwrap_or(position)..).unwrap_or_default(), flawed, is_cut }
}

pub(super) fn trim_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The field that `line`, which lies at `start` in `raw`, begins.
fn field<'a>(raw: &'a [u8], line: &'a [u8], start: usize) -> Option<HeaderField<'a>> {
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
    Some(HeaderField {
        name,
        line: start,
        start: value_start,
        value: value(raw, value_start, start + line.len()),
        known,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_has_so_many_fields_and_bytes_and_the_body_is_found_behind_it() {
        for (filling, kept) in [
            ("a:\n".repeat(MAX_FIELDS + 1), MAX_FIELDS),
            ("x-:\n".repeat(300_000), MAX_FIELDS),
            (format!("X-A: {}\n", "y".repeat(LONGEST_HEADER)), 2),
            (format!("X-A:{}\n", "\n y".repeat(LONGEST_HEADER)), 2),
            (format!("X-A: {}\n", "y".repeat(300)).repeat(1_200), 860),
        ] {
            let raw = format!("From: a@b.fr\n{filling}Subject: last\n\ntext");
            let entity = message(raw.as_bytes());
            assert!(entity.is_cut && !entity.flawed && entity.is_mail());
            assert!(
                entity.fields.len() <= kept && entity.fields.len() + 10 >= kept,
                "{}",
                entity.fields.len()
            );
            let read: usize = entity.fields.iter().map(|field| field.name.len() + field.value.len()).sum();
            assert!(read <= LONGEST_HEADER, "{read}");
            assert_eq!((entity.body, entity.field("subject")), (&b"text"[..], None));
        }
        let most = format!("From: a@b.fr\n{}\ntext", "a:\n".repeat(MAX_FIELDS - 1));
        assert!(!message(most.as_bytes()).is_cut);
    }

    #[test]
    fn a_field_that_is_left_out_takes_its_folds_along() {
        let raw = format!("From: a\n{}Subject: x\n y\n z\n\ntext", "a:\n".repeat(MAX_FIELDS));
        let entity = message(raw.as_bytes());
        assert_eq!(entity.field("a").as_deref(), Some(&b""[..]));
        assert_eq!((entity.body, entity.flawed), (&b"text"[..], false));
    }

    #[test]
    fn a_block_without_an_end_is_text_behind_its_last_known_field() {
        for count in [1, 3, 2 * MAX_FIELDS] {
            let text = "Lien: un\n".repeat(count);
            let raw = format!("From: a@b.fr\nNote: x\nSubject: s\n{text}");
            let entity = message(raw.as_bytes());
            assert_eq!((entity.body, entity.fields.len(), entity.flawed), (text.as_bytes(), 3, true));
        }
    }
}
