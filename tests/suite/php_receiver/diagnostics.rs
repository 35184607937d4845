//! The pages that tell how a host is doing, and that there are no others.

use std::collections::BTreeSet;
use std::fs;

use serde_json::json;

use super::{TOKEN, assert_no_warning, diagnosed, exchange, list, parsed, post, prepared, running, webhook};
use crate::support::http;
use crate::support::php::Php;

const PAGES: [&str; 3] = ["/status.php", "/test.php", "/GmailOAuthTest.php"];

fn plain() -> String {
    "Connection: close\r\n".to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_token_sees_nothing() {
    let php = running().await;
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\nConnection: close\r\n");
    for page in ["/status.php", "/test.php", "/GmailOAuthTest.php", "/test-direct.php"] {
        for headers in [
            plain(),
            bearer(""),
            bearer(&TOKEN[1..]),
            format!("Authorization: Basic {TOKEN}\r\nConnection: close\r\n"),
            "Cookie: rs_diagnostics=9999999999.0\r\nConnection: close\r\n".to_owned(),
        ] {
            let answer = exchange(&php, "GET", page, &headers, "").await;
            assert_eq!(answer.status, 401, "{page}: {answer:?}");
            assert!(answer.header("www-authenticate").is_some_and(|how| how.starts_with("Bearer")));
            assert!(
                !answer.body.contains("webhook_links") && !answer.body.contains("WEBHOOK_SECRET"),
                "{}",
                answer.body
            );
        }
        // A token in an address would stand in logs.
        let answer = exchange(&php, "GET", &format!("{page}?token={TOKEN}"), &plain(), "").await;
        assert_eq!(answer.status, 401);
    }
    assert!(!php.path("data/webhook_links.json.lock").exists(), "not even a lock was made");
    for configured in ["", "of-only-23-characters--"] {
        let mut php = prepared();
        php.set("DIAGNOSTICS_TOKEN", configured);
        php.launch().await;
        for page in ["/status.php", "/test-direct.php"] {
            let headers = format!("Authorization: Bearer {configured}\r\nConnection: close\r\n");
            assert_eq!(exchange(&php, "GET", page, &headers, "").await.status, 500, "{configured:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_type_the_token_once_and_other_sites_cannot_use_that() {
    let php = running().await;
    let form = "Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n";
    let answer = exchange(&php, "POST", "/status.php?lang=fr", form, "token=wrong").await;
    assert_eq!((answer.status, answer.header("set-cookie")), (401, None));
    let answer = exchange(&php, "POST", "/status.php?lang=fr", form, &format!("token={TOKEN}")).await;
    assert!(answer.status == 200 && answer.body.contains("Le récepteur est prêt."), "{answer:?}");
    let cookie = answer.header("set-cookie").expect("a cookie").to_owned();
    for part in ["HttpOnly", "SameSite=Strict", "Max-Age=3600"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains(TOKEN) && !cookie.contains("Secure"), "{cookie}");
    let secure = exchange(
        &php,
        "POST",
        "/status.php",
        &format!("X-Forwarded-Proto: https\r\n{form}"),
        &format!("token={TOKEN}"),
    )
    .await;
    assert!(secure.header("set-cookie").is_some_and(|cookie| cookie.contains("; Secure")));
    let pair = cookie.split(';').next().expect("a pair");
    let with = |pair: &str, more: &str| format!("Cookie: {pair}\r\n{more}Connection: close\r\n");
    for page in PAGES {
        assert_eq!(exchange(&php, "GET", page, &with(pair, ""), "").await.status, 200, "{page}");
        let answer = exchange(&php, "GET", page, &with(pair, "Sec-Fetch-Site: cross-site\r\n"), "").await;
        assert_eq!(answer.status, 403, "{page}");
    }
    // Its time is part of what is sealed.
    let (until, seal) = pair.trim_start_matches("rs_diagnostics=").split_once('.').expect("two parts");
    let later = format!("rs_diagnostics={}.{seal}", until.parse::<i64>().expect("a time") + 9_999);
    assert_eq!(exchange(&php, "GET", "/status.php", &with(&later, ""), "").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_whole_in_french_and_english_and_run_no_script() {
    let php = running().await;
    fs::write(list(&php), json!([{"url": "https://fromsmash.com/<b>", "timestamp": "<i>"}]).to_string())
        .expect("a list");
    for page in PAGES {
        for (language, said) in [("fr", ["Compte Gmail", "English"]), ("en", ["Gmail account", "Français"])]
        {
            let answer = diagnosed(&php, "GET", &format!("{page}?lang={language}"), "").await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer.header("content-language"), Some(language));
            assert!(answer.body.contains(&format!("<html lang=\"{language}\">")), "{}", answer.body);
            for text in said {
                assert!(answer.body.contains(text), "{text}: {}", answer.body);
            }
            assert!(
                !answer.body.contains("<script")
                    && !answer.body.contains("<b>")
                    && !answer.body.contains("<i>")
            );
            // Every value has found its place.
            for place in ["{n}", "{why}", "{file}", "{at}", "{what}", "{version}"] {
                assert!(!answer.body.contains(place), "{place}: {}", answer.body);
            }
            let policy = answer.header("content-security-policy").expect("a policy");
            assert!(policy.starts_with("default-src 'none'; style-src 'nonce-"), "{policy}");
        }
        let preferred = format!(
            "Authorization: Bearer {TOKEN}\r\nAccept-Language: en-GB,fr;q=0.5\r\nConnection: close\r\n"
        );
        let answer = exchange(&php, "GET", page, &preferred, "").await;
        assert_eq!(answer.header("content-language"), Some("en"));
    }
    assert_no_warning(&php);
    let sign_in = exchange(&php, "GET", "/status.php?lang=en", &plain(), "").await;
    assert!(sign_in.body.contains("A token is wanted."), "{}", sign_in.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_counted_by_format_and_provider_and_its_flaws_are_named() {
    let php = running().await;
    let copy = |source: &str, provider: &str| {
        json!({"source_url": source, "r2_url": "https://media.example/secret-path", "provider": provider,
            "created_at": "2026-01-08T14:30:00.123456Z", "original_filename": "61 Camille.zip"})
    };
    let link = |url: &str| json!({"url": url, "timestamp": "2025-10-17T10:30:00+02:00", "source": "webhook"});
    let mut wrong = copy("https://www.dropbox.com/s/c", "Drop Box");
    wrong["created_at"] = json!("hier");
    let list_of = json!([
        copy("https://www.dropbox.com/s/a", "dropbox"), copy("https://fromsmash.com/b", "unknown"), wrong,
        link("https://www.dropbox.com/s/d"), link("https://dropbox.com.evil.example/s/e"), link("no address"),
        {"neither": 1}, 5,
    ]);
    fs::write(list(&php), list_of.to_string()).expect("a list");
    let report = parsed(&diagnosed(&php, "GET", "/test-direct.php", "").await);
    let links = &report["links"];
    for (name, value) in [
        ("usable", json!(true)),
        ("conform", json!(false)),
        ("entries", json!(8)),
        ("r2", json!(3)),
        ("legacy", json!(3)),
        ("other", json!(2)),
        ("archives", json!(0)),
        ("problem_count", json!(5)),
        ("providers", json!({"Drop Box": 1, "dropbox": 2, "fromsmash": 1, "unknown": 2})),
    ] {
        assert_eq!(links[name], value, "{name}: {links}");
    }
    let problems: Vec<String> = links["problems"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| format!("{} {}", one["entry"], one["problem"].as_str().expect("a name")))
        .collect();
    assert_eq!(
        problems,
        ["3 bad_provider", "3 bad_created_at", "6 bad_url", "7 unknown_format", "8 not_an_object"]
    );
    assert_eq!(links["recent"][0]["to"], json!("media.example"));
    // Addresses are capabilities: none is shown whole.
    let page = diagnosed(&php, "GET", "/test.php?lang=en", "").await.body;
    let text = format!("{report}{page}");
    assert!(!text.contains("secret-path") && !text.contains("/s/a"), "{text}");
    assert!(text.contains("Entry 3: provider is no name"), "{text}");
    // As the program counts them.
    let counts = render_signal_actors::r2::links::book::count(list_of.as_array().expect("a list"));
    assert_eq!((counts.entries, counts.r2, counts.legacy, counts.other), (8, 3, 3, 2));
    assert_eq!(json!(counts.providers), links["providers"]);
    fs::write(list(&php), "{}").expect("no list");
    let links = parsed(&diagnosed(&php, "GET", "/test-direct.php", "").await)["links"].clone();
    assert_eq!((&links["conform"], &links["problems"][0]["problem"]), (&json!(false), &json!("not_a_list")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_is_told_and_no_value() {
    let mut php = prepared();
    php.set("GMAIL_CLIENT_SECRET", "geheim-secret");
    php.set("AUTHORIZED_SENDERS", "geheim@agence.example");
    php.launch().await;
    let direct = diagnosed(&php, "GET", "/test-direct.php", "").await.body;
    let report: serde_json::Value = serde_json::from_str(&direct).expect("JSON");
    assert_eq!(report["receiver"]["settings"]["GMAIL_CLIENT_SECRET"], json!(true));
    assert_eq!(report["receiver"]["settings"]["GMAIL_CLIENT_ID"], json!(false));
    assert_eq!((&report["receiver"]["ready"], &report["php"]["suitable"]), (&json!(true), &json!(true)));
    let page = diagnosed(&php, "GET", "/status.php", "").await.body;
    assert!(!(direct + page.as_str()).contains("geheim"), "{page}");
    php.kill();
    php.set("WEBHOOK_SECRET", "geheim");
    php.launch().await;
    let page = diagnosed(&php, "GET", "/status.php?lang=fr", "").await.body;
    assert!(page.contains("Le récepteur refuse tout") && !page.contains("geheim"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_records_and_sends_nothing() {
    let mut php = prepared();
    php.set("RECADRAGE_TO", "studio@agence.example");
    php.launch().await;
    let mut body = webhook(&json!([]));
    body["detector"] = json!("recadrage");
    body["delivery_time"] = json!("11h51");
    body["email_content"] =
        json!("<a href=\"https://www.dropbox.com/s/a?dl=0\">x</a> https://fromsmash.com/b.");
    let answer = diagnosed(&php, "POST", "/test-direct.php", &body.to_string()).await;
    let said = parsed(&answer);
    assert_eq!((answer.status, &said["authorized"]), (200, &json!(true)), "{said}");
    assert_eq!(said["links"][0], json!({"url": "https://www.dropbox.com/s/a?dl=1", "provider": "dropbox"}));
    assert_eq!(said["links"][1]["url"], json!("https://fromsmash.com/b"));
    assert_eq!(
        (&said["mail"]["to"], &said["mail"]["can_be_sent"]),
        (&json!("studio@agence.example"), &json!(false))
    );
    body["sender_email"] = json!("x@y.fr");
    let answer = diagnosed(&php, "POST", "/test-direct.php", &body.to_string()).await;
    assert_eq!((answer.status, &parsed(&answer)["authorized"]), (422, &json!(false)));
    let shown = diagnosed(
        &php,
        "POST",
        "/test.php?lang=en",
        "webhook=Le+fichier+%3A+https%3A%2F%2Ffromsmash.com%2Fc",
    )
    .await;
    assert!(shown.body.contains("https://fromsmash.com/c"), "{}", shown.body);
    assert_eq!(diagnosed(&php, "POST", "/test-direct.php", "{}").await.status, 422);
    assert!(!list(&php).exists() && !php.path("data/webhook_receipts").exists());
    assert_no_warning(&php);
    // The receiver is not opened by this token.
    let headers = format!("Authorization: Bearer {TOKEN}\r\nConnection: close\r\n");
    assert_eq!(exchange(&php, "POST", "/", &headers, &body.to_string()).await.status, 401);
}

/// The web root holds what is meant to be public; whatever else lies on the host is asked for in vain.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_else_is_public() {
    let php = running().await;
    assert_eq!(
        post(&php, "msg_1", &webhook(&json!(["https://fromsmash.com/a"])).to_string()).await.status,
        200
    );
    let files = fs::read_dir(php.path("public_html")).expect("the web root").flatten();
    let files: BTreeSet<String> = files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    let public = [
        ".htaccess",
        ".user.ini",
        "GmailOAuthTest.php",
        "config_api.php",
        "index.php",
        "status.php",
        "test-direct.php",
        "test.php",
    ];
    assert_eq!(files, public.map(str::to_owned).into());
    let nginx = fs::read_to_string(php.path("php/nginx.conf")).expect("a sample");
    let pages = "^/(?:index|config_api|status|test|test-direct|GmailOAuthTest)\\.php$";
    assert!(nginx.contains(pages) && public.iter().filter(|name| name.ends_with(".php")).count() == 6);
    for path in [
        "/data/webhook_links.json",
        "/../data/webhook_links.json",
        "/..%2fdata%2fwebhook_links.json",
        "/webhook_links.json",
        "/data/webhook_receipts/",
        "/../config/receiver.php",
        "/../scripts/gmail_oauth_connection_test.php",
        "/src/autoload.php",
        "/../src/JsonLogger.php",
        "/dashboard.php",
        "/install.php",
        "/gmail_oauth_errors.log",
        "/data/gmail_oauth_last_check.json",
        "/../php/nginx.conf",
    ] {
        let answer = http::get(php.port(), path).await.expect("an answer");
        assert!(answer.status >= 400 && !answer.body.contains("fromsmash"), "{path}: {answer:?}");
    }
}

/// Whoever makes the whole folder the web root publishes data: the pages do not work then.
#[tokio::test(flavor = "multi_thread")]
async fn a_web_root_that_holds_the_data_is_refused() {
    let mut php: Php = prepared();
    php.publish("deployment");
    php.launch().await;
    let headers = super::signed_by(
        &[crate::support::standard_webhooks::secret("present")],
        "msg_1",
        super::now(),
        "{}",
    );
    let answer = exchange(&php, "POST", "/public_html/index.php", &headers, "{}").await;
    assert_eq!(answer.status, 403, "{answer:?}");
    let answer = diagnosed(&php, "GET", "/public_html/test-direct.php", "").await;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert!(!list(&php).exists() && !php.path("data/webhook_receipts").exists());
}
