//! The actor on the journal in memory, in virtual time, with receivers that do as told.

mod limits;
mod local_faults;
mod preferences;
mod restarts;
mod scheduling;
mod stubborn;
mod waits;
mod weights;
mod words;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, TimeZone as _, Utc};
use reqwest::header::HeaderMap;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::claimed::ClaimedDelivery;
use super::dead_letters::{RetryError, Undelivered};
use super::events::{DeliveryCounted, RateEvent, delivery_stream, rate_stream, target_stream};
use super::port::Outgoing;
use super::status::WebhookStatus;
use super::target::breaker::{TargetCommand, TargetState};
use super::target::{address, carry_out, enable_target};
use super::*;
use crate::egress::{Answer, SendError};
use crate::kernel::event::{DomainEvent as _, StreamId};
use crate::kernel::guardian::{Guardian, Restarts};
use crate::kernel::journal::JournalAdmin as _;
use crate::kernel::journal::memory::{Fault, FaultPoint, Faults, MemoryJournal};
use crate::kernel::journal::{
    Body, ClaimRequest, Claimed, Commit, Due, Expected, OutboxAdd, OutboxRow, Queue, StreamWrite,
};
use crate::kernel::port::Port;
use crate::mail::life::{
    Location, MailDuplicated, MailEvent, MailReceived, MailRouted, RoutedDelivery, mail_stream,
};
use crate::mail::outbox_rows::{self, DeliverMeta, InWindow};
use crate::mail::policy::{Ordering as Order, Policy, Priority, Target};
use crate::mail::samples;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn target(id: &str) -> Target {
    Target {
        id: id.to_owned(),
        url: format!("https://{id}.example/secret"),
        ordering: Order::None,
        share: crate::mail::policy::Share::All,
    }
}

fn policy() -> Policy {
    Policy { default_target: target("default"), ..samples::policy() }
}

/// What a receiver does with one post.
#[derive(Clone, Copy)]
enum Does {
    Answers(u16),
    AnswersAfter(u16, u64),
    Hangs,
    Panics,
    /// The guard lets nothing go there.
    Refused,
    CannotConnect,
}

struct Post {
    at: Instant,
    id: String,
    request: Outgoing,
}

