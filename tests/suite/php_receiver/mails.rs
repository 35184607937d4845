//! The automatic mails.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{
    GMAIL_SECRETS, MESSAGES, TOKENS, assert_no_secret, assert_no_warning, entries, google, list, pair,
    parsed, post, prepared, webhook, with_gmail,
};
use crate::support::Answer;
use crate::support::php::Php;
use crate::support::receiver::Receiver;

/// A host that answers, and what stands in for Google.
async fn answering() -> (Php, Receiver) {
    let google = google().await;
    let mut php = prepared();
    php.set("RECADRAGE_TO", "studio@agence.example, chef@agence.example");
    php.set("AUTOREPONDEUR_TO", "planning@agence.example");
    php.set("MAIL_SIGNATURE", "Camille");
    with_gmail(&mut php, &google);
    php.launch().await;
    (php, google)
}

/// A mail as Gmail was given it: its head without folds, its text and its page.
#[derive(Debug)]
struct Sent {
    head: String,
    text: String,
    page: String,
}

fn sent(google: &Receiver) -> Vec<Sent> {
    let mails = google.deliveries().into_iter().filter(|request| request.path == MESSAGES);
    mails
        .map(|request| {
            assert_eq!(request.header("authorization"), Some("Bearer geheim-access"));
            let raw = request.json()["raw"].as_str().expect("a mail").to_owned();
            let source = String::from_utf8(URL_SAFE_NO_PAD.decode(raw).expect("base64url")).expect("ASCII");
            assert!(source.is_ascii() && source.lines().all(|line| line.len() <= 998), "{source}");
            let (head, parts) = source.split_once("\r\n\r\n").expect("a head");
            let part = |kind: &str| {
                let start = format!(
                    "Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                );
                let (_, rest) = parts.split_once(&start).expect("a part");
                let (content, _) = rest.split_once("--part-").expect("its end");
                String::from_utf8(STANDARD.decode(content.replace("\r\n", "")).expect("base64"))
                    .expect("text")
            };
            let (text, page) = (part("plain"), part("html"));
            Sent { head: head.replace("\r\n ", " "), text, page }
        })
        .collect()
}

/// The words of an encoded header, put together.
fn decoded(header: &str) -> String {
    let words = header.split(' ').map(|word| {
        assert!(word.len() <= 75, "{word}");
        let text = word.strip_prefix("=?UTF-8?B?").and_then(|word| word.strip_suffix("?=")).expect("a word");
        String::from_utf8(STANDARD.decode(text).expect("base64")).expect("whole characters")
    });
    words.collect()
}

fn header<'m>(mail: &'m Sent, name: &str) -> &'m str {
    let line = mail.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no {name}: {}", mail.head))
}

