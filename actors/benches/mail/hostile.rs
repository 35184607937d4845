//! Mails that are made to be slow: a beginning, a piece that is repeated, an end.

/// Stands for the number of the repetition in a piece. Occurs in no UTF-8 text.
pub const NUMBER: u8 = 0xfe;

/// A mail of any size.
pub struct Hostile {
    /// What is hostile about it.
    pub name: &'static str,
    /// Once, at the beginning.
    pub head: Vec<u8>,
    /// As often as the size allows.
    pub piece: Vec<u8>,
    /// Once, at the end.
    pub tail: Vec<u8>,
}

/// The mail of these parts that has `size` bytes, or a little less.
pub fn grow(head: &[u8], piece: &[u8], tail: &[u8], size: usize) -> Vec<u8> {
    let mut mail = Vec::with_capacity(size.max(head.len() + tail.len()));
    mail.extend_from_slice(head);
    let mut written = Vec::new();
    for number in 0_usize.. {
        written.clear();
        for byte in piece {
            match *byte {
                NUMBER => written.extend_from_slice(number.to_string().as_bytes()),
                byte => written.push(byte),
            }
        }
        if written.is_empty() || mail.len() + written.len() + tail.len() > size {
            break;
        }
        mail.extend_from_slice(&written);
    }
    mail.extend_from_slice(tail);
    mail
}

const LOT: &str = "Message-ID: <a@x>\nFrom: Bob <b@ex.com>\nSubject: Média Solution - Missions Recadrage - Lot 42\nDate: d\n";
const LINK: &str = "https://www.dropbox.com/scl/fo/a/b?rlkey=k&dl=0\n";

/// A piece in which `\u{2}` is the number of the repetition.
fn numbered(piece: &str) -> Vec<u8> {
    piece.bytes().map(|byte| if byte == 2 { NUMBER } else { byte }).collect()
}

/// A mail that reaches the search for a delivery time, whose text is the piece.
fn text(name: &'static str, piece: &str) -> Hostile {
    Hostile { name, head: format!("{LOT}\n{LINK}").into(), piece: numbered(piece), tail: Vec::new() }
}

/// A mail whose text is one link: its start, and the piece again and again.
fn link(name: &'static str, start: &str, piece: &str) -> Hostile {
    Hostile { name, head: format!("{LOT}\n{LINK}{start}").into(), piece: numbered(piece), tail: Vec::new() }
}

/// The same in HTML.
fn html(name: &'static str, piece: &str) -> Hostile {
    let head = format!("{LOT}Content-Type: text/html\n\n{LINK}<p>");
    Hostile { name, head: head.into(), piece: numbered(piece), tail: Vec::new() }
}

/// The piece within the header.
fn header(name: &'static str, start: &str, piece: &str) -> Hostile {
    let head = format!("From: a@b.fr\n{start}");
    Hostile { name, head: head.into(), piece: piece.into(), tail: format!("\n\n{LINK}").into() }
}

/// The piece is the body of a part with this header.
fn part(name: &'static str, fields: &str, piece: &[u8]) -> Hostile {
    let head = format!("{LOT}{fields}\n\n");
    Hostile { name, head: head.into(), piece: piece.into(), tail: Vec::new() }
}

/// Multiparts or messages within each other, as deep as is looked into.
fn nested(name: &'static str, level: &str, piece: &str) -> Hostile {
    let levels: String = (0..12).map(|depth| level.replace('#', &depth.to_string())).collect();
    Hostile { name, head: format!("{LOT}{levels}\n\n").into(), piece: piece.into(), tail: Vec::new() }
}

