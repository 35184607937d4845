//! How long a single mail takes, from its arrival and from the server's notice.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
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
    let (port, mut notices) = watched_wire(site.dovecot.plain_port()).await;
    let mut program = program(&site, &r2);
    program.set("IMAP_PORT", &port.to_string());
    program.start().await;
    let stream = TcpStream::connect(("127.0.0.1", site.dovecot.plain_port())).await.expect("Dovecot listens");
    let mut client = async_imap::Client::new(stream);
    client.read_response().await.expect("a greeting").expect("a greeting");
    let mut session = client.login(USER, PASSWORD).await.map_err(|(error, _)| error).expect("a login");

    let (mut from_arrival, mut from_notice) = (Vec::new(), Vec::new());
    for (n, mail) in mails::mixed(count + 3).into_iter().enumerate() {
        while notices.try_recv().is_ok() {}
        session.append("INBOX", None, None, &mail.raw).await.expect("APPEND");
        let arrived = Instant::now();
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
            // None when the program found the mail by itself, before it was told.
            if let Ok(noticed) = notices.try_recv() {
                from_notice.push(delivered.saturating_duration_since(noticed));
            }
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

/// A wire to the server that notes when a notice of new mail (EXISTS) passes on its way to
/// the program. Another session would not do: Dovecot tells each one at a moment of its own.
async fn watched_wire(server: u16) -> (u16, mpsc::UnboundedReceiver<Instant>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free loopback port");
    let port = listener.local_addr().expect("the address of a bound listener").port();
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(("127.0.0.1", server)).await.expect("Dovecot listens");
            client.set_nodelay(true).expect("a socket option");
            server.set_nodelay(true).expect("a socket option");
            tokio::spawn(pass_on(client, server, tell.clone()));
        }
    });
    (port, told)
}

async fn pass_on(client: TcpStream, server: TcpStream, tell: mpsc::UnboundedSender<Instant>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let mut piece = vec![0; 16 * 1_024];
    while let Ok(length @ 1..) = from_server.read(&mut piece).await {
        let notice = piece[..length].windows(6).any(|word| word == b"EXISTS");
        if notice && tell.send(Instant::now()).is_err() {
            return;
        }
        if to_client.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}
