//! Other sites, and what a browser is told of ours.

use super::{Browser, FORM, JSON, OURS, PASSWORD, plain};
use crate::support::place::{NOWHERE, Place};

#[tokio::test]
async fn no_other_site_acts_with_the_session_of_a_browser() {
    let mut place = Place::new(NOWHERE);
    place.set("PUBLIC_BASE_URL", "http://signal.example.fr");
    let mut worker = place.worker("worker");
    worker.start().await;
    let mut browser = Browser::at(&worker);
    browser.login().await;
    // As browsers send them, new and old: a form, a script, and content types that need no leave.
    let evil = "Origin: https://evil.example\r\n";
    let text = "Content-Type: text/plain\r\n";
    let multipart = "Content-Type: multipart/form-data; boundary=x\r\n";
    for foreign in [
        format!("{FORM}Sec-Fetch-Site: cross-site\r\n{evil}"),
        format!("{JSON}Sec-Fetch-Site: cross-site\r\n"),
        format!("{JSON}Sec-Fetch-Site: same-site\r\n"),
        format!("{FORM}{evil}"),
        format!("{text}{evil}"),
        format!("{multipart}{evil}"),
        format!("{text}Origin: null\r\n"),
        evil.to_owned(),
    ] {
        for (method, path) in [
            ("POST", "/api/auth/magic-link"),
            ("POST", "/api/v1/magic-links"),
            ("DELETE", "/api/v1/sessions"),
            ("DELETE", "/api/v1/session"),
            ("POST", "/logout"),
            ("POST", "/login"),
        ] {
            let refused = browser.send(method, path, &foreign, "{}").await;
            assert_eq!(refused.status, 403, "{method} {path} {foreign:?}: {}", refused.body);
        }
    }
    assert_eq!(browser.name().await.as_deref(), Some("session:admin"), "nothing has ended");
    let links = browser.send("GET", "/api/v1/magic-links", "", "").await;
    assert!(links.body.contains("\"items\":[]"), "nothing was made: {}", links.body);
    // A form of our own page, a script of somebody who has the cookie, and a proxy that changes Host.
    for ours in [OURS, "", "Origin: http://signal.example.fr\r\n", "Origin: http://127.0.0.1\r\n"] {
        let made = browser.send("POST", "/api/v1/magic-links", &format!("{JSON}{ours}"), "{}").await;
        assert_eq!(made.status, 201, "{ours:?}: {}", made.body);
    }
    let read = browser.send("GET", "/api/v1/session", "Sec-Fetch-Site: cross-site\r\n", "").await;
    assert_eq!(read.status, 200, "what is read changes nothing");
    let ended = browser.send("DELETE", "/api/v1/session", OURS, "").await;
    assert_eq!((ended.status, browser.name().await), (204, None));
}

/// A copy of the journal costs work: as the picture of another site it is not made.
#[tokio::test]
async fn no_other_site_has_a_browser_fetch_what_costs_work() {
    let place = Place::new(NOWHERE);
    let mut worker = place.worker("worker");
    worker.start().await;
    let mut browser = Browser::at(&worker);
    browser.login().await;
    for path in ["/api/v1/journal/backup", "/api/v1/config/export", "/systeme/sauvegarde", "/systeme/export"]
    {
        for (site, mode, destination) in [
            ("cross-site", "no-cors", "image"),
            ("cross-site", "cors", "empty"),
            ("same-site", "no-cors", "image"),
            ("cross-site", "navigate", "iframe"),
        ] {
            let headers = format!(
                "Sec-Fetch-Site: {site}\r\nSec-Fetch-Mode: {mode}\r\nSec-Fetch-Dest: {destination}\r\n"
            );
            let answer = browser.send("GET", path, &headers, "").await;
            assert_eq!(answer.status, 403, "{path} {headers:?}");
        }
    }
    // Who follows a link of a mail goes there, and sees it.
    let link = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
    for headers in [link, OURS, ""] {
        let read = browser.send("GET", "/api/v1/config/export", headers, "").await;
        assert_eq!(read.status, 200, "{headers:?}: {}", read.body);
    }
}

#[tokio::test]
async fn every_answer_says_whom_a_browser_may_talk_to() {
    let mut place = Place::new(NOWHERE);
    for tls in [false, true] {
        place.set("PUBLIC_BASE_URL", if tls { "https://signal.example.fr" } else { "" });
        let mut worker = place.worker(if tls { "encrypted" } else { "plain" });
        worker.start().await;
        let mut browser = Browser::at(&worker);
        let entered = browser.try_login(PASSWORD, "").await;
        let cookie = entered.header("set-cookie").expect("a cookie");
        assert_eq!(cookie.starts_with("__Host-session=") && cookie.contains("; Secure"), tls, "{cookie}");
        assert_eq!(browser.name().await.as_deref(), Some("session:admin"));
        for (method, path, status) in [
            ("GET", "/login", 200),
            ("GET", "/manifest.webmanifest", 200),
            ("GET", "/health", 200),
            ("GET", "/api/v1/session", 401),
            ("GET", "/nowhere", 404),
            ("PUT", "/login", 405),
        ] {
            let answer = plain(&worker, method, path, "").await;
            assert_eq!(answer.status, status, "{method} {path}");
            let policy = answer.header("content-security-policy").unwrap_or_default();
            assert!(
                policy.starts_with("default-src 'none';") && !policy.contains("unsafe"),
                "{path}: {policy}"
            );
            assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
            for (name, value) in [
                ("x-content-type-options", "nosniff"),
                ("x-frame-options", "DENY"),
                ("referrer-policy", "same-origin"),
                ("cross-origin-opener-policy", "same-origin"),
                ("cross-origin-resource-policy", "same-origin"),
            ] {
                assert_eq!(answer.header(name), Some(value), "{method} {path}");
            }
            assert_eq!(answer.header("strict-transport-security").is_some(), tls, "{path}");
            assert!(answer.header("cache-control").is_some(), "{path}");
        }
        worker.stop().await;
    }
}
