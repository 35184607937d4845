//! Realistic mails. Each carries a mark in its subject, such as `[m-17]`, by which the
//! webhook about it is recognised, and has a Message-ID and a link of its own.

use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A mail to deliver.
#[derive(Debug, Clone)]
pub struct TestMail {
    /// In the subject, and in the link.
    pub mark: String,
    /// RFC 5322 source with CR LF.
    pub raw: Vec<u8>,
}

/// The mark in a subject.
pub fn mark_of(subject: &str) -> Option<&str> {
    let start = subject.rfind("[m-")?;
    let (mark, _) = subject[start + 1..].split_once(']')?;
    Some(mark)
}

fn fresh_mark() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    // Unique over processes too: some tests start a second one on the same mailbox.
    format!("m-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Good mails of every kind in turn.
pub fn mixed(count: usize) -> Vec<TestMail> {
    let kinds = [recadrage, smash, swisstransfer, desabonnement];
    (0..count).map(|n| kinds[n % kinds.len()]()).collect()
}

/// A mail whose subject says for which target it is: `cible-<target>`.
pub fn for_target(target: usize) -> TestMail {
    let mark = fresh_mark();
    let head = head(&mark, &format!("Livraison cible-{target} [{mark}]"), "Marc <marc@example.fr>");
    let link = dropbox(&mark);
    let raw = format!("{head}Content-Type: text/plain; charset=utf-8\r\n\r\nLes fichiers : {link}\r\n");
    TestMail { mark, raw: raw.into_bytes() }
}

/// A mail whose only link is this one.
pub fn linking_to(link: &str) -> TestMail {
    let mark = fresh_mark();
    let head = head(&mark, &format!("Un fichier [{mark}]"), "Marc <marc@example.fr>");
    let raw = format!("{head}Content-Type: text/plain; charset=utf-8\r\n\r\nLe fichier : {link}\r\n");
    TestMail { mark, raw: raw.into_bytes() }
}

/// A mail of two mebibytes whose draft, and whose webhook, have twelve: JSON writes a control
/// character with six.
pub fn swelling(link: &str) -> TestMail {
    let mark = fresh_mark();
    let head = head(&mark, &format!("Un fichier [{mark}]"), "Marc <marc@example.fr>");
    let filler = format!("{}\r\n", "\u{1}".repeat(900)).repeat((1 << 20) / 902);
    let raw = format!(
        "{head}Content-Type: multipart/alternative; boundary=\"=_{mark}\"\r\n\r\n\
         --=_{mark}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{link}\r\n{filler}\
         --=_{mark}\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>{link}</p>\r\n{filler}\
         --=_{mark}--\r\n"
    );
    TestMail { mark, raw: raw.into_bytes() }
}

/// A mail with this subject, and its mark behind it, from this address.
pub fn named(subject: &str, from: &str) -> TestMail {
    let mark = fresh_mark();
    let head = head(&mark, &format!("{subject} [{mark}]"), from);
    let raw =
        format!("{head}Content-Type: text/plain; charset=utf-8\r\n\r\nLe fichier : {}\r\n", dropbox(&mark));
    TestMail { mark, raw: raw.into_bytes() }
}

/// "Média Solution": encoded subject, plain text and HTML, quoted-printable, Dropbox.
pub fn recadrage() -> TestMail {
    let mark = fresh_mark();
    // A lot of its own: lots are what mails are grouped by.
    let lot = mark.rsplit('-').next().unwrap_or_default();
    let subject = format!("=?utf-8?q?M=C3=A9dia_Solution_-_Missions_Recadrage_-_Lot_{lot}?= [{mark}]");
    let head = head(&mark, &subject, "=?utf-8?q?Am=C3=A9lie_Durand?= <amelie.durand@media-solution.fr>");
    let link = dropbox(&mark).replace('=', "=3D");
    let filler = paragraphs(12);
    let raw = format!(
        "{head}Content-Type: multipart/alternative; boundary=\"=_{mark}\"\r\n\r\n\
         --=_{mark}\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\n\
         Bonjour,\r\n\r\n=C3=80 faire pour 11h51. Les fichiers sont l=C3=A0 :\r\n{link}\r\n\r\n{filler}\r\n\
         --=_{mark}\r\nContent-Type: text/html; charset=utf-8\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\n\
         <html><body><p>Bonjour,</p><p>=C3=80 faire pour <b>11h51</b>.</p>\r\n\
         <p><a href=3D\"{link}\">Les fichiers</a></p><p>{filler}</p></body></html>\r\n\
         --=_{mark}--\r\n"
    );
    TestMail { mark, raw: raw.into_bytes() }
}

/// A further mail about the same lot, with a mark of its own.
pub fn again(mail: &TestMail) -> TestMail {
    let mark = fresh_mark();
    let raw = String::from_utf8(mail.raw.clone()).expect("a mail in ASCII").replace(&mail.mark, &mark);
    TestMail { mark, raw: raw.into_bytes() }
}

/// FromSmash, plain text in ISO-8859-1.
fn smash() -> TestMail {
    let mark = fresh_mark();
    let head =
        head(&mark, &format!("Vos fichiers sont prets [{mark}]"), "\"Smash\" <no-reply@fromsmash.com>");
    let mut raw = format!(
        "{head}Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    )
    .into_bytes();
    let text = format!("Reçu à l'été : https://fromsmash.com/{mark}\r\n{}\r\n", paragraphs(6));
    // Every character of the text exists in Latin-1.
    raw.extend(text.chars().map(|c| u8::try_from(u32::from(c)).expect("a Latin-1 character")));
    TestMail { mark, raw }
}

/// SwissTransfer, HTML in base64, folded subject.
fn swisstransfer() -> TestMail {
    let mark = fresh_mark();
    let subject =
        format!("=?UTF-8?B?{}?=\r\n [{mark}]", STANDARD.encode("Transfert reçu – prêt à télécharger"));
    let head = head(&mark, &subject, "SwissTransfer <info@swisstransfer.com>");
    let html = format!(
        "<html><body><p>Téléchargez&nbsp;: <a href=\"https://www.swisstransfer.com/d/{mark}\">ici</a></p>\
         <p>{}</p></body></html>",
        paragraphs(10)
    );
    let raw = format!(
        "{head}Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
        folded(&STANDARD.encode(html))
    );
    TestMail { mark, raw: raw.into_bytes() }
}

/// "Désabonnement, journée, tarifs habituels", with a Dropbox request.
fn desabonnement() -> TestMail {
    let mark = fresh_mark();
    let subject = format!("=?utf-8?q?D=C3=A9sabonnement?= [{mark}]");
    let head = head(&mark, &subject, "Service <service@example.fr>");
    let raw = format!(
        "{head}Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
         Merci de me désabonner pour la journée, aux tarifs habituels.\r\n\
         https://www.dropbox.com/request/{mark}\r\n"
    );
    TestMail { mark, raw: raw.into_bytes() }
}

/// Mails with a flaw each, all readable in part, with the name of the flaw.
pub fn flawed() -> Vec<(&'static str, TestMail)> {
    let sender = "Marc <marc@example.fr>";
    let plain = "Content-Type: text/plain; charset=utf-8\r\n\r\n";
    let make = |build: &dyn Fn(&str) -> String| {
        let mark = fresh_mark();
        let raw = build(&mark).into_bytes();
        TestMail { mark, raw }
    };
    vec![
        (
            "raw UTF-8 in the headers",
            make(&|mark| {
                let head =
                    head(mark, &format!("Livraison d'été – reçue [{mark}]"), "Zoé Été <zoe@example.fr>");
                format!("{head}{plain}Là : {}\r\n", dropbox(mark))
            }),
        ),
        (
            "a charset nobody knows",
            make(&|mark| {
                let head = head(mark, &format!("Livraison [{mark}]"), sender);
                format!(
                    "{head}Content-Type: text/plain; charset=x-klingon-7\r\n\r\nHere: {}\r\n",
                    dropbox(mark)
                )
            }),
        ),
        (
            "base64 that is none",
            make(&|mark| {
                let head = head(mark, &format!("Livraison [{mark}]"), sender);
                format!(
                    "{head}Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n\
                 !!!! *** Qm9uam91\r\n{}\r\n====\r\n",
                    dropbox(mark)
                )
            }),
        ),
        (
            "no Message-ID",
            make(&|mark| {
                let head = head(mark, &format!("Livraison [{mark}]"), sender);
                let head: String =
                    head.split_inclusive("\r\n").filter(|line| !line.starts_with("Message-ID")).collect();
                format!("{head}{plain}Ici : {}\r\n", dropbox(mark))
            }),
        ),
        (
            "an encoded word of impossible length",
            make(&|mark| {
                let head = head(mark, &format!("=?utf-8?b?a?= Livraison [{mark}]"), sender);
                format!("{head}{plain}Ici : {}\r\n", dropbox(mark))
            }),
        ),
        (
            "a multipart without an end",
            make(&|mark| {
                let head = head(mark, &format!("Livraison [{mark}]"), sender);
                format!(
                    "{head}Content-Type: multipart/mixed; boundary=\"=_{mark}\"\r\n\r\n--=_{mark}\r\n{plain}Ici : {}\r\n",
                    dropbox(mark)
                )
            }),
        ),
        (
            "a date of no calendar and a sender of no form",
            make(&|mark| {
                format!(
                    "Message-ID: <{mark}@example.fr>\r\nDate: hier soir\r\nFrom: @@ <>\r\n\
                 Subject: Livraison [{mark}]\r\n{plain}Ici : {}\r\n",
                    dropbox(mark)
                )
            }),
        ),
    ]
}

/// Something that cannot be read at all. There is no subject, so the mark is nowhere.
pub fn unreadable() -> TestMail {
    TestMail { mark: fresh_mark(), raw: b"\r\n\r\n".to_vec() }
}

fn dropbox(mark: &str) -> String {
    format!("https://www.dropbox.com/scl/fo/{mark}/AHb9xq?rlkey=k3{mark}&dl=0")
}

fn head(mark: &str, subject: &str, from: &str) -> String {
    format!(
        "Return-Path: <envelope@example.fr>\r\n\
         Received: from mx.example.fr (mx.example.fr [192.0.2.25]) by mail.example.fr with ESMTPS id {mark};\r\n\
         \tThu, 08 Jan 2026 15:30:02 +0100\r\n\
         Message-ID: <{mark}@example.fr>\r\n\
         Date: Thu, 08 Jan 2026 15:30:00 +0100\r\n\
         From: {from}\r\n\
         To: Livraisons <signal@example.fr>\r\n\
         Subject: {subject}\r\n\
         MIME-Version: 1.0\r\n"
    )
}

fn paragraphs(count: usize) -> String {
    "Merci de traiter ces vues selon les consignes habituelles, puis de confirmer la livraison.\r\n"
        .repeat(count)
}

/// base64 in lines of 76.
fn folded(text: &str) -> String {
    let mut lines = String::with_capacity(text.len() + text.len() / 38);
    for (n, character) in text.chars().enumerate() {
        if n > 0 && n % 76 == 0 {
            lines.push_str("\r\n");
        }
        lines.push(character);
    }
    lines.push_str("\r\n");
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mail_is_recognised_and_unlike_the_others() {
        let mut mails = mixed(9);
        mails.push(for_target(3));
        mails.extend(flawed().into_iter().map(|(_, mail)| mail));
        let marks: std::collections::BTreeSet<_> = mails.iter().map(|mail| mail.mark.clone()).collect();
        assert_eq!(marks.len(), mails.len());
        for mail in &mails {
            let text = String::from_utf8_lossy(&mail.raw);
            assert_eq!(mark_of(&text), Some(mail.mark.as_str()));
            let ends = text.matches('\n').count();
            assert_eq!(text.matches("\r\n").count(), ends, "bare line ends in {text}");
        }
    }
}
