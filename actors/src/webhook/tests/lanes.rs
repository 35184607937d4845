//! What is left in the lanes after the journal has lost commits.

use uuid::Uuid;

use super::super::breaker::TargetState;
use super::super::lanes::{ClaimPlan, Lanes, Moment, Row, Signal, Step};
use super::*;

fn row(n: usize, now: DateTime<Utc>) -> Row {
    let meta = DeliverMeta {
        email_id: format!("m{n}"),
        target: "default".to_owned(),
        url: target("default").url,
        mail_version: 2,
        siblings: 1,
        locations: Vec::new(),
        attempts: 0,
        first_attempt_at: None,
        delivery_version: 0,
        priority: Priority::Medium,
        notice: false,
    };
    let claimed_until = now + chrono::TimeDelta::seconds(60);
    Row { key: format!("m{n}/default"), claim: Uuid::nil(), claimed_until, meta, body: None }
}

fn started(steps: Vec<Step>) -> Vec<String> {
    steps
        .into_iter()
        .map(|step| match step {
            Step::Start { row, .. } => row.key,
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn rows_that_were_not_begun_are_given_out_and_all_that_was_sent_still_counts() {
    let now = chrono::Utc.with_ymd_and_hms(2026, 3, 2, 12, 0, 0).unwrap();
    let limits = Limits { per_target: 2, ..Limits::default() };
    let mut lanes = Lanes::new(limits, HashMap::new());
    let moment = Moment { now, paused: false, rate_limit: 3, needs: chrono::TimeDelta::seconds(1) };
    let plan = ClaimPlan { limit: 4, default: 4, per_target: HashMap::new() };
    lanes.claimed(&plan, (0..4).map(|n| row(n, now)).collect());
    assert_eq!(lanes.errands(), [("default".to_owned(), None)]);
    lanes.target_read("default", TargetState::default());
    assert_eq!(started(lanes.pump(&moment)), ["m0/default", "m1/default"]);
    assert!(lanes.errands().is_empty());

    let waiting: Vec<String> = lanes.forget().into_iter().map(|row| row.key).collect();
    assert_eq!(waiting, ["m2/default", "m3/default"]);
    assert!(lanes.forget().is_empty() && !lanes.hungry(now));
    assert_eq!(lanes.errands(), [("default".to_owned(), None)], "it is what the journal says now");
    lanes.target_read("default", TargetState::default());

    // What is claimed anew waits for the slots that are taken, and for the limit.
    lanes.claimed(&plan, (2..4).map(|n| row(n, now)).collect());
    assert!(lanes.pump(&moment).is_empty());
    for _ in 0..2 {
        lanes.answered("default", false, Signal::Delivered, Duration::from_millis(5));
    }
    let steps = lanes.pump(&moment);
    assert!(
        matches!(&steps[..], [Step::Start { row, .. }, Step::Limit { row: limited, limit: 3, .. }]
            if row.key == "m2/default" && limited.key == "m3/default"),
        "{steps:?}"
    );
}
