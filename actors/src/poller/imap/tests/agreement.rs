//! Guard and parser agree: where the guard says that a response ends, the parser ends it or
//! refuses it, and it never reads on, panics or recurses.

use async_imap::imap_proto::Response;
use bytes::BytesMut;
use proptest::prelude::*;

use crate::poller::imap::guard::{Breach, LINE, ResponseGuard};

const LITERAL: u64 = 64;

/// What the guard lets through of one response, or its complaint.
fn passed(bytes: &[u8]) -> Result<Vec<u8>, Breach> {
    let mut passed = BytesMut::new();
    ResponseGuard::default().take(bytes, LITERAL, &mut passed)?;
    Ok(passed.to_vec())
}

/// The same, when nothing is under way at the end.
fn passed_whole(bytes: &[u8]) -> Option<Vec<u8>> {
    let (mut guard, mut passed) = (ResponseGuard::default(), BytesMut::new());
    guard.take(bytes, LITERAL, &mut passed).ok()?;
    guard.is_at_rest().then(|| passed.to_vec())
}

/// The parser takes all that was passed, response by response, or stops with an error.
fn parses_to_the_end(passed: &[u8]) -> Result<(), String> {
    let mut rest = passed;
    while !rest.is_empty() {
        rest = match Response::parse(rest) {
            Ok((behind, _)) => behind,
            Err(error) if error.is_incomplete() => {
                return Err(format!("reads on: {:?}", String::from_utf8_lossy(rest)));
            }
            // The connection ends here.
            Err(_) => return Ok(()),
        };
    }
    Ok(())
}

/// Pieces of answers, of those that are dangerous together above all.
fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "* ",
        "1 FETCH ",
        "FETCH ",
        "* 1 FETCH (",
        "(",
        ")",
        "((",
        "))",
        " ",
        "\"",
        "\\",
        "\\\"",
        "\\x",
        "{3}\r\n",
        "{3}",
        "abc",
        "\r\n",
        "\r",
        "\n",
        "\0",
        "BODY[] ",
        "BODY[]<0> ",
        "BODY ",
        "BODYSTRUCTURE ",
        "ENVELOPE ",
        "FOO ",
        "FLAGS ",
        "(\\Seen)",
        "(\\*)",
        "UID 7",
        "RFC822.SIZE 10",
        "INTERNALDATE ",
        "NIL",
        "X-GM-LABELS ",
        "\"a) b\"",
        "\"a(\"",
        "é",
        "OK ",
        "NO ",
        "BYE ",
        "[ALERT]",
        "[BADCHARSET (",
        "[CAPABILITY IMAP4rev1",
        "] ",
        "SEARCH 1 2",
        "STATUS INBOX (",
        "EXISTS",
        "LIST () \"/\" ",
        "METADATA \"\" ",
        "A0001 OK done",
        "+ idling",
        "\"MESSAGE\" \"RFC822\" ",
        "0",
        ",",
        "%",
        "<0>",
        "{0}\r\n",
        "RFC822 ",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn the_parser_ends_every_response_where_the_guard_does(
        pieces in prop::collection::vec(piece(), 1..14), close in any::<bool>(),
    ) {
        let mut text = pieces.concat();
        if close {
            text.push_str(")\r\n");
        }
        if let Some(passed) = passed_whole(text.as_bytes()) {
            prop_assert_eq!(parses_to_the_end(&passed), Ok(()), "{:?}", text);
        }
    }

    #[test]
    fn the_same_within_a_list_of_items(pieces in prop::collection::vec(piece(), 1..10)) {
        let text = format!("* 1 FETCH ({})\r\n", pieces.concat());
        if let Some(passed) = passed_whole(text.as_bytes()) {
            prop_assert_eq!(parses_to_the_end(&passed), Ok(()), "{:?}", text);
        }
    }

    #[test]
    fn pieces_of_any_size_are_judged_like_the_whole(
        pieces in prop::collection::vec(piece(), 1..14), cuts in prop::collection::vec(1_usize..9, 0..40),
    ) {
        let text = pieces.concat();
        let mut rest = text.as_bytes();
        let mut guard = ResponseGuard::default();
        let mut pieced = BytesMut::new();
        let mut judged = Ok(());
        for cut in cuts.into_iter().chain([usize::MAX]) {
            let (piece, behind) = rest.split_at(cut.min(rest.len()));
            judged = guard.take(piece, LITERAL, &mut pieced);
            rest = behind;
            if judged.is_err() {
                break;
            }
        }
        prop_assert_eq!(judged.map(|()| pieced.to_vec()), passed(text.as_bytes()), "{:?}", text);
    }
}

