//! A server that lies, drips and floods, in virtual time. What the process makes of it is in
//! the suite; here are the bounds one by one.

use std::time::Duration;

use tokio::time::Instant;

use super::scripted::{fetch, session};
use crate::poller::source::{ListScope, MailboxItem, MailboxSession as _, SourceError};

const NEWER: ListScope = ListScope { above: 3, unseen: false, since: None };
const UNREAD: ListScope = ListScope { above: 3, unseen: true, since: None };
const DESCRIBE_NEWER: &str = "UID FETCH 4:4294967295 (UID FLAGS INTERNALDATE RFC822.SIZE)";
const FETCH_ONE: &str = "UID FETCH 1 (UID BODY.PEEK[]<0.100>)";

fn why<T: std::fmt::Debug>(answer: Result<T, SourceError>) -> String {
    match answer {
        Err(SourceError::Protocol(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_byte_before_each_time_out_is_given_up_after_five_minutes() {
    let content = "* 1 FETCH (UID 1 BODY[]<0> {99}\r\n";
    // A drop of a mail; a notice; the end of a command that was never begun.
    for (first, drop) in [(content, "x"), ("", "* 3 EXISTS\r\n"), ("", "A9999 OK done\r\n")] {
        let (mut session, mut server) = session().await;
        let begun = Instant::now();
        let dripping = async {
            server.expect(FETCH_ONE).await;
            server.say(first).await;
            loop {
                tokio::time::sleep(Duration::from_secs(29)).await;
                server.say(drop).await;
            }
        };
        let (done, _) = tokio::select! {
            fetched = fetch(&mut session, &[1]) => fetched,
            () = dripping => unreachable!("it drips for ever"),
        };
        assert!(
            matches!(&done, Err(SourceError::Unreachable(why)) if why.contains("too slowly")),
            "{drop:?}: {done:?}"
        );
        assert_eq!(begun.elapsed().as_secs(), 300, "{drop:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_for_one_answer_is_not_counted_against_the_next() {
    let (mut session, mut server) = session().await;
    for _ in 0..20 {
        let (listed, ()) = tokio::join!(session.list(&UNREAD), async {
            let tag = server.expect("UID SEARCH OR UNSEEN UID 4:4294967295").await;
            tokio::time::sleep(Duration::from_secs(29)).await;
            server.say(&format!("* SEARCH 2\r\n{tag} OK done\r\n")).await;
        });
        assert_eq!(listed.unwrap().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_mail_longer_than_its_size_said_is_taken_and_one_above_the_limit_is_its_header() {
    let (mut session, mut server) = session().await;
    let head = "Subject: a\r\n\r\n";
    let (fetched, ()) = tokio::join!(fetch(&mut session, &[1, 2]), async {
        let tag = server.expect("UID FETCH 1:2 (UID BODY.PEEK[]<0.100>)").await;
        let whole = format!("{head}{}", "x".repeat(99 - head.len()));
        server.say(&format!("* 1 FETCH (UID 1 BODY[]<0> {{99}}\r\n{whole})\r\n")).await;
        server.say(&format!("* 2 FETCH (UID 2 BODY[]<0> {{100}}\r\n{whole}x)\r\n{tag} OK done\r\n")).await;
    });
    let expected = [("1", "loaded"), ("2", "header of 100")].map(|(uid, what)| (uid.into(), what.into()));
    assert_eq!(fetched, (Ok(()), expected.to_vec()));
}

#[tokio::test(start_paused = true)]
async fn a_literal_larger_than_what_was_asked_for_ends_the_session_before_it_comes() {
    let (mut session, mut server) = session().await;
    let (fetched, ()) = tokio::join!(fetch(&mut session, &[1]), async {
        server.expect(FETCH_ONE).await;
        server.say("* 1 FETCH (UID 1 BODY[]<0> {2400000000}\r\n").await;
    });
    assert_eq!(
        why(fetched.0),
        "the server announces 2400000000 bytes where at most 100 were asked for, the connection is given up"
    );
    let again = fetch(&mut session, &[1]).await;
    assert!(again.0.is_err(), "it stays given up");
}

#[tokio::test(start_paused = true)]
async fn a_literal_that_nobody_asked_for_ends_the_session() {
    let (mut session, mut server) = session().await;
    let (listed, ()) = tokio::join!(session.list(&NEWER), async {
        server.expect(DESCRIBE_NEWER).await;
        server.say("* 1 FETCH (UID 1 BODY[] {9}\r\n").await;
    });
    assert!(why(listed).contains("announces 9 bytes where at most 0"));
}

#[tokio::test(start_paused = true)]
async fn nested_answers_end_the_session_asked_or_unasked() {
    let nested = format!("* 1 FETCH (BODYSTRUCTURE {}\r\n", "(".repeat(100_000));
    let (mut session_1, mut server) = session().await;
    let (listed, ()) = tokio::join!(session_1.list(&NEWER), async {
        server.expect(DESCRIBE_NEWER).await;
        server.say(&nested).await;
    });
    assert!(why(listed).contains("nested"));
    let (mut session_2, mut server) = session().await;
    let (waited, ()) = tokio::join!(session_2.wait(Duration::from_secs(600)), async {
        server.expect("IDLE").await;
        server.say("+ idling\r\n").await;
        server.say(&nested).await;
    });
    assert!(why(waited).contains("nested"));
}

#[tokio::test(start_paused = true)]
async fn listings_that_exceed_the_mailbox_are_broken_off() {
    // It holds three mails.
    let (mut session_1, mut server) = session().await;
    let (listed, ()) = tokio::join!(session_1.list(&UNREAD), async {
        server.expect("UID SEARCH OR UNSEEN UID 4:4294967295").await;
        server.say("* SEARCH 1 2 3 3 2\r\n* SEARCH 4\r\n").await;
    });
    assert!(why(listed).contains("more mails than the 3 it has"));
    let (mut session_2, mut server) = session().await;
    let (listed, ()) = tokio::join!(session_2.list(&NEWER), async {
        server.expect(DESCRIBE_NEWER).await;
        for uid in 4..8 {
            server.say(&format!("* 1 FETCH (UID {uid} RFC822.SIZE 7)\r\n")).await;
        }
    });
    assert!(why(listed).contains("more mails than the 3 it has"));
    // With a fourth mail, it is right.
    let (mut session_3, mut server) = session().await;
    let (listed, ()) = tokio::join!(session_3.list(&UNREAD), async {
        let tag = server.expect("UID SEARCH OR UNSEEN UID 4:4294967295").await;
        server.say(&format!("* 4 EXISTS\r\n* SEARCH 1 2 3 4\r\n{tag} OK done\r\n")).await;
    });
    assert_eq!(listed.unwrap().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn answers_without_an_end_are_broken_off() {
    for flood in
        ["* 1 FETCH (FLAGS ())\r\n", "* 3 EXISTS\r\n", "* OK still here\r\n", "* LIST () \"/\" x\r\n"]
    {
        let (mut session, mut server) = session().await;
        let flood = flood.repeat(1_000);
        let flooding = async {
            server.expect(DESCRIBE_NEWER).await;
            for _ in 0..100_000 {
                server.say(&flood).await;
            }
        };
        let listed = tokio::select! {
            listed = session.list(&NEWER) => listed,
            () = flooding => panic!("all of it was taken"),
        };
        assert!(why(listed).contains("more than what was asked for"), "{flood:.20}");
    }
}

#[tokio::test(start_paused = true)]
async fn descriptions_of_other_mails_are_not_kept() {
    let (mut session, mut server) = session().await;
    let asked = [MailboxItem { item: "2".to_owned(), uid: 2, detail: None }];
    let (described, ()) = tokio::join!(session.describe(&asked), async {
        let tag = server.expect("UID FETCH 2 (UID FLAGS INTERNALDATE RFC822.SIZE)").await;
        server.say("* 1 FETCH (UID 1 RFC822.SIZE 7)\r\n* 2 FETCH (UID 2 RFC822.SIZE 8)\r\n").await;
        server.say(&format!("* 2 FETCH (UID 2 RFC822.SIZE 9)\r\n{tag} OK done\r\n")).await;
    });
    let described = described.unwrap();
    assert_eq!(described.iter().map(|mail| mail.detail.unwrap().size).collect::<Vec<_>>(), [9]);
}

#[tokio::test(start_paused = true)]
async fn refusals_are_shown_clean_short_and_without_the_password() {
    let (mut session, mut server) = session().await;
    let items = ["1".to_owned()];
    let (marked, ()) = tokio::join!(session.mark_seen(&items), async {
        let tag = server.expect("UID STORE 1 +FLAGS.SILENT (\\Seen)").await;
        let words = format!("\u{1b}[2J LOGIN \"me\" \"secret\" c2VjcmV0 {}", "x".repeat(1_000));
        server.say(&format!("{tag} NO [NOPERM] {words}\r\n")).await;
    });
    let Err(SourceError::Declined(why)) = marked else { panic!("{marked:?}") };
    assert!(why.contains("[NOPERM] ?[2J LOGIN \"(hidden)\" \"(hidden)\" (hidden) xxx"), "{why}");
    assert!(why.chars().count() < 250, "{why}");
}
