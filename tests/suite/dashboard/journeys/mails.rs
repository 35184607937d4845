//! A mail is watched while it comes, and one is found that did not go out.

use serde_json::json;

use super::super::pages::Who;
use super::super::{Desk, Setup};
use super::{assert_same, confirm, mark, row};
use crate::support::browser::{Browser, css, label, role};
use crate::support::receiver::Answer;
use crate::support::site::HOOK;
use crate::support::until::ensure;
use crate::support::worker::Mode;
use crate::support::{PATIENCE, Worker, mails, until};

/// Where the rows of the list are, and how far it is scrolled.
async fn layout(browser: &Browser) -> serde_json::Value {
    let script = "return [scrollY, ...[...document.querySelectorAll('#mails .mail')].map(
        (row) => [row.id, Math.round(row.getBoundingClientRect().top)])]";
    browser.run(script, &[]).await
}

/// Waits until a part of the page says this.
async fn until_said(browser: &Browser, part: &str, wanted: &str) {
    until(&format!("{wanted:?} in {part}"), PATIENCE, async || {
        let script = format!("return document.querySelector('{part}')?.innerText ?? ''");
        let said = browser.run(&script, &[]).await;
        let said = said.as_str().unwrap_or_default().replace('\u{a0}', " ");
        ensure(said.contains(wanted), || said.clone())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_comes_fails_once_and_is_delivered_while_nobody_touches_the_page() {
    let files = Worker::start(Mode::Copies).await;
    let prefs = json!({ "rate_limit_per_hour": 0, "retry_count": 3, "retry_delay_sec": 4 });
    let mut setup = Setup::new(&mails::mixed(4)).await.document("processing_prefs", prefs);
    setup.variables.extend(files.environment());
    let desk = Desk::with(setup).await;
    let (list, overview) = (&desk.browser, Browser::start(desk.worker.port()).await);
    list.language("fr").await;
    desk.come_as(Who::User).await;
    overview.language("fr").await;
    overview.go("/login").await;
    super::super::places::sign_in(&overview, super::FRENCH).await;
    overview.arrive("/").await;
    list.go("/mails").await;
    list.until_true("the stream", "return document.body.dataset.liveState === 'live'").await;
    until_said(list, "#mails .mail:last-child", "Livré").await;
    for browser in [list, &overview] {
        mark(browser).await;
    }
    let before = layout(list).await;

    let mail = mails::recadrage();
    desk.receiver.next(HOOK, [Answer::Html(502)]);
    desk.place.deliver(&mail);
    let id = desk.id_of(&mail).await;

    // It is announced, and nothing that was there moves.
    until_said(list, "#news", "1 nouveau mail").await;
    assert_eq!(layout(list).await, before, "nothing moves");
    assert_eq!(list.count(&row(&id)).await, 0, "it is not pushed in");
    until_said(&overview, "#last", &mail.mark).await;
    assert_same(&overview).await;

    // Once it is wanted it is there, and what becomes of it is seen in its place.
    list.click(&css("#news a")).await;
    list.see(&row(&id)).await;
    mark(list).await;
    let place = list
        .run("return '#' + document.querySelector('#mails .mail').id", &[])
        .await
        .as_str()
        .expect("a row")
        .to_owned();
    let before = layout(list).await;
    until_said(list, &place, "Nouvel essai").await;
    until_said(list, &place, "Livré").await;
    assert_eq!(layout(list).await, before, "nothing moves");
    assert_same(list).await;
    until_said(&overview, "#last li", "Livré").await;
    assert_same(&overview).await;

    // Its page tells all of it, the copy of its file too.
    list.click(&row(&id)).await;
    list.see(&role("heading", "Ce qui s'est passé")).await;
    let story = list.text_of(&css("#story")).await;
    assert!(story.contains("HTTP 502") && story.contains("à l'essai 2"), "{story}");
    let links = list.text_of(&css("#links")).await;
    assert!(links.contains("Copié") && links.contains("media.example.net"), "{links}");
    list.assert_quiet().await;
    overview.assert_quiet().await;
    drop(overview);
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_is_found_with_other_accents_understood_released_and_seen_delivered() {
    let wanted = mails::named("Re: Livraison d'été à Nîmes", "Zoé <zoe@exemple.fr>");
    let mut all = mails::mixed(3);
    all.push(wanted.clone());
    let desk = Desk::with(Setup::new(&all).await).await;
    let id = desk.id_of(&wanted).await;
    let browser = &desk.browser;
    browser.language("fr").await;
    desk.come_as(Who::User).await;
    browser.go("/mails").await;
    browser.fill(&label("Chercher dans les sujets et les expéditeurs"), "LIVRAISÔN d'ete nimes").await;
    browser.press(thirtyfour::Key::Enter).await;
    browser.see_text("1\u{a0}mail").await;
    browser.click(&row(&id)).await;
    let decision = browser.text_of(&css("#decision")).await;
    assert!(decision.contains("Ignorer") && decision.contains("réponse"), "{decision}");
    browser.click(&css("#decision details > summary")).await;
    browser.see(&css("#decision .checks")).await;
    browser.click(&role("link", "Voir ce que les règles d'aujourd'hui en feraient")).await;
    browser.see_text("La même décision qu'à son arrivée.").await;
    confirm(browser, "#state button.primary[popovertarget]").await;
    browser.see_text("Libéré\u{a0}: il part dans un instant.").await;
    mark(browser).await;
    until_said(browser, "#state .mail-state", "Livré").await;
    until_said(browser, "#story", "HTTP 200").await;
    assert_same(browser).await;
    assert_eq!(desk.receiver.accepted().get(&wanted.mark), Some(&1));
    browser.assert_quiet().await;
    desk.close().await;
}
