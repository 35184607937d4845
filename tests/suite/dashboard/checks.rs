//! What can be looked at on any page. Each answers with the flaws that it found, in words; none =
//! all is well.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;
use thirtyfour::Key;

use super::pages::Frame;
use super::texts;
use crate::support::browser::{Browser, SlowLink};

/// Bytes of HTML, style sheets and scripts of a page, compressed, at most.
pub(super) const HEAVIEST: u64 = 60 * 1024;
/// More stops of the keyboard than a page can have.
const STOPS: usize = 400;

/// axe-core, in the version that `tests/dashboard/package.json` names.
static AXE: LazyLock<String> = LazyLock::new(|| {
    let install = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dashboard/install");
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("axe");
    let done = Command::new(install).arg(&target).output().expect("tests/dashboard/install");
    assert!(done.status.success(), "tests/dashboard/install: {}", String::from_utf8_lossy(&done.stderr));
    std::fs::read_to_string(target.join("node_modules/axe-core/axe.min.js")).expect("axe-core")
});

/// A script of the folder with what all have in common, as the body of a function that is waited
/// for.
macro_rules! script {
    ($name:literal) => {
        concat!(
            "return (async () => {",
            include_str!("scripts/common.js"),
            include_str!(concat!("scripts/", $name)),
            "})()"
        )
    };
}

/// Opens whatever can be opened within the page, so that what is in it is looked at, too.
pub(super) async fn open_all(browser: &Browser) {
    let script = "for (const one of document.querySelectorAll('main details:not([open])')) {
        one.open = true;
        one.dataset.wasClosed = '';
    }";
    browser.run(script, &[]).await;
}

/// Closes what [`open_all`] has opened: the page is as it came.
pub(super) async fn close_all(browser: &Browser) {
    let script = "for (const one of document.querySelectorAll('main details[data-was-closed]')) {
        one.open = false;
        delete one.dataset.wasClosed;
    }";
    browser.run(script, &[]).await;
}

/// The menu of the page is opened, and then the first question that it asks: both fit, and can be
/// touched. axe-core looks at what was opened: the rest is as it is on the page that nobody has
/// touched, where it looks at all of it.
pub(super) async fn on_top(browser: &Browser) -> Vec<String> {
    let mut flaws = Vec::new();
    for (what, open, close) in [
        ("details.menu", "one.setAttribute('open', '')", "one.removeAttribute('open')"),
        ("[popover]", "one.showPopover()", "one.hidePopover()"),
    ] {
        let with = |act: &str| {
            format!(
                "const one = document.querySelector('{what}'); if (!one) return false; {act}; return true"
            )
        };
        if browser.run(&with(open), &[]).await == false {
            continue;
        }
        flaws.extend(fits(browser).await);
        flaws.extend(touchable(browser).await);
        flaws.extend(accessible_within(browser, what).await);
        browser.run(&with(close), &[]).await;
    }
    flaws
}

/// How much axe-core looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Everything.
    Whole,
    /// What the colours of the page can change.
    Colours,
}

/// Without anything that axe-core finds.
pub(super) async fn accessible(browser: &Browser, depth: Depth) -> Vec<String> {
    bring_axe(browser).await;
    texts(&browser.run(script!("axe.js"), &[(depth == Depth::Colours).into()]).await)
}

/// The same of a part of the page alone, by every rule.
async fn accessible_within(browser: &Browser, part: &str) -> Vec<String> {
    bring_axe(browser).await;
    texts(&browser.run(script!("axe.js"), &[false.into(), part.into()]).await)
}

/// The page has axe-core from now on.
async fn bring_axe(browser: &Browser) {
    if browser.run("return Boolean(window.axe)", &[]).await == false {
        browser.run(AXE.as_str(), &[]).await;
    }
}

/// No wider than the screen, no text cut off.
pub(super) async fn fits(browser: &Browser) -> Vec<String> {
    texts(&browser.run(script!("fits.js"), &[]).await)
}

/// Large enough for fingers.
pub(super) async fn touchable(browser: &Browser) -> Vec<String> {
    texts(&browser.run(script!("targets.js"), &[]).await)
}

/// With a language, a title, one first heading, and its landmarks.
pub(super) async fn structured(browser: &Browser, language: &str, frame: Frame) -> Vec<String> {
    let arguments = [language.into(), (frame != Frame::Whole).into()];
    texts(&browser.run(script!("structure.js"), &arguments).await)
}

/// The size of its text, in px.
pub(super) async fn text_size(browser: &Browser) -> f64 {
    let script =
        "return parseFloat(getComputedStyle(document.querySelector('main') ?? document.body).fontSize)";
    browser.run(script, &[]).await.as_f64().expect("a size")
}