/// Receivers by host; without a script they answer 200 after a millisecond.
#[derive(Default)]
struct Receivers {
    scripts: Mutex<HashMap<String, VecDeque<Does>>>,
    always: Mutex<HashMap<String, Does>>,
    /// By `webhook-id`: these mails get this whatever the receiver does else.
    mails: Mutex<HashMap<String, Does>>,
    posts: Mutex<Vec<Post>>,
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Receivers {
    fn script(&self, host: &str, does: impl IntoIterator<Item = Does>) {
        self.scripts.lock().unwrap().insert(host.to_owned(), does.into_iter().collect());
    }
    fn always(&self, host: &str, does: Does) {
        self.always.lock().unwrap().insert(host.to_owned(), does);
    }
    fn ids(&self) -> Vec<String> {
        self.posts.lock().unwrap().iter().map(|post| post.id.clone()).collect()
    }
    fn count(&self) -> usize {
        self.posts.lock().unwrap().len()
    }
    fn next(&self, host: &str, id: &str) -> Does {
        if let Some(does) = self.mails.lock().unwrap().get(id) {
            return *does;
        }
        if let Some(does) = self.scripts.lock().unwrap().get_mut(host).and_then(VecDeque::pop_front) {
            return does;
        }
        self.always.lock().unwrap().get(host).copied().unwrap_or(Does::AnswersAfter(200, 1))
    }
}

#[async_trait]
impl Receiver for Receivers {
    async fn post(&self, request: Outgoing) -> Result<Answer, SendError> {
        let host = request.url.host_str().unwrap().to_owned();
        let id = request.headers["webhook-id"].to_str().unwrap().to_owned();
        let (timeout, does) = (request.timeout, self.next(&host, &id));
        self.posts.lock().unwrap().push(Post { at: Instant::now(), id, request });
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let done = match does {
            Does::Answers(status) => Ok(status),
            Does::AnswersAfter(status, millis) => {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                Ok(status)
            }
            Does::Hangs => {
                tokio::time::sleep(timeout).await;
                Err(SendError::Timeout)
            }
            Does::Panics => panic!("broken on purpose"),
            Does::Refused => Err(SendError::Refused("not there".to_owned())),
            Does::CannotConnect => Err(SendError::Local("too many open files".to_owned())),
        };
        self.now.fetch_sub(1, Ordering::SeqCst);
        done.map(|status| Answer { status, headers: HeaderMap::new(), body: Bytes::new(), truncated: false })
    }
}

/// A clock that fails once when told to.
struct Trap {
    clock: Arc<dyn crate::kernel::clock::Clock>,
    set: Arc<AtomicBool>,
}
impl crate::kernel::clock::Clock for Trap {
    fn now(&self) -> DateTime<Utc> {
        assert!(!self.set.swap(false, Ordering::SeqCst), "broken on purpose");
        self.clock.now()
    }
}

/// A journal whose disk can be full, or slow.
#[derive(Default)]
struct Disk {
    full: AtomicBool,
    /// Milliseconds until a commit is made.
    commits_after: AtomicU64,
    /// Milliseconds until something is read.
    reads_after: AtomicU64,
}
impl Faults for Disk {
    fn next(&self, point: FaultPoint) -> Fault {
        let after = match point {
            FaultPoint::Append | FaultPoint::Claim if self.full.load(Ordering::SeqCst) => {
                return Fault::Rejected;
            }
            FaultPoint::Append => &self.commits_after,
            FaultPoint::Read => &self.reads_after,
            FaultPoint::Claim => return Fault::Ok,
        };
        match after.load(Ordering::SeqCst) {
            0 => Fault::Ok,
            millis => Fault::Delay(Duration::from_millis(millis)),
        }
    }
}

struct Scene {
    world: World,
    journal: Arc<MemoryJournal>,
    disk: Arc<Disk>,
    policy: PolicyCell,
    receivers: Arc<Receivers>,
    keys: Option<SigningKeys>,
    /// Of the mails that are routed from now on.
    ties: std::cell::Cell<InWindow>,
    running: Option<(actix::Addr<WebhookActor>, AbortOnDropHandle<()>)>,
}

impl Scene {
    fn start(&mut self) {
        self.running = Some(self.another());
    }

    fn deps(&self, policy: &PolicyCell) -> WebhookDeps {
        WebhookDeps {
            world: self.world.clone(),
            journal: self.journal.clone(),
            policy: Arc::clone(policy),
            receiver: self.receivers.clone(),
            keys: self.keys.clone(),
            limits: DeliveryLimits::default(),
        }
    }

    /// One more worker on the same journal.
    fn another(&self) -> (actix::Addr<WebhookActor>, AbortOnDropHandle<()>) {
        self.another_under(&self.policy)
    }

    /// One more worker, that is told of changes by itself.
    fn another_under(&self, policy: &PolicyCell) -> (actix::Addr<WebhookActor>, AbortOnDropHandle<()>) {
        let deps = self.deps(policy);
        let (notices, _) = mpsc::unbounded_channel();
        let start = |_: &_| WebhookActor::new(deps);
        Guardian::start("webhook", Restarts::default(), self.world.clone(), notices, start)
    }

    /// Starts anew with a clock that makes whoever asks next panic, once it is set.
    async fn trap(&mut self) -> Arc<AtomicBool> {
        self.crash().await;
        let set = Arc::new(AtomicBool::new(false));
        let clock = Arc::clone(&self.world.clock);
        self.world.clock = Arc::new(Trap { clock, set: Arc::clone(&set) });
        self.start();
        set
    }

    async fn crash(&mut self) {
        self.running = None;
        tokio::task::yield_now().await;
    }

    fn address(&self) -> &actix::Addr<WebhookActor> {
        &self.running.as_ref().unwrap().0
    }

    async fn set(&self, change: impl FnOnce(&mut Policy)) {
        tell(self.address(), &self.policy, change).await;
    }

    async fn status(&self) -> WebhookStatus {
        self.address().send(GetWebhookStatus).await.unwrap()
    }

    async fn breaker(&self, target: &str) -> String {
        let status = self.status().await;
        status.targets.into_iter().find(|one| one.id == target).unwrap().breaker
    }

