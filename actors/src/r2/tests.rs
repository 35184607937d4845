use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::Addr;
use async_trait::async_trait;
use chrono::DateTime;
use serde_json::json;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::status::GetR2Status;
use super::*;
use crate::kernel::event::{DomainEvent, Recorded};
use crate::kernel::guardian::{Guardian, Restarts};
use crate::kernel::journal::memory::{Fault, FaultPoint, Faults, MemoryJournal};
use crate::kernel::journal::{Commit, Due, Expected, OutboxAdd, OutboxRow, Queue, StreamWrite};
use crate::mail::life::{
    Location, MailDuplicated, MailEvent, MailReceived, MailRouted, RoutedDelivery, mail_stream,
};
use crate::mail::outbox_rows::{DeliverMeta, Draft, DraftMeta, InWindow, draft_row};
use crate::mail::policy::Policy;
use crate::mail::{Link, Mail, Outcome, Planned, Verdict, samples};
use crate::messages::{Drain, PolicyChanged};

/// Behaves as the link says.
#[derive(Default)]
struct FakeStore {
    calls: AtomicUsize,
    now: AtomicUsize,
    most: AtomicUsize,
    /// So many tries at a link that says so fail for a reason that passes.
    away: AtomicUsize,
    /// Makes the upkeep panic.
    trouble: tokio::sync::Notify,
}

#[async_trait]
impl LinkStore for FakeStore {
    async fn offload(&self, job: Job) -> Result<Copied, NoCopy> {
        let first = self.calls.fetch_add(1, Ordering::SeqCst) == 0;
        self.most.fetch_max(self.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let url = job.source.url.as_str();
        let answer = if url.contains("hang") || (first && url.contains("stuck")) {
            std::future::pending::<()>().await;
            Err(NoCopy::lasting("never"))
        } else if url.contains("panic") {
            panic!("injected")
        } else if url.contains("away") && self.away.load(Ordering::SeqCst) > 0 {
            self.away.fetch_sub(1, Ordering::SeqCst);
            // It may ask for more time than there is.
            let asked = url.contains("long").then_some(chrono::DateTime::<chrono::Utc>::MAX_UTC);
            Err(NoCopy::passing("the Worker answered 503", asked))
        } else if url.contains("bad") {
            Err(NoCopy::lasting("refused"))
        } else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let r2_url = format!("https://media.example.com/{}", job.email_id);
            Ok(Copied {
                source_url: url.to_owned(),
                r2_url,
                original_filename: Some("a.zip".to_owned()),
                expires_at: None,
            })
        };
        self.now.fetch_sub(1, Ordering::SeqCst);
        answer
    }

    async fn look_after(&self) {
        self.trouble.notified().await;
        panic!("injected");
    }
}

fn policy() -> Policy {
    Policy { offload: true, retention: Duration::from_secs(3600), ..samples::policy() }
}

fn link(url: &str) -> Link {
    Link {
        provider: "dropbox".to_owned(),
        raw_url: url.to_owned(),
        direct_url: None,
        r2_url: None,
        original_filename: None,
    }
}

fn location(item: &str) -> Location {
    Location { mailbox: "inbox".to_owned(), validity: 1, item: item.to_owned() }
}

/// A journal, a store and a running actor.
struct Bench {
    world: World,
    journal: Arc<MemoryJournal>,
    store: Arc<FakeStore>,
    deps: R2Deps,
}

type Running = (Addr<R2Actor>, AbortOnDropHandle<()>);

impl Bench {
    fn new(faults: Option<Arc<dyn Faults>>) -> Self {
        let world = World::seeded(DateTime::UNIX_EPOCH, 7);
        let projections = crate::readmodel::all();
        let journal = Arc::new(match faults {
            Some(faults) => MemoryJournal::with_faults(world.clone(), projections, faults),
            None => MemoryJournal::new(world.clone(), projections),
        });
        let store = Arc::new(FakeStore::default());
        let deps = R2Deps {
            world: world.clone(),
            journal: journal.clone(),
            policy: Arc::new(arc_swap::ArcSwap::from_pointee(policy())),
            worker: "w".to_owned(),
            store: store.clone(),
            // Nothing is used again.
            copies: Copies { retention: Some(Duration::ZERO), ..Copies::default() },
            links_per_mail: LINKS_PER_MAIL,
            patience: COPIES_PATIENCE,
        };
        Self { world, journal, store, deps }
    }

    fn start(&self) -> Running {
        let deps = self.deps.clone();
        let (notices, _) = tokio::sync::mpsc::unbounded_channel();
        Guardian::start("r2", Restarts::default(), self.world.clone(), notices, |_| R2Actor::new(deps))
    }

    async fn append(&self, commit: Commit) {
        crate::kernel::journal::persist::persist(self.journal.as_ref(), &self.world, commit)
            .await
            .expect("appended");
    }

