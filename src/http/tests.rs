//! The routes, answered by real handlers over an in-memory journal and actors that say
//! what they are told to say.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Context, Handler, MessageResult};
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE};
use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, web};
use arc_swap::ArcSwap;
use metrics_exporter_prometheus::PrometheusBuilder;
use render_signal_actors::config::active::ActiveDocuments;
use render_signal_actors::config::documents::DocumentSet;
use render_signal_actors::config::policy::{EnvDefaults, build};
use render_signal_actors::config::store::file::FileStore;
use render_signal_actors::config::{ConfigStatus, DocumentStatus, GetConfigStatus};
use render_signal_actors::deploy::{DeploySettings, Deployer};
use render_signal_actors::egress::{ClientOptions, EgressPolicy, GuardedClient};
use render_signal_actors::ingress::Ingress;
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::ephemeral::MemoryEphemeral;
use render_signal_actors::kernel::journal::memory::MemoryJournal;
use render_signal_actors::kernel::journal::{Journal, JournalAdmin};
use render_signal_actors::kernel::port::Port;
use render_signal_actors::lock::{GetLockStatus, LockStatus};
use render_signal_actors::mail::policy::{Policy, PolicyCell};
use render_signal_actors::make::{MakeApi, MakeAuth, ScenarioParts};
use render_signal_actors::messages::{Admit, AdmitError};
use render_signal_actors::poller::{GetPollerStatus, PollerStatus};
use render_signal_actors::r2::{GetR2Status, R2Status};
use render_signal_actors::webhook::port::GuardedReceiver;
use render_signal_actors::webhook::test_webhook::Tester;
use render_signal_actors::webhook::{GetWebhookStatus, WebhookStatus};
use render_signal_actors::{readmodel, system};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::access::{ApiScope, Scopes};
use super::*;
use crate::http::compat::make::MakeAccess;
use crate::journal::Watched;
use crate::restart::Restart;
use crate::services::backup::Backups;
use crate::services::board::WorkerBoard;
use crate::services::config::ConfigService;
use crate::services::jobs::Jobs;
use crate::settings::Storage;

/// Says what every actor would.
struct Says {
    poller: PollerStatus,
}

impl Actor for Says {
    type Context = Context<Self>;
}

macro_rules! says {
    ($message:ty, $answer:expr) => {
        impl Handler<$message> for Says {
            type Result = MessageResult<$message>;
            fn handle(&mut self, _: $message, _: &mut Context<Self>) -> Self::Result {
                MessageResult($answer(self))
            }
        }
    };
}
says!(GetPollerStatus, |says: &Says| says.poller.clone());
says!(GetLockStatus, |_: &Says| LockStatus { held: true, ..LockStatus::default() });
says!(GetWebhookStatus, |_: &Says| WebhookStatus::default());
says!(GetR2Status, |_: &Says| R2Status::default());
says!(GetConfigStatus, |_: &Says| {
    let document =
        DocumentStatus { key: "processing_prefs".to_owned(), running: 1, ..DocumentStatus::default() };
    ConfigStatus { workers: 1, documents: vec![document], ..ConfigStatus::default() }
});
says!(Admit, |_: &Says| Err(AdmitError::Journal("there is no admission here".to_owned())));

fn services(editor: &Editor, journal: &Arc<MemoryJournal>, world: &World, folder: PathBuf) -> Services {
    let storage = Storage::from_env(|_| None).expect("defaults");
    Services {
        configuration: ConfigService { editor: editor.clone() },
        policy: Arc::new(ArcSwap::from_pointee(ActiveDocuments::default().policy(&editor.env, 1))),
        jobs: Jobs::new(Arc::clone(journal) as Arc<dyn Journal>, world.clone()),
        backups: Backups::new(
            storage.journal.clone(),
            Arc::clone(journal) as Arc<dyn JournalAdmin>,
            world.clone(),
            folder,
        ),
        board: WorkerBoard {
            said: Arc::new(MemoryEphemeral::new(world.clone())),
            worker: "this".to_owned(),
            started_at: world.now(),
            version: "1".to_owned(),
        },
        doctor: Arc::new(Semaphore::new(1)),
        verifying: Arc::new(Semaphore::new(1)),
        signed: true,
        links: Arc::new(storage.links.clone()),
        storage: Arc::new(storage),
    }
}

