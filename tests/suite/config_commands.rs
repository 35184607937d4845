//! The `config` commands and `/config_api.php`, beside a running server and without one.

use serde_json::{Value, json};

use crate::support::http::Response;
use crate::support::php::{Php, TOKEN, ask, with_token};
use crate::support::place::{NOWHERE, Place};
use crate::support::receiver::Receiver;
use crate::support::until::ensure;
use crate::support::{PATIENCE, Redis, mails, until};

impl Place {
    /// Versions and origins of a document, oldest first.
    async fn history(&self, key: &str) -> Vec<String> {
        let versions = self.json(&["config", "history", key, "--json"]).await;
        let versions = versions.as_array().expect("a list").clone();
        versions.iter().map(|v| format!("{} {}", v["version"], v["origin"].as_str().unwrap())).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_changed_compared_and_restored_beside_a_server() {
    let place = Place::new(NOWHERE);
    let receiver = Receiver::start().await;
    place.put("processing_prefs", r#"{"rate_limit_per_hour":0}"#);
    let url = |path: &str| format!("webhook_url={}", receiver.url(path));
    let mut worker = place.worker("worker");
    // Before a server ever ran there is no history, and a change works all the same.
    assert_eq!(place.run(&["config", "history", "webhook_config"]).await.code, 4);
    let first =
        place.run(&["config", "set", "webhook_config", &url("/first"), "_mine={\"f\":1.0,\"o\":{}}"]).await;
    assert_eq!(first.code, 0, "{first:?}");
    assert_eq!(first.out, "webhook_config stored in file: webhook_url, _mine\n");
    worker.start().await;
    until("the first version in the history", PATIENCE, async || {
        let history = place.history("webhook_config").await;
        ensure(history == ["1 startup"], || format!("{history:?}"))
    })
    .await;

    let second = place.run(&["config", "set", "webhook_config", &url("/second"), "_note=x"]).await;
    assert_eq!(second.out, "webhook_config version 2 stored in file: webhook_url, _note\n", "{second:?}");
    worker.until_log("document applied").await;
    let mail = mails::recadrage();
    place.deliver(&mail);
    until("the webhook at the new address", PATIENCE, async || {
        let there = receiver.deliveries().iter().any(|d| d.path == "/second" && d.mark() == mail.mark);
        ensure(there, || worker.tail())
    })
    .await;
    assert_eq!(place.stored("webhook_config")["_mine"].to_string(), r#"{"f":1.0,"o":{}}"#);
    assert_eq!(place.history("webhook_config").await, ["1 startup", "2 cli"]);

    let diff = place.run(&["config", "diff", "webhook_config"]).await;
    assert!(diff.out.starts_with("webhook_config: version 1 → version 2\n"), "{diff:?}");
    assert!(diff.out.contains("\n+ _note: \"x\"\n"), "{diff:?}");
    assert!(diff.out.contains("\n~ webhook_url: \"http://127.0.0.1:"), "{diff:?}");
    assert!(diff.out.contains("/***\" (differs in what is not shown)\n"), "{diff:?}");
    assert!(!diff.out.contains("/second") && !diff.out.contains("/first"), "{diff:?}");
    let now = place.json(&["config", "diff", "webhook_config", "2", "--json"]).await;
    assert_eq!(now, json!([]));

    // What somebody else changed meanwhile is not overwritten; something else may be changed.
    let stale = place.run(&["config", "set", "webhook_config", "_note=y", "--if-version", "1"]).await;
    assert_eq!(stale.code, 1, "{stale:?}");
    assert!(stale.complaints.contains("was changed by somebody else in the meantime (_note)"), "{stale:?}");
    let other = place.run(&["config", "set", "webhook_config", "_other=1", "--if-version", "1"]).await;
    assert_eq!(other.code, 0, "{other:?}");
    let same = place.run(&["config", "set", "webhook_config", "_other=1"]).await;
    assert_eq!(same.out, "webhook_config: it is so already, nothing was written\n");

    let restored = place.run(&["config", "restore", "webhook_config", "1"]).await;
    assert!(restored.out.starts_with("webhook_config version 4 stored in file"), "{restored:?}");
    assert!(place.stored("webhook_config").get("_note").is_none());
    assert_eq!(place.history("webhook_config").await, ["1 startup", "2 cli", "3 cli", "4 restore"]);
    // A mail that comes before the server has looked still goes to the other one.
    until("a webhook at the old address", PATIENCE, async || {
        let mail = mails::recadrage();
        place.deliver(&mail);
        let path = until("its webhook", PATIENCE, async || {
            let found = receiver.deliveries().iter().find(|d| d.mark() == mail.mark).map(|d| d.path.clone());
            found.ok_or_else(|| worker.tail())
        })
        .await;
        ensure(path == "/first", || path.clone())
    })
    .await;

    let shown = place.json(&["config", "show", "webhook_config", "--json"]).await;
    assert_eq!(
        (&shown["state"], &shown["version"], &shown["origin"]),
        (&json!("ok"), &json!(4), &json!("restore"))
    );
    assert!(shown["stored"]["webhook_url"].as_str().unwrap().ends_with("/***"), "{shown}");
    let all = place.run(&["config", "show"]).await;
    assert_eq!(all.out.lines().filter(|line| line.contains(" absent")).count(), 6, "{all:?}");
    assert!(all.out.contains("version 4, ") && all.out.contains("by restore"), "{all:?}");
    for wrong in ["0", "99"] {
        let refused = place.run(&["config", "restore", "webhook_config", wrong]).await;
        assert_eq!(refused.code, 1, "{refused:?}");
    }
    worker.stop().await;
    worker.assert_journal_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_refused_changes_nothing_anywhere() {
    let mut place = Place::new(NOWHERE);
    let before = r#"{ "webhook_sending_enabled":false, "_mine" : 1 }"#;
    place.put("webhook_config", before);
    let mut worker = place.worker("worker");
    worker.start().await;
    until("the history", PATIENCE, async || {
        let history = place.history("webhook_config").await;
        ensure(history == ["1 startup"], || format!("{history:?}"))
    })
    .await;
    for (fields, named) in [
        (
            &["webhook_url=ftp://x", "webhook_time_start=25h", "absence_pause_enabled=perhaps"][..],
            &["webhook_url", "webhook_time_start", "absence_pause_enabled"][..],
        ),
        (&["webhook_url=https://hook.example.com/***"], &["webhook_url"]),
        (&["webhook_enabledd=false"], &["webhook_enabledd: no such field: webhook_enabled may be meant"]),
    ] {
        let arguments = [&["config", "set", "webhook_config"][..], fields].concat();
        let refused = place.run(&arguments).await;
        assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{refused:?}");
        for name in named {
            assert!(refused.complaints.contains(name), "{name}: {refused:?}");
        }
    }
    for input in ["{half", "[1]", "5", r#"{"webhook_ssl_verify":[]}"#] {
        let refused = place.feed(&["config", "set", "webhook_config", "--file", "-"], input).await;
        assert_eq!(refused.code, 1, "{input}: {refused:?}");
    }
    assert_eq!(std::fs::read_to_string(place.document("webhook_config")).unwrap(), before);
    assert_eq!(place.history("webhook_config").await, ["1 startup"]);
    // A message is in one language: the user's.
    place.put("polling_config", r#"{"enable_polling":true,"enable_poling":false}"#);
    for (locale, said, shown, unchanged) in [
        (
            "fr_FR.UTF-8",
            "webhook_config est refusé, rien n'a été changé\u{a0}:\n  webhook_enabledd: champ inconnu : vouliez",
            "    enable_poling n'est pas un champ connu et n'a aucun effet\u{a0}: vouliez-vous dire enable_polling\u{a0}?\n",
            "webhook_config\u{a0}: version 1 → version 1\naucune différence\n",
        ),
        (
            "C.UTF-8",
            "webhook_config is refused, nothing was changed:\n  webhook_enabledd: no such field: webhook_en",
            "    enable_poling is no known field and has no effect: enable_polling may be meant\n",
            "webhook_config: version 1 → version 1\nno difference\n",
        ),
    ] {
        place.set("LC_ALL", locale);
        let refused = place.run(&["config", "set", "webhook_config", "webhook_enabledd=false"]).await;
        assert!(refused.complaints.contains(said), "{locale}: {refused:?}");
        let overview = place.run(&["config", "show"]).await;
        assert!(overview.out.contains(shown), "{locale}: {overview:?}");
        let diff = place.run(&["config", "diff", "webhook_config", "1", "1"]).await;
        assert_eq!(diff.out, unchanged, "{locale}: {diff:?}");
        // What programs read is English whoever asks.
        let json = place.json(&["config", "show", "polling_config", "--json"]).await;
        assert_eq!(
            json["remarks"][0],
            "enable_poling is no known field and has no effect: enable_polling may be meant"
        );
    }
    std::fs::remove_file(place.document("polling_config")).unwrap();
    // The whole document from standard input, as it was shown.
    let shown = place.run(&["config", "show", "webhook_config", "--reveal"]).await;
    let edited = shown.out.replace("\"_mine\": 1", "\"_mine\": 2");
    let taken = place.feed(&["config", "set", "webhook_config", "--file", "-"], &edited).await;
    assert_eq!(taken.out, "webhook_config version 2 stored in file: _mine\n", "{taken:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_opens_something_is_printed() {
    let place = Place::new(NOWHERE);
    place.put("magic_link_tokens", "{}");
    std::fs::write(
        place.path("debug/magic_links.json"),
        r#"{"capability":{"consumed":false,"expires_at":null}}"#,
    )
    .unwrap();
    place.put("webhook_config", r#"{"webhook_url":"https://hook.example.com/capability"}"#);
    place.put(
        "routing_rules",
        r#"{"rules":[{"id":"a","name":"a","conditions":[{"field":"subject","operator":"contains","value":"x"}],
            "actions":{"webhook_url":"https://hook.example.com/capability"}}]}"#,
    );
    let mut worker = place.worker("worker");
    worker.start().await;
    let changed =
        place.feed(&["config", "set", "magic_link_tokens", "--file", "-"], r#"{"capability2":{}}"#).await;
    assert_eq!(changed.code, 0, "{changed:?}");
    let mut said = format!("{changed:?}");
    for arguments in [
        &["config", "show"][..],
        &["config", "show", "--json"],
        &["config", "show", "webhook_config"],
        &["config", "show", "routing_rules", "--json"],
        &["config", "show", "magic_link_tokens"],
        &["config", "history", "magic_link_tokens"],
        &["config", "diff", "magic_link_tokens", "0"],
        &["config", "diff", "webhook_config", "0"],
        &["config", "diff", "routing_rules", "0", "--json"],
    ] {
        let ran = place.run(arguments).await;
        assert_eq!(ran.code, 0, "{arguments:?} {ran:?}");
        said.push_str(&format!("{ran:?}"));
    }
    assert!(!said.contains("capability"), "{said}");
    assert!(said.contains("without_expiry"), "{said}");
}

const ALL_SKIPPED: [&str; 6] = [
    "magic_link_tokens: source file not found; skip",
    "polling_config: source file not found; skip",
    "processing_prefs: source file not found; skip",
    "routing_rules: source file not found; skip",
    "runtime_flags: source file not found; skip",
    "webhook_config: source file not found; skip",
];

#[tokio::test(flavor = "multi_thread")]
async fn migrating_says_what_the_reference_says() {
    let place = Place::new(NOWHERE);
    assert_eq!(place.run(&["config", "migrate"]).await.lines(), ALL_SKIPPED);
    place.put("magic_link_tokens", "{}");
    place.put("polling_config", "");
    place.put("processing_prefs", "null");
    place.put("routing_rules", "[1]");
    place.put("webhook_config", r#"{"webhook_ssl_verify":true}"#);
    let only = |keys: &[&'static str]| -> Vec<&'static str> {
        keys.iter().flat_map(|key| ["--only", key]).collect()
    };
    for (arguments, lines, code) in [
        (
            vec!["--dry-run", "--verify"],
            vec![
                "magic_link_tokens: DRY (source=debug/magic_link_tokens.json)",
                "polling_config: invalid or missing JSON at debug/polling_config.json; skip",
                "processing_prefs: DRY (source=debug/processing_prefs.json)",
                "routing_rules: invalid or missing JSON at debug/routing_rules.json; skip",
                "runtime_flags: source file not found; skip",
                "webhook_config: DRY (source=debug/webhook_config.json)",
            ],
            0,
        ),
        (
            only(&["webhook_config", "nonsense", "webhook_config"]),
            vec!["webhook_config: FAILED (source=debug/webhook_config.json)"],
            1,
        ),
        (
            [only(&["webhook_config"]), vec!["--require-redis"]].concat(),
            vec!["webhook_config: FAILED (source=debug/webhook_config.json)"],
            1,
        ),
        (
            only(&["polling_config", "runtime_flags"]),
            vec![
                "polling_config: invalid or missing JSON at debug/polling_config.json; skip",
                "runtime_flags: source file not found; skip",
            ],
            0,
        ),
        (only(&["nonsense"]), vec![], 2),
        (vec!["--only"], vec![], 2),
    ] {
        let ran = place.run(&[&["config", "migrate"][..], &arguments].concat()).await;
        assert_eq!((ran.lines(), ran.code), (lines, code), "{arguments:?} {}", ran.complaints);
        if arguments == ["--only", "nonsense"] {
            assert!(ran.complaints.contains("No valid values provided for --only"), "{ran:?}");
        }
    }
    let check = place.run(&["config", "check", "--keys", "webhook_config"]).await;
    let rule = "-".repeat(40);
    assert_eq!(check.lines(), ["webhook_config: INVALID (payload is empty)", "<vide>", &rule]);
    assert_eq!(check.code, 1, "files are not read");
    assert_eq!(place.run(&["config", "check", "--keys", "nonsense"]).await.code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_migrated_to_a_host_and_checked_there() {
    let php = Php::start().await;
    let mut place = Place::new(NOWHERE);
    place.set("EXTERNAL_CONFIG_BASE_URL", &format!("http://127.0.0.1:{}", php.port()));
    place.set("CONFIG_API_TOKEN", TOKEN);
    place.put("polling_config", r#"{"active_days":[0,1],"_updated_at":"2026-01-19T00:36:24+00:00"}"#);
    place.put("processing_prefs", r#"{"sender_priority":{},"retry_count":1}"#);
    place.put("webhook_config", r#"{"webhook_time_start":"25h"}"#);
    let migrate = ["config", "migrate", "--verify", "--only", "polling_config", "--only", "processing_prefs"];
    let ran = place.run(&migrate).await;
    assert_eq!(
        ran.lines(),
        [
            "polling_config: OK (source=debug/polling_config.json)",
            "polling_config: VERIFY OK",
            "processing_prefs: OK (source=debug/processing_prefs.json)",
            "processing_prefs: VERIFY OK",
        ],
        "{}",
        ran.complaints
    );
    assert_eq!(ran.code, 0);
    let refused = place.run(&["config", "migrate", "--only", "webhook_config"]).await;
    assert_eq!(refused.lines(), ["webhook_config: FAILED (source=debug/webhook_config.json)"]);
    assert!(refused.complaints.contains("webhook_time_start"), "{refused:?}");
    assert_eq!(php.read("webhook_config").await.status, 404, "nothing was written");

    let check = place.run(&["config", "check", "--keys", "processing_prefs", "polling_config"]).await;
    let lines = check.lines();
    assert_eq!((lines[0], lines[3]), ("polling_config: OK", "processing_prefs: OK"), "{check:?}");
    assert!(lines[1].starts_with("_updated_at=20") && lines[1].ends_with("; list_sizes=active_days:2"));
    assert!(lines[4].ends_with("; dict_sizes=sender_priority:0"), "{check:?}");
    assert_eq!((check.code, lines.len()), (0, 6));
    let raw = place.run(&["config", "check", "--raw", "--keys", "processing_prefs"]).await;
    assert!(raw.out.contains("\n  \"retry_count\": 1"), "{raw:?}");
    std::fs::write(php.storage().join("runtime_flags.json"), r#"{"disable_email_id_dedup":"false"}"#)
        .unwrap();
    let refused = place.run(&["config", "check", "--keys", "runtime_flags"]).await;
    assert!(
        refused.out.contains("runtime_flags: INVALID (disable_email_id_dedup: a switch is expected"),
        "{refused:?}"
    );
    assert_eq!(refused.code, 1);
    std::fs::remove_file(php.storage().join("runtime_flags.json")).unwrap();
    let all = place.run(&["config", "check"]).await;
    assert_eq!(all.code, 1);
    assert!(all.out.contains("webhook_config: INVALID (payload is empty)\n<vide>\n"), "{all:?}");
    assert!(all.out.contains("runtime_flags: OK\n<vide>\n"), "{all:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn verifying_finds_a_host_that_stores_something_else() {
    let php = Php::start().await;
    // As a host that takes objects for lists, which the reference system's does.
    let script = php.path("src/ConfigApi/ConfigApi.php");
    let sound = std::fs::read_to_string(&script).unwrap();
    let careless =
        sound.replace("$json->encode($config)", "$json->encode(json_decode(json_encode($config), true))");
    assert_ne!(careless, sound);
    std::fs::write(&script, careless).unwrap();
    let mut place = Place::new(NOWHERE);
    place.set("EXTERNAL_CONFIG_BASE_URL", &format!("http://127.0.0.1:{}", php.port()));
    place.set("CONFIG_API_TOKEN", TOKEN);
    place.put("processing_prefs", r#"{"sender_priority":{},"retry_count":1}"#);
    place.put("detectors", r#"{"detectors":[]}"#);
    let ran = place
        .run(&["config", "migrate", "--verify", "--only", "processing_prefs", "--only", "detectors"])
        .await;
    assert_eq!(
        ran.lines(),
        [
            "detectors: OK (source=debug/detectors.json)",
            "detectors: VERIFY OK",
            "processing_prefs: OK (source=debug/processing_prefs.json)",
            "processing_prefs: VERIFY FAILED (read back something else)",
        ],
        "{}",
        ran.complaints
    );
    assert_eq!(ran.code, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn detectors_are_migrated_and_checked_where_there_are_some() {
    let redis = Redis::start().await;
    let mut place = Place::new(NOWHERE);
    place.set("REDIS_URL", &redis.url());
    let migrate = ["config", "migrate", "--require-redis", "--verify"];
    assert_eq!(place.run(&migrate).await.lines(), ALL_SKIPPED);
    let named = place.run(&["config", "migrate", "--only", "detectors"]).await;
    assert_eq!((named.lines(), named.code), (vec!["detectors: source file not found; skip"], 0));
    let check = place.run(&["config", "check"]).await;
    assert!(!check.out.contains("detectors"), "{check:?}");
    let rule = "-".repeat(40);
    let named = place.run(&["config", "check", "--keys", "detectors"]).await;
    assert_eq!((named.lines(), named.code), (vec!["detectors: OK", "<vide>", rule.as_str()], 0));

    place.put("detectors", r#"{"detectors":[]}"#);
    let ran = place.run(&migrate).await;
    assert_eq!(
        ran.lines()[..2],
        ["detectors: OK (source=debug/detectors.json)", "detectors: VERIFY OK"],
        "{ran:?}"
    );
    let check = place.run(&["config", "check"]).await;
    assert!(check.out.contains("detectors: OK\n_updated_at=20"), "{check:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_was_is_not_said_to_stay_and_the_doctor_names_the_store() {
    let mut redis = Redis::start().await;
    let mut place = Place::new(NOWHERE);
    let doctor = place.run(&["doctor"]).await;
    assert!(doctor.out.contains("in debug: valid"), "{doctor:?}");
    place.put("webhook_config", r#"{"webhook_time_start":"25h"}"#);
    let doctor = place.run(&["doctor"]).await;
    assert!(doctor.out.contains("edit debug/webhook_config.json"), "{doctor:?}");
    std::fs::remove_file(place.document("webhook_config")).unwrap();

    place.set("REDIS_URL", &redis.url());
    place.set("JOURNAL_URL", "sqlite:data/render-signal.db");
    place.set("CONFIG_STORE_MODE", "php_first");
    place.set("EXTERNAL_CONFIG_BASE_URL", "http://127.0.0.1:9");
    place.set("CONFIG_API_TOKEN", TOKEN);
    let doctor = place.run(&["doctor"]).await;
    assert!(doctor.out.contains("look at 127.0.0.1, which keeps it"), "{doctor:?}");
    place.set("CONFIG_STORE_MODE", "redis_first");
    redis.command(r#"SET r:ss:config:webhook_config '{"webhook_time_start":"25h"}'"#).await.unwrap();
    let doctor = place.run(&["doctor"]).await;
    assert!(
        doctor.out.contains("it is kept in Redis under r:ss:config:; config show webhook_config"),
        "{doctor:?}"
    );
    assert!(!doctor.out.contains("debug/webhook_config.json"), "{doctor:?}");
    place.set("EXTERNAL_CONFIG_BASE_URL", "");
    redis.command("DEL r:ss:config:webhook_config").await.unwrap();
    let doctor = place.run(&["doctor"]).await;
    assert!(doctor.out.contains("in Redis under r:ss:config:, then in debug: valid"), "{doctor:?}");

    redis.kill();
    let fresh = place.path("fresh");
    place.set("DATA_DIR", fresh.to_str().unwrap());
    let shown = place.run(&["config", "show", "detectors"]).await;
    assert!(shown.out.starts_with("detectors          unknown"), "{shown:?}");
    assert!(
        shown
            .out
            .contains("there is no good one before it: no webhook is sent, mails wait until it is mended"),
        "{shown:?}"
    );
    assert!(!shown.out.contains("stays in force"), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_migrated_to_redis_and_changed_there_for_all_workers() {
    let mut redis = Redis::start().await;
    let mut place = Place::new(NOWHERE);
    place.put("processing_prefs", r#"{"sender_priority":{},"retry_count":1,"_mine":1.0}"#);
    place.put("webhook_config", r#"{"webhook_sending_enabled":true}"#);
    let without = place.run(&["config", "migrate", "--require-redis", "--only", "webhook_config"]).await;
    assert_eq!((without.code, without.out.contains("FAILED")), (1, true), "{without:?}");
    place.set("REDIS_URL", &redis.url());
    let migrate = ["config", "migrate", "--require-redis", "--verify"];
    let ran = place.run(&migrate).await;
    assert_eq!(
        ran.lines(),
        [
            "magic_link_tokens: source file not found; skip",
            "polling_config: source file not found; skip",
            "processing_prefs: OK (source=debug/processing_prefs.json)",
            "processing_prefs: VERIFY OK",
            "routing_rules: source file not found; skip",
            "runtime_flags: source file not found; skip",
            "webhook_config: OK (source=debug/webhook_config.json)",
            "webhook_config: VERIFY OK",
        ],
        "{}",
        ran.complaints
    );
    assert_eq!(place.run(&migrate).await.code, 0, "once more");
    let raw = redis.command("GET r:ss:config:processing_prefs").await.unwrap();
    assert!(raw.contains("\"_mine\":1.0") && raw.contains("\"sender_priority\":{}"), "{raw}");
    let check = place.run(&["config", "check", "--keys", "processing_prefs", "webhook_config"]).await;
    assert_eq!(check.code, 0, "{check:?}");

    let (mut one, mut two) = (place.worker("one"), place.worker("two"));
    one.start().await;
    two.start().await;
    let set = place.run(&["config", "set", "webhook_config", "webhook_sending_enabled=false"]).await;
    assert_eq!(set.code, 0, "{set:?}");
    assert!(set.out.contains(" stored in redis: webhook_sending_enabled"), "{set:?}");
    until("two of two workers", PATIENCE, async || {
        let shown = place.json(&["config", "show", "webhook_config", "--json"]).await;
        ensure(shown["workers"]["running"] == 2 && shown["workers"]["alive"] == 2, || shown.to_string())
    })
    .await;
    let shown = place.run(&["config", "show"]).await;
    assert!(shown.out.contains("2 of 2 workers run this version"), "{shown:?}");
    assert!(shown.out.contains("store redis (authority): ok"), "{shown:?}");
    let history = place.history("webhook_config").await;
    assert_eq!(history.last().map(|last| last.ends_with(" cli")), Some(true), "{history:?}");
    assert_eq!(history.len(), 2, "each change once: {history:?}");

    // Down, and the journal with it: a change could not wait anywhere.
    one.stop().await;
    two.stop().await;
    redis.kill();
    let set = place.run(&["config", "set", "webhook_config", "webhook_ssl_verify=false"]).await;
    assert_eq!((set.code, set.out.as_str()), (1, ""), "{set:?}");
    assert!(set.complaints.contains("without a journal no change can wait for it"), "{set:?}");
    assert!(set.complaints.contains("the journal does not answer"), "{set:?}");
    let history = place.run(&["config", "history", "webhook_config"]).await;
    assert_eq!((history.code, history.complaints.contains("cannot be read now")), (4, true), "{history:?}");
    let mail = place.path("mail.eml");
    std::fs::write(&mail, "From: a@example.org\r\nSubject: s\r\n\r\nhello\r\n").unwrap();
    let explained = place.run(&["explain", mail.to_str().unwrap()]).await;
    assert_eq!(
        (explained.code, explained.complaints.contains("does not answer")),
        (0, true),
        "{explained:?}"
    );
    let shown = place.run(&["config", "show", "webhook_config"]).await;
    assert!(shown.code == 0 && shown.out.contains("\"webhook_sending_enabled\": true"), "{shown:?}");
    let failed = place.run(&["config", "migrate", "--require-redis", "--only", "processing_prefs"]).await;
    assert_eq!(
        (failed.code, failed.lines()),
        (1, vec!["processing_prefs: FAILED (source=debug/processing_prefs.json)"])
    );
    redis.restart().await;

    // With a journal in a file the change waits; meanwhile, and behind our back, Redis gets another.
    place.set("JOURNAL_URL", "sqlite:data/render-signal.db");
    let mut apart = place.worker("apart");
    apart.start().await;
    until("the history", PATIENCE, async || {
        let history = place.history("webhook_config").await;
        ensure(!history.is_empty(), || format!("{history:?}"))
    })
    .await;
    apart.stop().await;
    redis.kill();
    let set = place.run(&["config", "set", "webhook_config", "webhook_sending_enabled=true"]).await;
    assert_eq!(set.code, 0, "{set:?}");
    assert!(set.out.contains(" stored in file"), "{set:?}");
    assert!(set.complaints.contains("until the authority is back"), "{set:?}");
    let shown = place.run(&["config", "show", "webhook_config"]).await;
    assert!(shown.code == 0 && shown.out.contains("\"webhook_sending_enabled\": true"), "{shown:?}");
    redis.restart().await;
    let other = r#"SET r:ss:config:webhook_config '{"webhook_sending_enabled":false,"webhook_ssl_verify":false,"webhook_time_start":"9h00"}'"#;
    redis.command(other).await.unwrap();
    let set = place.run(&["config", "resolve", "webhook_config", "--keep", "pending"]).await;
    assert_eq!(set.code, 1, "the value before is the same: merged, no conflict: {set:?}");
    let stored = place.run(&["config", "show", "webhook_config", "--reveal"]).await;
    let stored: Value = serde_json::from_str(&stored.out).unwrap();
    assert_eq!(
        (&stored["webhook_sending_enabled"], &stored["webhook_time_start"]),
        (&json!(true), &json!("9h00"))
    );
    assert_eq!(stored["webhook_ssl_verify"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_is_shown_and_decided() {
    let mut redis = Redis::start().await;
    let mut place = Place::new(NOWHERE);
    place.set("REDIS_URL", &redis.url());
    place.set("JOURNAL_URL", "sqlite:data/render-signal.db");
    let mut worker = place.worker("worker");
    worker.start().await;
    let set = place.run(&["config", "set", "webhook_config", "_note=1"]).await;
    assert!(set.out.contains("stored in redis"), "{set:?}");
    redis.kill();
    let set = place.run(&["config", "set", "webhook_config", "_note=2"]).await;
    assert!(set.out.contains("stored in file"), "{set:?}");
    // The service must not give it back before the other program has written.
    worker.stop().await;
    redis.restart().await;
    redis.command(r#"SET r:ss:config:webhook_config '{"_note":3}'"#).await.unwrap();
    worker.start().await;
    until("the conflict", PATIENCE, async || {
        let shown = place.run(&["config", "show"]).await;
        ensure(shown.out.contains("in conflict: webhook_config"), || format!("{shown:?}"))
    })
    .await;
    let shown = place.run(&["config", "show", "webhook_config"]).await;
    assert!(shown.out.contains("\"_note\": 3"), "{shown:?}");
    let decided = place.run(&["config", "resolve", "webhook_config", "--keep", "pending"]).await;
    assert_eq!(decided.code, 0, "{decided:?}");
    let shown = place.run(&["config", "show", "webhook_config"]).await;
    assert!(shown.out.contains("\"_note\": 2") && !shown.out.contains("in conflict"), "{shown:?}");
    let again = place.run(&["config", "resolve", "webhook_config", "--keep", "authority"]).await;
    assert_eq!(again.code, 1, "{again:?}");
    assert!(again.complaints.contains("is not in conflict"), "{again:?}");
    let history = place.run(&["config", "history", "webhook_config"]).await;
    assert!(history.out.contains("in conflict, never in force: _note"), "{history:?}");
    worker.stop().await;
    worker.assert_journal_verifies().await;
}

fn parsed(answer: &Response) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

async fn post(port: u16, headers: &str, body: &Value) -> Response {
    let headers = format!("Authorization: Bearer {TOKEN}\r\n{headers}");
    ask(port, "POST", "", &headers, &body.to_string()).await.expect("an answer")
}

async fn get(port: u16, key: &str) -> Response {
    let headers = format!("Authorization: Bearer {TOKEN}\r\n");
    ask(port, "GET", &format!("?key={key}"), &headers, "").await.expect("an answer")
}

const GOLDEN: &str = include_str!("../golden/php_config_api.json");

/// Cases of the reference that come out differently here and not in PHP: a key has to be
/// that of a document.
const OWN: [&str; 3] = ["php_config_api-012", "php_config_api-017", "php_config_api-018"];

#[tokio::test(flavor = "multi_thread")]
async fn config_api_answers_as_the_reference() {
    let mut place = Place::new(NOWHERE);
    place.set("CONFIG_API_SERVE_TOKEN", TOKEN);
    let mut worker = place.worker("worker");
    worker.start().await;
    let cases: Vec<Value> = serde_json::from_str(GOLDEN).unwrap();
    for case in &cases {
        let input = &case["input"];
        let query = input["query"]["key"].as_str().map(|key| format!("?key={key}")).unwrap_or_default();
        let headers = input["headers"].as_object().unwrap();
        let headers: String = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}\r\n", with_token(value.as_str().unwrap())))
            .collect();
        let body = match &input["body"] {
            Value::Null => String::new(),
            Value::String(raw) => raw.clone(),
            // The reference stores any field; the cases are about something else.
            json => super::php_config::allowing_unknown(json).to_string(),
        };
        let method = input["method"].as_str().unwrap();
        let answer = ask(worker.port(), method, &query, &headers, &body).await.unwrap();
        let own = json!({"status": 404, "json": {"success": false, "message": "Unknown key"}});
        let expected = match case.get("differs") {
            _ if OWN.contains(&case["id"].as_str().unwrap()) => &own,
            Some(differs) => &differs["output"],
            None => &case["output"],
        };
        assert_eq!(json!(answer.status), expected["status"], "{case}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"), "{case}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{case}");
        assert_eq!(answer.header("allow").is_some(), answer.status == 405, "{case}");
        let mut found = parsed(&answer);
        assert!(found["timestamp"].as_str().unwrap().ends_with('Z'), "{found}");
        if answer.status == 200 {
            assert_eq!((&found["status"], &found["data"]), (&json!("success"), &found["config"].clone()));
            let moment = &mut found["config"]["_updated_at"];
            assert!(moment.as_str().unwrap().ends_with("+00:00"), "{moment}");
            *moment = json!("<ISO8601 UTC>");
        } else {
            assert_eq!(found["status"], "error");
        }
        for (field, value) in expected["json"].as_object().unwrap() {
            assert_eq!(found[field].to_string(), value.to_string(), "{case}: {field}");
        }
    }
    assert_eq!(place.history("webhook_config").await, ["1 php_api"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn config_api_refuses_what_is_not_right_and_changes_nothing() {
    let mut place = Place::new(NOWHERE);
    let mut closed = place.worker("closed");
    closed.start().await;
    let answer = get(closed.port(), "webhook_config").await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert!(answer.body.contains("CONFIG_API_SERVE_TOKEN"), "{answer:?}");
    closed.stop().await;

    place.set("CONFIG_API_SERVE_TOKEN", TOKEN);
    let before = r#"{ "webhook_sending_enabled":false, "_mine" : 1.0 }"#;
    place.put("webhook_config", before);
    let mut worker = place.worker("worker");
    worker.start().await;
    let port = worker.port();
    let wrong =
        json!({"key": "webhook_config", "config": {"webhook_url": "ftp://x", "webhook_time_start": "25h"}});
    let refused = post(port, "", &wrong).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    let fields: Vec<_> =
        parsed(&refused)["errors"].as_array().unwrap().iter().map(|e| e["field"].clone()).collect();
    assert_eq!(fields, ["webhook_url", "webhook_time_start"]);
    assert!(parsed(&refused)["message"].as_str().unwrap().contains("webhook_time_start"), "{refused:?}");

    let unknown = json!({"key": "webhook_config", "config": {"webhook_enabledd": false}});
    let refused = post(port, "", &unknown).await;
    assert_eq!((refused.status, &parsed(&refused)["errors"][0]["field"]), (400, &json!("webhook_enabledd")));

    let fill = |length: usize| {
        let frame = r#"{"key":"webhook_config","config":{"_x":""}}"#;
        frame.replace(r#""""#, &format!("\"{}\"", "x".repeat(length - frame.len())))
    };
    let headers = format!("Authorization: Bearer {TOKEN}\r\n");
    let large = ask(port, "POST", "", &headers, &fill(1024 * 1024 + 1)).await.unwrap();
    assert_eq!((large.status, parsed(&large)["message"].clone()), (413, json!("Payload too large")));
    let good = json!({"key": "webhook_config", "config": {"_mine": 2}});
    for stale in ["If-Match: \"0123\"\r\n", "If-None-Match: *\r\n"] {
        let refused = post(port, stale, &good).await;
        assert_eq!((refused.status, &parsed(&refused)["status"]), (412, &json!("error")), "{stale}");
        assert_eq!(parsed(&refused)["message"], "Changed by somebody else", "{stale}");
    }
    let (short, long) = (format!("Bearer {}", &TOKEN[1..]), format!("Bearer {TOKEN}2"));
    let (stuck, basic) = (format!("Bearer{TOKEN}"), format!("Basic {TOKEN}"));
    for token in [&short, &long, "Bearer ", &stuck, &basic, TOKEN] {
        let headers = format!("Authorization: {token}\r\n");
        let answer = ask(port, "POST", "", &headers, &good.to_string()).await.unwrap();
        assert_eq!((answer.status, answer.header("www-authenticate").is_some()), (401, true), "{token}");
    }
    assert_eq!(std::fs::read_to_string(place.document("webhook_config")).unwrap(), before);

    let read = get(port, "webhook_config").await;
    assert!(read.body.contains(before), "as it is stored: {read:?}");
    let tag = read.header("etag").unwrap().to_owned();
    let taken = post(port, &format!("If-Match: {tag}\r\n"), &good).await;
    assert_eq!(taken.status, 200, "{taken:?}");
    let again = get(port, "webhook_config").await;
    assert_eq!(
        (taken.header("etag"), &parsed(&taken)["config"]),
        (again.header("etag"), &parsed(&again)["config"])
    );
    assert_eq!(post(port, &format!("If-Match: {tag}\r\n"), &good).await.status, 412);
    let allowed =
        json!({"key": "webhook_config", "config": {"webhook_enabledd": false}, "allow_unknown": true});
    assert_eq!(post(port, "", &allowed).await.status, 200);
    // A program that writes back what it has read goes on working; and so it is said.
    assert_eq!(post(port, "", &unknown).await.status, 200);
    worker.until_answer("/readyz", |answer| answer.body.contains("webhook_enabled may be meant")).await;
    // A byte order mark is none of a document's content.
    place.put("webhook_config", "\u{feff}{\"_bom\": 1}");
    assert_eq!(parsed(&get(port, "webhook_config").await)["config"], json!({"_bom": 1}));

    place.put("webhook_config", "{half");
    let damaged = get(port, "webhook_config").await;
    assert_eq!((damaged.status, parsed(&damaged)["message"].clone()), (500, json!("Read error")));
    assert!(!worker.log().contains(TOKEN), "{}", worker.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn config_api_is_for_the_networks_that_are_named() {
    let mut place = Place::new(NOWHERE);
    place.set("CONFIG_API_SERVE_TOKEN", TOKEN);
    place.set("CONFIG_API_ALLOW_CIDRS", "192.0.2.0/24");
    place.set("TRUSTED_PROXIES", "127.0.0.0/8");
    place.put("webhook_config", r#"{"webhook_sending_enabled":false}"#);
    let mut worker = place.worker("worker");
    worker.start().await;
    for (forwarded, status) in [
        ("", 403),
        ("X-Forwarded-For: 198.51.100.1\r\n", 403),
        ("X-Forwarded-For: 192.0.2.9, 198.51.100.1\r\n", 403),
        ("X-Forwarded-For: 198.51.100.1, 192.0.2.9\r\n", 200),
    ] {
        let headers = format!("Authorization: Bearer {TOKEN}\r\n{forwarded}");
        let answer = ask(worker.port(), "GET", "?key=webhook_config", &headers, "").await.unwrap();
        assert_eq!(answer.status, status, "{forwarded:?} {answer:?}");
    }
    let metrics =
        worker.until_answer("/metrics", |answer| answer.body.contains("data_disk_free_bytes")).await;
    for name in ["data_disk_total_bytes", "data_disk_used_bytes", "data_dir_bytes"] {
        assert!(metrics.body.contains(&format!("\nrender_signal_{name} ")), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_instance_is_the_backend_of_another() {
    let receiver = Receiver::start().await;
    let (mut a, mut b) = (Place::new(NOWHERE), Place::new(NOWHERE));
    a.set("CONFIG_API_SERVE_TOKEN", TOKEN);
    let mut backend = a.worker("backend");
    backend.start().await;
    b.set("CONFIG_API_TOKEN", TOKEN);
    b.set("EXTERNAL_CONFIG_BASE_URL", &format!("http://127.0.0.1:{}", backend.port()));
    let mut front = b.worker("front");
    front.start().await;

    let url = format!("webhook_url={}", receiver.url("/moved"));
    let words = ["config", "set", "webhook_config", &url, "mine={\"f\":1.0}", "--allow-unknown"];
    let set = b.run(&words).await;
    assert_eq!(set.code, 0, "{set:?}");
    assert!(set.out.contains("stored in php: webhook_url, mine"), "{set:?}");
    assert!(set.complaints.contains("mine is no known field and has no effect"), "{set:?}");
    assert_eq!(a.stored("webhook_config")["mine"].to_string(), r#"{"f":1.0}"#, "it landed in the other one");
    assert!(!b.document("webhook_config").exists());
    for (place, worker) in [(&a, &backend), (&b, &front)] {
        worker.until_log("document applied").await;
        let mail = mails::recadrage();
        place.deliver(&mail);
        until("the webhook", PATIENCE, async || {
            let there = receiver.deliveries().iter().any(|d| d.path == "/moved" && d.mark() == mail.mark);
            ensure(there, || worker.tail())
        })
        .await;
    }
    let refused = b.run(&["config", "set", "webhook_config", "webhook_time_start=25h"]).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    // Each through its own door, at once: both survive.
    let (one, other) = tokio::join!(
        a.run(&["config", "set", "webhook_config", "_from_a=1"]),
        b.run(&["config", "set", "webhook_config", "_from_b=1"])
    );
    assert_eq!((one.code, other.code), (0, 0), "{one:?} {other:?}");
    let stored = a.stored("webhook_config");
    assert_eq!(
        (&stored["_from_a"], &stored["_from_b"], &stored["mine"]),
        (&json!(1), &json!(1), &json!({"f": 1.0}))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn all_documents_are_carried_from_one_place_to_another() {
    let from = Place::new(NOWHERE);
    from.put("webhook_config", r#"{"webhook_url":"https://hook.example.com/capability"}"#);
    from.put("processing_prefs", r#"{"retry_count":3}"#);
    let file = from.path("all.json").display().to_string();
    let exported = from.run(&["config", "export", &file]).await;
    assert_eq!((exported.code, exported.out.contains("2 documents")), (0, true), "{exported:?}");
    assert_eq!(from.run(&["config", "export", &file]).await.code, 1, "it is not overwritten");

    let to = Place::new(NOWHERE);
    to.put("processing_prefs", r#"{"retry_count":3}"#);
    let preview = to.run(&["config", "import", &file, "--dry-run"]).await;
    assert_eq!(preview.code, 0, "{preview:?}");
    assert!(
        preview.out.contains("processing_prefs   unchanged\nwebhook_config     created\n"),
        "{preview:?}"
    );
    assert!(!preview.out.contains("capability") && !to.document("webhook_config").exists(), "{preview:?}");
    let bad = std::fs::read_to_string(&file).unwrap().replace("\"retry_count\": 3", "\"retry_count\": 99");
    let refused = to.feed(&["config", "import", "-"], &bad).await;
    assert_eq!((refused.code, to.document("webhook_config").exists()), (1, false), "{refused:?}");
    assert!(refused.out.contains("retry_count"), "{refused:?}");
    assert_eq!(to.run(&["config", "import", &file]).await.code, 0);
    assert_eq!(to.stored("webhook_config")["webhook_url"], "https://hook.example.com/capability");
}
