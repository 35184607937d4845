//! The page, made by its handlers, with a state that tests hold.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::to_bytes;
use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT_LANGUAGE, LOCATION};
use actix_web::test::TestRequest;
use actix_web::web::Data;
use render_signal_actors::poller::PollerStatus;
use serde_json::json;

use super::*;
use crate::http::pages::form::FormData;
use crate::http::tests::state;
use crate::http::{HttpState, pages};

const HOSTILE: &str = "<script>alert(1)</script>\"'&\u{202e}";

fn visit(state: &HttpState, path: &str, language: &str) -> PageVisit {
    let request = TestRequest::with_uri(path).insert_header((ACCEPT_LANGUAGE, language));
    PageVisit::anybody(&request.app_data(Data::new(state.clone())).to_http_request()).unwrap()
}

async fn text(response: HttpResponse) -> (StatusCode, String) {
    let status = response.status();
    let body = to_bytes(response.into_body()).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn form(fields: &[(&str, &str)]) -> FormData {
    FormData(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

/// Another worker, of another version, whose every word is hostile.
async fn hostile_worker(state: &HttpState) {
    let word = json!({
        "worker": HOSTILE, "at": state.world.now(), "started_at": state.world.now(), "version": HOSTILE,
        "status": "not_ready", "position": 1, "polls": true, "policy": 1,
        "mailbox": {"name": HOSTILE, "phase": HOSTILE, "reason": HOSTILE, "last_heard": null, "lag_mails": 3,
            "oldest_waiting": null, "failures": 0, "silent": false},
        "documents": {"processing_prefs": "another"},
        "checks": {HOSTILE: {"state": "fail", "findings": [
            {"code": HOSTILE},
            {"code": "x", "said": {"fr": HOSTILE, "en": HOSTILE}, "advice": {"fr": HOSTILE, "en": HOSTILE}},
        ]}, "odd": 5},
    });
    let board = &state.services.board;
    board.said.publish("worker/other", &word.to_string(), Duration::from_secs(60)).await.unwrap();
}

#[actix_web::test]
async fn the_page_says_how_it_is_in_both_languages_and_what_a_worker_says_is_text() {
    let state = state(PollerStatus { mailbox: HOSTILE.into(), ..PollerStatus::default() });
    hostile_worker(&state).await;
    for (language, words) in [
        (
            "fr",
            ["Relève la boîte", "Tout vérifier", "3 mails y attendent", "Pas prêt", "Ce processus relève"],
        ),
        (
            "en",
            ["Polls the mailbox", "Check everything", "3 mails wait there", "Not ready", "This worker polls"],
        ),
    ] {
        for shown in
            [show(visit(&state, "/systeme", language)).await, live(visit(&state, "/x", language)).await]
        {
            let (status, page) = text(shown.unwrap()).await;
            assert_eq!(status, StatusCode::OK);
            assert!(!page.contains("<script>alert"), "{page}");
            assert!(!page.contains('\u{202e}') && page.contains("U+202E"), "it is shown as what it is");
            for words in words {
                assert!(page.contains(words), "{language}: {words} is not in {page}");
            }
        }
    }
}

#[actix_web::test]
async fn what_a_worker_runs_in_another_version_is_named() {
    let state = state(PollerStatus::default());
    hostile_worker(&state).await;
    let part = workers::part(&visit(&state, "/systeme", "fr")).await;
    assert_eq!(part.alive.len(), 2);
    assert!(part.alive[0].mine && part.alive[0].documents.is_none());
    let other = &part.alive[1];
    assert!(other.skewed, "it says that it runs another version");
    assert_eq!(other.documents.as_deref(), Some("d'autres versions que ce processus\u{a0}: Préférences"));
    assert_eq!(other.checks.len(), 2, "what cannot be understood is no reason to show nothing");
}

#[actix_web::test]
async fn a_text_that_is_no_export_is_kept_and_the_page_says_what_is_wrong() {
    let state = state(PollerStatus::default());
    for (pasted, words) in [
        ("", "Collez d&#39;abord"),
        ("<b>\"", "Ce texte n&#39;est pas un export"),
        (r#"{"format": 2, "documents": {}}"#, "format 2 inconnu"),
        (r#"{"format": 1, "documents": {"magic_link_tokens": {}}}"#, "magic_link_tokens n&#39;est aucun de"),
    ] {
        for answer in [
            import::preview(visit(&state, "/systeme/import", "fr"), form(&[("text", pasted)])).await,
            import::write(visit(&state, "/x", "fr"), form(&[("text", pasted), ("seen", "")])).await,
        ] {
            let (status, page) = text(answer.unwrap()).await;
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{pasted}");
            assert!(page.contains(words), "{words} is not in {page}");
            assert!(page.contains("id=\"f-text-error\"") && !page.contains("<b>\""), "{page}");
        }
    }
}

#[actix_web::test]
async fn a_test_that_cannot_be_sent_says_at_which_field_it_is_wrong() {
    let state = state(PollerStatus::default());
    for (fields, id) in [
        ([("to", ""), ("url", "")], "f-to"),
        ([("to", "no-such-target"), ("url", "")], "f-to"),
        ([("to", "@address"), ("url", "http://127.0.0.1/x")], "f-url"),
    ] {
        for answer in [
            trial::show(visit(&state, "/x", "en"), form(&fields)).await,
            trial::send(visit(&state, "/x", "en"), form(&fields)).await,
        ] {
            let (status, page) = text(answer.unwrap()).await;
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
            assert!(page.contains(&format!("id=\"{id}-error\"")), "{page}");
            assert!(page.contains(&format!("<a href=\"#{id}\">")), "{page}");
        }
    }
}

#[actix_web::test]
async fn what_cannot_be_done_is_not_offered() {
    let state = state(PollerStatus::default());
    let (_, page) = text(show(visit(&state, "/systeme", "fr")).await.unwrap()).await;
    assert!(page.contains("RENDER_DEPLOY_HOOK_URL") && !page.contains("action=\"/systeme/deployer\""));
    assert!(page.contains("définissez REDIS_URL") && !page.contains("action=\"/systeme/migrer"));
    let refused = service::deploy(visit(&state, "/x", "fr")).await;
    assert_eq!(refused.headers().get(LOCATION).unwrap(), "/systeme");
    let notice = refused.headers().get("set-cookie").unwrap().to_str().unwrap();
    assert!(notice.starts_with("notice=bad."), "{notice}");
}

#[actix_web::test]
async fn a_restart_is_asked_for() {
    let state = state(PollerStatus::default());
    let answer = service::restart(visit(&state, "/x", "en")).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    tokio::time::timeout(Duration::from_secs(5), state.reference.restart.asked()).await.unwrap();
}

#[test]
fn whoever_comes_back_to_the_address_of_an_answer_is_led_to_the_page() {
    let routes = pages::routes();
    for route in
        routes.iter().filter(|route| route.path.starts_with("/systeme") || route.path.starts_with("/acces"))
    {
        assert_eq!(route.access, RouteAccess::Session, "{}", route.path);
        let has_get = routes.iter().any(|other| other.path == route.path && other.method == "GET");
        assert!(has_get, "{} has no GET", route.path);
    }
}
