mod speed;
mod views;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::{Value, json};
use uuid::Uuid;

use super::queries::{self, DeliveryFilter, MailFilter};
use super::*;
use crate::kernel::event::StreamId;
use crate::kernel::projection::{content_hash, prepare, reset};
use crate::registry;
use crate::registry::tests::golden_files;

/// A log and its read models.
struct Log {
    db: Connection,
    projections: Projections,
    events: Vec<Recorded>,
    /// Position of the last event.
    head: u64,
    /// When it happened; the next happens a second later.
    at: DateTime<Utc>,
}

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_770_105_600, 0).expect("2026-02-03T08:00:00Z")
}

impl Log {
    fn new() -> Self {
        let db = Connection::open_in_memory().expect("sqlite");
        let projections = all();
        prepare(&db, &projections).expect("tables");
        Self { db, projections, events: Vec::new(), head: 0, at: start() }
    }

    /// Appends an event as it is written today, a second after the one before.
    fn add(&mut self, stream: &str, kind: &str, payload: Value) -> &mut Self {
        let declared = registry::all_kinds().into_iter().find(|declared| declared.kind == kind);
        self.add_as(stream, kind, declared.map_or(1, |declared| declared.schema), payload)
    }

    /// The same, as an event of this schema.
    fn add_as(&mut self, stream: &str, kind: &str, schema: u16, payload: Value) -> &mut Self {
        self.head += 1;
        self.at += TimeDelta::seconds(1);
        let position = self.head;
        let version = self.events.iter().filter(|event| event.stream.as_str() == stream).count() as u64 + 1;
        let event = Recorded {
            position,
            id: Uuid::nil(),
            stream: StreamId::from_stored(stream),
            version,
            kind: kind.to_owned(),
            schema,
            at: self.at,
            cause: None,
            payload,
        };
        for projection in self.projections.iter() {
            projection.apply(&self.db, &FedEvent::new(&event)).expect("an event never fails");
        }
        self.events.push(event);
        self
    }

    fn hashes(&self) -> Vec<String> {
        let projections = self.projections.iter();
        projections.map(|projection| content_hash(&self.db, projection.as_ref()).expect("hash")).collect()
    }

    /// Drops every table and takes the whole log in again.
    fn rebuild(&self) {
        for projection in self.projections.iter() {
            reset(&self.db, projection.as_ref()).expect("reset");
            for event in &self.events {
                projection.apply(&self.db, &FedEvent::new(event)).expect("an event never fails");
            }
        }
    }

    fn received(&mut self, id: &str, uid: u64) -> &mut Self {
        self.add(
            &format!("mail-{id}"),
            "mail.received",
            json!({
                "email_id": id, "location": { "mailbox": "inbox", "validity": 7, "item": uid.to_string() },
                "sender": "studio@example.fr", "subject": format!("Lot {uid}"), "size": 10,
                "arrived_at": "2026-02-03T07:59:59.5Z", "subject_group": "lot",
            }),
        )
    }

    fn routed(&mut self, id: &str, targets: &[&str]) -> &mut Self {
        let deliveries: Vec<Value> = targets.iter().map(|target| json!({ "target": target })).collect();
        self.add(
            &format!("mail-{id}"),
            "mail.routed",
            json!({
                "detection": { "detector": "recadrage", "delivery_time": "11h51", "urgent": true },
                "links": [{ "provider": "dropbox", "raw_url": "https://a" }],
                "deliveries": deliveries, "offload": false,
                "configuration": { "webhook_config": "0123456789ab", "routing_rules": "0123456789ab" },
            }),
        )
    }

    fn attempted(&mut self, id: &str, target: &str, attempt: u64, error: Option<&str>) -> &mut Self {
        let mut payload = json!({
            "email_id": id, "target": target, "attempt": attempt, "url": "https://h/***", "took_ms": 3,
        });
        payload["status"] = json!(if error.is_some() { 503 } else { 200 });
        if let Some(error) = error {
            payload["error"] = json!(error);
        }
        self.add(&format!("delivery-{id}-{target}"), "delivery.attempted", payload)
    }

    fn of_delivery(&mut self, id: &str, target: &str, kind: &str, more: &Value) -> &mut Self {
        let mut payload = json!({ "email_id": id, "target": target });
        for (name, value) in more.as_object().expect("an object") {
            payload[name] = value.clone();
        }
        self.add(&format!("delivery-{id}-{target}"), kind, payload)
    }

