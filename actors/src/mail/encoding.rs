//! Transfer encodings, character sets and encoded words, as tolerant as mail readers are:
//! every function returns text for any input, and says when it had to guess.

use std::borrow::Cow;

use mail_parser::decoders::charsets::map::charset_decoder;

/// Decodes base64 (RFC 2045 section 6.8). Characters outside the alphabet are skipped, an
/// incomplete last group gives as many bytes as it holds, padding may stand anywhere.
/// The flag is false when something had to be skipped.
pub(super) fn base64(input: &[u8]) -> (Vec<u8>, bool) {
    let mut bytes = Vec::with_capacity(input.len() / 4 * 3 + 3);
    let (mut group, mut held) = (0_u32, 0_u32);
    let mut clean = true;
    for &byte in input {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                clean &= flush(group, held, &mut bytes);
                (group, held) = (0, 0);
                continue;
            }
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            _ => {
                clean = false;
                continue;
            }
        };
        group = group << 6 | u32::from(value);
        held += 1;
        if held == 4 {
            let [_, first, second, third] = group.to_be_bytes();
            bytes.extend([first, second, third]);
            (group, held) = (0, 0);
        }
    }
    clean &= flush(group, held, &mut bytes);
    (bytes, clean)
}

/// The bytes of an incomplete group; false when six bits are left over.
fn flush(group: u32, held: u32, bytes: &mut Vec<u8>) -> bool {
    match held {
        3 => {
            let [_, _, first, second] = (group >> 2).to_be_bytes();
            bytes.extend([first, second]);
        }
        2 => {
            let [_, _, _, first] = (group >> 4).to_be_bytes();
            bytes.push(first);
        }
        _ => {}
    }
    held != 1
}

/// Where a text that was appended to base64 begins, such as the notice of a gateway or the
/// footer of a list: at the first line with a character that base64 has not, if all lines
/// before it are base64 and there is one. `None` = there is no such text.
pub(super) fn appended_text(input: &[u8]) -> Option<usize> {
    let of_base64 = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b' ' | b'\t' | b'\r' | b'\n')
    };
    let mut position = 0;
    let mut encoded = false;
    for line in input.split_inclusive(|byte| *byte == b'\n') {
        if !line.iter().all(of_base64) {
            return encoded.then_some(position);
        }
        encoded |= !line.trim_ascii().is_empty();
        position += line.len();
    }
    None
}

/// Decodes quoted-printable (RFC 2045 section 6.7). A broken escape stays as it is.
pub(super) fn quoted_printable(input: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(input.len());
    let mut rest = input;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'=' {
            bytes.push(byte);
            continue;
        }
        if let Some(after) = after_soft_break(tail) {
            rest = after;
            continue;
        }
        match tail {
            [high, low, after @ ..] => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = after;
                }
                _ => bytes.push(byte),
            },
            [] => {}
            [_] => bytes.push(byte),
        }
    }
    bytes
}

/// What follows a soft line break, if the text after a `=` begins with the rest of one. Blanks
/// between the two were added on the way and are deleted (RFC 2045 section 6.7, rule 3).
fn after_soft_break(tail: &[u8]) -> Option<&[u8]> {
    let end = tail.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\r'))?;
    tail.get(end..)?.strip_prefix(b"\n")
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// What is known about the text of a header or a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guess {
    /// It was what it said.
    None,
    /// The character set is not known to us.
    UnknownCharset,
    /// Not valid in its character set: bytes were dropped, or another set was taken.
    InvalidBytes,
}

/// Decodes a body in its declared character set.
///
/// UTF-8, US-ASCII and no declaration are the same: most mails that declare less are
/// UTF-8. Text that is not valid UTF-8 loses the invalid bytes, as in the reference system (reference
/// section 5.8), when the rest of it proves that it is UTF-8, and is read as windows-1252 otherwise.
pub(super) fn charset(bytes: &[u8], declared: Option<&str>) -> (String, Guess) {
    let name = declared.unwrap_or_default().trim();
    if is_utf8_name(name) {
        return utf8_or_1252(bytes, Guess::InvalidBytes);
    }
    match charset_decoder(name.as_bytes()) {
        Some(decode) => (decode(bytes), Guess::None),
        None => (utf8_or_1252(bytes, Guess::None).0, Guess::UnknownCharset),
    }
}

fn is_utf8_name(name: &str) -> bool {
    ["", "utf-8", "utf8", "us-ascii", "ascii", "unknown-8bit", "8bit", "7bit", "binary"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
}

fn utf8_or_1252(bytes: &[u8], otherwise: Guess) -> (String, Guess) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return (text.to_owned(), Guess::None);
    }
    let is_utf8 = bytes.utf8_chunks().any(|chunk| !chunk.valid().is_ascii());
    let text = if is_utf8 { utf8_ignoring(bytes) } else { windows_1252(bytes) };
    (text, otherwise)
}

