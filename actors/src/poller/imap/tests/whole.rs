//! The poller on a real Dovecot, in real time.

use std::time::Duration;

use super::dovecot::{Dovecot, login};
use crate::poller::imap::{ImapSecurity, ImapSource};
use crate::poller::tests::support::{Rig, until};

#[actix_rt::test]
async fn mails_are_taken_in_marked_and_found_again_after_the_server_was_killed() {
    let mut dovecot = Dovecot::start().await;
    let mails: Vec<String> = (0..300).map(|n| format!("backlog {n}\r\n")).collect();
    dovecot.append(&mails.iter().map(String::as_str).collect::<Vec<_>>(), None).await;
    let rig = Rig::start_on(ImapSource::new(dovecot.settings(ImapSecurity::Tls), login()));
    rig.answers.lock().unwrap().flags = true;
    rig.grant().await;
    until(async || rig.received().await.len() == 300).await;
    until(async || dovecot.search("UNSEEN").await.is_empty()).await;
    // The server has the flag before the journal knows.
    until(async || rig.flag_rows().await == 0).await;

    dovecot.append(&["pushed\r\n"], None).await;
    until(async || rig.received().await.len() == 301).await;

    dovecot.kill();
    until(async || rig.status().await.phase == "waiting").await;
    dovecot.restart().await;
    dovecot.append(&["after the crash\r\n"], None).await;
    until(async || rig.received().await.len() == 302).await;
    until(async || dovecot.search("UNSEEN").await.is_empty()).await;
    assert_eq!(rig.asked.lock().unwrap().len(), 302, "each mail's bytes once");
    tokio::time::timeout(Duration::from_secs(10), rig.drain()).await.unwrap();
}
