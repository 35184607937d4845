//! What the log says of one mail, from its admission to the flag, and what it says of nobody.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::until::ensure;
use crate::support::worker::Mode;
use crate::support::{Answer, PATIENCE, Site, Worker, checks, http, mails, standard_webhooks, until};

/// The lines of a log in JSON that name a mail, by span.
fn lines_of(log: &str, email_id: &str) -> BTreeMap<String, Vec<Value>> {
    let mut lines: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        if [&line["span"]["email_id"], &line["email_id"]].into_iter().any(|id| id == email_id) {
            lines.entry(line["span"]["name"].as_str().unwrap_or("none").to_owned()).or_default().push(line);
        }
    }
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn one_mail_can_be_followed_in_the_log() {
    let site = Site::start().await;
    let r2 = Worker::start(Mode::Copies).await;
    let mut worker = site.worker("worker");
    for (name, value) in r2.environment() {
        worker.set(&name, &value);
    }
    worker.set("LOG_FORMAT", "json");
    worker.set("RUST_LOG", "info,render_signal_actors::poller=debug");
    worker.start().await;
    let sent = vec![mails::recadrage(), mails::recadrage()];
    site.dovecot.deliver(&sent);
    until("the webhooks", PATIENCE, async || checks::all_accepted(&site.receiver, &sent)).await;
    site.until_all_seen(sent.len()).await;
    let delivery = site.receiver.deliveries().into_iter().find(|one| one.mark() == sent[0].mark);
    let id =
        delivery.expect("a webhook").json()["microsoft_graph_email_id"].as_str().expect("an id").to_owned();

    let said = until("the whole way of the mail", PATIENCE, async || {
        let lines = lines_of(&worker.log(), &id);
        let spans: Vec<_> = lines.keys().map(String::as_str).collect();
        if spans == ["admit", "deliver", "none", "offload"] { Ok(lines) } else { Err(format!("{spans:?}")) }
    })
    .await;
    let text = |span: &str, field: &str| said[span][0][field].clone();
    assert_eq!(
        (text("admit", "message"), text("admit", "decision")),
        ("a mail was taken in".into(), "routed".into())
    );
    assert_eq!(
        (text("offload", "message"), text("offload", "copied")),
        ("the links of a mail are settled".into(), 1.into())
    );
    assert_eq!(text("deliver", "message"), "webhook delivered");
    assert_eq!(said["deliver"][0]["span"]["target"], "default");
    assert_eq!(said["deliver"][0]["span"]["attempt"], 1);
    assert_eq!(text("none", "message"), "a mail is marked as read");
    assert!(said.values().flatten().count() < 8, "few lines are enough: {said:?}");
    // Neither who wrote nor what about.
    assert!(!worker.log().contains(&sent[0].mark), "no subject");
    worker.stop().await;
}

/// What a person wrote, and what opens something: in no line, however the log is written.
mod private {
    pub(super) const SENDER: &str = "zoe.personne@prive.example";
    pub(super) const STRANGER: &str = "eve.inconnue@ailleurs.example";
    pub(super) const NAME: &str = "Zozefine";
    pub(super) const SUBJECT: &str = "Divorcement";
    pub(super) const TEXT: &str = "hospitalisation";
    pub(super) const ATTACHMENT: &str = "bulletin-de-paie-zoe";
    pub(super) const LINK_KEY: &str = "rlkey-qui-ouvre";
    pub(super) const ANSWER: &str = "texte-du-destinataire";
    pub(super) const PATH: &str = "capability-4711";
    pub(super) const TYPED: &str = "a-password-that-somebody-typed";
    pub(super) const GUESSED: &str = "a-token-that-somebody-guessed-0123";
}

/// A mail of this sender with all that a person would not want to be read elsewhere.
fn intimate(from: &str, prefix: &str) -> mails::TestMail {
    let mut mail = mails::linking_to(&format!(
        "https://www.dropbox.com/scl/fo/dossier/x?rlkey={}&dl=0",
        private::LINK_KEY
    ));
    let raw = String::from_utf8(mail.raw).expect("a mail in UTF-8");
    let (head, text) = raw.split_once("Content-Type: text/plain; charset=utf-8\r\n\r\n").expect("a text");
    let head = head
        .replace("Marc <marc@example.fr>", &format!("{} <{from}>", private::NAME))
        .replace("Un fichier", &format!("{prefix}{}", private::SUBJECT));
    mail.raw = format!(
        "{head}Content-Type: multipart/mixed; boundary=\"=_p\"\r\n\r\n--=_p\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\n{}\r\n{text}\r\n--=_p\r\n\
         Content-Type: application/pdf; name=\"{name}.pdf\"\r\n\
         Content-Disposition: attachment; filename=\"{name}.pdf\"\r\n\r\nJVBERi0=\r\n--=_p--\r\n",
        private::TEXT,
        name = private::ATTACHMENT,
    )
    .into_bytes();
    mail
}

