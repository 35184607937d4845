//! The answer to bytes that are no request. No handler sees them, and the parser would answer a
//! status without a body: here they get a problem document, which clients of the API read in every
//! other refusal.

use serde_json::json;

use crate::http::problem::ProblemKind;

/// No answer of the parser is longer; every answer of a handler is, by what `harden` adds to it.
const MAX_BARE_BYTES: usize = 256;

/// The whole answer, after which the connection ends.
pub(super) fn answer(kind: ProblemKind, detail: &str) -> Vec<u8> {
    let status = kind.status();
    let body = json!({
        "type": kind.uri(),
        "title": kind.title(),
        "status": status.as_u16(),
        "detail": detail,
    })
    .to_string();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/problem+json\r\ncache-control: no-store\r\n\
         x-content-type-options: nosniff\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The answer in place of `bytes`, when these are the parser's refusal of a head: a status and no
/// body. `None` = they are anything else, and are sent as they are. An answer of a handler is never
/// taken for one: it says `x-content-type-options`, whatever it refuses.
pub(super) fn of_parser(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() > MAX_BARE_BYTES {
        return None;
    }
    let head = std::str::from_utf8(bytes).ok()?.strip_suffix("\r\n\r\n")?.to_ascii_lowercase();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("http/1.1 ")?.get(..3)?;
    let is_ours = |line: &str| line.starts_with("x-content-type-options:");
    let (mut empty, mut ours) = (false, false);
    for line in lines {
        empty |= line == "content-length: 0";
        ours |= is_ours(line);
    }
    if ours || !empty {
        return None;
    }
    match status {
        "400" => Some(answer(
            ProblemKind::MalformedRequest,
            "the head of the request is no HTTP: look at its first line, at the names and values of its \
             headers and at Content-Length",
        )),
        "408" => Some(answer(ProblemKind::Timeout, "the head of the request did not come within 10 s")),
        "431" => Some(answer(ProblemKind::HeadersTooLarge, "the head of a request has at most 96 headers")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_status_without_a_body_that_no_handler_gave_is_said_in_other_words() {
        for (bytes, said) in [
            ("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\ndate: x\r\n\r\n", Some("malformed-request")),
            ("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", Some("malformed-request")),
            (
                "HTTP/1.1 431 Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
                Some("headers-too-large"),
            ),
            ("HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n", Some("timeout")),
            (
                "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nx-content-type-options: nosniff\r\n\r\n",
                None,
            ),
            ("HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}", None),
            ("HTTP/1.1 100 Continue\r\n\r\n", None),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", None),
            ("HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n", None),
            ("", None),
        ] {
            let told = of_parser(bytes.as_bytes()).map(|told| String::from_utf8(told).unwrap());
            let kind = told.as_deref().and_then(|told| told.split("/docs/errors#").nth(1)?.split('"').next());
            assert_eq!(kind, said, "{bytes:?}");
        }
    }

    #[test]
    fn an_answer_says_how_long_its_body_is() {
        let told = String::from_utf8(answer(ProblemKind::HeadersTooLarge, "too long")).unwrap();
        let (head, body) = told.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{told}");
        assert!(head.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"), "{told}");
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!((&body["status"], &body["detail"]), (&json!(431), &json!("too long")));
    }
}
