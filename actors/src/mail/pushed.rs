//! A mail that is handed over by HTTP: its fields, as the server that has it names them (reference
//! section 10.2), and no source. From here on it is a mail as any other.

use std::sync::Arc;

use chrono::DateTime;

use super::header;
use super::life::Location;
use super::mime::{self, MailTexts};
use super::parse;
use super::providers::Providers;
use super::{Mail, authentication, automatic, identity};

/// The mailbox that pushed mails are said to lie in. Nothing can be marked there.
pub const MAILBOX: &str = "gmail_push";

/// What a webhook says of where its mail came from, as the reference does.
pub const SOURCE: &str = "gmail_push";

/// Bytes of the id that the pushing server gave the mail.
pub const LONGEST_ID: usize = 128;

/// What was handed over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pushed {
    /// Id that the pushing server gave it, at most [`LONGEST_ID`] bytes; empty = it gave none.
    pub id: String,
    /// Subject, decoded.
    pub subject: String,
    /// Name and address of the sender, as in `From`.
    pub sender: String,
    /// When it was sent, as the pushing server writes it.
    pub date: String,
    /// The text: HTML, or plain where there is no markup in it.
    pub body: String,
    /// Whether it carries an attachment.
    pub has_attachment: bool,
    /// Fields of its header that decide something, such as `Auto-Submitted`.
    pub headers: Vec<(String, String)>,
}

impl Pushed {
    /// Clean, lower-cased address of the sender; empty when there is none.
    #[must_use]
    pub fn address(&self) -> String {
        identity::sender(&self.sender)
    }

    /// The identity that the reference gives it: md5 of `<subject>|<address>|<date>`.
    #[must_use]
    pub fn reference_id(&self) -> String {
        identity::email_id(&self.subject, &self.address(), &self.date)
    }

    /// Its identity: md5 of the id that the pushing server gave it, which is the same however
    /// often the mail is pushed; without one that of the reference.
    #[must_use]
    pub fn email_id(&self) -> String {
        if self.id.is_empty() { self.reference_id() } else { identity::email_id(MAILBOX, &self.id, "") }
    }

    /// Where it lies.
    #[must_use]
    pub fn location(&self) -> Location {
        let item = if self.id.is_empty() { self.reference_id() } else { self.id.clone() };
        Location { mailbox: MAILBOX.to_owned(), validity: 0, item }
    }

    /// Bytes of all that it says.
    #[must_use]
    pub fn size(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.len() + value.len());
        [&self.subject, &self.sender, &self.date, &self.body]
            .into_iter()
            .map(String::len)
            .chain(headers)
            .fold(0, usize::saturating_add)
    }

    /// The mail, with as much of its text as is taken of any (see [`mime`]). Of a text that is
    /// too long the links of `providers` are kept.
    #[must_use]
    pub fn read(&self, providers: &Arc<Providers>) -> Mail {
        let mut mail = self.read_header();
        let MailTexts { plain, html, flaws, .. } = mime::text(&self.body, is_page(&self.body), providers);
        mail.text = parse::text(&plain, &html);
        (mail.plain, mail.html) = (plain, html);
        mail.flaws.extend(flaws);
        mail
    }

    /// The mail without its text.
    #[must_use]
    pub fn read_header(&self) -> Mail {
        let mut flaws = Vec::new();
        let mut sender = self.address();
        if sender.len() > parse::SENDER {
            flaws.push(format!("the sender address is longer than {} bytes, so it is none", parse::SENDER));
            sender = String::new();
        } else if sender.is_empty() {
            flaws.push("there is no sender address".to_owned());
        }
        let mut bounded =
            |text: &str, most, what| parse::bounded(text.trim_end().to_owned(), most, what, &mut flaws);
        let subject = bounded(&self.subject, parse::SUBJECT, "subject");
        let date = bounded(&self.date, parse::LINE, "Date");
        let from = bounded(&self.sender, parse::FROM, "From");
        let block = self.header_block();
        let fields = header::entity(&block);
        let sent = DateTime::parse_from_rfc3339(self.date.trim())
            .or_else(|_| DateTime::parse_from_rfc2822(self.date.trim()));
        Mail {
            email_id: self.email_id(),
            message_id: String::new(),
            subject,
            date,
            from,
            sender,
            plain: String::new(),
            html: String::new(),
            text: String::new(),
            has_attachment: self.has_attachment,
            size: self.size() as u64,
            flaws,
            arrived: sent.ok().map(|sent| sent.to_utc()),
            automatic: automatic::header(&fields),
            authentication: authentication::reports(&fields),
            pushed: true,
        }
    }

    /// The fields of its header as a mail has them, one on a line whatever they hold.
    fn header_block(&self) -> Vec<u8> {
        let mut block = String::new();
        for (name, value) in &self.headers {
            let is_name =
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
            if is_name {
                block.push_str(name);
                block.push_str(": ");
                block.extend(value.chars().map(|letter| if letter.is_control() { ' ' } else { letter }));
                block.push_str("\r\n");
            }
        }
        block.push_str("\r\n");
        block.into_bytes()
    }
}

