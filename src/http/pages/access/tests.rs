//! The page, made by its handlers, with sessions that tests open.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::body::to_bytes;
use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT_LANGUAGE, CACHE_CONTROL};
use actix_web::test::TestRequest;
use actix_web::web::Data;
use render_signal_actors::access::Visitor;
use render_signal_actors::access::links::MagicLinks;
use render_signal_actors::access::password::Passwords;
use render_signal_actors::access::sessions::{Sessions, SignInMethod};
use render_signal_actors::access::throttle::Throttle;
use render_signal_actors::access::token::Signer;
use render_signal_actors::config::edit::Editor;
use render_signal_actors::config::store::file::FileStore;
use render_signal_actors::kernel::ephemeral::MemoryEphemeral;
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::poller::PollerStatus;
use secrecy::SecretString;
use tempfile::TempDir;

use super::*;
use crate::http::HttpState;
use crate::http::access::bearer::TokenDigest;
use crate::http::access::{ApiScope, Login, Scopes};
use crate::http::pages::form::FormData;
use crate::http::tests;

const HOSTILE: &str = "<script>alert(1)</script>\"'&\u{202e}";
const SECRET: &str = "a-secret-that-is-never-shown-0123456789";

/// A state in which people can sign in. The folder has the document of the links.
fn state(base_url: Option<&str>) -> (HttpState, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut state = tests::state(PollerStatus::default());
    let world = state.world.clone();
    let journal: Arc<dyn Journal> = state.journal.clone();
    let editor = Editor { store: Arc::new(FileStore::new(folder.path(), None)), ..state.editor.clone() };
    let key = SecretString::from(SECRET);
    let passwords = Passwords::new("admin", &SecretString::from("a good password"), &key).unwrap();
    let sessions = Arc::new(Sessions::new(Arc::clone(&journal), world.clone(), passwords.fingerprint()));
    let (signer, life) = (Signer::new(key), chrono::TimeDelta::minutes(15));
    let links = MagicLinks::new(editor, journal, Arc::clone(&sessions), signer, "admin", life);
    state.access.login = Some(Login {
        sessions,
        links: Arc::new(links),
        passwords,
        throttle: Throttle::new(Arc::new(MemoryEphemeral::new(world.clone())), world),
        base_url: base_url.map(|url| url.parse().unwrap()),
        tls: false,
    });
    state.access.api_token = Some(TokenDigest::new(&SECRET.into()));
    (state, folder)
}

fn visit(state: &HttpState, language: &str) -> PageVisit {
    let request = TestRequest::with_uri("/acces").insert_header((ACCEPT_LANGUAGE, language));
    PageVisit::anybody(&request.app_data(Data::new(state.clone())).to_http_request()).unwrap()
}

async fn text(response: HttpResponse) -> (StatusCode, String) {
    let status = response.status();
    let body = to_bytes(response.into_body()).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[actix_web::test]
async fn what_a_browser_calls_itself_is_text_wherever_it_is_shown() {
    let (state, _folder) = state(None);
    let sessions = &state.access.login.as_ref().unwrap().sessions;
    let visitor = Visitor { address: HOSTILE.to_owned(), agent: HOSTILE.to_owned() };
    sessions.open(HOSTILE, SignInMethod::Password, &visitor).await.unwrap();
    for language in ["fr", "en"] {
        for shown in [
            show(visit(&state, language)).await,
            log::logins(visit(&state, language)).await,
            log::actions(visit(&state, language)).await,
        ] {
            let (status, page) = text(shown.unwrap()).await;
            assert_eq!(status, StatusCode::OK);
            assert!(page.contains("alert(1)"), "it is shown: {page}");
            assert!(!page.contains("<script>alert") && !page.contains('\u{202e}'), "{page}");
            assert!(!page.contains(SECRET));
        }
    }
    let (_, page) = text(show(visit(&state, "fr")).await.unwrap()).await;
    assert!(page.contains("Appareil inconnu") && page.contains("définissez PUBLIC_BASE_URL"), "{page}");
}

#[actix_web::test]
async fn a_link_is_in_the_answer_to_its_form_alone() {
    let (state, _folder) = state(Some("https://signal.example.fr"));
    let form = FormData(vec![("kind".to_owned(), "once".to_owned())]);
    let made = links::make(visit(&state, "en"), form).await.unwrap();
    assert_eq!(made.headers().get(CACHE_CONTROL).unwrap(), "no-store");
    assert!(made.headers().get("set-cookie").is_none() && made.headers().get("location").is_none());
    let (status, page) = text(made).await;
    assert_eq!(status, StatusCode::CREATED);
    let url = page.split("id=\"made-link\">").nth(1).unwrap().split('<').next().unwrap();
    assert!(url.starts_with("https://signal.example.fr/login/magic/"), "{url}");
    assert!(page.contains("It opens one session, until") && page.contains("<svg class=\"qr\""), "{page}");
    let (_, list) = text(show(visit(&state, "en")).await.unwrap()).await;
    assert!(list.contains("One sign-in, within 15\u{a0}min") && !list.contains(url), "{list}");
}

#[actix_web::test]
async fn what_the_token_of_the_api_may_is_said_in_words() {
    let (mut state, _folder) = state(None);
    let said = |state: &HttpState| tokens::rows(&visit(state, "fr")).remove(0).what;
    assert!(said(&state).contains("Rien de /api/v1"), "{}", said(&state));
    state.access.scopes = Scopes::new(vec![ApiScope::Config, ApiScope::Read]);
    assert!(said(&state).ends_with("lire, changer la configuration."), "{}", said(&state));
    state.access.api_token = None;
    assert_eq!(said(&state), "Non défini");
}
