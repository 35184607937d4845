//! A scripted server in virtual time: silence, refusals, answers out of the ordinary.

use std::sync::Arc;
use std::time::Duration;

use async_imap::Client;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::kernel::heard::Secrets;
use crate::messages::Source;
use crate::poller::imap::WATCHDOG;
use crate::poller::imap::bounds::ConnectionBounds;
use crate::poller::imap::session::ImapSession;
use crate::poller::imap::watched::WatchedIo;
use crate::poller::imap::wire::{ServerVoice, Wire};
use crate::poller::source::{
    BUDGET, ListScope, LoadPart, LoadRequest, LoadedBody, MailboxSession as _, MailboxStatus, Sink,
    SourceError, Wake,
};

/// The server's end. Commands are checked by their text without the tag.
pub(super) struct Server {
    stream: BufReader<DuplexStream>,
}

impl Server {
    pub(super) async fn expect(&mut self, command: &str) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).await.unwrap();
        let line = line.trim_end();
        if line == command {
            return String::new();
        }
        let (tag, rest) = line.split_once(' ').unwrap_or(("", line));
        assert_eq!(rest, command);
        tag.to_owned()
    }

    pub(super) async fn say(&mut self, text: &str) {
        self.stream.get_mut().write_all(text.as_bytes()).await.unwrap();
    }
}

const REFRESH: Duration = Duration::from_secs(120);

pub(super) async fn session() -> (ImapSession, Server) {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let mut server = Server { stream: BufReader::new(theirs) };
    let bounds = ConnectionBounds::default();
    let client = Client::new(WatchedIo::new(Box::new(ours), WATCHDOG, bounds.clone()));
    let (client, ()) = tokio::join!(client.login("me", "secret"), async {
        let tag = server.expect("LOGIN \"me\" \"secret\"").await;
        server.say(&format!("{tag} OK in\r\n")).await;
    });
    let voice = ServerVoice { bounds, secrets: Secrets::new(&["me", "secret"]) };
    let wire = Wire::new(client.unwrap(), voice, 3, true, REFRESH);
    (ImapSession { wire, opened: MailboxStatus { validity: 1, uid_next: 4, exists: 3 } }, server)
}

pub(super) fn wanted(uid: u64) -> LoadRequest {
    LoadRequest { item: uid.to_string(), uid, size: 10, limit: 99, part: LoadPart::Full }
}

pub(super) async fn fetch(
    session: &mut ImapSession,
    uids: &[u64],
) -> (Result<(), SourceError>, Vec<(String, String)>) {
    let (sink, mut mails) = Sink::new(Arc::new(Semaphore::new(BUDGET)));
    let wanted: Vec<LoadRequest> = uids.iter().map(|uid| wanted(*uid)).collect();
    tokio::join!(session.fetch(&wanted, sink), async {
        let mut all = Vec::new();
        while let Some(mail) = mails.recv().await {
            let item = mail.item.clone();
            let what = match mail.into_parts().0 {
                LoadedBody::Loaded(Source::Full(_)) => "loaded".to_owned(),
                LoadedBody::Loaded(Source::HeaderOnly { size, .. }) => format!("header of {size}"),
                LoadedBody::Loaded(Source::Pushed(_)) => "pushed".to_owned(),
                LoadedBody::Gone => "gone".to_owned(),
                LoadedBody::Unloadable(why) => why,
            };
            all.push((item, what));
        }
        all.sort();
        all
    })
}

#[tokio::test(start_paused = true)]
async fn a_command_without_an_answer_fails_after_thirty_seconds() {
    let (mut session, mut server) = session().await;
    let begun = Instant::now();
    let (listed, _) = tokio::join!(
        session.list(&ListScope { above: 3, unseen: false, since: None }),
        server.expect("UID FETCH 4:4294967295 (UID FLAGS INTERNALDATE RFC822.SIZE)")
    );
    assert!(matches!(&listed, Err(SourceError::Unreachable(why)) if why.contains("30 s")), "{listed:?}");
    assert_eq!(begun.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_slow_mail_is_waited_for_as_long_as_bytes_come() {
    let (mut session, mut server) = session().await;
    let (fetched, ()) = tokio::join!(fetch(&mut session, &[1]), async {
        let tag = server.expect("UID FETCH 1 (UID BODY.PEEK[]<0.100>)").await;
        server.say("* 1 FETCH (UID 1 BODY[] {10}\r\n").await;
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_secs(20)).await;
            server.say("x").await;
        }
        server.say(&format!(")\r\n{tag} OK done\r\n")).await;
    });
    assert_eq!(fetched, (Ok(()), vec![("1".to_owned(), "loaded".to_owned())]));
}

