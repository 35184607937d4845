//! What a server says, line by line, before the parser sees it.
//!
//! `imap-proto` recurses without a bound, takes a response again from its beginning for every
//! piece that arrives, and panics at some answers; a literal may announce 4 GiB. So a line is
//! held back until it is whole and was found to be harmless, what we have no use for is passed
//! over, and a literal is not larger than what was asked for. The parser never sees half a line.
//!
//! For this to be sound, guard and parser must agree where each response and each literal
//! ends; `tests/agreement.rs` compares them.

use bytes::BytesMut;

use super::items;

/// The longest line, and all lines of one response together, in bytes: a search of 20,000 mails
/// takes 220,000.
pub(super) const LINE: usize = 256 * 1024;
/// Literals in one response. One is what was asked for.
const LITERALS: u32 = 8;
/// The largest literal of a response that is passed over, in bytes.
const PASSED_OVER: u64 = 64 * 1024;
/// So much of a refusal is kept, in bytes.
const REFUSAL: usize = 2048;

/// What a server must not send. The texts tell what happened, and quote nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Breach {
    /// A line that does not end.
    #[error("the server's answer is a line of more than {LINE} bytes, the connection is given up")]
    TooLong,
    /// Lists within lists: the parser would recurse.
    #[error(
        "the server's answer is nested deeper than anything that was asked for, the connection is given up"
    )]
    Nested,
    /// A larger literal than what was asked for.
    #[error(
        "the server announces {announced} bytes where at most {allowed} were asked for, the connection is given up"
    )]
    TooLarge {
        /// What the server says will come.
        announced: u64,
        /// What may come.
        allowed: u64,
    },
    /// A literal where none belongs.
    #[error("the server announces a literal that was not asked for, the connection is given up")]
    Unasked,
    /// More bytes in all.
    #[error("the server sends more than what was asked for can take, the connection is given up")]
    TooMuch,
    /// No answer of IMAP.
    #[error("the server's answer could not be understood")]
    Malformed,
}

/// What a response is, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ResponseKind {
    /// Ends with words for people: `OK`, `NO`, `BYE`, `+`, a tag.
    Words,
    /// Words and numbers of one line.
    Flat,
    /// `FETCH`, whose items begin here.
    Fetch(usize),
    /// Nothing that we use. The parser does not see it.
    Other,
}

/// The scanner of one connection.
#[derive(Debug, Default)]
pub(super) struct ResponseGuard {
    /// The present line, as far as it has come.
    held: Vec<u8>,
    /// Bytes of the present response outside of literals.
    length: usize,
    /// The response that goes on behind a literal.
    within: Option<ResponseKind>,
    literals: u32,
    /// Bytes of the present literal that are still to come.
    left: u64,
    refusal: Option<Vec<u8>>,
}

