//! One receiver that hangs costs only itself.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Answer, PATIENCE, Site, TestMail, checks, mails, until};

/// Targets 1 to 9 answer, target 0 will hang.
const HUNG: usize = 0;
const FAST: std::ops::Range<usize> = 1..10;
const MAILS_PER_TARGET: usize = 12;
const ROUNDS: usize = 2;
/// How much slower the worst round beside a hung receiver may be than without: generous,
/// as the machine is shared, and far below what waiting for one time-out would cost.
const FACTOR: u32 = 4;

fn rules(site: &Site) -> Value {
    let rule = |target: usize| {
        json!({
            "id": format!("cible-{target}"),
            "name": format!("Cible {target}"),
            "conditions": [{ "field": "subject", "operator": "contains", "value": format!("cible-{target}") }],
            "actions": { "webhook_url": site.receiver.url(&path(target)), "stop_processing": true },
        })
    };
    json!({ "rules": (0..10).map(rule).collect::<Vec<_>>() })
}

fn path(target: usize) -> String {
    format!("/target/{target}")
}

/// The slowest percent of the times from the arrival of `mails` to their webhooks.
async fn p99(site: &Site, mails: &[TestMail], others: &[TestMail]) -> Duration {
    let mixed: Vec<_> = interleave(mails, others);
    let first = site.receiver.count();
    site.dovecot.deliver_at_once(&mixed).await;
    let arrived = Instant::now();
    until("the webhooks of the fast targets", PATIENCE, async || checks::all_accepted(&site.receiver, mails))
        .await;
    let mut times: Vec<_> = site.receiver.deliveries()[first..]
        .iter()
        .filter(|delivery| delivery.path != path(HUNG))
        .map(|delivery| delivery.at.saturating_duration_since(arrived))
        .collect();
    times.sort_unstable();
    times[(times.len() * 99).div_ceil(100) - 1]
}

fn interleave(mails: &[TestMail], others: &[TestMail]) -> Vec<TestMail> {
    let mut others = others.iter().cloned();
    let mut mixed = Vec::new();
    for mail in mails {
        mixed.extend(others.next());
        mixed.push(mail.clone());
    }
    mixed.extend(others);
    mixed
}

fn batch() -> Vec<TestMail> {
    (0..MAILS_PER_TARGET).flat_map(|_| FAST.map(mails::for_target)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nine_fast_receivers_do_not_notice_a_hung_one() {
    let site = Site::start().await;
    site.configure("routing_rules", &rules(&site));
    let mut worker = site.worker("worker");
    worker.start().await;
    let mut all = Vec::new();

    // The first batch warms everything up and is not counted.
    let mut alone = Vec::new();
    for round in 0..=ROUNDS {
        let mails = batch();
        let time = p99(&site, &mails, &[]).await;
        if round > 0 {
            alone.push(time);
        }
        all.extend(mails);
    }

    site.receiver.always(&path(HUNG), Answer::Hang);
    let mut beside = Vec::new();
    let mut stuck = Vec::new();
    for _ in 0..ROUNDS {
        let mails = batch();
        let hung: Vec<_> = (0..MAILS_PER_TARGET * 2).map(|_| mails::for_target(HUNG)).collect();
        beside.push(p99(&site, &mails, &hung).await);
        all.extend(mails);
        stuck.extend(hung);
    }
    eprintln!("p99 of the nine: {alone:.0?} alone, {beside:.0?} beside a hung one");
    let (alone, beside) =
        (alone.into_iter().max().expect("rounds"), beside.into_iter().min().expect("rounds"));
    assert!(beside <= alone * FACTOR, "p99 {beside:.0?} beside a hung receiver, {alone:.0?} without");
    let accepted = site.receiver.accepted();
    assert!(stuck.iter().all(|mail| !accepted.contains_key(&mail.mark)), "the hung one hung all the time");

    // And it loses nothing itself.
    site.receiver.always(&path(HUNG), Answer::Ok);
    site.receiver.release();
    all.extend(stuck);
    until("the webhooks of the one that hung", PATIENCE, async || checks::all_accepted(&site.receiver, &all))
        .await;
    site.until_all_seen(all.len()).await;
    checks::assert_each_exactly_once(&site.receiver, &all);
    worker.stop().await;
}
