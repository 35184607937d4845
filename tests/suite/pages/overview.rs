//! `/`: whether it works, what to do, and what every page has: language, theme, forms that are late.

use serde_json::json;

use super::person::{Person, value};
use crate::support::place::Place;
use crate::support::receiver::Receiver;
use crate::support::{Answer, mails};

const HOOK: &str = "/hook";

async fn place() -> (Place, Receiver) {
    let receiver = Receiver::start().await;
    let mut place = Place::new(&receiver.url(HOOK));
    // Signed, and on a disk as far as the program is told: nothing else is to be done.
    place.set("WEBHOOK_SECRET", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=");
    let prefs = json!({"rate_limit_per_hour": 0, "retry_count": 1, "retry_delay_sec": 1});
    place.put("processing_prefs", &prefs.to_string());
    (place, receiver)
}

#[tokio::test]
async fn it_says_that_all_is_well_what_is_not_and_what_to_do_and_does_it() {
    let (place, receiver) = place().await;
    let mut worker = place.worker("worker");
    worker.start().await;
    let mut person = Person::signed_in(&worker).await;
    let page = person.until_said("/", "Tout fonctionne").await;
    assert!(
        page.contains("Aucun mail reçu pour l&#39;instant") || page.contains("Aucun mail reçu"),
        "{page}"
    );
    assert!(page.contains("Rien ne demande votre attention."), "{page}");

    receiver.always(HOOK, Answer::Html(503));
    place.deliver(&mails::named("Lot perdu", "Zoe <zoe@example.fr>"));
    let page = person.until_said("/", "1 webhook abandonné").await;
    assert!(page.contains("Quelque chose vous attend") && page.contains("À traiter (1)"), "{page}");
    assert!(page.contains("<title>(1) Vue d&#39;ensemble"), "the tab says it: {page}");
    assert!(page.contains("icon-alert.svg\" type"), "and so does its icon: {page}");
    assert!(page.contains("Renvoyer 1 webhook\u{a0}?"), "the question names the count: {page}");
    assert!(page.contains("Lot perdu") && page.contains("Abandonné"), "{page}");

    receiver.always(HOOK, Answer::Ok);
    let target = value(&page, "target").to_owned();
    let page = person.done("/renvoyer", &[("target", &target)]).await;
    assert!(page.contains("class=\"notice good\">1 webhook renvoyé<"), "{page}");
    let page = person.until_said("/", "tout est livré").await;
    assert!(page.contains("<title>Vue d&#39;ensemble"), "{page}");
    // What was said is said once.
    assert!(!page.contains("webhook renvoyé"), "{page}");
    let month = person.page("/?periode=mois").await;
    assert!(month.contains("1 mail reçu, 1 webhook livré, "), "{month}");
    assert!(month.contains("/mails?since="), "a day leads to its mails: {month}");

    let page = person.done("/relever", &[]).await;
    assert!(page.contains("La boîte est relevée maintenant."), "{page}");
    worker.stop().await;
}

#[tokio::test]
async fn every_page_is_in_the_language_and_the_theme_that_were_chosen() {
    let (place, _receiver) = place().await;
    let mut worker = place.worker("worker");
    worker.start().await;
    let mut person = Person::signed_in(&worker).await;
    for (path, french, english) in [
        ("/", "Vue d&#39;ensemble", "Overview"),
        ("/mails", "Mails", "Mails"),
        ("/regles", "Règles", "Rules"),
        ("/reglages", "Réglages", "Settings"),
        ("/systeme", "Système", "System"),
        ("/acces", "Accès", "Access"),
    ] {
        let page = person.page(path).await;
        assert!(page.contains("<html lang=\"fr\" data-theme=\"auto\">"), "{path}: {page}");
        assert!(page.contains(&format!("{french}</h1>")), "{path}: {page}");
        let next = format!("{path}?x=1");
        let answer = person.send("/preferences", &[("lang", "en"), ("theme", "dark"), ("next", &next)]).await;
        assert_eq!((answer.status, answer.header("location")), (303, Some(next.as_str())));
        let page = person.page(path).await;
        assert!(page.contains("<html lang=\"en\" data-theme=\"dark\">"), "{path}: {page}");
        assert!(page.contains(&format!("{english}</h1>")), "{path}: {page}");
        person.send("/preferences", &[("lang", "fr"), ("theme", "auto"), ("next", path)]).await;
    }
    // Nobody is sent elsewhere, and what is no choice changes nothing.
    let answer =
        person.send("/preferences", &[("lang", "de"), ("theme", "x"), ("next", "//evil.example")]).await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
    assert!(answer.header("set-cookie").is_none(), "{answer:?}");
    worker.stop().await;
}

#[tokio::test]
async fn a_form_that_is_sent_after_its_session_has_ended_is_not_lost() {
    let (place, _receiver) = place().await;
    let mut worker = place.worker("worker");
    worker.start().await;
    let mut person = Person::signed_in(&worker).await;
    person.done("/relever", &[]).await;
    let answer = person.send("/logout", &[]).await;
    assert_eq!(answer.status, 303);

    let typed = [("target", "x\"><script>alert(1)</script>"), ("note", "deux\nlignes")];
    let answer = person.send("/renvoyer", &typed).await;
    assert_eq!(answer.status, 401, "{}", answer.body);
    assert!(answer.body.contains("Session terminée") && answer.body.contains("action=\"/renvoyer\""));
    assert!(!answer.body.contains("<script>alert"), "{}", answer.body);
    assert!(answer.body.contains("deux\nlignes</textarea>"), "{}", answer.body);
    assert_eq!(value(&answer.body, "target"), "x&#34;&#62;&#60;script&#62;alert(1)&#60;/script&#62;");

    // Another site cannot have us show its words.
    let foreign = person.send_from("/renvoyer", &typed, "cross-site").await;
    assert!(!foreign.body.contains("alert(1)"), "{}", foreign.body);

    person.sign_in().await;
    let answer = person.send("/reactiver", &[("target", "default")]).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    worker.stop().await;
}
