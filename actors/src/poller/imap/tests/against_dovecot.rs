//! The port's calls, one by one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::dovecot::{Dovecot, login};
use crate::messages::Source;
use crate::poller::imap::{ImapLogin, ImapSecurity, ImapSettings, ImapSource};
use crate::poller::source::{
    BUDGET, ListScope, LoadPart, LoadRequest, LoadedBody, MailSource as _, MailboxItem, MailboxSession, Sink,
    SourceError, Wake,
};

const ALL: ListScope = ListScope { above: 0, unseen: true, since: None };
const UNREAD: ListScope = ListScope { above: 1_000, unseen: true, since: None };

async fn open(settings: ImapSettings) -> Box<dyn MailboxSession> {
    ImapSource::new(settings, login()).connect().await.unwrap()
}

async fn refused(settings: ImapSettings) -> SourceError {
    match ImapSource::new(settings, login()).connect().await {
        Ok(_) => panic!("it connected"),
        Err(error) => error,
    }
}

fn uids(mails: &[MailboxItem]) -> Vec<u64> {
    mails.iter().map(|mail| mail.uid).collect()
}

fn wanted(uid: u64, size: u64, part: LoadPart) -> LoadRequest {
    LoadRequest { item: uid.to_string(), uid, size, limit: 2_000_000, part }
}

async fn fetch(session: &mut Box<dyn MailboxSession>, wanted: &[LoadRequest]) -> BTreeMap<u64, LoadedBody> {
    let (sink, mut mails) = Sink::new(Arc::new(Semaphore::new(BUDGET)));
    let (done, all) = tokio::join!(session.fetch(wanted, sink), async {
        let mut all = BTreeMap::new();
        while let Some(mail) = mails.recv().await {
            let uid = mail.item.parse().unwrap();
            assert!(all.insert(uid, mail.into_parts().0).is_none(), "each mail exactly once");
        }
        all
    });
    done.unwrap();
    all
}

fn mail(number: usize, padding: usize) -> String {
    format!("Subject: mail {number}\r\n\r\n{number} {}\r\n", "x".repeat(padding))
}

#[tokio::test]
async fn listing_describing_and_fetching_find_every_mail_whole_and_mark_none() {
    let dovecot = Dovecot::start().await;
    // More than a pipeline's worth of commands, by number and by size.
    let mails: Vec<String> = (1..=300).map(|n| mail(n, if n % 100 == 0 { 1_500_000 } else { n })).collect();
    dovecot.append(&mails.iter().map(String::as_str).collect::<Vec<_>>(), None).await;
    dovecot.append(&["Subject: read\r\n\r\nread\r\n"], Some("(\\Seen)")).await;

    let mut session = open(dovecot.settings(ImapSecurity::Plain)).await;
    let opened = session.opened();
    assert_eq!((opened.uid_next, opened.exists), (302, 301));
    assert!(opened.validity > 0);
    let all = session.list(&ALL).await.unwrap();
    assert_eq!(uids(&all), (1..=301).collect::<Vec<_>>());
    assert_eq!(uids(&session.list(&UNREAD).await.unwrap()), (1..=300).collect::<Vec<_>>());
    let newer = session.list(&ListScope { above: 299, unseen: false, since: None }).await.unwrap();
    assert_eq!(uids(&newer), [300, 301]);
    assert!(newer[1].detail.unwrap().seen && !newer[0].detail.unwrap().seen);
    let none = session.list(&ListScope { above: 301, unseen: false, since: None }).await.unwrap();
    assert_eq!(uids(&none), Vec::<u64>::new(), "not the last one either");
    let since = newer[0].detail.unwrap().arrived_at;
    let dated = session.list(&ListScope { above: 5_000, unseen: true, since }).await.unwrap();
    assert_eq!(dated.len(), 301, "those that arrived today, read or not");

    let described = session.describe(&all).await.unwrap();
    assert_eq!(described.len(), 301);
    let mut want: Vec<LoadRequest> = described
        .iter()
        .map(|mail| wanted(mail.uid, mail.detail.unwrap().size, LoadPart::Full))
        .filter(|mail| mail.uid != 301)
        .collect();
    assert!(
        want.iter()
            .all(|w| w.size == u64::try_from(mails[w.item.parse::<usize>().unwrap() - 1].len()).unwrap())
    );
    want.push(wanted(301, 9_000_000, LoadPart::Header));
    want.push(wanted(777, 10, LoadPart::Full));
    let bodies = fetch(&mut session, &want).await;
    assert_eq!(bodies.len(), 302);
    for (uid, body) in bodies {
        match body {
            LoadedBody::Loaded(Source::Full(bytes)) => {
                assert_eq!(bytes, mails[usize::try_from(uid).unwrap() - 1].as_bytes(), "uid {uid}");
            }
            LoadedBody::Loaded(Source::HeaderOnly { header, size }) => {
                assert_eq!((uid, size, &header[..]), (301, 9_000_000, &b"Subject: read\r\n\r\n"[..]));
            }
            LoadedBody::Loaded(Source::Pushed(_)) => panic!("uid {uid} was pushed"),
            LoadedBody::Gone => assert_eq!(uid, 777),
            LoadedBody::Unloadable(why) => panic!("uid {uid}: {why}"),
        }
    }
    assert_eq!(dovecot.search("UNSEEN").await.len(), 300, "peeking marks nothing");
    session.close().await;
}

