//! Large mails within little memory and little disk.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::place::Place;
use crate::support::receiver::Receiver;
use crate::support::until::ensure;
use crate::support::{PATIENCE, checks, mails, until};

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
