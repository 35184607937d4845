//! The commands as a user meets them: what they say, and how they end.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::place::{NOWHERE, Place};
use crate::support::program::{BINARY, METRICS_TOKEN};

/// Runs the program in `folder` with nothing but these variables.
fn run(folder: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    Command::new(BINARY)
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .expect("the compiled program")
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("ended with {}", output.status))
}

fn said(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8(both).expect("text")
}

#[test]
fn the_demo_loses_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let temporary = folder.path().to_str().expect("a path in Unicode");
    let demo = run(
        folder.path(),
        &[("TMPDIR", temporary), ("LANG", "fr_FR.UTF-8")],
        &["demo", "--once", "--mails", "40"],
    );
    let text = said(&demo);
    assert_eq!(code(&demo), 0, "{text}");
    for line in ["Livrés (49)", "En attente (1)", "Ignorés (3)", "En quarantaine (1)", "Rien n'a été perdu."]
    {
        assert!(text.lines().any(|said| said == line), "{line:?} is missing:\n{text}");
    }
    assert!(
        text.contains("49 webhooks acceptés, signature vérifiée, 0 signature fausse, 0 doublon"),
        "{text}"
    );
    assert!(text.contains("il est vide ou n'a aucun des champs d'en-tête"), "{text}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("the folder").collect();
    assert!(left.is_empty(), "it left something behind: {left:?}");
}

#[test]
fn a_start_without_an_environment_lists_everything_that_is_missing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let served = run(folder.path(), &[], &["serve"]);
    let text = said(&served);
    assert_eq!(code(&served), 3, "{text}");
    for name in [
        "FLASK_SECRET_KEY",
        "TRIGGER_PAGE_PASSWORD",
        "PROCESS_API_TOKEN",
        "WEBHOOK_URL",
        // Not required: but who has nothing yet is told of them, too.
        "EMAIL_ADDRESS",
        "EMAIL_PASSWORD",
        "IMAP_SERVER",
    ] {
        assert!(text.contains(name), "{name} is not named:\n{text}");
    }
    assert!(!folder.path().join("data").exists(), "a refused start has created something");
}

#[test]
fn commands_that_look_create_no_journal() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for arguments in [
        &["events", "tail"][..],
        &["events", "verify"],
        &["events", "show", "mail-1"],
        &["deliveries", "list"],
        &["deliveries", "retry", "--all-dead"],
    ] {
        let looked = run(folder.path(), &[], arguments);
        assert_eq!(code(&looked), 4, "{arguments:?}: {}", said(&looked));
        assert!(said(&looked).contains("render-signal.db"), "{}", said(&looked));
    }
    assert!(!folder.path().join("data").exists(), "looking has created something");
}

#[test]
fn wrong_usage_and_an_unreachable_server_have_their_codes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert_eq!(code(&run(folder.path(), &[], &["deliveries", "retry"])), 2);
    let maildir = folder.path().join("Maildir");
    for part in ["new", "cur", "tmp"] {
        std::fs::create_dir_all(maildir.join(part)).expect("a Maildir");
    }
    let source = format!("maildir:{}", maildir.display());
    let environment = [
        ("FLASK_SECRET_KEY", "x"),
        ("TRIGGER_PAGE_PASSWORD", "x"),
        ("PROCESS_API_TOKEN", "x"),
        ("MAIL_SOURCE", &source),
        ("EGRESS_ALLOW_CIDRS", "127.0.0.0/8"),
        // The discard port: nobody listens.
        ("WEBHOOK_URL", "http://127.0.0.1:9/a-capability"),
    ];
    let doctor = run(folder.path(), &environment, &["doctor", "--json"]);
    let text = said(&doctor);
    assert_eq!(code(&doctor), 5, "{text}");
    assert!(!text.contains("a-capability"), "the address is not masked:\n{text}");
    let report: serde_json::Value = serde_json::from_slice(&doctor.stdout).expect("JSON");
    let failed: Vec<_> = report["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .filter(|check| check["state"] == "fail")
        .map(|check| check["name"].clone())
        .collect();
    assert_eq!(failed, ["target default"], "{text}");
}