    /// Routes a mail to some targets.
    async fn mail(&self, email_id: &str, targets: &[&str], order: Option<&str>) {
        self.urgent(email_id, targets, order, Priority::Medium).await;
    }

    async fn urgent(&self, email_id: &str, targets: &[&str], order: Option<&str>, priority: Priority) {
        let now = self.world.now();
        let place = location(email_id);
        let received = MailEvent::Received(MailReceived {
            email_id: email_id.to_owned(),
            location: place.clone(),
            sender: "a@example.org".to_owned(),
            subject: "s".to_owned(),
            size: 1,
            arrived_at: None,
            subject_group: "g".to_owned(),
            flaws: Vec::new(),
            content: None,
            other_content_of: None,
            copy_of: None,
            authentication: None,
        });
        let deliveries = targets
            .iter()
            .map(|id| RoutedDelivery {
                target: (*id).to_owned(),
                rule: None,
                share: crate::mail::policy::Share::All,
            })
            .collect();
        let routed = MailEvent::Routed(MailRouted {
            detection: None,
            links: Vec::new(),
            deliveries,
            offload: false,
            priority,
            text: None,
            configuration: None,
        });
        let mut commit = Commit { at: now, ..Commit::default() };
        commit.writes.push(StreamWrite {
            stream: mail_stream(email_id),
            expected: Expected::NoStream,
            events: [received, routed].map(|event| event.to_new(self.world.ids.next()).unwrap()).to_vec(),
        });
        for id in targets {
            let meta = DeliverMeta {
                email_id: email_id.to_owned(),
                target: (*id).to_owned(),
                url: target(id).url,
                mail_version: 2,
                siblings: targets.len(),
                locations: vec![place.clone()],
                attempts: 0,
                first_attempt_at: None,
                delivery_version: 0,
                priority,
                notice: false,
                mode: crate::mail::policy::DeliveryMode::Json,
                window: self.ties.get(),
                again: false,
            };
            commit.bodies.push(Body {
                key: outbox_rows::delivery_body_key(email_id, id),
                bytes: Bytes::from(format!("{{\"id\":\"{email_id}\"}}")),
                keep_until: now + chrono::TimeDelta::days(7),
            });
            commit.add.push(OutboxAdd {
                queue: Queue::Deliver,
                key: outbox_rows::delivery_key(email_id, id),
                partition: (*id).to_owned(),
                order_key: order.map(str::to_owned),
                due: Due::At(now),
                meta: outbox_rows::to_value(&meta),
                body_key: Some(outbox_rows::delivery_body_key(email_id, id)),
            });
        }
        self.journal.append(commit).await.unwrap();
    }

    async fn mails(&self, count: usize, target: &str) {
        for n in 0..count {
            self.mail(&format!("{target}{n:04}"), &[target], None).await;
        }
    }

    async fn events(&self, stream: StreamId) -> Vec<String> {
        let events = self.journal.read_stream(&stream, 0).await.unwrap();
        events.into_iter().map(|event| event.kind).collect()
    }

    async fn left(&self) -> usize {
        self.journal.outbox(Queue::Deliver, usize::MAX).await.unwrap().len()
    }

