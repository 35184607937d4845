//! Who answers in place of the IMAP server, or sits on the wire to it.

use super::fake_imap::{Deed, FakeImap, Security, Trick};
use crate::support::place::Place;
use crate::support::receiver::Receiver;
use crate::support::until::ensure;
use crate::support::{PATIENCE, Program, TestMail, certificates, checks, child, mails, until};

const USER: &str = "me@example.fr";
const PASSWORD: &str = "mot \"de\" passe-1234";
/// Resident memory at its highest, in KiB: a debug build at rest takes some 70 MiB, one mail of
/// the largest accepted size (25 MiB) some copies of itself. 2.4 GiB were possible.
const MEMORY: u64 = 256 * 1024;

/// A worker before a fake server, with one mail to deliver in the end.
struct Scene {
    /// Keeps its folder.
    _place: Place,
    receiver: Receiver,
    server: FakeImap,
    mail: TestMail,
    worker: Program,
}

impl Scene {
    async fn new(security: Security, tricks: Vec<Trick>) -> Self {
        let receiver = Receiver::start().await;
        let place = Place::new(&receiver.url("/hook"));
        place.put("processing_prefs", r#"{"rate_limit_per_hour": 0, "max_email_size_mb": 25}"#);
        certificates::write(place.folder.path());
        let mail = mails::recadrage();
        let server = FakeImap::start(security, place.folder.path(), &mail, tricks).await;
        let mut worker = place.worker("worker");
        let name = match security {
            Security::Plain => "plain",
            Security::Tls => "tls",
            Security::StartTls => "starttls",
        };
        for (variable, value) in [
            ("MAIL_SOURCE", "imap"),
            ("EMAIL_ADDRESS", USER),
            ("EMAIL_PASSWORD", PASSWORD),
            ("IMAP_SERVER", "127.0.0.1"),
            ("IMAP_PORT", &server.port.to_string()),
            ("IMAP_SECURITY", name),
            ("IMAP_CA_FILE", "ca.pem"),
        ] {
            worker.set(variable, value);
        }
        Self { _place: place, receiver, server, mail, worker }
    }

    /// Every trick is played, one connection each; then the server is honest, and the same
    /// process takes in the mail. Returns the log.
    async fn play(&mut self) -> String {
        self.worker.launch();
        until("the mail to be delivered", PATIENCE * 2, async || {
            ensure(self.worker.is_alive(), || format!("the worker is gone:\n{}", self.worker.tail()))
                .unwrap_or_else(|dead| panic!("{dead}"));
            checks::all_accepted(&self.receiver, std::slice::from_ref(&self.mail))
                .and_then(|()| ensure(self.server.left() == 0, || format!("{} tricks", self.server.left())))
                .and_then(|()| ensure(self.server.seen(), || "it is not marked".to_owned()))
        })
        .await;
        let peak = child::peak_rss_kib(self.worker.pid());
        assert!(peak < MEMORY, "{} MiB", peak / 1024);
        assert!(self.worker.stop().await.success());
        let log = self.worker.log();
        assert!(!log.contains("panicked"), "{log}");
        for (what, secret) in [("password", "passe-1234"), ("its base64", "cGFzc2UtMTIzN")] {
            assert!(!log.contains(secret), "the {what} is in the log");
        }
        assert!(!log.contains('\u{1b}'), "the log has an escape");
        log
    }
}

fn nested() -> Vec<u8> {
    format!("* 1 FETCH (BODYSTRUCTURE {}\r\n", "(".repeat(100_000)).into_bytes()
}

fn answer(point: &'static str, words: &str) -> Trick {
    Some((point, Deed::Answer(words.as_bytes().to_vec())))
}

fn count(log: &str, words: &str) -> usize {
    log.matches(words).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn before_tls_nothing_but_a_greeting_and_the_tagged_answer_is_read() {
    let tricks = vec![
        Some(("greeting", Deed::Answer(nested()))),
        Some(("greeting", Deed::Flood(vec![b'('; 64 * 1024]))),
        answer("greeting", "* PREAUTH welcome\r\n"),
        // Not the answer, and too long to be passed over.
        Some(("STARTTLS", Deed::Say(nested()))),
    ];
    let mut scene = Scene::new(Security::StartTls, tricks).await;
    let log = scene.play().await;
    assert!(log.contains("a line without an end before its greeting"), "{log}");
    assert!(log.contains("not one of IMAP before a login"), "{log}");
    assert!(log.contains("a line without an end when it was asked for STARTTLS"), "{log}");
    let clear = scene.server.heard().into_iter().filter(|line| line.starts_with("clear"));
    assert!(clear.clone().count() > 0 && clear.clone().all(|line| line.ends_with(" STARTTLS")));
}

#[tokio::test(flavor = "multi_thread")]
async fn starttls_is_neither_stripped_nor_stuffed() {
    let injected = "{tag} OK begin\r\n* 1 FETCH (BODYSTRUCTURE ((((\r\nA0001 OK logged in\r\n";
    let tricks = vec![
        answer("STARTTLS", "{tag} NO \u{1b}[2Jnot today\r\n"),
        answer("STARTTLS", injected),
        // Untagged words before the answer are nobody's business.
        Some(("STARTTLS", Deed::Say(b"* BYE x\r\n* 1 FETCH (BODYSTRUCTURE (((((((\r\n".to_vec()))),
    ];
    let mut scene = Scene::new(Security::StartTls, tricks).await;
    let log = scene.play().await;
    assert!(log.contains("does not do STARTTLS (?[2Jnot today)"), "{log}");
    assert!(log.contains("unprotected behind its answer to STARTTLS"), "{log}");
    for line in scene.server.heard() {
        assert!(line.starts_with("secret") || !line.contains("LOGIN"), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nested_answers_end_the_connection_and_not_the_process() {
    for security in [Security::Tls, Security::Plain] {
        let tricks = vec![
            Some(("LOGIN", Deed::Answer(nested()))),
            Some(("SELECT", Deed::Say(nested()))),
            Some(("SEARCH", Deed::Say(nested()))),
            Some(("FETCH-BODY", Deed::Say(nested()))),
            // Unasked, when all is done.
            Some(("IDLE", Deed::Say(nested()))),
        ];
        let mut scene = Scene::new(security, tricks).await;
        let log = scene.play().await;
        assert!(count(&log, "nested deeper than anything that was asked for") >= 5, "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lie_about_sizes_takes_no_memory() {
    let announced = "* 1 FETCH (UID 1 BODY[]<0> {2400000000}\r\n";
    let within = format!("* 1 FETCH (UID 1 BODY[]<0> {{{}}}\r\n", 25 << 20);
    let tricks = vec![
        // Announced, and sent as long as anybody listens.
        Some(("FETCH-BODY", Deed::Answer(announced.into()))),
        // Only announced, as large as was asked for.
        Some(("FETCH-BODY", Deed::Last(within.into_bytes()))),
        // Where no literal belongs.
        answer("SEARCH", "* SEARCH {2400000000}\r\n"),
        answer("LOGIN", "* OK [BADCHARSET ({2400000000}\r\n"),
    ];
    let mut scene = Scene::new(Security::Tls, tricks).await;
    let log = scene.play().await;
    assert!(log.contains("announces 2400000000 bytes where at most 26214401 were asked for"), "{log}");
    assert!(count(&log, "announces a literal that was not asked for") >= 2, "{log}");
    let asked = scene.server.heard();
    assert!(
        asked.iter().any(|line| line.ends_with("UID FETCH 1 (UID BODY.PEEK[]<0.26214401>)")),
        "{asked:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_and_lines_without_an_end_are_broken_off() {
    let line = "x".repeat(64 * 1024);
    let many: String = (1..2_000).map(|uid| format!("* 1 FETCH (UID {uid} RFC822.SIZE 7)\r\n")).collect();
    let searched =
        format!("* SEARCH {}\r\n", (1..9_000).map(|uid| uid.to_string()).collect::<Vec<_>>().join(" "));
    let tricks = vec![
        Some(("SEARCH", Deed::Flood(searched.into_bytes()))),
        Some(("FETCH", Deed::Flood(many.into_bytes()))),
        Some(("LOGIN", Deed::Flood(line.into_bytes()))),
        Some(("SELECT", Deed::Flood(b"* OK [UIDNEXT 7] again\r\n".repeat(500)))),
    ];
    let mut scene = Scene::new(Security::Tls, tricks).await;
    let log = scene.play().await;
    for words in ["more mails than the 1 it has", "a line of more than 262144 bytes"] {
        assert!(log.contains(words), "{words}: {log}");
    }
    assert!(count(&log, "sends more than what was asked for can take") >= 2, "{log}");
    // What was taken of each flood is bounded; some is on its way in the sockets.
    assert!(scene.server.sent() < 64 << 20, "{}", scene.server.sent());
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_shown_clean_short_and_without_the_words_of_the_login() {
    let base64 = |text: String| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text);
    let echo = format!(
        "{{tag}} NO [AUTHENTICATIONFAILED] \u{1b}]0;gotcha\u{7} LOGIN \"{USER}\" \"{}\" {} {} {}\r\n",
        PASSWORD.replace('"', "\\\""),
        base64(PASSWORD.to_owned()),
        base64(format!("\0{USER}\0{PASSWORD}")),
        "x".repeat(5_000),
    );
    let tricks = vec![
        Some(("LOGIN", Deed::Answer(echo.clone().into_bytes()))),
        Some(("SELECT", Deed::Answer(echo.into_bytes()))),
        answer("SEARCH", &format!("* BYE {PASSWORD} \u{202e}is wrong\r\n")),
    ];
    let mut scene = Scene::new(Security::Tls, tricks).await;
    let log = scene.play().await;
    assert!(log.contains("[AUTHENTICATIONFAILED] ?]0;gotcha?"), "{log}");
    assert!(log.contains("(hidden)") && !log.contains(&"x".repeat(200)), "{log}");
    assert!(!log.contains('\u{202e}'), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_nobody_known_gets_no_password() {
    let mut scene = Scene::new(Security::Tls, Vec::new()).await;
    scene.worker.unset("IMAP_CA_FILE");
    scene.worker.launch();
    scene.worker.until_log("UnknownIssuer").await;
    assert_eq!(scene.server.heard(), Vec::<String>::new());
    scene.worker.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_drips_from_the_first_byte_is_given_up() {
    let tricks = vec![Some(("greeting", Deed::Drip(b"* OK rea".to_vec())))];
    let mut scene = Scene::new(Security::StartTls, tricks).await;
    let log = scene.play().await;
    assert!(log.contains("connecting: 127.0.0.1:"), "{log}");
    assert!(log.contains("did not answer within 30 s"), "{log}");
}