#[tokio::test]
async fn a_fetch_that_is_given_up_leaves_the_session_usable() {
    let dovecot = Dovecot::start().await;
    let mails: Vec<String> = (1..=200).map(|n| mail(n, 10_000)).collect();
    dovecot.append(&mails.iter().map(String::as_str).collect::<Vec<_>>(), None).await;
    let mut session = open(dovecot.settings(ImapSecurity::Plain)).await;
    let want: Vec<LoadRequest> = (1..=200).map(|uid| wanted(uid, 10_000, LoadPart::Full)).collect();
    let (sink, mut taken) = Sink::new(Arc::new(Semaphore::new(BUDGET)));
    let first = tokio::select! {
        done = session.fetch(&want, sink) => panic!("it went through: {done:?}"),
        first = taken.recv() => first,
    };
    assert!(first.is_some());
    drop(taken);
    session.mark_seen(&["200".to_owned(), "7".to_owned()]).await.unwrap();
    assert_eq!(dovecot.search("SEEN").await, [7, 200]);
    assert_eq!(fetch(&mut session, &want[..2]).await.len(), 2);
}

#[tokio::test]
async fn idle_tells_of_new_mails_and_goes_on_after_being_cut_short() {
    let dovecot = Dovecot::start().await;
    let mut session = open(dovecot.settings(ImapSecurity::Tls)).await;
    assert_eq!(session.list(&ALL).await.unwrap(), []);
    assert_eq!(session.wait(Duration::from_millis(200)).await.unwrap(), Wake::Elapsed);
    // Cut short at every stage of beginning an IDLE, and with a command in between.
    for pause in [0, 1, 2, 5, 50] {
        assert!(timeout(Duration::from_millis(pause), session.wait(Duration::from_secs(60))).await.is_err());
        if pause > 1 {
            session.mark_seen(&["1".to_owned()]).await.unwrap();
        }
    }
    let (wake, ()) =
        tokio::join!(session.wait(Duration::from_secs(30)), dovecot.append(&["Subject: a\r\n\r\n"], None));
    assert_eq!(wake.unwrap(), Wake::Changed);
    // Until it is listed, the news stays news.
    assert_eq!(session.wait(Duration::from_secs(30)).await.unwrap(), Wake::Changed);
    let newer = session.list(&ListScope { above: 0, unseen: false, since: None }).await.unwrap();
    assert_eq!(uids(&newer), [1]);
    session.mark_seen(&["1".to_owned(), "99".to_owned()]).await.unwrap();
    assert_eq!(dovecot.search("SEEN").await, [1]);
    assert_eq!(session.wait(Duration::from_millis(300)).await.unwrap(), Wake::Elapsed);
    dovecot.expunge("1").await;
    let (wake, ()) =
        tokio::join!(session.wait(Duration::from_secs(30)), dovecot.append(&["Subject: b\r\n\r\n"], None));
    assert_eq!(wake.unwrap(), Wake::Changed, "as many mails as before, and one of them new");
    assert_eq!(uids(&session.list(&ALL).await.unwrap()), [2]);
    session.close().await;
}

