//! Who a mail is from, which mail it is, and which group of mails it belongs to. Ids and groups are
//! those of the reference system, since webhooks carry them (reference sections 5.4, 5.6, 5.7, 5.9).

use std::borrow::Cow;
use std::sync::LazyLock;

use md5::{Digest as _, Md5};
use regex::Regex;
use unicode_normalization::char::{decompose_canonical, is_combining_mark};

use super::encoding;
use crate::kernel::digest::hex;

/// md5 hex of `<Message-ID>|<decoded subject>|<raw Date>`: the id that receivers know a mail by since
/// the reference system (reference section 5.6).
#[must_use]
pub fn email_id(message_id: &str, subject: &str, date: &str) -> String {
    hex(Md5::new()
        .chain_update(message_id)
        .chain_update("|")
        .chain_update(subject)
        .chain_update("|")
        .chain_update(date)
        .finalize())
}

/// Identity of a mail that has no Message-ID, subject or date, or that cannot be read: md5
/// of the source. The identity of the reference would be the same for all such mails, and
/// all but the first would be refused as duplicates. Carriage returns do not count, so
/// that the copy in a Maildir and the copy on an IMAP server are one mail.
#[must_use]
pub fn source_id(raw: &[u8]) -> String {
    let mut digest = Md5::new();
    for line in raw.split(|byte| *byte == b'\r') {
        digest.update(line);
    }
    hex(digest.finalize())
}

/// Accents removed, lower-cased, runs of white space made one blank, trimmed.
#[must_use]
pub fn normalize(text: &str) -> String {
    let mut normal = Normal { out: String::with_capacity(text.len()), blank: false };
    let mut rest = text;
    loop {
        let plain = rest.bytes().position(|byte| !byte.is_ascii_graphic()).unwrap_or(rest.len());
        let (run, other) = rest.split_at(plain);
        normal.plain(run);
        let mut letters = other.chars();
        let Some(letter) = letters.next() else { return normal.out };
        rest = letters.as_str();
        if letter.is_ascii() {
            normal.letter(letter);
        } else {
            decompose_canonical(letter, |part| {
                if !is_combining_mark(part) {
                    normal.letter(part);
                }
            });
        }
    }
}

struct Normal {
    out: String,
    /// White space that is written before the next letter.
    blank: bool,
}

impl Normal {
    /// Visible ASCII, as much of it as there is at once.
    fn plain(&mut self, run: &str) {
        if run.is_empty() {
            return;
        }
        self.space();
        let start = self.out.len();
        self.out.push_str(run);
        if let Some(written) = self.out.get_mut(start..) {
            written.make_ascii_lowercase();
        }
    }

    fn letter(&mut self, letter: char) {
        if is_invisible(letter) {
            return;
        }
        if is_space(letter) {
            self.blank = true;
            return;
        }
        self.space();
        if letter.is_ascii() {
            self.out.push(letter.to_ascii_lowercase());
        } else if is_lower(letter) {
            self.out.push(letter);
        } else {
            self.out.extend(letter.to_lowercase());
        }
    }

    fn space(&mut self) {
        if self.blank && !self.out.is_empty() {
            self.out.push(' ');
        }
        self.blank = false;
    }
}

/// As [`str::to_lowercase`], at a third of its cost where letters are not ASCII.
pub(super) fn lowercase(text: &str) -> String {
    // At the end of a word it has a lower case of its own.
    if text.contains('Σ') {
        return text.to_lowercase();
    }
    let mut lower = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_ascii() {
            lower.push(letter.to_ascii_lowercase());
        } else if is_lower(letter) {
            lower.push(letter);
        } else {
            lower.extend(letter.to_lowercase());
        }
    }
    lower
}

/// Letters that are surely their own lower case: of Latin-1 all but its capitals, of the
/// scripts from Hebrew to Burmese, punctuation, Hangul, Chinese, Japanese, pictures. Asking
/// the tables of Unicode for each of them costs more than all else.
const fn is_lower(letter: char) -> bool {
    matches!(letter,
        '\u{80}'..='\u{bf}' | '\u{df}'..='\u{ff}' | '\u{590}'..='\u{109f}' | '\u{1100}'..='\u{11ff}'
        | '\u{2000}'..='\u{20ff}' | '\u{2e80}'..='\u{a63f}' | '\u{ac00}'..='\u{feff}'
        | '\u{fff0}'..='\u{ffff}' | '\u{1f300}'..)
}

/// Characters that nobody sees, and that copying from a web page or a chat puts between
/// letters: soft hyphens, zero-width blanks and joiners, direction marks.
pub(super) const fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{feff}')
}

/// The text without the characters that nobody sees.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || !text.contains(is_invisible) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter(|letter| !is_invisible(*letter)).collect())
}