    async fn marked(&self) -> usize {
        self.journal.outbox(Queue::Flag, usize::MAX).await.unwrap().len()
    }
}

/// Changes the policy of one worker.
async fn tell(worker: &actix::Addr<WebhookActor>, cell: &PolicyCell, change: impl FnOnce(&mut Policy)) {
    let mut policy = Policy::clone(&cell.load());
    policy.version += 1;
    change(&mut policy);
    let policy = Arc::new(policy);
    cell.store(Arc::clone(&policy));
    worker.send(PolicyChanged(policy)).await.unwrap();
}

fn location(item: &str) -> Location {
    Location { mailbox: "INBOX".to_owned(), validity: 1, item: item.to_owned() }
}

fn play<F: Future<Output = ()>>(script: impl FnOnce(Scene) -> F) {
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    actix_rt::System::with_tokio_rt(runtime).block_on(async {
        // A Monday.
        let epoch = chrono::Utc.with_ymd_and_hms(2026, 3, 2, 12, 0, 0).unwrap();
        let world = World::seeded(epoch, 7);
        let disk = Arc::new(Disk::default());
        let journal = MemoryJournal::with_faults(world.clone(), crate::readmodel::all(), disk.clone());
        let mut scene = Scene {
            world,
            journal: Arc::new(journal),
            disk,
            policy: Arc::new(ArcSwap::from_pointee(policy())),
            receivers: Arc::default(),
            keys: None,
            ties: std::cell::Cell::default(),
            running: None,
        };
        scene.start();
        script(scene).await;
    });
}

async fn wait(n: u64) {
    tokio::time::sleep(seconds(n)).await;
}

#[test]
fn a_delivery_is_one_signed_post_and_one_commit() {
    play(|mut scene| async move {
        scene.keys = Some(SigningKeys::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap());
        scene.crash().await;
        scene.start();
        scene.mail("m1", &["default"], None).await;
        wait(1).await;
        let posts = std::mem::take(&mut *scene.receivers.posts.lock().unwrap());
        let [post] = &posts[..] else { panic!("{} posts", posts.len()) };
        assert_eq!(post.request.url.as_str(), "https://default.example/secret");
        assert_eq!(&post.request.body[..], br#"{"id":"m1"}"#);
        let header = |name: &str| post.request.headers[name].to_str().unwrap().to_owned();
        assert_eq!(header("webhook-id"), "msg_m1_default");
        assert_eq!(header("content-type"), "application/json");
        assert!(header("user-agent").starts_with("render-signal/"));
        let timestamp: i64 = header("webhook-timestamp").parse().unwrap();
        let signature =
            scene.keys.as_ref().unwrap().signature("msg_m1_default", timestamp, br#"{"id":"m1"}"#);
        assert_eq!(header("webhook-signature"), signature);
        assert_eq!(
            scene.events(delivery_stream("m1", "default")).await,
            ["delivery.attempted", "delivery.succeeded"]
        );
        assert_eq!(scene.events(mail_stream("m1")).await, ["mail.received", "mail.routed", "mail.settled"]);
        assert_eq!((scene.left().await, scene.marked().await), (0, 1));
    });
}

#[test]
fn without_a_secret_there_is_an_id_and_no_signature() {
    play(|scene| async move {
        scene.mail("é m", &["default"], None).await;
        wait(1).await;
        let posts = scene.receivers.posts.lock().unwrap();
        assert_eq!(posts[0].id, "msg_%C3%A9%20m_default");
        assert!(!posts[0].request.headers.contains_key("webhook-signature"));
    });
}

#[test]
fn a_failed_delivery_is_repeated_with_the_same_bytes() {
    play(|scene| async move {
        scene.receivers.script("default.example", [500, 503, 429, 408].map(Does::Answers));
        scene.mail("m1", &["default"], None).await;
        wait(60).await;
        let posts = std::mem::take(&mut *scene.receivers.posts.lock().unwrap());
        assert_eq!(posts.len(), 5);
        for (n, pair) in posts.windows(2).enumerate() {
            assert_eq!(pair[0].id, pair[1].id);
            assert_eq!(pair[0].request.body, pair[1].request.body);
            // 2, 4, 8, 16 seconds, ±20 %, and at most a tick late.
            let pause = pair[1].at.duration_since(pair[0].at).as_secs_f64();
            let base = f64::from(2 << n);
            assert!((base * 0.8..base * 1.2 + 1.1).contains(&pause), "{n}: {pause}");
        }
        assert_eq!((scene.left().await, scene.marked().await), (0, 1));
    });
}

#[test]
fn a_dead_letter_is_kept_and_can_be_sent_again() {
    play(|scene| async move {
        scene.set(|policy| policy.retry.retries = Some(2)).await;
        scene.receivers.script("default.example", [Does::Answers(500); 3]);
        scene.mail("m1", &["default"], None).await;
        let retry = || async {
            let undelivered = Undelivered::read(&*scene.journal).await?;
            undelivered.retry(&*scene.journal, &scene.world, "m1", "default", "cli").await
        };
        wait(1).await;
        assert!(matches!(retry().await, Err(RetryError::NotDead { .. })));
        wait(60).await;
        assert_eq!(scene.receivers.count(), 3);
        let dead = scene.journal.outbox(Queue::Deliver, 10).await.unwrap();
        assert_eq!((dead[0].due, &dead[0].meta["attempts"]), (Due::Parked, &json!(3)));
        assert_eq!(scene.marked().await, 0);

        retry().await.unwrap();
        assert!(matches!(retry().await, Err(RetryError::NotDead { .. })));
        wait(2).await;
        assert_eq!(scene.receivers.ids(), ["msg_m1_default"; 4]);
        assert_eq!((scene.left().await, scene.marked().await), (0, 1));
        assert!(matches!(retry().await, Err(RetryError::Unknown { .. })));
    });
}

#[test]
fn what_can_never_succeed_is_a_dead_letter_at_once() {
    play(|scene| async move {
        scene.receivers.script("default.example", [Does::Refused]);
        scene.mail("m1", &["default"], None).await;
        wait(2).await;
        scene.set(|policy| policy.default_target.url = "nonsense".to_owned()).await;
        scene.mail("m2", &["default"], None).await;
        wait(2).await;
        assert_eq!(scene.receivers.count(), 1);
        assert_eq!(scene.events(delivery_stream("m2", "default")).await, ["delivery.dead_lettered"]);
        let dead = scene.journal.outbox(Queue::Deliver, 10).await.unwrap();
        assert!(dead.iter().all(|row| row.due == Due::Parked) && dead.len() == 2);
        assert_eq!(scene.breaker("default").await, "closed");
    });
}

#[test]
fn a_mail_is_marked_when_its_last_delivery_is_through() {
    play(|scene| async move {
        scene.receivers.script("slow.example", [Does::Answers(500), Does::Answers(500)]);
        scene.mail("m1", &["default", "slow"], None).await;
        // A further copy, seen after the routing.
        let duplicated = MailEvent::Duplicated(MailDuplicated { location: location("copy") });
        let events = vec![duplicated.to_new(scene.world.ids.next()).unwrap()];
        let write = StreamWrite { stream: mail_stream("m1"), expected: Expected::Exact(2), events };
        let commit = Commit { at: scene.world.now(), writes: vec![write], ..Commit::default() };
        scene.journal.append(commit).await.unwrap();
        wait(2).await;
        assert_eq!((scene.left().await, scene.marked().await), (1, 0));
        wait(10).await;
        assert_eq!((scene.left().await, scene.marked().await), (0, 2));
    });
}

#[test]
fn an_open_breaker_waits_then_probes_with_one() {
    play(|scene| async move {
        scene.receivers.always("default.example", Does::Answers(503));
        scene.mails(50, "default").await;
        wait(5).await;
        let before = scene.receivers.count();
        assert!((5..=13).contains(&before), "{before} posts");
        assert_eq!(scene.breaker("default").await, "open");
        wait(15).await;
        assert_eq!(scene.receivers.count(), before, "nothing while it is open");
        wait(25).await;
        assert_eq!(scene.receivers.count(), before + 1, "one probe");
        assert_eq!(scene.breaker("default").await, "open");
        scene.receivers.always("default.example", Does::Answers(200));
        wait(120).await;
        assert_eq!(scene.breaker("default").await, "closed");
        assert_eq!(scene.left().await, 0);
        let delivered: HashSet<_> = scene.receivers.ids().into_iter().collect();
        assert_eq!(delivered.len(), 50);
        let events = scene.events(target_stream("default")).await;
        assert_eq!(events, ["target.breaker_opened", "target.breaker_opened", "target.breaker_closed"]);
    });
}

#[test]
fn a_new_address_is_probed_at_once() {
    play(|scene| async move {
        scene.receivers.always("default.example", Does::Answers(503));
        scene.mails(10, "default").await;
        wait(5).await;
        assert_eq!(scene.breaker("default").await, "open");
        scene.set(|policy| policy.default_target.url = "https://other.example/".to_owned()).await;
        wait(2).await;
        assert_eq!(scene.breaker("default").await, "closed");
        wait(60).await;
        assert_eq!(scene.left().await, 0);
    });
}

#[test]
fn a_target_that_is_gone_waits_for_another_address() {
    play(|mut scene| async move {
        scene.receivers.always("default.example", Does::Answers(410));
        scene.set(|policy| policy.retry.retries = Some(0)).await;
        scene.mails(30, "default").await;
        wait(5).await;
        let before = scene.receivers.count();
        assert!(before <= 8, "{before} posts");
        assert_eq!((scene.breaker("default").await.as_str(), scene.left().await), ("disabled", 30));
        wait(9_000).await;
        scene.crash().await;
        scene.start();
        wait(9_000).await;
        assert_eq!(scene.receivers.count(), before);
        scene.set(|policy| policy.default_target.url = "https://other.example/".to_owned()).await;
        wait(100).await;
        assert_eq!((scene.breaker("default").await.as_str(), scene.left().await), ("closed", 0));
        assert_eq!(scene.events(target_stream("default")).await, ["target.disabled", "target.enabled"]);
    });
}

#[test]
fn an_operator_enables_a_target_from_another_process() {
    play(|scene| async move {
        scene.receivers.script("default.example", [Does::Answers(410)]);
        scene.mail("m1", &["default"], None).await;
        wait(5).await;
        assert_eq!(scene.left().await, 1);
        let enable = || enable_target(&*scene.journal, &scene.world, "default", "cli");
        assert!(enable().await.unwrap());
        assert!(!enable().await.unwrap());
        wait(3).await;
        assert_eq!(scene.left().await, 0);
    });
}

#[test]
fn the_rate_limit_holds_and_survives_a_restart() {
    play(|mut scene| async move {
        scene.set(|policy| policy.rate_limit_per_hour = 5).await;
        scene.mails(8, "default").await;
        wait(10).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (5, 3));
        assert_eq!(scene.events(delivery_stream("default0005", "default")).await, ["delivery.deferred"]);
        wait(1_800).await;
        scene.crash().await;
        scene.start();
        wait(1_700).await;
        assert_eq!(scene.receivers.count(), 5);
        wait(120).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (8, 0));
    });
}

#[test]
fn several_workers_share_the_rate_limit() {
    play(|scene| async move {
        scene.set(|policy| policy.rate_limit_per_hour = 5).await;
        let _others = [scene.another(), scene.another()];
        wait(2).await;
        scene.mails(40, "default").await;
        for hour in 1..=8 {
            wait(1_800).await;
            assert_eq!(scene.receivers.count(), 5 * hour, "hour {hour}");
            wait(1_800).await;
        }
        assert_eq!(scene.left().await, 0);
        assert_eq!(scene.events(rate_stream("default", scene.world.now())).await, Vec::<String>::new());
    });
}

#[test]
fn a_delivery_that_was_counted_and_not_sent_keeps_its_place() {
    play(|mut scene| async move {
        scene.set(|policy| policy.rate_limit_per_hour = 2).await;
        scene.crash().await;
        scene.mails(3, "default").await;
        // A worker counted two of them, and was gone before it posted them.
        let (at, stream) = (scene.world.now(), rate_stream("default", scene.world.now()));
        let counted = ["default0001", "default0002"].map(|email_id| {
            let counted = DeliveryCounted { email_id: email_id.to_owned(), target: "default".to_owned(), at };
            RateEvent::Counted(counted).to_new(scene.world.ids.next()).unwrap()
        });
        let writes = vec![StreamWrite {
            stream: stream.clone(),
            expected: Expected::NoStream,
            events: counted.to_vec(),
        }];
        scene.journal.append(Commit { at, writes, ..Commit::default() }).await.unwrap();
        scene.start();
        wait(10).await;
        let mut ids = scene.receivers.ids();
        ids.sort();
        assert_eq!(ids, ["msg_default0001_default", "msg_default0002_default"]);
        wait(3_600).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (3, 0));
        assert_eq!(scene.events(stream).await.len(), 2);
    });
}

