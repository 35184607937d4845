//! Whether two mails of one identity are one mail: a hash of what decides about them.
//!
//! The identity (md5 of `Message-ID`, subject and `Date`) is the reference's, and weak: mails
//! without a Message-ID share it, and whoever sends a mail can choose all of it. So what a mail
//! says is compared, too. Two true copies may differ in everything that a server or a folder
//! adds, and in how the text was encoded and wrapped up for transport: see [`of`].

use sha2::{Digest as _, Sha256};

use super::Mail;
use crate::kernel::digest::hex;

/// Which hash it is. Hashes of different versions are not comparable: whoever changes what is
/// hashed, or what the parser makes of a text, counts it up, or true copies of mails that are
/// in a journal are taken for others and sent again.
const VERSION: &str = "2";
/// Characters of the hash in the name of another mail of the same identity: 128 bits, so that
/// nobody can make a second mail of the same name.
const NAMED: usize = 32;

/// `2:` and the SHA-256, in hex, of the sender's address, the decoded text parts and whether
/// there is an attachment. The links are in the text.
///
/// Transport headers, the transfer encoding and the character set do not count. Of the text,
/// line ends, runs of blanks and tabs, and empty lines at the end do not: a mail server may
/// change these (RFC 6376 section 3.4.4, "relaxed").
#[must_use]
pub fn of(mail: &Mail) -> String {
    let mut hash = Sha256::new();
    field(&mut hash, "read", &[&mail.sender, if mail.has_attachment { "attachment" } else { "" }]);
    text(&mut hash, &mail.plain);
    text(&mut hash, &mail.html);
    finish(hash)
}

/// The same for a mail of which the header alone was loaded: nothing is known of its text, so
/// it is no copy of one whose text is known.
#[must_use]
pub fn of_header(mail: &Mail) -> String {
    let mut hash = Sha256::new();
    field(&mut hash, "header", &[&mail.sender]);
    finish(hash)
}

/// Whether these two are known to be of different mails. What is not known, because it was
/// recorded by an earlier version, is taken for the same.
#[must_use]
pub fn differ(one: Option<&str>, other: Option<&str>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return false };
    version(one) == version(other) && one != other
}

/// The identity of another mail of the identity `email_id`: `<email_id>-<32 hex digits>`.
/// The same content always gets the same one.
#[must_use]
pub fn other_id(email_id: &str, content: &str) -> String {
    let hash = content.split_once(':').map_or(content, |(_, hash)| hash);
    let named = hash.get(..NAMED).unwrap_or(hash);
    format!("{email_id}-{named}")
}

fn version(content: &str) -> &str {
    content.split_once(':').map_or("", |(version, _)| version)
}

fn finish(hash: Sha256) -> String {
    format!("{VERSION}:{}", hex(hash.finalize()))
}

/// Short texts with their lengths, so that nothing can be moved from one to the next.
fn field(hash: &mut Sha256, kind: &str, values: &[&str]) {
    hash.update(kind);
    for value in values {
        hash.update((value.len() as u64).to_be_bytes());
        hash.update(value);
    }
}

/// A text in its relaxed form, line by line, and a byte that no text holds.
fn text(hash: &mut Sha256, text: &str) {
    let mut empty_lines = 0_usize;
    let mut relaxed = String::new();
    for line in text.split('\n') {
        relax(line, &mut relaxed);
        if relaxed.is_empty() {
            empty_lines += 1;
            continue;
        }
        for _ in 0..std::mem::take(&mut empty_lines) {
            hash.update("\n");
        }
        hash.update(&relaxed);
        hash.update("\n");
    }
    hash.update([0xff]);
}

