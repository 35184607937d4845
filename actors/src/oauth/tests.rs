//! The service before a token endpoint that answers as it is told.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use super::kept::{FILE_NAME, FileRefreshTokens, KeptToken, RefreshTokens};
use super::provider::OAuthAddresses;
use super::*;
use crate::egress::{ClientOptions, EgressPolicy, GuardedClient};
use crate::kernel::clock::{Clock, World};

const REVOKED: &str = r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#;

/// Answers requests by the refresh token in them.
struct FakeEndpoint {
    url: Url,
    asked: Arc<Mutex<Vec<String>>>,
    _server: AbortOnDropHandle<()>,
}

type Answers = Arc<dyn Fn(&str, usize) -> (u16, String) + Send + Sync>;

impl FakeEndpoint {
    async fn start(answers: impl Fn(&str, usize) -> (u16, String) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/token", listener.local_addr().unwrap())).unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (answers, seen): (Answers, _) = (Arc::new(answers), Arc::clone(&asked));
        let server = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                let body = loop {
                    stream.read_buf(&mut request).await.unwrap();
                    let text = String::from_utf8_lossy(&request).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let length = head
                        .to_lowercase()
                        .split("content-length: ")
                        .nth(1)
                        .map_or(0, |rest| rest.lines().next().unwrap().trim().parse().unwrap());
                    if body.len() >= length {
                        break body.to_owned();
                    }
                };
                let field = |pair: &str| pair.strip_prefix("refresh_token=").map(str::to_owned);
                let token = body.split('&').find_map(field).unwrap_or_default();
                let number = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(token.clone());
                    seen.len()
                };
                let (status, body) = answers(&token, number);
                let answer = format!(
                    "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { url, asked, _server: AbortOnDropHandle::new(server) }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn endpoint(&self, world: &World) -> TokenEndpoint {
        let egress = EgressPolicy::new(vec!["127.0.0.0/8".parse().unwrap()]);
        let addresses = OAuthAddresses { token: Some(self.url.clone()), ..OAuthAddresses::default() };
        TokenEndpoint {
            provider: OAuthProvider::new(ProviderName::Other, "", addresses).unwrap(),
            client: OAuthClient { id: "client".to_owned(), secret: None },
            http: GuardedClient::new(&egress, ClientOptions::default()).unwrap(),
            world: world.clone(),
        }
    }
}

fn token(access: &str, seconds: u64, refresh: Option<&str>) -> (u16, String) {
    let refresh = refresh.map_or_else(String::new, |token| format!(",\"refresh_token\":\"{token}\""));
    (
        200,
        format!(
            "{{\"access_token\":\"{access}\",\"token_type\":\"Bearer\",\"expires_in\":{seconds}{refresh}}}"
        ),
    )
}

/// A clock that is moved by hand.
struct HandClock(Mutex<chrono::DateTime<chrono::Utc>>);
impl Clock for HandClock {
    fn now(&self) -> chrono::DateTime<chrono::Utc> {
        *self.0.lock().unwrap()
    }
}

struct Scene {
    clock: Arc<HandClock>,
    world: World,
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let clock = Arc::new(HandClock(Mutex::new("2026-11-30T12:00:00Z".parse().unwrap())));
        let world = World { clock: clock.clone(), ..World::real() };
        Self { clock, world, folder: tempfile::tempdir().unwrap() }
    }

    fn pass(&self, seconds: i64) {
        *self.clock.0.lock().unwrap() += TimeDelta::seconds(seconds);
    }

    fn file(&self) -> FileRefreshTokens {
        FileRefreshTokens::new(self.folder.path().join(FILE_NAME))
    }

    fn service(&self, server: &FakeEndpoint, seed: &str) -> Arc<TokenService> {
        TokenService::new(server.endpoint(&self.world), seed.into(), Arc::new(self.file()))
    }
}

async fn given(service: &Arc<TokenService>) -> Result<String, TokenTrouble> {
    service.token().await.map(|token| token.expose_secret().to_owned())
}