    fn settled(&mut self, id: &str, target: &str, end: &str) -> &mut Self {
        self.add(&format!("mail-{id}"), "mail.settled", json!({ "target": target, "end": end }))
    }
}

/// One mail of each fate.
fn day() -> Log {
    let mut log = Log::new();
    log.received("a", 1).routed("a", &["default", "rule-1"]);
    log.attempted("a", "default", 1, None);
    log.of_delivery("a", "default", "delivery.succeeded", &json!({ "status": 200, "attempts": 1 }));
    log.settled("a", "default", "delivered");
    log.attempted("a", "rule-1", 1, Some("503"));
    log.of_delivery(
        "a",
        "rule-1",
        "delivery.deferred",
        &json!({ "until": "2026-02-03T09:00:00Z", "why": "retry" }),
    );
    log.attempted("a", "rule-1", 2, Some("503"));
    log.of_delivery("a", "rule-1", "delivery.dead_lettered", &json!({ "why": "gone", "attempts": 2 }));
    log.settled("a", "rule-1", "dead_lettered");

    log.received("b", 2).add_as("mail-b", "mail.ignored", 1, json!({ "reason": "reply", "policy": 1 }));
    log.received("c", 3).add_as(
        "mail-c",
        "mail.held",
        1,
        json!({ "reason": "outside_window", "until": "2026-02-04T08:00:00Z", "policy": 1 }),
    );
    log.add(
        "mail-a",
        "mail.duplicated",
        json!({ "location": { "mailbox": "inbox", "validity": 7, "item": "9" } }),
    );
    log.add(
        "mail-d",
        "mail.quarantined",
        json!({ "email_id": "d", "location": { "mailbox": "inbox", "validity": 7, "item": "x:2," },
                "why": "no mail", "size": 0, "body_key": "source/d" }),
    );
    log.received("e", 4).routed("e", &["default"]);
    log.of_delivery(
        "e",
        "default",
        "delivery.deferred",
        &json!({ "until": "2026-02-03T09:00:00Z", "why": "rate_limit" }),
    );
    log.received("f", 5).routed("f", &["default"]);
    log
}

#[test]
fn mails_stand_where_their_events_left_them() {
    let log = day();
    let mails = queries::mails(&log.db, &MailFilter::default()).expect("mails");
    let seen: Vec<_> = mails.iter().map(|mail| (mail.email_id.as_str(), mail.stage.as_str())).collect();
    let want = [
        ("f", "routed"),
        ("e", "routed"),
        ("d", "quarantined"),
        ("c", "held"),
        ("b", "ignored"),
        ("a", "routed"),
    ];
    assert_eq!(seen, want);

    let story = queries::mail_story(&log.db, "a").expect("query").expect("known");
    let mail = &story.mail;
    assert_eq!((mail.position, mail.links, mail.urgent), (1, 1, true));
    assert_eq!((mail.deliveries_total, mail.delivered, mail.dead_lettered), (2, 1, 1));
    assert_eq!(mail.detector.as_deref(), Some("recadrage"));
    assert_eq!(mail.arrived_at.map(|at| at.timestamp_millis()), Some(1_770_105_599_500));
    assert_eq!(mail.updated_at, start() + TimeDelta::seconds(10));
    let states: Vec<_> = story.deliveries.iter().map(|d| (d.target.as_str(), d.state.as_str())).collect();
    assert_eq!(states, [("default", "delivered"), ("rule-1", "dead_lettered")]);
    assert_eq!(queries::mail_story(&log.db, "zzz").expect("query"), None);

    let counts = queries::count_mails(&log.db).expect("counts");
    let want = [("held", 1), ("ignored", 1), ("quarantined", 1), ("routed", 3)];
    assert_eq!(counts, want.map(|(stage, n)| (stage.to_owned(), n)));
    let held = queries::oldest_held(&log.db).expect("query").expect("one is held");
    assert_eq!((held.email_id.as_str(), held.reason.as_deref()), ("c", Some("outside_window")));
    assert_eq!(held.hold_until.map(|at| at.to_rfc3339()).as_deref(), Some("2026-02-04T08:00:00+00:00"));
}

