//! Large mails within little memory and little disk.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::place::Place;
use crate::support::receiver::Receiver;
use crate::support::until::ensure;
use crate::support::{PATIENCE, checks, child, mails, until};

const MIB: usize = 1024 * 1024;

/// A mail of about so many MiB: all of it text, or an attachment.
fn large(mib: usize, text: bool) -> mails::TestMail {
    let mut mail = mails::linking_to("https://fromsmash.com/a");
    let line = b"Une ligne parmi d'autres, sans rien de plus a dire que cela.\r\n";
    if text {
        mail.raw.extend(line.repeat(mib * MIB / line.len()));
        mail.raw.extend(b"https://fromsmash.com/la-fin\r\n");
        return mail;
    }
    let source = String::from_utf8(mail.raw).expect("a mail in ASCII");
    let (head, body) = source.split_once("Content-Type:").expect("its type");
    let file = STANDARD.encode(vec![7_u8; mib * MIB * 3 / 4]);
    let lines: Vec<&str> =
        file.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
    let raw = format!(
        "{head}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type:{body}\r\n--b\r\n\
         Content-Type: application/zip\r\nContent-Disposition: attachment; filename=a.zip\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}\r\n--b--\r\n",
        lines.join("\r\n")
    );
    mails::TestMail { raw: raw.into_bytes(), ..mail }
}

/// 512 MiB, as on the smallest instances.
const LITTLE: [&str; 4] = ["prlimit", "--data=536870912", "--core=0", "--"];

