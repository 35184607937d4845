//! Raw bytes to [`Mail`]. Tolerant: a flaw in one field never costs the others.

use std::borrow::Cow;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::header::{self, Entity};
use super::mime::{self, MailTexts};
use super::providers::{self, Providers};
use super::{Mail, authentication, automatic, encoding, html, identity};
use crate::kernel::said::Said;

/// Bytes of a subject that are kept. What is made of one is compared, listed, sent and kept in the
/// journal, in JSON at up to six times its size.
pub(super) const SUBJECT: usize = 4 << 10;
/// Bytes of `From` that are kept: names and addresses of several senders.
pub(super) const FROM: usize = 2 << 10;
/// Bytes of an address: 64 before the `@` and 255 behind it (RFC 5321 section 4.5.3.1).
pub(super) const SENDER: usize = 64 + 1 + 255;
/// Bytes of `Date` and of `Message-ID` that are kept: a line has 998 (RFC 5322 section 2.1.1).
pub(super) const LINE: usize = 1 << 10;

/// Why a mail could not be read at all: it goes to quarantine with its raw source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Nothing in it looks like a mail.
    #[error(
        "it is empty or has none of the header fields that every mail has (From, To, Subject, Date, Received)"
    )]
    NotAMail,
    /// Reading it makes the parser panic.
    #[error("the parser failed on it")]
    ParserFailed,
}

impl Unreadable {
    /// In both languages.
    #[must_use]
    pub fn said(&self) -> Said {
        let french = match self {
            Self::NotAMail => {
                "il est vide ou n'a aucun des champs d'en-tête de tout message (From, To, Subject, Date, Received)"
            }
            Self::ParserFailed => "sa lecture a échoué",
        };
        Said { french: french.to_owned(), english: self.to_string() }
    }
}

/// Reads a mail, with the built-in providers: see [`parse_for`].
///
/// # Errors
/// [`Unreadable`] when there is nothing to process.
pub fn parse(raw: &[u8]) -> Result<Mail, Unreadable> {
    parse_for(raw, &providers::defaults())
}

/// Reads a mail. Of a text that is too long the links of `providers` are kept.
///
/// # Errors
/// [`Unreadable`] when there is nothing to process.
pub fn parse_for(raw: &[u8], providers: &Arc<Providers>) -> Result<Mail, Unreadable> {
    let lines = with_line_ends(raw);
    let message = readable(&lines)?;
    let bodies = mime::bodies(&message, providers);
    let mut mail = headers(&message, raw);
    let automatic = automatic::evidence(&message, &bodies);
    mail.text = text(&bodies.plain, &bodies.html);
    let MailTexts { plain, html, has_attachment, flaws, .. } = bodies;
    mail.plain = plain;
    mail.html = html;
    mail.has_attachment = has_attachment;
    mail.automatic = automatic;
    mail.flaws.extend(flaws);
    Ok(mail)
}

/// Reads the header of a mail whose body is not loaded because it is too large. `size` is
/// the size of the whole mail in bytes.
///
/// # Errors
/// [`Unreadable`] when it is not the header of a mail.
pub fn parse_header_only(header: &[u8], size: u64) -> Result<Mail, Unreadable> {
    let lines = with_line_ends(header);
    let mut mail = headers(&readable(&lines)?, header);
    mail.size = size;
    mail.flaws.push("larger than the limit: the body was not loaded".to_owned());
    Ok(mail)
}

/// The source with line ends as they are meant: one carriage return before a line feed, not
/// several, and in a mail that has only carriage returns, line feeds.
fn with_line_ends(raw: &[u8]) -> Cow<'_, [u8]> {
    if !raw.contains(&b'\n') && raw.contains(&b'\r') {
        return Cow::Owned(raw.iter().map(|byte| if *byte == b'\r' { b'\n' } else { *byte }).collect());
    }
    if !raw.windows(3).any(|window| window == b"\r\r\n") {
        return Cow::Borrowed(raw);
    }
    let mut lines = Vec::with_capacity(raw.len());
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        let mut text = line.strip_suffix(b"\n").unwrap_or(line);
        while let Some(shorter) = text.strip_suffix(b"\r\r").and_then(|_| text.strip_suffix(b"\r")) {
            text = shorter;
        }
        lines.extend_from_slice(text);
        if line.ends_with(b"\n") {
            lines.push(b'\n');
        }
    }
    Cow::Owned(lines)
}

