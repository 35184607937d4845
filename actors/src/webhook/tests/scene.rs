//! The actor in a test: on the journal in memory, in virtual time, with receivers that do as told.

use super::*;

pub(super) fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(super) fn target(id: &str) -> Target {
    Target {
        id: id.to_owned(),
        url: format!("https://{id}.example/secret"),
        ordering: Order::None,
        share: crate::mail::policy::Share::All,
    }
}

pub(super) fn policy() -> Policy {
    Policy { default_target: target("default"), ..samples::policy() }
}

/// What a receiver does with one post.
#[derive(Clone, Copy)]
pub(super) enum Does {
    Answers(u16),
    AnswersAfter(u16, u64),
    Hangs,
    Panics,
    /// The guard lets nothing go there.
    Refused,
    CannotConnect,
}

pub(super) struct Post {
    pub(super) at: Instant,
    pub(super) id: String,
    pub(super) request: Outgoing,
}

/// Receivers by host; without a script they answer 200 after a millisecond.
#[derive(Default)]
pub(super) struct Receivers {
    pub(super) scripts: Mutex<HashMap<String, VecDeque<Does>>>,
    pub(super) always: Mutex<HashMap<String, Does>>,
    /// By `webhook-id`: these mails get this whatever the receiver does else.
    pub(super) mails: Mutex<HashMap<String, Does>>,
    pub(super) posts: Mutex<Vec<Post>>,
    pub(super) now: AtomicUsize,
    pub(super) most: AtomicUsize,
}

impl Receivers {
    pub(super) fn script(&self, host: &str, does: impl IntoIterator<Item = Does>) {
        self.scripts.lock().unwrap().insert(host.to_owned(), does.into_iter().collect());
    }
    pub(super) fn always(&self, host: &str, does: Does) {
        self.always.lock().unwrap().insert(host.to_owned(), does);
    }
    pub(super) fn ids(&self) -> Vec<String> {
        self.posts.lock().unwrap().iter().map(|post| post.id.clone()).collect()
    }
    pub(super) fn count(&self) -> usize {
        self.posts.lock().unwrap().len()
    }
    pub(super) fn next(&self, host: &str, id: &str) -> Does {
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
pub(super) struct Trap {
    pub(super) clock: Arc<dyn crate::kernel::clock::Clock>,
    pub(super) set: Arc<AtomicBool>,
}
impl crate::kernel::clock::Clock for Trap {
    fn now(&self) -> DateTime<Utc> {
        assert!(!self.set.swap(false, Ordering::SeqCst), "broken on purpose");
        self.clock.now()
    }
}

/// A journal whose disk can be full, or slow.
#[derive(Default)]
pub(super) struct Disk {
    pub(super) full: AtomicBool,
    /// Milliseconds until a commit is made.
    pub(super) commits_after: AtomicU64,
    /// Milliseconds until something is read.
    pub(super) reads_after: AtomicU64,
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

pub(super) struct Scene {
    pub(super) world: World,
    pub(super) journal: Arc<MemoryJournal>,
    pub(super) disk: Arc<Disk>,
    pub(super) policy: PolicyCell,
    pub(super) receivers: Arc<Receivers>,
    pub(super) keys: Option<SigningKeys>,
    /// Of the mails that are routed from now on.
    pub(super) ties: std::cell::Cell<InWindow>,
    pub(super) running: Option<(actix::Addr<WebhookActor>, AbortOnDropHandle<()>)>,
}

impl Scene {
    pub(super) fn start(&mut self) {
        self.running = Some(self.another());
    }

    pub(super) fn deps(&self, policy: &PolicyCell) -> WebhookDeps {
        WebhookDeps {
            world: self.world.clone(),
            journal: self.journal.clone(),
            policy: Arc::clone(policy),
            receiver: self.receivers.clone(),
            keys: self.keys.clone(),
            limits: DeliveryLimits::default(),
            traced: true,
        }
    }

    /// One more worker on the same journal.
    pub(super) fn another(&self) -> (actix::Addr<WebhookActor>, AbortOnDropHandle<()>) {
        self.another_under(&self.policy)
    }

    /// One more worker, that is told of changes by itself.
    pub(super) fn another_under(
        &self,
        policy: &PolicyCell,
    ) -> (actix::Addr<WebhookActor>, AbortOnDropHandle<()>) {
        let deps = self.deps(policy);
        let (notices, _) = mpsc::unbounded_channel();
        let start = |_: &_| WebhookActor::new(deps);
        Guardian::start("webhook", Restarts::default(), self.world.clone(), notices, start)
    }

    /// Starts anew with a clock that makes whoever asks next panic, once it is set.
    pub(super) async fn trap(&mut self) -> Arc<AtomicBool> {
        self.crash().await;
        let set = Arc::new(AtomicBool::new(false));
        let clock = Arc::clone(&self.world.clock);
        self.world.clock = Arc::new(Trap { clock, set: Arc::clone(&set) });
        self.start();
        set
    }

    pub(super) async fn crash(&mut self) {
        self.running = None;
        tokio::task::yield_now().await;
    }

    pub(super) fn address(&self) -> &actix::Addr<WebhookActor> {
        &self.running.as_ref().unwrap().0
    }

    pub(super) async fn set(&self, change: impl FnOnce(&mut Policy)) {
        tell(self.address(), &self.policy, change).await;
    }

    pub(super) async fn status(&self) -> WebhookStatus {
        self.address().send(GetWebhookStatus).await.unwrap()
    }

    pub(super) async fn breaker(&self, target: &str) -> String {
        let status = self.status().await;
        status.targets.into_iter().find(|one| one.id == target).unwrap().breaker
    }

    /// Routes a mail to some targets.
    pub(super) async fn mail(&self, email_id: &str, targets: &[&str], order: Option<&str>) {
        self.urgent(email_id, targets, order, Priority::Medium).await;
    }

    pub(super) async fn urgent(
        &self,
        email_id: &str,
        targets: &[&str],
        order: Option<&str>,
        priority: Priority,
    ) {
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

    pub(super) async fn mails(&self, count: usize, target: &str) {
        for n in 0..count {
            self.mail(&format!("{target}{n:04}"), &[target], None).await;
        }
    }

    pub(super) async fn events(&self, stream: StreamId) -> Vec<String> {
        let events = self.journal.read_stream(&stream, 0).await.unwrap();
        events.into_iter().map(|event| event.kind).collect()
    }

    pub(super) async fn left(&self) -> usize {
        self.journal.outbox(Queue::Deliver, usize::MAX).await.unwrap().len()
    }

    pub(super) async fn marked(&self) -> usize {
        self.journal.outbox(Queue::Flag, usize::MAX).await.unwrap().len()
    }
}

/// Changes the policy of one worker.
pub(super) async fn tell(
    worker: &actix::Addr<WebhookActor>,
    cell: &PolicyCell,
    change: impl FnOnce(&mut Policy),
) {
    let mut policy = Policy::clone(&cell.load());
    policy.version += 1;
    change(&mut policy);
    let policy = Arc::new(policy);
    cell.store(Arc::clone(&policy));
    worker.send(PolicyChanged(policy)).await.unwrap();
}

pub(super) fn location(item: &str) -> Location {
    Location { mailbox: "INBOX".to_owned(), validity: 1, item: item.to_owned() }
}

pub(super) fn play<F: Future<Output = ()>>(script: impl FnOnce(Scene) -> F) {
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

pub(super) async fn wait(n: u64) {
    tokio::time::sleep(seconds(n)).await;
}