/// All of it can be reached by the Tab key, is seen where it is, and the first stop skips what is
/// the same on every page. The page was just loaded.
pub(super) async fn by_keyboard(browser: &Browser, frame: Frame) -> Vec<String> {
    let (mut flaws, mut stops, mut outside) = (Vec::new(), 0, 0);
    while stops < STOPS && outside < 2 {
        browser.press(Key::Tab).await;
        let stop = browser.run(script!("stop.js"), &[]).await;
        if stop.is_null() {
            outside += 1;
            continue;
        }
        if stop["again"] == true {
            break;
        }
        stops += 1;
        if stops == 1 && frame == Frame::Whole && stop["leads"] != true {
            flaws.push(format!("the first stop is no skip link: {}", stop["name"]));
        }
        flaws.extend(texts(&stop["flaws"]).into_iter().map(|flaw| format!("{flaw}: {}", stop["name"])));
    }
    if stops == STOPS {
        flaws.push("the keyboard does not get to the end".to_owned());
    }
    flaws.extend(texts(&browser.run(script!("unreached.js"), &[]).await));
    flaws
}

/// The skip link, which is the page's first, leads into the page's own part.
pub(super) async fn skips(browser: &Browser) -> Vec<String> {
    browser.run("document.querySelector('a[href^=\"#\"]')?.focus()", &[]).await;
    browser.press(Key::Enter).await;
    browser.press(Key::Tab).await;
    let script = "const main = document.querySelector('main'), at = document.activeElement;
        return !main || main.contains(at) || at === document.body
            || Boolean(main.compareDocumentPosition(at) & Node.DOCUMENT_POSITION_FOLLOWING)";
    let inside = browser.run(script, &[]).await;
    if inside == true {
        Vec::new()
    } else {
        vec!["after the skip link the keyboard is not in main".to_owned()]
    }
}

/// Nothing moves: the reader has asked for that.
pub(super) async fn still(browser: &Browser) -> Vec<String> {
    texts(&browser.run(script!("still.js"), &[]).await)
}

/// Not heavier than [`HEAVIEST`]; and the bytes.
pub(super) async fn light(browser: &Browser) -> (u64, Vec<String>) {
    let parts = browser.run(script!("weight.js"), &[]).await;
    let sizes = parts.as_object().expect("sizes").values().filter_map(Value::as_u64);
    let all = sizes.sum();
    let flaw = (all > HEAVIEST).then(|| format!("{all} bytes are more than {HEAVIEST}: {parts}"));
    (all, flaw.into_iter().collect())
}

/// How soon a page is seen on a cheap phone, in milliseconds.
pub(super) struct Paints {
    /// Over a slow mobile link, nothing known of it.
    first: f64,
    /// The same, with the delays that the browser makes.
    delayed: f64,
    /// With those delays, from the page before: style and scripts are there.
    next: f64,
}

impl std::fmt::Display for Paints {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { first, delayed, next } = self;
        write!(out, "seen on a cheap phone after {first:.0} ms over a slow link ")?;
        write!(out, "({delayed:.0} ms with the browser's own delays), after {next:.0} ms from another page")
    }
}

/// Looks at a page that has been shown.
pub(super) async fn paints(browser: &Browser, port: u16, path: &str) -> Paints {
    browser.slow_processor(true).await;
    browser.cache(false).await;
    let link = SlowLink::to(port).await;
    browser.goto_elsewhere(&format!("{}{path}", link.origin())).await;
    let first = first_paint(browser).await;
    browser.slow_network(true).await;
    browser.go(path).await;
    let delayed = first_paint(browser).await;
    browser.cache(true).await;
    browser.go(path).await;
    browser.go(path).await;
    let next = first_paint(browser).await;
    browser.slow_network(false).await;
    browser.slow_processor(false).await;
    browser.go(path).await;
    // Over the link the program has another port, which is no other host.
    browser.heard().await;
    Paints { first, delayed, next }
}

/// Milliseconds until something was to be seen.
async fn first_paint(browser: &Browser) -> f64 {
    let script = "const [paint] = performance.getEntriesByName('first-contentful-paint');
        return paint ? paint.startTime : null";
    browser.until_true("something to be seen", script).await.as_f64().expect("a time")
}

/// Has every page that comes keep what its policy has stopped, for [`harmless`].
pub(super) async fn keep_violations(browser: &Browser) {
    let script = "document.addEventListener('securitypolicyviolation', (event) => {
        (window.__violations ??= []).push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`);
    });";
    browser.devtools("Page.addScriptToEvaluateOnNewDocument", serde_json::json!({ "source": script })).await;
}

/// Nothing that a stranger wrote is more than text.
pub(super) async fn harmless(browser: &Browser) -> Vec<String> {
    texts(&browser.run(script!("harm.js"), &[]).await)
}
