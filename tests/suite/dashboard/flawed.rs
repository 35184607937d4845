//! Pages with one flaw each, so that every check is seen to find what it looks for; and the
//! browser's own abilities, on a page that tells what was done to it.

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::checks::{self, Depth};
use super::pages::Frame;
use crate::support::browser::{Browser, Screen, Theme, css, label, role};
use crate::support::http::{Reader, answer};

/// A server with one page, and a script and a style sheet beside it.
struct Stall {
    port: u16,
    server: JoinHandle<()>,
}

impl Stall {
    async fn open(page: &str, style: &str, script: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free loopback port");
        let port = listener.local_addr().expect("the address of a bound listener").port();
        let files = [("text/css", style), ("text/javascript", script), ("text/html; charset=utf-8", page)];
        let files = files.map(|(kind, text)| (kind, text.to_owned()));
        let server = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let files = files.clone();
                tokio::spawn(async move {
                    let (read, mut write) = stream.split();
                    let mut reader = Reader::new(read);
                    while let Ok(Some(request)) = reader.request().await {
                        let [style, script, page] = &files;
                        let (kind, text) = match request.path.as_str() {
                            "/a.css" => style,
                            "/a.js" => script,
                            _ => page,
                        };
                        let policy = "Content-Security-Policy: default-src 'none'; script-src 'self'; \
                            style-src 'self'; connect-src 'self'; img-src 'self' data:\r\n";
                        if write.write_all(&answer(200, kind, policy, text)).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { port, server }
    }
}

impl Drop for Stall {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A sound page around this; a style sheet and a script that are sound, too.
fn page(head: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"fr\"><head><meta charset=\"utf-8\"><title>Essai</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <link rel=\"icon\" href=\"data:,\"><link rel=\"stylesheet\" href=\"/a.css\">{head}</head>\
         <body><main><h1>Essai</h1>{body}</main></body></html>"
    )
}

const SOUND: &str = "body { margin: 1rem; } button { min-height: 44px; min-width: 44px; }
    :focus-visible { outline: 3px solid #1d4ed8; outline-offset: 2px; }";

/// Everything that the checks say of a page.
async fn judged(browser: &Browser, name: &str, body: &str, style: &str, script: &str) -> String {
    let head = if script.is_empty() { "" } else { "<script src=\"/a.js\"></script>" };
    let stall = Stall::open(&page(head, body), &format!("{SOUND}{style}"), script).await;
    browser.goto_elsewhere(&format!("http://127.0.0.1:{}/", stall.port)).await;
    let mut said = checks::structured(browser, "fr", Frame::Bare).await;
    said.extend(checks::fits(browser).await);
    said.extend(checks::touchable(browser).await);
    said.extend(checks::accessible(browser, Depth::Whole).await);
    said.extend(checks::still(browser).await);
    said.extend(checks::harmless(browser).await);
    said.extend(checks::light(browser).await.1);
    said.extend(checks::by_keyboard(browser, Frame::Bare).await);
    let own = format!("another host is asked: http://127.0.0.1:{}/", stall.port);
    said.extend(browser.noise().await.into_iter().filter(|noise| !noise.starts_with(&own)));
    println!("{name}: {}", said.join("; "));
    said.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_check_finds_what_it_looks_for() {
    let nobody = Stall::open(&page("", ""), "", "").await;
    let browser = Browser::start(nobody.port).await;
    checks::keep_violations(&browser).await;
    browser.screen(Screen::Phone).await;
    browser.without_motion(true).await;

    browser.go("/").await;
    assert_eq!(checks::structured(&browser, "en", Frame::Bare).await, ["lang is \"fr\", not \"en\""]);
    let sound = "<p>Un texte avec <a href=\"/\">un lien</a>.</p><button>Valider</button>";
    assert_eq!(judged(&browser, "sound", sound, "", "").await, "");
    let random: String =
        (0_u32..40_000).map(|n| format!("{:x}", n.wrapping_mul(2_654_435_761) >> 7)).collect();
    for (name, body, style, script, wanted) in [
        ("two headings", "<h1>Encore</h1>", "", "", "2 first headings"),
        ("a skipped level", "<h3>Trop</h3>", "", "", "a heading too deep"),
        ("a wide page", "<p class=w>a</p>", ".w { width: 500px; }", "", "scrolls sideways: "),
        (
            "a word that sticks out",
            "<p>aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa</p>",
            "",
            "",
            "text sticks out",
        ),
        (
            "a line that is cut",
            "<p class=w>Un texte bien plus long que son cadre</p>",
            ".w { width: 80px; overflow: hidden; white-space: nowrap; }",
            "",
            "text is cut off: p.w",
        ),
        (
            "a small button",
            "<a class=w href=\"/\">x</a>",
            ".w { display: block; width: 20px; }",
            "",
            "too small for a finger: a.w",
        ),
        (
            "grey on grey",
            "<p class=w>Un texte</p>",
            ".w { color: #888; background: #999; }",
            "",
            "axe color-contrast",
        ),
        ("a field without a label", "<input class=w>", ".w { min-height: 44px; }", "", "axe label"),
        (
            "an animation",
            "<p class=w>a</p>",
            "@keyframes k { to { margin-left: 9px; } } .w { animation: k 1s infinite; }",
            "",
            "something moves: p.w",
        ),
        ("a transition", "<p class=w>a</p>", ".w { transition: margin 1s; }", "", "a transition: p.w"),
        (
            "no outline",
            "<button class=w>Valider</button>",
            ".w:focus-visible { outline: none; }",
            "",
            "the focus is not shown",
        ),
        (
            "a pale outline",
            "<button class=w>Valider</button>",
            ".w:focus-visible { outline-color: #eee; }",
            "",
            "has a contrast of",
        ),
        (
            "no stop",
            "<button class=w tabindex=-1>Valider</button>",
            "",
            "",
            "not reached by the keyboard: button.w",
        ),
        ("a style within", "<p style=\"color: red\">a</p>", "", "", "the console says: "),
        (
            "another host",
            "<img alt=\"\" src=\"https://evil.example/x.png\">",
            "",
            "",
            "another host is asked: https://evil.example/x.png",
        ),
        ("an error", "", "", "throw new Error('x')", "the console says: "),
        ("a script that got in", "", "", "window.__owned = 1", "a script of a stranger ran"),
        ("an element that got in", "<b id=canary-1>a</b>", "", "", "an element of a stranger"),
        ("a handler that got in", "<p onclick=\"x()\">a</p>", "", "", "an attribute that is a script"),
        ("a stopped script", "<script>1</script>", "", "", "the policy had to stop something"),
        ("a turned text", "<p>a\u{202e}b</p>", "", "", "U+202e is on the page"),
        ("a heavy script", "", "", &format!("window.x = '{random}'"), "bytes are more than"),
    ] {
        let said = judged(&browser, name, body, style, script).await;
        assert!(said.contains(wanted), "{name}: {said:?}");
    }
}

/// A page with all that is around the pages' own parts, and what is said of it when this is
/// written otherwise.
async fn framed(browser: &Browser, part: &str, otherwise: &str) -> String {
    let whole = "<a class=skip href=\"#main\">Aller au contenu</a><header><nav aria-label=\"Pages\">\
        <a class=tab href=\"/\">Accueil</a></nav></header><main id=main tabindex=-1><h1>Essai</h1>\
        <p role=status></p><p role=alert></p><button>Valider</button></main>";
    assert!(whole.contains(part), "{part}");
    let html = page("", "").replace("<main><h1>Essai</h1></main>", &whole.replacen(part, otherwise, 1));
    let style = "a { display: inline-flex; min-width: 44px; min-height: 44px; } main { outline: none; }
        .skip { position: absolute; top: -100px; } .skip:focus { top: 0; }";
    let stall = Stall::open(&html, &format!("{SOUND}{style}"), "").await;
    let url = format!("http://127.0.0.1:{}/", stall.port);
    browser.goto_elsewhere(&url).await;
    let mut said = checks::structured(browser, "fr", Frame::Whole).await;
    said.extend(checks::touchable(browser).await);
    said.extend(checks::accessible(browser, Depth::Whole).await);
    said.extend(checks::by_keyboard(browser, Frame::Whole).await);
    browser.goto_elsewhere(&url).await;
    said.extend(checks::skips(browser).await);
    said.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_around_a_page_is_missed_where_it_is_not() {
    let nobody = Stall::open(&page("", ""), "", "").await;
    let browser = Browser::start(nobody.port).await;
    assert_eq!(framed(&browser, "", "").await, "");
    for (part, otherwise, wanted) in [
        ("<a class=skip href=\"#main\">Aller au contenu</a>", "", "the first stop is no skip link"),
        ("href=\"#main\"", "href=\"#nowhere\"", "the first stop is no skip link"),
        ("<nav aria-label=\"Pages\">", "<div>", "no nav"),
        ("<header>", "<div>", "0 × header"),
        ("<p role=status></p>", "", "0 × role=\"status\""),
        ("<p role=alert></p>", "<p role=alert></p><p role=alert></p>", "2 × role=\"alert\""),
        ("<main id=main tabindex=-1>", "<main id=main tabindex=-1>a</main><main>", "2 × main"),
    ] {
        let said = framed(&browser, part, otherwise).await;
        assert!(said.contains(wanted), "{otherwise:?} for {part:?}: {said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_does_what_a_person_can_do() {
    let body = "<label>Nom <input id=name></label><label>Langue <select id=lang><option>Deutsch</option>\
        <option value=en>English</option></select></label><button id=hide>Cacher</button><p id=p>là</p>\
        <ul><li draggable=true id=one>un</li><li id=two>deux</li></ul><p id=told></p>";
    let script = "addEventListener('DOMContentLoaded', () => {
        const at = (id) => document.getElementById(id);
        const tell = (what) => { at('told').textContent += what + ';' };
        at('name').addEventListener('keydown', ({ key, shiftKey }) => tell(`${shiftKey ? 'Shift+' : ''}${key}`));
        at('lang').addEventListener('change', () => tell(at('lang').value));
        at('hide').addEventListener('click', () => setTimeout(() => at('p').remove(), 50));
        at('two').addEventListener('dragover', (event) => event.preventDefault());
        at('two').addEventListener('drop', () => tell('dropped'));
        at('two').addEventListener('mouseenter', () => tell('over'));
        tell(['(prefers-color-scheme: dark)', '(prefers-reduced-motion: reduce)', '(pointer: coarse)']
            .map((query) => Number(matchMedia(query).matches)).join(''));
        tell(navigator.languages[0]);
    });";
    let stall = Stall::open(&page("<script src=\"/a.js\"></script>", body), SOUND, script).await;
    let browser = Browser::start(stall.port).await;
    browser.go("/").await;
    browser.see_text("000;").await;
    browser.fill(&label("Nom"), "Zoé").await;
    assert_eq!(browser.value(&label("Nom")).await, "Zoé");
    browser.choose(&label("Langue"), "English").await;
    browser.see_text("en;").await;
    browser.click(&css("#name")).await;
    browser.keys(" !").await;
    browser.chord(&[thirtyfour::Key::Shift], thirtyfour::Key::Left).await;
    browser.see_text("Shift+ArrowLeft;").await;
    assert_eq!(browser.value(&css("#name")).await, "Zoé !");
    browser.hover(&css("#two")).await;
    browser.see_text("over;").await;
    browser.drag(&css("#one"), &css("#two")).await;
    browser.see_text("dropped;").await;
    assert_eq!(browser.count(&css("#p")).await, 1);
    browser.click(&role("button", "Cacher")).await;
    browser.gone(&css("#p")).await;
    assert_eq!(browser.attribute(&css("#one"), "draggable").await.as_deref(), Some("true"));
    browser.offline(true).await;
    let failed = browser.run("return fetch('/').then(() => false, () => true)", &[]).await;
    assert_eq!(failed, true, "there is no network");
    browser.offline(false).await;
    browser.heard().await;

    browser.theme(Theme::Dark).await;
    browser.without_motion(true).await;
    browser.screen(Screen::Phone).await;
    browser.language("fr").await;
    browser.reload().await;
    browser.see_text("111;fr;").await;
    assert_eq!(browser.run("return innerWidth", &[]).await, 360);
    assert!((checks::text_size(&browser).await - 16.0).abs() < 0.1);
    browser.large_text(true).await;
    browser.screen(Screen::Tablet).await;
    assert!((checks::text_size(&browser).await - 32.0).abs() < 0.1, "a screen leaves the reader's size");
    browser.picture().await;
    assert!((checks::text_size(&browser).await - 32.0).abs() < 0.1, "a picture does, too");
    browser.large_text(false).await;
    browser.scripts(false).await;
    browser.reload().await;
    assert_eq!(browser.text_of(&css("#told")).await, "");
    assert_eq!(browser.title().await, "Essai");
    browser.scripts(true).await;
    browser.go("/b").await;
    browser.back().await;
    browser.arrive("/").await;
    assert!(browser.picture().await.starts_with(b"\x89PNG"), "a picture");
    browser.assert_quiet().await;
}