#[test]
fn a_raised_rate_limit_lets_go_at_once() {
    play(|scene| async move {
        scene.set(|policy| policy.rate_limit_per_hour = 1).await;
        scene.mails(6, "default").await;
        wait(10).await;
        assert_eq!(scene.receivers.count(), 1);
        scene.set(|policy| policy.rate_limit_per_hour = 3).await;
        wait(2).await;
        assert_eq!(scene.receivers.count(), 3);
        scene.set(|policy| policy.rate_limit_per_hour = 0).await;
        wait(2).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (6, 0));
    });
}

#[test]
fn repetitions_do_not_count_against_the_rate_limit() {
    play(|scene| async move {
        scene.set(|policy| policy.rate_limit_per_hour = 1).await;
        scene.receivers.script("default.example", [Does::Answers(500), Does::Answers(500)]);
        scene.mail("m1", &["default"], None).await;
        wait(30).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (3, 0));
    });
}

#[test]
fn a_hung_receiver_costs_only_itself() {
    play(|scene| async move {
        scene.receivers.always("hung.example", Does::Hangs);
        scene.mails(100, "hung").await;
        scene.mails(200, "default").await;
        wait(5).await;
        let ids = scene.receivers.ids();
        let (fast, hung): (Vec<_>, Vec<_>) = ids.iter().partition(|id| id.ends_with("_default"));
        assert_eq!((fast.len(), hung.len()), (200, 8));
        assert!(scene.receivers.most.load(Ordering::SeqCst) <= 16);
        assert_eq!(scene.status().await.in_flight, 8);
    });
}

