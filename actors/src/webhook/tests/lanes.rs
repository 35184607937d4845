//! What is left in the lanes after the journal has lost commits.

use uuid::Uuid;

use super::super::breaker::TargetState;
use super::super::lanes::{ClaimPlan, Lanes, Moment, Row, Signal, Step, Trial};
use super::*;

pub(super) fn row(n: usize, now: DateTime<Utc>) -> Row {
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
        mode: crate::mail::policy::DeliveryMode::Json,
        window: InWindow::Free,
        again: false,
    };
    let claimed_until = now + chrono::TimeDelta::seconds(60);
    Row {
        key: format!("m{n}/default"),
        claim: Uuid::nil(),
        claimed_until,
        meta,
        body: None,
        held: crate::kernel::load::Held::default(),
    }
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
    let moment =
        Moment { now, paused: false, open: true, rate_limit: 3, needs: chrono::TimeDelta::seconds(1) };
    let plan = ClaimPlan { limit: 4, default: 4, per_partition: HashMap::new() };
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
        lanes.answered("default", Trial::default(), Signal::Delivered, Duration::from_millis(5), now);
    }
    let steps = lanes.pump(&moment);
    assert!(
        matches!(&steps[..], [Step::Start { row, .. }, Step::Limit { row: limited, limit: 3, .. }]
            if row.key == "m2/default" && limited.key == "m3/default"),
        "{steps:?}"
    );
}

#[test]
fn while_the_window_is_closed_what_is_bound_to_it_waits_and_the_others_go() {
    let now = chrono::Utc.with_ymd_and_hms(2026, 3, 2, 12, 0, 0).unwrap();
    let limits = Limits { per_target: 2, ..Limits::default() };
    let mut lanes = Lanes::new(limits, HashMap::new());
    let open = Moment { now, paused: false, open: true, rate_limit: 4, needs: chrono::TimeDelta::seconds(1) };
    let closed = Moment { open: false, ..open };
    let rows = (0..8).map(|n| {
        let mut row = row(n, now);
        row.meta.window = if n % 2 == 0 { InWindow::Bound } else { InWindow::Free };
        row
    });
    let plan = ClaimPlan { limit: 8, default: 8, per_partition: HashMap::new() };
    lanes.claimed(&plan, rows.collect());
    // Even before anything else is known of the target.
    let bound = |steps: &[Step]| -> Vec<String> {
        let awaiting = steps.iter().filter_map(|step| match step {
            Step::AwaitWindow(row) => Some(row.key.clone()),
            _ => None,
        });
        awaiting.collect()
    };
    let steps = lanes.pump(&closed);
    assert_eq!(bound(&steps), ["m0/default", "m2/default", "m4/default", "m6/default"]);
    assert_eq!(steps.len(), 4);
    lanes.errands();
    lanes.target_read("default", TargetState::default());
    assert_eq!(started(lanes.pump(&closed)), ["m1/default", "m3/default"]);
    // It is open again. What waited took no place of the hour, and no turn.
    lanes.claimed(&plan, vec![row(0, now), row(2, now)]);
    for _ in 0..2 {
        lanes.answered("default", Trial::default(), Signal::Delivered, Duration::from_millis(5), now);
    }
    assert_eq!(started(lanes.pump(&open)), ["m5/default", "m7/default"]);
    lanes.abandoned("default", Trial::default());
    let steps = lanes.pump(&open);
    assert!(matches!(&steps[..], [Step::Limit { .. }, Step::Limit { .. }]), "{steps:?}");
}
