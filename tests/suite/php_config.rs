//! The configuration backend in PHP: its protocol, and documents that survive everything.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use render_signal_actors::config::documents::Key;
use render_signal_actors::config::edit::{Edit, Editor};
use render_signal_actors::config::store::fallback::{FallbackDeps, FallbackStore};
use render_signal_actors::config::store::file::FileStore;
use render_signal_actors::config::store::php::{PhpSettings, PhpStore};
use render_signal_actors::config::store::{
    DocumentChange, DocumentStore as _, Precondition, Revision, StoreError, StoreReading,
};
use render_signal_actors::egress::{ClientOptions, EgressPolicy, GuardedClient};
use render_signal_actors::kernel::clock::World;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::http::{self, Response};
use crate::support::php::{Php, TOKEN, ask, with_token};
use crate::support::place::{NOWHERE, Place};
use crate::support::{PATIENCE, Seed, Site, TestMail, mails, until};

const GOLDEN: &str = include_str!("../golden/php_config_api.json");

fn parsed(answer: &Response) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

fn assert_refused(answer: &Response, status: u16, message: &str, context: &str) {
    assert_eq!(answer.status, status, "{context}: {answer:?}");
    let body = parsed(answer);
    assert_eq!(body["success"], json!(false), "{context}");
    assert_eq!(body["status"], json!("error"), "{context}");
    assert_eq!(body["message"], json!(message), "{context}");
}

/// Whether a text has the form of `2026-11-22T12:57:11+00:00`, ending as given.
fn is_moment(value: &Value, zone: &str) -> bool {
    let form =
        |text: &str| -> String { text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect() };
    value
        .as_str()
        .is_some_and(|text| form(text) == form(&format!("0000-00-00T00:00:00{zone}")) && text.ends_with(zone))
}

/// The recorded body, with the word that stores fields which nobody knows: the reference stores
/// any, and the cases are about something else.
pub(super) fn allowing_unknown(body: &Value) -> Value {
    let mut body = body.clone();
    if let Value::Object(fields) = &mut body {
        fields.insert("allow_unknown".to_owned(), json!(true));
    }
    body
}

