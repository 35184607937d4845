//! A mail as the journal keeps it, read again: from its draft, or from a webhook that was
//! made of it. What decides about a mail comes back as it was; its `Message-ID` does not.

use serde::Deserialize;

use super::life::{MailReceived, TextShape};
use super::outbox_rows::Draft;
use super::{Mail, parse, pushed};

/// What a webhook does not say of the text of `mail`.
#[must_use]
pub fn shape(mail: &Mail) -> TextShape {
    TextShape { plain_bytes: mail.plain.len() as u64, attachment: mail.has_attachment }
}

/// The mail of a draft.
///
/// # Errors
/// It is none.
pub fn from_draft(body: &[u8]) -> Result<Mail, serde_json::Error> {
    Draft::read(body).map(|draft| draft.mail)
}

/// Of a webhook (see [`super::payload`]), what was taken from the mail as it is.
#[derive(Debug, Deserialize)]
struct WebhookPart {
    subject: String,
    #[serde(rename = "receivedDateTime")]
    date: String,
    #[serde(rename = "sender_address")]
    from: String,
    sender_email: String,
    email_content: String,
    #[serde(default)]
    source: Option<String>,
}

/// The mail of a webhook; `None` = they do not belong together, or it is no webhook.
#[must_use]
pub fn from_webhook(body: &[u8], shape: TextShape, received: &MailReceived) -> Option<Mail> {
    let told: WebhookPart = serde_json::from_slice(body).ok()?;
    let pushed = told.source.as_deref() == Some(pushed::SOURCE);
    let (plain, rest) = told.email_content.split_at_checked(usize::try_from(shape.plain_bytes).ok()?)?;
    let html = if pushed { rest } else { rest.strip_prefix('\n')? };
    Some(Mail {
        email_id: received.email_id.clone(),
        message_id: String::new(),
        subject: told.subject,
        date: told.date,
        from: told.from,
        sender: told.sender_email,
        plain: plain.to_owned(),
        html: html.to_owned(),
        text: parse::text(plain, html),
        has_attachment: shape.attachment,
        size: received.size,
        flaws: received.flaws.clone(),
        arrived: received.arrived_at,
        automatic: None,
        authentication: Vec::new(),
        pushed,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mail::life::Location;
    use crate::mail::samples::{at, policy};
    use crate::mail::{Outcome, decide, payload};

    fn received(mail: &Mail) -> MailReceived {
        MailReceived {
            email_id: mail.email_id.clone(),
            location: Location { mailbox: "m".to_owned(), validity: 0, item: "1".to_owned() },
            sender: mail.sender.clone(),
            subject: "cut".to_owned(),
            size: mail.size,
            arrived_at: None,
            subject_group: String::new(),
            flaws: mail.flaws.clone(),
            content: None,
            other_content_of: None,
            copy_of: None,
            authentication: None,
        }
    }

    /// The webhook that is sent for a mail, and the mail that is read from it.
    fn there_and_back(mail: &Mail) -> Option<Mail> {
        let mut policy = policy();
        policy.allow_without_links = true;
        let verdict = decide::decide(mail, &policy, at("2026-01-26T08:00:00Z"));
        let Outcome::Deliver { deliveries } = &verdict.outcome else { return None };
        let body = payload::body(mail, verdict.detection.as_ref(), &verdict.links, &deliveries[0]);
        Some(from_webhook(&body, shape(mail), &received(mail)).expect("a mail"))
    }

    fn mail(content: &str) -> Mail {
        let raw = format!("Message-ID: <a@x>\nFrom: É <E@b.fr>\nSubject: Média é\nDate: d\n{content}");
        parse::parse(raw.as_bytes()).expect("a mail")
    }

    proptest! {
        #[test]
        fn a_mail_comes_back_from_its_webhook(plain in "\\PC{0,60}\n?", html in "(\\PC{0,20}<p>\\PC{0,20}&eacute;\n?)?") {
            let mut mail = mail("\nx");
            mail.text = parse::text(&plain, &html);
            (mail.plain, mail.html, mail.has_attachment) = (plain, html, true);
            let back = there_and_back(&mail);
            mail.message_id.clear();
            prop_assert_eq!(back, Some(mail));
        }
    }

    #[test]
    fn parts_of_every_kind_come_back() {
        for content in [
            "\nune ligne\n",
            "Content-Type: text/html; charset=utf-8\n\n<p>une&nbsp;ligne</p>\n",
            "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nun\n--b\nContent-Type: text/html\n\n<p>deux</p>\n\
             --b\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=a.pdf\n\nx\n--b--\n",
        ] {
            let mut mail = mail(content);
            let back = there_and_back(&mail).expect("a webhook");
            mail.message_id.clear();
            assert_eq!(back, mail, "{content}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mail = mail("\né");
        let planned = super::super::Planned {
            target: "default".to_owned(),
            rule: None,
            time_start: None,
            time_end: None,
            in_window: false,
            share: crate::mail::policy::Share::All,
        };
        let body = payload::body(&mail, None, &[], &planned);
        for plain_bytes in [0, 1, 3, 99, u64::MAX] {
            let shape = TextShape { plain_bytes, attachment: false };
            assert_eq!(from_webhook(&body, shape, &received(&mail)), None, "{plain_bytes}");
        }
        assert_eq!(from_webhook(b"{}", shape(&mail), &received(&mail)), None);
    }
}