#[tokio::test(start_paused = true)]
async fn a_path_that_drops_during_idle_is_noticed_by_the_renewal() {
    let (mut session, mut server) = session().await;
    let begun = Instant::now();
    let (waited, ()) = tokio::join!(session.wait(Duration::from_secs(86_400)), async {
        let tag = server.expect("IDLE").await;
        server.say("+ idling\r\n").await;
        // Once it is renewed, the second time nothing comes back any more.
        server.expect("DONE").await;
        server.say(&format!("{tag} OK done\r\n")).await;
        server.expect("IDLE").await;
        server.say("+ idling\r\n").await;
        server.expect("DONE").await;
    });
    assert!(matches!(waited, Err(SourceError::Unreachable(_))), "{waited:?}");
    assert_eq!(begun.elapsed(), REFRESH * 2 + WATCHDOG);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_declines_idle_is_polled() {
    let (mut session, mut server) = session().await;
    let begun = Instant::now();
    let (waited, ()) = tokio::join!(session.wait(Duration::from_secs(30)), async {
        let tag = server.expect("IDLE").await;
        server.say(&format!("{tag} BAD what?\r\n")).await;
    });
    assert_eq!((waited, begun.elapsed().as_secs()), (Ok(Wake::Elapsed), 30));
    let (listed, ()) =
        tokio::join!(session.list(&ListScope { above: 3, unseen: true, since: None }), async {
            let tag = server.expect("NOOP").await;
            server.say(&format!("* 5 EXISTS\r\n{tag} OK done\r\n")).await;
            let tag = server.expect("UID SEARCH OR UNSEEN UID 4:4294967295").await;
            server.say(&format!("* SEARCH 2 5\r\n{tag} OK done\r\n")).await;
        });
    assert_eq!(listed.unwrap().iter().map(|mail| mail.uid).collect::<Vec<_>>(), [2, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_mail_with_nil_for_content_and_one_that_is_gone_are_told_apart() {
    let (mut session, mut server) = session().await;
    let (fetched, ()) = tokio::join!(fetch(&mut session, &[1, 2, 3]), async {
        let tag = server.expect("UID FETCH 1:3 (UID BODY.PEEK[]<0.100>)").await;
        server.say("* 9 FETCH (FLAGS (\\Seen))\r\n* 1 FETCH (UID 1 BODY[] NIL)\r\n").await;
        server.say(&format!("* 3 FETCH (UID 3 BODY[] {{0}}\r\n)\r\n{tag} OK done\r\n")).await;
    });
    let (done, mails) = fetched;
    assert_eq!(done, Ok(()));
    let short: Vec<(&str, &str)> = mails.iter().map(|(item, what)| (item.as_str(), what.as_str())).collect();
    let nil = "the server has the mail and gives NIL for its content";
    assert_eq!(short, [("1", nil), ("2", "gone"), ("3", "loaded")]);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_is_declined_makes_the_rest_unloadable_and_keeps_the_session() {
    let (mut session, mut server) = session().await;
    let (fetched, ()) = tokio::join!(fetch(&mut session, &[1, 2]), async {
        let tag = server.expect("UID FETCH 1:2 (UID BODY.PEEK[]<0.100>)").await;
        server.say(&format!("* 1 FETCH (UID 1 BODY[] \"x\")\r\n{tag} NO [SERVERBUG] oops\r\n")).await;
    });
    let (done, mails) = fetched;
    assert_eq!((done, mails[0].1.as_str()), (Ok(()), "loaded"));
    assert!(mails[1].1.contains("oops"), "{mails:?}");
    let items = ["1".to_owned()];
    let (marked, ()) = tokio::join!(session.mark_seen(&items), async {
        let tag = server.expect("UID STORE 1 +FLAGS.SILENT (\\Seen)").await;
        server.say(&format!("{tag} NO [NOPERM] read-only\r\n")).await;
    });
    assert!(matches!(marked, Err(SourceError::Declined(_))));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_none_ends_the_session_and_is_not_quoted() {
    let (mut session, mut server) = session().await;
    let (fetched, ()) = tokio::join!(fetch(&mut session, &[1]), async {
        server.expect("UID FETCH 1 (UID BODY.PEEK[]<0.100>)").await;
        server.say("* 1 FETCH nonsense, very private\r\n").await;
    });
    let error = fetched.0.unwrap_err();
    assert!(matches!(error, SourceError::Protocol(_)), "{error:?}");
    assert!(!format!("{error:?}").contains("private"));
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_of_the_server_is_told_in_its_words() {
    let (mut session, mut server) = session().await;
    let (waited, ()) = tokio::join!(session.wait(Duration::from_secs(600)), async {
        server.expect("IDLE").await;
        server.say("+ idling\r\n* BYE down for maintenance\r\n").await;
    });
    let error = waited.unwrap_err().to_string();
    assert!(error.contains("down for maintenance"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn two_commands_are_under_way_at_once() {
    let (mut session, mut server) = session().await;
    let uids: Vec<u64> = (1..=200).collect();
    let (fetched, ()) = tokio::join!(fetch(&mut session, &uids), async {
        // Both come before either is answered; the third only after the first is done.
        let first = server.expect("UID FETCH 1:64 (UID BODY.PEEK[]<0.100>)").await;
        let second = server.expect("UID FETCH 65:128 (UID BODY.PEEK[]<0.100>)").await;
        server.say(&format!("{first} OK done\r\n")).await;
        let third = server.expect("UID FETCH 129:192 (UID BODY.PEEK[]<0.100>)").await;
        server.say(&format!("{second} OK done\r\n")).await;
        let fourth = server.expect("UID FETCH 193:200 (UID BODY.PEEK[]<0.100>)").await;
        server.say(&format!("{third} OK done\r\n{fourth} OK done\r\n")).await;
    });
    assert_eq!((fetched.0, fetched.1.len()), (Ok(()), 200));
}