/// What the reference system answered. A case that `differs` names the weakness (W-12: an
/// unknown key was an empty document; W-13: types were damaged) and the right answer.
#[tokio::test(flavor = "multi_thread")]
async fn answers_as_the_reference_with_its_type_damage_repaired() {
    let php = Php::start().await;
    let cases: Vec<Value> = serde_json::from_str(GOLDEN).unwrap();
    assert_eq!(cases.len(), 21);
    for case in &cases {
        let input = &case["input"];
        let query = input["query"]["key"].as_str().map(|key| format!("?key={key}")).unwrap_or_default();
        let headers: String = input["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| format!("{name}: {}\r\n", with_token(value.as_str().unwrap())))
            .collect();
        let body = match &input["body"] {
            Value::Null => String::new(),
            Value::String(raw) => raw.clone(),
            json => allowing_unknown(json).to_string(),
        };
        let method = input["method"].as_str().unwrap();
        let answer = ask(php.port(), method, &query, &headers, &body).await.unwrap();

        let expected = case.get("differs").map_or(&case["output"], |differs| &differs["output"]);
        assert_eq!(json!(answer.status), expected["status"], "{case}: {answer:?}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/json; charset=utf-8"),
            "{case}: {answer:?}"
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{case}");
        assert_eq!(answer.header("allow").is_some(), answer.status == 405, "{case}");
        let mut found = parsed(&answer);
        assert!(is_moment(&found["timestamp"], "Z"), "{found}");
        // The document of the newer shape is that of the older one.
        if answer.status == 200 {
            assert_eq!(found["status"], json!("success"), "{found}");
            assert_eq!(found["data"], found["config"], "{found}");
            let moment = &mut found["config"]["_updated_at"];
            assert!(is_moment(moment, "+00:00"), "{moment}");
            *moment = json!("<ISO8601 UTC>");
        }
        for (field, value) in expected["json"].as_object().unwrap() {
            assert_eq!(&found[field], value, "{case}: {field}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_open_without_a_token() {
    for configured in ["", "   ", "changeme-config-api-token"] {
        let mut php = Php::prepare();
        php.set("CONFIG_API_TOKEN", configured);
        php.launch().await;
        for token in [None, Some(""), Some(configured), Some("null")] {
            for method in ["GET", "POST", "OPTIONS"] {
                let answer = php.ask(method, "?key=a", token, "").await.unwrap();
                assert_refused(&answer, 500, "CONFIG_API_TOKEN is not configured.", configured);
            }
        }
        assert!(!php.storage().exists(), "nothing was even prepared");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_could_be_guessed_opens_nothing() {
    let short = "of-only-23-characters--";
    for (configured, status) in [(short.to_owned(), 500), (format!("{short}-"), 404)] {
        let mut php = Php::prepare();
        php.set("CONFIG_API_TOKEN", &configured);
        php.launch().await;
        let answer = php.ask("GET", "?key=a", Some(&configured), "").await.unwrap();
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.body.contains("fewer than 24 characters"), status == 500, "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_whole_token_opens() {
    let mut php = Php::prepare();
    php.set("CONFIG_API_TOKEN", "a-secret-token-of-the-tests");
    php.launch().await;
    for (header, opens) in [
        ("Bearer a-secret-token-of-the-tests", true),
        ("bEaReR   a-secret-token-of-the-tests ", true),
        ("Bearer a-secret-token-of-the-test", false),
        ("Bearer a-secret-token-of-the-tests2", false),
        ("Bearer A-SECRET-TOKEN-OF-THE-TESTS", false),
        ("Bearer ", false),
        ("Bearera-secret-token-of-the-tests", false),
        ("Basic a-secret-token-of-the-tests", false),
        ("a-secret-token-of-the-tests", false),
        ("Bearer 0", false),
    ] {
        let headers = format!("Authorization: {header}\r\n");
        let answer = ask(php.port(), "GET", "?key=a", &headers, "").await.unwrap();
        let expected = if opens { (404, "Unknown key") } else { (401, "Unauthorized") };
        assert_refused(&answer, expected.0, expected.1, header);
    }
    let log = php.log();
    assert!(log.contains("401 Unauthorized"), "{log}");
    assert!(!log.to_lowercase().contains("secret-tok"), "a secret in the log: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_comes_from_the_environment_then_the_local_file_then_the_settings() {
    let local = "<?php return ['CONFIG_API_TOKEN' => 'from-local-0123456789abcdef'];";
    let settings = "<?php define('CONFIG_API_TOKEN', 'from-settings-0123456789abcdef');";
    for (environment, local, settings, works) in [
        (Some("from-env-0123456789abcdef"), Some(local), Some(settings), "from-env-0123456789abcdef"),
        (None, Some(local), Some(settings), "from-local-0123456789abcdef"),
        (None, None, Some(settings), "from-settings-0123456789abcdef"),
    ] {
        let mut php = Php::prepare();
        if let Some(token) = environment {
            php.set("CONFIG_API_TOKEN", token);
        }
        if let Some(text) = local {
            fs::write(php.path("data/env.local.php"), text).unwrap();
        }
        if let Some(text) = settings {
            fs::write(php.path("config/config_api.php"), text).unwrap();
        }
        php.launch().await;
        for token in
            ["from-env-0123456789abcdef", "from-local-0123456789abcdef", "from-settings-0123456789abcdef"]
        {
            let answer = php.ask("GET", "?key=a", Some(token), "").await.unwrap();
            assert_eq!(answer.status, if token == works { 404 } else { 401 }, "{token} of {works}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_no_names_are_refused_and_touch_nothing() {
    let php = Php::start().await;
    let long = "a".repeat(129);
    for (query, body) in [
        ("..%2Fx", "../x"),
        ("%2Fetc%2Fpasswd", "/etc/passwd"),
        ("a%00", "a\0"),
        ("a%00.json", "a\0.json"),
        ("cl%C3%A9", "clé"),
        ("%F0%9F%94%91", "🔑"),
        ("%E2%84%AA", "\u{212a}"),
        ("a.b", "a.b"),
        (".a", ".a"),
        ("a%20b", "a b"),
        ("a%0Ab", "a\nb"),
        ("", ""),
        ("%20", " "),
        (&long, &long),
    ] {
        assert_refused(&php.read(query).await, 400, "Invalid key", query);
        let written = php.write(body, &json!({"a": 1})).await;
        assert_refused(&written, 400, "Invalid payload", body);
    }
    let array = php.ask("GET", "?key[]=a", Some(TOKEN), "").await.unwrap();
    assert_refused(&array, 400, "Invalid key", "an array");
    for body in [r#"{"key":5,"config":{}}"#, r#"{"key":["a"],"config":{}}"#, "[]", "5", "null", "", "{"] {
        let answer = php.ask("POST", "", Some(TOKEN), body).await.unwrap();
        assert_refused(&answer, 400, "Invalid payload", body);
    }
    assert_eq!(fs::read_dir(php.storage()).unwrap().count(), 0);
    // The longest name, with blanks around it and in capitals, is one.
    let longest = "A".repeat(128);
    assert_eq!(php.write(&format!(" {longest}\n"), &json!({})).await.status, 200);
    assert_eq!(php.read(&longest.to_lowercase()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_one_mebibyte_is_taken_and_one_byte_more_is_not() {
    const LIMIT: usize = 1024 * 1024;
    let php = Php::start().await;
    let body = |length: usize| {
        let frame = r#"{"key":"big","config":{"x":""}}"#;
        frame.replace(r#""""#, &format!("\"{}\"", "x".repeat(length - frame.len())))
    };
    let taken = php.ask("POST", "", Some(TOKEN), &body(LIMIT)).await.unwrap();
    assert_eq!(taken.status, 200);
    let before = php.read("big").await;
    let refused = php.ask("POST", "", Some(TOKEN), &body(LIMIT + 1)).await.unwrap();
    assert_refused(&refused, 413, "Payload too large", "one byte more");
    assert_eq!(parsed(&php.read("big").await)["config"], parsed(&before)["config"]);
}

/// Numbers as they are written; several of them are changed by a careless PHP.
const NUMBERS: [&str; 14] = [
    "0",
    "-0",
    "1.0",
    "-0.0",
    "1.10",
    "0.1",
    "1e2",
    "-1E+2",
    "1e400",
    "9223372036854775807",
    "9223372036854775808",
    "12345678901234567890123",
    "3.141592653589793238462643",
    "1e-7",
];

/// A JSON text without blanks, at most `depth` deep.
fn random_json(seed: &mut Seed, depth: u32) -> String {
    let kinds = if depth == 0 { 4 } else { 6 };
    let many = |seed: &mut Seed, one: &mut dyn FnMut(&mut Seed, u64) -> String| {
        let count = seed.number(0..4);
        (0..count).map(|index| one(seed, index)).collect::<Vec<_>>().join(",")
    };
    match seed.number(0..kinds) {
        0 => ["null", "true", "false"][usize::try_from(seed.number(0..3)).unwrap()].to_owned(),
        1 | 2 => NUMBERS[usize::try_from(seed.number(0..14)).unwrap()].to_owned(),
        3 => {
            let pieces = ["é", "漢", "🔑", "/", "\\", "\"", "\n", "\u{1}", "1.10", " ", "{}", "n:", "<b>"];
            let count = seed.number(0..6);
            let text: String =
                (0..count).map(|_| pieces[usize::try_from(seed.number(0..13)).unwrap()]).collect();
            json!(text).to_string()
        }
        4 => format!("[{}]", many(seed, &mut |seed, _| random_json(seed, depth - 1))),
        _ => format!(
            "{{{}}}",
            many(seed, &mut |seed, index| {
                let name = [String::new(), "0".to_owned(), "é/".to_owned(), format!("k{index}")];
                let name = json!(format!("{}{}", name[usize::try_from(index).unwrap()], "\u{e9}".repeat(2)));
                format!("{name}:{}", random_json(seed, depth - 1))
            })
        ),
    }
}

/// The text without blanks outside of strings.
fn compact(text: &str) -> String {
    let (mut within, mut escaped) = (false, false);
    text.chars()
        .filter(|c| {
            let keep = within || !c.is_ascii_whitespace();
            match c {
                '"' if !escaped => within = !within,
                _ => {}
            }
            escaped = within && *c == '\\' && !escaped;
            keep
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_value_comes_back_letter_by_letter() {
    #[derive(serde::Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        config: &'a RawValue,
        #[serde(borrow)]
        data: &'a RawValue,
    }
    let php = Php::start().await;
    let mut seed = Seed::announced();
    let mut values: Vec<String> = ["{}", "[]", "[[]]", "[{}]", r#"{"":{}}"#, r#"{"0":{"1":[]}}"#, r#""""#]
        .into_iter()
        .chain(NUMBERS)
        .map(str::to_owned)
        .collect();
    values.extend((0..40).map(|_| random_json(&mut seed, 4)));
    for value in values {
        let body = format!(r#"{{"key":"types","config":{{"v":{value}}}}}"#);
        let written = php.ask("POST", "", Some(TOKEN), &body).await.unwrap();
        assert_eq!(written.status, 200, "{value}: {written:?}");
        let read = php.read("types").await;
        let stored = fs::read_to_string(php.storage().join("types.json")).unwrap();
        let answer: Answer<'_> = serde_json::from_str(&read.body).unwrap();
        let expected = format!(r#"{{"v":{value},"_updated_at":"#);
        for text in [answer.config.get(), answer.data.get(), &stored] {
            let found = compact(text);
            assert_eq!(found.get(..expected.len()), Some(expected.as_str()), "of {found}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_document_is_an_error_until_it_is_replaced() {
    let php = Php::start().await;
    assert_eq!(php.write("doc", &json!({"a": 1})).await.status, 200);
    let path = php.storage().join("doc.json");
    for damage in ["", "{\"a\": ", "[]", "[1]", "null", "5", "{}x", "\u{feff}"] {
        fs::write(&path, damage).unwrap();
        assert_refused(&php.read("doc").await, 500, "Read error", damage);
    }
    assert_eq!(php.write("doc", &json!({"a": 2})).await.status, 200);
    assert_eq!(parsed(&php.read("doc").await)["config"]["a"], json!(2));
    // What somebody wrote by hand, empty or with blanks, is a document.
    fs::write(&path, " { }\n").unwrap();
    assert_eq!(parsed(&php.read("doc").await)["config"], json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_that_cannot_be_used_is_said_to_be_so() {
    let mut php = Php::prepare();
    fs::write(php.path("data/file"), "in the way").unwrap();
    let published = php.path("public_html/documents");
    for (place, status, message) in [
        (published.clone(), 403, "Storage directory is inside the document root."),
        (php.path("public_html"), 403, "Storage directory is inside the document root."),
        (
            php.path("data/../public_html/x"),
            500,
            "CONFIG_API_STORAGE_DIR must be an absolute path without \"..\".",
        ),
        ("data".into(), 500, "CONFIG_API_STORAGE_DIR must be an absolute path without \"..\"."),
        (php.path("data/file/x"), 500, "Storage directory not writable."),
    ] {
        php.set("CONFIG_API_TOKEN", TOKEN);
        php.set("CONFIG_API_STORAGE_DIR", place.to_str().unwrap());
        php.launch().await;
        let answer = php.write("a", &json!({})).await;
        assert_refused(&answer, status, message, &place.display().to_string());
        php.kill();
    }
    assert!(!published.exists());
    // A link does not hide where it leads.
    std::os::unix::fs::symlink(php.path("public_html"), php.path("data/app_config")).unwrap();
    php.set("CONFIG_API_STORAGE_DIR", "");
    php.launch().await;
    let answer = php.write("a", &json!({})).await;
    assert_refused(&answer, 403, "Storage directory is inside the document root.", "a link");
    php.kill();
    fs::remove_file(php.path("config/config_api.php")).unwrap();
    php.launch().await;
    assert_refused(&php.read("a").await, 500, "Config file missing.", "no settings");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_changes_nothing() {
    let php = Php::start().await;
    assert_eq!(php.write("doc", &json!({"a": 1})).await.status, 200);
    // Stands where the new document would be written first.
    let obstacle = php.storage().join(".doc.tmp");
    fs::create_dir(&obstacle).unwrap();
    assert_refused(&php.write("doc", &json!({"a": 2})).await, 500, "Write error", "in the way");
    assert_eq!(parsed(&php.read("doc").await)["config"]["a"], json!(1));
    fs::remove_dir(&obstacle).unwrap();
    assert_eq!(php.write("doc", &json!({"a": 3})).await.status, 200);
    assert_eq!(parsed(&php.read("doc").await)["config"]["a"], json!(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_and_settings_are_not_published() {
    let php = Php::start().await;
    assert_eq!(php.write("webhook_config", &json!({"_a": 1})).await.status, 200);
    for path in [
        "/data/app_config/webhook_config.json",
        "/../data/app_config/webhook_config.json",
        "/..%2fdata%2fapp_config%2fwebhook_config.json",
        "/app_config/webhook_config.json",
        "/../config/config_api.php",
        "/../src/ConfigApi/Settings.php",
    ] {
        let answer = http::get(php.port(), path).await.unwrap();
        assert!(answer.status >= 400, "{path}: {answer:?}");
        assert!(!answer.body.contains("_updated_at"), "{path}");
    }
}

/// A document that shows whether it is whole: as many letters as it says, all the same.
fn telling(writer: u64, number: u64) -> Value {
    let length = 20_000 + (writer * 7919 + number * 104_729) % 30_000;
    let letter = char::from(b'a' + u8::try_from((writer + number) % 26).unwrap());
    json!({
        "writer": writer,
        "number": number,
        "filler": letter.to_string().repeat(usize::try_from(length).unwrap()),
    })
}

/// The writer and the number of a document, which has to be whole.
fn assert_whole(config: &Value) -> (u64, u64) {
    let (writer, number) = (config["writer"].as_u64().unwrap(), config["number"].as_u64().unwrap());
    assert!(config["filler"] == telling(writer, number)["filler"], "torn: {writer} {number}");
    (writer, number)
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_writers_at_once_never_tear_a_document() {
    const WRITERS: u64 = 20;
    const WRITES: u64 = 8;
    let php = Arc::new(Php::start().await);
    let mut tasks = JoinSet::new();
    for writer in 0..WRITERS {
        let php = Arc::clone(&php);
        tasks.spawn(async move {
            for number in 1..=WRITES {
                for key in ["shared", &format!("own-{writer}")] {
                    let answer = php.write(key, &telling(writer, number)).await;
                    assert_eq!(answer.status, 200, "{}", answer.body);
                    // The writer is told what it wrote, not what the next one did.
                    assert_eq!(assert_whole(&parsed(&answer)["config"]), (writer, number));
                }
                assert_whole(&parsed(&php.read("shared").await)["config"]);
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let last = assert_whole(&parsed(&php.read("shared").await)["config"]);
    assert_eq!(last.1, WRITES, "the last write of writer {} was followed by an older one", last.0);
    for writer in 0..WRITERS {
        let config = &parsed(&php.read(&format!("own-{writer}")).await)["config"];
        assert_eq!(assert_whole(config), (writer, WRITES));
    }
    let left: BTreeSet<String> = fs::read_dir(php.storage())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".tmp"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_amid_writes_leaves_the_old_or_the_new_document() {
    const KILLS: u64 = 8;
    let mut seed = Seed::announced();
    let mut php = Php::start().await;
    let acknowledged = Arc::new(AtomicU64::new(0));
    let mut number = 0;
    for round in 0..KILLS {
        let (port, reached) = (php.port(), Arc::clone(&acknowledged));
        let first = number + 1;
        let writer = tokio::spawn(async move {
            for number in first.. {
                let body = json!({"key": "doc", "config": telling(1, number)}).to_string();
                let headers = format!("Authorization: Bearer {TOKEN}\r\n");
                match ask(port, "POST", "", &headers, &body).await {
                    Ok(answer) => {
                        assert_eq!(answer.status, 200, "{}", answer.body);
                        reached.store(number, Ordering::SeqCst);
                    }
                    Err(_) => return number,
                }
            }
            unreachable!("it writes until the server is gone")
        });
        until("some writes", PATIENCE, async || {
            if acknowledged.load(Ordering::SeqCst) >= first + 2 { Ok(()) } else { Err("too few") }
        })
        .await;
        tokio::time::sleep(seed.millis(0..20)).await;
        php.kill();
        number = writer.await.unwrap();
        let done = acknowledged.load(Ordering::SeqCst);
        php.launch().await;
        let read = php.read("doc").await;
        assert_eq!(read.status, 200, "after kill {round}: {}", read.body);
        let (_, found) = assert_whole(&parsed(&read)["config"]);
        assert!((done..=number).contains(&found), "acknowledged {done}, tried {number}, found {found}");
    }
}

fn client(php: &Php, token: &str) -> PhpStore {
    client_at(php.port(), token)
}

fn client_at(port: u16, token: &str) -> PhpStore {
    let egress = EgressPolicy::new(vec!["127.0.0.0/8".parse().unwrap()]);
    let http = GuardedClient::new(&egress, ClientOptions::default()).unwrap();
    let base = format!("http://127.0.0.1:{port}/");
    PhpStore::new(PhpSettings::new(&base, token.into()).unwrap(), http)
}

async fn write(store: &PhpStore, value: Value, expected: Precondition) -> Result<Revision, StoreError> {
    let change = DocumentChange { key: Key::WebhookConfig, value, expected, origin: "api".to_owned() };
    store.write(&change).await.map(|written| written.revision)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_reads_what_it_wrote_and_refuses_a_stale_write() {
    let mut php = Php::start().await;
    let (store, key) = (client(&php, TOKEN), Key::WebhookConfig);
    assert_eq!(store.read(key).await, Ok(StoreReading::Absent));
    let first = write(&store, json!({"a": 1.0, "b": {}}), Precondition::Absent).await.unwrap();
    let StoreReading::Found { text, revision } = store.read(key).await.unwrap() else { panic!("absent") };
    assert_eq!(revision, first);
    assert!(compact(&text).starts_with(r#"{"a":1.0,"b":{},"_updated_at":"#), "{text}");
    let second = write(&store, json!({"a": 2}), Precondition::Revision(first.clone())).await.unwrap();
    for stale in [Precondition::Absent, Precondition::Revision(first)] {
        assert_eq!(write(&store, json!({}), stale).await, Err(StoreError::Conflict(key)));
    }
    assert_eq!(parsed(&php.read("webhook_config").await)["config"]["a"], json!(2));

    let stranger = client(&php, "another").read(key).await.unwrap_err().to_string();
    assert!(stranger.contains("status 401: Unauthorized"), "{stranger}");
    fs::write(php.storage().join("webhook_config.json"), "[]").unwrap();
    let damaged = client(&php, TOKEN).read(key).await.unwrap_err().to_string();
    assert!(damaged.contains("Read error"), "{damaged}");
    php.kill();
    let gone = write(&store, json!({}), Precondition::Revision(second)).await.unwrap_err();
    assert!(matches!(gone, StoreError::Unreadable { .. }), "{gone}");
    assert!(!gone.to_string().contains(TOKEN) && gone.to_string().contains("127.0.0.1"), "{gone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_says_what_it_has_seen_overwrites_nothing_else() {
    let php = Php::start().await;
    let post = async |condition: &str, config: &Value| {
        let headers = format!("Authorization: Bearer {TOKEN}\r\n{condition}");
        let body = json!({"key": "doc", "config": config}).to_string();
        ask(php.port(), "POST", "", &headers, &body).await.unwrap()
    };
    let stale = "Changed by somebody else";
    assert_refused(&post("If-Match: *\r\n", &json!({})).await, 412, stale, "there is none");
    assert_eq!(php.read("doc").await.header("etag"), None);
    let first = post("If-None-Match: *\r\n", &json!({"a": 1.0, "é": "\u{e9}"})).await;
    assert_eq!(first.status, 200, "{first:?}");
    let tag = first.header("etag").expect("a tag").to_owned();
    assert_eq!(php.read("doc").await.header("etag"), Some(tag.as_str()));
    for condition in ["If-None-Match: *\r\n", "If-Match: \"0123\"\r\n", "If-Match: \r\n"] {
        assert_refused(&post(condition, &json!({"a": 2})).await, 412, stale, condition);
    }
    for condition in [format!("If-None-Match: {tag}\r\n"), format!("If-Match: W/{tag}\r\n")] {
        assert_refused(&post(&condition, &json!({"a": 2})).await, 412, stale, &condition);
    }
    assert_eq!(parsed(&php.read("doc").await)["config"]["a"].to_string(), "1.0");
    let second = post(&format!("If-Match: \"0123\" , {tag}\r\n"), &json!({"a": 2})).await;
    assert_eq!((second.status, second.header("etag") == Some(tag.as_str())), (200, false), "{second:?}");
    let third = post("If-Match: *\r\n", &json!({"a": 3})).await;
    assert_eq!(third.status, 200, "{third:?}");
    // Who says nothing replaces whatever is there, damaged or not.
    fs::write(php.storage().join("doc.json"), "[").unwrap();
    assert_refused(&post("If-None-Match: *\r\n", &json!({})).await, 412, stale, "something is there");
    assert_eq!(post("", &json!({"a": 4})).await.status, 200);
    // Somebody's empty document is there, too: a client that takes it for absent may replace it.
    fs::write(php.storage().join("webhook_config.json"), "{}").unwrap();
    write(&client(&php, TOKEN), json!({"a": 5}), Precondition::Absent).await.unwrap();
    assert_eq!(parsed(&php.read("webhook_config").await)["config"]["a"], json!(5));
}

/// Eight clients that know nothing of each other change one field each, again and again.
async fn all_changes_survive(connect: impl Fn() -> PhpStore) {
    const CLIENTS: usize = 8;
    const CHANGES: usize = 3;
    let mut tasks = JoinSet::new();
    for client in 0..CLIENTS {
        let store = Arc::new(connect());
        let editor = Editor { store, env: Arc::default(), journal: None, world: World::real() };
        tasks.spawn(async move {
            for change in 0..CHANGES {
                let field = (format!("_f{client}"), Some(json!(change)));
                let saved = editor.apply(&Edit::merge(Key::WebhookConfig, [field], "cli")).await.unwrap();
                assert_eq!(said(&saved.text)[format!("_f{client}")], json!(change), "its own change");
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let StoreReading::Found { text, .. } = connect().read(Key::WebhookConfig).await.unwrap() else {
        panic!("absent")
    };
    for client in 0..CLIENTS {
        assert_eq!(said(&text)[format!("_f{client}")], json!(CHANGES - 1), "of {client} in {text}");
    }
}

fn said(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_different_fields_at_once_all_survive_on_a_php_host() {
    let php = Php::start().await;
    all_changes_survive(|| client(&php, TOKEN)).await;
}

/// Reads a document again and again while another process writes and removes it without a pause.
const READER: &str = r#"
    require 'deployment/src/autoload.php';
    $storage = new RenderSignal\ConfigApi\Storage($argv[1]);
    $there = 0;
    for ($round = 0; $round < 30000; $round++) $there += $storage->read('doc') === null ? 0 : 1;
    exit($there > 0 && $there < $round ? 0 : 3);
"#;
const WRITER: &str = r#"
    for (;;) {
        file_put_contents("$argv[1]/new", '{"a": 1}');
        rename("$argv[1]/new", "$argv[1]/doc.json");
        unlink("$argv[1]/doc.json");
    }
"#;

#[test]
fn a_document_that_comes_and_goes_is_absent_or_there() {
    let folder = tempfile::tempdir().unwrap();
    let php = |script: &str| {
        let mut php = Command::new("php");
        php.current_dir(env!("CARGO_MANIFEST_DIR")).args(["-r", script, "--"]).arg(folder.path());
        php
    };
    let mut writer = php(WRITER).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let read = php(READER).output().unwrap();
    writer.kill().unwrap();
    writer.wait().unwrap();
    assert!(read.status.success(), "{read:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_different_fields_at_once_all_survive_on_another_instance() {
    let mut place = Place::new(NOWHERE);
    place.set("CONFIG_API_SERVE_TOKEN", TOKEN);
    let mut worker = place.worker("worker");
    worker.start().await;
    all_changes_survive(|| client_at(worker.port(), TOKEN)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_asks_the_host_whatever_was_heard_before() {
    let mut php = Php::start().await;
    let store = Arc::new(client(&php, TOKEN));
    php.kill();
    assert!(store.read(Key::WebhookConfig).await.is_err());
    php.launch().await;
    assert!(store.read(Key::WebhookConfig).await.is_err(), "readers do not wear it out");
    let folder = tempfile::tempdir().unwrap();
    let files = Arc::new(FileStore::new(folder.path(), None));
    let deps = FallbackDeps { world: World::real(), env: Arc::default(), journal: None };
    let chain = Arc::new(FallbackStore::new(store, vec![files], deps));
    let editor = Editor { store: chain, env: Arc::default(), journal: None, world: World::real() };
    let change = Edit::merge(Key::WebhookConfig, [("_a".to_owned(), Some(json!(1)))], "cli");
    let saved = editor.apply(&change).await.unwrap();
    assert_eq!((saved.stored_in, saved.degraded), ("php", None));
}

async fn until_all_at(site: &Site, path: &str, mails: &[TestMail]) {
    until(&format!("the webhooks at {path}"), PATIENCE, async || {
        let here: BTreeSet<String> = site
            .receiver
            .deliveries()
            .iter()
            .filter(|delivery| delivery.path == path)
            .map(|delivery| delivery.mark())
            .collect();
        let missing = mails.iter().filter(|mail| !here.contains(&mail.mark)).count();
        if missing == 0 { Ok(()) } else { Err(format!("{missing} missing")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_obeys_the_host_and_keeps_its_documents_when_it_is_gone() {
    let site = Site::start().await;
    let mut php = Php::start().await;
    let target = |path: &str| json!({"webhook_url": site.receiver.url(path)});
    assert_eq!(php.write("webhook_config", &target("/first")).await.status, 200);
    let mut worker = site.worker("worker");
    worker.set("EXTERNAL_CONFIG_BASE_URL", &format!("http://127.0.0.1:{}", php.port()));
    worker.set("CONFIG_API_TOKEN", TOKEN);
    worker.start().await;
    // More than an hour's default allows: what the host does not have is read from the files.
    let mails = mails::mixed(10);
    site.dovecot.deliver(&mails);
    until_all_at(&site, "/first", &mails).await;

    // A change is heard of without a restart.
    assert_eq!(php.write("webhook_config", &target("/second")).await.status, 200);
    worker.until_log("document applied").await;
    let mails = mails::mixed(2);
    site.dovecot.deliver(&mails);
    until_all_at(&site, "/second", &mails).await;

    // Gone: what is in force stays, and it is said.
    php.kill();
    let answer =
        worker.until_answer("/readyz", |answer| answer.body.contains("of 127.0.0.1 could not be read")).await;
    assert!(!answer.body.contains("Bearer"), "{}", answer.body);
    let mails = mails::mixed(2);
    site.dovecot.deliver(&mails);
    until_all_at(&site, "/second", &mails).await;

    // A worker that starts without it has the last good copy, not an empty document.
    worker.stop().await;
    worker.launch();
    let mails = mails::mixed(2);
    site.dovecot.deliver(&mails);
    until_all_at(&site, "/second", &mails).await;

    php.launch().await;
    assert_eq!(php.write("webhook_config", &target("/third")).await.status, 200);
    worker.until_answer("/readyz", |answer| !answer.body.contains("of 127.0.0.1 could not be read")).await;
    let mails = mails::mixed(2);
    site.dovecot.deliver(&mails);
    until_all_at(&site, "/third", &mails).await;
    worker.stop().await;
    worker.assert_journal_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_is_for_the_networks_that_are_named() {
    let mut php = Php::prepare();
    php.set("CONFIG_API_TOKEN", TOKEN);
    php.set("CONFIG_API_ALLOW_CIDRS", "192.0.2.128/25, 2001:db8:8000::/33");
    php.set("TRUSTED_PROXIES", "127.0.0.0/8");
    php.launch().await;
    for (forwarded, status) in [
        ("", 403),
        ("192.0.2.127", 403),
        ("192.0.2.128", 404),
        ("192.0.2.200:4711", 404),
        ("192.0.2.200, 198.51.100.1", 403),
        ("198.51.100.1, 192.0.2.200", 404),
        ("[2001:db8:8000::1]:443", 404),
        ("2001:db8:7fff::1", 403),
        ("::ffff:192.0.2.200", 404),
        ("unknown", 403),
    ] {
        let mut headers = format!("Authorization: Bearer {TOKEN}\r\n");
        if !forwarded.is_empty() {
            headers.push_str(&format!("X-Forwarded-For: {forwarded}\r\n"));
        }
        let answer = ask(php.port(), "GET", "?key=webhook_config", &headers, "").await.unwrap();
        assert_eq!(answer.status, status, "{forwarded}: {answer:?}");
    }
    php.kill();
    php.set("CONFIG_API_ALLOW_CIDRS", "192.0.2.7");
    php.launch().await;
    assert_refused(
        &php.read("a").await,
        500,
        "CONFIG_API_ALLOW_CIDRS is not a list of networks (CIDR).",
        "no network",
    );
}

/// `tests/golden/documents.json` is run against the program's own checks, too.
#[tokio::test(flavor = "multi_thread")]
async fn the_host_refuses_what_the_program_refuses() {
    let php = Php::start().await;
    let table: Vec<Value> = serde_json::from_str(include_str!("../golden/documents.json")).unwrap();
    for case in table {
        let key = case["key"].as_str().unwrap();
        let answer = php.write(key, &case["document"]).await;
        match case["field"].as_str() {
            None => assert_eq!(answer.status, 200, "{case}: {answer:?}"),
            Some(field) => {
                assert_eq!(answer.status, 400, "{case}: {answer:?}");
                let message = parsed(&answer)["message"].as_str().unwrap_or_default().to_owned();
                assert!(message.starts_with(&format!("Invalid payload: {field}")), "{case}: {message}");
            }
        }
    }
    // A number of JSON that PHP would change is judged by its value, and stored as it was.
    let text = r#"{"key":"processing_prefs","config":{"retry_count":1.0,"_note":1.0}}"#;
    assert_eq!(php.ask("POST", "", Some(TOKEN), text).await.unwrap().status, 200);
    assert!(php.read("processing_prefs").await.body.contains("\"retry_count\": 1.0"));
    // A field that is stored already is no obstacle; one that is allowed is none either.
    let odd = |more: Value| json!({"key": "webhook_config", "config": {"odd": 1}, "allow_unknown": more});
    for (allowed, status) in [(json!(null), 400), (json!(true), 200), (json!(false), 200)] {
        let text = odd(allowed.clone()).to_string();
        assert_eq!(php.ask("POST", "", Some(TOKEN), &text).await.unwrap().status, status, "{allowed}");
    }
    // A byte order mark is none of a document's content, sent or stored.
    let text = "\u{feff}{\"key\":\"processing_prefs\",\"config\":{\"retry_count\":1.0}}";
    assert_eq!(php.ask("POST", "", Some(TOKEN), text).await.unwrap().status, 200);
    let file = php.storage().join("processing_prefs.json");
    let stored = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("\u{feff}{stored}")).unwrap();
    assert_eq!(parsed(&php.read("processing_prefs").await)["config"]["retry_count"], json!(1.0));
    // What it does not know is stored as it is.
    assert_eq!(php.write("some_other", &json!({"retry_count": 99})).await.status, 200);

    // It removes what it is told to remove.
    let remove = json!({"key": "processing_prefs", "remove": true}).to_string();
    assert_eq!(php.ask("POST", "", Some(TOKEN), &remove).await.unwrap().status, 200);
    assert_eq!(php.read("processing_prefs").await.status, 404);
    assert_eq!(php.ask("POST", "", Some(TOKEN), &remove).await.unwrap().status, 404);
}
