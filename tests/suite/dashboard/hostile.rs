//! What strangers write is text: in mails, in the names of files, in the answers of receivers, in
//! addresses of ours that somebody made up.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use serde_json::json;

use super::pages::{PAGES, Page, Who};
use super::places::rule;
use super::{Desk, Setup, checks};
use crate::support::receiver::Answer;
use crate::support::site::HOOK;
use crate::support::until::ensure;
use crate::support::worker::Mode;
use crate::support::{PATIENCE, TestMail, Worker, mails, until};

/// In each of them, so that a page is seen to show them.
const SHOWN: &str = "canari";

/// Each a way out of some place in which a page may have put it. Had one got out, it would set
/// `window.__owned`, or leave an element that is called `canary…`.
const TEXTS: [&str; 18] = [
    "canari <script>window.__owned='element'</script>",
    "canari <b id=\"canary-b\" class=\"canary\">gras</b>",
    "canari <img src=x onerror=\"window.__owned='image'\" id=canary-img>",
    "canari \"><svg onload=\"window.__owned='svg'\" id=canary-svg>",
    "canari '><a id='canary-a' href='javascript:window.__owned=1'>ici</a>",
    "canari\" autofocus onfocus=\"window.__owned='focus'\" id=\"canary-focus",
    "canari' onmouseover='window.__owned=`mouse`' x='",
    "canari </title></style></textarea></script><script>window.__owned='end'</script>",
    "canari --><script>window.__owned='comment'</script><!--",
    "canari <iframe srcdoc=\"<script>parent.__owned='frame'</script>\"></iframe>",
    "canari <meta http-equiv=refresh content=\"0;url=https://evil.example/\"><base href=\"https://evil.example/\">",
    "canari <form id=canary-form action=https://evil.example/><button>OK</button></form>",
    "canari <link rel=stylesheet href=//evil.example/a.css><style id=canary-style>*{display:none}</style>",
    "canari {{constructor.constructor('window.__owned=1')()}} ${window.__owned=1} <%= 7*7 %>",
    "canari &lt;script&gt;window.__owned='twice'&lt;/script&gt; &#60;b id=canary-entity&#62;",
    "canari \u{202e}gpj.exe\u{202c} \u{2066}isolé\u{2069} \u{200f}\u{061c}",
    "canari \u{1b}[31mrouge\u{1b}[0m\u{7}\u{8}\u{0}\u{9b}31m\u{85}\u{2028}ligne",
    "canari 'avec' \"toutes\" <les> &sortes; \\de\\ `signes` \u{feff}\u{fffe} 𝕏 👩‍👩‍👧",
];

/// What a receiver answers.
const ANSWER: &str = "<!doctype html><title>canari</title><script>window.__owned='answer'</script>\
    <h1 id=canary-answer onclick=\"window.__owned=1\">canari \u{202e}erreur</h1>\
    <img src=https://evil.example/x.png onerror=\"window.__owned='answer image'\">\u{1b}[2J\u{7}";

/// A mail of which everything that can be shown is this text.
fn saying(text: &str) -> TestMail {
    let TestMail { mark, .. } = mails::linking_to("");
    let word = |text: &str| format!("=?utf-8?B?{}?=", STANDARD.encode(text));
    let base64 = |text: &str| {
        let encoded = STANDARD.encode(text);
        let lines = encoded.as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line).into_owned());
        lines.collect::<Vec<_>>().join("\r\n")
    };
    let link = format!("https://www.dropbox.com/scl/fo/{mark}/AHb9xq?rlkey=k3{mark}&dl=0");
    let plain = format!("{text}\r\n{link}\r\nhttps://fromsmash.com/\"><b>{mark}\r\n");
    let page = format!(
        "<p>{text}</p><a href=\"{link}\" title=\"{text}\">{text}</a><a href=\"javascript:window.__owned=1\">{text}</a>"
    );
    let file = text
        .chars()
        .filter(|char| char.is_ascii() && !char.is_ascii_control() && *char != '"' && *char != '\\');
    let file: String = file.collect();
    let raw = format!(
        "Message-ID: <{mark}@example.fr>\r\nDate: Thu, 08 Jan 2026 15:30:00 +0100\r\n\
         From: {sender} <canari+{mark}@example.fr>\r\nReply-To: {sender} <reply@example.fr>\r\n\
         To: Livraisons <signal@example.fr>\r\nSubject: {subject} [{mark}]\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=\"=_{mark}\"\r\n\r\n\
         --=_{mark}\r\nContent-Type: multipart/alternative; boundary=\"=a{mark}\"\r\n\r\n\
         --=a{mark}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{plain}\r\n\
         --=a{mark}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{page}\r\n\
         --=a{mark}--\r\n\
         --=_{mark}\r\nContent-Type: image/svg+xml; name=\"{file}\"\r\n\
         Content-Disposition: attachment; filename=\"{file}\"\r\n\r\n\
         <svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"window.__owned='file'\"/>\r\n--=_{mark}--\r\n",
        sender = word(text),
        subject = word(text),
        plain = base64(&plain),
        page = base64(&page),
    );
    TestMail { mark, raw: raw.into_bytes() }
}

/// A text that a document may have: no signs that steer terminals.
fn is_printable(text: &&str) -> bool {
    !text.chars().any(|sign| sign.is_control() || ('\u{2028}'..='\u{202e}').contains(&sign))
}

