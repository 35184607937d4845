//! What holds for every page of the table.

use super::pages::{Frame, PAGES, Page};
use super::{Desk, checks};
use crate::support::browser::{Screen, Theme};

/// Flaws, by where they are; each is told once.
#[derive(Default)]
struct Flaws(Vec<(String, Vec<String>)>);

impl Flaws {
    fn add(&mut self, place: &str, flaws: Vec<String>) {
        for flaw in flaws {
            match self.0.iter_mut().find(|(known, _)| *known == flaw) {
                Some((_, places)) if places.iter().any(|known| known == place) => {}
                Some((_, places)) => places.push(place.to_owned()),
                None => self.0.push((flaw, vec![place.to_owned()])),
            }
        }
    }

    fn assert_none(self) {
        let lines: Vec<_> =
            self.0.iter().map(|(flaw, places)| format!("{flaw}\n    on {}", places.join(", "))).collect();
        assert!(lines.is_empty(), "{} flaws:\n{}", lines.len(), lines.join("\n"));
    }
}

fn ours() -> impl Iterator<Item = &'static Page> {
    PAGES.iter().filter(|page| page.is_ours())
}

/// Every page in both colours on three screens, with usual and with large text.
async fn looks_right(language: &str) {
    let desk = Desk::open().await;
    let browser = &desk.browser;
    let mut flaws = Flaws::default();
    browser.language(language).await;
    for theme in Theme::ALL {
        browser.theme(theme).await;
        for page in PAGES {
            browser.screen(Screen::Desk).await;
            desk.visit(page).await;
            let name = format!("{}-{language}-{}", page.name, theme.name());
            if page.is_ours() {
                flaws.add(&name, checks::structured(browser, language, page.frame).await);
            }
            for screen in Screen::ALL {
                browser.screen(screen).await;
                let name = format!("{name}-{}", screen.width());
                browser.shoot(&name).await;
                if !page.is_ours() {
                    continue;
                }
                flaws.add(&name, checks::fits(browser).await);
                flaws.add(&name, checks::touchable(browser).await);
                if screen != Screen::Tablet {
                    flaws.add(&name, checks::accessible(browser).await);
                }
            }
            flaws.add(&name, desk.noise(page).await);
        }
    }
    browser.theme(Theme::Light).await;
    for page in ours() {
        flaws.add(&format!("{}-{language}-large", page.name), in_large_text(&desk, page, language).await);
    }
    flaws.assert_none();
    desk.close().await;
}

/// A page in text of twice the size on three screens.
async fn in_large_text(desk: &Desk, page: &Page, language: &str) -> Vec<String> {
    let browser = &desk.browser;
    let mut flaws = Vec::new();
    for screen in Screen::ALL {
        browser.screen(screen).await;
        browser.large_text(true).await;
        desk.visit(page).await;
        let large = checks::text_size(browser).await;
        let unfit = checks::fits(browser).await.into_iter();
        flaws.extend(unfit.map(|flaw| format!("{flaw}, at {} px", screen.width())));
        browser.shoot(&format!("{}-{language}-large-{}", page.name, screen.width())).await;
        browser.large_text(false).await;
        let usual = checks::text_size(browser).await;
        if large < 1.9 * usual {
            flaws.push(format!("text does not follow the reader's own size: {usual} px, then {large} px"));
        }
    }
    flaws.extend(desk.noise(page).await);
    flaws
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_looks_right_in_french() {
    looks_right("fr").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_looks_right_in_english() {
    looks_right("en").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_can_be_used_by_keyboard_alone() {
    let desk = Desk::open().await;
    let browser = &desk.browser;
    let mut flaws = Flaws::default();
    for (screen, theme, language) in [(Screen::Desk, Theme::Light, "fr"), (Screen::Phone, Theme::Dark, "en")]
    {
        browser.screen(screen).await;
        browser.theme(theme).await;
        browser.language(language).await;
        for page in ours() {
            let name = format!("{}-{language}-{}-{}", page.name, theme.name(), screen.width());
            desk.visit(page).await;
            flaws.add(&name, checks::by_keyboard(browser, page.frame).await);
            if page.frame == Frame::Whole {
                desk.visit(page).await;
                flaws.add(&name, checks::skips(browser).await);
            }
            flaws.add(&name, desk.noise(page).await);
        }
    }
    flaws.assert_none();
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_light_and_nothing_moves_that_should_not() {
    let desk = Desk::open().await;
    let browser = &desk.browser;
    let mut flaws = Flaws::default();
    browser.screen(Screen::Phone).await;
    browser.without_motion(true).await;
    for page in ours() {
        desk.visit(page).await;
        flaws.add(page.name, checks::still(browser).await);
        browser.slow_phone(true).await;
        desk.visit(page).await;
        let paint = checks::first_paint(browser).await;
        browser.slow_phone(false).await;
        let (bytes, heavy) = checks::light(browser).await;
        println!("{}: {bytes} bytes compressed, seen after {paint:.0} ms on a slow phone", page.name);
        flaws.add(page.name, heavy);
        flaws.add(page.name, desk.noise(page).await);
    }
    flaws.assert_none();
    desk.close().await;
}
