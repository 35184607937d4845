//! The scheduler by itself: what waits after the journal has lost commits, or while the window is
//! closed; and what still counts against the limit then.

use uuid::Uuid;

use super::super::scheduler::{AttemptKind, ClaimPlan, DispatchConditions, Instruction, Scheduler, Signal};
use super::*;

pub(super) fn row(n: usize, now: DateTime<Utc>) -> ClaimedDelivery {
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
    ClaimedDelivery {
        key: format!("m{n}/default"),
        claim: Uuid::nil(),
        claimed_until,
        meta,
        body: None,
        held: crate::kernel::load::Held::default(),
    }
}

pub(super) fn conditions(now: DateTime<Utc>) -> DispatchConditions {
    DispatchConditions { now, paused: false, window_open: true, attempt_takes: chrono::TimeDelta::seconds(1) }
}

pub(super) fn plan(limit: usize) -> ClaimPlan {
    ClaimPlan { limit, default: limit, per_partition: HashMap::new() }
}

impl Scheduler {
    /// Everything that is decided now.
    fn decided(&mut self, conditions: &DispatchConditions) -> Vec<(String, Instruction)> {
        self.advance(conditions)
            .into_iter()
            .map(|(waiting, instruction)| (waiting.key, instruction))
            .collect()
    }

    /// The deliveries that are attempted now; nothing else is decided.
    fn begun(&mut self, conditions: &DispatchConditions) -> Vec<String> {
        let begun = self.decided(conditions).into_iter().map(|(key, instruction)| match instruction {
            Instruction::Attempt(_) => key,
            other => panic!("{other:?}"),
        });
        begun.collect()
    }

    fn one_delivered(&mut self, now: DateTime<Utc>) {
        self.ended("default", AttemptKind::default(), Signal::Delivered, Duration::from_millis(5), now);
    }
}

#[test]
fn rows_that_were_not_begun_are_given_out_and_the_slots_that_are_taken_stay_taken() {
    let now = chrono::Utc.with_ymd_and_hms(2026, 3, 2, 12, 0, 0).unwrap();
    let mut scheduler = Scheduler::new(DeliveryLimits { per_target: 2, ..DeliveryLimits::default() });
    let moment = conditions(now);
    let rows: Vec<_> = (0..4).map(|n| row(n, now)).collect();
    scheduler.claimed(&plan(4), &rows);
    assert_eq!(scheduler.targets_to_sync(), [("default".to_owned(), None)]);
    scheduler.target_read("default", TargetState::default());
    assert_eq!(scheduler.begun(&moment), ["m0/default", "m1/default"]);
    assert!(scheduler.targets_to_sync().is_empty());

    let waiting: Vec<String> = scheduler.forget().into_iter().map(|waiting| waiting.key).collect();
    assert_eq!(waiting, ["m2/default", "m3/default"]);
    assert!(scheduler.forget().is_empty() && !scheduler.wants_more(now));
    assert_eq!(
        scheduler.targets_to_sync(),
        [("default".to_owned(), None)],
        "it is what the journal says now"
    );
    scheduler.target_read("default", TargetState::default());

    // What is claimed anew waits for the slots that are taken.
    scheduler.claimed(&plan(4), &[row(2, now), row(3, now)]);
    assert!(scheduler.begun(&moment).is_empty());
    scheduler.one_delivered(now);
    scheduler.one_delivered(now);
    assert_eq!(scheduler.begun(&moment), ["m2/default", "m3/default"]);
}

#[test]
fn a_scheduler_that_starts_anew_knows_of_nothing_but_the_slots_that_are_taken() {
    let now = chrono::Utc.with_ymd_and_hms(2026, 3, 2, 12, 0, 0).unwrap();
    let mut scheduler = Scheduler::new(DeliveryLimits { per_target: 2, ..DeliveryLimits::default() });
    scheduler.claimed(&plan(3), &[row(0, now), row(1, now), row(2, now)]);
    scheduler.targets_to_sync();
    scheduler.target_read("default", TargetState::default());
    assert_eq!(scheduler.begun(&conditions(now)).len(), 2);

    let waiting: Vec<String> = scheduler.restart().into_iter().map(|waiting| waiting.key).collect();
    assert_eq!((waiting, scheduler.posting()), (vec!["m2/default".to_owned()], 2));
    scheduler.claimed(&plan(3), &[row(2, now)]);
    assert!(scheduler.begun(&conditions(now)).is_empty(), "its target was not read yet");
    assert_eq!(scheduler.targets_to_sync(), [("default".to_owned(), None)]);
    scheduler.target_read("default", TargetState::default());
    assert!(scheduler.begun(&conditions(now)).is_empty(), "both slots are taken");
    scheduler.one_delivered(now);
    assert_eq!(scheduler.begun(&conditions(now)), ["m2/default"]);
    scheduler.one_delivered(now);
    scheduler.one_delivered(now);
    assert_eq!((scheduler.posting(), scheduler.status(now)[0].in_flight), (0, 0));
}

#[test]
fn while_the_window_is_closed_what_is_bound_to_it_waits_and_the_others_go() {
    let now = chrono::Utc.with_ymd_and_hms(2026, 3, 2, 12, 0, 0).unwrap();
    let mut scheduler = Scheduler::new(DeliveryLimits { per_target: 2, ..DeliveryLimits::default() });
    let open = conditions(now);
    let closed = DispatchConditions { window_open: false, ..open };
    let rows = (0..8).map(|n| {
        let mut row = row(n, now);
        row.meta.window = if n % 2 == 0 { InWindow::Bound } else { InWindow::Free };
        row
    });
    let rows: Vec<_> = rows.collect();
    scheduler.claimed(&plan(8), &rows);
    // Even before anything else is known of the target.
    let decided = scheduler.decided(&closed);
    let wanted = ["m0/default", "m2/default", "m4/default", "m6/default"];
    assert_eq!(decided, wanted.map(|key| (key.to_owned(), Instruction::AwaitWindow)));
    scheduler.targets_to_sync();
    scheduler.target_read("default", TargetState::default());
    assert_eq!(scheduler.begun(&closed), ["m1/default", "m3/default"]);
    // It is open again.
    scheduler.claimed(&plan(8), &[row(0, now), row(2, now)]);
    scheduler.one_delivered(now);
    scheduler.one_delivered(now);
    assert_eq!(scheduler.begun(&open), ["m5/default", "m7/default"]);
    scheduler.released("default", AttemptKind::default());
    assert_eq!(scheduler.begun(&open), ["m0/default"]);
}