#[test]
fn slots_are_bounded_per_target_and_in_all() {
    play(|scene| async move {
        for n in 0..12 {
            let id = format!("t{n:02}");
            scene.receivers.always(&format!("{id}.example"), Does::Hangs);
            scene.mails(20, &id).await;
        }
        wait(10).await;
        assert_eq!(scene.receivers.most.load(Ordering::SeqCst), 64);
        assert!(scene.status().await.targets.iter().all(|target| target.in_flight <= 8));
    });
}

#[test]
fn nothing_is_sent_while_sending_is_off_or_on_a_day_of_absence() {
    play(|scene| async move {
        scene.set(|policy| policy.sending_enabled = false).await;
        scene.mails(3, "default").await;
        wait(10).await;
        assert_eq!(scene.receivers.count(), 0);
        assert!(scene.status().await.paused);
        scene
            .set(|policy| (policy.sending_enabled, policy.absence_days) = (true, vec![chrono::Weekday::Mon]))
            .await;
        wait(10).await;
        assert_eq!(scene.receivers.count(), 0);
        // Midnight in Paris is 11 hours away.
        wait(11 * 3_600 - 60).await;
        assert_eq!(scene.receivers.count(), 0);
        wait(62).await;
        assert_eq!(scene.receivers.count(), 3);
        scene.set(|policy| policy.absence_days = vec![chrono::Weekday::Tue]).await;
        scene.mails(1, "other").await;
        wait(10).await;
        scene.set(|policy| policy.absence_days.clear()).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(scene.receivers.count(), 4, "resumes at once");
    });
}

