//! How somebody wants the pages: in which language, light or dark. A choice is kept in a cookie;
//! without one the browser's own wish counts.

use actix_web::HttpRequest;
use actix_web::http::header::ACCEPT_LANGUAGE;

use super::cookies;
use crate::lang::Lang;

/// Name of the cookie with the language.
pub(super) const LANG: &str = "lang";
/// Name of the cookie with the theme.
pub(super) const THEME: &str = "theme";

/// Light or dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::http) enum Theme {
    /// As the device has it.
    #[default]
    Auto,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// Its word in a cookie, in a form and in the page.
    pub(in crate::http::pages) const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// By its word.
    pub(super) fn of(word: &str) -> Option<Self> {
        [Self::Auto, Self::Light, Self::Dark].into_iter().find(|theme| theme.word() == word)
    }
}

/// The theme that was chosen.
pub(super) fn theme(request: &HttpRequest) -> Theme {
    cookies::find(request, THEME).and_then(Theme::of).unwrap_or_default()
}

/// The language that was chosen, or else the one that the browser asks for first, of the two.
pub(in crate::http) fn language(request: &HttpRequest) -> Lang {
    match cookies::find(request, LANG) {
        Some("fr") => Lang::Fr,
        Some("en") => Lang::En,
        _ => wanted(request),
    }
}

fn wanted(request: &HttpRequest) -> Lang {
    let header = request.headers().get(ACCEPT_LANGUAGE).and_then(|header| header.to_str().ok());
    let mut best: Option<(Lang, f32)> = None;
    for part in header.unwrap_or_default().split(',') {
        let mut words = part.trim().split(';');
        let tag = words.next().unwrap_or_default().to_ascii_lowercase();
        let lang = match tag.split('-').next() {
            Some("fr") => Lang::Fr,
            Some("en") => Lang::En,
            _ => continue,
        };
        let weight = words.find_map(|word| word.trim().strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
        if weight > best.map_or(0.0, |(_, weight)| weight) {
            best = Some((lang, weight));
        }
    }
    best.map_or(Lang::Fr, |(lang, _)| lang)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_language_is_the_one_that_was_chosen_or_else_the_one_that_is_wanted_most() {
        for (cookie, header, wanted) in [
            ("", "fr-FR,fr;q=0.9,en;q=0.8", Lang::Fr),
            ("", "en-GB,en;q=0.9,fr;q=0.8", Lang::En),
            ("", "de, en;q=0.7, fr;q=0.3", Lang::En),
            ("", "fr;q=0.1, en;q=0.9", Lang::En),
            ("", "de", Lang::Fr),
            ("", "en;q=0", Lang::Fr),
            ("", "", Lang::Fr),
            ("lang=en", "fr", Lang::En),
            ("a=b; lang=fr", "en", Lang::Fr),
            ("lang=de", "en", Lang::En),
        ] {
            let request = TestRequest::get().insert_header(("accept-language", header));
            let request = request.insert_header(("cookie", cookie)).to_http_request();
            assert_eq!(language(&request), wanted, "{cookie} {header}");
        }
    }

    #[test]
    fn a_theme_is_one_of_three() {
        for (cookie, wanted) in [
            ("theme=dark", Theme::Dark),
            ("theme=light", Theme::Light),
            ("theme=auto", Theme::Auto),
            ("theme=\"><script>", Theme::Auto),
            ("", Theme::Auto),
        ] {
            let request = TestRequest::get().insert_header(("cookie", cookie)).to_http_request();
            assert_eq!(theme(&request), wanted, "{cookie}");
        }
    }
}
