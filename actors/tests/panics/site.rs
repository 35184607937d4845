//! Everything around the system: mailbox, receivers, lease, documents, journal. Nothing fails.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use chrono::{DateTime, TimeZone as _, Utc};
use render_signal_actors::config::GetConfigStatus;
use render_signal_actors::config::active::ActiveDocuments;
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::policy::EnvDefaults;
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::guardian::Restarts;
use render_signal_actors::kernel::journal::memory::MemoryJournal;
use render_signal_actors::kernel::journal::{Due, Journal as _, Queue};
use render_signal_actors::lock::GetLockStatus;
use render_signal_actors::mail::parse;
use render_signal_actors::poller::GetPollerStatus;
use render_signal_actors::r2::{COPIES_PATIENCE, Copies, LINKS_PER_MAIL};
use render_signal_actors::readmodel;
use render_signal_actors::system::{self, Parts, System};
use render_signal_actors::webhook::GetWebhookStatus;
use render_signal_actors::webhook::scheduler::DeliveryLimits;
use serde_json::json;

use crate::chaos::Chaos;
use crate::mailbox::{Message, Server};
use crate::ports::{Registry, SimDocuments, SimLease, SimLinks, SimReceiver};
use crate::receiver::Inbox;
use crate::rules::{Fate, Rules};
use crate::source::SimSource;
use crate::trap::Trap;

/// Longer than the claims on small work and the back-offs of a mail that failed once; shorter
/// than the claim on a large file, which an actor that restarts must not leave behind.
const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) struct Site {
    world: World,
    journal: Arc<MemoryJournal>,
    chaos: Chaos,
    server: Server,
    rules: Arc<Rules>,
    pub(crate) inbox: Inbox,
    registry: Registry,
    documents: SimDocuments,
    env: Arc<EnvDefaults>,
    arrived: AtomicU32,
}

impl Site {
    pub(crate) fn new() -> Self {
        let epoch: DateTime<Utc> = Utc.with_ymd_and_hms(2026, 1, 26, 8, 0, 0).unwrap();
        let world = World::seeded(epoch, 1);
        let chaos = Chaos::new(1);
        chaos.calm();
        let inbox = Inbox::default();
        let documents = SimDocuments::new(chaos.clone());
        documents.put(Key::ProcessingPrefs, json!({"rate_limit_per_hour": 0}));
        let site = Self {
            journal: Arc::new(MemoryJournal::new(world.clone(), readmodel::all())),
            world,
            chaos,
            server: Server::new(),
            rules: Arc::new(Rules::new(inbox.clone())),
            inbox,
            registry: Registry::default(),
            documents,
            env: Arc::new(EnvDefaults {
                senders: vec!["camille@ex.com".to_owned()],
                active_start_hour: 0,
                active_end_hour: 24,
                active_days: vec![0, 1, 2, 3, 4, 5, 6],
                webhook_url: "https://hook.example.com/recv".to_owned(),
                offload: true,
                ..EnvDefaults::default()
            }),
            arrived: AtomicU32::new(0),
        };
        site.arrive();
        site.arrive();
        site
    }

    /// Starts a worker of which one actor lives in a world with a trap.
    pub(crate) fn start(&self, worker: &str, actor: &'static str, trap: &Trap) -> System {
        let (plain, trapped) = (self.world.clone(), trap.set_in(&self.world));
        let worker = format!("panics/{worker}");
        let policy = ActiveDocuments::default().policy(&self.env, 1);
        system::start(&Parts {
            traced: false,
            worker: worker.clone(),
            version: "test".to_owned(),
            worlds: Arc::new(move |name| if name == actor { trapped.clone() } else { plain.clone() }),
            journal: self.journal.clone(),
            policy: Arc::new(ArcSwap::from_pointee(policy)),
            defaults: Arc::clone(&self.env),
            documents: Arc::new(self.documents.clone()),
            lease: Arc::new(SimLease { registry: self.registry.clone(), worker, chaos: self.chaos.clone() }),
            lease_ttl: Duration::from_secs(30),
            source: Some(Arc::new(SimSource {
                server: self.server.clone(),
                chaos: self.chaos.clone(),
                rules: Arc::clone(&self.rules),
            })),
            links: Arc::new(SimLinks(self.chaos.clone())),
            copies: Copies::default(),
            links_per_mail: LINKS_PER_MAIL,
            copies_patience: COPIES_PATIENCE,
            receiver: Arc::new(SimReceiver { inbox: self.inbox.clone(), chaos: self.chaos.clone() }),
            keys: None,
            limits: DeliveryLimits::default(),
            chores: Vec::new(),
            scenarios: None,
            restarts: Restarts::default(),
        })
    }