fn utf8_ignoring(bytes: &[u8]) -> String {
    bytes.utf8_chunks().map(|chunk| chunk.valid()).collect()
}

fn windows_1252(bytes: &[u8]) -> String {
    charset_decoder(b"windows-1252").map_or_else(|| utf8_ignoring(bytes), |decode| decode(bytes))
}

/// Raw header bytes as text: UTF-8, or else windows-1252.
pub(super) fn header_text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(windows_1252(bytes)),
    }
}

/// The value of a header with every raw byte inside an encoded word written as RFC 2047 has
/// it: it is of that word's character set, not of the header's. In base64 it means nothing.
pub(super) fn escape_raw_bytes(value: &[u8]) -> Cow<'_, [u8]> {
    if value.is_ascii() || !value.windows(2).any(|pair| pair == b"=?") {
        return Cow::Borrowed(value);
    }
    let mut out = Vec::with_capacity(value.len() + 16);
    // Question marks of the word so far; behind the third stands its text.
    let mut marks = 0_u8;
    let mut quoted = false;
    let mut before = 0_u8;
    for &byte in value {
        match (marks, before, byte) {
            (0, b'=', b'?') => marks = 1,
            (1, _, b'?') => marks = 2,
            (2, letter, b'?') => {
                quoted = letter.eq_ignore_ascii_case(&b'q');
                marks = if quoted || letter.eq_ignore_ascii_case(&b'b') { 3 } else { 0 };
            }
            (3, b'?', b'=') => marks = 0,
            _ => {}
        }
        if marks == 3 && !byte.is_ascii() {
            if quoted {
                out.extend_from_slice(format!("={byte:02X}").as_bytes());
            }
        } else {
            out.push(byte);
        }
        before = byte;
    }
    Cow::Owned(out)
}

/// Decodes the encoded words (RFC 2047) of a header that is already unfolded. Adjacent
/// words are joined, and those of one character set are decoded together, because senders
/// cut words in the middle of a character. The flag is false when a word could not be read;
/// it then stays as it is written.
pub(super) fn words(text: &str) -> (String, bool) {
    let mut out = String::with_capacity(text.len());
    let mut run: Option<(&str, Vec<u8>)> = None;
    let mut clean = true;
    let mut rest = text;
    // Nothing that starts behind the last end is a word; looking for its end each time
    // would read the rest of the header for every start.
    let last_end = text.rfind("?=").unwrap_or_default();
    while let Some(start) = rest.find("=?") {
        let (before, from_word) = rest.split_at(start);
        let can_end = text.len() - from_word.len() < last_end;
        let Some((word, after)) = can_end.then(|| encoded_word(from_word)).flatten() else {
            // Not a word: what precedes it and the two characters are text.
            let (text, after) = rest.split_at(start + 2);
            finish(&mut run, &mut out, &mut clean);
            out.push_str(text);
            rest = after;
            continue;
        };
        rest = after;
        if run.is_none() || !before.trim_matches([' ', '\t']).is_empty() {
            finish(&mut run, &mut out, &mut clean);
            out.push_str(before);
        }
        let bytes = word.bytes();
        if bytes.is_empty() && !word.text.is_empty() {
            finish(&mut run, &mut out, &mut clean);
            out.push_str(word.source);
            clean = false;
            continue;
        }
        match &mut run {
            Some((charset, held)) if charset.eq_ignore_ascii_case(word.charset) => held.extend(bytes),
            _ => {
                finish(&mut run, &mut out, &mut clean);
                run = Some((word.charset, bytes));
            }
        }
    }
    finish(&mut run, &mut out, &mut clean);
    out.push_str(rest);
    (out, clean)
}

/// Appends the words collected so far.
fn finish(run: &mut Option<(&str, Vec<u8>)>, out: &mut String, clean: &mut bool) {
    let Some((name, bytes)) = run.take() else { return };
    if is_utf8_name(name) {
        *clean &= std::str::from_utf8(&bytes).is_ok();
        out.push_str(&utf8_ignoring(&bytes));
        return;
    }
    let (text, guess) = charset(&bytes, Some(name));
    *clean &= guess == Guess::None;
    out.push_str(&text);
}

struct EncodedWord<'t> {
    charset: &'t str,
    base64: bool,
    text: &'t str,
    source: &'t str,
}

impl EncodedWord<'_> {
    fn bytes(&self) -> Vec<u8> {
        if self.base64 {
            return base64(self.text.as_bytes()).0;
        }
        let spaced: Vec<u8> = self.text.bytes().map(|byte| if byte == b'_' { b' ' } else { byte }).collect();
        quoted_printable(&spaced)
    }
}

