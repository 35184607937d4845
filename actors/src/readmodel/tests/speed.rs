//! How long lists and counts take where a journal has been written for years. It prints, and is run
//! by hand: `cargo test -p render-signal-actors --lib -- --ignored --nocapture years_of_mails`.

use std::time::Instant;

use super::*;
use crate::readmodel::queries::Fate;

/// Mails of the journal, and over how many days they came.
const MAILS: u64 = 100_000;
const DAYS: u64 = 730;

/// A journal of that size: six of ten mails are ignored, the others are routed and delivered, one of
/// ten to a second target; a third target had five mails, all of them long ago.
fn years() -> Log {
    let mut log = Log::new();
    let step = i64::try_from(DAYS * 86_400 / MAILS).expect("small");
    log.db.execute_batch("BEGIN").expect("a transaction");
    let began = Instant::now();
    for number in 0..MAILS {
        let id = format!("{number:032x}");
        log.at = start() + TimeDelta::seconds(step * i64::try_from(number).expect("small"));
        log.received(&id, number);
        let targets: &[&str] = match number % 10 {
            0..6 => {
                let reason =
                    ["reply", "no_links", "sender_not_allowed"][usize::try_from(number % 3).expect("small")];
                log.add(
                    &format!("mail-{id}"),
                    "mail.ignored",
                    json!({ "reason": reason, "configuration": null }),
                );
                log.events.clear();
                continue;
            }
            6..9 => &["default"],
            _ if number < MAILS / 20 && number % 1_000 == 9 => &["rare"],
            _ => &["default", "second"],
        };
        log.routed(&id, targets);
        for target in targets {
            log.attempted(&id, target, 1, None);
            log.of_delivery(&id, target, "delivery.succeeded", &json!({ "status": 200, "attempts": 1 }));
            log.settled(&id, target, "delivered");
        }
        log.events.clear();
    }
    log.db.execute_batch("COMMIT").expect("a commit");
    println!("{:>8.1} µs a mail to take in", began.elapsed().as_secs_f64() * 1e6 / MAILS as f64);
    log
}

/// What it costs to read the events of a mail that is routed and delivered, which all read models
/// share.
#[test]
#[ignore = "it prints how long things take"]
fn events_of_a_mail() {
    let mut log = Log::new();
    log.received("a", 1).routed("a", &["default"]).attempted("a", "default", 1, None);
    log.of_delivery("a", "default", "delivery.succeeded", &json!({ "status": 200, "attempts": 1 }));
    log.settled("a", "default", "delivered");
    let began = Instant::now();
    for _ in 0..MAILS {
        for event in &log.events {
            assert!(std::hint::black_box(registry::TypedEvent::of(event)).is_ok());
        }
    }
    println!("{:>8.2} µs a mail to read its events", began.elapsed().as_secs_f64() * 1e6 / MAILS as f64);
}

fn timed<T>(what: &str, ask: impl Fn() -> T) {
    drop(ask());
    let mut best = f64::MAX;
    for _ in 0..5 {
        let began = Instant::now();
        drop(ask());
        best = best.min(began.elapsed().as_secs_f64() * 1e3);
    }
    println!("{best:>8.2} ms  {what}");
}

#[test]
#[ignore = "it prints how long things take"]
fn years_of_mails() {
    let log = years();
    let db = &log.db;
    let page = MailFilter { limit: 51, ..MailFilter::default() };
    let target = |name: &str| MailFilter { target: Some(name.to_owned()), ..page.clone() };
    let day = |number: u64| start() + TimeDelta::days(i64::try_from(number).expect("small"));
    let filters = [
        ("nothing", page.clone()),
        ("target of almost all", target("default")),
        ("target of five", target("rare")),
        ("a week long ago", MailFilter { since: Some(day(20)), until: Some(day(27)), ..page.clone() }),
        ("until long ago", MailFilter { until: Some(day(27)), ..page.clone() }),
        ("since long ago", MailFilter { since: Some(day(27)), ..page.clone() }),
        ("a day that is just over", MailFilter { since: Some(day(DAYS - 2)), ..page.clone() }),
        ("failed, and there are none", MailFilter { fate: Some(Fate::Failed), ..page.clone() }),
        ("target and week", MailFilter { since: Some(day(20)), until: Some(day(27)), ..target("second") }),
    ];
    for (name, filter) in &filters {
        timed(&format!("a page, {name}"), || queries::mails(db, filter).expect("mails"));
        timed(&format!("counted, {name}"), || queries::count_matches(db, filter, 10_000).expect("count"));
        timed(&format!("fates, {name}"), || queries::count_fates(db, filter).expect("counts"));
    }
    timed("stages", || queries::count_mails(db).expect("counts"));
    timed("stages and reasons", || queries::count_by_reason(db).expect("counts"));
    timed("deliveries by state", || queries::count_deliveries(db).expect("counts"));
    timed("deliveries by target", || queries::count_by_target(db).expect("counts"));
    timed("held", || queries::held_mails(db).expect("held"));
    timed("oldest held", || queries::oldest_held(db).expect("held"));
    timed("open deliveries", || queries::open_deliveries(db).expect("open"));
    timed("oldest open delivery", || queries::oldest_open_delivery(db).expect("open"));
}