fn detected(detector: &str, more: Value) -> Value {
    let mut body = webhook(&json!([pair(1)]));
    body["detector"] = json!(detector);
    for (name, value) in more.as_object().expect("fields") {
        body[name] = value.clone();
    }
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_say_what_the_settings_and_the_webhook_say() {
    let (php, google) = answering().await;
    let subject = "Média Solution – Missions Recadrage – Lot 42 – à livrer pour la fin de la journée d'été";
    let asked = [
        detected("recadrage", json!({"subject": subject, "delivery_time": "11h51"})),
        detected("recadrage", json!({"subject": "Lot 1 URGENCE", "delivery_time": "11h51"})),
        detected(
            "desabonnement_journee_tarifs",
            json!({"webhooks_time_start": "9h00", "webhooks_time_end": "19h00"}),
        ),
        detected(
            "desabonnement_journee_tarifs",
            json!({"subject": "x <b>\r\nBcc: evil@evil.example", "email_content": "<i>"}),
        ),
        detected("desabonnement_journee_tarifs", json!({"email_content": "C'est URGENT {subject}"})),
    ];
    let messages = [
        "RECADRAGE email sent successfully; 1 delivery link(s) logged",
        "AUTOREPONDEUR email sent successfully",
    ];
    for (number, body) in asked.iter().enumerate() {
        let answer = post(&php, &format!("msg_{number}"), &body.to_string()).await;
        let said = parsed(&answer);
        assert_eq!(
            (answer.status, &said["message"]),
            (200, &json!(messages[usize::from(number > 1)])),
            "{body}"
        );
    }
    let mails = sent(&google);
    assert_eq!(mails.len(), 5);
    assert_eq!(decoded(header(&mails[0], "Subject")), format!("Confirmation : {subject}"));
    assert_eq!(header(&mails[0], "To"), "studio@agence.example, chef@agence.example");
    let (name, address) = header(&mails[0], "From").rsplit_once(' ').expect("a name");
    assert_eq!((decoded(name).as_str(), address), ("Le Studio – Équipe", "<studio@agence.example>"));
    assert!(mails[0].text.contains("11h51") && mails[0].text.ends_with("Camille"), "{:?}", mails[0]);
    assert_eq!(header(&mails[1], "Subject"), "Confirmation : Lot 1 URGENCE");
    assert!(!mails[1].text.contains("11h51"), "what is urgent has no time: {:?}", mails[1]);
    assert_eq!(header(&mails[2], "To"), "planning@agence.example");
    assert!(mails[2].text.contains("à partir de 9h00 et jusqu'à 19h00"), "{:?}", mails[2]);
    assert!(
        mails[3].text.contains("à partir de maintenant.") && !mails[3].head.contains("\nBcc"),
        "{:?}",
        mails[3]
    );
    assert_eq!(header(&mails[3], "Subject"), "Acception : x <b> Bcc: evil@evil.example");
    assert_eq!(header(&mails[4], "Subject"), "Acceptation lot urgent : Lot 42");
    let ids: std::collections::BTreeSet<&str> = mails.iter().map(|mail| header(mail, "Message-ID")).collect();
    assert_eq!(ids.len(), 5);
    for mail in &mails {
        assert!(
            mail.page.starts_with("<p>") && !mail.page.contains("<i>") && !mail.text.contains('{'),
            "{mail:?}"
        );
    }
    let tokens = google.deliveries().into_iter().find(|request| request.path == TOKENS).expect("a request");
    let form = String::from_utf8(tokens.body).expect("a form");
    assert!(form.contains("grant_type=refresh_token") && form.contains(GMAIL_SECRETS[2]), "{form}");
    assert_no_secret(&php.log());
    assert_no_warning(&php);
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_the_local_settings_cover_ours() {
    let google = google().await;
    let mut php = prepared();
    with_gmail(&mut php, &google);
    let local = "<?php return ['RECADRAGE_TO' => 'a@b.example', 'TEXTS' => ['resize' => ['subject' => 'Reçu', 'text' => \"A & B\\n{subject}[ pour {delivery_time}]\"]]];";
    fs::write(php.path("data/env.local.php"), local).expect("settings");
    php.launch().await;
    let body = detected("recadrage", json!({"subject": "<Lot> {delivery_time}"})).to_string();
    assert_eq!(post(&php, "msg_1", &body).await.status, 200);
    let mail = sent(&google).pop().expect("a mail");
    assert_eq!(decoded(header(&mail, "Subject")), "Reçu");
    assert_eq!(mail.text, "A & B\n<Lot> {delivery_time}");
    assert_eq!(mail.page, "<p>A &amp; B<br />\n&lt;Lot&gt; {delivery_time}</p>");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_recorded_whatever_google_says_and_the_mail_is_tried_again() {
    let (php, google) = answering().await;
    let refusal = r#"{"error":{"code":403,"status":"PERMISSION_DENIED","message":"geheim-access may not"}}"#;
    let trouble: [(&str, Answer, &str); 7] = [
        (
            TOKENS,
            Answer::Page(
                400,
                r#"{"error":"invalid_grant","error_description":"geheim-refresh was revoked"}"#,
            ),
            "Token refused: HTTP 400 invalid_grant",
        ),
        (TOKENS, Answer::Page(200, "<html>"), "Token refused: HTTP 200"),
        (TOKENS, Answer::Reset, "Token endpoint unreachable: no answer of 127.0.0.1"),
        (TOKENS, Answer::Redirect(302), "Token refused: HTTP 302"),
        (MESSAGES, Answer::Page(403, refusal), "Gmail refused the mail: HTTP 403 PERMISSION_DENIED"),
        (MESSAGES, Answer::Status(500), "Gmail refused the mail: HTTP 500"),
        (MESSAGES, Answer::Reset, "Gmail unreachable: no answer of 127.0.0.1"),
    ];
    let body = detected("recadrage", json!({})).to_string();
    for (path, answer, why) in trouble {
        google.next(path, [answer]);
        let answer = post(&php, "msg_1", &body).await;
        let said = parsed(&answer);
        assert_eq!(
            (answer.status, &said["message"]),
            (422, &json!("Failed to send RECADRAGE email")),
            "{why}"
        );
        assert_eq!(said["errors"], json!([why]));
        assert_eq!(entries(&list(&php)).len(), 1, "{why}");
        assert_no_secret(&answer.body);
    }
    assert_eq!(post(&php, "msg_1", &body).await.status, 200);
    assert_eq!(entries(&list(&php)).len(), 1);
    let mails = sent(&google);
    assert_eq!(mails.len(), 4, "three that Gmail did not take, and the one that it did");
    let ids: std::collections::BTreeSet<&str> = mails.iter().map(|mail| header(mail, "Message-ID")).collect();
    assert_eq!(ids.len(), 1, "one mail, however often it is tried");
    assert_no_secret(&php.log());
    assert_no_warning(&php);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_address_is_sent_nothing() {
    let google = google().await;
    let mut php = prepared();
    php.set("RECADRAGE_TO", "studio@agence.example, nobody");
    with_gmail(&mut php, &google);
    php.launch().await;
    let answer = post(&php, "msg_1", &detected("recadrage", json!({})).to_string()).await;
    assert_eq!((answer.status, &parsed(&answer)["message"]), (422, &json!("RECADRAGE_TO is no address")));
    assert_eq!((google.count(), entries(&list(&php)).len()), (0, 1));
}