#[test]
fn real_answers_pass_unchanged() {
    for answer in [
        "* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n",
        "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)\r\n",
        "* OK [PERMANENTFLAGS (\\Answered \\*)] \"quotes\" and (((((((((((((((((((((((((((((((((((((\r\n",
        "* 172 EXISTS\r\n* 1 RECENT\r\n* 3 EXPUNGE\r\n",
        "* SEARCH\r\n* SEARCH 2 84 882\r\n",
        "* 12 FETCH (FLAGS (\\Seen $Forwarded) UID 4827313 RFC822.SIZE 44827 INTERNALDATE \" 3-Feb-2026 10:00:00 +0100\")\r\n",
        "* 12 FETCH (UID 7 FLAGS (\\Recent ) MODSEQ (65402) )\r\n",
        "* 12 FETCH (UID 7 BODY[] \"(((((((((((((((((((((((((((((((( \\\" \\\\ )\")\r\n",
        "* 12 FETCH (UID 7 BODY[]<0> {13}\r\n((((\r\n\"{99}\r\n)\r\n",
        "* 12 FETCH (BODY[HEADER]<0> {2}\r\n\r\n UID 7 FLAGS ())\r\n",
        "* 12 fetch (uid 7 body[] NIL)\r\n",
        "* STATUS \"INBOX\" (UIDNEXT 44292)\r\n",
        "A0003 OK [READ-WRITE] SELECT completed\r\n+ idling\r\n+\r\n",
    ] {
        let same = passed(answer.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(same, Ok(answer.to_owned()));
        assert_eq!(parses_to_the_end(answer.as_bytes()), Ok(()), "{answer}");
    }
}

#[test]
fn what_nobody_asked_for_is_passed_over_whole() {
    for answer in [
        "* LIST (\\HasNoChildren) \"/\" INBOX\r\n",
        "* LIST () \"/\" {5}\r\nab\r\nc\r\n",
        "* METADATA \"\u{fffd}\" ()\r\n",
        "* BODYSTRUCTURE ((((((((((((((((((((((((((\r\n",
        "* THREAD (((((((((((((((((((\r\n",
        "* 1 VANISHED\r\n",
        "* \r\n",
    ] {
        let text = format!("{answer}* 2 EXISTS\r\n");
        assert_eq!(passed(text.as_bytes()).unwrap(), b"* 2 EXISTS\r\n", "{answer}");
    }
}

#[test]
fn each_danger_is_named() {
    let nested = format!("* 1 FETCH (BODYSTRUCTURE {}\r\n", "(".repeat(500));
    let long = "x".repeat(LINE + 1);
    let literals = format!("* 1 FETCH ({}\r\n", "BODY[] {0}\r\n ".repeat(40));
    for (answer, breach) in [
        (nested.as_str(), Breach::Nested),
        ("* 1 FETCH (ENVELOPE ((\"a\" NIL)))\r\n", Breach::Nested),
        (&long, Breach::TooLong),
        ("* 1 FETCH (BODY[] {65}\r\n", Breach::TooLarge { announced: 65, allowed: 64 }),
        (
            "* 1 FETCH (BODY[] {99999999999999999999999}\r\n",
            Breach::TooLarge { announced: u64::MAX, allowed: 64 },
        ),
        (&literals, Breach::TooLarge { announced: 0, allowed: 64 }),
        // The parser would see the end of a quoted string elsewhere …
        ("* 1 FETCH (FOO \"a\\x BODYSTRUCTURE (((((((\")\r\n", Breach::Malformed),
        ("* 1 FETCH (FOO (\"a) BODYSTRUCTURE (((((((\"))\r\n", Breach::Malformed),
        // … or no literal.
        ("* 1 FETCH (FOO x{50}\r\n", Breach::Malformed),
        ("* 1 FETCH (FOO {50}\r\n", Breach::Unasked),
        ("* OK [BADCHARSET ({50}\r\n", Breach::Unasked),
        ("* OK words {50}\r\n", Breach::Unasked),
        ("* STATUS {5}\r\n", Breach::Unasked),
        // It panics at these.
        ("* 1 FETCH (INTERNALDATE NIL)\r\n", Breach::Malformed),
        ("* OK [ALERT]é\r\n", Breach::Malformed),
        ("* OK a\0b\r\n", Breach::Malformed),
        ("* OK a\n", Breach::Malformed),
        ("* 1 FETCH\r\n", Breach::Malformed),
    ] {
        assert_eq!(passed(answer.as_bytes()), Err(breach), "{}", &answer[..answer.len().min(80)]);
    }
}
