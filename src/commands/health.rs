//! `health`: asks the server on this machine how it is, and says so.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use render_signal_actors::said;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::cli::health::HealthArgs;
use crate::commands::{doctor, environment, lang, malformed};
use crate::exit::{CommandFailure, CommandResult, Exit};
use crate::findings::{self, Severity};
use crate::lang::Lang;
use crate::output::{Output, Style};
use crate::settings::OwnServer;

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// A longer answer is not ours.
const MAX_ANSWER_BYTES: u64 = 4 * 1_024 * 1_024;

/// Asks and prints; ends with 1 when the server is not well.
pub(super) async fn run(args: &HealthArgs, out: &mut Output) -> CommandResult {
    let lang = lang();
    let server = OwnServer::from_env(environment).map_err(malformed)?;
    let address = SocketAddr::new(server.address.ip(), args.port.unwrap_or(server.address.port()));
    if address.port() == 0 {
        let why = lang.pick(
            "PORT=0 laisse le choix du port au système\u{a0}: donnez celui du serveur avec --port",
            "PORT=0 lets the system choose the port: name that of the server with --port",
        );
        return Err(CommandFailure::new(Exit::Usage, why));
    }
    let path = if args.ready { "/readyz" } else { "/livez" };
    let token = server.token.as_ref().filter(|_| args.ready).map(|token| token.expose_secret());
    let answer = tokio::time::timeout(PATIENCE, ask(address, path, token)).await;
    let answer = match answer {
        Ok(Ok(answer)) => answer,
        Ok(Err(why)) => return Err(CommandFailure::found(lang.one(nobody(address, &why)))),
        Err(_) => {
            let seconds = PATIENCE.as_secs();
            let why = lang.one(said!("aucune réponse en {seconds} s", "no answer within {seconds} s"));
            return Err(CommandFailure::found(lang.one(nobody(address, &why))));
        }
    };
    let status = answer.status;
    if args.json {
        out.json_pretty(&answer.body)?;
    } else {
        let told: ToldHealth = serde_json::from_value(answer.body).unwrap_or_default();
        if told.checks.is_empty() {
            out.line(one_line(status, &told, lang, out))?;
        } else {
            print_checks(&told, lang, out)?;
        }
    }
    Ok(if status == 200 { Exit::Ok } else { Exit::Found })
}

fn nobody(address: SocketAddr, why: &str) -> render_signal_actors::kernel::said::Said {
    said!(
        "le serveur de {address} ne répond pas\u{a0}: {why}\u{a0}; tourne-t-il ici, et avec ce PORT\u{a0}?",
        "the server at {address} does not answer: {why}; does it run here, and with this PORT?"
    )
}

/// What the server said.
struct OwnAnswer {
    status: u16,
    body: Value,
}

/// What is understood of its body, whichever of its pages it is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ToldHealth {
    /// A word; of an error its number.
    status: Value,
    last_beat_seconds: u64,
    checks: BTreeMap<String, ToldCheck>,
    title: String,
    detail: String,
}

/// A check of `/readyz`; strangers are told its state alone.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ToldCheck {
    state: String,
    said: Option<InBoth>,
    advice: Option<InBoth>,
}

/// A text in both languages.
#[derive(Debug, Deserialize)]
struct InBoth {
    fr: String,
    en: String,
}

/// One request. The answer is ours: short, sized, and the last one of its connection.
async fn ask(address: SocketAddr, path: &str, token: Option<&str>) -> Result<OwnAnswer, String> {
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{authorization}\r\n");
    let mut stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    stream.take(MAX_ANSWER_BYTES).read_to_end(&mut bytes).await.map_err(|error| error.to_string())?;
    read(&bytes).ok_or_else(|| "it speaks no HTTP that this program would".to_owned())
}

