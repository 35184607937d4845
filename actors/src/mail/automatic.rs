//! Mails that a program sent by itself as an answer: absences, reports, receipts. Their text
//! often quotes a mission, and an answer to what a receiver sent could go round for ever.
//!
//! Not what a program sends on its own account (`Auto-Submitted: auto-generated`), not lists,
//! not bulk: the missions themselves may be sent by a machine.

use super::header::Entity;
use super::mime::MailTexts;

/// Characters of a field's value that are told.
const TOLD: usize = 60;

/// What says that the mail is an automatic answer, such as `Auto-Submitted: auto-replied`;
/// `None` = nothing does.
pub(super) fn evidence(message: &Entity<'_>, bodies: &MailTexts) -> Option<String> {
    header(message).or_else(|| bodies.automatic.clone())
}

/// The header fields of RFC 3834 section 5 and of the programs before it.
pub(super) fn header(message: &Entity<'_>) -> Option<String> {
    let is = |name: &str, wanted: &[&str]| {
        let value = message.text(name);
        let bare = value.split([';', '(']).next().unwrap_or_default().trim();
        wanted.iter().any(|word| bare.eq_ignore_ascii_case(word)).then(|| told(name, &value))
    };
    let present = |name: &str| {
        let value = message.text(name);
        let says = !value.trim().is_empty() && !value.trim().eq_ignore_ascii_case("no");
        says.then(|| told(name, &value))
    };
    is("Auto-Submitted", &["auto-replied"])
        .or_else(|| present("X-Autoreply"))
        .or_else(|| present("X-Autorespond"))
        .or_else(|| is("Precedence", &["auto_reply", "auto-reply"]))
        // RFC 5321 section 4.5.5: reports are sent with an empty return path.
        .or_else(|| is("Return-Path", &["<>"]))
}

/// What the type of a part says: a report (RFC 6522), a receipt (RFC 8098), or an answer to an
/// invitation (RFC 5546). `method` is the parameter of a calendar part.
pub(super) fn part(kind: &str, subkind: &str, method: Option<&str>) -> Option<String> {
    match (kind, subkind) {
        ("multipart", "report") => Some("Content-Type: multipart/report".to_owned()),
        ("text", "calendar") if method.is_some_and(|method| method.eq_ignore_ascii_case("reply")) => {
            Some("Content-Type: text/calendar; method=REPLY".to_owned())
        }
        _ => None,
    }
}

fn told(name: &str, value: &str) -> String {
    let value: String = value.trim().chars().filter(|letter| !letter.is_control()).take(TOLD).collect();
    format!("{name}: {value}")
}

#[cfg(test)]
mod tests {
    use crate::mail::parse::parse;

    fn automatic(header: &str, body: &str) -> Option<String> {
        let raw = format!("From: a@b.fr\nSubject: x\n{header}\n\n{body}");
        parse(raw.as_bytes()).expect("a mail").automatic
    }

    #[test]
    fn answers_of_programs_are_automatic() {
        for header in [
            "Auto-Submitted: auto-replied",
            "Auto-Submitted: Auto-Replied; owner-email=\"a@b.fr\"",
            "Auto-Submitted: auto-replied (vacation)",
            "X-Autoreply: yes",
            "X-Autorespond: vacation",
            "Precedence: auto_reply",
            "Return-Path: <>",
            "Content-Type: multipart/report; report-type=delivery-status; boundary=x",
            "Content-Type: multipart/report; report-type=disposition-notification; boundary=x",
            "Content-Type: text/calendar; method=REPLY",
        ] {
            assert!(automatic(header, "x").is_some(), "{header}");
        }
        let nested = "--x\nContent-Type: text/plain\n\noui\n--x\nContent-Type: text/calendar; method=reply\n\nx\n--x--\n";
        assert!(automatic("Content-Type: multipart/alternative; boundary=x", nested).is_some());
    }

    #[test]
    fn what_a_machine_sends_on_its_own_account_is_not() {
        for header in [
            "Auto-Submitted: auto-generated",
            "Auto-Submitted: no",
            "X-Autoreply: no",
            "X-Auto-Response-Suppress: All",
            "Precedence: bulk",
            "Precedence: list",
            "List-Id: <missions.example>",
            "Return-Path: <a@b.fr>",
            "Content-Type: text/calendar; method=REQUEST",
            "Subject: auto-replied",
        ] {
            assert_eq!(automatic(header, "x"), None, "{header}");
        }
        // A report that somebody forwards is a part of his mail.
        let forwarded = "--x\n\nvoici\n--x\nContent-Type: message/rfc822\n\nAuto-Submitted: auto-replied\n\
                         Content-Type: multipart/report; boundary=y\n\n--y\n\nx\n--y--\n--x--\n";
        assert_eq!(automatic("Content-Type: multipart/mixed; boundary=x", forwarded), None);
    }
}