/// White space as the reference sees it.
pub(super) fn is_space(letter: char) -> bool {
    letter.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&letter)
}

/// The subject without the reply and forward prefixes that the predecessor knew, trimmed: for
/// the names of groups, which must not change. What makes a mail a reply is
/// [`super::replies`].
#[must_use]
pub fn strip_reply_prefixes(subject: &str) -> &str {
    let mut core = subject;
    while let Some(rest) = without_prefix(core) {
        core = rest;
    }
    core.trim()
}

fn without_prefix(subject: &str) -> Option<&str> {
    const PREFIXES: [&str; 6] = ["re", "fwd", "fw", "rv", "tr", "confirmation"];
    PREFIXES.iter().find_map(|prefix| {
        let (start, rest) = subject.split_at_checked(prefix.len())?;
        let rest = start.eq_ignore_ascii_case(prefix).then(|| rest.trim_start())?.strip_prefix(':')?;
        Some(rest.trim_start())
    })
}

/// Digits of a lot that are part of the name of its group: all that a number of 64 bits has. A
/// name is kept in events for ever, and a subject may be nothing but digits.
const LOT_DIGITS: usize = 18;

/// The group of a subject, without month: the number of its lot, or else a hash of the subject
/// (reference section 5.9). A number of more than 18 digits is there by its md5, so a name has less
/// than 100 bytes.
#[must_use]
pub fn subject_group(subject: &str) -> String {
    static LOT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\blot\s+(\d+)\b").ok());
    let normalized = normalize(subject);
    let core = strip_reply_prefixes(&normalized);
    let number =
        LOT.as_ref().and_then(|lot| lot.captures(core)).and_then(|captures| captures.get(1)).map(|number| {
            match number.as_str() {
                long if long.chars().nth(LOT_DIGITS).is_some() => Cow::Owned(hex(Md5::digest(long))),
                number => Cow::Borrowed(number),
            }
        });
    match number {
        Some(number) if core.contains("media solution") && core.contains("missions recadrage") => {
            format!("media_solution_missions_recadrage_lot_{number}")
        }
        Some(number) => format!("lot_{number}"),
        None => format!("subject_hash_{}", hex(Md5::digest(core))),
    }
}

/// The clean, lower-cased address of a From header; empty when there is none.
///
/// What stands in quotes or in comments is a name, not an address, and so is what stands
/// before the last `<…>` of a mailbox; a header of several mailboxes gives the first. Only a
/// header in which there is no address is looked for one in its encoded words: some programs
/// encode the whole of it, and in all others an address in an encoded word is a name.
#[must_use]
pub fn sender(from: &str) -> String {
    let from = visible(from);
    let address = written_sender(&from);
    if !address.is_empty() || !from.contains("=?") {
        return address;
    }
    written_sender(&visible(&encoding::words(&from).0))
}

fn written_sender(from: &str) -> String {
    // A header that opens a quote or a comment and never closes it is read without them.
    let angle = [(true, true), (true, false), (false, true), (false, false)]
        .into_iter()
        .find_map(|(quotes, comments)| angle_address(from, quotes, comments).ok());
    angle.flatten().map_or_else(|| bare_address(from), clean).to_lowercase()
}

/// A quote or a comment does not end.
struct LeftOpen;

/// The address in angle brackets of the first mailbox, if there is one.
fn angle_address(from: &str, quotes: bool, comments: bool) -> Result<Option<&str>, LeftOpen> {
    let mut found: Option<&str> = None;
    let (mut quoted, mut escaped, mut depth) = (false, false, 0_usize);
    let mut open: Option<usize> = None;
    let mut named = false;
    for (at, letter) in from.char_indices() {
        if escaped {
            escaped = false;
            continue;
        }
        match letter {
            '\\' if quoted || depth > 0 => escaped = true,
            '"' if quotes && depth == 0 && open.is_none() => quoted = !quoted,
            _ if quoted => named = true,
            '(' if comments && open.is_none() => depth += 1,
            ')' if depth > 0 => depth -= 1,
            _ if depth > 0 => {}
            '<' => open = Some(at + 1),
            '>' => {
                let inside = open.take().and_then(|from_at| from.get(from_at..at));
                if let Some(address) = inside.filter(|inside| inside.contains('@')) {
                    found = Some(address);
                    if !named {
                        break;
                    }
                }
            }
            ',' | ';' if open.is_none() && found.is_some() => break,
            _ if open.is_none() && !letter.is_whitespace() => named = true,
            _ => {}
        }
    }
    if quoted || depth > 0 { Err(LeftOpen) } else { Ok(found) }
}

fn bare_address(from: &str) -> String {
    from.split(is_space).find(|token| token.contains('@')).map_or_else(String::new, clean)
}

