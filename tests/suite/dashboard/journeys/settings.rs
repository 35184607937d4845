//! Settings, in a hurry and on a phone.

use super::super::Desk;
use super::super::pages::Who;
use super::confirm;
use crate::support::browser::{Screen, css, label};

#[tokio::test(flavor = "multi_thread")]
async fn a_vacation_begins_and_ends_on_a_phone_in_a_few_touches() {
    let desk = Desk::open().await;
    let browser = &desk.browser;
    browser.screen(Screen::Phone).await;
    browser.language("fr").await;
    desk.come_as(Who::User).await;
    browser.go("/").await;
    browser.click(&css(".nav a[href=\"/reglages\"]")).await;
    browser.arrive("/reglages").await;
    browser.click(&css(".jump a[href=\"#absences\"]")).await;
    browser.click(&css("button[popovertarget=\"vac-7\"]:not([popovertargetaction])")).await;
    let question = browser.text_of(&css("[popover]:popover-open")).await;
    assert!(question.contains("Vacances du ") && question.contains("Prochaine ouverture"), "{question}");
    browser.shoot("vacation-asked-fr-light-360").await;
    browser.click(&css("[popover]:popover-open button.primary")).await;
    browser.until_true("a notice", "return document.querySelector('#status .notice.good') !== null").await;
    let stored = desk.place.stored("polling_config");
    let day = |name: &str| stored[name].as_str().and_then(|day| day.parse::<chrono::NaiveDate>().ok());
    let days = day("vacation_start").zip(day("vacation_end")).map(|(first, last)| (last - first).num_days());
    assert_eq!(days, Some(6), "{stored}");
    let now = browser.text_of(&css("#settings-now")).await;
    assert!(now.contains("Vacances") && now.contains("rien n'est relevé"), "{now}");
    assert_eq!(browser.run("return document.scrollingElement.scrollWidth <= innerWidth", &[]).await, true);

    confirm(browser, "button[popovertarget=\"vac-end\"]").await;
    browser.until_true("a notice", "return document.querySelector('#status .notice.good') !== null").await;
    let now = browser.text_of(&css("#settings-now")).await;
    assert!(now.contains("La boîte est relevée"), "{now}");
    browser.assert_quiet().await;
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_says_what_it_would_do_while_it_is_filled_in() {
    let desk = Desk::open().await;
    let browser = &desk.browser;
    browser.language("fr").await;
    desk.come_as(Who::User).await;
    browser.go("/reglages").await;
    browser.click(&label("Envoi des webhooks")).await;
    browser.see_text("L'envoi est coupé\u{a0}: les mails sont relevés et attendent.").await;
    browser.click(&css("#form-envoi .button.primary")).await;
    browser.see_text("Enregistré\u{a0}: Envoi des webhooks.").await;
    browser.assert_quiet().await;
    desk.close().await;
}