#[tokio::test]
async fn many_who_want_a_token_at_once_cost_one_request() {
    let scene = Scene::new();
    let server = FakeEndpoint::start(|_, number| token(&format!("a{number}"), 3_600, None)).await;
    let service = scene.service(&server, "seed");
    let all = futures::future::join_all((0..20).map(|_| given(&service))).await;
    assert!(all.iter().all(|token| token.as_deref() == Ok("a1")), "{all:?}");
    scene.pass(3_200);
    assert_eq!(given(&service).await.as_deref(), Ok("a1"));
    scene.pass(150);
    assert_eq!(given(&service).await.as_deref(), Ok("a2"), "it is renewed before it ends");
    assert_eq!(server.asked(), ["seed", "seed"]);
    assert_eq!(scene.file().load().await.unwrap().map(|_| ()), None, "nothing had to be kept");
}

#[tokio::test]
async fn an_endpoint_that_is_away_is_asked_less_and_less_and_the_old_token_is_used_meanwhile() {
    let scene = Scene::new();
    let server = FakeEndpoint::start(|_, number| match number {
        1 => token("a1", 3_600, None),
        2..=4 => (503, String::new()),
        _ => token("a5", 3_600, None),
    })
    .await;
    let service = scene.service(&server, "seed");
    assert_eq!(given(&service).await.as_deref(), Ok("a1"));
    scene.pass(3_400);
    for _ in 0..10 {
        assert_eq!(given(&service).await.as_deref(), Ok("a1"), "it still counts");
    }
    assert_eq!(server.asked().len(), 2);
    scene.pass(300);
    for _ in 0..10 {
        let error = given(&service).await.unwrap_err();
        assert!(matches!(&error, TokenTrouble::Away { why, .. } if why.contains("503")), "{error:?}");
    }
    assert_eq!(server.asked().len(), 3);
    assert!(matches!(service.report().trouble, Some(TokenTrouble::Away { .. })));
    scene.pass(5);
    given(&service).await.unwrap_err();
    scene.pass(10);
    assert_eq!(given(&service).await.as_deref(), Ok("a5"));
    assert_eq!((server.asked().len(), service.report().trouble), (5, None));
}

#[tokio::test]
async fn a_new_refresh_token_is_kept_and_survives_a_restart_until_the_environment_has_another_seed() {
    let scene = Scene::new();
    let server = FakeEndpoint::start(|asked, number| {
        assert_ne!(asked, "", "a request without a refresh token");
        token(&format!("a{number}"), 3_600, Some(&format!("r{number}")))
    })
    .await;
    let service = scene.service(&server, "seed");
    for (number, with) in [(1, "seed"), (2, "r1"), (3, "r2")] {
        assert_eq!(given(&service).await.unwrap(), format!("a{number}"));
        assert_eq!(server.asked().last().unwrap(), with);
        scene.pass(3_500);
    }
    let restarted = scene.service(&server, "seed");
    given(&restarted).await.unwrap();
    assert_eq!(server.asked().last().unwrap(), "r3");
    let another = scene.service(&server, "another seed");
    given(&another).await.unwrap();
    assert_eq!(server.asked().last().unwrap(), "another+seed");
    // What grew from the first seed is gone with it.
    scene.pass(3_500);
    given(&another).await.unwrap();
    assert_eq!(server.asked().last().unwrap(), "r5");
}

#[tokio::test]
async fn a_revoked_token_causes_no_storm_and_another_one_is_taken_up_at_once() {
    let scene = Scene::new();
    let server = FakeEndpoint::start(|asked, _| match asked {
        "good" => token("a", 3_600, None),
        _ => (400, REVOKED.to_owned()),
    })
    .await;
    let service = scene.service(&server, "seed");
    for _ in 0..50 {
        let error = given(&service).await.unwrap_err();
        assert!(matches!(&error, TokenTrouble::Revoked(said) if said.error == "invalid_grant"), "{error:?}");
        scene.pass(30);
    }
    assert_eq!(server.asked(), ["seed"], "25 minutes, one question");
    let report = service.report();
    assert!(matches!(report.trouble, Some(TokenTrouble::Revoked(_))));
    // Another worker, or somebody, keeps another one of the same seed.
    let url = server.url.as_str();
    let seed = kept::fingerprint(&SecretString::from("seed"), "client", url);
    scene.file().keep(&KeptToken { seed, token: "good".into() }).await.unwrap();
    assert_eq!(given(&service).await.as_deref(), Ok("a"));
    assert_eq!(
        (server.asked(), service.report().trouble),
        (vec!["seed".to_owned(), "good".to_owned()], None)
    );
}

