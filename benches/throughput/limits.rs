//! What the machine can do at most: bare loops without any of the program's work.

use std::time::Instant;

use futures::TryStreamExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::dovecot::{Dovecot, PASSWORD, USER};
use crate::support::http::{Reader, request};
use crate::support::mails;
use crate::support::receiver::Receiver;

/// Connections of the bare POST loop.
const CONNECTIONS: usize = 8;
/// Bytes of a webhook's body, about.
const BODY: usize = 3_000;
/// Appends per commit, where commits are shared.
const GROUP: usize = 32;

/// Measures and prints.
pub(crate) async fn measure(count: usize) {
    let rate = |what: &str, started: Instant| {
        let seconds = started.elapsed().as_secs_f64();
        println!("  {what:<58} {:>9.0} /s", f64::from(u32::try_from(count).expect("a count")) / seconds);
    };

    let dovecot = Dovecot::start().await;
    dovecot.deliver(&mails::mixed(count));
    // The first look makes the server assign UIDs and write its indexes.
    assert_eq!(dovecot.seen().await.unseen, count);
    let started = Instant::now();
    assert_eq!(fetch_all(dovecot.plain_port()).await, count);
    rate("IMAP fetch, one connection, BODY.PEEK[]", started);
    drop(dovecot);

    let receiver = Receiver::start().await;
    let started = Instant::now();
    post_all(receiver.port(), count).await;
    rate(&format!("HTTP POST of {BODY} bytes, {CONNECTIONS} connections"), started);
    drop(receiver);

    let started = Instant::now();
    append_all(count, 1);
    rate("journal append of 1,500 bytes, one fsync each", started);
    let started = Instant::now();
    append_all(count, GROUP);
    rate(&format!("journal append of 1,500 bytes, one fsync per {GROUP}"), started);
}

async fn fetch_all(port: u16) -> usize {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("Dovecot listens");
    let mut client = async_imap::Client::new(stream);
    client.read_response().await.expect("a greeting").expect("a greeting");
    let mut session = client.login(USER, PASSWORD).await.map_err(|(error, _)| error).expect("a login");
    session.select("INBOX").await.expect("SELECT");
    let fetched = session
        .uid_fetch("1:*", "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])")
        .await
        .expect("FETCH")
        .try_fold(0, |count, mail| async move { Ok(count + usize::from(mail.body().is_some())) })
        .await
        .expect("FETCH");
    session.logout().await.expect("LOGOUT");
    fetched
}

async fn post_all(port: u16, count: usize) {
    let body = format!(r#"{{"subject":"[m-0-0]","text":"{}"}}"#, "x".repeat(BODY));
    let bytes: bytes::Bytes = request("POST", "/hook", "Content-Type: application/json\r\n", &body).into();
    let mut connections = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let bytes = bytes.clone();
        connections.spawn(async move {
            let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the receiver listens");
            stream.set_nodelay(true).expect("a socket option");
            let (read, mut write) = stream.into_split();
            let mut reader = Reader::new(read);
            for _ in 0..count.div_ceil(CONNECTIONS) {
                write.write_all(&bytes).await.expect("sending");
                assert_eq!(reader.response().await.expect("an answer").status, 200);
            }
        });
    }
    while let Some(done) = connections.join_next().await {
        done.expect("a loop that ends");
    }
}

fn append_all(count: usize, group: usize) {
    let folder = tempfile::Builder::new().prefix("rs-bench-").tempdir().expect("a temporary folder");
    let mut connection = rusqlite::Connection::open(folder.path().join("log.db")).expect("a database");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE log (position INTEGER PRIMARY KEY, event BLOB NOT NULL);",
        )
        .expect("a table");
    let event = vec![b'x'; 1_500];
    let mut left = count;
    while left > 0 {
        let now = left.min(group);
        let commit = connection.transaction().expect("a transaction");
        for _ in 0..now {
            let mut insert =
                commit.prepare_cached("INSERT INTO log (event) VALUES (?1)").expect("a statement");
            insert.execute([&event]).expect("an insert");
        }
        commit.commit().expect("a commit");
        left -= now;
    }
}