#[test]
fn a_target_that_wants_an_order_gets_it() {
    play(|scene| async move {
        scene.receivers.script("default.example", [Does::AnswersAfter(200, 50), Does::Answers(500)]);
        for n in 0..5 {
            scene.mail(&format!("m{n}"), &["default"], Some("a@example.org")).await;
        }
        wait(30).await;
        let ids: Vec<_> = scene.receivers.ids().iter().map(|id| id[4..6].to_owned()).collect();
        assert_eq!(ids, ["m0", "m1", "m1", "m2", "m3", "m4"]);
    });
}

#[test]
fn an_outcome_that_cannot_be_stored_for_long_is_not_forgotten() {
    play(|scene| async move {
        scene.receivers.script("default.example", [Does::AnswersAfter(200, 2_000)]);
        scene.mail("m1", &["default"], None).await;
        wait(1).await;
        scene.disk.full.store(true, Ordering::SeqCst);
        // Far beyond the claim.
        wait(600).await;
        scene.disk.full.store(false, Ordering::SeqCst);
        wait(120).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (1, 0));
    });
}

#[test]
fn a_crash_during_an_attempt_repeats_it_after_the_claim() {
    play(|mut scene| async move {
        scene.receivers.script("default.example", [Does::Hangs]);
        scene.mail("m1", &["default"], None).await;
        wait(5).await;
        scene.crash().await;
        scene.start();
        wait(40).await;
        assert_eq!(scene.receivers.count(), 1);
        wait(20).await;
        assert_eq!(scene.receivers.ids(), ["msg_m1_default"; 2]);
        assert_eq!(scene.left().await, 0);
    });
}