/// Status and body of an HTTP/1.1 answer.
fn read(bytes: &[u8]) -> Option<OwnAnswer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, body) = bytes.split_at_checked(end)?;
    let head = std::str::from_utf8(head).ok()?;
    let (version, rest) = head.lines().next()?.split_once(' ')?;
    let status = rest.split(' ').next()?.parse().ok()?;
    let body = serde_json::from_slice(body.get(4..)?).ok()?;
    version.starts_with("HTTP/1.").then_some(OwnAnswer { status, body })
}

/// Whether it lives; or, when it did not say so, what it said instead.
fn one_line(status: u16, told: &ToldHealth, lang: Lang, out: &Output) -> String {
    let seconds = told.last_beat_seconds;
    match (status, told.status.as_str()) {
        (200, Some("alive")) => {
            let said = lang.one(said!(
                "vivant, dernier battement il y a {seconds} s",
                "alive, the last beat was {seconds} s ago"
            ));
            out.styled(Style::Good, &said)
        }
        (_, Some("hung")) => {
            let said = lang.one(said!(
                "plus rien ne bouge depuis {seconds} s\u{a0}: redémarrez-le",
                "nothing has moved for {seconds} s: start it again"
            ));
            out.styled(Style::Bad, &said)
        }
        (status, _) => {
            let said = if told.detail.is_empty() { &told.title } else { &told.detail };
            out.styled(Style::Bad, &format!("{status} {said}"))
        }
    }
}

/// The checks of `/readyz`, and what they come to.
fn print_checks(told: &ToldHealth, lang: Lang, out: &mut Output) -> Result<(), CommandFailure> {
    for (name, check) in &told.checks {
        let state = match check.state.as_str() {
            "ok" => Severity::Ok,
            "warn" => Severity::Warn,
            _ => Severity::Fail,
        };
        let (said, advice) = (words(check.said.as_ref(), lang), words(check.advice.as_ref(), lang));
        let name = lang.one(findings::subject(name));
        out.line(doctor::state_line(state, &name, said, advice, lang, out).trim_end())?;
    }
    let (style, verdict) = match told.status.as_str() {
        Some("ready") => (Style::Good, lang.pick("prêt", "ready")),
        _ => (Style::Bad, lang.pick("pas prêt", "not ready")),
    };
    out.line(out.styled(style, verdict))?;
    if told.checks.values().all(|check| check.said.is_none()) {
        out.line(lang.pick(
            "(le serveur ne dit pourquoi qu'à qui a son METRICS_TOKEN)",
            "(the server says why to those alone who have its METRICS_TOKEN)",
        ))?;
    }
    Ok(())
}

/// A text in the user's language; empty where there is none.
fn words(text: Option<&InBoth>, lang: Lang) -> &str {
    text.map_or("", |text| lang.pick(&text.fr, &text.en))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_its_status_and_its_body() {
        let answer = read(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\n{}").unwrap();
        assert_eq!((answer.status, answer.body), (503, json!({})));
        for other in [&b"SSH-2.0-x\r\n\r\n{}"[..], b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n<p>", b""]
        {
            assert!(read(other).is_none(), "{}", String::from_utf8_lossy(other));
        }
    }

    #[test]
    fn what_the_server_says_is_told_in_the_language_of_the_reader() {
        let out = Output::into_writer(Box::new(std::io::sink()));
        let told = |body: Value| serde_json::from_value::<ToldHealth>(body).unwrap();
        let hung = told(json!({"status": "hung", "last_beat_seconds": 61}));
        assert_eq!(one_line(503, &hung, Lang::En, &out), "nothing has moved for 61 s: start it again");
        assert!(one_line(503, &hung, Lang::Fr, &out).starts_with("plus rien ne bouge depuis 61 s"));
        let problem = told(json!({"title": "Unauthorized", "status": 401, "detail": "another token"}));
        assert_eq!(one_line(401, &problem, Lang::En, &out), "401 another token");
        let both = InBoth { fr: "va bien".to_owned(), en: "is well".to_owned() };
        assert_eq!((words(Some(&both), Lang::Fr), words(None, Lang::En)), ("va bien", ""));
    }
}
