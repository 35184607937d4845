//! The login, one worker.

use serde_json::Value;

use super::{Browser, FORM, JSON, OURS, PASSWORD, plain};
use crate::support::place::{NOWHERE, Place};

#[tokio::test]
async fn nobody_comes_in_but_the_one_user_and_pages_are_pages() {
    let place = Place::new(NOWHERE);
    let mut worker = place.worker("worker");
    worker.start().await;
    let mut browser = Browser::at(&worker);

    let sent = browser.get("/?a=b").await;
    assert_eq!((sent.status, sent.header("location")), (303, Some("/login?next=%2F%3Fa%3Db")));
    let refused = browser.send("GET", "/", "Accept: application/json\r\n", "").await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));

    let form = browser.get("/login?next=/api/docs/&error=Token%20expir%C3%A9.").await;
    assert_eq!(form.status, 200);
    assert!(
        form.body.contains("Token expiré.") && form.body.contains("value=\"/api/docs/\""),
        "{}",
        form.body
    );
    let foreign = browser.get("/login?error=%3Cb%3ECall%20us").await;
    assert!(!foreign.body.contains("Call us"), "nobody's words but ours");

    for (password, language, words) in [
        ("wrong", "Accept-Language: fr\r\n", "Identifiants invalides."),
        ("", "Accept-Language: en\r\n", "The user or the password is wrong."),
    ] {
        let refused = browser.try_login(password, language).await;
        assert_eq!(refused.status, 401);
        assert!(refused.body.contains(words) && browser.cookie.is_none(), "{}", refused.body);
    }

    let entered = browser.try_login(PASSWORD, "").await;
    assert_eq!((entered.status, entered.header("location")), (303, Some("/")));
    let cookie = entered.header("set-cookie").expect("a cookie").to_owned();
    let attributes = "; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax";
    assert!(cookie.starts_with("session=") && cookie.ends_with(attributes), "{cookie}");
    assert_eq!(browser.name().await.as_deref(), Some("session:admin"));
    assert_eq!(browser.get("/").await.status, 200);
    assert_eq!(browser.get("/login").await.header("location"), Some("/"), "who is in need not come in");
    let told =
        plain(&worker, "GET", "/readyz", &format!("Cookie: {}\r\n", browser.cookie.clone().unwrap())).await;
    assert!(told.body.contains("\"message\""), "{}", told.body);

    let left = browser.get("/logout").await;
    assert_eq!(left.status, 200, "a page with a button");
    assert!(browser.name().await.is_some(), "to look at it ends nothing");
    let held = browser.cookie.clone();
    let left = browser.send("POST", "/logout", OURS, "").await;
    assert_eq!((left.status, left.header("location")), (303, Some("/login")));
    assert_eq!(browser.cookie, None);
    let mut thief = Browser { cookie: held.clone(), ..Browser::at(&worker) };
    assert_eq!(thief.name().await, None, "the cookie of a session that was left opens nothing");

    let log = worker.log();
    let secret = held.unwrap().split_once('=').unwrap().1.to_owned();
    assert!(!log.contains(&secret) && !log.contains(PASSWORD), "what opens something is in no log");
}

#[tokio::test]
async fn a_session_begins_with_the_login_and_its_password() {
    let mut place = Place::new(NOWHERE);
    let mut worker = place.worker("worker");
    worker.start().await;

    // A cookie that somebody has planted is none, before and after.
    let planted = format!("session={}", "A".repeat(43));
    let mut victim = Browser { cookie: Some(planted.clone()), ..Browser::at(&worker) };
    victim.login().await;
    assert_ne!(victim.cookie.as_deref(), Some(planted.as_str()));
    let mut attacker = Browser { cookie: Some(planted), ..Browser::at(&worker) };
    assert_eq!(attacker.name().await, None);

    // Whoever signs in again has another session, and the one before is over.
    let mut before = Browser { cookie: victim.cookie.clone(), ..Browser::at(&worker) };
    victim.login().await;
    assert_ne!(victim.cookie, before.cookie);
    assert_eq!(before.name().await, None);
    worker.stop().await;

    // The same password as a hash is another one to whoever has a cookie.
    let hashed = place.feed(&["hash-password"], &format!("{PASSWORD}\n")).await;
    assert_eq!(hashed.code, 0, "{hashed:?}");
    let hash = hashed.out.trim().to_owned();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    place.set("TRIGGER_PAGE_PASSWORD", &hash);
    let mut worker = place.worker("worker");
    worker.start().await;
    victim.port = worker.port();
    assert_eq!(victim.name().await, None);
    let mut browser = Browser::at(&worker);
    assert_eq!(browser.try_login("wrong", "").await.status, 401);
    browser.login().await;
    let listed = browser.send("GET", "/api/v1/sessions", "", "").await;
    let listed: Value = serde_json::from_str(&listed.body).unwrap();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(listed["items"][0]["current"], true);
}

#[tokio::test]
async fn after_the_login_everybody_is_where_he_was() {
    let place = Place::new(NOWHERE);
    let mut worker = place.worker("worker");
    worker.start().await;
    for next in [
        "https://evil.example/x",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\r\nLocation:%20https://evil.example",
        " //evil.example",
        "http:evil.example",
        "javascript:alert(1)",
        "/.//evil.example",
        "/x/..//evil.example",
        "@evil.example",
        "/logout",
    ] {
        let mut browser = Browser::at(&worker);
        let encoded: String = next.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let body = format!("username=admin&password={PASSWORD}&next={encoded}");
        let answer = browser.send("POST", "/login", FORM, &body).await;
        assert_eq!((answer.status, answer.header("location")), (303, Some("/")), "{next:?} in the form");
        let path = format!("/login?next={encoded}");
        let answer = browser.send("GET", &path, "", "").await;
        assert_eq!(answer.header("location"), Some("/"), "{next:?} in the address");
    }
    let mut browser = Browser::at(&worker);
    let body = format!("username=admin&password={PASSWORD}&next=/api/docs/%3Fa=b");
    let answer = browser.send("POST", "/login", FORM, &body).await;
    assert_eq!(answer.header("location"), Some("/api/docs/?a=b"));
}

