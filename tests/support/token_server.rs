//! Who gives access tokens, and takes them back: a provider of OAuth2 as far as the program, a browser and
//! Dovecot see it, with Gmail's API beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use url::form_urlencoded;

use super::dovecot::USER;
use super::http::{Reader, Request, answer};

/// Id of the program.
pub(crate) const CLIENT: &str = "client-of-the-tests";
/// Its secret.
pub(crate) const SECRET: &str = "hush-client-secret";
/// What every refresh token begins with, so that it is found where it does not belong.
pub(crate) const REFRESH: &str = "hush-refresh-";
/// The same of access tokens.
pub(crate) const ACCESS: &str = "hush-access-";

#[derive(Debug, Default)]
struct ProviderState {
    /// Refresh tokens that count.
    refresh: BTreeSet<String>,
    /// Access tokens that count.
    access: BTreeSet<String>,
    /// Each renewal takes the refresh token back and gives another one.
    rotates: bool,
    /// Nothing is answered but 503.
    away: bool,
    /// What is said of the life of an access token, in seconds.
    life: u64,
    /// Tokens of either kind so far.
    number: u32,
    /// Refresh tokens that were asked with.
    asked: Vec<String>,
    /// Codes with the challenge and the address they were given for.
    codes: BTreeMap<String, (String, String)>,
    /// Somebody has agreed to the device's code; `None` = it was declined.
    device: Option<bool>,
    /// Mails that were sent by the API.
    mails: Vec<String>,
}

impl ProviderState {
    fn next(&mut self, kind: &str) -> String {
        self.number += 1;
        format!("{kind}{}", self.number)
    }

    fn give(&mut self, refresh: Option<String>) -> (u16, Value) {
        let access = self.next(ACCESS);
        self.access.insert(access.clone());
        let mut given = json!({
            "access_token": access, "token_type": "Bearer", "expires_in": self.life, "scope": "https://mail.example.fr/",
        });
        if let Some(refresh) = refresh {
            given["refresh_token"] = Value::from(refresh);
        }
        (200, given)
    }
}

/// The provider. Dropping it closes it.
#[derive(Debug)]
pub(crate) struct TokenServer {
    port: u16,
    state: Arc<Mutex<ProviderState>>,
    server: JoinHandle<()>,
}

impl TokenServer {
    /// Starts one. Its access tokens are said to count for an hour.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free loopback port");
        let port = listener.local_addr().expect("the address of a bound listener").port();
        let state = Arc::new(Mutex::new(ProviderState {
            life: 3_600,
            device: Some(false),
            ..ProviderState::default()
        }));
        let server = tokio::spawn(serve(listener, Arc::clone(&state)));
        Self { port, state, server }
    }

    fn state(&self) -> MutexGuard<'_, ProviderState> {
        self.state.lock().unwrap()
    }

    /// One of its addresses.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Somebody has agreed: another refresh token.
    pub(crate) fn agree(&self) -> String {
        let mut state = self.state();
        let token = state.next(REFRESH);
        state.refresh.insert(token.clone());
        token
    }

    /// Takes every refresh token back, and every access token.
    pub(crate) fn withdraw(&self) {
        let mut state = self.state();
        state.refresh.clear();
        state.access.clear();
    }

    /// The access tokens that were given count no more.
    pub(crate) fn expire(&self) {
        self.state().access.clear();
    }

    /// From now on, what is said of the life of access tokens, in seconds.
    pub(crate) fn live_for(&self, seconds: u64) {
        self.state().life = seconds;
    }

    /// From now on each renewal gives another refresh token and takes the one before back.
    pub(crate) fn rotate(&self) {
        self.state().rotates = true;
    }

    /// Whether it answers nothing but 503.
    pub(crate) fn be_away(&self, away: bool) {
        self.state().away = away;
    }

    /// Somebody agrees to the device's code.
    pub(crate) fn agree_to_device(&self) {
        self.state().device = Some(true);
    }

    /// Somebody declines it.
    pub(crate) fn decline_device(&self) {
        self.state().device = None;
    }

    /// The refresh tokens that were asked with, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.state().asked.clone()
    }

    /// The mails that were sent by the API, as they travelled.
    pub(crate) fn mails(&self) -> Vec<String> {
        self.state().mails.clone()
    }

    /// The variables that have a worker open its mailbox by tokens of this provider.
    pub(crate) fn environment(&self, refresh: &str) -> Vec<(&'static str, String)> {
        vec![
            ("IMAP_AUTH", "oauth2".to_owned()),
            ("IMAP_OAUTH_PROVIDER", "other".to_owned()),
            ("IMAP_OAUTH_CLIENT_ID", CLIENT.to_owned()),
            ("IMAP_OAUTH_CLIENT_SECRET", SECRET.to_owned()),
            ("IMAP_OAUTH_REFRESH_TOKEN", refresh.to_owned()),
            ("IMAP_OAUTH_TOKEN_URL", self.url("/token")),
            ("IMAP_OAUTH_AUTHORIZE_URL", self.url("/authorize")),
            ("IMAP_OAUTH_DEVICE_URL", self.url("/devicecode")),
            ("IMAP_OAUTH_SCOPE", "https://mail.example.fr/".to_owned()),
            ("GMAIL_API_URL", self.url("/")),
        ]
    }
}