/// All of them.
pub fn mails() -> Vec<Hostile> {
    let multipart = "Content-Type: multipart/mixed; boundary=b#\n\n--b#\n";
    let message = "Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\n";
    let parts = "Content-Type: multipart/mixed; boundary=b";
    let mut mails = vec![
        // Structure.
        nested("multiparts in multiparts, short lines", multipart, "a\n"),
        nested("multiparts in multiparts, one line", multipart, "a"),
        nested("multiparts in multiparts, near delimiters", multipart, "--b1\n--b"),
        nested("messages in messages, decoded each time", message, "a b "),
        nested("messages in messages, escapes", message, "=3D"),
        nested("messages in messages, headers", message, "X-A: b\n"),
        nested("messages in messages, shortest header fields", message, "a:\n"),
        part("multiparts without end", "X: y", b"Content-Type: multipart/mixed; boundary=b\xfe\n\n--b\xfe\n"),
        part("parts", parts, b"--b\n\n"),
        part("parts with headers", parts, b"--b\nContent-Type: text/html; charset=utf-16\nContent-Disposition: attachment; filename=a\n\nx\n"),
        part("parts with headers without end", parts, format!("--b\n{}\nx\n", "a:\n".repeat(1_200)).as_bytes()),
        part("parts with long parameters", parts, format!("--b\nContent-Type: text/plain; {}\n\nx\n", "a*0*=utf-8''%41;".repeat(60)).as_bytes()),
        part("near delimiters", parts, b"--b-\n--\n---b\n--b x\n"),
        part("delimiters with blanks", parts, format!("--b{}\n", " ".repeat(2_000)).as_bytes()),
        part("a long boundary, near delimiters", &format!("Content-Type: multipart/mixed; boundary={}", "b".repeat(4_000)), format!("--{}\n", "b".repeat(3_999)).as_bytes()),
        // Headers.
        header("header fields", "", "X-A: b\n"),
        header("header fields, unknown", "", "a: b\n"),
        header("header fields, shortest", "", "a:\n"),
        header("header lines that are no fields", "", "a b c\n"),
        header("a folded subject", "Subject: x", "\n a"),
        header("folded recipients", "To: x", "\n \"a\" <b@c.fr>,"),
        header("a subject in one line", "Subject: ", "Re: "),
        header("a subject of lots", "Subject: media solution missions recadrage ", "lot "),
        header("a subject of lots with numbers", "Subject: media solution missions recadrage ", "lot1 lots lot\u{a0}"),
        header("a subject of blanks", "Subject: x", " "),
        header("a subject of accents", "Subject: x", "e\u{301}"),
        header("encoded words", "Subject: ", "=?utf-8?q?=C3=A9?= "),
        header("encoded words, empty", "Subject: ", "=?utf-8?q??="),
        header("encoded words, base64", "Subject: ", "=?iso-2022-jp?b?GyRC?= =?utf-16?b?2AA=?="),
        header("encoded words without end", "Subject: ", "=?a?q?x"),
        header("encoded words without encoding", "Subject: ", "=?a?"),
        header("encoded words, starts", "Subject: ", "=?"),
        header("encoded words, unreadable", "Subject: ", "=?utf-8?b?a?="),
        header("senders", "From: ", "\"a\\\" <b@c.fr>\" (x (y) <c@d.fr>) <"),
        header("a sender of comments", "From: ", "("),
        header("a sender of quotes", "From: ", "\"a\" "),
        header("a sender of words", "From: ", "a "),
        header("a content type", "Content-Type: text/plain; ", "a=\"\\b\"; a*1*=utf-8'en'%41;"),
        header("content dispositions", "", "Content-Disposition: inline; attachmen\n"),
        header("a message id", "Message-ID: ", "a"),
        header("a date", "Date: ", "1 "),
        header("a subject of control characters", "Subject: Lot 3 ", "\u{1}"),
        header("a lot without end", "Subject: media solution missions recadrage lot ", "7"),
        header("a sender with comments", "From: a@b.fr ", "(x)"),
        header("an address without end", "From: a@", "b."),
        header("results of one domain", "Authentication-Results: a; dkim=pass header.d=", "b."),
        header("results of many checks", "", "Authentication-Results: a; dkim=pass header.d=b.fr\n"),
        // Transfer encodings and character sets.
        part("quoted-printable", "Content-Transfer-Encoding: quoted-printable", b"=C3=A9=\n=3D"),
        part("quoted-printable, broken", "Content-Transfer-Encoding: quoted-printable", b"=X"),
        part("base64 of times", "Content-Transfer-Encoding: base64", b"MTFoNTEg"),
        part("base64, broken", "Content-Transfer-Encoding: base64", b"=a!"),
        part("base64 that is text", "Content-Transfer-Encoding: base64", "à 11h51 ".as_bytes()),
        // Text.
        text("times", "11h51 "),
        text("times of no day", "25h99 "),
        text("times without blanks", "1h1"),
        text("times with a colon", "9:16 "),
        text("times in a row", "1:23:45:"),
        text("times after a ratio", "format 9:16 "),
        text("times with a zone", "10:59 GMT "),
        text("times with a date", "26/01/2026 10:59 "),
        text("times, many blanks", "26/01/2026                                        10:59"),
        text("times after letters", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 10:59\u{a0}"),
        text("digits", "1"),
        text("digits and h", "1h"),
        text("digits of another script", "\u{661}\u{662}h\u{663}\u{664}\u{665} "),
        text("near deliveries", "à faire pour le "),
        text("near deliveries with days", "à faire pour le 31/02/2026 à 25h99 "),
        text("near deliveries, many blanks", &format!("à{0}faire{0}pour{0}le{0}1/1/2026{0}à{0}a{0}x", " ".repeat(40))),
        text("near deliveries, decomposed", "a\u{300} faire pour a\u{300} a\u{300} "),
        text("à", "à "),
        text("near deliveries, blanks", "à    "),
        text("white space", " \t\u{a0}\n"),
        text("no-break spaces", "\u{a0}"),
        text("empty lines", "\n"),
        text("lines", "a\n"),
        text("quoted lines", "> 11h51\n"),
        text("near history", "le xxxxxx\n"),
        text("near history, long", &format!("Le {}\n", "é".repeat(200))),
        text("near history, a écrit", "Le aaaaaaa a écrit a écrit a écrit a écrit .\n"),
        text("near history, on wrote", "on aaaaaaaaaaaaaaaaaaaaaaaaaa wrote: x\n"),
        text("history", "Le 26 janvier, Camille a écrit :\n"),
        text("history, dates", "Date: 11h51\n"),
        text("words of detectors", "recadrage media solution missions journée tarifs habituel désabon factur urgenc "),
        text("combining marks", "\u{301}"),
        text("letters with many marks", "e\u{301}\u{327}\u{323}\u{308}"),
        text("composed letters", "ệǘ"),
        text("hangul", "각힣"),
        text("letters that grow", "İ\u{fdfa}ŉ"),
        text("control characters", "\u{1}"),
        text("signs of four bytes", "😀𝟙"),
        text("near times after accents", "é1h234 "),
        text("near times, accents and h", "éh"),
        text("near times, accents, digits and h", "é1h"),
        text("near times, accents and colons", "é:"),
        text("near times, accents and times", "é1:23"),
        text("near times, digits and colons, accents", "9:é1:234 "),
        text("times of another script", "\u{661}\u{662}h\u{663}\u{664} "),
        text("digits of four bytes", "𝟏𝟐h𝟑𝟒 "),
        // Links.
        text("links", "https://www.dropbox.com/s/\u{1}"),
        text("links to other places", "https://e.fr/x?"),
        text("links in one word", "https://www.dropbox.com/"),
        text("links near the name", "https://www.dropbox.com.evil.fr/ "),
        text("links with many pairs", "https://www.dropbox.com/s/a?a\u{2}=1&b\u{2}=2&c=&dl=0&"),
        link("one link of pairs", "https://www.dropbox.com/s/a?", "k\u{2}=v&"),
        link("one link of equal pairs", "https://www.dropbox.com/s/a?", "k=v&"),
        link("one link of segments", "https://www.dropbox.com/s", "/a"),
        link("one link of ports", "https://www.dropbox.com", ":443"),
        link("one link of entities", "https://www.dropbox.com/s/a?", "&amp;amp%3B"),
        link("one link of percent signs", "https://www.dropbox.com/s/", "%25"),
        link("one link of near entities", "https://www.dropbox.com/s/", "&eacut&#x"),
        link("near links in one word", "https://e.fr/", &format!("https://www.dropbox.com{}", ")".repeat(120))),
        link("safe links around one link", "https://a.safelinks.protection.outlook.com/?url=https%3A%2F%2Fwww.dropbox.com%2Fs%2Fa%3F", "k\u{2}%3Dv%26"),
        link("url defense around one link", "https://urldefense.com/v3/__https:/www.dropbox.com/s/a?", "*k\u{2}=v&**z"),
        text("many short links", "https://fromsmash.com/\u{2} "),
        text("many links, shortest", "http://dropbox.com/\u{2}\n"),
        text("many links of 200 bytes", &format!("https://www.dropbox.com/s/\u{2}?{} ", "k=v&".repeat(44))),
        text("many links below the longest", &format!("https://www.dropbox.com/s/\u{2}?{} ", "kk=v&".repeat(1_600))),
        text("many links of many layers", &format!("https://www.dropbox.com/s/a\u{2}?x=&{}lt;y ", "amp;".repeat(40))),
        html("many links in HTML", "<a href=\"https://www.dropbox.com/s/\u{2}?a=1&amp;b=2\">x</a> "),
        text("hosts alone", "www.dropbox.com/scl/fX fromsmash.com swisstransfer.com/x "),
        text("schemes", "https://"),
        text("schemes without slashes", "://"),
        text("schemes with a long authority", &format!("https://{} ", "a".repeat(120))),
        text("links with brackets", &format!("https://fromsmash.com/{} ", "()".repeat(20))),
        text("one link of brackets", "https://fromsmash.com/)"),
        text("links with entities", "https://www&#46;dropbox&#46;com/&amp;"),
        text("safe links", "https://a.safelinks.protection.outlook.com/?url=https%3A%2F%2Fa.safelinks.protection.outlook.com%2F%3Furl%3D "),
        text("safe links in one word", "https://a.safelinks.protection.outlook.com/?url=https%3A%2F%2F"),
        text("url defense", "https://urldefense.com/v3/__https:/a*b**z__;I8OpKw!!x "),
        text("google", "https://www.google.com/url?q=https%3A%2F%2Fwww.google.com%2Furl?q=a&q="),
        // HTML.
        html("less-than", "<"),
        html("ampersands", "&"),
        html("entities", "&eacute;&#39;&#x1F600;&CounterClockwiseContourIntegral;"),
        html("near entities", "&eacut &#x &#99999999; &aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        html("one entity", "a"),
        html("tags", "<b>"),
        html("tags that never end", "<a href="),
        html("tags in tags", "<<a>>"),
        html("divs", "<div>a"),
        html("block quotes", "<blockquote>a"),
        html("cells", "<td>1"),
        html("comments", "<!-- 11h51 -->"),
        html("comments that never end", "<!--"),
        html("hidden", "<style><p></head><script>"),
        html("attributes", "<p style=\"11h51\">11h51</p>"),
        html("times in cells", "<td>11h</td><td>51"),
        html("words", "a "),
        html("one word", "é"),
        html("links in HTML", "<a href=\"https://www.dropbox.com/s/11h\">https://fromsmash.com/</a> "),
    ];
    if let Some(entity) = mails.iter_mut().find(|mail| mail.name == "one entity") {
        entity.head.push(b'&');
    }
    for (name, sets) in [
        ("utf-16", &b"\x00\xd8\x31\x00"[..]),
        ("utf-16be", b"\x30\x42"),
        ("utf-7", b"+AOk-+"),
        ("iso-2022-jp", b"\x1b$B\x24\x22\x1b(B"),
        ("iso-2022-kr", b"\x0e\x30\x21\x0f"),
        ("hz-gb-2312", b"~{\x30\x21~}"),
        ("gb18030", b"\x81\x30\x81\x30"),
        ("big5", b"\xa4\x40"),
        ("euc-kr", b"\xb0\xa1"),
        ("shift_jis", b"\x82\xa0\x80"),
        ("windows-1252", b"\xe9\x81 "),
        ("utf-8", b"\xc3\x28 \xf0\x9f"),
        ("x-unknown", b"\xe9t\xe9 "),
    ] {
        let fields = format!("Content-Type: text/plain; charset={name}");
        mails.push(part(name, &fields, sets));
    }
    // Each byte becomes three.
    let wide = "Content-Type: text/plain; charset=windows-1252; format=flowed";
    mails.push(part("windows-1252, its widest letters, flowed", wide, b"\x80\x80 \n"));
    mails
}
