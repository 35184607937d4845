//! The API of mails, deliveries and targets over a journal in memory.

use actix_web::http::header::{
    AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderMap, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, web};
use chrono::TimeDelta;
use render_signal_actors::kernel::event::{DomainEvent, NewEvent, StreamId};
use render_signal_actors::kernel::journal::{Body, Commit, Due, Expected, OutboxAdd, Queue, StreamWrite};
use render_signal_actors::mail::HoldReason;
use render_signal_actors::mail::heading::Heading;
use render_signal_actors::mail::life::{
    DeliveryEnd, MailEvent, MailHeld, MailQuarantined, MailSettled, mail_stream,
};
use render_signal_actors::mail::outbox_rows::{self, DeliverMeta, InWindow};
use render_signal_actors::mail::policy::{DeliveryMode, Priority};
use render_signal_actors::poller::PollerStatus;
use render_signal_actors::webhook::events::{
    Attempted, DeadLettered, DeliveryEvent, Succeeded, TargetDisabled, TargetEvent, delivery_stream,
    target_stream,
};
use serde_json::{Value, json};

use crate::demo::ledger::tests::{location, received, routed};
use crate::http::HttpState;
use crate::http::access::bearer::TokenDigest;
use crate::http::access::{ApiScope, Scopes};
use crate::http::routes;
use crate::http::tests::{TOKEN, state};

struct Scene(HttpState);

impl Scene {
    /// A mail that is held, one that was delivered, one whose delivery was given up, and one that
    /// could not be read.
    async fn new(scopes: &[ApiScope]) -> Self {
        let mut state = state(PollerStatus::default());
        state.access.api_token = Some(TokenDigest::new(&TOKEN.into()));
        state.access.scopes = Scopes::new(scopes.to_vec());
        let scene = Self(state);
        let held = MailHeld { reason: HoldReason::OutsideWindow, until: None, configuration: None };
        scene.mail("held", "Été – Lot 1", &[MailEvent::Held(held)]).await;
        scene.mail("sent", "Lot 42", &[routed("default"), settled(DeliveryEnd::Delivered)]).await;
        scene.delivery("sent", None).await;
        scene.mail("dead", "Lot 43", &[routed("default"), settled(DeliveryEnd::DeadLettered)]).await;
        scene.delivery("dead", Some("HTTP 503")).await;
        let unreadable = MailEvent::Quarantined(MailQuarantined {
            email_id: "odd".to_owned(),
            location: location("9"),
            why: "no mail".to_owned(),
            size: 4,
            body_key: outbox_rows::source_body_key("odd"),
        });
        let source = scene.body(outbox_rows::source_body_key("odd"), "<script>");
        scene.commit(vec![scene.write(mail_stream("odd"), &[unreadable])], Vec::new(), vec![source]).await;
        scene
    }

    fn write<E: DomainEvent>(&self, stream: StreamId, events: &[E]) -> StreamWrite {
        let new = |event: &E| -> NewEvent { event.to_new(self.0.world.ids.next()).unwrap() };
        StreamWrite { stream, expected: Expected::NoStream, events: events.iter().map(new).collect() }
    }

    fn body(&self, key: String, text: &'static str) -> Body {
        Body { key, bytes: text.into(), keep_until: self.0.world.now() + TimeDelta::days(1) }
    }

    async fn commit(&self, writes: Vec<StreamWrite>, add: Vec<OutboxAdd>, bodies: Vec<Body>) {
        let commit = Commit { at: self.0.world.now(), writes, add, bodies, ..Commit::default() };
        self.0.journal.append(commit).await.unwrap();
    }

    async fn mail(&self, id: &str, subject: &str, events: &[MailEvent]) {
        let events: Vec<MailEvent> = [received(id, id)].into_iter().chain(events.iter().cloned()).collect();
        let heading = Heading { sender: "camille@exemple.fr".to_owned(), subject: subject.to_owned() };
        let heading = heading.body(id, self.0.world.now() + TimeDelta::days(1));
        self.commit(vec![self.write(mail_stream(id), &events)], Vec::new(), vec![heading]).await;
    }

