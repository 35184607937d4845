//! The task in virtual time, over a journal in memory, a lease that can be taken away and a Make
//! that says what it is told to.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use actix::{Actor, Context, Handler, MessageResult};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio_util::task::AbortOnDropHandle;

use super::control::ScenarioControl;
use super::intent::{Intent, intent};
use super::state::stream;
use super::*;
use crate::chore::ChoreActor;
use crate::kernel::guardian::{Guardian, Restarts};
use crate::kernel::journal::memory::MemoryJournal;
use crate::kernel::port::Port;
use crate::lock::{GetLockStatus, LockStatus};
use crate::mail::policy::{Policy, PolicyCell};
use crate::mail::samples;
use crate::readmodel;

/// Monday, 09:00 in Paris.
fn epoch() -> DateTime<Utc> {
    "2026-03-02T08:00:00Z".parse().unwrap()
}

/// Make, as it stands and as it was asked.
#[derive(Default)]
struct FakeMake {
    running: Mutex<HashMap<u64, bool>>,
    asked: Mutex<Vec<(u64, bool)>>,
    broken: AtomicBool,
}

impl FakeMake {
    fn asked(&self) -> Vec<(u64, bool)> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

#[async_trait]
impl ScenarioApi for FakeMake {
    async fn switch(&self, scenario: &Scenario, running: bool) -> ScenarioAnswer {
        self.asked.lock().unwrap().push((scenario.id, running));
        let ok = !self.broken.load(Ordering::SeqCst);
        if ok {
            self.running.lock().unwrap().insert(scenario.id, running);
        }
        let why = (!ok).then(|| "HTTP 500".to_owned());
        ScenarioAnswer { name: scenario.name.clone(), id: scenario.id, ok, status: Some(200), why }
    }

    async fn is_running(&self, scenario: &Scenario) -> Result<Option<bool>, String> {
        Ok(self.running.lock().unwrap().get(&scenario.id).copied())
    }

    fn shown_address(&self, _: &Scenario, _: bool) -> String {
        String::new()
    }
}

/// Says whether this worker has the lease.
struct LeaseSays(Arc<Mutex<Option<u64>>>);

impl Actor for LeaseSays {
    type Context = Context<Self>;
}

impl Handler<GetLockStatus> for LeaseSays {
    type Result = MessageResult<GetLockStatus>;

    fn handle(&mut self, _: GetLockStatus, _: &mut Context<Self>) -> Self::Result {
        let fence = *self.0.lock().unwrap();
        MessageResult(LockStatus { held: fence.is_some(), fence, ..LockStatus::default() })
    }
}

struct Site {
    world: World,
    journal: Arc<MemoryJournal>,
    policy: PolicyCell,
    lease: Arc<Mutex<Option<u64>>>,
    make: Arc<FakeMake>,
    _guards: AbortOnDropHandle<()>,
}

impl Site {
    async fn start() -> Self {
        tokio::time::pause();
        let world = World::seeded(epoch(), 1);
        let journal = Arc::new(MemoryJournal::new(world.clone(), readmodel::all()));
        let token = journal.raise_fence("poller").await.unwrap();
        let policy: PolicyCell = Arc::new(ArcSwap::from_pointee(samples::policy()));
        let (lease, make) = (Arc::new(Mutex::new(Some(token))), Arc::new(FakeMake::default()));
        let says = LeaseSays(Arc::clone(&lease)).start();
        let scenario = |name: &str, id| Scenario { name: name.to_owned(), id };
        let control = ScenarioControl {
            world: world.clone(),
            journal: Arc::<MemoryJournal>::clone(&journal),
            policy: Arc::clone(&policy),
            lock: Port::new("lock", &says, 1, Duration::from_secs(5)),
            lease: "poller",
            make: ScenarioParts {
                api: Arc::<FakeMake>::clone(&make),
                scenarios: vec![scenario("autorepondeur", 1), scenario("recadrage", 2)],
            },
        };
        let (tell, _) = tokio::sync::mpsc::unbounded_channel();
        let chore = control.chore();
        let (_, guard) = Guardian::start("scenarios", Restarts::default(), world.clone(), tell, |_| {
            ChoreActor::new(chore.clone())
        });
        Self { world, journal, policy, lease, make, _guards: guard }
    }

    fn set(&self, change: impl FnOnce(&mut Policy)) {
        let mut policy = samples::policy();
        change(&mut policy);
        self.policy.store(Arc::new(policy));
    }