/// Without what may stand around an address or, by old standards, in it: comments, the scheme
/// `mailto:`, a route of relays (RFC 5322 section 4.4).
fn clean(written: &str) -> String {
    let mut address = String::with_capacity(written.len());
    let mut depth = 0_usize;
    for letter in written.chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => address.push(letter),
            _ => {}
        }
    }
    if !address.contains('@') {
        // A bracket that never closes was no comment.
        written.clone_into(&mut address);
    }
    let around = |letter: char| is_space(letter) || "<>,;\"'()".contains(letter);
    let address = address.trim_matches(around);
    let address = match address.split_at_checked(7) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("mailto:") => rest,
        _ => address,
    };
    let route = address.starts_with('@').then(|| address.rsplit_once(':')).flatten();
    route.map_or(address, |(_, mailbox)| mailbox).trim_matches(around).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_display_name_is_no_sender() {
        for (from, expected) in [
            ("\"x <a@b.fr>\" <real@evil.com>", "real@evil.com"),
            ("\"evil <camille@agence.example> \" <Evil@evil.com>", "evil@evil.com"),
            ("x <a@b.fr> <real@evil.com>", "real@evil.com"),
            ("boss@ex.com <real@evil.com>", "real@evil.com"),
            ("boss@ex.com (x <a@b.fr>)", "boss@ex.com"),
            ("\"a \\\" <a@b.fr>\" <real@evil.com>", "real@evil.com"),
            ("Bob <bob@ex.com", "bob@ex.com"),
            ("\"Bob <bob@ex.com>", "bob@ex.com"),
            ("Bob :( <bob@ex.com>", "bob@ex.com"),
            ("Dupont, Élodie <e@ex.com>, f@ex.com", "e@ex.com"),
            ("a@b.fr, c@d.fr", "a@b.fr"),
            ("Bob <>", ""),
            ("<mailto:Bob@ex.com>", "bob@ex.com"),
            ("Bob <@relais.example,@deux.example:bob@ex.com>", "bob@ex.com"),
            ("Bob <bob@ex.com (bureau)>", "bob@ex.com"),
            ("(le chef) bob@ex.com", "bob@ex.com"),
            ("Bob <bob@ex.com\u{200b}>", "bob@ex.com"),
            ("bo\u{ad}b@ex.com", "bob@ex.com"),
            ("=?utf-8?Q?Bob_<bob=40ex.com>?=", "bob@ex.com"),
            // An address in an encoded word is a name where there is another one.
            ("=?utf-8?Q?chef=40ex.com?= <real@evil.com>", "real@evil.com"),
            ("=?utf-8?Q?<chef=40ex.com>?= real@evil.com", "real@evil.com"),
            ("Bob", ""),
        ] {
            assert_eq!(sender(from), expected, "{from}");
        }
    }

    #[test]
    fn letters_without_case_are_their_own_lower_case() {
        let mut without = 0;
        for letter in (char::MIN..=char::MAX).filter(|letter| is_lower(*letter)) {
            assert!(letter.to_lowercase().eq([letter]), "{letter:?}");
            without += 1;
        }
        assert!(without > 40_000, "{without}");
        for text in ["ΟΔΟΣ Σ É", "İ\u{301}ÉéŸ각Ж٣x", "AbC", "", "ǅ😀ẞ"] {
            assert_eq!(lowercase(text), text.to_lowercase());
        }
        assert_eq!(normalize("Mis\u{200b}sions re\u{ad}ca\u{200d}drage\u{feff}"), "missions recadrage");
        assert_eq!(normalize("\u{1c}ÀB \t\u{a0}각Éİ\u{301} Σ "), "ab \u{1100}\u{1161}\u{11a8}ei σ");
    }

    #[test]
    fn the_name_of_a_group_is_short_whatever_the_number() {
        let digits = "1".repeat(LOT_DIGITS);
        assert_eq!(subject_group(&format!("Lot {digits}")), format!("lot_{digits}"));
        let of = |digits: &str| subject_group(&format!("Média Solution Missions Recadrage Lot {digits}"));
        let long = of(&"1".repeat(1 << 20));
        assert!(long.len() < 100 && long.starts_with("media_solution_missions_recadrage_lot_"), "{long}");
        assert_ne!(of(&"1".repeat(LOT_DIGITS + 1)), of(&"1".repeat(LOT_DIGITS + 2)));
        assert!(of(&"٣".repeat(LOT_DIGITS)).len() < 100);
    }

    #[test]
    fn the_source_is_an_identity_without_its_line_ends() {
        assert_eq!(source_id(b"a\r\nb"), source_id(b"a\nb"));
        assert_ne!(source_id(b"a\nb"), source_id(b"a\nc"));
    }
}