/// The program after all of that came in: some of it was sent on, some was not taken; rules and
/// settings say such things as well.
async fn attacked(texts: &[&str]) -> (Desk, Worker) {
    let files = Worker::start(Mode::Copies).await;
    files.name_files("canari <script>window.__owned='file'</script>\u{202e}\"><b id=canary-file>.zip");
    let mails: Vec<_> = texts.iter().map(|text| saying(text)).collect();
    let mut setup = Setup::new(&mails).await;
    setup.receiver.always(HOOK, Answer::Page(500, ANSWER));
    setup.receiver.next(HOOK, [Answer::Page(200, ANSWER); 6]);
    setup.variables.extend(files.environment());
    let url = setup.receiver.url(HOOK);
    let written: Vec<&str> = texts.iter().copied().filter(is_printable).collect();
    let rules = written.iter().enumerate().map(|(at, text)| rule(&format!("r{at}"), text, text, &url));
    let rules = json!({ "rules": rules.collect::<Vec<_>>() });
    let words: Vec<String> = written.iter().map(|text| format!("jamais {text}")).collect();
    let preferences = json!({
        "rate_limit_per_hour": 0, "retry_count": 1, "retry_delay_sec": 1, "exclude_keywords": words,
    });
    let setup = setup.document("routing_rules", rules).document("processing_prefs", preferences);
    let setup = setup.document("webhook_config", json!({ "webhook_sending_enabled": true }));
    let mut desk = Desk::with(setup).await;
    let trial = desk.trial("r0").await;
    for (name, place) in [("rule", "r3"), ("trial", trial.as_str())] {
        desk.places.know(name, place.to_owned());
    }
    checks::keep_violations(&desk.browser).await;
    for (what, which) in [("taken", "state=delivered"), ("refused", "status=500")] {
        until(&format!("a webhook that was {what}"), PATIENCE, async || {
            let found = desk.api.get(&format!("/api/v1/deliveries?{which}")).await;
            ensure(found["count"].as_u64() > Some(0), || found.to_string())
        })
        .await;
    }
    // They came as they were written: what is looked for below is there.
    let listed = desk.api.get("/api/v1/mails?limit=200").await;
    let subjects = listed["items"].as_array().expect("mails").iter().map(|mail| mail["subject"].to_string());
    let subjects = subjects.collect::<String>();
    for part in ["<script>window.__owned=", "<img src=x onerror=", "<iframe srcdoc=", "\u{202e}gpj"] {
        assert!(subjects.contains(part), "{part} in {subjects}");
    }
    (desk, files)
}

/// Opens whatever can be opened on the page, and looks for harm.
async fn harm(desk: &Desk) -> Vec<String> {
    let browser = &desk.browser;
    browser.run("for (const one of document.querySelectorAll('details')) one.open = true", &[]).await;
    checks::harmless(browser).await
}

/// Shows what came in on a page of the table.
async fn assert_harmless(desk: &Desk, page: &Page) {
    let listed = desk.api.get("/api/v1/mails?limit=200").await;
    let all = listed["items"].as_array().expect("mails").iter();
    let all: Vec<_> = all.map(|mail| mail["id"].as_str().expect("an id").to_owned()).collect();
    // One fate stands for all: it is every mail's page.
    let paths: Vec<String> = match page.path {
        "/mails/{delivered}" | "/mails/{ignored}?aujourdhui=1" => {
            let fill = |id: &String| page.path.replace("{delivered}", id).replace("{ignored}", id);
            all.iter().map(fill).collect()
        }
        path if path.starts_with("/mails/{") => Vec::new(),
        path => vec![desk.places.path(path)],
    };
    for path in paths {
        desk.come_as(page.who).await;
        desk.browser.go(&path).await;
        desk.browser.arrive(&path).await;
        let mut found = harm(desk).await;
        if page.shows_mails && !desk.browser.text().await.contains(SHOWN) {
            found.push("nothing of what came in is shown".to_owned());
        }
        let own = format!("{}{path} - Failed to load resource", desk.browser.origin());
        let noise = desk.browser.noise().await.into_iter();
        found.extend(noise.filter(|said| !(page.status >= 400 && said.contains(&own))));
        assert!(found.is_empty(), "{path}:\n{}", found.join("\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_strangers_write_is_text_on_every_page() {
    let (desk, _files) = attacked(&TEXTS).await;
    for page in PAGES {
        assert_harmless(&desk, page).await;
    }
    assert!(desk.receiver.count() > 0, "webhooks were sent");

    // Addresses of ours, as somebody else may have made them up.
    for text in TEXTS {
        let text: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for (who, path) in [
            (Who::Stranger, format!("/login?next={text}")),
            (Who::Stranger, format!("/login?error={text}")),
            (Who::Stranger, format!("/login/magic/{text}?next={text}")),
            (Who::User, format!("/?q={text}")),
            (Who::User, format!("/mails?text={text}")),
            (Who::User, format!("/mails?since={text}&target={text}")),
            (Who::User, format!("/mails/{text}")),
            (Who::User, format!("/regles/regle?id={text}")),
            (Who::User, format!("/regles/essais/{text}")),
            (Who::User, format!("/reglages/historique/{text}")),
            (Who::User, format!("/systeme/evenements?genre={text}")),
            (Who::User, format!("/{text}")),
        ] {
            desk.come_as(who).await;
            desk.browser.go(&path).await;
            let mut found = harm(&desk).await;
            let noise = desk.browser.noise().await.into_iter();
            // A refusal has a status, and a field for days says of what is none that it is none.
            let usual =
                ["Failed to load resource: the server responded", "does not conform to the required format"];
            found.extend(noise.filter(|said| !usual.iter().any(|usual| said.contains(usual))));
            assert!(found.is_empty(), "{path}:\n{}", found.join("\n"));
        }
    }
    desk.close().await;
}