async fn post(port: u16, path: &str, headers: &str, body: &str) -> u16 {
    let request = http::request("POST", path, &format!("Connection: close\r\n{headers}"), body);
    http::exchange_within(port, &request, PATIENCE).await.expect("an answer").status
}

#[tokio::test(flavor = "multi_thread")]
async fn no_line_of_a_run_has_a_persons_data_or_a_secret() {
    for format in ["text", "json"] {
        let log = an_eventful_run(format).await;
        let signing = standard_webhooks::secret("present");
        let secrets = [
            private::SENDER,
            private::STRANGER,
            private::NAME,
            private::SUBJECT,
            private::TEXT,
            private::ATTACHMENT,
            private::LINK_KEY,
            private::ANSWER,
            private::PATH,
            private::TYPED,
            private::GUESSED,
            "a-secret-of-the-tests",
            "a-password-of-the-tests",
            "a-token-of-the-tests",
            crate::support::dovecot::USER,
            crate::support::dovecot::PASSWORD,
            crate::support::worker::TOKEN,
            signing.trim_start_matches("whsec_"),
        ];
        for secret in secrets {
            let line = log.lines().find(|line| line.to_lowercase().contains(&secret.to_lowercase()));
            assert_eq!(line, None, "{secret:?} is in the log ({format})");
        }
        // The run did what is told at all, and each line about a mail names it.
        for told in [
            "a mail was taken in",
            "webhook not delivered",
            "webhook delivered",
            "the links of a mail are settled",
            "somebody could not sign in",
            "somebody signed in",
            "stopped",
        ] {
            let line = log.lines().find(|line| line.contains(told));
            let line = line.unwrap_or_else(|| panic!("{told:?} is not in the log ({format}):\n{log}"));
            let of_a_mail = told.contains("mail") || told.contains("webhook");
            assert_eq!(line.contains("email_id"), of_a_mail, "{line}");
            if told.starts_with("webhook") {
                for field in ["target", "attempt", "url"] {
                    assert!(line.contains(field), "{field} is missing in {line}");
                }
            }
        }
        let first = log.lines().next().expect("a line");
        assert_eq!(serde_json::from_str::<Value>(first).is_ok(), format == "json", "{first}");
    }
}

/// The log of a worker that takes in mails of every fate, is asked by strangers, and is stopped.
async fn an_eventful_run(format: &str) -> String {
    let site = Site::start().await;
    let r2 = Worker::start(Mode::Copies).await;
    r2.name_files(&format!("{}.zip", private::ATTACHMENT));
    let url = site.receiver.url(&format!("/{}", private::PATH));
    site.configure("webhook_config", &json!({ "webhook_url": url }));
    site.configure("polling_config", &json!({ "sender_of_interest_for_polling": [private::SENDER] }));
    site.receiver
        .next(&format!("/{}", private::PATH), [Answer::Page(503, private::ANSWER), Answer::Redirect(302)]);
    let mut worker = site.worker("worker");
    for (name, value) in r2.environment() {
        worker.set(&name, &value);
    }
    worker.set("LOG_FORMAT", format);
    worker.start().await;

    let wanted = vec![intimate(private::SENDER, ""), intimate(private::SENDER, "")];
    site.dovecot.deliver(&wanted);
    site.dovecot.deliver(&[intimate(private::STRANGER, ""), intimate(private::SENDER, "Re: ")]);
    site.dovecot.deliver(&[mails::unreadable()]);
    until("the webhooks", PATIENCE, async || checks::all_accepted(&site.receiver, &wanted)).await;
    until("every mail to be decided", PATIENCE, async || {
        let decided = worker.log().matches("a mail was taken in").count();
        ensure(decided == 5, || format!("{decided} of 5"))
    })
    .await;

    let port = worker.port();
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let login = |password: &str| format!("username=admin&password={password}");
    assert_eq!(post(port, "/login", form, &login(private::TYPED)).await, 401);
    assert_eq!(post(port, "/login", form, &login("a-password-of-the-tests")).await, 303);
    let pushed = json!({
        "sender": format!("{} <{}>", private::NAME, private::SENDER),
        "subject": private::SUBJECT,
        "body": format!("{} https://fromsmash.com/{}", private::TEXT, private::LINK_KEY),
    });
    for (token, status) in [(private::GUESSED, 401), ("a-token-of-the-tests", 200)] {
        let headers = format!("Content-Type: application/json\r\nAuthorization: Bearer {token}\r\n");
        assert_eq!(post(port, "/api/ingress/gmail", &headers, &pushed.to_string()).await, status);
    }
    // A document that cannot be used quotes nothing of it.
    site.configure(
        "webhook_config",
        &json!({ "webhook_url": format!("ftp://host.example/{}", private::PATH) }),
    );
    worker.until_answer("/readyz", |answer| answer.body.contains("webhook_url")).await;
    worker.stop().await;
    worker.log()
}