#[tokio::test]
async fn a_link_signs_in_once_and_begins_with_the_address_that_is_set() {
    let mut place = Place::new(NOWHERE);
    let mut worker = place.worker("worker");
    worker.start().await;
    let mut owner = Browser::at(&worker);
    owner.login().await;
    // `Host` is what the asker writes.
    let refused = owner.send("POST", "/api/auth/magic-link", &format!("{JSON}{OURS}"), "{}").await;
    assert_eq!(refused.status, 409, "{}", refused.body);
    assert!(refused.body.contains("PUBLIC_BASE_URL"), "{}", refused.body);
    let none = owner.send("GET", "/api/v1/magic-links", "", "").await;
    assert!(none.body.contains("\"items\":[]"), "no link that nobody knows: {}", none.body);
    worker.stop().await;

    place.set("PUBLIC_BASE_URL", "http://signal.example.fr/");
    let mut worker = place.worker("worker");
    worker.start().await;
    owner.port = worker.port();
    for (body, unlimited) in
        [("", false), (r#"{"unlimited":"false"}"#, false), (r#"{"unlimited":true}"#, true)]
    {
        let made = owner.send("POST", "/api/auth/magic-link", &format!("{JSON}{OURS}"), body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let made: Value = serde_json::from_str(&made.body).unwrap();
        assert_eq!((&made["success"], &made["unlimited"]), (&Value::from(true), &Value::from(unlimited)));
        assert_eq!(made["expires_at"].is_null(), unlimited, "{made}");
        let link = made["magic_link"].as_str().unwrap();
        assert!(link.starts_with("http://signal.example.fr/login/magic/"), "{link}");
    }
    for body in ["[1]", "{", r#"{"unlimited":"perhaps"}"#] {
        let refused = owner.send("POST", "/api/auth/magic-link", &format!("{JSON}{OURS}"), body).await;
        assert_eq!(refused.status, 400, "{body}: {}", refused.body);
    }

    // What opens something is kept for no repetition, and stands in no file.
    let key = format!("{JSON}{OURS}Idempotency-Key: one\r\n");
    let first = owner.send("POST", "/api/v1/magic-links", &key, "{}").await;
    let second = owner.send("POST", "/api/v1/magic-links", &key, "{}").await;
    assert!((first.status, second.status) == (201, 201) && first.body != second.body);
    let token = owner.link().await;
    for entry in
        std::fs::read_dir(place.path("data")).unwrap().chain(std::fs::read_dir(place.path("debug")).unwrap())
    {
        let path = entry.unwrap().path();
        let content = std::fs::read(&path).unwrap_or_default();
        for secret in [token.as_str(), owner.cookie.as_deref().unwrap().trim_start_matches("session=")] {
            let found = content.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!found, "{} holds what opens a session", path.display());
        }
    }
    let path = format!("/login/magic/{token}");
    let mut guest = Browser::at(&worker);
    for _ in 0..3 {
        let shown = guest.get(&path).await;
        assert_eq!(shown.status, 200, "whatever a mail scanner looks at stays good");
        assert!(shown.body.contains("<button") && !shown.body.contains(&token), "{}", shown.body);
    }
    let entered = guest.send("POST", &format!("{path}?next=//evil.example"), OURS, "").await;
    assert_eq!((entered.status, entered.header("location")), (303, Some("/")), "{}", entered.body);
    assert_eq!(guest.name().await.as_deref(), Some("session:admin"));
    let mut second = Browser::at(&worker);
    for (path, words) in [
        (path.as_str(), "Token déjà utilisé."),
        ("/login/magic/abc", "Format de token invalide."),
        ("/login/magic/a.1.%C3%A9", "Signature de token invalide."),
    ] {
        for method in ["GET", "POST"] {
            let refused = second.send(method, path, "Accept: text/html\r\n", "").await;
            assert_eq!(refused.status, 401, "{method} {path}");
            assert!(refused.body.contains(words), "{}", refused.body);
        }
    }
    let typed = second.send("POST", "/login", FORM, "magic_token=a.b.c").await;
    assert!(typed.status == 401 && typed.body.contains("Token invalide."), "{}", typed.body);
    assert_eq!(second.cookie, None);
    let log = worker.log();
    assert!(!log.contains(&token), "a link is in no log");

    // What was made can be taken back.
    let listed: Value =
        serde_json::from_str(&owner.send("GET", "/api/v1/magic-links", "", "").await.body).unwrap();
    let permanent =
        listed["items"].as_array().unwrap().iter().find(|link| link["single_use"] == false).unwrap();
    let path = format!("/api/v1/magic-links/{}", permanent["id"].as_str().unwrap());
    assert_eq!(owner.send("DELETE", &path, OURS, "").await.status, 204);
    let done: Value = serde_json::from_str(&owner.send("GET", "/api/v1/actions", "", "").await.body).unwrap();
    assert_eq!(
        (&done["items"][0]["kind"], &done["items"][0]["by"]),
        (&Value::from("magic_link.revoked"), &Value::from("session:admin")),
        "{done}"
    );
}
