//! Character references of HTML (HTML standard, section 13.2.5.72), as browsers read them.

use std::borrow::Cow;

use super::encoding;

/// Longest name of a reference.
const NAME: usize = 32;

/// Of old these have no semicolon.
const OLD: [(&str, &str); 10] = [
    ("amp", "&"),
    ("AMP", "&"),
    ("lt", "<"),
    ("LT", "<"),
    ("gt", ">"),
    ("GT", ">"),
    ("quot", "\""),
    ("QUOT", "\""),
    ("nbsp", "\u{a0}"),
    ("NBSP", "\u{a0}"),
];

/// The text with its references replaced. `in_attribute`: an `&` that begins a pair of a query
/// (`&copy=2`) is none there.
pub(super) fn decode(text: &str, in_attribute: bool) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, tail)) = rest.find('&').and_then(|at| rest.split_at_checked(at)) {
        out.push_str(before);
        let length = match reference(tail, in_attribute) {
            Some((decoded, length)) => {
                out.push_str(&decoded);
                length
            }
            None => {
                out.push('&');
                1
            }
        };
        rest = tail.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// What the reference at the beginning of `text` stands for, and how long it is.
fn reference(text: &str, in_attribute: bool) -> Option<(Cow<'_, str>, usize)> {
    if let Some(number) = text.strip_prefix("&#") {
        return numeric(number).map(|(letter, length)| (letter, length + 2));
    }
    let after = text.get(1..)?;
    // A page of nothing but `&` is gone through quickly.
    after.bytes().next().filter(u8::is_ascii_alphabetic)?;
    let length = after.bytes().take(NAME).take_while(u8::is_ascii_alphanumeric).count();
    if after.as_bytes().get(length) == Some(&b';') {
        let whole = text.get(..length + 2)?;
        let decoded = html_escape::decode_html_entities(whole);
        if decoded != whole {
            return Some((decoded, whole.len()));
        }
    }
    let (name, letter) = OLD.iter().find(|(name, _)| after.starts_with(name))?;
    let next = after.as_bytes().get(name.len()).copied().unwrap_or_default();
    let in_a_query = in_attribute && (next == b'=' || next.is_ascii_alphanumeric());
    (!in_a_query).then_some((Cow::Borrowed(*letter), name.len() + 1))
}

fn numeric(number: &str) -> Option<(Cow<'static, str>, usize)> {
    let (digits, radix) = match number.strip_prefix(['x', 'X']) {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    let length = digits.bytes().take_while(|byte| char::from(*byte).is_digit(radix)).count();
    let value = u32::from_str_radix(digits.get(..length).filter(|digits| !digits.is_empty())?, radix);
    let letter = match value.map(|value| (value, char::from_u32(value))) {
        // What these bytes are in Windows-1252, as the standard wants it.
        Ok((value @ 0x80..=0x9f, _)) => {
            Cow::Owned(encoding::charset(&[u8::try_from(value).ok()?], Some("windows-1252")).0)
        }
        Ok((1.., Some(letter))) => Cow::Owned(letter.to_string()),
        _ => Cow::Borrowed("\u{fffd}"),
    };
    let semicolon = usize::from(digits.as_bytes().get(length) == Some(&b';'));
    Some((letter, number.len() - digits.len() + length + semicolon))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_as_a_browser_reads_them() {
        for (written, in_attribute, expected) in [
            ("a&amp;b", true, "a&b"),
            ("&#x2F;&#47;&#X2f;", true, "///"),
            ("&#58&#x3a/", true, "::/"),
            ("&colon;&sol;&eacute;", true, ":/é"),
            ("k&ampdl=0", true, "k&ampdl=0"),
            ("k&ampdl=0", false, "k&dl=0"),
            ("a&copy=2&lt", true, "a&copy=2<"),
            ("&#0;&#x110000;&#99999999999;", true, "\u{fffd}\u{fffd}\u{fffd}"),
            ("&#133;", true, "…"),
            ("& &; &# &#x; &nonsense; &é", true, "& &; &# &#x; &nonsense; &é"),
        ] {
            assert_eq!(decode(written, in_attribute), expected, "{written}");
        }
    }
}
