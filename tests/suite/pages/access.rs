//! `/acces`.

use super::person::{Person, value};
use crate::support::api::TOKEN;
use crate::support::place::{NOWHERE, Place};

/// The link that a page shows.
fn link(page: &str) -> String {
    let after = page.split("id=\"made-link\">").nth(1).unwrap_or_else(|| panic!("no link in {page}"));
    after.split('<').next().expect("an end").to_owned()
}

#[tokio::test]
async fn a_link_is_made_shown_once_used_elsewhere_and_that_session_is_ended() {
    let mut place = Place::new(NOWHERE);
    place.set("PUBLIC_BASE_URL", "http://127.0.0.1");
    let mut worker = place.worker("worker");
    worker.start().await;
    let mut person = Person::signed_in(&worker).await;

    let made = person.send("/acces/liens", &[("kind", "once")]).await;
    assert_eq!((made.status, made.header("cache-control")), (201, Some("no-store")), "{}", made.body);
    assert!(made.header("location").is_none(), "it is in no address");
    let url = link(&made.body);
    let token = url.strip_prefix("http://127.0.0.1/login/magic/").expect("a link").to_owned();
    assert!(
        made.headers.iter().all(|(_, value)| !value.contains(&token)),
        "and in no cookie: {:?}",
        made.headers
    );
    assert!(
        made.body.contains("class=\"qr\"") && made.body.contains("data-copy=\"made-link\""),
        "{}",
        made.body
    );
    let page = person.page("/acces").await;
    assert!(!page.contains(&token) && page.contains("Ouvert"), "it is not shown again: {page}");

    let mut phone = Person::at(&worker);
    phone.agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 \
                   Mobile/15E148 Safari/604.1<script>alert(1)</script>"
        .to_owned();
    assert_eq!(phone.send(&format!("/login/magic/{token}"), &[]).await.status, 303);
    assert!(phone.is_in().await);
    let mut again = Person::at(&worker);
    again.send(&format!("/login/magic/{token}"), &[]).await;
    assert!(!again.is_in().await, "it opens one session");

    let page = person.page("/acces").await;
    assert!(page.contains("Safari sur iPhone") && page.contains("Firefox sur Linux"), "{page}");
    assert!(!page.contains("<script>alert") && page.contains("&lt;script&gt;alert"), "{page}");
    assert!(page.contains("Cet appareil") && page.contains("Employé"), "{page}");
    let id = value(page.split_once("Safari sur iPhone").expect("a session").1, "id").to_owned();
    let page = person.done("/acces/sessions/terminer", &[("id", &id)]).await;
    assert!(page.contains("La session est terminée"), "{page}");
    assert!(!phone.is_in().await && person.is_in().await);
    let page = person.done("/acces/sessions/terminer", &[("id", "none-of-this-name")]).await;
    assert!(page.contains("Cette session n&#39;existe plus"), "{page}");
    assert!(page.contains("Session terminée"), "who did what says so: {page}");
}

#[tokio::test]
async fn a_link_without_an_end_is_revoked_and_so_are_its_sessions_and_all_others_are_ended() {
    let mut place = Place::new(NOWHERE);
    place.set("PUBLIC_BASE_URL", "http://127.0.0.1");
    let mut worker = place.worker("worker");
    worker.start().await;
    let mut person = Person::signed_in(&worker).await;
    person.language = "en";
    let made = person.send("/acces/liens", &[("kind", "permanent")]).await;
    assert!(made.body.contains("It does not expire"), "{}", made.body);
    let url = link(&made.body);
    let path = url.strip_prefix("http://127.0.0.1").expect("a link");
    let mut friends = [Person::at(&worker), Person::at(&worker)];
    for friend in &mut friends {
        friend.send(path, &[]).await;
        assert!(friend.is_in().await);
    }
    let page = person.page("/acces").await;
    let id = value(page.split("/acces/liens/revoquer").nth(1).expect("a link"), "id").to_owned();
    let page = person.done("/acces/liens/revoquer", &[("id", &id)]).await;
    assert!(page.contains("The link is revoked. 2 sessions were ended."), "{page}");
    for friend in &mut friends {
        assert!(!friend.is_in().await);
        friend.sign_in().await;
    }
    let page = person.page("/acces").await;
    assert!(page.contains("End the 2 other sessions?"), "{page}");
    let page = person.done("/acces/sessions/autres", &[]).await;
    assert!(page.contains("2 sessions were ended."), "{page}");
    assert!(person.is_in().await && !friends[0].is_in().await);
    let logins = person.page("/acces/connexions").await;
    assert_eq!(logins.matches("Firefox on Linux").count(), 5, "{logins}");
    assert!(person.page("/acces/actions").await.contains("Sign-in link revoked"));
}

#[tokio::test]
async fn without_an_address_it_is_said_why_there_are_no_links() {
    let place = Place::new(NOWHERE);
    let mut worker = place.worker("worker");
    worker.start().await;
    let mut person = Person::signed_in(&worker).await;
    let page = person.page("/acces").await;
    assert!(
        page.contains("définissez PUBLIC_BASE_URL") && !page.contains("action=\"/acces/liens\""),
        "{page}"
    );
    let page = person.done("/acces/liens", &[("kind", "once")]).await;
    assert!(page.contains("class=\"notice bad\"") && page.contains("Aucun lien"), "{page}");
}

#[tokio::test]
async fn strangers_are_sent_to_the_login() {
    let place = Place::new(NOWHERE);
    let mut worker = place.worker("worker");
    worker.start().await;
    for path in [
        "/acces",
        "/acces/connexions",
        "/acces/actions",
        "/systeme",
        "/systeme/evenements",
        "/systeme/sauvegarde",
        "/systeme/export",
    ] {
        let sent = Person::at(&worker).get(path).await;
        assert_eq!(sent.status, 303, "{path}");
        assert!(sent.header("location").is_some_and(|to| to.starts_with("/login?next=")), "{path}");
    }
}

#[tokio::test]
async fn tokens_are_set_or_not_and_what_they_may_is_said() {
    let mut place = Place::new(NOWHERE);
    place.set("TEST_API_KEY", "a-test-key-of-the-tests-0123456789");
    place.set("INGRESS_HMAC_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    place.set("API_TOKEN_SCOPES", "read,access");
    let mut worker = place.worker("worker");
    worker.start().await;
    let mut person = Person::signed_in(&worker).await;
    for path in ["/acces", "/systeme", "/systeme/evenements", "/acces/actions"] {
        let page = person.page(path).await;
        for secret in [
            TOKEN,
            "a-test-key-of-the",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "a-secret-of-the-tests",
            super::person::PASSWORD,
        ] {
            assert!(!page.contains(secret), "{path} shows {secret}");
        }
    }
    let page = person.page("/acces").await;
    let token = |name: &str| {
        let row = page.split(&format!("<code>{name}</code>")).nth(1).expect("a row");
        row.split("</li>").next().expect("an end").to_owned()
    };
    assert!(token("PROCESS_API_TOKEN").contains("lire, gérer les accès"), "{}", token("PROCESS_API_TOKEN"));
    assert!(token("TEST_API_KEY").contains("badge good"));
    assert!(token("CONFIG_API_SERVE_TOKEN").contains("Non défini"));
    assert!(token("INGRESS_HMAC_SECRET").contains("refusés, même avec le jeton"));
}