#[tokio::test]
async fn idle_is_renewed() {
    let dovecot = Dovecot::start().await;
    let settings =
        ImapSettings { idle_refresh: Duration::from_millis(50), ..dovecot.settings(ImapSecurity::Plain) };
    let mut session = open(settings).await;
    session.list(&ALL).await.unwrap();
    assert_eq!(session.wait(Duration::from_millis(500)).await.unwrap(), Wake::Elapsed);
    let (wake, ()) =
        tokio::join!(session.wait(Duration::from_secs(30)), dovecot.append(&["Subject: a\r\n\r\n"], None));
    assert_eq!(wake.unwrap(), Wake::Changed);
}

#[tokio::test]
async fn tls_and_starttls_check_the_certificate_against_the_given_authority() {
    let dovecot = Dovecot::start().await;
    dovecot.append(&["Subject: a\r\n\r\n"], None).await;
    for security in [ImapSecurity::Tls, ImapSecurity::StartTls] {
        let mut session = open(dovecot.settings(security)).await;
        assert_eq!(uids(&session.list(&ALL).await.unwrap()), [1]);
        session.close().await;

        let unknown = refused(ImapSettings { ca_file: None, ..dovecot.settings(security) }).await;
        assert!(
            matches!(&unknown, SourceError::Unreachable(why) if why.contains("UnknownIssuer")),
            "{unknown}"
        );
        let other = ImapSettings { host: "127.0.0.1".to_owned(), ..dovecot.settings(security) };
        let other = refused(other).await;
        assert!(matches!(&other, SourceError::Unreachable(why) if why.contains("not valid for")), "{other}");
        let missing = ImapSettings { ca_file: Some("/nonexistent.pem".into()), ..dovecot.settings(security) };
        let missing = refused(missing).await;
        assert!(
            matches!(&missing, SourceError::Settings(why) if why.contains("/nonexistent.pem")),
            "{missing}"
        );
    }
}

#[tokio::test]
async fn without_tls_only_loopback_is_accepted() {
    let dovecot = Dovecot::start().await;
    let outside = ImapSettings { host: "192.0.2.1".to_owned(), ..dovecot.settings(ImapSecurity::Plain) };
    let error = refused(outside).await;
    assert!(matches!(&error, SourceError::Settings(why) if why.contains("loopback only")), "{error}");
}

#[tokio::test]
async fn a_wrong_password_and_a_missing_mailbox_are_named_and_no_secret_is_told() {
    let dovecot = Dovecot::start().await;
    let wrong = ImapLogin::Password(SecretString::from("falsch-1234"));
    let source = ImapSource::new(dovecot.settings(ImapSecurity::Plain), wrong);
    let Err(error) = source.connect().await else { panic!("it connected") };
    assert!(matches!(&error, SourceError::Refused(why) if why.contains("me@example.fr")), "{error}");
    assert!(!error.to_string().contains("falsch-1234"));
    let error =
        refused(ImapSettings { mailbox: "Nirgendwo".to_owned(), ..dovecot.settings(ImapSecurity::Plain) })
            .await;
    assert!(error.to_string().contains("Nirgendwo"), "{error}");
    let shown = format!("{:?}", ImapSource::new(dovecot.settings(ImapSecurity::Tls), login()));
    assert!(!shown.contains("asse"), "{shown}");
}

#[tokio::test]
async fn a_killed_server_fails_the_session_and_a_restarted_one_is_reached() {
    let mut dovecot = Dovecot::start().await;
    let mut session = open(dovecot.settings(ImapSecurity::Plain)).await;
    session.list(&ALL).await.unwrap();
    assert!(timeout(Duration::from_millis(50), session.wait(Duration::from_secs(60))).await.is_err());
    dovecot.kill();
    let error = session.wait(Duration::from_secs(60)).await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable(_)), "{error}");
    assert!(session.list(&ALL).await.is_err(), "it stays broken");
    let error = refused(dovecot.settings(ImapSecurity::Plain)).await;
    assert!(matches!(&error, SourceError::Unreachable(why) if why.contains("localhost")), "{error}");
    dovecot.restart().await;
    let mut session = open(dovecot.settings(ImapSecurity::Plain)).await;
    session.list(&ALL).await.unwrap();
}