pub(in crate::http) fn state(poller: PollerStatus) -> HttpState {
    let world = World::real();
    let says = Says { poller }.start();
    let deadline = Duration::from_secs(1);
    let memory_admin = Arc::new(MemoryJournal::new(world.clone(), readmodel::all()));
    let memory: Arc<dyn Journal> = Arc::clone(&memory_admin) as Arc<dyn Journal>;
    let files = std::env::temp_dir().join("render-signal-no-documents");
    let editor = Editor {
        store: Arc::new(FileStore::new(files.clone(), None)),
        env: Arc::default(),
        journal: Some(Arc::clone(&memory)),
        world: world.clone(),
    };
    HttpState {
        services: services(&editor, &memory_admin, &world, files),
        probe: StatusProbe {
            journal: Watched::over(Arc::clone(&memory_admin) as Arc<dyn JournalAdmin>, world.clone()),
            eviction: None,
            retention: None,
            idle: None,
            oauth: None,
            actors: system::Probe {
                poller: Some(Port::new("poller", &says, 1, deadline)),
                lock: Some(Port::new("lock", &says, 1, deadline)),
                webhook: Port::new("webhook", &says, 1, deadline),
                r2: Port::new("r2", &says, 1, deadline),
                config: Port::new("config", &says, 1, deadline),
            },
            world: world.clone(),
        },
        metrics: PrometheusBuilder::new().build_recorder().handle(),
        draining: Draining::default(),
        pulse: Pulse::new(),
        metrics_token: Some(TokenDigest::new(&TOKEN.into())),
        metrics_public: false,
        access: Access::default(),
        config_api: None,
        editor,
        bodies: BodyPermits::default(),
        idempotency: Idempotency::new(Arc::new(MemoryEphemeral::new(world.clone()))),
        hub: EventHub::new(Arc::clone(&memory)),
        live: LiveHub::default(),
        recent: Recent::default(),
        streams: StreamLimit::new(8),
        search: Search::open(Arc::clone(&memory), None).expect("a search"),
        reference: reference(&says, &world),
        journal: memory_admin,
        world,
    }
}

/// Of an installation without a mailbox, in which nothing can be sent anywhere.
fn reference(says: &actix::Addr<Says>, world: &World) -> Reference {
    let env = Arc::new(EnvDefaults::default());
    let egress = EgressPolicy::new(Vec::new());
    let options = ClientOptions::default();
    let policy: PolicyCell = Arc::new(ArcSwap::from_pointee(build(&DocumentSet::default(), &env, 1)));
    Reference {
        mailbox: None,
        ingress: Ingress::new(Port::new("dedup", says, 1, Duration::from_secs(1)), Arc::clone(&policy)),
        ingress_keys: None,
        tester: Tester {
            receiver: Arc::new(GuardedReceiver::new(&egress, &options).expect("a client")),
            keys: None,
            policy: Arc::clone(&policy),
            allow: Vec::new(),
            world: world.clone(),
        },
        deployer: Deployer::new(
            GuardedClient::new(&egress, options).expect("a client"),
            DeploySettings::default(),
        ),
        restart: Restart::default(),
        make: MakeAccess {
            host: String::new(),
            parts: ScenarioParts {
                api: Arc::new(MakeApi::new(
                    GuardedClient::new(&egress, ClientOptions::default()).expect("a client"),
                    "127.0.0.1",
                    SecretString::from("key"),
                    MakeAuth::Token,
                )),
                scenarios: Vec::new(),
            },
            configured: false,
        },
        origins: Arc::new([]),
        started: world.now(),
        trigger: std::env::temp_dir().join("render-signal-no-trigger.json"),
        policy,
        env,
    }
}

