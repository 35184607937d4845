//! A mailbox, an admission and a poller, in virtual time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use actix::{Actor, Addr, Context, Handler, ResponseFuture};
use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::super::status::{GetPollerStatus, PollerStatus};
use crate::kernel::clock::World;
use crate::kernel::event::{DomainEvent as _, NewEvent, Recorded, StreamId};
use crate::kernel::guardian::{Guardian, Restarts};
use crate::kernel::journal::memory::{Faults, MemoryJournal};
use crate::kernel::journal::{AppendError, Commit, Expected, Fence, Journal, Queue, StreamWrite};
use crate::kernel::port::Port;
use crate::mail::life::{MailDuplicated, MailEvent, MailReceived, mail_stream};
use crate::mail::outbox_rows::flag_rows;
use crate::mail::policy::{Policy, Schedule};
use crate::mail::samples;
use crate::messages::{Admit, AdmitError, Admitted, Drain, LeaseChanged, PolicyChanged, Source};
use crate::poller::source::{
    Detail, ListScope, LoadRequest, LoadedBody, MailSource, MailboxItem, MailboxSession, MailboxStatus, Sink,
    SourceError, Wake,
};
use crate::poller::{PollerActor, PollerDeps};
use crate::readmodel;

pub(super) const NAME: &str = "imap.test/me/INBOX";

pub(super) fn epoch() -> DateTime<Utc> {
    "2026-03-02T08:00:00Z".parse().unwrap()
}

/// A mail on the fake server.
#[derive(Debug, Clone)]
pub(super) struct FakeMail {
    pub(super) source: String,
    pub(super) arrived_at: DateTime<Utc>,
    pub(super) seen: bool,
    pub(super) size: Option<u64>,
    /// The server gives NIL for it.
    pub(super) nil: bool,
    /// Asking for it breaks the connection.
    pub(super) deadly: bool,
}

#[derive(Debug, Default)]
pub(super) struct Server {
    pub(super) validity: u64,
    pub(super) uid_next: u64,
    pub(super) mails: BTreeMap<u64, FakeMail>,
    /// Errors for the next connections.
    pub(super) refuses: VecDeque<SourceError>,
    /// Every connection fails.
    pub(super) down: bool,
    /// Never answers and never fails.
    pub(super) hangs: bool,
    /// Makes whoever connects panic.
    pub(super) explodes: bool,
    /// Says no to marking.
    pub(super) read_only: bool,
    /// Mails arrive without a word.
    pub(super) silent: bool,
    pub(super) connects: Vec<Instant>,
    pub(super) closes: usize,
    /// Each UID as often as it was loaded.
    pub(super) loads: Vec<u64>,
    /// Each marking command.
    pub(super) stores: Vec<Vec<u64>>,
}

/// A fake server with one mailbox.
#[derive(Clone)]
pub(super) struct FakeMailbox {
    server: Arc<Mutex<Server>>,
    news: watch::Sender<u64>,
    world: World,
}

impl FakeMailbox {
    fn new(world: World) -> Self {
        let server = Server { validity: 7, uid_next: 1, ..Server::default() };
        Self { server: Arc::new(Mutex::new(server)), news: watch::Sender::new(0), world }
    }

    pub(super) fn server(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap()
    }

    /// A mail arrives; returns its UID.
    pub(super) fn arrive(&self, source: &str) -> u64 {
        self.arrive_with(source, |_| ())
    }

    pub(super) fn arrive_with(&self, source: &str, change: impl FnOnce(&mut FakeMail)) -> u64 {
        let mut mail = FakeMail {
            source: source.to_owned(),
            arrived_at: self.world.now(),
            seen: false,
            size: None,
            nil: false,
            deadly: false,
        };
        change(&mut mail);
        let mut server = self.server();
        let uid = server.uid_next;
        server.uid_next += 1;
        server.mails.insert(uid, mail);
        let silent = server.silent;
        drop(server);
        if !silent {
            self.news.send_modify(|news| *news += 1);
        }
        uid
    }