/// The encoded word at the start of `text`, and what follows it. The search for its end
/// reads the rest of the header when there is none.
fn encoded_word(text: &str) -> Option<(EncodedWord<'_>, &str)> {
    let (charset, rest) = text.strip_prefix("=?")?.split_once('?')?;
    let (base64, rest) = match rest.as_bytes() {
        [b'b' | b'B', b'?', ..] => (true, rest.get(2..)?),
        [b'q' | b'Q', b'?', ..] => (false, rest.get(2..)?),
        _ => return None,
    };
    let (word, after) = rest.split_once("?=")?;
    let source = text.get(..text.len() - after.len())?;
    // RFC 2231 section 5: the language after an asterisk.
    let charset = charset.split('*').next().unwrap_or(charset);
    Some((EncodedWord { charset, base64, text: word, source }, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_reads_what_it_can() {
        assert_eq!(base64(b"TGllbg=="), (b"Lien".to_vec(), true));
        assert_eq!(base64(b"TGll\r\nbg"), (b"Lien".to_vec(), true));
        assert_eq!(base64(b"TG!ll*bg=="), (b"Lien".to_vec(), false));
        assert_eq!(base64(b"TGll="), (b"Lie".to_vec(), true));
        assert_eq!(base64(b"TGllb"), (b"Lie".to_vec(), false));
        assert_eq!(base64(b"TA==TA=="), (b"LL".to_vec(), true));
    }

    #[test]
    fn quoted_printable_keeps_broken_escapes() {
        assert_eq!(quoted_printable(b"=C3=A0 faire=\r\n pour=\n 9=h"), "à faire pour 9=h".as_bytes());
        assert_eq!(quoted_printable(b"a="), b"a");
        assert_eq!(quoted_printable(b"a=4"), b"a=4");
    }

    #[test]
    fn blanks_behind_a_soft_break_are_deleted() {
        for broken in ["a= \r\nb", "a=\t \nb", "a=\r\r\nb", "a=\nb"] {
            assert_eq!(quoted_printable(broken.as_bytes()), b"ab", "{broken:?}");
        }
        assert_eq!(quoted_printable(b"a= b"), b"a= b");
    }

    #[test]
    fn a_raw_byte_in_a_word_is_of_the_words_character_set() {
        let read = |value: &[u8]| words(&header_text(&escape_raw_bytes(value))).0;
        assert_eq!(read(b"=?iso-8859-1?Q?M\xE9dia_x?= fin"), "Média x fin");
        assert_eq!(read("=?utf-8?q?Média?= é".as_bytes()), "Média é");
        assert_eq!(read(b"=?koi8-r?Q?\xED?= =?utf-8?q?=C3=A9?="), "Мé");
        assert_eq!(read(b"M\xE9dia =? x"), "Média =? x");
        assert_eq!(read(b"=?utf-8?b?TGll\xE9bg==?="), "Lien");
    }

    #[test]
    fn a_text_behind_base64_is_found() {
        for (body, expected) in [
            ("TGll\r\nbg==\r\n\r\n--\r\nPied\r\n", Some(14)),
            ("TGllbg==\n____\nListe\n", Some(9)),
            ("TGllbg==\n", None),
            ("dGV4d!GU=", None),
            ("Lien vers", None),
        ] {
            assert_eq!(appended_text(body.as_bytes()), expected, "{body:?}");
        }
    }

    #[test]
    fn a_character_cut_between_two_words_is_whole_again() {
        assert_eq!(words("=?utf-8?q?M=C3?= =?UTF-8?q?=A9dia?="), ("Média".to_owned(), true));
        assert_eq!(words("=?utf-8?b?TQ==?=  =?iso-8859-1?q?=E9?= dia"), ("Mé dia".to_owned(), true));
    }

    #[test]
    fn an_unreadable_word_stays_as_written() {
        assert_eq!(words("x =?utf-8?b?a?= y"), ("x =?utf-8?b?a?= y".to_owned(), false));
        assert_eq!(
            words("=?nothing =? =?utf-8?x?a?= fin"),
            ("=?nothing =? =?utf-8?x?a?= fin".to_owned(), true)
        );
    }

    #[test]
    fn words_that_never_end_are_read_once() {
        // Reading the rest for each of them would take half an hour.
        for begun in ["=?a?q?x", "=?utf-8?B?eA="] {
            let ended = "=?utf-8?q?=C3=A9?=";
            let text = begun.repeat((8 << 20) / begun.len());
            assert_eq!(words(&text), (text.clone(), true), "{begun}");
            assert_eq!(words(&format!("{ended}{text}")), (format!("é{text}"), true), "{begun}");
        }
    }

    #[test]
    fn bodies_are_read_whatever_they_declare() {
        assert_eq!(charset("été".as_bytes(), Some("x-unknown")), ("été".to_owned(), Guess::UnknownCharset));
        assert_eq!(charset(b"\xe0 faire", Some("utf-8")), ("à faire".to_owned(), Guess::InvalidBytes));
        assert_eq!(charset(b"\xc3\xa0 faire\xff", None), ("à faire".to_owned(), Guess::InvalidBytes));
        assert_eq!(charset(b"\xe0 faire", Some("ISO-8859-1")), ("à faire".to_owned(), Guess::None));
    }
}
