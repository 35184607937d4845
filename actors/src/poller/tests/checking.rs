//! Somebody wants the mailbox looked at now.

use std::sync::Arc;

use super::support::{NAME, NoFaults, Rig, pass};
use crate::kernel::said::Said;
use crate::poller::check;

async fn wish(rig: &Rig) {
    check::request(rig.journal.as_ref(), &rig.world, NAME, "session:admin").await.unwrap();
}

#[actix_rt::test]
async fn a_wish_is_answered_by_a_sweep_at_once_and_by_one_only() {
    let rig = Rig::start_with(Arc::new(NoFaults), |mailbox| mailbox.server().silent = true);
    rig.grant().await;
    pass(2.0).await;
    rig.mailbox.arrive("unannounced");
    pass(2.0).await;
    assert!(rig.received().await.is_empty(), "nobody said a word, and the interval is longer");
    wish(&rig).await;
    wish(&rig).await;
    pass(2.0).await;
    assert_eq!(rig.received().await, ["unannounced"]);
    assert_eq!(rig.count("check.requested").await, 2);
    rig.mailbox.arrive("later");
    pass(3.0).await;
    assert_eq!(rig.received().await.len(), 1, "a wish is not for ever");
}

#[actix_rt::test]
async fn outside_of_the_schedule_a_wish_is_worth_one_visit() {
    let rig = Rig::start();
    rig.set_policy(|policy| policy.schedule.enabled = false).await;
    rig.grant().await;
    rig.mailbox.arrive("waiting");
    pass(3.0).await;
    assert!(rig.received().await.is_empty());
    wish(&rig).await;
    pass(3.0).await;
    assert_eq!(rig.received().await, ["waiting"]);
    assert_eq!(rig.status().await.phase, "inactive");
    rig.mailbox.arrive("next day");
    pass(100.0).await;
    assert_eq!((rig.received().await.len(), rig.mailbox.server().connects.len()), (1, 1));
    // While nobody knows whose mails count, none is fetched, whoever asks.
    rig.set_policy(|policy| policy.withheld.polling = vec![Said::alike("polling_config: no date")]).await;
    wish(&rig).await;
    pass(3.0).await;
    assert_eq!(rig.received().await.len(), 1);
}

#[actix_rt::test]
async fn a_wish_ends_the_pause_after_a_failure() {
    let rig = Rig::start_with(Arc::new(NoFaults), |mailbox| mailbox.server().down = true);
    rig.grant().await;
    pass(200.0).await;
    rig.mailbox.server().down = false;
    rig.mailbox.arrive("waiting");
    wish(&rig).await;
    pass(2.0).await;
    assert_eq!(rig.received().await, ["waiting"]);
}

#[actix_rt::test]
async fn a_wish_is_answered_though_polling_is_switched_off_meanwhile() {
    let rig = Rig::start_with(Arc::new(NoFaults), |mailbox| mailbox.server().silent = true);
    rig.grant().await;
    pass(2.0).await;
    rig.mailbox.arrive("unannounced");
    // The list of mails is being waited for when the schedule changes.
    rig.mailbox.server().hangs = true;
    wish(&rig).await;
    pass(2.0).await;
    rig.set_policy(|policy| policy.schedule.enabled = false).await;
    pass(1.0).await;
    rig.mailbox.server().hangs = false;
    pass(3.0).await;
    assert_eq!(rig.received().await, ["unannounced"]);
    assert_eq!(rig.status().await.phase, "inactive");
    rig.mailbox.arrive("later");
    pass(100.0).await;
    assert_eq!((rig.received().await.len(), rig.mailbox.server().connects.len()), (1, 2), "by one visit");
}

#[actix_rt::test]
async fn a_wish_that_ended_a_pause_is_answered_though_polling_is_switched_off_meanwhile() {
    let rig = Rig::start_with(Arc::new(NoFaults), |mailbox| mailbox.server().down = true);
    rig.grant().await;
    pass(200.0).await;
    rig.mailbox.arrive("waiting");
    // So does the connection.
    rig.mailbox.server().hangs = true;
    wish(&rig).await;
    pass(2.0).await;
    rig.set_policy(|policy| policy.schedule.enabled = false).await;
    pass(1.0).await;
    rig.mailbox.server().down = false;
    rig.mailbox.server().hangs = false;
    pass(3.0).await;
    assert_eq!(rig.received().await, ["waiting"]);
    assert_eq!(rig.status().await.phase, "inactive");
}

#[actix_rt::test]
async fn whoever_has_no_lease_leaves_a_wish_to_whoever_has() {
    let rig = Rig::start();
    rig.mailbox.arrive("waiting");
    wish(&rig).await;
    pass(3.0).await;
    assert!(rig.received().await.is_empty() && rig.mailbox.server().connects.is_empty());
}