/// Whether a text has markup in it: a tag, and not only an address in angle brackets.
fn is_page(text: &str) -> bool {
    text.match_indices('<').any(|(at, _)| {
        let inner = text.get(at + 1..).unwrap_or_default();
        let named = inner.strip_prefix('/').unwrap_or(inner);
        let end = named.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(named.len());
        let (name, rest) = named.split_at_checked(end).unwrap_or_default();
        name.starts_with(|first: char| first.is_ascii_alphabetic())
            && rest.starts_with(['>', '/', ' ', '\t', '\r', '\n'])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{Outcome, decide, life, payload, providers, reread, samples};

    fn pushed(body: &str) -> Pushed {
        Pushed {
            subject: "Média Solution - Missions Recadrage - Lot 42".to_owned(),
            sender: "Camille <Camille@Ex.com>".to_owned(),
            date: "2026-07-01T07:59:00.000Z".to_owned(),
            body: body.to_owned(),
            ..Pushed::default()
        }
    }

    fn read(body: &str) -> Mail {
        pushed(body).read(&providers::defaults())
    }

    const CASES: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/jul.json"));

    /// What was recorded of the reference: `jul_email_id` and `jul_sender`.
    #[test]
    fn recorded_identities_and_senders() {
        let cases: Vec<serde_json::Value> = serde_json::from_str(CASES).expect("cases");
        let mut seen = 0;
        for case in &cases {
            let text = |name: &str| case["input"][name].as_str().unwrap_or_default().to_owned();
            let ours = match case["area"].as_str() {
                // There the caller has put the address into small letters before.
                Some("jul_email_id") => identity::email_id(&text("subject"), &text("sender"), &text("date")),
                Some("jul_sender") => Pushed { sender: text("sender"), ..Pushed::default() }.address(),
                _ => continue,
            };
            assert_eq!(case["output"], ours, "{case}");
            seen += 1;
        }
        assert_eq!(seen, 8);
    }

    #[test]
    fn the_identity_is_that_of_the_reference_unless_an_id_came_along() {
        assert_eq!(pushed("x").email_id(), "a849bc7dba97345affe87b078d72828a");
        for (subject, sender, date, expected) in [
            ("", "a@b.fr", "", "129a55187b3b838cd3de71f30ae56b17"),
            ("a|b", "c@d", "d", &identity::email_id("a|b", "c@d", "d")),
        ] {
            let (subject, sender, date) = (subject.to_owned(), sender.to_owned(), date.to_owned());
            let mail = Pushed { subject, sender, date, ..Pushed::default() };
            assert_eq!(mail.email_id(), expected);
        }
        let with = |id: &str, subject: &str| {
            let mail = Pushed { id: id.to_owned(), subject: subject.to_owned(), ..pushed("x") };
            (mail.email_id(), mail.location().item)
        };
        assert_eq!(with("18f0", "one"), with("18f0", "edited"));
        assert_ne!(with("18f0", "one"), with("18f1", "one"));
        assert_eq!(with("18f0", "one").1, "18f0");
    }

    #[test]
    fn markup_makes_a_page_and_addresses_in_brackets_do_not() {
        for (body, page) in [
            ("<p>à faire</p>", true),
            ("a<br>b", true),
            ("a<br/>b", true),
            ("</div>", true),
            ("<a href=\"x\">", true),
            ("voir <https://fromsmash.com/a>", false),
            ("Camille <c@b.fr>", false),
            ("1 < 2 et 3 > 2", false),
            ("<", false),
            ("", false),
        ] {
            assert_eq!(is_page(body), page, "{body}");
        }
        assert_eq!(read("un <https://fromsmash.com/a>").plain, "un <https://fromsmash.com/a>");
        let page = read("<p>à faire pour 11h51</p>");
        assert_eq!((page.plain.as_str(), page.html.as_str()), ("", "<p>à faire pour 11h51</p>"));
        assert_eq!(page.text.trim(), "à faire pour 11h51");
    }

    #[test]
    fn what_its_header_says_counts() {
        let automatic = |name: &str, value: &str| {
            let headers = vec![(name.to_owned(), value.to_owned()), (String::new(), "y".to_owned())];
            Pushed { headers, ..pushed("x") }.read(&providers::defaults()).automatic
        };
        assert_eq!(
            automatic("Auto-Submitted", "auto-replied").as_deref(),
            Some("Auto-Submitted: auto-replied")
        );
        for (name, value) in [
            ("X-A", "b\r\nAuto-Submitted: auto-replied"),
            ("X-A: b\r\nAuto-Submitted", "auto-replied"),
            ("Auto-Submitted: auto-replied\r\nX-A", "b"),
        ] {
            assert_eq!(automatic(name, value), None, "no field hides in another: {name}");
        }
        let headers = vec![(
            "Authentication-Results".to_owned(),
            "mx.google.com; dkim=pass header.d=ex.com".to_owned(),
        )];
        let mail = Pushed { headers, ..pushed("x") }.read(&providers::defaults());
        assert_eq!(mail.authentication.len(), 1);
        assert_eq!(read("x").automatic, None);
    }

    #[test]
    fn it_arrived_when_its_date_says() {
        let arrived = |date: &str| {
            let mail = Pushed { date: date.to_owned(), ..pushed("x") }.read_header();
            mail.arrived.map(|arrived| arrived.format("%H:%M").to_string())
        };
        assert_eq!(arrived("2026-07-01T07:59:00.000Z").as_deref(), Some("07:59"));
        assert_eq!(arrived("Mon, 26 Jan 2026 10:59:00 +0100").as_deref(), Some("09:59"));
        assert_eq!(arrived("demain"), None);
    }

    #[test]
    fn a_long_text_is_cut_and_its_links_are_kept() {
        let far = "https://www.dropbox.com/scl/fo/far/x?rlkey=k";
        for (before, after) in [("<p>", format!("</p><a href=\"{far}\">x</a>")), ("", format!(" {far} "))] {
            let mail = read(&format!("{before}{}{after}", "mot ".repeat(1 << 19)));
            assert!(mail.plain.len() + mail.html.len() <= (1 << 20) + 1_024);
            assert!(mail.flaws.iter().any(|flaw| flaw.contains("1 MiB")), "{:?}", mail.flaws);
            let verdict = decide::decide(&mail, &samples::policy(), samples::at("2026-07-01T08:00:00Z"));
            assert!(verdict.links.iter().any(|link| link.raw_url == far), "{:?}", verdict.links);
        }
        let mail = read(&"é".repeat(3 << 20));
        assert!(mail.plain.len() <= (1 << 20) + 64);
    }

    #[test]
    fn its_webhook_says_where_it_came_from_and_it_comes_back_from_that() {
        for body in [
            "<p>à faire pour 11h51</p><a href=\"https://www.dropbox.com/scl/fo/a/b?rlkey=k&amp;dl=0\">x</a>",
            "plain https://fromsmash.com/a",
        ] {
            let mail = read(body);
            let policy = samples::policy();
            let verdict = decide::decide(&mail, &policy, samples::at("2026-07-01T08:00:00Z"));
            let Outcome::Deliver { deliveries } = &verdict.outcome else { panic!("{verdict:?}") };
            let sent = payload::body(&mail, verdict.detection.as_ref(), &verdict.links, &deliveries[0]);
            let text = String::from_utf8(sent.clone()).expect("text");
            let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(json["email_content"], body);
            assert_eq!(json["source"], SOURCE);
            assert_eq!(json["sender_address"], "Camille <Camille@Ex.com>");
            assert_eq!(json["receivedDateTime"], "2026-07-01T07:59:00.000Z");
            assert!(text.find("email_content") < text.find("\"source\""), "{text}");
            assert!(text.find("\"source\"") < text.find("sender_email"), "{text}");
            let received = life::MailReceived {
                email_id: mail.email_id.clone(),
                location: pushed(body).location(),
                sender: String::new(),
                subject: String::new(),
                size: mail.size,
                arrived_at: mail.arrived,
                subject_group: String::new(),
                flaws: mail.flaws.clone(),
                content: None,
                other_content_of: None,
                copy_of: None,
                authentication: None,
            };
            assert_eq!(reread::from_webhook(&sent, reread::shape(&mail), &received), Some(mail));
        }
    }
}