    /// The server numbers all mails anew.
    pub(super) fn renumber(&self, validity: u64) {
        let mut server = self.server();
        let mails = std::mem::take(&mut server.mails);
        server.validity = validity;
        server.uid_next = 1;
        for (_, mail) in mails {
            let uid = server.uid_next;
            server.uid_next += 1;
            server.mails.insert(uid, mail);
        }
        drop(server);
        self.news.send_modify(|news| *news += 1);
    }
}

#[async_trait]
impl MailSource for FakeMailbox {
    fn mailbox(&self) -> &str {
        NAME
    }

    async fn connect(&self) -> Result<Box<dyn MailboxSession>, SourceError> {
        self.server().connects.push(Instant::now());
        let explodes = self.server().explodes;
        assert!(!explodes, "an adapter that nobody foresaw");
        sleep(Duration::from_millis(1)).await;
        while self.server().hangs {
            sleep(Duration::from_secs(1)).await;
        }
        let mut server = self.server();
        if let Some(error) = server.refuses.pop_front() {
            return Err(error);
        }
        if server.down {
            return Err(SourceError::Unreachable("down".to_owned()));
        }
        let opened = MailboxStatus {
            validity: server.validity,
            uid_next: server.uid_next,
            exists: u64::try_from(server.mails.len()).unwrap(),
        };
        drop(server);
        Ok(Box::new(FakeSession { mailbox: self.clone(), news: self.news.subscribe(), opened }))
    }
}

struct FakeSession {
    mailbox: FakeMailbox,
    news: watch::Receiver<u64>,
    opened: MailboxStatus,
}

impl FakeSession {
    /// One round trip.
    async fn alive(&self) -> Result<(), SourceError> {
        sleep(Duration::from_millis(1)).await;
        while self.mailbox.server().hangs {
            sleep(Duration::from_secs(1)).await;
        }
        let server = self.mailbox.server();
        if server.down || server.validity != self.opened.validity {
            return Err(SourceError::Unreachable("the connection broke".to_owned()));
        }
        Ok(())
    }
}

fn candidate(uid: u64, mail: Option<&FakeMail>) -> MailboxItem {
    let detail = mail.map(|mail| Detail {
        size: mail.size.unwrap_or(u64::try_from(mail.source.len()).unwrap()),
        arrived_at: Some(mail.arrived_at),
        seen: mail.seen,
    });
    MailboxItem { item: uid.to_string(), uid, detail }
}

#[async_trait]
impl MailboxSession for FakeSession {
    fn opened(&self) -> MailboxStatus {
        self.opened
    }

    async fn list(&mut self, scope: &ListScope) -> Result<Vec<MailboxItem>, SourceError> {
        self.alive().await?;
        self.news.mark_unchanged();
        let server = self.mailbox.server();
        let listed = server.mails.iter().filter(|(uid, mail)| {
            **uid > scope.above
                || (scope.unseen && !mail.seen)
                || scope.since.is_some_and(|since| mail.arrived_at >= since - chrono::Duration::days(1))
        });
        let detailed = !scope.unseen;
        Ok(listed.map(|(uid, mail)| candidate(*uid, detailed.then_some(mail))).collect())
    }

    async fn describe(&mut self, mails: &[MailboxItem]) -> Result<Vec<MailboxItem>, SourceError> {
        self.alive().await?;
        let server = self.mailbox.server();
        let there = mails.iter().filter_map(|mail| Some((mail.uid, server.mails.get(&mail.uid)?)));
        Ok(there.map(|(uid, mail)| candidate(uid, Some(mail))).collect())
    }

