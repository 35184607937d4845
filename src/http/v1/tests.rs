//! The API's configuration and operations, through HTTP, over documents in a folder and a journal
//! in memory.

use std::path::Path;
use std::sync::Arc;

use actix_web::body::MessageBody as _;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, web};
use render_signal_actors::config::edit::Editor;
use render_signal_actors::config::store::file::FileStore;
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::ephemeral::{Ephemeral as _, MemoryEphemeral};
use render_signal_actors::kernel::event::DomainEvent as _;
use render_signal_actors::kernel::journal::memory::MemoryJournal;
use render_signal_actors::kernel::journal::{Commit, Expected, Journal, JournalAdmin, StreamWrite};
use render_signal_actors::mail::life::mail_stream;
use render_signal_actors::poller::PollerStatus;
use render_signal_actors::readmodel;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::demo::ledger::tests::{received, routed};
use crate::http::access::bearer::TokenDigest;
use crate::http::access::{Access, ApiScope, Scopes};
use crate::http::{HttpState, routes, tests};
use crate::services::backup::Backups;
use crate::services::config::ConfigService;
use crate::services::jobs::Jobs;

const TOKEN: &str = "an-api-token-of-the-tests-0123456789";

/// A service with documents in a folder of its own.
struct Desk {
    folder: TempDir,
    state: HttpState,
}

impl Desk {
    fn new(scopes: &[ApiScope]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = World::real();
        let memory = Arc::new(MemoryJournal::new(world.clone(), readmodel::all()));
        let journal: Arc<dyn Journal> = Arc::clone(&memory) as Arc<dyn Journal>;
        let editor = Editor {
            store: Arc::new(FileStore::new(folder.path(), None)),
            env: Arc::default(),
            journal: Some(Arc::clone(&journal)),
            world: world.clone(),
        };
        let mut state = tests::state(PollerStatus::default());
        state.access = Access {
            api_token: Some(TokenDigest::new(&TOKEN.into())),
            scopes: Scopes::new(scopes.to_vec()),
            ..Access::default()
        };
        state.services.configuration = ConfigService { editor: editor.clone() };
        state.services.jobs = Jobs::new(Arc::clone(&journal), world.clone());
        let place = state.services.storage.journal.clone();
        state.services.backups = Backups::new(
            place,
            Arc::clone(&memory) as Arc<dyn JournalAdmin>,
            world,
            folder.path().to_owned(),
        );
        (state.editor, state.journal) = (editor, memory);
        Self { folder, state }
    }

    fn of_everything() -> Self {
        Self::new(&[ApiScope::Read, ApiScope::Actions, ApiScope::Config, ApiScope::Access])
    }

    fn put(&self, key: &str, text: &str) {
        std::fs::write(self.document(key), text).unwrap();
    }

    fn document(&self, key: &str) -> impl AsRef<Path> {
        self.folder.path().join(format!("{key}.json"))
    }