    /// A mail with these links, routed to the default target, waits for its offload.
    async fn mail(&self, id: &str, urls: &[&str]) {
        self.mail_saying(id, urls, String::new()).await;
    }

    /// The same, with this text.
    async fn mail_saying(&self, id: &str, urls: &[&str], plain: String) {
        let links: Vec<Link> = urls.iter().map(|url| link(url)).collect();
        let received = MailEvent::Received(MailReceived {
            email_id: id.to_owned(),
            location: location("1"),
            sender: "studio@example.fr".to_owned(),
            subject: "Lot".to_owned(),
            size: 1,
            arrived_at: None,
            subject_group: String::new(),
            flaws: Vec::new(),
            content: None,
            other_content_of: None,
            copy_of: None,
            authentication: None,
        });
        let routed = MailEvent::Routed(MailRouted {
            detection: None,
            links: links.clone(),
            deliveries: vec![RoutedDelivery {
                target: "default".to_owned(),
                rule: None,
                share: crate::mail::policy::Share::All,
            }],
            offload: true,
            priority: crate::mail::policy::Priority::Medium,
            text: None,
            configuration: None,
        });
        let mail = Mail {
            email_id: id.to_owned(),
            message_id: String::new(),
            subject: "Lot".to_owned(),
            date: String::new(),
            from: String::new(),
            sender: "studio@example.fr".to_owned(),
            plain,
            html: String::new(),
            text: String::new(),
            has_attachment: false,
            size: 1,
            flaws: Vec::new(),
            arrived: None,
            automatic: None,
            pushed: false,
            authentication: Vec::new(),
        };
        let planned = Planned {
            target: "default".to_owned(),
            rule: None,
            time_start: None,
            time_end: None,
            in_window: true,
            share: crate::mail::policy::Share::All,
        };
        let outcome = Outcome::Deliver { deliveries: vec![planned] };
        let draft = Draft { mail, verdict: Verdict { detection: None, links, outcome } };
        let meta = DraftMeta {
            told: false,
            stranger: None,
            waiting: None,
            email_id: id.to_owned(),
            mail_version: 2,
            locations: vec![location("1")],
            released: false,
            returned: 0,
            cancelled: Vec::new(),
        };
        let now = self.world.now();
        let (row, body) =
            draft_row(Queue::Offload, &draft, &meta, Due::At(now), now + chrono::Duration::days(1));
        let events = [received, routed];
        let new = |event: &MailEvent| event.to_new(self.world.ids.next()).expect("encodes");
        self.append(Commit {
            at: now,
            writes: vec![StreamWrite {
                stream: mail_stream(id),
                expected: Expected::NoStream,
                events: events.iter().map(new).collect(),
            }],
            add: vec![row],
            bodies: vec![body],
            ..Commit::default()
        })
        .await;
    }

    async fn rows(&self, queue: Queue) -> Vec<OutboxRow> {
        loop {
            if let Ok(rows) = self.journal.outbox(queue, 10_000).await {
                return rows;
            }
        }
    }

    async fn link_events(&self, id: &str) -> Vec<Recorded> {
        loop {
            if let Ok(events) = self.journal.read_stream(&mail_stream(id), 2).await {
                return events
                    .into_iter()
                    .filter(|event| event.kind.starts_with("link.") || event.kind == "links.deferred")
                    .collect();
            }
        }
    }

    async fn kinds(&self, id: &str) -> Vec<String> {
        self.link_events(id).await.into_iter().map(|event| event.kind).collect()
    }

