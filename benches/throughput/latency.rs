//! How long a single mail takes, from its arrival and from the server's notice.

use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::run::program;
use crate::support::child::peak_rss_kib;
use crate::support::dovecot::{PASSWORD, USER};
use crate::support::worker::Mode;
use crate::support::{PATIENCE, Site, Worker, mails, until};
use crate::{millis, percentile};

/// Brings `count` mails, one after the other, each when the one before is through, and
/// prints the times.
pub(crate) async fn measure(count: usize) {
    let site = Site::start().await;
    let r2 = Worker::start(Mode::Copies).await;
    let mut program = program(&site, &r2);
    program.start().await;
    let mut notices = watch_idle(site.dovecot.plain_port()).await;
    let stream = TcpStream::connect(("127.0.0.1", site.dovecot.plain_port())).await.expect("Dovecot listens");
    let mut client = async_imap::Client::new(stream);
    client.read_response().await.expect("a greeting").expect("a greeting");
    let mut session = client.login(USER, PASSWORD).await.map_err(|(error, _)| error).expect("a login");

    let (mut from_arrival, mut from_notice) = (Vec::new(), Vec::new());
    for (n, mail) in mails::mixed(count + 3).into_iter().enumerate() {
        session.append("INBOX", None, None, &mail.raw).await.expect("APPEND");
        let arrived = Instant::now();
        let noticed =
            tokio::time::timeout(PATIENCE, notices.recv()).await.expect("a notice").expect("a watcher");
        until(
            "the webhook",
            PATIENCE,
            async || {
                if site.receiver.count() > n { Ok(()) } else { Err("not yet") }
            },
        )
        .await;
        let delivered = site.receiver.deliveries()[n].at;
        // The first ones warm up connections.
        if n >= 3 {
            from_arrival.push(delivered.saturating_duration_since(arrived));
            from_notice.push(delivered.saturating_duration_since(noticed));
        }
        // So that the program is back in IDLE, whatever it does after a mail.
        site.until_all_seen(n + 1).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    print("from arrival (APPEND answered) to webhook", from_arrival);
    print("from the server's IDLE notice to webhook", from_notice);
    println!("  peak RSS {} KiB", peak_rss_kib(program.pid()));
    program.stop().await;
}

fn print(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    println!(
        "  {what:<45} p50 {:>9}   p95 {:>9}",
        millis(percentile(&times, 50)),
        millis(percentile(&times, 95))
    );
}

/// A session in IDLE beside that of the program: tells when the server tells.
async fn watch_idle(port: u16) -> mpsc::UnboundedReceiver<Instant> {
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await.expect("Dovecot listens"));
    for (command, answer) in [
        (format!("a LOGIN {USER} {PASSWORD}\r\n"), "a OK"),
        ("b SELECT INBOX\r\n".to_owned(), "b OK"),
        ("c IDLE\r\n".to_owned(), "+"),
    ] {
        stream.write_all(command.as_bytes()).await.expect("sending");
        let mut line = String::new();
        while !line.starts_with(answer) {
            line.clear();
            assert!(stream.read_line(&mut line).await.expect("a line") > 0, "the server hung up");
        }
    }
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut lines = stream.lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if line.ends_with("EXISTS") && tell.send(Instant::now()).is_err() {
                return;
            }
        }
    });
    told
}
