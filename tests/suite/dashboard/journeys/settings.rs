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
async fn on_a_phone_nothing_lies_over_what_a_change_comes_to_nor_over_the_ways_to_the_parts() {
    let desk = Desk::open().await;
    let browser = &desk.browser;
    browser.screen(Screen::Phone).await;
    browser.language("fr").await;
    desk.come_as(Who::User).await;
    browser.go("/reglages").await;
    browser.click(&label("Envoi des webhooks")).await;
    browser.see_text("L'envoi est coupé\u{a0}: les mails sont relevés et attendent.").await;
    browser.shoot_screen("settings-unsaved-fr-light-360").await;
    for part in ["#form-envoi .would", "#form-envoi .save-bar button.primary", "#f-webhook_sending_enabled"] {
        let script = format!(
            "const part = document.querySelector('{part}'), box = part.getBoundingClientRect();
            const at = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
            return part.contains(at) && box.top >= 0 && box.bottom <= innerHeight"
        );
        assert_eq!(browser.run(&script, &[]).await, true, "{part} is seen");
    }
    // Wherever one has scrolled to, the button of a form passes below what stays on top.
    let script =
        "const [bar, jump] = ['#form-absence .save-bar', '.jump'].map((one) => document.querySelector(one));
        const top = bar.getBoundingClientRect().top - jump.getBoundingClientRect().top;
        scrollBy({ top, behavior: 'instant' });
        const [box, button] = [jump, bar.querySelector('button')].map((one) => one.getBoundingClientRect());
        const at = document.elementFromPoint(button.left + button.width / 2, box.top + box.height / 2);
        return Math.abs(button.top - box.top) < box.height && jump.contains(at)";
    assert_eq!(browser.run(script, &[]).await, true, "the ways to the parts are on top");
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_script_says_moves_nothing_and_lets_every_touch_through() {
    let desk = Desk::open().await;
    let browser = &desk.browser;
    browser.screen(Screen::Phone).await;
    browser.language("fr").await;
    desk.come_as(Who::User).await;
    browser.go("/regles").await;
    let script = "const { name } = performance.getEntriesByType('resource').find(({ name }) => name.includes('/swap'));
        return import(name).then(({ say }) => {
            const top = () => document.querySelector('h1').getBoundingClientRect().top;
            const before = top();
            say('C\\'est fait.');
            const box = document.querySelector('#status .notice').getBoundingClientRect();
            const at = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
            return [top() - before, box.top >= 0 && box.bottom <= innerHeight, at.closest('.notice') === null];
        })";
    assert_eq!(browser.run(script, &[]).await, serde_json::json!([0, true, true]));
    browser.shoot_screen("said-fr-light-360").await;
    // After some time to read it, the first thing that is done has it go.
    browser
        .until_true(
            "a notice that goes",
            "document.dispatchEvent(new PointerEvent('pointerdown'));
            return document.querySelector('#status .notice') === null",
        )
        .await;
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