pub(in crate::http) const TOKEN: &str = "a-token-of-the-tests-0123456789";

async fn ask(state: &HttpState, method: Method, path: &str) -> (StatusCode, String, Value) {
    let (status, kind, body) = read(state, method, path, Some(TOKEN)).await;
    (status, kind, serde_json::from_str(&body).unwrap_or_default())
}

async fn read(
    state: &HttpState,
    method: Method,
    path: &str,
    token: Option<&str>,
) -> (StatusCode, String, String) {
    let app =
        init_service(App::new().app_data(web::Data::new(state.clone())).configure(routes::configure)).await;
    let mut request = TestRequest::with_uri(path).method(method);
    if let Some(token) = token {
        request = request.insert_header((AUTHORIZATION, format!("Bearer {token}")));
    }
    let response = call_service(&app, request.to_request()).await;
    let status = response.status();
    let kind = response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("").to_owned();
    let body = read_body(response).await;
    (status, kind, String::from_utf8(body.to_vec()).unwrap())
}

#[actix_web::test]
async fn health_says_ok_in_exactly_these_words() {
    let (status, _, body) = ask(&state(PollerStatus::default()), Method::GET, "/health").await;
    assert_eq!((status, body), (StatusCode::OK, json!({"status": "ok"})));
}

#[actix_web::test]
async fn ready_until_the_mailbox_is_silent_or_the_program_stops() {
    let well = state(PollerStatus::default());
    let (status, _, body) = ask(&well, Method::GET, "/readyz").await;
    assert_eq!((status, &body["status"]), (StatusCode::OK, &json!("ready")), "{body}");

    let silent = state(PollerStatus { silent: true, ..PollerStatus::default() });
    let (status, _, body) = ask(&silent, Method::GET, "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(body["checks"]["mailbox"]["state"], "fail");

    well.draining.begin();
    let (status, _, body) = ask(&well, Method::GET, "/readyz").await;
    assert_eq!(
        (status, &body["checks"]["process"]["state"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("fail"))
    );
    let (status, _, _) = ask(&well, Method::GET, "/livez").await;
    assert_eq!(status, StatusCode::OK, "stopping is not a reason to be killed");
}

#[actix_web::test]
async fn live_while_the_pulse_beats() {
    let state = state(PollerStatus::default());
    let (status, _, body) = ask(&state, Method::GET, "/livez").await;
    assert_eq!((status, &body["status"]), (StatusCode::OK, &json!("alive")));
    tokio::time::pause();
    tokio::time::advance(Pulse::LIMIT).await;
    let (status, _, body) = ask(&state, Method::GET, "/livez").await;
    assert_eq!((status, &body["status"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("hung")));
    state.pulse.beat();
    assert_eq!(ask(&state, Method::GET, "/livez").await.0, StatusCode::OK);
}

#[actix_web::test]
async fn not_ready_while_nothing_moves() {
    let state = state(PollerStatus::default());
    tokio::time::pause();
    tokio::time::advance(Pulse::LIMIT).await;
    let (status, _, body) = ask(&state, Method::GET, "/readyz").await;
    assert_eq!(
        (status, &body["checks"]["process"]["state"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("fail"))
    );
    state.pulse.beat();
    assert_eq!(ask(&state, Method::GET, "/readyz").await.0, StatusCode::OK);
}

#[actix_web::test]
async fn strangers_see_states_and_those_who_guess_nothing() {
    let mut state = state(PollerStatus { mailbox: "me@example.org".into(), ..PollerStatus::default() });
    let (status, _, body) = read(&state, Method::GET, "/readyz", None).await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.contains("mailbox") && !body.contains("example.org"), "{body}");
    assert!(!body.contains("message") && !body.contains("detail"), "{body}");
    for path in ["/readyz", "/metrics"] {
        let (status, _, body) =
            read(&state, Method::GET, path, Some("a-token-of-somebody-else-012345")).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert!(!body.contains("checks") && !body.contains("render_signal_ready"), "{body}");
    }
    assert!(read(&state, Method::GET, "/readyz", Some(TOKEN)).await.2.contains("me@example.org"));
    let api_token = "a-token-of-the-api-0123456789ab";
    state.access.api_token = Some(TokenDigest::new(&api_token.into()));
    assert_eq!(read(&state, Method::GET, "/readyz", Some(api_token)).await.0, StatusCode::UNAUTHORIZED);
    state.access.scopes = access::Scopes::new(vec![access::ApiScope::Read]);
    assert!(read(&state, Method::GET, "/readyz", Some(api_token)).await.2.contains("me@example.org"));
    let (status, _, body) = read(&state, Method::GET, "/metrics", None).await;
    assert!(status == StatusCode::UNAUTHORIZED && !body.contains("render_signal_ready"), "{body}");
    state.metrics_public = true;
    let (status, _, body) = read(&state, Method::GET, "/metrics", None).await;
    assert!(status == StatusCode::OK && body.contains("render_signal_ready"), "{body}");
    state.metrics_token = None;
    let (status, _, body) = read(&state, Method::GET, "/readyz", Some(TOKEN)).await;
    assert!(status == StatusCode::OK && !body.contains("me@example.org"), "nobody has the token: {body}");
}

#[actix_web::test]
async fn errors_are_problem_documents() {
    let state = state(PollerStatus::default());
    for (method, path, wanted) in [
        (Method::GET, "/nowhere", StatusCode::NOT_FOUND),
        (Method::POST, "/health", StatusCode::METHOD_NOT_ALLOWED),
        (Method::DELETE, "/readyz", StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let (status, kind, body) = ask(&state, method, path).await;
        assert_eq!(status, wanted, "{path}");
        assert_eq!(kind, "application/problem+json", "{path}");
        assert_eq!(body["status"], wanted.as_u16(), "{path}");
        assert_eq!(body["instance"], path);
    }
    assert_eq!(ask(&state, Method::HEAD, "/livez").await.0, StatusCode::OK);
}

#[actix_web::test]
async fn another_method_is_refused_in_the_voice_of_the_address() {
    let state = state(PollerStatus::default());
    for path in ["/api/webhooks/config", "/api/ingress/gmail", "/api/test/webhook_logs"] {
        let (status, kind, body) = ask(&state, Method::DELETE, path).await;
        assert_eq!((status, kind.as_str()), (StatusCode::METHOD_NOT_ALLOWED, "application/json"), "{path}");
        let message = body["message"].as_str().unwrap_or_default();
        assert!(body["success"] == json!(false) && message.starts_with("Méthode non autorisée"), "{body}");
    }
}

/// What is never taken is refused for good, even while there is no room for anything.
#[actix_web::test]
async fn a_mail_that_is_announced_too_large_is_refused_before_it_is_asked_whether_there_is_room() {
    let mut state = state(PollerStatus::default());
    state.access.api_token = Some(TokenDigest::new(&TOKEN.into()));
    let app =
        init_service(App::new().app_data(web::Data::new(state.clone())).configure(routes::configure)).await;
    let _all = state.reference.ingress.room(usize::MAX).expect("all of the room");
    for (bytes, status) in [
        (render_signal_actors::ingress::LARGEST + 1, StatusCode::PAYLOAD_TOO_LARGE),
        (render_signal_actors::ingress::LARGEST, StatusCode::SERVICE_UNAVAILABLE),
    ] {
        let request = TestRequest::post()
            .uri("/api/ingress/gmail")
            .insert_header((AUTHORIZATION, format!("Bearer {TOKEN}")))
            .insert_header((actix_web::http::header::CONTENT_LENGTH, bytes.to_string()));
        let response = call_service(&app, request.to_request()).await;
        assert_eq!(response.status(), status, "{bytes}");
        let retry = response.headers().contains_key(actix_web::http::header::RETRY_AFTER);
        assert_eq!(retry, status == StatusCode::SERVICE_UNAVAILABLE, "whether to come again");
    }
}

/// A check is promised where somebody sweeps, and nowhere else.
#[actix_web::test]
async fn a_check_that_nobody_would_make_is_not_promised() {
    let mut state = state(PollerStatus::default());
    let mut policy = Policy::clone(&state.reference.policy.load());
    policy.schedule.enabled = false;
    policy.default_target.url = "https://hook.eu2.make.com/t".to_owned();
    state.reference.policy.store(Arc::new(policy.clone()));
    state.reference.mailbox = Some("me@example.org".to_owned());
    state.access.api_token = Some(TokenDigest::new(&TOKEN.into()));
    state.access.scopes = Scopes::new(vec![ApiScope::Actions]);
    let path = "/api/check_emails_and_download";
    let (status, _, body) = ask(&state, Method::POST, path).await;
    assert_eq!(status, StatusCode::ACCEPTED, "the mailbox is swept although polling is off: {body}");
    let asked = state.journal.read_log(0, usize::MAX).await.expect("a journal").len();
    assert_eq!(asked, 1);

    policy.withheld.polling =
        vec![render_signal_actors::kernel::said::Said::alike("polling_config: no date")];
    state.reference.policy.store(Arc::new(policy.clone()));
    let (status, _, body) = ask(&state, Method::POST, path).await;
    assert_eq!((status, &body["reason"]), (StatusCode::CONFLICT, &json!("polling_config: no date")));

    policy.withheld.polling.clear();
    state.reference.policy.store(Arc::new(policy));
    state.probe.actors.lock = None;
    let (status, _, body) = ask(&state, Method::POST, path).await;
    assert_eq!((status, &body["success"]), (StatusCode::CONFLICT, &json!(false)), "{body}");
    let asked = state.journal.read_log(0, usize::MAX).await.expect("a journal").len();
    assert_eq!(asked, 1, "no wish was left behind");
}

#[actix_web::test]
async fn a_browser_is_shown_a_page_of_what_went_wrong_and_a_call_is_not() {
    let app = init_service(
        App::new().app_data(web::Data::new(state(PollerStatus::default()))).configure(routes::configure),
    )
    .await;
    // Nobody can sign in here, so that a link is answered 503.
    for (path, accept, language, wanted, said) in [
        ("/nowhere", "text/html,*/*;q=0.8", "fr", 404, "<h1>Introuvable</h1>"),
        ("/nowhere", "text/html,*/*;q=0.8", "en", 404, "<h1>Not found</h1>"),
        ("/nowhere", "*/*", "fr", 404, "\"instance\":\"/nowhere\""),
        ("/api/nowhere", "text/html", "fr", 404, "\"instance\":\"/api/nowhere\""),
        ("/login/magic/x", "text/html", "fr", 503, "<h1>Indisponible pour le moment</h1>"),
        ("/login/magic/x", "application/json", "fr", 503, "\"status\":503"),
    ] {
        let request = TestRequest::with_uri(path)
            .insert_header(("accept", accept))
            .insert_header(("accept-language", language));
        let response = call_service(&app, request.to_request()).await;
        assert_eq!(response.status().as_u16(), wanted, "{path} {accept}");
        assert_eq!(response.headers().get("cache-control").unwrap(), "no-store", "{path} {accept}");
        let kind = response.headers().get(CONTENT_TYPE).unwrap().to_str().unwrap().to_owned();
        let page =
            if said.starts_with('<') { "text/html; charset=utf-8" } else { "application/problem+json" };
        assert_eq!(kind, page, "{path} {accept}");
        let body = String::from_utf8(read_body(response).await.to_vec()).unwrap();
        assert!(body.contains(said), "{path} {accept}: {body}");
    }
}

#[actix_web::test]
async fn metrics_are_text_for_prometheus() {
    let (status, kind, _) = ask(&state(PollerStatus::default()), Method::GET, "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
}