#[test]
fn a_list_of_mails_is_cut_into_pages_and_filtered() {
    let log = day();
    let ids = |filter: MailFilter| {
        let mails = queries::mails(&log.db, &filter).expect("mails");
        mails.iter().map(|mail| mail.email_id.clone()).collect::<String>()
    };
    let all = MailFilter::default();
    let first = queries::mails(&log.db, &MailFilter { limit: 2, ..all.clone() }).expect("mails");
    let before = first.last().map(|mail| mail.position);
    assert_eq!(ids(MailFilter { before, ..all.clone() }), "dcba");
    assert_eq!(ids(MailFilter { stages: vec!["routed".to_owned()], ..all }), "fea");
}

#[test]
fn deliveries_are_found_by_state() {
    let mut log = day();
    let list = |log: &Log, state: Option<&str>| {
        let filter = DeliveryFilter { state: state.map(str::to_owned), ..DeliveryFilter::default() };
        let rows = queries::deliveries(&log.db, &filter).expect("deliveries");
        rows.iter().map(|row| format!("{}/{}", row.email_id, row.target)).collect::<Vec<_>>()
    };
    assert_eq!(list(&log, None), ["a/rule-1", "e/default", "f/default"]);
    assert_eq!(list(&log, Some("delivered")), ["a/default"]);
    assert_eq!(list(&log, Some("held_rate")), ["e/default"]);
    assert_eq!(list(&log, Some("dead_lettered")), ["a/rule-1"]);
    let oldest = queries::oldest_open_delivery(&log.db).expect("query").expect("one waits");
    assert_eq!((oldest.email_id.as_str(), oldest.state.as_str()), ("e", "held_rate"));
    let counts = queries::count_deliveries(&log.db).expect("counts");
    let want = [("dead_lettered", 1), ("held_rate", 1), ("waiting", 1), ("delivered", 1)];
    assert_eq!(counts, want.map(|(state, n)| (state.to_owned(), n)));

    // The index of open deliveries is really used.
    let plan: String = log
        .db
        .query_row(
            "EXPLAIN QUERY PLAN SELECT * FROM deliveries WHERE state NOT IN ('delivered', 'cancelled') AND state = 'retrying'",
            [],
            |row| row.get(3),
        )
        .expect("plan");
    assert!(plan.contains("deliveries_open"), "{plan}");

    let closed = json!({ "until": "2026-02-04T08:00:00Z", "why": "outside_window" });
    log.of_delivery("e", "default", "delivery.deferred", &closed);
    assert_eq!(list(&log, Some("held_window")), ["e/default"]);

    log.of_delivery("a", "rule-1", "delivery.requeued", &json!({ "by": "cli" }));
    assert_eq!(list(&log, Some("retrying")), ["a/rule-1"]);
    let story = queries::mail_story(&log.db, "a").expect("query").expect("known");
    assert_eq!(story.mail.dead_lettered, 0);
}

#[test]
fn only_first_attempts_count_as_sends() {
    let mut log = day();
    let sends = queries::sends_since(&log.db, start()).expect("sends");
    assert_eq!(
        sends,
        [
            ("default".to_owned(), start() + TimeDelta::seconds(3)),
            ("rule-1".to_owned(), start() + TimeDelta::seconds(6)),
        ]
    );
    assert_eq!(queries::sends_since(&log.db, start() + TimeDelta::seconds(4)).expect("sends").len(), 1);

    // A send of long ago is forgotten at some point.
    for _ in 0..8000 {
        log.attempted("e", "default", 2, None);
    }
    let sends = queries::sends_since(&log.db, start()).expect("sends");
    assert_eq!(sends.iter().map(|(target, _)| target.as_str()).collect::<Vec<_>>(), ["rule-1"]);
}

#[test]
fn items_of_a_mailbox_are_known_once_admitted() {
    let log = day();
    let known = |item: &str| {
        let sql = "SELECT email_id FROM admitted WHERE mailbox = 'inbox' AND validity = 7 AND item = ?1";
        log.db.query_row(sql, [item], |row| row.get::<_, String>(0)).ok()
    };
    assert_eq!(known("1").as_deref(), Some("a"));
    assert_eq!(known("9").as_deref(), Some("a"));
    assert_eq!(known("x:2,").as_deref(), Some("d"));
    assert_eq!(known("6"), None);
    let (highest, plan): (i64, String) = (
        log.db
            .query_row("SELECT max(uid) FROM admitted WHERE mailbox = 'inbox' AND validity = 7", [], |row| {
                row.get(0)
            })
            .expect("max"),
        log.db
            .query_row(
                "EXPLAIN QUERY PLAN SELECT max(uid) FROM admitted WHERE mailbox = 'inbox' AND validity = 7",
                [],
                |row| row.get(3),
            )
            .expect("plan"),
    );
    assert_eq!(highest, 9);
    assert!(plan.contains("admitted_uid"), "{plan}");
}