    /// Lets virtual time pass until the queue holds so many rows.
    async fn until_left(&self, rows: usize, within: Duration) {
        let end = tokio::time::Instant::now() + within;
        while self.rows(Queue::Offload).await.len() > rows {
            assert!(
                tokio::time::Instant::now() < end,
                "still waiting: {:?}",
                self.rows(Queue::Offload).await
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Runs a test on an actix system with virtual time.
fn run<F: Future<Output = ()>>(test: impl FnOnce() -> F) {
    actix_rt::System::new().block_on(async {
        tokio::time::pause();
        test().await;
    });
}

const SOON: Duration = Duration::from_secs(2);

#[test]
fn every_link_ends_and_the_webhooks_go_out() {
    run(|| async {
        let bench = Bench::new(None);
        let (actor, _running) = bench.start();
        bench.mail("a", &["https://ok", "https://bad", "https://panic"]).await;
        bench.until_left(0, SOON).await;

        assert_eq!(bench.kinds("a").await, ["link.offloaded", "link.kept", "link.kept"]);
        let delivers = bench.rows(Queue::Deliver).await;
        assert_eq!(delivers.len(), 1);
        let meta: DeliverMeta = serde_json::from_value(delivers[0].meta.clone()).expect("meta");
        assert_eq!((meta.email_id.as_str(), meta.mail_version, meta.siblings), ("a", 5, 1));
        assert_eq!((meta.locations, meta.window), (vec![location("1")], InWindow::Bound));
        assert!(matches!(delivers[0].due, Due::At(at) if at <= bench.world.now()));
        assert!(bench.journal.body("delivery/a/default").await.expect("read").is_some());
        let status = actor.send(GetR2Status).await.expect("answer");
        assert_eq!((status.in_flight, status.copied, status.kept, status.parked), (0, 1, 2, 0));
    });
}

#[test]
fn of_many_links_so_many_are_tried_and_the_others_are_one_fact() {
    run(|| async {
        let bench = Bench::new(None);
        let (actor, _running) = bench.start();
        let long = format!("https://www.dropbox.com/s/{}", "a".repeat(plan::LONGEST));
        let mut urls: Vec<String> = (0..2_000).map(|n| format!("https://ok/{n}")).collect();
        urls.insert(7, long);
        bench.mail("a", &urls.iter().map(String::as_str).collect::<Vec<_>>()).await;
        // Of two mails at once, each has as many.
        bench.mail("b", &["https://ok/b"]).await;
        bench.until_left(0, SOON).await;

        assert_eq!(bench.store.calls.load(Ordering::SeqCst), LINKS_PER_MAIL + 1);
        let events = bench.link_events("a").await;
        assert_eq!(events.len(), LINKS_PER_MAIL);
        assert!(events.iter().all(|event| event.kind == "link.offloaded"));
        let all = bench.journal.read_stream(&mail_stream("a"), 2).await.expect("read");
        let kept: Vec<_> = all.iter().filter(|event| event.kind == "links.kept").collect();
        assert_eq!(kept.iter().map(|event| &event.payload["count"]).collect::<Vec<_>>(), [1, 1_950]);
        let body = bench.journal.body("delivery/a/default").await.expect("read").expect("a body");
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        let links = body["delivery_links"].as_array().expect("links");
        assert_eq!(links.len(), 2_001, "none is lost");
        assert!(links.iter().all(|link| link["direct_url"] == link["raw_url"]));
        assert_eq!(links.iter().filter(|link| link["r2_url"].is_string()).count(), LINKS_PER_MAIL);
        let status = actor.send(GetR2Status).await.expect("answer");
        assert_eq!((status.copied, status.kept), (51, 1_951));
    });
}

#[test]
fn a_mail_waits_for_a_worker_that_is_away_for_a_while() {
    run(|| async {
        let bench = Bench::new(None);
        bench.store.away.store(3, Ordering::SeqCst);
        let (actor, _running) = bench.start();
        bench.mail("a", &["https://away", "https://ok"]).await;
        bench.mail("b", &["https://ok"]).await;
        bench.until_left(1, SOON).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let status = actor.send(GetR2Status).await.expect("answer");
        assert_eq!((status.put_off, status.trouble.as_deref()), (1, Some("the Worker answered 503")));
        // About 5 + 10 + 20 seconds later.
        bench.until_left(0, Duration::from_secs(50)).await;
        assert_eq!(bench.kinds("a").await, ["links.deferred", "link.offloaded", "link.offloaded"]);
        assert_eq!(bench.rows(Queue::Deliver).await.len(), 2);
        let status = actor.send(GetR2Status).await.expect("answer");
        assert_eq!((status.put_off, status.trouble, status.kept), (0, None, 0));
    });
}

#[test]
fn a_worker_that_stays_away_costs_the_copies_and_not_the_mail() {
    run(|| async {
        let bench = Bench::new(None);
        bench.store.away.store(usize::MAX, Ordering::SeqCst);
        let (_actor, _running) = bench.start();
        bench.mail("a", &["https://away"]).await;
        tokio::time::sleep(COPIES_PATIENCE - Duration::from_secs(30)).await;
        assert_eq!(bench.kinds("a").await, ["links.deferred"]);
        bench.until_left(0, Duration::from_secs(60)).await;
        assert_eq!(bench.kinds("a").await, ["links.deferred", "link.kept"]);
        let calls = bench.store.calls.load(Ordering::SeqCst);
        assert!((12..=16).contains(&calls), "{calls} tries in ten minutes");
    });
}

#[test]
fn a_mail_that_is_put_off_for_long_is_told_for_as_long_as_it_waits() {
    run(|| async {
        let bench = Bench::new(None);
        bench.store.away.store(1, Ordering::SeqCst);
        let (actor, _running) = bench.start();
        bench.mail("a", &["https://away/long"]).await;
        tokio::time::sleep(COPIES_PATIENCE - Duration::from_secs(30)).await;
        let status = actor.send(GetR2Status).await.expect("answer");
        assert_eq!((status.put_off, status.trouble.as_deref()), (1, Some("the Worker answered 503")));
        bench.until_left(0, Duration::from_secs(60)).await;
        assert_eq!(bench.kinds("a").await, ["links.deferred", "link.offloaded"]);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(actor.send(GetR2Status).await.expect("answer").put_off, 0);
    });
}

#[test]
fn a_hanging_transfer_does_not_stop_the_others() {
    run(|| async {
        let bench = Bench::new(None);
        let (_actor, _running) = bench.start();
        bench.mail("slow", &["https://www.dropbox.com/scl/fo/hang"]).await;
        for n in 0..200 {
            bench.mail(&format!("m{n}"), &[&format!("https://ok/{n}")]).await;
        }
        bench.until_left(1, SOON).await;
        assert!(bench.kinds("slow").await.is_empty());
        assert!(bench.store.most.load(Ordering::SeqCst) > 8, "transfers run side by side");
        bench.until_left(0, Duration::from_secs(130)).await;
        assert_eq!(bench.kinds("slow").await, ["link.kept"]);
        assert_eq!(bench.rows(Queue::Deliver).await.len(), 201);
    });
}

#[test]
fn a_further_copy_seen_meanwhile_is_marked_too() {
    run(|| async {
        let bench = Bench::new(None);
        bench.mail("a", &["https://ok"]).await;
        let duplicated = MailEvent::Duplicated(MailDuplicated { location: location("2") });
        bench
            .append(Commit {
                at: bench.world.now(),
                writes: vec![StreamWrite {
                    stream: mail_stream("a"),
                    expected: Expected::Exact(2),
                    events: vec![duplicated.to_new(bench.world.ids.next()).expect("encodes")],
                }],
                ..Commit::default()
            })
            .await;
        let (_actor, _running) = bench.start();
        bench.until_left(0, SOON).await;
        let delivers = bench.rows(Queue::Deliver).await;
        let meta: DeliverMeta = serde_json::from_value(delivers[0].meta.clone()).expect("meta");
        assert_eq!((meta.mail_version, meta.locations), (4, vec![location("1"), location("2")]));
        assert_eq!(bench.store.calls.load(Ordering::SeqCst), 1, "the transfer is not repeated");
    });
}

#[test]
fn switched_off_it_lets_mails_pass() {
    run(|| async {
        let bench = Bench::new(None);
        let off = Arc::new(Policy { offload: false, version: 2, ..policy() });
        bench.deps.policy.store(off.clone());
        let (actor, _running) = bench.start();
        actor.send(PolicyChanged(off)).await.expect("answer");
        bench.mail("a", &["https://ok"]).await;
        bench.until_left(0, SOON).await;
        assert_eq!(bench.kinds("a").await, ["link.kept"]);
        assert_eq!(bench.rows(Queue::Deliver).await.len(), 1);
        assert_eq!(bench.store.calls.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn a_row_that_cannot_be_read_is_put_aside() {
    run(|| async {
        let bench = Bench::new(None);
        let broken = |key: &str, meta| OutboxAdd {
            queue: Queue::Offload,
            key: key.to_owned(),
            partition: "mail".to_owned(),
            order_key: None,
            due: Due::At(bench.world.now()),
            meta,
            body_key: None,
        };
        let no_draft = json!({ "email_id": "y", "mail_version": 2, "locations": [] });
        let add = vec![broken("x", json!({})), broken("y", no_draft)];
        bench.append(Commit { at: bench.world.now(), add, ..Commit::default() }).await;
        bench.mail("a", &["https://ok"]).await;
        let (actor, _running) = bench.start();
        bench.until_left(2, SOON).await;
        tokio::time::sleep(Duration::from_secs(600)).await;
        let rows = bench.rows(Queue::Offload).await;
        assert!(rows.len() == 2 && rows.iter().all(|row| row.due == Due::Parked), "{rows:?}");
        assert_eq!(actor.send(GetR2Status).await.expect("answer").parked, 2);
    });
}

#[test]
fn a_restart_gives_back_what_was_under_way() {
    run(|| async {
        let bench = Bench::new(None);
        let (_actor, _running) = bench.start();
        bench.mail("one", &["https://stuck"]).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(bench.rows(Queue::Offload).await[0].claimed);
        bench.store.trouble.notify_one();
        // Not the half hour that the largest file may take.
        bench.until_left(0, SOON).await;
    });
}

#[test]
fn a_drain_gives_back_what_does_not_end() {
    run(|| async {
        let bench = Bench::new(None);
        let (actor, running) = bench.start();
        bench.mail("quick", &["https://ok"]).await;
        bench.mail("slow", &["https://hang"]).await;
        bench.until_left(1, SOON).await;
        let started = tokio::time::Instant::now();
        actor.send(Drain).await.expect("answer");
        assert!(started.elapsed() < Duration::from_secs(10));
        let rows = bench.rows(Queue::Offload).await;
        assert!(rows.len() == 1 && !rows[0].claimed, "{rows:?}");

        // Nothing new is started, by the drained actor at least.
        bench.mail("late", &["https://ok"]).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(bench.rows(Queue::Offload).await.len(), 2);
        drop(running);
        let (_actor, _running) = bench.start();
        bench.until_left(0, Duration::from_secs(30)).await;
    });
}

#[test]
fn what_a_dead_worker_held_comes_back() {
    run(|| async {
        let bench = Bench::new(None);
        for n in 0..50 {
            bench.mail(&format!("m{n}"), &["https://ok", "https://bad"]).await;
        }
        let (_actor, running) = bench.start();
        tokio::time::sleep(Duration::from_millis(30)).await;
        drop(running);
        bench.journal.crash(3);
        let (_actor, _running) = bench.start();
        bench.until_left(0, Duration::from_secs(600)).await;
        for n in 0..50 {
            assert_eq!(bench.kinds(&format!("m{n}")).await, ["link.offloaded", "link.kept"], "m{n}");
        }
        assert_eq!(bench.rows(Queue::Deliver).await.len(), 50);
    });
}

impl Bench {
    /// A worker claims everything and dies.
    async fn die_with_everything(&self) {
        let request = crate::kernel::journal::ClaimRequest {
            queue: Queue::Offload,
            now: self.world.now(),
            lease: Duration::from_secs(60),
            limit: 1_000,
            partition_default: 1_000,
            per_partition: std::collections::HashMap::new(),
            bodies: crate::kernel::journal::BodyBudget::default(),
        };
        self.journal.claim(request).await.expect("claimed");
        tokio::time::sleep(Duration::from_secs(61)).await;
    }

    /// The events of a mail behind its admission.
    async fn story(&self, id: &str) -> Vec<String> {
        let events = self.journal.read_stream(&mail_stream(id), 2).await.expect("read");
        events.into_iter().map(|event| event.kind).collect()
    }
}

#[test]
fn a_mail_is_set_aside_only_when_a_worker_died_while_it_read_it_alone() {
    run(|| async {
        let bench = Bench::new(None);
        for n in 0..20 {
            bench.mail(&format!("m{n}"), &["https://ok"]).await;
        }
        // However often workers die of other things, with all of them.
        for _ in 0..3 {
            bench.die_with_everything().await;
        }
        // One of them was being read alone when three of them did, another by chance twice.
        for (mail, deaths) in [("m7", 3), ("m8", 2)] {
            let suspected = |claims| {
                let fact = crate::mail::life::MailSuspected { queue: "offload".to_owned(), claims };
                MailEvent::Suspected(fact).to_new(bench.world.ids.next()).expect("encodes")
            };
            let suspect = Commit {
                at: bench.world.now(),
                writes: vec![StreamWrite {
                    stream: mail_stream(mail),
                    expected: Expected::Exact(2),
                    events: (0..deaths).map(suspected).collect(),
                }],
                ..Commit::default()
            };
            bench.append(suspect).await;
        }
        let (actor, running) = bench.start();
        bench.until_left(1, SOON).await;
        assert_eq!(bench.rows(Queue::Deliver).await.len(), 19);
        assert_eq!(bench.story("m1").await, ["mail.suspected", "mail.cleared", "link.offloaded"]);
        assert_eq!(bench.story("m7").await[2..], ["mail.suspected", "mail.set_aside"]);
        assert_eq!(bench.story("m8").await[2..], ["mail.suspected", "mail.cleared", "link.offloaded"]);
        tokio::time::sleep(Duration::from_secs(600)).await;
        let rows = bench.rows(Queue::Offload).await;
        assert!(rows.len() == 1 && rows[0].due == Due::Parked, "{rows:?}");
        assert_eq!(actor.send(GetR2Status).await.expect("answer").parked, 1);

        // An operator wants it tried again; it was innocent.
        crate::dedup::release::release(bench.journal.as_ref(), &bench.world, "m7", "cli")
            .await
            .expect("resumed");
        bench.until_left(0, SOON).await;
        assert_eq!(bench.story("m7").await[4..], ["mail.resumed", "link.offloaded"]);
        assert_eq!(bench.rows(Queue::Deliver).await.len(), 20);
        drop(running);
    });
}

#[test]
fn drafts_that_wait_for_their_files_are_not_in_memory_and_are_sent_whole() {
    run(|| async {
        let bench = Bench::new(None);
        let text = "0123456789abcdef".repeat(1 << 16);
        // Six times what may wait to be read; a transfer of it may take hours.
        for n in 0..24 {
            let url = if n % 4 == 0 { format!("https://ok/{n}") } else { format!("https://hang/{n}") };
            bench.mail_saying(&format!("m{n}"), &[&url], text.repeat(4)).await;
        }
        bench.mail("light", &["https://ok"]).await;
        let (_actor, _running) = bench.start();
        bench.until_left(18, Duration::from_secs(20)).await;
        assert_eq!(bench.store.now.load(Ordering::SeqCst), 18, "the others are all under way");
        assert_eq!(bench.rows(Queue::Deliver).await.len(), 7);
        let body = bench.journal.body("delivery/m8/default").await.expect("read").expect("a body");
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(body["delivery_links"][0]["r2_url"], "https://media.example.com/m8");
        assert!(body["email_content"].as_str().is_some_and(|content| content.contains(&text.repeat(4))));
    });
}

/// Commits take their time.
struct SlowCommits(std::sync::atomic::AtomicBool);

impl Faults for SlowCommits {
    fn next(&self, point: FaultPoint) -> Fault {
        match point {
            FaultPoint::Append if self.0.load(Ordering::SeqCst) => Fault::Delay(Duration::from_secs(5)),
            _ => Fault::Ok,
        }
    }
}

#[test]
fn after_a_death_heavy_mails_are_claimed_one_at_a_time() {
    run(|| async {
        let slow = Arc::new(SlowCommits(false.into()));
        let bench = Bench::new(Some(slow.clone()));
        let text = "word ".repeat(40_000);
        for n in 0..5 {
            bench.mail_saying(&format!("m{n}"), &[&format!("https://hang/{n}")], text.clone()).await;
        }
        bench.die_with_everything().await;
        slow.0.store(true, Ordering::SeqCst);
        let (_actor, _running) = bench.start();
        let mut claimed = Vec::new();
        for _ in 0..12 {
            tokio::time::sleep(Duration::from_secs(5)).await;
            claimed.push(bench.rows(Queue::Offload).await.iter().filter(|row| row.claimed).count());
        }
        // Each is noted, read and noted again before the next one is claimed.
        assert_eq!(claimed.first(), Some(&1));
        assert!(claimed.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{claimed:?}");
        assert!(claimed.iter().max() >= Some(&3), "{claimed:?}");
    });
}

#[test]
fn a_mail_that_was_given_back_is_no_suspect() {
    run(|| async {
        let bench = Bench::new(None);
        for round in 0..3 {
            let (actor, running) = bench.start();
            if round == 0 {
                bench.mail("a", &["https://hang"]).await;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            actor.send(Drain).await.expect("answer");
            drop(running);
        }
        let (_actor, _running) = bench.start();
        bench.until_left(0, Duration::from_secs(60)).await;
        assert_eq!(bench.story("a").await, ["link.kept"]);
    });
}

/// One operation in three goes wrong, in every way.
struct Storm(Mutex<u64>);

impl Faults for Storm {
    fn next(&self, _: FaultPoint) -> Fault {
        let mut state = self.0.lock().expect("lock");
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        match (*state >> 33) % 12 {
            0 => Fault::Rejected,
            1 => Fault::IndeterminateWritten,
            2 => Fault::IndeterminateNotWritten,
            3 => Fault::Delay(Duration::from_millis(700)),
            _ => Fault::Ok,
        }
    }
}

#[test]
fn a_bad_journal_delays_but_loses_and_repeats_nothing() {
    for seed in 0..20 {
        run(|| async {
            let bench = Bench::new(Some(Arc::new(Storm(Mutex::new(seed)))));
            let (_actor, _running) = bench.start();
            for n in 0..20 {
                bench.mail(&format!("m{n}"), &["https://ok", "https://bad"]).await;
            }
            bench.until_left(0, Duration::from_secs(1200)).await;
            for n in 0..20 {
                let kinds = bench.kinds(&format!("m{n}")).await;
                assert_eq!(kinds, ["link.offloaded", "link.kept"], "seed {seed}, m{n}");
            }
            assert_eq!(bench.rows(Queue::Deliver).await.len(), 20, "seed {seed}");
        });
    }
}

#[test]
fn ids_of_events_are_not_shared() {
    run(|| async {
        let bench = Bench::new(None);
        let (_actor, _running) = bench.start();
        bench.mail("a", &["https://ok", "https://ok2"]).await;
        bench.until_left(0, SOON).await;
        let ids: Vec<Uuid> = bench.link_events("a").await.iter().map(|event| event.id).collect();
        assert!(ids.len() == 2 && ids[0] != ids[1]);
    });
}

impl Bench {
    /// Copies lie there for a day, and a list is kept of them.
    fn keeping(list: &std::path::Path) -> Self {
        let mut bench = Self::new(None);
        let bounds = links::book::Bounds { max_entries: 1_000, max_bytes: 0 };
        bench.deps.copies = Copies {
            retention: Some(Duration::from_secs(86_400)),
            list: Some(Arc::new(links::file::LinksFile::new(list, bounds))),
            ..Copies::default()
        };
        bench
    }

    /// Where the copies of a mail's links are from, as the journal has it.
    async fn sources(&self, id: &str) -> Vec<Option<String>> {
        let events = self.link_events(id).await;
        events.iter().map(|event| event.payload["reused_from"].as_str().map(str::to_owned)).collect()
    }
}

const SHARED: &str = "https://www.dropbox.com/scl/fo/a?dl=1&rlkey=k";

#[test]
fn a_link_that_was_copied_is_not_copied_again_while_its_copy_lasts() {
    run(|| async {
        let folder = tempfile::tempdir().expect("a folder");
        let bench = Bench::keeping(&folder.path().join("links.json"));
        let (actor, _running) = bench.start();
        bench.mail("a", &[SHARED]).await;
        bench.until_left(0, SOON).await;
        // Written in another way, beside a link that is new.
        bench.mail("b", &["https://www.Dropbox.com/scl/fo/a/?rlkey=k&amp;dl=0", "https://ok"]).await;
        bench.until_left(0, SOON).await;
        assert_eq!(bench.store.calls.load(Ordering::SeqCst), 2);
        assert_eq!(bench.sources("b").await, [Some("a".to_owned()), None]);
        let events = bench.link_events("b").await;
        assert_eq!(events[0].payload["r2_url"], "https://media.example.com/a");
        assert_eq!(events[0].payload["original_filename"], "a.zip");
        let body = bench.journal.body("delivery/b/default").await.expect("read").expect("a body");
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(body["delivery_links"][0]["r2_url"], "https://media.example.com/a");
        let status = actor.send(GetR2Status).await.expect("answer");
        assert_eq!((status.copied, status.reused, status.kept), (2, 1, 0));

        // Using it again has not made it younger: a day after the first copy it is gone.
        tokio::time::sleep(Duration::from_secs(22 * 3_600)).await;
        bench.mail("c", &[SHARED]).await;
        bench.until_left(0, SOON).await;
        assert_eq!(bench.sources("c").await, [None]);
        assert_eq!(bench.store.calls.load(Ordering::SeqCst), 3);
        bench.mail("d", &[SHARED]).await;
        bench.until_left(0, SOON).await;
        assert_eq!(bench.sources("d").await, [Some("c".to_owned())]);
    });
}

/// What the reference system has copied before is in the list only.
#[test]
fn a_copy_that_only_the_list_knows_is_used_while_it_lasts() {
    run(|| async {
        let folder = tempfile::tempdir().expect("a folder");
        let list = folder.path().join("links.json");
        let bench = Bench::keeping(&list);
        let now = bench.deps.world.now();
        let entry = |source: &str, copy: &str, hours: i64| {
            serde_json::json!({"source_url": source, "r2_url": copy, "provider": "dropbox",
                "created_at": (now - chrono::Duration::hours(hours)).to_rfc3339()})
        };
        let text = serde_json::json!([
            entry("https://www.dropbox.com/scl/fo/a?dl=0&rlkey=k", "https://media.example.com/theirs", 1),
            entry("https://ok/old", "https://media.example.com/gone", 23),
            entry("https://ok/plain", "http://media.example.com/plain", 1),
            {"url": "https://ok/legacy", "timestamp": "2025-10-17T10:30:00+02:00", "source": "webhook"},
        ]);
        std::fs::write(&list, text.to_string()).expect("written");
        let (actor, _running) = bench.start();
        bench.mail("a", &[SHARED, "https://ok/old", "https://ok/plain", "https://ok/legacy"]).await;
        bench.until_left(0, SOON).await;
        let listed = Some(links::lookup::LISTED.to_owned());
        assert_eq!(bench.sources("a").await, [listed.clone(), None, None, None]);
        assert_eq!(bench.link_events("a").await[0].payload["r2_url"], "https://media.example.com/theirs");
        assert_eq!(bench.store.calls.load(Ordering::SeqCst), 3, "the one that lies there was not fetched");
        let status = actor.send(GetR2Status).await.expect("answer");
        assert_eq!((status.copied, status.reused), (3, 1));
        // The others are the journal's by now.
        bench.mail("b", &[SHARED, "https://ok/old"]).await;
        bench.until_left(0, SOON).await;
        assert_eq!(bench.sources("b").await, [listed, Some("a".to_owned())]);
    });
}

#[test]
fn a_link_of_several_mails_at_once_is_fetched_once() {
    run(|| async {
        let folder = tempfile::tempdir().expect("a folder");
        let bench = Bench::keeping(&folder.path().join("links.json"));
        for n in 0..20 {
            let own = format!("https://ok/{n}");
            // The same link again, written in another way, and one that cannot be copied.
            let links = [SHARED, "https://www.Dropbox.com/scl/fo/a/?rlkey=k&amp;dl=0", &own, "https://bad"];
            bench.mail(&format!("m{n}"), &links).await;
        }
        let (actor, _running) = bench.start();
        bench.until_left(0, SOON).await;
        let status = actor.send(GetR2Status).await.expect("answer");
        assert_eq!(status.copied + status.reused, 60);
        assert_eq!(status.kept, 20);
        let mut firsts = Vec::new();
        for n in 0..20 {
            let id = format!("m{n}");
            let kinds = bench.kinds(&id).await;
            assert_eq!(kinds, ["link.offloaded", "link.offloaded", "link.offloaded", "link.kept"], "{id}");
            let from = bench.sources(&id).await;
            assert_eq!((&from[0], &from[2]), (&from[1], &None), "{id}: {from:?}");
            firsts.extend(from[0].is_none().then_some(id));
        }
        let [first] = &firsts[..] else { panic!("{firsts:?}") };
        for n in 0..20 {
            let events = bench.link_events(&format!("m{n}")).await;
            assert_eq!(events[0].payload["r2_url"], format!("https://media.example.com/{first}"));
        }
        // A failure is shared by those who waited for it, and by nobody after them.
        let calls = bench.store.calls.load(Ordering::SeqCst);
        assert!((22..=41).contains(&calls), "{calls}");
        bench.mail("later", &["https://bad"]).await;
        bench.until_left(0, SOON).await;
        assert_eq!(bench.store.calls.load(Ordering::SeqCst), calls + 1);
    });
}

#[test]
fn who_waits_for_a_copy_that_hangs_waits_no_longer_than_for_its_own() {
    run(|| async {
        let bench = Bench::new(None);
        let (_actor, _running) = bench.start();
        let hanging = "https://www.dropbox.com/scl/fo/hang";
        bench.mail("a", &[hanging]).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        bench.mail("b", &[hanging]).await;
        bench.until_left(0, Duration::from_secs(70)).await;
        assert_eq!(bench.kinds("b").await, ["link.kept"]);
        assert_eq!(bench.store.calls.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn the_list_follows_the_journal_and_is_complete_when_the_worker_stops() {
    run(|| async {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("links.json");
        let bench = Bench::keeping(&path);
        let addresses = || -> Vec<serde_json::Value> {
            let list: Vec<serde_json::Value> = std::fs::read(&path)
                .map_or_else(|_| Vec::new(), |text| serde_json::from_slice(&text).expect("a list"));
            list.iter().map(|entry| entry["email_id"].clone()).collect()
        };
        let (_actor, running) = bench.start();
        bench.mail("a", &["https://ok", "https://bad"]).await;
        bench.until_left(0, SOON).await;
        let end = tokio::time::Instant::now() + Duration::from_secs(60);
        while addresses().is_empty() {
            assert!(tokio::time::Instant::now() < end, "the list was not written");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(addresses(), ["a"]);

        // A crash before the next entry was written.
        bench.mail("b", &["https://ok2"]).await;
        bench.until_left(0, SOON).await;
        drop(running);
        let (actor, _running) = bench.start();
        bench.mail("c", &["https://ok3"]).await;
        bench.until_left(0, SOON).await;
        actor.send(Drain).await.expect("answer");
        assert_eq!(addresses(), ["a", "b", "c"]);
    });
}

#[test]
fn a_list_that_cannot_be_written_stops_nothing() {
    run(|| async {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("file"), "").expect("a file");
        let bench = Bench::keeping(&folder.path().join("file/links.json"));
        let (actor, _running) = bench.start();
        for n in 0..20 {
            bench.mail(&format!("m{n}"), &["https://ok"]).await;
        }
        bench.until_left(0, SOON).await;
        assert_eq!(bench.rows(Queue::Deliver).await.len(), 20);
        actor.send(Drain).await.expect("answer");
    });
}

#[test]
fn what_is_cancelled_while_links_are_copied_is_not_sent() {
    run(|| async {
        let bench = Bench::new(None);
        bench.store.away.store(1, Ordering::SeqCst);
        let (_actor, _running) = bench.start();
        bench.mail("hangs", &["https://www.dropbox.com/scl/fo/hang"]).await;
        bench.mail("waits", &["https://away"]).await;
        bench.mail("sent", &["https://ok"]).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(bench.kinds("waits").await, ["links.deferred"]);
        for id in ["hangs", "waits"] {
            let journal = bench.journal.as_ref();
            crate::webhook::cancel::cancel(journal, &bench.world, id, "default", "cli")
                .await
                .expect("cancelled");
        }
        bench.until_left(0, Duration::from_secs(600)).await;
        let left: Vec<_> = bench.rows(Queue::Deliver).await.into_iter().map(|row| row.key).collect();
        assert_eq!(left, ["sent/default"]);
        // Nothing is left to be sent of the two; all mails lie at the same place here.
        let marked: Vec<_> = bench.rows(Queue::Flag).await.into_iter().map(|row| row.key).collect();
        assert_eq!(marked, ["inbox/1/1"]);
    });
}