    /// A mail that is to be delivered.
    fn arrive(&self) {
        let label = self.arrived.fetch_add(1, Ordering::SeqCst);
        let raw = format!(
            "Message-ID: <{label}@ex>\r\nFrom: camille@ex.com\r\nSubject: Lot {label}\r\n\
             Date: Mon, 26 Jan 2026 10:00:00 +0100\r\n\r\nhttps://www.dropbox.com/scl/fo/a/{label}?rlkey=k&dl=0\r\n"
        );
        let email_id = parse::parse(raw.as_bytes()).unwrap().email_id;
        self.rules.expect(label, Fate::Delivered(vec![format!("msg_{email_id}_default")]));
        self.server.arrive(Message {
            raw: Bytes::from(raw),
            seen: false,
            arrived_at: self.world.now(),
            label,
        });
    }

    /// A mail, and somebody who asks how everything is. The answers do not matter here.
    pub(crate) async fn one_more(&self, system: &System) {
        self.arrive();
        self.ask(system).await;
    }

    async fn ask(&self, system: &System) {
        let probe = &system.probe;
        let (poller, lock) = (probe.poller.as_ref().unwrap(), probe.lock.as_ref().unwrap());
        drop(tokio::join!(
            probe.webhook.ask(GetWebhookStatus),
            probe.config.ask(GetConfigStatus),
            poller.ask(GetPollerStatus),
            lock.ask(GetLockStatus),
        ));
    }

    /// Mails arrive while the operator switches the sending off and on again.
    pub(crate) async fn mails_come(&self, system: &System) {
        for second in 0..12 {
            match second {
                3 => self.documents.put(Key::WebhookConfig, json!({"webhook_sending_enabled": false})),
                8 => self.documents.put(Key::WebhookConfig, json!({"webhook_sending_enabled": true})),
                n if n % 2 == 0 => self.arrive(),
                _ => {}
            }
            tokio::time::sleep(Duration::from_millis(990)).await;
            self.ask(system).await;
        }
    }

    /// Waits until every mail is delivered and marked as read, and nothing is left to do.
    pub(crate) async fn until_settled(&self, system: &System) {
        let began = tokio::time::Instant::now();
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.ask(system).await;
            let Some(why) = self.unsettled().await else { return };
            assert!(began.elapsed() < PATIENCE, "{why}");
        }
    }

    async fn unsettled(&self) -> Option<String> {
        if let Some(id) = self.expected().iter().find(|id| !self.inbox.has(id)) {
            return Some(format!("{id} was not delivered"));
        }
        if self.server.with(|state| state.messages.values().any(|mail| !mail.seen)) {
            return Some("a mail is not marked as read".to_owned());
        }
        for queue in Queue::ALL {
            let rows = self.journal.outbox(queue, 100).await.unwrap();
            assert!(rows.iter().all(|row| row.due != Due::Parked), "nothing is put aside: {rows:?}");
            if let Some(row) = rows.first() {
                return Some(format!("a row is left in {queue}: {}", row.key));
            }
        }
        None
    }

    /// The `webhook-id`s that must have been sent.
    pub(crate) fn expected(&self) -> BTreeSet<String> {
        let ids = |fate| if let Fate::Delivered(ids) = fate { ids } else { Vec::new() };
        self.rules.fates().into_values().flat_map(ids).collect()
    }

    /// What was received, by `webhook-id`.
    pub(crate) fn bodies(&self) -> BTreeMap<String, Bytes> {
        self.inbox.all().into_iter().map(|(id, seen)| (id, seen.body)).collect()
    }

    /// The actors that were restarted, as the journal has it.
    pub(crate) async fn restarted(&self) -> Vec<String> {
        let log = self.journal.read_log(0, usize::MAX).await.unwrap();
        log.iter()
            .filter(|event| event.kind == "worker.actor_restarted")
            .map(|event| event.payload["actor"].as_str().expect("a name").to_owned())
            .collect()
    }
}
