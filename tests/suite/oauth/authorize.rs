//! The consent of a person: in a browser on this machine, and by a code on another device.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;
use url::Url;

use crate::support::http::{self, Response};
use crate::support::place::{NOWHERE, Place};
use crate::support::program::BINARY;
use crate::support::token_server::{CLIENT, REFRESH, SECRET};
use crate::support::{PATIENCE, TokenServer};

/// The command while it waits for a person.
struct Asking {
    child: Child,
    said: Option<BufReader<ChildStdout>>,
}

impl Asking {
    fn start(provider: &TokenServer, arguments: &[&str], more: &[(&str, &str)]) -> Self {
        let environment = provider.environment("");
        let mut child = Command::new(BINARY)
            .args(["oauth", "authorize"])
            .args(arguments)
            .env_clear()
            .envs(
                environment.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name, value)),
            )
            .env("EGRESS_ALLOW_CIDRS", "127.0.0.0/8")
            .env("EMAIL_ADDRESS", "signal@example.fr")
            .envs(more.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the compiled program");
        let said = child.stdout.take().map(BufReader::new);
        Self { child, said }
    }

    /// Its next line.
    async fn line(&mut self) -> String {
        let mut said = self.said.take().expect("its output");
        let read = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            said.read_line(&mut line).expect("a line");
            (said, line)
        });
        let (said, line) = read.await.expect("a line");
        self.said = Some(said);
        line.trim_end().to_owned()
    }

    async fn json(&mut self) -> Value {
        let line = self.line().await;
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// All that is left of what it says, its complaints, and how it ends.
    async fn end(mut self) -> (String, String, Option<i32>) {
        let ended = tokio::task::spawn_blocking(move || {
            let (mut out, mut complaints) = (String::new(), String::new());
            self.said.take().expect("its output").read_to_string(&mut out).expect("text");
            self.child.stderr.take().expect("a pipe").read_to_string(&mut complaints).expect("text");
            (out, complaints, self.child.wait().expect("its end").code())
        });
        ended.await.expect("its end")
    }
}

/// A test that fails leaves nobody waiting.
impl Drop for Asking {
    fn drop(&mut self) {
        // It has ended by itself when all went well.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What a browser does: one GET.
async fn open(address: &Url) -> Response {
    let path = format!("{}?{}", address.path(), address.query().unwrap_or_default());
    let request = http::request("GET", &path, "Connection: close\r\n", "");
    http::exchange_within(address.port().expect("a port"), &request, PATIENCE).await.expect("an answer")
}

fn parse(address: &str) -> Url {
    Url::parse(address).unwrap_or_else(|error| panic!("{error}: {address}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_on_this_machine_brings_the_consent_and_only_to_its_question() {
    let provider = TokenServer::start().await;
    let mut asking = Asking::start(&provider, &["--flow", "browser", "--json"], &[]);
    let asked = asking.json().await;
    assert_eq!(asked["step"], "open", "{asked}");
    let address = parse(asked["address"].as_str().expect("an address"));
    assert!(
        address.query().is_some_and(|query| query.contains("login_hint=signal%40example.fr")),
        "{address}"
    );
    assert!(!address.as_str().contains(SECRET));
    // Any page may send a browser to the port: what does not know the question is passed over.
    let redirect = parse(asked["redirect"].as_str().expect("an address"));
    for foreign in ["?code=stolen&state=guessed", "favicon.ico", "?error=access_denied&state=guessed"] {
        assert_eq!(open(&redirect.join(foreign).expect("an address")).await.status, 404, "{foreign}");
    }
    let consent = open(&address).await;
    assert_eq!(consent.status, 302, "{}", consent.body);
    let back = open(&parse(consent.header("location").expect("a way back"))).await;
    assert!(back.status == 200 && back.body.contains("It is agreed"), "{}", back.body);
    let done = asking.json().await;
    assert_eq!(done["step"], "done", "{done}");
    let token = done["set"]["IMAP_OAUTH_REFRESH_TOKEN"].as_str().expect("a token").to_owned();
    assert!(token.starts_with(REFRESH));
    assert_eq!(done["set"]["IMAP_OAUTH_CLIENT_ID"], CLIENT);
    assert!(!done.to_string().contains(SECRET));
    assert_eq!(asking.end().await.2, Some(0));

    // The token is one that access tokens are given for.
    let mut place = Place::new(NOWHERE);
    for (name, value) in provider.environment(&token) {
        place.set(name, &value);
    }
    place.set("IMAP_SERVER", "127.0.0.1");
    place.set("EMAIL_ADDRESS", "signal@example.fr");
    let check = place.run(&["oauth", "check"]).await;
    assert_eq!(check.code, 0, "{check:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_on_another_device_brings_the_consent_in_either_language() {
    let provider = TokenServer::start().await;
    for (lang, wanted) in [("fr", "tapez le code"), ("en", "type in the code")] {
        provider.agree_to_device();
        let asking = Asking::start(&provider, &["--lang", lang], &[]);
        let (out, complaints, code) = asking.end().await;
        assert_eq!(code, Some(0), "{out}{complaints}");
        assert!(
            out.contains(wanted) && out.contains("WDJB-MJHT") && out.contains("https://example.fr/device"),
            "{out}"
        );
        assert!(
            out.lines().any(|line| line.starts_with(&format!("IMAP_OAUTH_REFRESH_TOKEN={REFRESH}"))),
            "{out}"
        );
        assert!(!out.contains(SECRET) && !complaints.contains(REFRESH), "{out}{complaints}");
    }
    provider.decline_device();
    let mut asking = Asking::start(&provider, &["--json"], &[]);
    assert_eq!(asking.json().await["step"], "code");
    let (out, complaints, code) = asking.end().await;
    assert_eq!((out.as_str(), code), ("", Some(1)), "{complaints}");
    assert!(complaints.contains("it was declined: authorization_declined"), "{complaints}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_work_is_told_with_what_to_change() {
    let provider = TokenServer::start().await;
    let ended = async |arguments: &[&str], more: &[(&str, &str)]| {
        let (_, complaints, code) = Asking::start(&provider, arguments, more).end().await;
        (complaints, code)
    };
    let (said, code) = ended(&[], &[("IMAP_OAUTH_CLIENT_ID", "")]).await;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("IMAP_OAUTH_CLIENT_ID"), "{said}");
    let (said, code) = ended(&[], &[("IMAP_OAUTH_CLIENT_ID", "somebody else")]).await;
    assert!(code != Some(0) && said.contains("docs/OAUTH.md"), "{said}");
    // Google gives no code for another device that opens a mailbox.
    let google = [("IMAP_OAUTH_DEVICE_URL", ""), ("IMAP_OAUTH_CLIENT_SECRET", "")];
    let (said, code) = ended(&["--provider", "google", "--flow", "device"], &google).await;
    assert_eq!(code, Some(2), "{said}");
}