impl Drop for TokenServer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, state: Arc<Mutex<ProviderState>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    let state = Arc::clone(&state);
                    connections.spawn(async move { connection(stream, &state).await });
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(mut stream: TcpStream, state: &Mutex<ProviderState>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (read, mut write) = stream.split();
    let mut reader = Reader::new(read);
    while let Some(request) = reader.request().await? {
        let said = answered(&mut state.lock().unwrap(), &request);
        write.write_all(&said).await?;
    }
    Ok(())
}

fn answered(state: &mut ProviderState, request: &Request) -> Vec<u8> {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    match (request.method.as_str(), path) {
        _ if state.away => answer(503, "application/json", "", "{}"),
        ("GET", "/authorize") => authorize(state, &fields(query.as_bytes())),
        _ => {
            let (status, body) = respond(state, path, request);
            answer(status, "application/json", "", &body.to_string())
        }
    }
}

fn fields(form: &[u8]) -> BTreeMap<String, String> {
    form_urlencoded::parse(form).into_owned().collect()
}

fn bearer(request: &Request) -> &str {
    request.header("authorization").and_then(|text| text.strip_prefix("Bearer ")).unwrap_or_default()
}

fn refused(error: &str) -> (u16, Value) {
    (400, json!({"error": error, "error_description": format!("it is {error}\r\nTrace: 1")}))
}

fn respond(state: &mut ProviderState, path: &str, request: &Request) -> (u16, Value) {
    let form = fields(&request.body);
    let of = |name: &str| form.get(name).map_or("", String::as_str);
    match path {
        "/token" if of("client_id") != CLIENT || of("client_secret") != SECRET => {
            (401, json!({"error": "invalid_client"}))
        }
        "/token" => token(state, &form),
        "/devicecode" if of("client_id") == CLIENT => (
            200,
            json!({
                "device_code": "the-device-code", "user_code": "WDJB-MJHT",
                "verification_uri": "https://example.fr/device", "expires_in": 900, "interval": 1,
            }),
        ),
        // Dovecot asks.
        "/introspect" if state.access.contains(bearer(request)) => {
            (200, json!({"active": true, "username": USER}))
        }
        "/introspect" => (200, json!({"active": false})),
        "/gmail/v1/users/me/messages/send" if state.access.contains(bearer(request)) => {
            let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            let raw = URL_SAFE_NO_PAD.decode(body["raw"].as_str().unwrap_or_default()).unwrap_or_default();
            state.mails.push(String::from_utf8_lossy(&raw).into_owned());
            (200, json!({"id": format!("m{}", state.mails.len()), "threadId": "t1"}))
        }
        _ => (404, json!({"error": {"status": "NOT_FOUND", "message": "there is nothing"}})),
    }
}

fn token(state: &mut ProviderState, form: &BTreeMap<String, String>) -> (u16, Value) {
    let of = |name: &str| form.get(name).map_or("", String::as_str);
    match of("grant_type") {
        "refresh_token" => {
            let token = of("refresh_token").to_owned();
            state.asked.push(token.clone());
            if !state.refresh.contains(&token) {
                return refused("invalid_grant");
            }
            if !state.rotates {
                return state.give(None);
            }
            state.refresh.remove(&token);
            let another = state.next(REFRESH);
            state.refresh.insert(another.clone());
            state.give(Some(another))
        }
        "authorization_code" => {
            let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(of("code_verifier")));
            // A code counts once.
            match state.codes.remove(of("code")) {
                Some((asked, redirect)) if asked == challenge && redirect == of("redirect_uri") => {
                    consented(state)
                }
                _ => refused("invalid_grant"),
            }
        }
        "urn:ietf:params:oauth:grant-type:device_code" if of("device_code") == "the-device-code" => {
            match state.device {
                Some(true) => consented(state),
                Some(false) => refused("authorization_pending"),
                None => refused("authorization_declined"),
            }
        }
        _ => refused("unsupported_grant_type"),
    }
}

fn consented(state: &mut ProviderState) -> (u16, Value) {
    let refresh = state.next(REFRESH);
    state.refresh.insert(refresh.clone());
    state.give(Some(refresh))
}

/// The person agrees at once, and the browser is sent back.
fn authorize(state: &mut ProviderState, asked: &BTreeMap<String, String>) -> Vec<u8> {
    let of = |name: &str| asked.get(name).map_or("", String::as_str);
    let good = of("client_id") == CLIENT
        && of("response_type") == "code"
        && of("code_challenge_method") == "S256"
        && of("scope") == "https://mail.example.fr/";
    if !good {
        return answer(400, "text/plain", "", "this is no question for a consent");
    }
    let code = state.next("code-");
    state.codes.insert(code.clone(), (of("code_challenge").to_owned(), of("redirect_uri").to_owned()));
    let back = form_urlencoded::Serializer::new(String::new())
        .append_pair("code", &code)
        .append_pair("state", of("state"))
        .finish();
    answer(302, "text/plain", &format!("Location: {}?{back}\r\n", of("redirect_uri")), "")
}
