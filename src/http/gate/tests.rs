//! The gate over a pipe, in virtual time.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::timeout;

use super::*;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

async fn gated(crowd: &Crowd) -> (DuplexStream, Gated<DuplexStream>) {
    let (client, server) = duplex(64 * 1024);
    (client, Gated::new(server, crowd).await)
}

async fn read(stream: &mut Gated<DuplexStream>) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::with_capacity(64 * 1024);
    match timeout(Duration::from_millis(1), stream.read_buf(&mut bytes)).await {
        Ok(read) => read.map(|_| Some(bytes)),
        Err(_) => Ok(None),
    }
}

#[tokio::test(start_paused = true)]
async fn requests_sent_at_once_are_read_one_after_the_other() {
    let (mut client, mut stream) = gated(&Crowd::new(1)).await;
    let gate = stream.gate();
    client.write_all(&REQUEST.repeat(3)).await.expect("a pipe");
    for _ in 0..3 {
        assert_eq!(read(&mut stream).await.expect("open"), Some(REQUEST.to_vec()));
        assert_eq!(read(&mut stream).await.expect("open"), None, "it is not answered yet");
        gate.go_on(Follows::Next);
        gate.answered(false);
    }
    assert_eq!(read(&mut stream).await.expect("open"), None);
    client.shutdown().await.expect("a pipe");
    assert_eq!(read(&mut stream).await.expect("open"), Some(Vec::new()), "the end");
}