#[test]
fn the_small_tables_follow() {
    let mut log = day();
    log.add(
        "target-default",
        "target.disabled",
        json!({ "target": "default", "url_hash": "ab", "why": "410" }),
    );
    log.add(
        "target-rule-1",
        "target.breaker_opened",
        json!({ "target": "rule-1", "failures": 5, "until": "2026-02-03T09:00:00Z" }),
    );
    let targets = queries::targets(&log.db).expect("targets");
    let seen: Vec<_> = targets.iter().map(|t| (t.id.as_str(), t.disabled, t.breaker.as_str())).collect();
    assert_eq!(seen, [("default", true, "closed"), ("rule-1", false, "open")]);
    assert_eq!(targets[0].last_success_at, Some(start() + TimeDelta::seconds(3)));
    assert_eq!(targets[1].last_failure_at, Some(start() + TimeDelta::seconds(8)));
    log.add("target-default", "target.enabled", json!({ "target": "default", "why": "new_address" }));
    log.add("target-rule-1", "target.breaker_closed", json!({ "target": "rule-1" }));
    let targets = queries::targets(&log.db).expect("targets");
    assert!(targets.iter().all(|t| !t.disabled && t.breaker == "closed" && t.breaker_until.is_none()));

    log.add(
        "mailbox-inbox",
        "mailbox.opened",
        json!({ "mailbox": "inbox", "validity": 7, "cursor": 41, "since": "2026-02-03T08:00:00Z" }),
    );
    log.add(
        "mailbox-inbox",
        "mailbox.flagged",
        json!({ "mailbox": "inbox", "validity": 7, "items": ["1", "2"] }),
    );
    log.add("mailbox-inbox", "mailbox.reset", json!({ "mailbox": "inbox", "before": 7, "after": 8 }));
    let mailboxes = queries::mailboxes(&log.db).expect("mailboxes");
    let inbox = mailboxes.first().expect("one");
    assert_eq!((inbox.validity, inbox.cursor, inbox.resets, inbox.flagged), (8, 0, 1, 2));
    assert_eq!(inbox.since, Some(start()));

    log.add("worker-w", "worker.started", json!({ "worker": "w", "version": "0.1.0" }));
    log.add(
        "worker-w",
        "worker.actor_restarted",
        json!({ "worker": "w", "actor": "r2", "reason": "stopped" }),
    );
    log.add("worker-w", "worker.stopped", json!({ "worker": "w", "reason": "signal" }));
    let workers = queries::workers(&log.db, 10).expect("workers");
    let seen: Vec<_> =
        workers.iter().map(|w| (w.worker.as_str(), w.restarts, w.stop_reason.as_deref())).collect();
    assert_eq!(seen, [("w", 1, Some("signal"))]);

    log.add("lease-poller", "lease.acquired", json!({ "holder": "w", "fence": 3 }));
    let lease = queries::leases(&log.db).expect("leases").pop().expect("one");
    assert_eq!((lease.name.as_str(), lease.holder.as_deref(), lease.fence), ("poller", Some("w"), 3));
    log.add("lease-poller", "lease.released", json!({ "holder": "w", "fence": 3 }));
    assert_eq!(queries::leases(&log.db).expect("leases").pop().expect("one").holder, None);

    let changed = |fields: &[&str], stored_in: &str| {
        json!({
            "key": "k", "hash": "h", "origin": "cli", "fields": fields, "body_key": "b", "change": "",
            "stored_in": stored_in,
        })
    };
    log.add("config-k", "config.changed", changed(&["a"], "file"));
    log.add("config-k", "config.changed", changed(&["a"], "file"));
    let present = |log: &Log| queries::configs(&log.db).expect("configs").pop().expect("one");
    assert_eq!(present(&log).version, 2);
    log.add("config-k", "config.changed", changed(&[], "redis"));
    assert_eq!(present(&log).version, 2, "the same in another place");
    let waits = json!({
        "key": "k", "hash": "i", "origin": "api", "fields": ["a"], "body_key": "c", "waits": "c", "base": "",
        "why": "no answer",
    });
    log.add("config-k", "config.deferred", waits);
    assert_eq!((present(&log).version, present(&log).origin), (4, "api".to_owned()), "it is in force");

    let hours = queries::hours(&log.db, start()).expect("hours");
    let received = hours.iter().find(|row| row.kind == "mail.received").expect("counted");
    assert_eq!((received.hour.as_str(), received.n), ("2026-02-03T08", 5));
    assert_eq!(hours.iter().map(|row| row.n).sum::<u64>(), log.events.len() as u64);
}