impl ResponseGuard {
    /// Takes in what has arrived and adds to `passed` what the parser may see.
    /// `literal` = the largest literal that was asked for, in bytes.
    ///
    /// # Errors
    /// The connection is of no further use.
    pub(super) fn take(
        &mut self,
        mut bytes: &[u8],
        literal: u64,
        passed: &mut BytesMut,
    ) -> Result<(), Breach> {
        while !bytes.is_empty() {
            if self.left > 0 {
                let here = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                let (content, rest) = bytes.split_at(here);
                if self.within != Some(ResponseKind::Other) {
                    passed.extend_from_slice(content);
                }
                self.left -= here as u64;
                bytes = rest;
                continue;
            }
            let end = bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
            let (line, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            self.length += line.len();
            if self.length > LINE {
                return Err(Breach::TooLong);
            }
            self.held.extend_from_slice(line);
            bytes = rest;
            if end.is_some() {
                let whole = std::mem::take(&mut self.held);
                self.judge(&whole, literal, passed)?;
            }
        }
        Ok(())
    }

    /// The last `NO`, `BAD` or `BYE`, without its tag; told once.
    pub(super) fn refusal(&mut self) -> Option<Vec<u8>> {
        self.refusal.take()
    }

    /// Nothing is under way: all that came was whole.
    #[cfg(test)]
    pub(super) fn is_at_rest(&self) -> bool {
        self.held.is_empty() && self.within.is_none()
    }

    fn judge(&mut self, whole: &[u8], literal: u64, passed: &mut BytesMut) -> Result<(), Breach> {
        let line = whole.strip_suffix(b"\r\n").ok_or(Breach::Malformed)?;
        if line.iter().any(|byte| matches!(byte, 0 | b'\r')) {
            return Err(Breach::Malformed);
        }
        let first = self.within.is_none();
        let kind = self.within.unwrap_or_else(|| ResponseKind::of(line));
        let follows = match kind {
            ResponseKind::Fetch(begin) if first => items::scan(line.get(begin..).unwrap_or_default(), true)?,
            ResponseKind::Fetch(_) => items::scan(line, false)?,
            ResponseKind::Other => announced(line),
            // A literal here would be one for the parser only, or for us only.
            ResponseKind::Words | ResponseKind::Flat if announced(line).is_some() => {
                return Err(Breach::Unasked);
            }
            ResponseKind::Words => {
                self.words(line)?;
                None
            }
            ResponseKind::Flat => None,
        };
        if kind != ResponseKind::Other {
            passed.extend_from_slice(whole);
        }
        let Some(announced) = follows else {
            self.within = None;
            self.length = 0;
            self.literals = 0;
            return Ok(());
        };
        let allowed = if kind == ResponseKind::Other { PASSED_OVER } else { literal };
        self.literals += 1;
        if announced > allowed || self.literals > LITERALS {
            return Err(Breach::TooLarge { announced, allowed });
        }
        self.within = Some(kind);
        self.left = announced;
        Ok(())
    }

    fn words(&mut self, line: &[u8]) -> Result<(), Breach> {
        // The parser cuts the text one byte behind a response code, whatever stands there.
        if line.windows(2).any(|pair| matches!(pair, [b']', 0x80..=0xff])) {
            return Err(Breach::Malformed);
        }
        let mut words = line.splitn(3, |byte| *byte == b' ');
        let (_, status, text) = (words.next(), words.next().unwrap_or_default(), words.next());
        if [&b"NO"[..], b"BAD", b"BYE"].iter().any(|no| status.eq_ignore_ascii_case(no)) {
            let text = text.unwrap_or_default();
            self.refusal = Some(text.get(..REFUSAL).unwrap_or(text).to_vec());
        }
        Ok(())
    }
}

impl ResponseKind {
    fn of(line: &[u8]) -> Self {
        let Some(rest) = line.strip_prefix(b"* ") else {
            // A tag, `+`, or nothing that the parser knows.
            return Self::Words;
        };
        let mut words = rest.split(|byte| *byte == b' ');
        let word = words.next().unwrap_or_default();
        let is = |word: &[u8], names: &[&[u8]]| names.iter().any(|name| word.eq_ignore_ascii_case(name));
        if is(word, &[b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"]) {
            return Self::Words;
        }
        if is(word, &[b"CAPABILITY", b"FLAGS", b"SEARCH", b"STATUS"]) {
            return Self::Flat;
        }
        if word.is_empty() || !word.iter().all(u8::is_ascii_digit) {
            return Self::Other;
        }
        match words.next() {
            Some(what) if is(what, &[b"EXISTS", b"EXPUNGE", b"RECENT"]) => Self::Flat,
            Some(what) if is(what, &[b"FETCH"]) => Self::Fetch(2 + word.len() + " FETCH ".len()),
            _ => Self::Other,
        }
    }
}

/// The size in `{123}` at the end of a line, which announces a literal.
pub(super) fn announced(line: &[u8]) -> Option<u64> {
    let line = line.strip_suffix(b"}")?;
    let digits = line.rsplit(|byte| *byte == b'{').next()?;
    if digits.is_empty() || digits.len() == line.len() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // More digits than a number has: larger than anything that may be asked for.
    Some(str::from_utf8(digits).ok()?.parse().unwrap_or(u64::MAX))
}