#[tokio::test(start_paused = true)]
async fn behind_the_last_request_comes_the_end_and_only_after_the_answer() {
    let (mut client, mut stream) = gated(&Crowd::new(1)).await;
    let gate = stream.gate();
    client.write_all(&REQUEST.repeat(2)).await.expect("a pipe");
    assert!(read(&mut stream).await.expect("open").is_some());
    gate.go_on(Follows::Nothing);
    assert_eq!(read(&mut stream).await.expect("open"), None);
    gate.answered(true);
    assert_eq!(read(&mut stream).await.expect("open"), Some(Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_is_noticed_while_the_answer_is_made() {
    let (mut client, mut stream) = gated(&Crowd::new(1)).await;
    client.write_all(REQUEST).await.expect("a pipe");
    assert!(read(&mut stream).await.expect("open").is_some());
    stream.gate().go_on(Follows::Next);
    assert_eq!(read(&mut stream).await.expect("open"), None);
    drop(client);
    assert_eq!(read(&mut stream).await.expect("open"), Some(Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn what_trickles_in_ends_after_ten_seconds_whatever_it_is() {
    for body in [false, true] {
        let (mut client, mut stream) = gated(&Crowd::new(1)).await;
        let mut drip: &[u8] = b"GET / HTTP/1.1\r\nA: bbbbbbbbbbbbbbbbbbbbbbbb";
        if body {
            client.write_all(REQUEST).await.expect("a pipe");
            assert!(read(&mut stream).await.expect("open").is_some());
            stream.gate().go_on(Follows::Body(1_000));
            drip = b"{\"a\": \"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
        }
        let begun = Instant::now();
        let mut seconds = 0;
        for byte in drip {
            client.write_all(&[*byte]).await.expect("a pipe");
            if read(&mut stream).await.expect("open") == Some(Vec::new()) {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            seconds += 1;
        }
        assert_eq!(seconds, 10, "body: {body}, {:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_takes_is_given_up() {
    let (client, mut stream) = gated(&Crowd::new(1)).await;
    let answer = vec![0; 100 * 1024];
    let begun = Instant::now();
    let error = stream.write_all(&answer).await.expect_err("nobody takes it");
    assert_eq!((error.kind(), begun.elapsed()), (io::ErrorKind::TimedOut, IO_TIMEOUT));
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn what_comes_in_after_the_last_answer_is_thrown_away_for_a_second() {
    let (mut client, mut stream) = gated(&Crowd::new(1)).await;
    client.write_all(&REQUEST.repeat(9)).await.expect("a pipe");
    let begun = Instant::now();
    stream.shutdown().await.expect("the end of an open connection");
    assert_eq!(begun.elapsed(), Duration::from_secs(1));

    let (client, mut stream) = gated(&Crowd::new(1)).await;
    drop(client);
    let begun = Instant::now();
    stream.shutdown().await.expect("the end of a connection");
    assert_eq!(begun.elapsed(), Duration::ZERO, "there is nobody to wait for");
}

/// Such a client looks for the answer when it has sent everything, and not before.
#[tokio::test(start_paused = true)]
async fn a_client_that_sends_all_of_its_body_first_hears_the_answer() {
    let (mut client, mut stream) = gated(&Crowd::new(1)).await;
    let sending = async {
        let piece = vec![0; 1024 * 1024];
        for _ in 0..25 {
            client.write_all(&piece).await.expect("somebody takes it");
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.expect("an answer");
        drop(client);
        answer
    };
    let answering = async {
        stream.write_all(b"HTTP/1.1 503").await.expect("room");
        stream.shutdown().await.expect("the end");
    };
    let (answer, ()) = tokio::join!(sending, answering);
    assert_eq!(answer, b"HTTP/1.1 503");
}

/// How long a client that sends `piece` every `pause` is listened to, and of how many bytes.
async fn listened_to(crowd: &Crowd, piece: &[u8], pause: Duration) -> (Duration, usize) {
    let (mut client, mut stream) = gated(crowd).await;
    let mut sent = 0;
    let begun = Instant::now();
    let sending = async {
        while client.write_all(piece).await.is_ok() {
            sent += piece.len();
            tokio::time::sleep(pause).await;
        }
    };
    tokio::select! {
        ended = stream.shutdown() => ended.expect("the end"),
        () = sending => panic!("the pipe is open"),
    }
    (begun.elapsed(), sent)
}

#[tokio::test(start_paused = true)]
async fn whoever_goes_on_sending_after_the_answer_is_not_listened_to_for_ever() {
    let second = Duration::from_secs(1);
    let tenth = Duration::from_millis(100);
    let crowd = Crowd::new(1);
    assert_eq!(listened_to(&crowd, b"a", tenth).await.0, MAX_LINGER, "a byte now and then");
    let (time, bytes) = listened_to(&crowd, &[0; 64 * 1024], Duration::ZERO).await;
    let mib = 1024 * 1024;
    assert!(time <= MAX_LINGER && (31 * mib..33 * mib).contains(&bytes), "{time:?} {bytes}");
    // Another one needs the place.
    let crowding = async {
        tokio::time::sleep(crowd::GRACE).await;
        gated(&crowd).await
    };
    let ((time, _), _other) = tokio::join!(listened_to(&crowd, b"a", tenth), crowding);
    assert_eq!(time, second, "as long as one that says nothing");
}

#[tokio::test(start_paused = true)]
async fn of_a_crowd_the_one_that_has_kept_us_waiting_for_longest_ends() {
    let crowd = Crowd::new(3);
    let (mut served, mut first) = gated(&crowd).await;
    served.write_all(REQUEST).await.expect("a pipe");
    assert!(read(&mut first).await.expect("open").is_some());
    first.gate().go_on(Follows::Next);
    let mut clients = vec![served];
    let mut streams = vec![first];
    for _ in 0..9 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (mut client, mut stream) = gated(&crowd).await;
        client.write_all(b"GET / HTTP/1.1\r\nHost:").await.expect("a pipe");
        assert!(read(&mut stream).await.expect("open").is_some());
        clients.push(client);
        streams.push(stream);
    }
    let mut open = Vec::new();
    for stream in &mut streams {
        open.push(read(stream).await.is_ok());
    }
    let wanted = [true, false, false, false, false, false, false, false, true, true];
    assert_eq!(open, wanted, "the one that is being answered, and the last two");

    streams.truncate(1);
    let (_client, mut late) = gated(&crowd).await;
    assert!(read(&mut late).await.is_ok() && read(&mut streams[0]).await.is_ok(), "there is room again");
}

/// Connections that come faster than they can be looked at, the question among them.
#[tokio::test(start_paused = true)]
async fn a_question_that_was_not_looked_at_yet_keeps_its_place() {
    let crowd = Crowd::new(3);
    let (mut client, mut stream) = gated(&crowd).await;
    client.write_all(REQUEST).await.expect("a pipe");
    let begun = Instant::now();
    let mut others = Vec::new();
    for _ in 0..2 {
        others.push(gated(&crowd).await);
    }
    assert_eq!(begun.elapsed(), Duration::ZERO, "there is room");
    let crowding = async {
        for _ in 0..9 {
            others.push(gated(&crowd).await);
        }
    };
    let ((), asked) = tokio::join!(crowding, read(&mut stream));
    assert_eq!(asked.expect("open"), Some(REQUEST.to_vec()));
    assert!(read(&mut stream).await.is_ok(), "asked, and not answered yet: it is the last to go");
    // Two places are left to nine others.
    let turns = begun.elapsed().as_millis() / crowd::GRACE.as_millis();
    assert_eq!(turns, 5, "each had its time, and no more");
}

#[tokio::test]
async fn whoever_follows_a_stream_and_goes_is_noticed_at_once() {
    for (streams, noticed) in [(true, true), (false, false)] {
        let crowd = Crowd::new(8);
        let (mut client, mut server) = gated(&crowd).await;
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        assert!(read(&mut server).await.unwrap().is_some());
        server.gate().go_on(Follows::Next);
        if streams {
            server.gate().streams();
        }
        client.shutdown().await.unwrap();
        // One that waits for an answer may have said all that it has to say.
        assert_eq!(read(&mut server).await.is_err(), noticed, "streams: {streams}");
    }
}