fn readable(raw: &[u8]) -> Result<Entity<'_>, Unreadable> {
    let message = header::message(raw);
    if message.is_mail() { Ok(message) } else { Err(Unreadable::NotAMail) }
}

fn headers(message: &Entity<'_>, raw: &[u8]) -> Mail {
    let mut flaws = Vec::new();
    if message.flawed {
        flaws.push("the header block is malformed".to_owned());
    }
    if message.is_cut {
        flaws.push("the header is longer than is read; the rest of it was left out".to_owned());
    }
    let (subject, clean) = encoding::words(&message.text("subject"));
    if !clean {
        flaws.push("the subject could not be decoded completely".to_owned());
    }
    let message_id = message.text("message-id").trim_end().to_owned();
    if message_id.is_empty() {
        flaws.push("there is no Message-ID".to_owned());
    }
    let date = message.text("date").trim_end().to_owned();
    let from = message.text("from").trim_end().to_owned();
    let mut sender = identity::sender(&from);
    if sender.len() > SENDER {
        // Not the beginning of it: that would be the address of somebody else.
        flaws.push(format!("the sender address is longer than {SENDER} bytes, so it is none"));
        sender.clear();
        sender.shrink_to_fit();
    } else if sender.is_empty() {
        flaws.push("there is no sender address".to_owned());
    }
    // Of the whole of each: the identity is that of the reference.
    let email_id = if message_id.is_empty() && subject.is_empty() && date.is_empty() {
        identity::source_id(raw)
    } else {
        identity::email_id(&message_id, &subject, &date)
    };
    let mut bounded = |text, most, what| bounded(text, most, what, &mut flaws);
    let message_id = bounded(message_id, LINE, "Message-ID");
    let subject = bounded(subject, SUBJECT, "subject");
    let date = bounded(date, LINE, "Date");
    let from = bounded(from, FROM, "From");
    Mail {
        email_id,
        message_id,
        subject,
        date,
        from,
        sender,
        plain: String::new(),
        html: String::new(),
        text: String::new(),
        has_attachment: false,
        size: raw.len() as u64,
        flaws,
        arrived: arrived(message),
        automatic: automatic::header(message),
        authentication: authentication::reports(message),
        pushed: false,
    }
}

/// The beginning of a field that is too long, and a flaw that says so.
pub(super) fn bounded(text: String, most: usize, what: &str, flaws: &mut Vec<String>) -> String {
    if text.len() <= most {
        return text;
    }
    flaws.push(format!("the {what} is longer than {most} bytes; the rest was left out"));
    // A copy, so that the whole does not stay in memory.
    text.get(..text.floor_char_boundary(most)).unwrap_or_default().to_owned()
}

/// When the mail arrived: the time that the server which took it last put before all others
/// (RFC 5321 section 4.4), or else its Date.
fn arrived(message: &Entity<'_>) -> Option<DateTime<Utc>> {
    let received = message.text("received");
    let stamp = received.rsplit_once(';').map(|(_, stamp)| stamp);
    let date = message.text("date");
    [stamp, Some(date.as_str())]
        .into_iter()
        .flatten()
        .find_map(|written| DateTime::parse_from_rfc2822(written.trim()).ok())
        .map(|arrived| arrived.to_utc())
}