/// A line with its runs of blanks and tabs made one blank, and none at its end.
fn relax(line: &str, relaxed: &mut String) {
    relaxed.clear();
    let line = line.trim_end_matches([' ', '\t', '\r']);
    let mut blank = false;
    for word in line.split([' ', '\t']) {
        if blank && !relaxed.ends_with(' ') {
            relaxed.push(' ');
        }
        relaxed.push_str(word);
        blank = true;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mail::links;
    use crate::mail::parse::parse;
    use crate::mail::providers;

    fn mail(raw: &str) -> Mail {
        parse(raw.as_bytes()).expect("a mail")
    }

    fn relaxed(text: &str) -> String {
        let mut line = String::new();
        let lines = text.split('\n').map(|raw| {
            relax(raw, &mut line);
            line.clone()
        });
        lines.collect::<Vec<_>>().join("\n").trim_end_matches('\n').to_owned()
    }

    #[test]
    fn blanks_are_relaxed() {
        for (text, expected) in [
            ("a b", "a b"),
            ("a \t  b", "a b"),
            ("a  \r\n\n b \n\n", "a\n\n b"),
            ("  a", " a"),
            ("\t", ""),
            ("", ""),
            ("a\u{a0} b", "a\u{a0} b"),
        ] {
            assert_eq!(relaxed(text), expected, "{text:?}");
        }
    }

    /// True copies: another folder, another path, another encoding.
    #[test]
    fn what_a_server_adds_or_encodes_makes_no_other_mail() {
        let first = mail(
            "Received: from a\r\nMessage-ID: <a@x>\r\nFrom: =?utf-8?q?=C3=89lodie?= <E@b.fr>\r\nSubject: s\r\nDate: d\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nVoilà :  https://fromsmash.com/a \r\nfin\r\n",
        );
        for copy in [
            "Received: from b\nReceived: from c\nX-Spam: 0\nMessage-ID: <a@x>\nFrom: E <e@B.fr>\nSubject: s\nDate: d\n\
             Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nVm9pbMOgIDogIGh0dHBzOi8vZnJvbXNtYXNoLmNvbS9hIA0KZmluDQo=\n",
            "Status: RO\nMessage-ID: <a@x>\nFrom: e@b.fr\nSubject: s\nDate: d\n\
             Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nVoil=E0 : https://fromsmash.com/a\nfin\n\n\n",
        ] {
            let copy = mail(copy);
            assert_eq!(copy.email_id, first.email_id);
            assert_eq!(of(&copy), of(&first), "{:?}", copy.plain);
        }
    }

    #[test]
    fn what_decides_makes_another_mail() {
        let raw = "Message-ID: <a@x>\nFrom: e@b.fr\nSubject: s\nDate: d\n\nhttps://fromsmash.com/a\n";
        let first = mail(raw);
        for other in [
            raw.replace("e@b.fr", "f@b.fr"),
            raw.replace("/a\n", "/b\n"),
            raw.replace("https", "voir https"),
            // A footer is text: nobody can tell it from what somebody has added.
            format!("{raw}-- \nla liste\n"),
            raw.replace("\n\n", "\nContent-Type: text/html\n\n"),
            raw.replace("\n\n", "\nContent-Type: application/zip\nContent-Disposition: attachment\n\n"),
        ] {
            let other = mail(&other);
            assert_eq!(other.email_id, first.email_id);
            assert!(differ(Some(&of(&other)), Some(&of(&first))), "{other:?}");
            assert_ne!(other_id(&other.email_id, &of(&other)), other_id(&first.email_id, &of(&first)));
        }
        let header = crate::mail::parse::parse_header_only(raw.as_bytes(), 1 << 30).expect("a header");
        assert!(differ(Some(&of_header(&header)), Some(&of(&first))));
    }

    /// The hash is in journals: it stays, or its version changes.
    #[test]
    fn the_hash_is_what_it_was() {
        let mail = mail(
            "Message-ID: <a@x>\nFrom: e@b.fr\nSubject: s\nDate: d\nContent-Type: multipart/alternative; boundary=b\n\n\
             --b\n\nun  deux\n\n--b\nContent-Type: text/html\n\n<p>trois</p>\n--b--\n",
        );
        assert_eq!(of(&mail), "2:f5e15560fc3f9732293d4c5ae7ad19499088ba50f7b0d0bec1ed559dbca23abc");
        assert_eq!(of_header(&mail), "2:da5fc82a4ae9dba865141ac470e5401b4cd0b3ffc8655b47708f1d22d262c198");
    }

    #[test]
    fn what_is_not_known_or_not_comparable_is_the_same() {
        for (one, other, expected) in [
            (None, None, false),
            (None, Some("1:a"), false),
            (Some("1:a"), Some("1:a"), false),
            (Some("1:a"), Some("2:b"), false),
            (Some("1:a"), Some("1:b"), true),
        ] {
            assert_eq!(differ(one, other), expected);
        }
    }

    proptest! {
        /// Texts that a server may have made of each other have the same links, and all others
        /// have another hash.
        #[test]
        fn texts_differ_in_more_than_blanks_or_not_at_all(
            one in "(\\PC|[ \t\r\n]|https://fromsmash.com/[a-c]){0,12}",
            other in "(\\PC|[ \t\r\n]|https://fromsmash.com/[a-c]){0,12}",
            moved in 0_usize..12,
        ) {
            let with = |plain: &str, html: &str| {
                let mut mail = mail("From: e@b.fr\n\n");
                (mail.plain, mail.html) = (plain.to_owned(), html.to_owned());
                of(&mail)
            };
            let same = relaxed(&one) == relaxed(&other);
            prop_assert_eq!(with(&one, "") == with(&other, ""), same);
            prop_assert_eq!(with("", &one) == with("", &other), same);
            prop_assert_eq!(with(&one, "") == with("", &one), relaxed(&one).is_empty());
            let blanks = one.replace(' ', "  \t").replace('\n', " \r\n");
            prop_assert_eq!(with(&one, "x"), with(&blanks, "x"));
            let urls = |text: &str| {
                let found = links::find(text, "", &providers::defaults()).links;
                found.into_iter().map(|link| link.raw_url).collect::<Vec<_>>()
            };
            prop_assert_eq!(urls(&one), urls(&blanks));
            // What leaves the one part for the other is seen.
            let at = one.floor_char_boundary(moved);
            let (start, end) = one.split_at(at);
            if !relaxed(end).is_empty() {
                prop_assert_ne!(with(&one, ""), with(start, end));
            }
        }
    }
}
