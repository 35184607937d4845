//! What holds for every page of the table.

use super::Desk;
use super::checks::{self, Depth};
use super::pages::{Frame, PAGES, Page, Who};
use crate::support::browser::{Browser, Screen, Theme};

/// Flaws, by where they are; each is told once.
#[derive(Default)]
struct Flaws(Vec<(String, Vec<String>)>);

impl Flaws {
    fn add(&mut self, place: &str, flaws: Vec<String>) {
        for flaw in flaws {
            match self.0.iter_mut().find(|(known, _)| *known == flaw) {
                Some((_, places)) if places.iter().any(|known| known == place) => {}
                Some((_, places)) => places.push(place.to_owned()),
                None => {
                    // A run that is ended early has said something, too.
                    println!("{place}: {flaw}");
                    self.0.push((flaw, vec![place.to_owned()]));
                }
            }
        }
    }

    fn assert_none(self) {
        let lines: Vec<_> =
            self.0.iter().map(|(flaw, places)| format!("{flaw}\n    on {}", places.join(", "))).collect();
        assert!(lines.is_empty(), "{} flaws:\n{}", lines.len(), lines.join("\n"));
    }
}

/// Pages that are opened first: how soon they are seen on a slow phone is printed.
const SECTIONS: [&str; 8] =
    ["login", "overview", "mails", "mail-delivered", "rules", "settings", "system", "access"];

fn ours() -> impl Iterator<Item = &'static Page> {
    PAGES.iter().filter(|page| page.is_ours())
}

/// Every page on three screens, in both colours.
async fn looks_right(language: &str) {
    let (desk, _files) = Desk::of_everything().await;
    let browser = &desk.browser;
    let mut flaws = Flaws::default();
    browser.language(language).await;
    // Colours that fade into others would be judged on their way.
    browser.without_motion(true).await;
    for page in PAGES {
        browser.theme(Theme::Light).await;
        browser.screen(Screen::Desk).await;
        desk.visit(page).await;
        if page.is_ours() {
            let name = format!("{}-{language}", page.name);
            flaws.add(&name, checks::structured(browser, language, page.frame).await);
        }
        // One visit: colours and screens change under the page, as they do under a reader.
        for theme in Theme::ALL {
            browser.theme(theme).await;
            for &screen in screens(theme) {
                browser.screen(screen).await;
                let name = format!("{}-{language}-{}-{}", page.name, theme.name(), screen.width());
                if screen != Screen::Tablet {
                    browser.shoot(&name).await;
                }
                if page.is_ours() {
                    flaws.add(&name, looked_at(browser, theme, screen).await);
                }
            }
        }
        flaws.add(&format!("{}-{language}", page.name), desk.noise().await);
    }
    flaws.assert_none();
    desk.close().await;
}

/// In French, whose texts are longer.
#[tokio::test(flavor = "multi_thread")]
async fn every_page_can_be_read_in_large_text() {
    let (desk, _files) = Desk::of_everything().await;
    let mut flaws = Flaws::default();
    desk.browser.language("fr").await;
    desk.browser.theme(Theme::Light).await;
    // The size of the text is one of a page: before the first there is none that could have it.
    desk.browser.go("/login").await;
    for page in ours() {
        flaws.add(&format!("{}-fr-large", page.name), in_large_text(&desk, page, "fr").await);
    }
    flaws.assert_none();
    desk.close().await;
}

/// Each begins with the screen that the one before ends with. Dark pages are laid out as light ones:
/// the smallest and the largest will do.
fn screens(theme: Theme) -> &'static [Screen] {
    match theme {
        Theme::Light => &Screen::ALL,
        Theme::Dark => &[Screen::Phone, Screen::Desk],
    }
}

/// The page as it came, then with all that can be opened; at the end it is as it came.
async fn looked_at(browser: &Browser, theme: Theme, screen: Screen) -> Vec<String> {
    let mut flaws = Vec::new();
    if theme == Theme::Light {
        flaws.extend(checks::fits(browser).await);
        flaws.extend(checks::touchable(browser).await);
        checks::open_all(browser).await;
        flaws.extend(checks::fits(browser).await);
        flaws.extend(checks::touchable(browser).await);
    }
    match (theme, screen) {
        (_, Screen::Tablet) => {}
        (Theme::Light, _) => flaws.extend(checks::accessible(browser, Depth::Whole).await),
        (Theme::Dark, _) => {
            checks::open_all(browser).await;
            flaws.extend(checks::accessible(browser, Depth::Colours).await);
        }
    }
    checks::close_all(browser).await;
    flaws
}

/// A page in text of twice the size on three screens, then in the usual one.
async fn in_large_text(desk: &Desk, page: &Page, language: &str) -> Vec<String> {
    let browser = &desk.browser;
    let mut flaws = Vec::new();
    let mut sizes = Vec::new();
    browser.large_text(true).await;
    desk.visit(page).await;
    for screen in Screen::ALL {
        browser.screen(screen).await;
        sizes.push(checks::text_size(browser).await);
        let unfit = checks::fits(browser).await.into_iter();
        flaws.extend(unfit.map(|flaw| format!("{flaw}, at {} px", screen.width())));
        browser.shoot(&format!("{}-{language}-large-{}", page.name, screen.width())).await;
    }
    browser.large_text(false).await;
    let usual = checks::text_size(browser).await;
    for large in sizes.into_iter().filter(|large| *large < 1.9 * usual) {
        flaws.push(format!("text does not follow the reader's own size: {usual} px, then {large} px"));
    }
    flaws.extend(desk.noise().await);
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
    let (desk, _files) = Desk::of_everything().await;
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
                flaws.add(&name, checks::skips(browser).await);
            }
            flaws.add(&name, desk.noise().await);
        }
    }
    flaws.assert_none();
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_light_and_nothing_moves_that_should_not() {
    let (desk, _files) = Desk::of_everything().await;
    let browser = &desk.browser;
    let mut flaws = Flaws::default();
    browser.screen(Screen::Phone).await;
    browser.without_motion(true).await;
    for page in ours() {
        desk.visit(page).await;
        flaws.add(page.name, checks::still(browser).await);
        let (bytes, heavy) = checks::light(browser).await;
        println!("{}: {bytes} bytes compressed", page.name);
        flaws.add(page.name, heavy);
        flaws.add(page.name, desk.noise().await);
    }
    flaws.assert_none();
    // The link is another host, which would count as noise.
    for page in ours().filter(|page| SECTIONS.contains(&page.name)) {
        desk.visit(page).await;
        println!("{}: {}", page.name, checks::paints(browser, desk.worker.port(), &desk.path(page)).await);
    }
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn menus_and_questions_fit_every_screen_in_both_colours() {
    let (desk, _files) = Desk::of_everything().await;
    let browser = &desk.browser;
    let mut flaws = Flaws::default();
    desk.come_as(Who::User).await;
    for (language, theme) in [("fr", Theme::Light), ("en", Theme::Dark)] {
        browser.language(language).await;
        browser.theme(theme).await;
        for page in ours().filter(|page| page.frame == Frame::Whole && page.status == 200) {
            desk.visit(page).await;
            for screen in [Screen::Phone, Screen::Desk] {
                browser.screen(screen).await;
                let name = format!("{}-{language}-{}-{}", page.name, theme.name(), screen.width());
                flaws.add(&name, checks::on_top(browser).await);
            }
        }
    }
    flaws.assert_none();
    desk.close().await;
}