/// The text for detection: what a reader of either part sees.
pub(super) fn text(plain: &str, html: &str) -> String {
    let mut text = html_escape::decode_html_entities(plain).into_owned();
    if !html.is_empty() {
        text.push('\n');
        text.push_str(&html::to_text(html));
    }
    match identity::visible(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(visible) => visible,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &str) -> Mail {
        parse(raw.as_bytes()).expect("a mail")
    }

    #[test]
    fn folded_and_encoded_headers() {
        let mail = read(
            "Message-ID:\r\n <a@x>\r\nSubject: =?utf-8?q?M=C3=A9dia_?=\r\n =?utf-8?q?Solution?=\r\n\tLot 42\r\n\
             Date: Mon, 26 Jan 2026\r\n 10:59:00 +0100\r\nFrom: Bob\r\n <Bob@ex.com>\r\n\r\nx",
        );
        assert_eq!(mail.message_id, "<a@x>");
        assert_eq!(mail.subject, "Média Solution Lot 42");
        assert_eq!(mail.date, "Mon, 26 Jan 2026 10:59:00 +0100");
        assert_eq!((mail.from.as_str(), mail.sender.as_str()), ("Bob <Bob@ex.com>", "bob@ex.com"));
        assert!(mail.flaws.is_empty(), "{:?}", mail.flaws);
    }

    #[test]
    fn line_ends_do_not_change_the_identity() {
        let crlf = "Message-ID: <a@x>\r\nSubject: un\r\n deux\r\nDate: d\r\n\r\nx\r\n";
        assert_eq!(read(crlf).email_id, read(&crlf.replace('\r', "")).email_id);
        let bare = "Received: x\r\n\r\nun\r\n";
        assert_eq!(read(bare).email_id, read(&bare.replace('\r', "")).email_id);
        assert_ne!(read(bare).email_id, read(&bare.replace("un", "deux")).email_id);
    }

    #[test]
    fn raw_bytes_in_headers_are_read() {
        let utf8 = read("From: Élodie <e@ex.com>\r\nSubject: Média\r\n\r\nx");
        assert_eq!((utf8.sender.as_str(), utf8.subject.as_str()), ("e@ex.com", "Média"));
        let latin = parse(b"From: \xc9lodie <e@ex.com>\r\nSubject: M\xe9dia\r\n\r\nx").expect("a mail");
        assert_eq!((latin.from.as_str(), latin.subject.as_str()), ("Élodie <e@ex.com>", "Média"));
    }

    #[test]
    fn a_missing_empty_line_costs_nothing() {
        for raw in [
            "From: a@b.fr\nSubject: s\nBonjour,\nLien: https://fromsmash.com/a\n\nfin",
            "From: a@b.fr\nSubject: s\nLien: https://fromsmash.com/a",
        ] {
            let mail = read(raw);
            assert_eq!((mail.sender.as_str(), mail.subject.as_str()), ("a@b.fr", "s"));
            assert!(mail.plain.contains("Lien: https://fromsmash.com/a"), "{:?}", mail.plain);
            assert!(mail.flaws.iter().any(|flaw| flaw.contains("header block")));
        }
        let mail = read("Subject: un\nmal plié\nFrom: a@b.fr\n\ntexte");
        assert_eq!((mail.sender.as_str(), mail.plain.as_str()), ("a@b.fr", "texte"));
    }

    #[test]
    fn bodies_are_joined_as_in_the_reference() {
        let mail = read(
            "From: a@b.fr\r\nContent-Type: multipart/mixed; boundary=\"b 1\"\r\n\r\npreamble\r\n--b 1\r\n\
             Content-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\nun\r\n--c\r\n\
             Content-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
             <p>=E0 faire</p>\r\n--c--\r\n--b 1\r\nContent-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\n\
             secret\r\n--b 1\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ndedans\r\n--b 1--\r\nepilogue",
        );
        assert_eq!(mail.plain, "un\ndedans");
        assert_eq!(mail.html, "<p>à faire</p>");
        assert_eq!(mail.text, "un\ndedans\nà faire\n");
        assert!(mail.has_attachment);
        assert!(mail.flaws.iter().all(|flaw| flaw.contains("Message-ID")), "{:?}", mail.flaws);
    }

    #[test]
    fn bodies_that_are_not_what_they_say() {
        let plain = |header: &str, body: &[u8]| {
            let raw = [format!("From: a@b.fr\r\n{header}\r\n\r\n").as_bytes(), body].concat();
            parse(&raw).expect("a mail").plain
        };
        assert_eq!(plain("Content-Type: text/plain; charset=x-nix", "été".as_bytes()), "été");
        assert_eq!(plain("Content-Type: text/plain; charset=x-nix", b"\xe9t\xe9"), "été");
        assert_eq!(plain("Content-Type: nonsense", b"texte"), "texte");
        assert_eq!(plain("Content-Type: multipart/mixed", b"texte"), "texte");
        assert_eq!(plain("Content-Type: multipart/mixed; boundary=x", b"--x\r\n\r\ntexte"), "texte");
        let base64 = "Content-Transfer-Encoding: base64";
        assert_eq!(plain(base64, b"dGV4d!GU="), "texte");
        assert_eq!(plain(base64, b"Lien https://fromsmash.com/a ici"), "Lien https://fromsmash.com/a ici");
    }

    #[test]
    fn html_has_a_budget() {
        let raw = format!("From: a@b.fr\nContent-Type: text/html\n\n{}", "é".repeat(600 << 10));
        let mail = read(&raw);
        // And what is said of the rest.
        assert!(mail.html.len() <= (1 << 20) + 64, "{}", mail.html.len());
        assert!(mail.flaws.iter().any(|flaw| flaw.contains("1 MiB")));
    }

    #[test]
    fn what_is_no_mail_is_refused() {
        for raw in ["", "\r\n\r\n", "bonjour", "\u{0}\u{1}", "Note: rien\n\ntexte"] {
            assert_eq!(parse(raw.as_bytes()), Err(Unreadable::NotAMail), "{raw:?}");
        }
        assert!(parse(b"\xef\xbb\xbfFrom MAILER Mon Jan 26\nSubject: x\n\n").is_ok());
    }

    #[test]
    fn it_arrived_when_the_last_server_says() {
        for (header, expected) in [
            (
                "Received: from a by b; Mon, 26 Jan 2026 10:59:00 +0100 (CET)\nDate: Mon, 26 Jan 2026 08:00:00 +0000",
                Some("09:59"),
            ),
            ("Received: from a by b; one day\nDate: Mon, 26 Jan 2026 08:00:00 +0000", Some("08:00")),
            (
                "Received: x; Mon, 26 Jan 2026 12:00:00 +0000\nReceived: y; Mon, 26 Jan 2026 07:00:00 +0000",
                Some("12:00"),
            ),
            ("Date: soon", None),
            ("Subject: x", None),
        ] {
            let mail = read(&format!("From: a@b.fr\n{header}\n\nx"));
            let arrived = mail.arrived.map(|arrived| arrived.format("%H:%M").to_string());
            assert_eq!(arrived.as_deref(), expected, "{header}");
        }
    }

    #[test]
    fn odd_line_ends_are_line_ends() {
        let wanted = read("From: a@b.fr\nSubject: x\n\nun\ndeux\n");
        for raw in [
            "From: a@b.fr\rSubject: x\r\run\rdeux\r",
            "From: a@b.fr\r\r\nSubject: x\r\r\n\r\r\nun\r\r\ndeux\r\r\n",
        ] {
            let mail = read(raw);
            assert_eq!((mail.sender, mail.subject), (wanted.sender.clone(), wanted.subject.clone()));
            assert_eq!(mail.plain.lines().collect::<Vec<_>>(), ["un", "deux"], "{raw:?}");
        }
    }

    #[test]
    fn a_name_is_no_disposition_and_the_only_part_is_the_text() {
        let part = |disposition: &str| {
            read(&format!(
                "From: a@b.fr\nContent-Type: multipart/mixed; boundary=X\n\n--X\nContent-Type: text/plain\n\
                 Content-Disposition: {disposition}\n\ntexte\n--X--\n"
            ))
        };
        for disposition in ["inline; filename=attachment.txt", "attachment; filename=a.txt", "inline"] {
            let mail = part(disposition);
            assert_eq!((mail.plain.as_str(), mail.has_attachment), ("texte", false), "{disposition}");
        }
        let two = read(
            "From: a@b.fr\nContent-Type: multipart/mixed; boundary=X\n\n--X\n\ntexte\n--X\n\
             Content-Type: text/plain\nContent-Disposition: Attachment; filename=a.txt\n\nannexe\n--X--\n",
        );
        assert_eq!((two.plain.as_str(), two.has_attachment), ("texte", true));
    }

    #[test]
    fn a_transfer_encoding_is_read_as_it_is_meant() {
        for encoding in ["base64;", "\"base64\"", "base64 (RFC 2045)", "=?utf-8?Q?base64?=", "BASE64 ; x=y"] {
            let mail = read(&format!("From: a@b.fr\nContent-Transfer-Encoding: {encoding}\n\ndGV4dGU=\n"));
            assert_eq!(mail.plain, "texte", "{encoding}");
        }
        let mail = read(
            "From: a@b.fr\nContent-Transfer-Encoding: base64\n\nTGllbiB2ZXJz\n\n--\nListe de diffusion\n",
        );
        assert_eq!(mail.plain, "Lien vers\n--\nListe de diffusion\n");
    }

    #[test]
    fn no_field_is_without_end_and_the_identity_is_of_the_whole() {
        let long = "é".repeat(20_000);
        let raw = format!("Message-ID: <{long}>\nDate: {long}\nSubject: {long}\nFrom: {long} <a@b.fr>\n\nx");
        let mail = read(&raw);
        let lengths = [&mail.message_id, &mail.date, &mail.subject, &mail.from].map(String::len);
        assert_eq!(lengths, [LINE - 1, LINE, SUBJECT, FROM]);
        assert_eq!(mail.email_id, identity::email_id(&format!("<{long}>"), &long, &long));
        // The address is looked for in all of it.
        assert_eq!(mail.sender, "a@b.fr");
        assert_eq!(
            mail.flaws.iter().filter(|flaw| flaw.contains("longer than")).count(),
            4,
            "{:?}",
            mail.flaws
        );
        let mail = read(&format!("From: {}@b.fr\nSubject: x\n\nx", "a".repeat(SENDER - 5)));
        assert_eq!((mail.sender.len(), mail.flaws.len()), (SENDER, 1), "{:?}", mail.flaws);
        let mail = read(&format!("From: {}@b.fr\nSubject: x\n\nx", "a".repeat(SENDER - 4)));
        assert_eq!(mail.sender, "");
        assert!(mail.flaws.iter().any(|flaw| flaw.contains("sender address is longer")), "{:?}", mail.flaws);
    }

    #[test]
    fn a_header_without_end_costs_what_one_of_its_longest_costs() {
        for field in
            ["a:\n", "X-A: b\n", "Received: x\n", "Authentication-Results: a; dkim=pass header.d=b.fr\n"]
        {
            let filling = field.repeat((2 << 20) / field.len());
            let mail = read(&format!("From: a@b.fr\nSubject: x\n{filling}\nhttps://fromsmash.com/a"));
            assert_eq!(
                (mail.subject.as_str(), mail.plain.as_str()),
                ("x", "https://fromsmash.com/a"),
                "{field}"
            );
            assert!(mail.flaws.iter().any(|flaw| flaw.contains("header is longer")), "{:?}", mail.flaws);
        }
        let head = "From: a@b.fr\nSubject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\n";
        let mail = read(&format!("{head}{}\ntexte\n--b--\n", "a:\n".repeat(2_000)));
        assert_eq!(mail.plain, "texte");
        assert!(mail.flaws.iter().any(|flaw| flaw.contains("header of a part")), "{:?}", mail.flaws);
    }

    #[test]
    fn messages_within_messages_are_decoded_up_to_the_size_of_the_mail() {
        let level =
            "Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\nFrom: a@b.fr\n";
        let nested = |levels: usize, bytes: usize| {
            let filler = "abcdefghi ".repeat(bytes / 10);
            read(&format!("From: a@b.fr\nSubject: x\n{}\ndedans {filler}", level.repeat(levels)))
        };
        let is_left_out =
            |mail: &Mail| mail.flaws.iter().any(|flaw| flaw.contains("messages within messages"));
        // As people forward them: all of it.
        let mail = nested(3, 1 << 10);
        assert!(mail.plain.starts_with("dedans") && !is_left_out(&mail), "{:?}", mail.flaws);
        // Of more, the beginning; and of what is too much, nothing.
        let mail = nested(2, 3 << 20);
        assert!(mail.plain.starts_with("dedans") && is_left_out(&mail), "{:?}", mail.flaws);
        let mail = nested(12, 5 << 20);
        assert!(mail.plain.is_empty() && is_left_out(&mail), "{:?}", mail.flaws);
    }

    #[test]
    fn a_header_alone() {
        let mail = parse_header_only(b"From: a@b.fr\r\nSubject: x\r\n\r\n", 1 << 30).expect("a header");
        assert_eq!((mail.size, mail.plain.as_str()), (1 << 30, ""));
    }
}
