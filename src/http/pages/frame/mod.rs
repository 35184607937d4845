//! What stands around every page: its title, the ways to the other pages, language and theme, and
//! how many things need a person.

mod words;

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::REFERER;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use url::{Position, Url};

use super::assets;
use super::clock::PageClock;
use super::look::Theme;
use super::notice::Notice;
use super::visit::PageVisit;
use crate::http::access::inside;
use crate::http::v1::attention;
use crate::lang::Lang;
pub(in crate::http::pages) use words::Words;

/// Where somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Section {
    /// Does it work, now?
    Overview,
    /// Where is that mail?
    Mails,
    /// What triggers what?
    Rules,
    /// When and how?
    Settings,
    /// What is underneath?
    System,
    /// Who can get in?
    Access,
    None,
}

/// A way to a section.
#[derive(Debug)]
pub(in crate::http::pages) struct NavEntry {
    /// Its address.
    pub(in crate::http::pages) href: &'static str,
    pub(in crate::http::pages) name: &'static str,
    /// Its name where there is little room.
    pub(in crate::http::pages) short: &'static str,
    /// Its icon: the id of a symbol of the page.
    pub(in crate::http::pages) icon: &'static str,
    /// One is there.
    pub(in crate::http::pages) here: bool,
    /// It has no place in the bar of a phone: the menu has it.
    pub(in crate::http::pages) wide_only: bool,
}

/// What stands around a page.
#[derive(Debug)]
pub(in crate::http) struct Frame {
    /// The reader's language.
    pub(in crate::http::pages) lang: Lang,
    /// Light or dark.
    pub(in crate::http::pages) theme: Theme,
    /// How times are said.
    pub(in crate::http::pages) clock: PageClock,
    /// The texts.
    pub(in crate::http::pages) w: &'static Words,
    /// What the page is called: its heading, and the tab.
    pub(in crate::http::pages) title: String,
    /// The ways to the sections.
    pub(in crate::http::pages) entries: Vec<NavEntry>,
    /// Who has signed in.
    pub(in crate::http::pages) user: Option<String>,
    /// How many things need a person; the tab says it.
    pub(in crate::http::pages) attention: u64,
    /// What was done on the page before.
    pub(in crate::http::pages) notice: Option<Notice>,
    /// Address of the page with its query.
    pub(in crate::http::pages) here: String,
}

/// What addresses of sign-in links begin with.
pub(super) const LINKS: &str = "/login/magic/";

/// What a value within a query may not have.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl Frame {
    /// Around a page for somebody who has signed in.
    pub(super) async fn around(visit: &PageVisit, section: Section, title: &str) -> Self {
        // A journal that does not answer is said by the page itself.
        Self::with(visit, section, title, attention::count(&visit.state).await)
    }

    /// The same, for a page that knows already how many things need a person.
    pub(super) fn with(visit: &PageVisit, section: Section, title: &str, attention: u64) -> Self {
        let mut frame = Self::plain(visit, title);
        frame.entries = entries(frame.w, section);
        frame.user = visit.caller.session().map(|session| session.user.clone());
        frame.attention = attention;
        frame
    }

    /// Around a page for anybody.
    pub(super) fn plain(visit: &PageVisit, title: &str) -> Self {
        let (notice, here) = (Notice::of(&visit.request, visit.is_over_tls()), here(&visit.request));
        Self { theme: visit.theme, notice, here, ..Self::bare(visit.clock, title) }
    }

    /// Around a page that nobody in particular has asked for.
    pub(super) fn bare(clock: PageClock, title: &str) -> Self {
        Self {
            lang: clock.lang,
            theme: Theme::Auto,
            clock,
            w: Words::of(clock.lang),
            title: title.to_owned(),
            entries: Vec::new(),
            user: None,
            attention: 0,
            notice: None,
            here: "/".to_owned(),
        }
    }

    /// The tab: what needs a person first, since a tab shows the beginning.
    pub(in crate::http::pages) fn tab(&self) -> String {
        let count = if self.attention > 0 { format!("({}) ", self.attention) } else { String::new() };
        format!("{count}{} · render-signal", self.title)
    }

    /// The address of a file of the program.
    pub(in crate::http::pages) fn asset(&self, name: &str) -> String {
        assets::asset(name)
    }

    /// The icon of the tab.
    pub(in crate::http::pages) fn icon(&self) -> String {
        assets::asset(if self.attention > 0 { "icon-alert.svg" } else { "icon.svg" })
    }

    /// The code of the language (RFC 5646).
    pub(in crate::http::pages) const fn code(&self) -> &'static str {
        self.lang.pick("fr", "en")
    }
}

/// A text as a value within a query (RFC 3986).
pub(in crate::http) fn in_query(text: &str) -> String {
    utf8_percent_encode(text, QUERY).to_string()
}

/// Address of a page with its query. That of a sign-in link opens a session, so it is on no page.
/// The answer to a form is no page to come back to: the one with the form is.
fn here(request: &HttpRequest) -> String {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    if path.starts_with(LINKS) {
        return "/login".to_owned();
    }
    if request.method() != Method::POST {
        return path.to_owned();
    }
    let from = request.headers().get(REFERER).and_then(|from| Url::parse(from.to_str().ok()?).ok());
    from.map_or_else(|| "/".to_owned(), |from| inside(&from[Position::BeforePath..Position::AfterQuery]))
}

fn entries(w: &Words, here: Section) -> Vec<NavEntry> {
    let entry = |section, href, name, icon| NavEntry {
        href,
        name,
        short: name,
        icon,
        here: section == here,
        wide_only: false,
    };
    vec![
        NavEntry { short: w.overview_short, ..entry(Section::Overview, "/", w.overview, "i-home") },
        entry(Section::Mails, "/mails", w.mails, "i-mail"),
        entry(Section::Rules, "/regles", w.rules, "i-rules"),
        entry(Section::Settings, "/reglages", w.settings, "i-settings"),
        entry(Section::System, "/systeme", w.system, "i-system"),
        NavEntry { wide_only: true, ..entry(Section::Access, "/acces", w.access, "i-access") },
    ]
}
