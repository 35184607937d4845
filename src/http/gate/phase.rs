//! What of a connection's bytes may be read now. Pure.

/// Bytes of the longest head that is read. A longer one is answered 431, and the connection ends.
pub(super) const MAX_HEAD_BYTES: usize = 32 * 1024;

/// What follows the head of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Follows {
    /// The next request.
    Next,
    /// A body of `left` more bytes, and then the next request.
    Body(u64),
    /// Nothing that may be read: this request is the last one.
    Nothing,
}

/// Where the reading of a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadPhase {
    /// A head is read, to the empty line that ends it.
    Head(HeadProgress),
    /// A whole head has been read. What follows it is not known yet.
    Asked,
    /// A body is read.
    Body {
        /// Bytes of it that are to come.
        left: u64,
    },
    /// The answer is made.
    Answering,
    /// The answer to the last request is made.
    Last,
    /// The head is longer than any that is read: that is said, and then nothing is read ever again.
    TooLong,
    /// Nothing is read ever again.
    Over,
}

/// The part of a head that has been read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct HeadProgress {
    length: usize,
    /// There has been a line that is not empty; empty ones before it are skipped (RFC 9112
    /// section 2.2).
    begun: bool,
    /// The line that is being read holds something.
    filled: bool,
}

impl ReadPhase {
    /// The next head.
    pub(super) const NEXT: Self = Self::Head(HeadProgress { length: 0, begun: false, filled: false });

    /// How many of the next `bytes` may be read; counts them as read.
    pub(super) fn read(&mut self, bytes: &[u8]) -> usize {
        match self {
            Self::Head(head) => {
                let (read, then) = head.read(bytes);
                *self = then.unwrap_or(*self);
                read
            }
            Self::Body { left } => {
                let length = bytes.len() as u64;
                let read = length.min(*left);
                *left -= read;
                if *left == 0 {
                    *self = Self::Answering;
                }
                usize::try_from(read).unwrap_or(bytes.len())
            }
            Self::Asked | Self::Answering | Self::Last | Self::TooLong | Self::Over => 0,
        }
    }

    /// A head has begun and is not whole.
    pub(super) const fn is_within_a_head(self) -> bool {
        matches!(self, Self::Head(HeadProgress { length: 1.., .. }))
    }

    /// What follows the head that was read is known now.
    pub(super) fn go_on(&mut self, follows: Follows) {
        *self = match follows {
            Follows::Nothing => Self::Last,
            Follows::Next | Follows::Body(0) => Self::Answering,
            Follows::Body(left) => Self::Body { left },
        };
    }

    /// The answer is made; the request was the `last` one, or not. A body that nobody has read
    /// to its end hides where the next request begins.
    pub(super) fn answered(&mut self, last: bool) {
        *self = if *self == Self::Answering && !last { Self::NEXT } else { Self::Over };
    }
}

impl HeadProgress {
    fn read(&mut self, bytes: &[u8]) -> (usize, Option<ReadPhase>) {
        for (at, byte) in bytes.iter().enumerate() {
            self.length += 1;
            match byte {
                b'\n' if self.begun && !self.filled => return (at + 1, Some(ReadPhase::Asked)),
                b'\n' => self.filled = false,
                // A stray one is the parser's to refuse: no more is read until it has.
                b'\r' => {}
                _ => (self.begun, self.filled) = (true, true),
            }
            if self.length >= MAX_HEAD_BYTES {
                return (at + 1, Some(ReadPhase::TooLong));
            }
        }
        (bytes.len(), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `wire` in pieces of `size` bytes, as far as it goes.
    fn read(phase: &mut ReadPhase, wire: &[u8], size: usize) -> usize {
        let mut read = 0;
        while read < wire.len() {
            let piece = &wire[read..wire.len().min(read + size)];
            let more = phase.read(piece);
            read += more;
            if more < piece.len() {
                break;
            }
        }
        read
    }

    #[test]
    fn a_head_is_read_to_its_end_and_not_a_byte_further() {
        for head in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "\r\n\r\n\nGET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\n\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\nHost: a\r\n\n",
            // Folded, which the parser refuses; a line of blanks is no end.
            "GET / HTTP/1.1\r\nA: b\r\n \r\n\tc\r\n\r\n",
        ] {
            for behind in ["", "GET /second HTTP/1.1\r\n\r\n", "\r\n\r\n", "\n"] {
                for size in 1..=head.len() + behind.len() {
                    let mut phase = ReadPhase::NEXT;
                    let wire = format!("{head}{behind}");
                    assert_eq!(read(&mut phase, wire.as_bytes(), size), head.len(), "{wire:?} by {size}");
                    assert_eq!(phase, ReadPhase::Asked);
                    assert_eq!(phase.read(b"GET /third HTTP/1.1\r\n\r\n"), 0, "nobody has said what follows");
                }
            }
        }
    }

    #[test]
    fn a_head_that_does_not_end_is_not_read_for_ever() {
        for line in ["\r\n", "\n", "a", "A: b\r\n"] {
            for size in [1, 7, 4096] {
                let mut phase = ReadPhase::NEXT;
                let wire = line.repeat(MAX_HEAD_BYTES);
                assert_eq!(read(&mut phase, wire.as_bytes(), size), MAX_HEAD_BYTES, "{line:?}");
                assert_eq!(phase, ReadPhase::TooLong);
            }
        }
    }

    #[test]
    fn a_body_is_read_to_its_end_and_the_next_request_after_the_answer() {
        let mut phase = ReadPhase::Asked;
        phase.go_on(Follows::Body(5));
        assert_eq!(phase.read(b"abc"), 3);
        assert_eq!(phase.read(b"deGET / HTTP/1.1\r\n\r\n"), 2);
        assert_eq!(phase.read(b"GET / HTTP/1.1\r\n\r\n"), 0, "the answer is not made");
        phase.answered(false);
        assert_eq!(phase.read(b"GET / HTTP/1.1\r\n\r\nGET"), 18);
        phase.go_on(Follows::Next);
        phase.answered(true);
        assert_eq!(phase.read(b"GET"), 0, "the client or the server wanted to close");
    }

    #[test]
    fn nothing_is_read_behind_the_last_request_nor_behind_half_a_body() {
        for (follows, body) in [(Follows::Nothing, ""), (Follows::Body(9), "abc"), (Follows::Body(9), "")] {
            let mut phase = ReadPhase::Asked;
            phase.go_on(follows);
            assert_eq!(phase.read(body.as_bytes()), body.len());
            phase.answered(false);
            assert_eq!(phase, ReadPhase::Over);
            assert_eq!(phase.read(b"GET / HTTP/1.1\r\n\r\n"), 0);
        }
    }
}
