//! Mails that a worker dies of when it reads them for the first time.

use super::support::{Rig, pass};
use crate::messages::Source;

/// The mails that were handed over, in order, as they were.
fn handed_over(rig: &Rig) -> Vec<(String, bool)> {
    let asked = rig.asked.lock().unwrap();
    let told = asked.iter().map(|admit| match &admit.source {
        Source::Full(bytes) | Source::HeaderOnly { header: bytes, .. } => {
            (String::from_utf8(bytes.to_vec()).unwrap(), admit.deadly)
        }
        Source::Pushed(_) => panic!("not from a mailbox"),
    });
    told.collect()
}

#[actix_rt::test]
async fn a_mail_that_pollers_die_of_stops_no_other_and_is_put_aside_unread() {
    let rig = Rig::start();
    rig.answers.lock().unwrap().hangs = Some("deadly".to_owned());
    for text in ["one", "deadly", "two"] {
        rig.mailbox.arrive(text);
    }
    rig.grant().await;
    pass(1.0).await;
    assert_eq!(rig.count("mailbox.suspected").await, 0, "nobody has died so far");
    // What came in before it was admitted; what comes behind it waits while it is read alone.
    for deaths in 1..=4 {
        rig.mailbox.arrive(&format!("after {deaths}"));
        rig.take_over().await;
        pass(1.0).await;
        let read = handed_over(&rig).iter().filter(|(text, unread)| text == "deadly" && !unread).count();
        assert_eq!(read, 1 + usize::min(deaths, 3), "deaths: {deaths}");
    }
    assert_eq!(handed_over(&rig).iter().filter(|(_, unread)| *unread).count(), 1);
    let mut received = rig.received().await;
    received.sort();
    assert_eq!(received, ["after_1", "after_2", "after_3", "after_4", "deadly", "one", "two"]);
    assert_eq!(rig.count("mailbox.cleared").await, 1, "the last one that was read");
}

#[actix_rt::test]
async fn after_a_death_mails_are_read_one_by_one_until_all_that_waited_are_read() {
    let rig = Rig::start();
    for number in 0..20 {
        rig.mailbox.arrive(&format!("mail {number}"));
    }
    rig.answers.lock().unwrap().takes = std::time::Duration::from_millis(50);
    rig.take_over().await;
    pass(5.0).await;
    let most = || rig.most.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!((rig.received().await.len(), most()), (20, 1));
    assert_eq!((rig.count("mailbox.suspected").await, rig.count("mailbox.cleared").await), (20, 1));
    for number in 20..40 {
        rig.mailbox.arrive(&format!("mail {number}"));
    }
    pass(5.0).await;
    assert_eq!(rig.received().await.len(), 40);
    assert!(most() > 1, "side by side again");
    assert_eq!(rig.count("mailbox.suspected").await, 20);
}

#[actix_rt::test]
async fn a_poller_that_stops_in_order_leaves_no_suspect() {
    let rig = Rig::start();
    rig.mailbox.arrive("slow");
    rig.answers.lock().unwrap().takes = std::time::Duration::from_secs(2);
    rig.take_over().await;
    pass(1.0).await;
    assert_eq!((rig.count("mailbox.suspected").await, rig.count("mailbox.cleared").await), (1, 0));
    rig.drain().await;
    assert_eq!(rig.count("mailbox.cleared").await, 1);
}