    fn stored(&self, key: &str) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.document(key)).unwrap()).unwrap()
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<(&str, Value)>,
    ) -> (StatusCode, HeaderMap, Value) {
        let app = App::new().app_data(web::Data::new(self.state.clone())).configure(routes::configure);
        let app = init_service(app).await;
        let mut request = TestRequest::with_uri(path)
            .method(method)
            .insert_header((AUTHORIZATION, format!("Bearer {TOKEN}")));
        for header in headers {
            request = request.insert_header(*header);
        }
        if let Some((kind, body)) = body {
            let body = body.to_string();
            request = request.insert_header((CONTENT_TYPE, kind)).set_payload(body);
        }
        let response = call_service(&app, request.to_request()).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let length = response.response().body().size();
        let body = read_body(response).await;
        assert!(length.is_eof() == body.is_empty() || !body.is_empty(), "{length:?}");
        (status, headers, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> Value {
        let (status, _, body) = self.send(Method::GET, path, &[], None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        let (status, _, body) = self.send(Method::POST, path, &[], Some((JSON, body))).await;
        (status, body)
    }
}

const JSON: &str = "application/json";
const URL: &str = "https://hook.example.com/s3cret";

fn tag(headers: &HeaderMap) -> String {
    headers.get(ETAG).and_then(|tag| tag.to_str().ok()).unwrap_or_default().to_owned()
}

#[actix_web::test]
async fn a_worker_that_is_alone_is_one_that_runs_what_it_runs() {
    let desk = Desk::of_everything();
    let shown = desk.get("/api/v1/config/processing_prefs").await;
    assert_eq!(shown["workers"], json!({"alive": 1, "running": 1, "refused": []}));
    let all = desk.get("/api/v1/config").await;
    let documents = all["documents"].as_array().unwrap();
    let prefs = documents.iter().find(|document| document["key"] == "processing_prefs").unwrap();
    assert_eq!(prefs["workers"]["alive"], 1);
}

#[actix_web::test]
async fn a_document_is_replaced_only_in_the_version_that_was_seen() {
    let desk = Desk::of_everything();
    desk.put("webhook_config", &json!({"webhook_url": URL, "webhook_sending_enabled": true}).to_string());
    let path = "/api/v1/config/webhook_config";
    let (status, headers, shown) = desk.send(Method::GET, path, &[], None).await;
    assert_eq!((status, &shown["state"]), (StatusCode::OK, &json!("ok")), "{shown}");
    assert_eq!(shown["stored"]["webhook_url"], "https://hook.example.com/***");
    let seen = tag(&headers);
    assert!(seen.len() > 10, "{seen}");

    // What was shown is sent back with one change: the mask stands for what is stored.
    let mut edited = shown["stored"].clone();
    edited["webhook_sending_enabled"] = json!(false);
    let body = || Some((JSON, edited.clone()));
    let (status, _, preview) = desk.send(Method::PUT, &format!("{path}?dry_run=true"), &[], body()).await;
    assert_eq!((status, &preview["written"]), (StatusCode::OK, &json!(false)), "{preview}");
    assert_eq!(preview["fields"], json!(["webhook_sending_enabled"]));
    assert_eq!(desk.stored("webhook_config")["webhook_sending_enabled"], true);

    let (status, headers, saved) = desk.send(Method::PUT, path, &[("If-Match", &seen)], body()).await;
    assert_eq!((status, &saved["written"]), (StatusCode::OK, &json!(true)), "{saved}");
    let stored = desk.stored("webhook_config");
    assert_eq!((&stored["webhook_url"], &stored["webhook_sending_enabled"]), (&json!(URL), &json!(false)));
    let next = tag(&headers);
    assert_ne!(next, seen);

    let (status, _, refused) = desk.send(Method::PUT, path, &[("If-Match", &seen)], body()).await;
    assert_eq!(
        (status, &refused["type"]),
        (StatusCode::PRECONDITION_FAILED, &json!("/docs/errors#precondition-failed"))
    );
    let (status, ..) = desk.send(Method::PUT, path, &[("If-None-Match", "*")], body()).await;
    assert_eq!(status, StatusCode::PRECONDITION_FAILED, "it exists");

    let history = desk.get(&format!("{path}/history")).await;
    let origins: Vec<&str> =
        history.as_array().unwrap().iter().map(|one| one["origin"].as_str().unwrap()).collect();
    assert_eq!(origins, ["external", "token:PROCESS_API_TOKEN"]);
    let diff = desk.get(&format!("{path}/diff")).await;
    let paths: Vec<&str> =
        diff["differences"].as_array().unwrap().iter().map(|one| one["path"].as_str().unwrap()).collect();
    assert!(paths.contains(&"webhook_sending_enabled") && !paths.contains(&"webhook_url"), "{diff}");
    let earlier = desk.get(&format!("{path}/versions/1")).await;
    assert_eq!(earlier["webhook_url"], "https://hook.example.com/***");

    let (status, restored) = desk.post(&format!("{path}/restore"), json!({"version": 1})).await;
    assert_eq!((status, &restored["version"]), (StatusCode::OK, &json!(3)), "{restored}");
    assert_eq!(desk.stored("webhook_config")["webhook_sending_enabled"], true);
    for version in [0, 9] {
        let (status, refused) = desk.post(&format!("{path}/restore"), json!({"version": version})).await;
        assert!(status.is_client_error(), "{version}: {status} {refused}");
    }
}

#[actix_web::test]
async fn a_merge_patch_changes_what_it_names_and_bad_fields_are_named() {
    let desk = Desk::of_everything();
    desk.put("processing_prefs", r#"{"retry_count": 3, "sender_priority": {"a@b.fr": "high"}}"#);
    let path = "/api/v1/config/processing_prefs";
    let kind = "application/merge-patch+json";
    let patch = json!({"retry_count": null, "sender_priority": {"c@d.fr": "low"}});
    let (status, _, saved) = desk.send(Method::PATCH, path, &[], Some((kind, patch))).await;
    assert_eq!(status, StatusCode::OK, "{saved}");
    let stored = desk.stored("processing_prefs");
    assert!(stored.get("retry_count").is_none());
    assert_eq!(stored["sender_priority"], json!({"a@b.fr": "high", "c@d.fr": "low"}));

    let before = desk.stored("processing_prefs");
    let wrong = json!({"retry_count": 99, "rate_limit_per_houer": 5});
    let (status, _, refused) = desk.send(Method::PATCH, path, &[], Some((kind, wrong))).await;
    assert_eq!(
        (status, &refused["type"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("/docs/errors#invalid-document"))
    );
    let fields: Vec<&str> =
        refused["errors"].as_array().unwrap().iter().map(|one| one["field"].as_str().unwrap()).collect();
    assert!(fields.contains(&"retry_count") && fields.contains(&"rate_limit_per_houer"), "{refused}");
    assert_eq!(desk.stored("processing_prefs"), before);
    let (status, ..) = desk.send(Method::PATCH, path, &[], Some(("text/plain", json!({})))).await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let (status, ..) = desk.send(Method::GET, "/api/v1/config/nothing", &[], None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, ..) =
        desk.send(Method::PUT, "/api/v1/config/magic_link_tokens", &[], Some((JSON, json!({})))).await;
    assert_eq!(status, StatusCode::CONFLICT);
    let (status, ..) = desk.send(Method::GET, &format!("{path}?mask=no"), &[], None).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "a parameter that nobody knows");

    let (status, ..) = desk.send(Method::DELETE, path, &[], None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, ..) = desk.send(Method::DELETE, path, &[], None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn what_opens_something_is_shown_to_the_scope_config_alone() {
    let desk = Desk::new(&[ApiScope::Read]);
    desk.put("webhook_config", &json!({"webhook_url": URL}).to_string());
    for path in ["/api/v1/config", "/api/v1/config/webhook_config", "/api/v1/config/check"] {
        assert!(!desk.get(path).await.to_string().contains("s3cret"), "{path}");
    }
    for path in ["/api/v1/config/export", "/api/v1/config/webhook_config/source", "/api/v1/journal/backup"] {
        let (status, _, body) = desk.send(Method::GET, path, &[], None).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}: {body}");
    }
    let (status, ..) =
        desk.send(Method::PUT, "/api/v1/config/webhook_config", &[], Some((JSON, json!({})))).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let desk = Desk::of_everything();
    desk.put("webhook_config", &json!({"webhook_url": URL}).to_string());
    assert_eq!(desk.get("/api/v1/config/webhook_config/source").await["webhook_url"], URL);
}

#[actix_web::test]
async fn all_documents_go_out_in_one_file_and_come_back_after_a_preview() {
    let from = Desk::of_everything();
    from.put("webhook_config", &json!({"webhook_url": URL}).to_string());
    from.put("processing_prefs", r#"{"retry_count": 3}"#);
    let bundle = from.get("/api/v1/config/export").await;
    assert_eq!(bundle["documents"]["webhook_config"]["webhook_url"], URL);

    let to = Desk::of_everything();
    to.put("processing_prefs", r#"{"retry_count": 3}"#);
    let (status, preview) = to.post("/api/v1/config/import?dry_run=true", bundle.clone()).await;
    assert_eq!((status, &preview["written"]), (StatusCode::OK, &json!(false)), "{preview}");
    let fates = |outcome: &Value| -> Vec<String> {
        let documents = outcome["documents"].as_array().unwrap().iter();
        documents
            .map(|one| format!("{} {}", one["key"].as_str().unwrap(), one["fate"].as_str().unwrap()))
            .collect()
    };
    assert_eq!(fates(&preview), ["processing_prefs unchanged", "webhook_config created"]);
    assert!(!preview.to_string().contains("s3cret"), "{preview}");
    assert!(!to.document("webhook_config").as_ref().exists());

    let mut bad = bundle.clone();
    bad["documents"]["processing_prefs"]["retry_count"] = json!(99);
    let (status, refused) = to.post("/api/v1/config/import", bad).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{refused}");
    assert_eq!(refused["errors"][0]["field"], "documents.processing_prefs.retry_count");
    assert!(!to.document("webhook_config").as_ref().exists(), "all or nothing");

    let (status, imported) = to.post("/api/v1/config/import", bundle).await;
    assert_eq!((status, &imported["written"]), (StatusCode::OK, &json!(true)), "{imported}");
    assert_eq!(to.stored("webhook_config")["webhook_url"], URL);
    let (status, refused) =
        to.post("/api/v1/config/import", json!({"format": 1, "documents": {"magic_link_tokens": {}}})).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{refused}");
}

#[actix_web::test]
async fn migrating_without_a_shared_store_fails_with_its_log() {
    let desk = Desk::of_everything();
    let (status, log) =
        desk.post("/api/v1/config/migrate", json!({"only": ["polling_config"], "dry_run": true})).await;
    assert_eq!((status, &log["ok"]), (StatusCode::OK, &json!(true)), "{log}");
    assert!(log["lines"][0].as_str().unwrap().starts_with("polling_config: "), "{log}");
    let (status, refused) = desk.post("/api/v1/config/migrate", json!({"only": ["nothing"]})).await;
    assert_eq!(
        (status, &refused["errors"][0]["field"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("only[0]"))
    );
}

#[actix_web::test]
async fn a_worker_tells_how_it_is_with_codes_and_lists_the_others() {
    let desk = Desk::of_everything();
    let status = desk.get("/api/v1/status").await;
    let process = &status["checks"]["process"];
    assert_eq!((&process["state"], &process["findings"][0]["code"]), (&json!("ok"), &json!("running")));
    let board = &desk.state.services.board;
    let own = board.own(&desk.state.probe, false, desk.state.pulse.age()).await;
    let shared = Arc::new(MemoryEphemeral::new(World::real()));
    let mut desk = desk;
    desk.state.services.board.said = Arc::clone(&shared) as _;
    let other = crate::services::board::WorkerReport { worker: "other/1/a".into(), polls: true, ..own };
    let text = serde_json::to_string(&other).unwrap();
    shared.publish("worker/other/1/a", &text, std::time::Duration::from_secs(20)).await.unwrap();
    let workers = desk.get("/api/v1/workers").await;
    let names: Vec<&str> =
        workers["alive"].as_array().unwrap().iter().map(|one| one["worker"].as_str().unwrap()).collect();
    assert_eq!(names, ["other/1/a", "this"]);
    for path in ["/api/v1/leases", "/api/v1/mailboxes", "/api/v1/stores"] {
        assert!(desk.get(path).await.is_array(), "{path}");
    }
    let queues = desk.get("/api/v1/queues").await;
    assert_eq!(queues[2]["queue"], "deliver", "{queues}");
}

async fn write_mail(journal: &dyn Journal, world: &World, id: &str) {
    let events = [received(id, "01"), routed("default")];
    let events = events.iter().map(|event| event.to_new(world.ids.next()).unwrap()).collect();
    let write = StreamWrite { stream: mail_stream(id), expected: Expected::NoStream, events };
    journal.append(Commit { at: world.now(), writes: vec![write], ..Commit::default() }).await.unwrap();
}

#[actix_web::test]
async fn statistics_and_the_journal_are_told() {
    let desk = Desk::of_everything();
    write_mail(desk.state.journal.as_ref(), &desk.state.world, "a").await;
    let days = desk.get("/api/v1/statistics?by=day").await;
    assert_eq!(days["items"][0]["events"]["mail.received"], 1, "{days}");
    let (status, _, refused) =
        desk.send(Method::GET, "/api/v1/statistics?since=2001-01-01T00:00:00Z", &[], None).await;
    assert_eq!((status, &refused["errors"][0]["field"]), (StatusCode::BAD_REQUEST, &json!("since")));
    let journal = desk.get("/api/v1/journal").await;
    assert_eq!(
        (&journal["position"], &journal["durability"]["code"]),
        (&json!(2), &json!("journal_in_memory"))
    );
    let (status, report) = desk.post("/api/v1/journal/verify", json!(null)).await;
    assert_eq!((status, &report["sound"]), (StatusCode::OK, &json!(true)), "{report}");
    let links = desk.get("/api/v1/links?limit=1").await;
    assert_eq!(links, json!({"items": [], "next_cursor": null}));
}

#[actix_web::test]
async fn a_rule_test_is_a_job_that_ends_with_what_it_found() {
    let desk = Desk::of_everything();
    write_mail(desk.state.journal.as_ref(), &desk.state.world, "a").await;
    let wanted = json!({"documents": {"processing_prefs": {"exclude_keywords": ["x"]}}});
    let (status, begun) = desk.post("/api/v1/rules/tests", wanted).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{begun}");
    let path = format!("/api/v1/rules/tests/{}", begun["id"].as_str().unwrap());
    let job = loop {
        let job = desk.get(&path).await;
        if job["stage"] != "running" {
            break job;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((&job["stage"], &job["total"], &job["done"]), (&json!("done"), &json!(1), &json!(1)), "{job}");
    let untested: u64 =
        job["tally"]["untested"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!(untested, 1, "nothing is kept of the mail but its events: {job}");
    assert_eq!(job["by"], "token:PROCESS_API_TOKEN");
    assert_eq!(desk.get("/api/v1/rules/tests").await.as_array().unwrap().len(), 1);
    let (status, ..) = desk.send(Method::DELETE, &path, &[], None).await;
    assert_eq!(status, StatusCode::OK);
    let (status, ..) = desk.send(Method::GET, &path, &[], None).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "it is forgotten");

    for (wanted, expected, field) in [
        (json!({"documents": {}}), StatusCode::UNPROCESSABLE_ENTITY, "documents"),
        (json!({"documents": {"nothing": {}}}), StatusCode::UNPROCESSABLE_ENTITY, "documents.nothing"),
        (json!({"documents": {"processing_prefs": {}}, "until": 1}), StatusCode::BAD_REQUEST, "until"),
    ] {
        let (status, refused) = desk.post("/api/v1/rules/tests", wanted).await;
        assert_eq!((status, &refused["errors"][0]["field"]), (expected, &json!(field)), "{refused}");
    }
    let bad = json!({"documents": {"processing_prefs": {"retry_count": 99}}});
    let (status, refused) = desk.post("/api/v1/rules/tests", bad).await;
    assert_eq!(
        (status, &refused["errors"][0]["field"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("retry_count"))
    );
}