#[tokio::test(flavor = "multi_thread")]
async fn mails_at_the_limit_fit_into_a_small_instance_in_a_row_and_together() {
    let receiver = Receiver::start().await;
    let place = Place::new(&receiver.url("/hook"));
    place.put("processing_prefs", r#"{"rate_limit_per_hour": 0}"#);
    let mut worker = place.worker("worker");
    worker.wrap(&LITTLE);
    worker.start().await;
    let mut all = Vec::new();
    for text in [true, false] {
        let mail = large(24, text);
        place.deliver(&mail);
        all.push(mail);
        until("the webhook of a large mail", PATIENCE * 4, async || checks::all_accepted(&receiver, &all))
            .await;
    }
    let together = [large(23, true), large(24, false), large(24, true)];
    together.iter().for_each(|mail| place.deliver(mail));
    // Larger than what is loaded.
    let too_large = large(26, false);
    place.deliver(&too_large);
    all.extend(together);
    until("all webhooks", PATIENCE * 4, async || checks::all_accepted(&receiver, &all)).await;
    let listed = until("the one that is too large", PATIENCE, async || {
        let list = worker.run(&["mails", "list", "--state", "ignored"]).await.text;
        ensure(list.contains(&too_large.mark), || list.clone()).map(|()| list)
    })
    .await;
    assert!(listed.contains("too large") && listed.contains("the limit is 26214400"), "{listed}");
    checks::assert_each_exactly_once(&receiver, &all);
    // What a mail says is bounded, says so, and has the link of its last line.
    for delivery in receiver.deliveries() {
        let body = delivery.json();
        let content = body["email_content"].as_str().expect("a text");
        assert!(content.len() < 2 * MIB, "{} bytes", content.len());
        let cut = content.contains("bytes left out …]");
        assert_eq!(cut, content.contains("https://fromsmash.com/la-fin"), "{}", delivery.mark());
        assert_eq!(cut, content.len() > MIB);
        assert_eq!(body["delivery_links"].as_array().map(Vec::len), Some(1 + usize::from(cut)));
    }
    // The journal has each once: three texts of a MiB, not of 24.
    let size = |name: &str| std::fs::metadata(place.path(name)).map_or(0, |file| file.len());
    let bytes = size("data/render-signal.db") + size("data/render-signal.db-wal");
    println!("journal: {bytes} bytes for 5 mails of 24 MiB");
    assert!(bytes < 32 * MIB as u64, "{bytes}");
    worker.assert_journal_verifies().await;
}

/// A mail of 24 MiB: its header up to a piece that is repeated, and what ends it. The link is
/// the last line of its text.
fn filled(header: &str, piece: &[u8], end: &str) -> mails::TestMail {
    let mail = mails::linking_to("https://fromsmash.com/a");
    let head = header.replace("MARK", &mail.mark);
    let end = format!("{end}\r\nhttps://fromsmash.com/a\r\n");
    let times = (24 * MIB - head.len() - end.len()) / piece.len();
    let raw = [head.into_bytes(), piece.repeat(times), end.into_bytes()].concat();
    mails::TestMail { raw, ..mail }
}

/// Mails that took up to twenty times their size of memory while they were read, or as much of
/// the journal and of the receiver.
fn filling() -> Vec<mails::TestMail> {
    let from = "From: a@b.fr\nMessage-ID: <MARK@b.fr>\n";
    let head = format!("{from}Subject: Lot [MARK]\n");
    let level = "Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\nFrom: a@b.fr\n";
    let nested = format!(
        "{head}Content-Type: multipart/mixed; boundary=b\n\n--b\n\nhttps://fromsmash.com/b\n--b\n{}",
        level.repeat(11)
    );
    let links: String = (0..60_000).map(|n| format!("http://dropbox.com/{n:x}\n")).collect();
    let wide = format!(
        "{head}Content-Type: text/plain; format=flowed; charset=windows-1252\n\nhttps://fromsmash.com/b\n"
    );
    vec![
        filled(&head, b"a:\n", "\n"),
        filled(&nested, b"a:\n", "\n"),
        filled(&format!("{nested}\n"), b"abcdefghi abcdefghi abcdefghi abcdefghi abcdefghi\n", ""),
        filled(&format!("{head}\n{}\n", "x ".repeat(MIB / 2)), links.as_bytes(), ""),
        filled(&format!("{from}Subject: Lot [MARK] "), b"\x01", "\n"),
        filled("Message-ID: <MARK@b.fr>\nSubject: Lot [MARK]\nFrom: a@b.fr ", b"(x)", "\n"),
        filled(&format!("{from}Subject: [MARK] Lot "), b"7", "\n"),
        filled(&wide, b"\x80\x80 \n", ""),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_that_are_made_to_fill_a_small_instance_are_read_like_others() {
    let receiver = Receiver::start().await;
    let place = Place::new(&receiver.url("/hook"));
    place.put("processing_prefs", r#"{"rate_limit_per_hour": 0}"#);
    place.put("polling_config", r#"{"enable_subject_group_dedup": true}"#);
    let mut worker = place.worker("worker");
    worker.wrap(&LITTLE);
    let mut all = Vec::new();
    for (hostile, ordinary) in filling().into_iter().zip(mails::mixed(8)) {
        place.deliver(&hostile);
        place.deliver(&ordinary);
        all.extend([hostile, ordinary]);
    }
    worker.start().await;
    let pid = worker.pid();
    until("all webhooks, or the end of the worker", PATIENCE * 4, async || {
        if worker.is_alive() { checks::all_accepted(&receiver, &all) } else { Ok(()) }
    })
    .await;
    assert!(worker.is_alive() && worker.pid() == pid, "one of them ended it");
    checks::assert_each_exactly_once(&receiver, &all);
    println!("peak: {} KiB", child::peak_rss_kib(pid));
    // Nothing of a mail is without end in what is made of it.
    for delivery in receiver.deliveries() {
        assert!(delivery.body.len() < 8 * MIB, "{} bytes of {}", delivery.body.len(), delivery.mark());
    }
    let tail = worker.run(&["events", "tail", "-n", "10000", "--json"]).await.text;
    let taken: Vec<&str> = tail.lines().filter(|line| line.contains("group.taken")).collect();
    assert!(!taken.is_empty() && taken.iter().all(|line| line.len() < 1024), "{taken:.2000?}");
    worker.assert_journal_verifies().await;
}
