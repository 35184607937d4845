//! Logging in by an access token, line by line.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::poller::imap::{ImapLogin, ImapSecurity, ImapSettings, ImapSource};
use crate::poller::source::{MailSource as _, SourceError};
use crate::poller::tokens::AccessTokens;

const TOKEN: &str = "ya29.a-token";

/// Gives one token, or none, and keeps what was thought of it.
#[derive(Debug, Default)]
struct Given {
    none: Option<SourceError>,
    judged: Mutex<Vec<bool>>,
}

#[async_trait]
impl AccessTokens for Given {
    async fn token(&self) -> Result<SecretString, SourceError> {
        self.none.clone().map_or_else(|| Ok(SecretString::from(TOKEN)), Err)
    }

    fn judged(&self, token: &SecretString, taken: bool) {
        assert_eq!(token.expose_secret(), TOKEN);
        self.judged.lock().unwrap().push(taken);
    }
}

/// What the server hears, and what it says then; `{tag}` is the tag of the last command.
type Script = Vec<(String, String)>;

async fn play(listener: TcpListener, script: Script) {
    let (stream, _) = listener.accept().await.unwrap();
    let mut stream: BufReader<TcpStream> = BufReader::new(stream);
    stream.get_mut().write_all(b"* OK ready\r\n").await.unwrap();
    let mut tag = String::new();
    for (heard, said) in script {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        let line = line.trim_end_matches("\r\n");
        // An answer to a challenge has no tag, and no blank.
        let command = line.split_once(' ').map_or(line, |(first, rest)| {
            tag = first.to_owned();
            rest
        });
        assert_eq!(command, heard);
        stream.get_mut().write_all(said.replace("{tag}", &tag).as_bytes()).await.unwrap();
    }
}

fn step(heard: &str, said: &str) -> (String, String) {
    (heard.to_owned(), said.to_owned())
}

fn offers(offers: &str) -> (String, String) {
    step("CAPABILITY", &format!("* CAPABILITY IMAP4rev1 {offers}\r\n{{tag}} OK done\r\n"))
}

/// What follows a login that went well.
fn goes_on() -> Script {
    vec![
        step("CAPABILITY", "* CAPABILITY IMAP4rev1 IDLE\r\n{tag} OK done\r\n"),
        step(
            "SELECT \"INBOX\"",
            "* 0 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 1] x\r\n{tag} OK done\r\n",
        ),
    ]
}

fn bearer(port: u16) -> String {
    STANDARD
        .encode(format!("n,a=me@example.fr,\x01host=127.0.0.1\x01port={port}\x01auth=Bearer {TOKEN}\x01\x01"))
}

fn old() -> String {
    STANDARD.encode(format!("user=me@example.fr\x01auth=Bearer {TOKEN}\x01\x01"))
}

/// Connects to a server of this script; how it ended, and what the token's giver was told.
async fn connect(script: impl FnOnce(u16) -> Script, given: Given) -> (Result<u64, SourceError>, Vec<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = script(port);
    let settings = ImapSettings {
        host: "127.0.0.1".to_owned(),
        port,
        security: ImapSecurity::Plain,
        user: "me@example.fr".to_owned(),
        ca_file: None,
        mailbox: "INBOX".to_owned(),
        idle_refresh: Duration::from_secs(120),
    };
    let given = Arc::new(given);
    let source = ImapSource::new(settings, ImapLogin::Tokens(Arc::clone(&given) as Arc<dyn AccessTokens>));
    let connecting = async { source.connect().await.map(|session| session.opened().validity) };
    let connected =
        if script.is_empty() { connecting.await } else { tokio::join!(connecting, play(listener, script)).0 };
    let judged = given.judged.lock().unwrap().clone();
    (connected, judged)
}

#[tokio::test]
async fn the_message_is_in_the_command_where_the_server_takes_that_and_on_a_line_of_its_own_elsewhere() {
    type Case = (&'static str, fn(u16) -> Script);
    let cases: [Case; 4] = [
        ("SASL-IR AUTH=XOAUTH2 AUTH=OAUTHBEARER", |port| {
            vec![step(&format!("AUTHENTICATE OAUTHBEARER {}", bearer(port)), "{tag} OK in\r\n")]
        }),
        ("AUTH=OAUTHBEARER", |port| {
            vec![step("AUTHENTICATE OAUTHBEARER", "+ \r\n"), step(&bearer(port), "{tag} OK in\r\n")]
        }),
        ("SASL-IR AUTH=XOAUTH2 AUTH=PLAIN", |_| {
            vec![step(&format!("AUTHENTICATE XOAUTH2 {}", old()), "{tag} OK in\r\n")]
        }),
        ("AUTH=XOAUTH2", |_| vec![step("AUTHENTICATE XOAUTH2", "+\r\n"), step(&old(), "{tag} OK in\r\n")]),
    ];
    for (offered, login) in cases {
        let script = |port| [vec![offers(offered)], login(port), goes_on()].concat();
        let (connected, judged) = connect(script, Given::default()).await;
        assert_eq!((connected, judged), (Ok(7), vec![true]), "{offered}");
    }
}

#[tokio::test]
async fn a_refused_token_is_told_with_the_servers_reason_and_without_itself() {
    let challenge =
        STANDARD.encode(r#"{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}"#);
    for (offered, dismissal) in [("AUTH=OAUTHBEARER", "AQ=="), ("AUTH=XOAUTH2", "")] {
        let script = |port| {
            let (name, message) =
                if dismissal.is_empty() { ("XOAUTH2", old()) } else { ("OAUTHBEARER", bearer(port)) };
            vec![
                offers(offered),
                step(&format!("AUTHENTICATE {name}"), "+ \r\n"),
                step(&message, &format!("+ {challenge}\r\n")),
                step(dismissal, &format!("{{tag}} NO [AUTHENTICATIONFAILED] {TOKEN} is bad\r\n")),
            ]
        };
        let (connected, judged) = connect(script, Given::default()).await;
        let Err(SourceError::Refused(why)) = connected else { panic!("{connected:?}") };
        assert!(why.contains("the access token of me@example.fr"), "{why}");
        assert!(why.ends_with("(status 400, scope https://mail.google.com/)"), "{why}");
        assert!(!why.contains(TOKEN), "{why}");
        assert_eq!(judged, [false], "{offered}");
    }
}

#[tokio::test]
async fn what_says_nothing_about_the_token_is_not_held_against_it() {
    let unavailable = |_| {
        vec![
            offers("SASL-IR AUTH=XOAUTH2"),
            step(&format!("AUTHENTICATE XOAUTH2 {}", old()), "{tag} NO [UNAVAILABLE] try later\r\n"),
        ]
    };
    let (connected, judged) = connect(unavailable, Given::default()).await;
    assert!(matches!(connected, Err(SourceError::Unreachable(_))), "{connected:?}");
    assert_eq!(judged, Vec::<bool>::new());
    let (connected, judged) = connect(|_| vec![offers("AUTH=PLAIN")], Given::default()).await;
    assert!(
        matches!(&connected, Err(SourceError::Settings(why)) if why.contains("neither OAUTHBEARER nor XOAUTH2")),
        "{connected:?}"
    );
    assert_eq!(judged, Vec::<bool>::new());
}

#[tokio::test]
async fn without_a_token_nobody_is_connected_to() {
    let none = Some(SourceError::Refused("withdrawn".to_owned()));
    let (connected, judged) = connect(|_| Vec::new(), Given { none, ..Given::default() }).await;
    assert_eq!(connected, Err(SourceError::Refused("withdrawn".to_owned())));
    assert_eq!(judged, Vec::<bool>::new());
}
