//! File names in `Content-Disposition` (RFC 6266, RFC 8187). Pure.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::r2::name::sanitise;

/// What an extended value need not encode (RFC 8187 section 3.2.1, the safe part of it).
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a `Content-Disposition` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Disposition {
    /// The body is to be saved, not shown.
    pub(super) attachment: bool,
    /// The file's own name, sanitised; `filename*` before `filename`.
    pub(super) name: Option<String>,
}

/// Reads the header's value. What cannot be read is left out.
pub(super) fn read(value: &[u8]) -> Disposition {
    let text = decode_raw(value);
    let (kind, rest) = text.split_once(';').unwrap_or((&text, ""));
    let parameters = parameters(rest);
    let find = |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
    let extended = find("filename*").and_then(|value| decode_extended(value));
    let name = extended.or_else(|| find("filename").cloned()).and_then(|name| sanitise(&name));
    Disposition { attachment: kind.trim().eq_ignore_ascii_case("attachment"), name }
}

/// `attachment`, with the name in both forms; the first one is for old readers.
pub(super) fn attachment(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') || c == ' ' { c } else { '_' })
        .collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(name, PLAIN))
}

/// Parameters with their names in lower case, quotes undone.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches(|c: char| c == ';' || c.is_whitespace()).to_ascii_lowercase();
        let after = after.trim_start();
        let (value, remainder) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => {
                let (value, remainder) = after.split_once(';').unwrap_or((after, ""));
                (value.trim().to_owned(), remainder)
            }
        };
        found.push((name, value));
        rest = remainder;
    }
    found
}

/// The quoted string that has just begun, and what follows it.
fn unquote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return (value, text.get(at + 1..).unwrap_or_default()),
            _ => value.push(c),
        }
    }
    (value, "")
}

/// `charset'language'percent-encoded` (RFC 8187 section 3.2).
fn decode_extended(value: &str) -> Option<String> {
    let (charset, rest) = value.split_once('\'')?;
    let (_, encoded) = rest.split_once('\'')?;
    let bytes: Cow<'_, [u8]> = percent_decode_str(encoded).into();
    if charset.eq_ignore_ascii_case("utf-8") {
        String::from_utf8(bytes.into_owned()).ok()
    } else if charset.eq_ignore_ascii_case("iso-8859-1") {
        Some(bytes.iter().copied().map(char::from).collect())
    } else {
        None
    }
}

/// Header bytes as text: UTF-8 as most servers send it, else Latin-1 as the standard has it.
fn decode_raw(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        Err(_) => value.iter().copied().map(char::from).collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_extended_name_comes_first() {
        for (header, want) in [
            ("attachment; filename=\"a.zip\"", Some("a.zip")),
            ("attachment; filename=a.zip", Some("a.zip")),
            ("attachment;filename = \"a b;c.zip\" ; size=3", Some("a b;c.zip")),
            ("attachment; filename=\"a \\\"b\\\".zip\"", Some("a \"b\".zip")),
            ("attachment; filename=\"e.zip\"; filename*=UTF-8''%C3%A9t%C3%A9.zip", Some("été.zip")),
            ("attachment; FILENAME*=utf-8'fr'%C3%A9.zip; filename=e.zip", Some("é.zip")),
            ("attachment; filename*=iso-8859-1''%E9.zip", Some("é.zip")),
            // Unreadable: the plain one.
            ("attachment; filename*=UTF-8''%FF; filename=b.zip", Some("b.zip")),
            ("attachment; filename*=koi8-r''%FF; filename=b.zip", Some("b.zip")),
            ("attachment; filename*=nonsense; filename=b.zip", Some("b.zip")),
            ("attachment; filename=\"été.zip\"", Some("été.zip")),
            ("attachment", None),
            ("attachment; filename=\"\"", None),
            ("attachment; filename=\"..\"", None),
            ("attachment; filename=\"open", Some("open")),
            ("", None),
        ] {
            let read = read(header.as_bytes());
            assert_eq!(read.name.as_deref(), want, "{header}");
            assert_eq!(read.attachment, !header.is_empty(), "{header}");
        }
        assert_eq!(read(b"attachment; filename=\"\xe9.zip\"").name.as_deref(), Some("é.zip"));
        assert!(!read(b"inline; filename=attachment").attachment);
    }

    #[test]
    fn the_name_is_written_in_both_forms() {
        assert_eq!(
            attachment("Lot 42 – \"été\".zip"),
            "attachment; filename=\"Lot 42 _ __t__.zip\"; filename*=UTF-8''Lot%2042%20%E2%80%93%20%22%C3%A9t%C3%A9%22.zip"
        );
    }

    proptest! {
        #[test]
        fn what_is_written_can_be_read(name in ".{0,300}") {
            if let Some(name) = sanitise(&name) {
                let header = attachment(&name);
                prop_assert!(header.is_ascii() && !header.chars().any(char::is_control));
                prop_assert_eq!(read(header.as_bytes()), Disposition { attachment: true, name: Some(name) });
            }
        }

        #[test]
        fn never_panics(value in prop::collection::vec(any::<u8>(), 0..120)) {
            if let Some(name) = read(&value).name {
                prop_assert_eq!(sanitise(&name), Some(name));
            }
        }
    }
}