#[test]
fn a_rebuilt_read_model_is_equal() {
    let log = day();
    let before = log.hashes();
    log.rebuild();
    assert_eq!(log.hashes(), before);
    assert!(
        before.iter().collect::<std::collections::HashSet<_>>().len() == before.len(),
        "each has content"
    );
}

/// Values of every type, the kinds that hurt included.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
        Just(json!("delivered")),
        Just(json!("9999-12-31T23:59:59Z")),
    ];
    leaf.prop_recursive(2, 16, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Value::from))
}

/// An event as the program writes it, with one field that it would not write.
fn damaged_event() -> impl Strategy<Value = (String, u16, Value)> {
    let golden = prop::sample::select(golden_files());
    (golden, any::<prop::sample::Index>(), prop_oneof![any_value().prop_map(Some), Just(None)]).prop_map(
        |((kind, schema, mut payload), place, value)| {
            let fields = payload.as_object_mut().expect("an object");
            let field = fields.keys().nth(place.index(fields.len())).expect("a field").clone();
            match value {
                Some(value) => fields.insert(field, value),
                None => fields.shift_remove(&field),
            };
            (kind, schema, payload)
        },
    )
}

fn any_event() -> impl Strategy<Value = (String, u16, String, Value)> {
    let kinds: Vec<&'static str> = registry::all_kinds().iter().map(|kind| kind.kind).collect();
    let fields: Vec<&'static str> = registry::all_kinds()
        .iter()
        .flat_map(|kind| kind.fields.iter().map(|(name, _)| *name))
        .chain(["mailbox", "validity", "item", "detector"])
        .collect();
    let object = prop::collection::hash_map(prop::sample::select(fields), any_value(), 0..8)
        .prop_map(|fields| {
            fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Value>()
        })
        .boxed();
    let payload = prop_oneof![
        4 => object.clone(),
        2 => (object.clone(), object).prop_map(|(mut outer, inner)| {
            outer["location"] = inner.clone();
            outer["detection"] = inner.clone();
            outer["deliveries"] = json!([inner]);
            outer
        }),
        1 => any_value(),
    ];
    let kind = prop_oneof![9 => prop::sample::select(kinds).prop_map(str::to_owned), 1 => "[a-z.]{0,8}"];
    let event = (kind, prop_oneof![8 => Just(1_u16), 1 => any::<u16>()], payload);
    (prop_oneof![event, damaged_event()], "(mail|delivery|target)-[ab]")
        .prop_map(|((kind, schema, payload), stream)| (kind, schema, stream, payload))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_event_can_stop_the_journal(events in prop::collection::vec(any_event(), 1..30)) {
        let mut log = Log::new();
        for (kind, schema, stream, payload) in events {
            log.add(&stream, &kind, payload.clone());
            let mut odd = log.events.last().expect("added").clone();
            odd.schema = schema;
            odd.position += 1;
            let fed = FedEvent::new(&odd);
            for projection in log.projections.iter() {
                prop_assert!(projection.apply(&log.db, &fed).is_ok(), "{} {}", projection.name(), kind);
            }
            log.events.push(odd);
        }
        let before = log.hashes();
        log.rebuild();
        prop_assert_eq!(log.hashes(), before);
        queries::mails(&log.db, &MailFilter::default()).expect("mails can be read");
        queries::deliveries(&log.db, &DeliveryFilter::default()).expect("deliveries can be read");
        queries::targets(&log.db).expect("targets can be read");
        queries::mailboxes(&log.db).expect("mailboxes can be read");
    }
}