#[test]
fn a_mail_is_explained_from_standard_input() {
    use std::io::Write as _;
    use std::process::Stdio;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut child = Command::new(BINARY)
        .args(["explain", "--json", "--config", ".", "--at", "2026-11-22T19:30:00+01:00", "-"])
        .current_dir(folder.path())
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the compiled program");
    let mail = "From: a@example.fr\nSubject: =?utf-8?Q?M=C3=A9dia?=\nDate: x\nMessage-ID: <1@a>\n\nhttps://fromsmash.com/x\n";
    child.stdin.take().expect("a pipe").write_all(mail.as_bytes()).expect("its input");
    let explained = child.wait_with_output().expect("its end");
    let report: serde_json::Value = serde_json::from_slice(&explained.stdout).expect("JSON");
    assert_eq!(report["subject"], "Média");
    assert_eq!(report["sender"], "a@example.fr");
    assert_eq!(report["links"][0]["provider"], "fromsmash");
    assert_eq!(report["decision"], "deliver");
    for field in [
        "email_id",
        "subject_group",
        "is_reply",
        "detector",
        "delivery_time",
        "urgent",
        "reason",
        "hold_until",
        "deliveries",
    ] {
        assert!(report.get(field).is_some(), "{field} is missing: {report}");
    }
}

/// What a command says in all, and how it ends.
async fn asked(place: &Place, arguments: &[&str]) -> (i32, String) {
    let ran = place.run(arguments).await;
    (ran.code, format!("{}{}", ran.out, ran.complaints))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_of_this_machine_is_asked_how_it_is() {
    let mut place = Place::new(NOWHERE);
    place.set("LANG", "fr_FR.UTF-8");
    let mut worker = place.worker("worker");
    let port = worker.port().to_string();
    let (code, said) = asked(&place, &["health", "--port", &port]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("ne répond pas"), "{said}");

    worker.start().await;
    let (code, said) = asked(&place, &["health", "--port", &port]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.starts_with("vivant"), "{said}");
    // Without the token it is told no more than any stranger is.
    let (code, said) = asked(&place, &["health", "--ready", "--port", &port]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("boîte") && said.contains("prêt") && said.contains("METRICS_TOKEN"), "{said}");
    place.set("METRICS_TOKEN", METRICS_TOKEN);
    place.set("PORT", &port);
    let (code, said) = asked(&place, &["health", "--ready"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("un mail confirmé est sur le disque"), "{said}");
    let answer = place.json(&["health", "--ready", "--json"]).await;
    assert_eq!(answer["checks"]["journal"]["code"], "journal_on_disk", "{answer}");

    place.set("METRICS_TOKEN", "another-token-of-this-length");
    let (code, said) = asked(&place, &["health", "--ready"]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("401"), "{said}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_the_next_deploy_wipes_is_told_of() {
    // What lies on the file system of `/` is what Render wipes.
    if std::fs::metadata("/").expect("/").dev() != std::fs::metadata("/tmp").expect("/tmp").dev() {
        return;
    }
    let mut place = Place::new(NOWHERE);
    place.set("RENDER", "true");
    let refused = place.run(&["serve"]).await;
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.complaints.contains("ALLOW_EPHEMERAL_JOURNAL=1"), "{refused:?}");
    place.set("ALLOW_EPHEMERAL_JOURNAL", "1");
    let mut worker = place.worker("worker");
    worker.start().await;
    let told = worker.get("/readyz").await.body;
    assert!(told.contains("journal_until_deploy") && !told.contains("journal_on_disk"), "{told}");
    assert!(worker.log().contains("the next deploy wipes it"), "{}", worker.log());
    let doctor = place.run(&["doctor"]).await;
    assert!(doctor.out.contains("the next deploy wipes it"), "{doctor:?}");
    worker.stop().await;
}