#[test]
fn an_attempt_that_panics_is_made_again() {
    play(|scene| async move {
        scene.receivers.script("default.example", [Does::Panics]);
        scene.mail("m1", &["default"], None).await;
        wait(5).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (2, 0));
        assert_eq!(scene.status().await.in_flight, 0);
    });
}

#[test]
fn an_actor_that_panics_goes_on_with_what_is_under_way() {
    play(|mut scene| async move {
        let set = scene.trap().await;
        scene.receivers.always("default.example", Does::AnswersAfter(200, 5_000));
        scene.mails(10, "default").await;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!(scene.receivers.count(), 8);
        set.store(true, Ordering::SeqCst);
        wait(3).await;
        assert!(!set.load(Ordering::SeqCst), "the trap has sprung");
        assert_eq!(scene.status().await.in_flight, 8);
        wait(20).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (10, 0));
        assert_eq!(scene.status().await.in_flight, 0);
    });
}

#[test]
fn a_delivery_without_its_body_is_a_dead_letter() {
    play(|scene| async move {
        let meta = serde_json::json!({ "email_id": "m1", "target": "default", "url": "https://a.example/",
            "mail_version": 1, "siblings": 1, "locations": [] });
        let add = |key: &str, meta| OutboxAdd {
            queue: Queue::Deliver,
            key: key.to_owned(),
            partition: "default".to_owned(),
            order_key: None,
            due: Due::At(scene.world.now()),
            meta,
            body_key: None,
        };
        let add = vec![add("m1/default", meta), add("m2/default", serde_json::json!("broken"))];
        scene.journal.append(Commit { at: scene.world.now(), add, ..Commit::default() }).await.unwrap();
        wait(5).await;
        assert_eq!(scene.receivers.count(), 0);
        assert_eq!(scene.events(delivery_stream("m1", "default")).await, ["delivery.dead_lettered"]);
        let rows = scene.journal.outbox(Queue::Deliver, 10).await.unwrap();
        assert!(rows.iter().all(|row| row.due == Due::Parked) && rows.len() == 2);
    });
}

#[test]
fn a_drain_finishes_what_it_can_and_gives_the_rest_back() {
    play(|mut scene| async move {
        scene.receivers.always("hung.example", Does::Hangs);
        scene.receivers.always("default.example", Does::AnswersAfter(200, 5_000));
        scene.mails(20, "hung").await;
        scene.mails(20, "default").await;
        wait(1).await;
        let begun = Instant::now();
        scene.address().send(Drain).await.unwrap();
        assert!(begun.elapsed() < seconds(7), "{:?}", begun.elapsed());
        // Eight of each were under way; those that were answered are stored.
        assert_eq!((scene.receivers.count(), scene.left().await), (16, 32));
        let rows = scene.journal.outbox(Queue::Deliver, 100).await.unwrap();
        assert!(rows.iter().all(|row| !row.claimed));
        scene.address().send(Drain).await.unwrap();
        scene.crash().await;
        scene.receivers.always("hung.example", Does::Answers(200));
        scene.start();
        wait(60).await;
        assert_eq!(scene.left().await, 0);
    });
}

#[test]
fn a_target_that_is_not_configured_is_read_before_it_is_used() {
    play(|scene| async move {
        let url_hash = address::url_hash(&target("old").url);
        let gone = TargetCommand::Gone { url_hash };
        carry_out(&*scene.journal, &scene.world, "old", Some(&gone)).await.unwrap();
        scene.mails(3, "old").await;
        wait(120).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (0, 3));
        let rows = scene.journal.outbox(Queue::Deliver, 10).await.unwrap();
        assert!(rows.iter().all(|row| !row.claimed));
    });
}

#[test]
fn a_thousand_deliveries_each_go_once() {
    play(|scene| async move {
        scene.mails(1_000, "default").await;
        wait(10).await;
        let ids = scene.receivers.ids();
        assert_eq!(ids.len(), 1_000);
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 1_000);
        assert_eq!((scene.left().await, scene.marked().await), (0, 1_000));
        assert!(scene.receivers.most.load(Ordering::SeqCst) <= 8);
        assert!(scene.journal.verify().await.unwrap().problems.is_empty());
    });
}