    /// One attempt, and how it ended.
    async fn delivery(&self, id: &str, error: Option<&str>) {
        let (email_id, target) = (id.to_owned(), "default".to_owned());
        let attempted = DeliveryEvent::Attempted(Attempted {
            email_id: email_id.clone(),
            target: target.clone(),
            attempt: 1,
            url: "https://h/***".to_owned(),
            status: Some(if error.is_some() { 503 } else { 200 }),
            error: error.map(str::to_owned),
            took_ms: 3,
        });
        let end = match error {
            None => DeliveryEvent::Succeeded(Succeeded {
                email_id,
                target,
                status: 200,
                attempts: 1,
                mode: DeliveryMode::Json,
            }),
            Some(why) => DeliveryEvent::DeadLettered(DeadLettered {
                email_id,
                target,
                why: why.to_owned(),
                attempts: 1,
                notice: None,
            }),
        };
        let write = self.write(delivery_stream(id, "default"), &[attempted, end]);
        let row = OutboxAdd {
            queue: Queue::Deliver,
            key: outbox_rows::delivery_key(id, "default"),
            partition: "default".to_owned(),
            order_key: None,
            due: Due::Parked,
            meta: serde_json::to_value(meta(id)).unwrap(),
            body_key: Some(outbox_rows::delivery_body_key(id, "default")),
        };
        let bodies = vec![
            self.body(outbox_rows::delivery_body_key(id, "default"), "{}"),
            self.body(outbox_rows::answer_body_key(id, "default", 1), "queue full"),
        ];
        self.commit(vec![write], error.map(|_| row).into_iter().collect(), bodies).await;
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, HeaderMap, Vec<u8>) {
        let app =
            init_service(App::new().app_data(web::Data::new(self.0.clone())).configure(routes::configure))
                .await;
        let mut request = TestRequest::with_uri(path)
            .method(method)
            .insert_header((AUTHORIZATION, format!("Bearer {TOKEN}")));
        if let Some(body) = body {
            request = request.set_json(body);
        }
        let response = call_service(&app, request.to_request()).await;
        let (status, headers) = (response.status(), response.headers().clone());
        (status, headers, read_body(response).await.to_vec())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let (status, _, body) = self.ask(Method::GET, path, None).await;
        (status.as_u16(), serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn post(&self, path: &str, body: Option<Value>) -> (u16, Value) {
        let (status, _, body) = self.ask(Method::POST, path, body).await;
        (status.as_u16(), serde_json::from_slice(&body).unwrap_or_default())
    }
}

fn settled(end: DeliveryEnd) -> MailEvent {
    MailEvent::Settled(MailSettled { target: "default".to_owned(), end })
}

fn meta(id: &str) -> DeliverMeta {
    DeliverMeta {
        email_id: id.to_owned(),
        target: "default".to_owned(),
        url: "https://h/x".to_owned(),
        mail_version: 2,
        siblings: 1,
        locations: Vec::new(),
        attempts: 1,
        first_attempt_at: None,
        delivery_version: 2,
        priority: Priority::Medium,
        notice: false,
        mode: DeliveryMode::Json,
        window: InWindow::Free,
        again: false,
    }
}

fn ids(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

const ALL: [ApiScope; 2] = [ApiScope::Read, ApiScope::Actions];

#[actix_web::test]
async fn mails_are_listed_filtered_and_searched() {
    let scene = Scene::new(&ALL).await;
    for (query, want) in [
        ("", vec!["odd", "dead", "sent", "held"]),
        ("?state=held,quarantined", vec!["odd", "held"]),
        ("?reason=outside_window", vec!["held"]),
        ("?target=default", vec!["dead", "sent"]),
        ("?failed=true", vec!["dead"]),
        ("?fate=delivered", vec!["sent"]),
        ("?fate=waiting", vec!["held"]),
        ("?fate=ignored", vec![]),
        ("?fate=failed", vec!["dead"]),
        ("?fate=unreadable", vec!["odd"]),
        ("?fate=delivered&target=default&state=routed&text=lot", vec!["sent"]),
        ("?fate=delivered&state=held", vec![]),
        ("?fate=waiting&reason=outside_window&text=ete", vec!["held"]),
        ("?fate=failed&until=2000-01-01T00:00:00Z", vec![]),
        ("?text=ete", vec!["held"]),
        ("?text=lot+4&target=default", vec!["dead", "sent"]),
        ("?sender=camille&text=43", vec!["dead"]),
        ("?text=%22%20OR%20%22", vec![]),
        ("?until=2000-01-01T00:00:00Z", vec![]),
    ] {
        let (status, page) = scene.get(&format!("/api/v1/mails{query}")).await;
        assert_eq!((status, ids(&page)), (200, want.clone()), "{query}");
        assert_eq!((&page["count"], &page["complete"]), (&json!(want.len()), &json!(true)), "{query}");
    }
    let (_, page) = scene.get("/api/v1/mails?limit=3").await;
    let first = page["items"][1].clone();
    assert_eq!(
        (&first["subject"], &first["deliveries"][0]["state"]),
        (&json!("Lot 43"), &json!("dead_lettered"))
    );
    let fates: Vec<&str> =
        page["items"].as_array().unwrap().iter().map(|mail| mail["fate"].as_str().unwrap()).collect();
    assert_eq!(fates, ["unreadable", "failed", "delivered"]);
    assert_eq!(page["previous_cursor"], Value::Null);
    let next = format!("/api/v1/mails?limit=3&cursor={}", page["next_cursor"].as_str().unwrap());
    let (_, last) = scene.get(&next).await;
    assert_eq!((ids(&last), &last["next_cursor"]), (vec!["held"], &Value::Null));
    let back = format!("/api/v1/mails?limit=3&cursor={}", last["previous_cursor"].as_str().unwrap());
    assert_eq!(ids(&scene.get(&back).await.1), ["odd", "dead", "sent"]);
    for (query, field) in [
        ("?nonsense=1", "nonsense"),
        ("?state=lost", "state[0]"),
        ("?fate=lost", "fate"),
        ("?fate=", "fate"),
        ("?fate=failed,waiting", "fate"),
        ("?cursor=x", "cursor"),
        ("?limit=0", "limit"),
        ("?since=yesterday", "since"),
    ] {
        let (status, problem) = scene.get(&format!("/api/v1/mails{query}")).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (400, &json!(field)), "{query}: {problem}");
    }
    let (_, counts) = scene.get("/api/v1/mails/counts").await;
    assert!(
        counts["items"].as_array().unwrap().contains(&json!({"state": "routed", "reason": null, "count": 2}))
    );
    let fates = counts["fates"].as_array().unwrap();
    for (fate, reason) in [
        ("delivered", Value::Null),
        ("failed", Value::Null),
        ("waiting", json!("outside_window")),
        ("unreadable", Value::Null),
    ] {
        assert!(fates.contains(&json!({"fate": fate, "reason": reason, "count": 1})), "{fate}: {counts}");
    }
    assert_eq!(fates.len(), 4, "every mail once: {counts}");
}

#[actix_web::test]
async fn one_mail_is_told_whole_and_its_content_is_never_shown_by_a_browser() {
    let scene = Scene::new(&ALL).await;
    let (status, story) = scene.get("/api/v1/mails/dead").await;
    assert_eq!(status, 200);
    assert_eq!(
        (&story["mail"]["id"], &story["newer"], &story["older"]),
        (&json!("dead"), &json!("odd"), &json!("sent"))
    );
    let events: Vec<&str> =
        story["steps"].as_array().unwrap().iter().map(|step| step["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["mail.received", "mail.routed", "mail.settled"]);
    let attempt = &story["deliveries"][0]["steps"][0];
    assert_eq!((&attempt["answer"], &attempt["error"]), (&json!("queue full"), &json!("HTTP 503")));
    assert_eq!(story["deliveries"][0]["webhook_id"], "msg_dead_default");
    for path in [
        "/api/v1/mails/x",
        "/api/v1/mails/x/source",
        "/api/v1/mails/x/content",
        "/api/v1/deliveries/x/default",
    ] {
        assert_eq!(scene.get(path).await.0, 404, "{path}");
    }
    let (status, headers, body) = scene.ask(Method::GET, "/api/v1/mails/odd/source", None).await;
    assert_eq!((status, &body[..]), (StatusCode::OK, &b"<script>"[..]));
    let header = |name| headers.get(name).unwrap().to_str().unwrap();
    assert_eq!((header(CONTENT_TYPE), header(X_CONTENT_TYPE_OPTIONS)), ("message/rfc822", "nosniff"));
    assert!(header(CONTENT_DISPOSITION).starts_with("attachment"));
    for gone in ["/api/v1/mails/sent/source", "/api/v1/mails/sent/content", "/api/v1/mails/odd/content"] {
        assert_eq!(scene.get(gone).await.0, 410, "{gone}");
    }
}

#[actix_web::test]
async fn a_mail_is_ignored_once_and_what_was_sent_goes_once_more() {
    let scene = Scene::new(&ALL).await;
    assert_eq!(scene.post("/api/v1/mails/held/release", None).await.0, 410, "its content is gone");
    let (status, done) = scene.post("/api/v1/mails/held/ignore", None).await;
    assert_eq!((status, &done["done"]), (200, &json!("ignored")));
    let (_, story) = scene.get("/api/v1/mails/held").await;
    assert_eq!(story["steps"][2]["by"], "token:PROCESS_API_TOKEN");
    for (path, want) in [
        ("/api/v1/mails/held/ignore", 409),
        ("/api/v1/mails/sent/ignore", 409),
        ("/api/v1/mails/x/ignore", 404),
        ("/api/v1/mails/sent/release", 409),
        ("/api/v1/mails/odd/release", 409),
        ("/api/v1/mails/x/release", 404),
        ("/api/v1/deliveries/sent/default/retry", 404),
        ("/api/v1/deliveries/sent/default/cancel", 409),
        ("/api/v1/deliveries/dead/default/again", 409),
        ("/api/v1/deliveries/dead/other/cancel", 404),
    ] {
        let (status, problem) = scene.post(path, None).await;
        assert_eq!(status, want, "{path}: {problem}");
    }
    let (status, done) = scene.post("/api/v1/mails/sent/again", None).await;
    assert_eq!((status, &done["items"]), (200, &json!([{"target": "default", "done": true, "why": null}])));
    let (_, done) = scene.post("/api/v1/mails/sent/again", Some(json!({"targets": ["default", "x"]}))).await;
    let did: Vec<bool> =
        done["items"].as_array().unwrap().iter().map(|item| item["done"].as_bool().unwrap()).collect();
    assert_eq!(did, [false, false]);
    let (status, done) = scene.post("/api/v1/mails/sent/again", Some(json!({}))).await;
    assert_eq!((status, done["items"].as_array().unwrap().len()), (200, 1), "all targets, as without a body");
    assert_eq!(scene.post("/api/v1/mails/held/again", Some(json!({}))).await.0, 404);
    assert_eq!(scene.post("/api/v1/mails/sent/again", Some(json!({"target": "x"}))).await.0, 400);
}

#[actix_web::test]
async fn deliveries_are_listed_counted_and_acted_upon() {
    let scene = Scene::new(&ALL).await;
    let (_, attention) = scene.get("/api/v1/attention").await;
    assert_eq!((&attention["dead_letters"][0]["count"], &attention["quarantined"]), (&json!(1), &json!(1)));
    assert_eq!(attention["last_failure"]["mail"], "dead");
    for (query, want) in [
        ("", vec!["dead/default", "sent/default"]),
        ("?state=dead_lettered", vec!["dead/default"]),
        ("?status=200", vec!["sent/default"]),
        ("?error=http+503&target=default", vec!["dead/default"]),
        ("?mail=x", vec![]),
    ] {
        let (status, page) = scene.get(&format!("/api/v1/deliveries{query}")).await;
        let mut found = ids(&page);
        found.sort_unstable();
        assert_eq!((status, found), (200, want), "{query}");
    }
    let (_, page) = scene.get("/api/v1/deliveries?limit=1").await;
    let next = format!("/api/v1/deliveries?limit=1&cursor={}", page["next_cursor"].as_str().unwrap());
    let (_, other) = scene.get(&next).await;
    assert_ne!(ids(&page), ids(&other));
    assert_eq!(other["next_cursor"], Value::Null);

    let bulk = |dry_run: bool| Some(json!({"target": "default", "dry_run": dry_run}));
    let (status, counted) = scene.post("/api/v1/deliveries/retry", bulk(true)).await;
    assert_eq!((status, &counted["count"], &counted["done"]), (200, &json!(1), &json!(0)));
    let (_, did) = scene.post("/api/v1/deliveries/retry", bulk(false)).await;
    assert_eq!((&did["count"], &did["done"], &did["refused"]), (&json!(1), &json!(1), &json!([])));
    let (_, one) = scene.get("/api/v1/deliveries/dead/default").await;
    assert_eq!(one["delivery"]["state"], "retrying");
    assert_eq!(scene.post("/api/v1/deliveries/dead/default/retry", None).await.0, 409);
    assert_eq!(scene.post("/api/v1/deliveries/dead/default/cancel", None).await.0, 200);
    let (_, story) = scene.get("/api/v1/mails/dead").await;
    assert_eq!((&story["mail"]["cancelled"], &story["mail"]["dead_lettered"]), (&json!(1), &json!(0)));
    assert_eq!(scene.post("/api/v1/deliveries/cancel", Some(json!({}))).await.0, 400, "it has to be meant");
    assert_eq!(scene.post("/api/v1/deliveries/cancel", Some(json!({"dry_run": true, "x": 1}))).await.0, 400);
}

#[actix_web::test]
async fn targets_tell_how_they_are_and_are_enabled() {
    let scene = Scene::new(&ALL).await;
    let gone = TargetEvent::Disabled(TargetDisabled {
        target: "default".to_owned(),
        url_hash: "ab".to_owned(),
        why: "HTTP 410".to_owned(),
    });
    scene.commit(vec![scene.write(target_stream("default"), &[gone])], Vec::new(), Vec::new()).await;
    let (status, list) = scene.get("/api/v1/targets?hours=1").await;
    assert_eq!(status, 200);
    let one = &list["items"][0];
    assert_eq!((&one["target"]["id"], &one["target"]["disabled"]), (&json!("default"), &json!(true)));
    assert_eq!((&one["attempts"]["ok"], &one["attempts"]["failed"]), (&json!(1), &json!(1)));
    let latency = one["attempts"]["latency"].as_object().unwrap();
    assert_eq!(
        latency.values().map(|count| count.as_u64().unwrap()).sum::<u64>(),
        1,
        "one of them counts it"
    );
    let states = json!([{"state": "dead_lettered", "count": 1}, {"state": "delivered", "count": 1}]);
    assert_eq!(one["deliveries"], states);
    let (_, enabled) = scene.post("/api/v1/targets/default/enable", None).await;
    assert_eq!(enabled, json!({"id": "default", "changed": true}));
    let (_, enabled) = scene.post("/api/v1/targets/default/enable", None).await;
    assert_eq!(enabled["changed"], false);
    assert_eq!(scene.post("/api/v1/targets/x/enable", None).await.0, 404);
    assert_eq!(scene.get("/api/v1/targets?hours=0").await.0, 400);
    let (_, hours) = scene.get("/api/v1/targets/hours").await;
    assert_eq!(hours["items"][0]["attempts"]["failed"], 1);
}

#[actix_web::test]
async fn whoever_may_only_read_changes_nothing() {
    let scene = Scene::new(&[ApiScope::Read]).await;
    assert_eq!(scene.get("/api/v1/mails").await.0, 200);
    for path in [
        "/api/v1/mails/held/ignore",
        "/api/v1/mails/held/release",
        "/api/v1/deliveries/dead/default/retry",
        "/api/v1/deliveries/dead/default/cancel",
        "/api/v1/targets/default/enable",
    ] {
        assert_eq!(scene.post(path, None).await.0, 403, "{path}");
    }
    assert_eq!(scene.post("/api/v1/deliveries/retry", Some(json!({"dry_run": false}))).await.0, 403);
    let (_, page) = scene.get("/api/v1/mails?state=held").await;
    assert_eq!(ids(&page), ["held"]);
}

#[actix_web::test]
async fn a_mail_is_explained_step_by_step_and_nothing_is_stored() {
    let scene = Scene::new(&[ApiScope::Read]).await;
    let head = scene.0.journal.head().await.unwrap();
    let mail = "From: a@b.fr\r\nSubject: Lot 7\r\nMessage-ID: <1@b>\r\n\r\nhttps://fromsmash.com/abc\r\n";
    let ask = async |kind: &'static str, body: &'static str| {
        let app =
            init_service(App::new().app_data(web::Data::new(scene.0.clone())).configure(routes::configure))
                .await;
        let request = TestRequest::post()
            .uri("/api/v1/mails/explain")
            .insert_header((AUTHORIZATION, format!("Bearer {TOKEN}")))
            .insert_header((CONTENT_TYPE, kind))
            .set_payload(body);
        let response = call_service(&app, request.to_request()).await;
        let status = response.status().as_u16();
        (status, serde_json::from_slice::<Value>(&read_body(response).await).unwrap_or_default())
    };
    let (status, explained) = ask("message/rfc822", mail).await;
    assert_eq!((status, &explained["sender"]), (200, &json!("a@b.fr")), "{explained}");
    assert_eq!(
        (&explained["steps"][0]["check"], &explained["configuration"]),
        (&json!("readable"), &json!([]))
    );
    assert_eq!(ask("text/plain", "").await.1["decision"], "quarantine");
    assert_eq!(ask("application/json", "{}").await.0, 415);
    assert_eq!(scene.get("/api/v1/mails/x/explain").await.0, 404);
    assert_eq!(scene.get("/api/v1/mails/held/explain").await.0, 410, "its content is not kept");
    assert_eq!(scene.0.journal.head().await.unwrap(), head);
}