    async fn fetch(&mut self, wanted: &[LoadRequest], sink: Sink) -> Result<(), SourceError> {
        self.alive().await?;
        for mail in wanted {
            let body = {
                let mut server = self.mailbox.server();
                server.loads.push(mail.uid);
                match server.mails.get(&mail.uid) {
                    None => LoadedBody::Gone,
                    Some(found) if found.deadly => {
                        return Err(SourceError::Protocol("an answer that is none".to_owned()));
                    }
                    Some(found) if found.nil => LoadedBody::Unloadable("NIL".to_owned()),
                    Some(found) => {
                        let bytes = Bytes::from(found.source.clone());
                        LoadedBody::Loaded(match mail.part {
                            crate::poller::source::LoadPart::Full => Source::Full(bytes),
                            crate::poller::source::LoadPart::Header => {
                                Source::HeaderOnly { header: bytes, size: mail.size }
                            }
                        })
                    }
                }
            };
            if sink.hand_over(mail.item.clone(), body).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    async fn mark_seen(&mut self, items: &[String]) -> Result<(), SourceError> {
        self.alive().await?;
        let mut server = self.mailbox.server();
        if server.read_only {
            return Err(SourceError::Declined("the mailbox is read-only".to_owned()));
        }
        let uids: Vec<u64> = items.iter().map(|item| item.parse().unwrap()).collect();
        for uid in &uids {
            if let Some(mail) = server.mails.get_mut(uid) {
                mail.seen = true;
            }
        }
        server.stores.push(uids);
        Ok(())
    }

    async fn wait(&mut self, max: Duration) -> Result<Wake, SourceError> {
        let wake = match timeout(max, self.news.changed()).await {
            Ok(_) => Wake::Changed,
            Err(_) => Wake::Elapsed,
        };
        self.alive().await?;
        Ok(wake)
    }

    async fn close(self: Box<Self>) {
        self.mailbox.server().closes += 1;
    }
}

/// How the fake admission answers.
#[derive(Debug, Default)]
pub(in crate::poller) struct Answers {
    /// Refuses this many, as the journal would.
    pub(super) journal_fails: usize,
    /// Refuses mails with this in their source, always.
    pub(super) refuses: Option<String>,
    /// Panics over mails with this in their source.
    pub(super) panics: Option<String>,
    /// Never answers about mails with this in their source, when it is to read them.
    pub(super) hangs: Option<String>,
    /// Says that the fence is old.
    pub(super) fenced: bool,
    /// Takes this long.
    pub(super) takes: Duration,
    /// Makes a flag row for each mail it admits.
    pub(in crate::poller) flags: bool,
}

/// Admits mails: the identity of a mail is its source.
pub(super) struct FakeAdmission {
    journal: Arc<dyn Journal>,
    world: World,
    answers: Arc<Mutex<Answers>>,
    asked: Arc<Mutex<Vec<Admit>>>,
    under_way: Arc<AtomicUsize>,
    pub(super) most: Arc<AtomicUsize>,
}

impl Actor for FakeAdmission {
    type Context = Context<Self>;
}

impl actix::Supervised for FakeAdmission {}

impl Handler<Admit> for FakeAdmission {
    type Result = ResponseFuture<Result<Admitted, AdmitError>>;

    fn handle(&mut self, admit: Admit, _: &mut Context<Self>) -> Self::Result {
        self.asked.lock().unwrap().push(admit.clone());
        let text = match &admit.source {
            Source::Full(bytes) | Source::HeaderOnly { header: bytes, .. } => {
                String::from_utf8(bytes.to_vec()).unwrap()
            }
            Source::Pushed(_) => panic!("not from a mailbox"),
        };
        let mut answers = self.answers.lock().unwrap();
        let has = |needle: &Option<String>| needle.as_ref().is_some_and(|needle| text.contains(needle));
        if has(&answers.panics) {
            drop(answers);
            panic!("a mail that nobody foresaw");
        }
        let hangs = has(&answers.hangs) && !admit.deadly;
        let failing = has(&answers.refuses) || answers.journal_fails > 0;
        answers.journal_fails = answers.journal_fails.saturating_sub(1);
        let (fenced, takes, flags) = (answers.fenced, answers.takes, answers.flags);
        drop(answers);
        let (journal, world) = (Arc::clone(&self.journal), self.world.clone());
        let now = self.under_way.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        let under_way = Arc::clone(&self.under_way);
        Box::pin(async move {
            sleep(takes).await;
            if hangs {
                std::future::pending::<()>().await;
            }
            under_way.fetch_sub(1, Ordering::Relaxed);
            if fenced {
                return Err(AdmitError::Fenced("an older fence".to_owned()));
            }
            if failing {
                return Err(AdmitError::Journal("disk full".to_owned()));
            }
            take(journal.as_ref(), &world, admit, &text, flags).await
        })
    }
}

async fn take(
    journal: &dyn Journal,
    world: &World,
    admit: Admit,
    text: &str,
    flags: bool,
) -> Result<Admitted, AdmitError> {
    let id = text.replace(' ', "_");
    let received = MailEvent::Received(MailReceived {
        email_id: id.clone(),
        location: admit.location.clone(),
        sender: String::new(),
        subject: String::new(),
        size: 0,
        arrived_at: admit.arrived_at,
        subject_group: String::new(),
        flaws: Vec::new(),
        content: None,
        other_content_of: None,
        copy_of: None,
        authentication: None,
    });
    let duplicated = MailEvent::Duplicated(MailDuplicated { location: admit.location.clone() });
    for (duplicate, event, expected) in
        [(false, received, Expected::NoStream), (true, duplicated, Expected::Any)]
    {
        let add = if flags {
            flag_rows(&id, std::slice::from_ref(&admit.location), world.now())
        } else {
            Vec::new()
        };
        let commit = Commit {
            at: world.now(),
            writes: vec![StreamWrite {
                stream: mail_stream(&id),
                expected,
                events: vec![event.to_new(world.ids.next()).unwrap()],
            }],
            add,
            fence: admit.fence.clone(),
            ..Commit::default()
        };
        match journal.append(commit).await {
            Ok(_) => return Ok(Admitted { email_id: id, duplicate, decision: None }),
            Err(AppendError::Conflict { .. }) => {}
            Err(AppendError::Fenced { .. }) => return Err(AdmitError::Fenced("older".to_owned())),
            Err(error) => return Err(AdmitError::Journal(error.to_string())),
        }
    }
    unreachable!("a duplicate has no expectation")
}

/// Everything, started.
pub(in crate::poller) struct Rig {
    pub(super) world: World,
    pub(super) mailbox: FakeMailbox,
    pub(super) journal: Arc<MemoryJournal>,
    pub(in crate::poller) answers: Arc<Mutex<Answers>>,
    pub(in crate::poller) asked: Arc<Mutex<Vec<Admit>>>,
    pub(super) most: Arc<AtomicUsize>,
    pub(super) deps: PollerDeps,
    pub(super) poller: Addr<PollerActor>,
    pub(super) notices: mpsc::UnboundedReceiver<crate::kernel::guardian::GuardianNotice>,
    _guards: [AbortOnDropHandle<()>; 2],
}

pub(super) struct NoFaults;
impl Faults for NoFaults {
    fn next(&self, _: crate::kernel::journal::memory::FaultPoint) -> crate::kernel::journal::memory::Fault {
        crate::kernel::journal::memory::Fault::Ok
    }
}

impl Rig {
    /// Without a lease. Must be called within an actix system.
    pub(super) fn start() -> Self {
        Self::start_with(Arc::new(NoFaults), |_| ())
    }

    pub(super) fn start_with(faults: Arc<dyn Faults>, prepare: impl FnOnce(&FakeMailbox)) -> Self {
        tokio::time::pause();
        let world = World::seeded(epoch(), 1);
        let mailbox = FakeMailbox::new(world.clone());
        prepare(&mailbox);
        Self::assemble(world, faults, mailbox.clone(), Arc::new(mailbox))
    }

    /// On another mailbox, in real time.
    pub(in crate::poller) fn start_on(source: impl MailSource + 'static) -> Self {
        let world = World::real();
        Self::assemble(world.clone(), Arc::new(NoFaults), FakeMailbox::new(world), Arc::new(source))
    }

    fn assemble(
        world: World,
        faults: Arc<dyn Faults>,
        mailbox: FakeMailbox,
        source: Arc<dyn MailSource>,
    ) -> Self {
        let journal = Arc::new(MemoryJournal::with_faults(world.clone(), readmodel::all(), faults));
        let (answers, asked, most) = (Arc::default(), Arc::default(), Arc::default());
        let (tell, notices) = mpsc::unbounded_channel();
        let admission = FakeAdmission {
            journal: journal.clone(),
            world: world.clone(),
            answers: Arc::clone(&answers),
            asked: Arc::clone(&asked),
            under_way: Arc::default(),
            most: Arc::clone(&most),
        };
        let (admission, guard) =
            Guardian::start("dedup", Restarts::default(), world.clone(), tell.clone(), |_| admission);
        let deps = PollerDeps {
            world: world.clone(),
            journal: journal.clone(),
            policy: Arc::new(arc_swap::ArcSwap::from_pointee(policy())),
            worker: "test".to_owned(),
            source,
            admit: Port::new("dedup", &admission, 256, Duration::from_secs(30)),
            lease: Arc::default(),
        };
        let (poller, other) = Guardian::start("poller", Restarts::default(), world.clone(), tell, |_| {
            PollerActor::new(deps.clone())
        });
        Self { world, mailbox, journal, answers, asked, most, deps, poller, notices, _guards: [guard, other] }
    }

    /// Grants the lease anew.
    pub(in crate::poller) async fn grant(&self) -> Fence {
        let token = self.journal.raise_fence("poller").await.unwrap();
        let fence = Fence { lease: "poller".to_owned(), token };
        self.poller.send(LeaseChanged { fence: Some(fence.clone()) }).await.unwrap();
        fence
    }

    /// Grants the lease anew, as to a worker that took it over from one that has died. All that
    /// the poller has under way ends with that.
    pub(super) async fn take_over(&self) {
        let token = self.journal.raise_fence("poller").await.unwrap();
        let fence = Fence { lease: "poller".to_owned(), token };
        let payload = serde_json::json!({ "holder": "two", "fence": token, "previous": "one" });
        let event = NewEvent { id: fence.grant(), kind: "lease.taken_over", schema: 1, payload };
        let write = StreamWrite {
            stream: StreamId::new("lease", "poller"),
            expected: Expected::Any,
            events: vec![event],
        };
        let commit = Commit { at: self.world.now(), writes: vec![write], ..Commit::default() };
        self.journal.append(commit).await.unwrap();
        self.poller.send(LeaseChanged { fence: Some(fence) }).await.unwrap();
    }

    pub(super) async fn revoke(&self) {
        self.poller.send(LeaseChanged { fence: None }).await.unwrap();
    }

    pub(super) async fn set_policy(&self, change: impl FnOnce(&mut Policy)) {
        let mut policy = Policy::clone(&self.deps.policy.load());
        policy.version += 1;
        change(&mut policy);
        let policy = Arc::new(policy);
        self.deps.policy.store(Arc::clone(&policy));
        self.poller.send(PolicyChanged(policy)).await.unwrap();
    }

    pub(in crate::poller) async fn drain(&self) {
        self.poller.send(Drain).await.unwrap();
    }

    pub(in crate::poller) async fn status(&self) -> PollerStatus {
        self.poller.send(GetPollerStatus).await.unwrap()
    }

    /// All events, oldest first.
    pub(super) async fn events(&self) -> Vec<Recorded> {
        self.journal.read_log(0, usize::MAX).await.unwrap()
    }

    /// Identities of the mails in the journal, in order of admission.
    pub(in crate::poller) async fn received(&self) -> Vec<String> {
        let events = self.events().await;
        let received = events.iter().filter(|event| event.kind == "mail.received");
        received.map(|event| event.stream.key().to_owned()).collect()
    }

    pub(super) async fn count(&self, kind: &str) -> usize {
        self.events().await.iter().filter(|event| event.kind == kind).count()
    }

    pub(in crate::poller) async fn flag_rows(&self) -> usize {
        self.journal.outbox(Queue::Flag, usize::MAX).await.unwrap().len()
    }
}

/// Waits until something is so, in real time.
pub(in crate::poller) async fn until(mut so: impl AsyncFnMut() -> bool) {
    for _ in 0..600 {
        if so().await {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("it never came true");
}

/// Lets virtual time pass.
pub(super) async fn pass(seconds: f64) {
    sleep(Duration::from_secs_f64(seconds)).await;
}

pub(super) fn policy() -> Policy {
    let policy = samples::policy();
    Policy {
        schedule: Schedule { end_hour: 24, ..policy.schedule },
        max_email_bytes: Some(1_000_000),
        allow_without_links: true,
        ..policy
    }
}
