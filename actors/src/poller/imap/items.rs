//! The items of a `FETCH` answer, looked at before the parser sees them.
//!
//! The parser takes any value for an attribute that it does not know, across quotes and line
//! ends, and calls itself for each parenthesis of a BODYSTRUCTURE. So it is shown only what it
//! must read exactly as this scanner does: names with a value that is a word, a quoted string,
//! a flat list, or the literal of a `BODY[…]`. Nothing else was asked for.

use super::guard::Breach;

/// Looks at one line of the list of items, without its line end.
///
/// `first` = it begins with the list's parenthesis, else it goes on behind a literal.
/// Returns the size of the literal that follows, or `None` when the list is closed.
pub(super) fn scan(line: &[u8], first: bool) -> Result<Option<u64>, Breach> {
    let mut rest = if first {
        let Some((b'(', rest)) = line.split_first().map(|(byte, rest)| (*byte, rest)) else {
            return Err(Breach::Malformed);
        };
        rest
    } else {
        match behind_value(line)? {
            Some(rest) => rest,
            None => return Ok(None),
        }
    };
    loop {
        let (name, value) = name(rest)?;
        let behind = match value.first() {
            Some(b'{') => return literal(name, value).map(Some),
            Some(b'(') => flat_list(value)?,
            Some(b'"') => quoted(value)?,
            // The parser has no answer to a date that is none.
            _ if name.eq_ignore_ascii_case(b"INTERNALDATE") => return Err(Breach::Malformed),
            _ => word(value)?,
        };
        rest = match behind_value(behind)? {
            Some(rest) => rest,
            None => return Ok(None),
        };
    }
}

/// `None` = the list is closed.
fn behind_value(rest: &[u8]) -> Result<Option<&[u8]>, Breach> {
    let items = rest.trim_ascii_start();
    match items.first() {
        Some(b')') => {
            let behind = items.get(1..).unwrap_or_default();
            if behind.iter().all(|byte| *byte == b' ') { Ok(None) } else { Err(Breach::Malformed) }
        }
        // Between two items there is exactly one space.
        Some(_) if rest.len() == items.len() + 1 && rest.starts_with(b" ") => Ok(Some(items)),
        _ => Err(Breach::Malformed),
    }
}

/// The name of an item, and what is behind it and its space.
fn name(rest: &[u8]) -> Result<(&[u8], &[u8]), Breach> {
    let end = rest.iter().position(|byte| *byte == b' ' || ends_word(*byte)).unwrap_or(rest.len());
    let (name, behind) = rest.split_at(end);
    match behind.split_first() {
        Some((b' ', value)) if !name.is_empty() => Ok((name, value)),
        _ => Err(Breach::Malformed),
    }
}

fn word(value: &[u8]) -> Result<&[u8], Breach> {
    let end = value.iter().position(|byte| *byte == b' ' || ends_word(*byte)).unwrap_or(value.len());
    match value.split_at(end) {
        ([], _) => Err(Breach::Malformed),
        (_, behind) => Ok(behind),
    }
}

fn flat_list(value: &[u8]) -> Result<&[u8], Breach> {
    let inner = value.get(1..).unwrap_or_default();
    // Flags begin with a backslash, and some servers name the flag `\*`.
    let end = inner.iter().position(|byte| ends_word(*byte) && *byte != b'\\' && *byte != b'*');
    match end.and_then(|end| inner.get(end..)).and_then(<[u8]>::split_first) {
        Some((b')', behind)) => Ok(behind),
        Some((b'(', _)) => Err(Breach::Nested),
        _ => Err(Breach::Malformed),
    }
}

/// A quoted string (RFC 9051 section 9), strictly: with any other escape the parser would not
/// take it for one.
fn quoted(value: &[u8]) -> Result<&[u8], Breach> {
    let mut bytes = value.iter().enumerate().skip(1);
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Ok(value.get(at + 1..).unwrap_or_default()),
            b'\\' => match bytes.next() {
                Some((_, b'"' | b'\\')) => {}
                _ => return Err(Breach::Malformed),
            },
            _ => {}
        }
    }
    Err(Breach::Malformed)
}

/// The announcement of a literal, which ends a line: only the content of a mail comes as one.
fn literal(name: &[u8], value: &[u8]) -> Result<u64, Breach> {
    let announced = super::guard::announced(value).ok_or(Breach::Malformed)?;
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let is_content = name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"BODY["));
    if is_content && digits + 2 == value.len() { Ok(announced) } else { Err(Breach::Unasked) }
}

/// What neither a name nor a word contains.
const fn ends_word(byte: u8) -> bool {
    matches!(byte, b'(' | b')' | b'{' | b'}' | b'"' | b'\\' | b'%' | b'*') || byte < 0x20 || byte == 0x7f
}