    async fn kinds(&self) -> Vec<String> {
        let events = self.journal.read_stream(&stream(), 0).await.unwrap();
        events.into_iter().map(|event| event.kind).collect()
    }
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[test]
fn vacation_polling_and_sending_stop_the_scenarios_and_hours_do_not() {
    let day = |text: &str| text.parse().unwrap();
    type Change = fn(&mut Policy);
    let cases: [(&str, Change, Option<Intent>); 5] = [
        ("as it is", |_| {}, Some(Intent { running: true, why: "active" })),
        ("off", |policy| policy.schedule.enabled = false, Some(Intent { running: false, why: "disabled" })),
        (
            "sending",
            |policy| policy.sending_enabled = false,
            Some(Intent { running: false, why: "sending_disabled" }),
        ),
        (
            "night",
            |policy| (policy.schedule.start_hour, policy.schedule.end_hour) = (20, 21),
            Some(Intent { running: true, why: "active" }),
        ),
        ("unusable", |policy| policy.withheld.polling.push(crate::kernel::said::Said::alike("broken")), None),
    ];
    for (name, change, expected) in cases {
        let mut policy = samples::policy();
        change(&mut policy);
        assert_eq!(intent(&policy, epoch()), expected, "{name}");
    }
    let mut policy = samples::policy();
    policy.schedule.vacation = Some((day("2026-03-02"), day("2026-03-06")));
    assert_eq!(intent(&policy, epoch()), Some(Intent { running: false, why: "vacation" }));
}

#[actix_rt::test]
async fn a_start_switches_nothing_and_a_change_of_the_settings_does() {
    let site = Site::start().await;
    pass(10).await;
    assert_eq!(site.make.asked(), [], "somebody may have stopped them at Make");
    assert_eq!(site.kinds().await, ["scenarios.followed"]);

    site.set(|policy| policy.schedule.enabled = false);
    pass(10).await;
    assert_eq!(site.make.asked(), [(1, false), (2, false)]);
    site.set(|_| {});
    pass(10).await;
    assert_eq!(site.make.asked(), [(1, true), (2, true)]);
    let (requested, confirmed) = ("scenarios.requested", "scenarios.confirmed");
    assert_eq!(site.kinds().await, ["scenarios.followed", requested, confirmed, requested, confirmed]);
}

#[actix_rt::test]
async fn what_make_refuses_is_tried_until_it_agrees_and_said_once() {
    let site = Site::start().await;
    pass(5).await;
    site.make.broken.store(true, Ordering::SeqCst);
    site.set(|policy| policy.sending_enabled = false);
    pass(3_600).await;
    let tries = site.make.asked().len() / 2;
    assert!((4..=20).contains(&tries), "{tries} tries within an hour");
    assert_eq!(site.kinds().await, ["scenarios.followed", "scenarios.requested", "scenarios.refused"]);

    site.make.broken.store(false, Ordering::SeqCst);
    pass(1_200).await;
    assert_eq!(site.kinds().await.last().unwrap(), "scenarios.confirmed");
    assert_eq!(site.make.running.lock().unwrap().clone(), HashMap::from([(1, false), (2, false)]));
    site.make.asked();
    pass(3_600).await;
    assert_eq!(site.make.asked(), [], "it is done");
}

#[actix_rt::test]
async fn only_the_holder_of_the_lease_acts_and_a_former_one_records_nothing() {
    let site = Site::start().await;
    pass(5).await;
    let former = site.lease.lock().unwrap().take();
    site.set(|policy| policy.sending_enabled = false);
    pass(60).await;
    assert_eq!(site.make.asked(), []);

    // Another worker was granted the lease; this one has not heard of it.
    site.journal.raise_fence("poller").await.unwrap();
    *site.lease.lock().unwrap() = former;
    pass(60).await;
    assert_eq!(site.kinds().await, ["scenarios.followed"]);
    assert_eq!(site.make.asked(), [], "what is not recorded is not carried out");
}

#[actix_rt::test]
async fn a_person_is_told_what_make_said_and_overrules_the_settings_until_they_change() {
    let site = Site::start().await;
    pass(5).await;
    let switched = switch(site.journal.as_ref(), &site.world, false, "camille").await.unwrap();
    let Switched::Answered(answers) = switched else { panic!("{switched:?}") };
    assert!(answers.len() == 2 && answers.iter().all(|answer| answer.ok), "{answers:?}");
    site.make.asked();
    pass(600).await;
    assert_eq!(site.make.asked(), [], "the settings say what they said before");

    site.set(|policy| policy.schedule.enabled = false);
    pass(5).await;
    site.make.asked();
    site.set(|_| {});
    pass(5).await;
    assert_eq!(site.make.asked(), [(1, true), (2, true)]);
}

#[actix_rt::test]
async fn a_wish_that_no_worker_takes_up_waits() {
    let site = Site::start().await;
    pass(5).await;
    let held = site.lease.lock().unwrap().take();
    let switched = switch(site.journal.as_ref(), &site.world, false, "camille").await.unwrap();
    assert_eq!(switched, Switched::Waits);
    *site.lease.lock().unwrap() = held;
    pass(5).await;
    assert_eq!(site.make.asked(), [(1, false), (2, false)]);
}