#[tokio::test]
async fn when_what_was_kept_counts_no_more_the_seed_is_tried() {
    let scene = Scene::new();
    let server = FakeEndpoint::start(|asked, _| match asked {
        "seed" => token("a", 3_600, None),
        _ => (400, REVOKED.to_owned()),
    })
    .await;
    let seed = kept::fingerprint(&SecretString::from("seed"), "client", server.url.as_str());
    scene.file().keep(&KeptToken { seed, token: "old".into() }).await.unwrap();
    assert_eq!(given(&scene.service(&server, "seed")).await.as_deref(), Ok("a"));
    assert_eq!(server.asked(), ["old", "seed"]);
}

/// A place that does not keep anything at first.
#[derive(Debug, Default)]
struct FullDisk {
    tries: AtomicUsize,
    kept: Mutex<Option<String>>,
}

#[async_trait]
impl RefreshTokens for FullDisk {
    async fn load(&self) -> Result<Option<KeptToken>, String> {
        Ok(None)
    }

    async fn keep(&self, token: &KeptToken) -> Result<(), String> {
        if self.tries.fetch_add(1, Ordering::SeqCst) == 0 {
            return Err("no space left on device".to_owned());
        }
        *self.kept.lock().unwrap() = Some(token.token.expose_secret().to_owned());
        Ok(())
    }
}

#[tokio::test]
async fn what_could_not_be_kept_is_used_told_and_kept_the_next_time() {
    let scene = Scene::new();
    let server =
        FakeEndpoint::start(|_, number| token(&format!("a{number}"), 3_600, (number == 1).then_some("r1")))
            .await;
    let disk = Arc::new(FullDisk::default());
    let kept: Arc<dyn RefreshTokens> = Arc::clone(&disk) as Arc<dyn RefreshTokens>;
    let service = TokenService::new(server.endpoint(&scene.world), "seed".into(), kept);
    given(&service).await.unwrap();
    assert_eq!(service.report().unkept.as_deref(), Some("no space left on device"));
    scene.pass(3_500);
    given(&service).await.unwrap();
    assert_eq!(server.asked(), ["seed", "r1"]);
    assert_eq!((service.report().unkept, disk.kept.lock().unwrap().clone()), (None, Some("r1".to_owned())));
}

#[tokio::test]
async fn a_new_refresh_token_is_kept_although_nobody_waits_for_the_answer() {
    let scene = Scene::new();
    let server = FakeEndpoint::start(|_, _| token("a", 3_600, Some("r1"))).await;
    let service = scene.service(&server, "seed");
    // Given up after its first step, as a connection is whose lease is lost.
    let gave_up = tokio::time::timeout(Duration::ZERO, given(&service)).await;
    assert!(gave_up.is_err(), "{gave_up:?}");
    // Whoever comes next waits for the same turn, or finds what it brought.
    assert_eq!(given(&service).await.as_deref(), Ok("a"));
    assert_eq!(server.asked(), ["seed"]);
    let kept = scene.file().load().await.unwrap().unwrap();
    assert_eq!(kept.token.expose_secret(), "r1");
}

#[tokio::test]
async fn nothing_that_is_shown_holds_a_secret() {
    let scene = Scene::new();
    let server = FakeEndpoint::start(|_, _| {
        (
            400,
            r#"{"error":"invalid_client","error_description":"hush-seed is not for this client"}"#.to_owned(),
        )
    })
    .await;
    let service = scene.service(&server, "hush-seed");
    let error = given(&service).await.unwrap_err();
    let shown =
        format!("{error} {error:?} {service:?} {:?} {:?}", service.report(), server.endpoint(&scene.world));
    assert!(!shown.contains("hush"), "{shown}");
}
