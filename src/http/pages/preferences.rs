//! The choice of language and theme, kept by the browser for a year.

use actix_web::HttpResponse;
use actix_web::http::header::{REFERER, SET_COOKIE};
use url::Url;

use super::cookies;
use super::form::FormData;
use super::frame::LINKS;
use super::look::{LANG, THEME, Theme};
use super::visit::{PageVisit, see};
use crate::http::access::inside;
use crate::http::problem::HttpProblem;

const YEAR_SECONDS: u64 = 365 * 24 * 60 * 60;

/// Keeps what was chosen, and goes back to where it was chosen.
pub(super) async fn choose(visit: PageVisit, form: FormData) -> Result<HttpResponse, HttpProblem> {
    let came_from = visit.request.headers().get(REFERER).and_then(|from| from.to_str().ok());
    let mut answer = see(&back(form.text("next"), came_from));
    let tls = visit.is_over_tls();
    let lang = Some(form.text("lang")).filter(|lang| matches!(*lang, "fr" | "en"));
    let theme = Theme::of(form.text("theme")).map(Theme::word);
    for (name, value) in [(LANG, lang), (THEME, theme)] {
        if let Some(cookie) = value.and_then(|value| cookies::keep(name, value, YEAR_SECONDS, tls)) {
            answer.append_header((SET_COOKIE, cookie));
        }
    }
    Ok(answer.finish())
}

/// The login is a page of ours, too, for somebody who only chooses a language; so is that of a
/// sign-in link, whose address only the browser knows.
fn back(next: &str, came_from: Option<&str>) -> String {
    let link = came_from.and_then(|from| Url::parse(from).ok()).filter(|from| from.path().starts_with(LINKS));
    if let Some(link) = link.filter(|_| next == "/login") {
        return link.path().to_owned();
    }
    if next == "/login" || next.starts_with("/login?next=%2F") { next.to_owned() } else { inside(next) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_goes_back_to_a_page_of_ours() {
        for (next, wanted) in [
            ("/mails?state=held", "/mails?state=held"),
            ("/login", "/login"),
            ("/login?next=%2Fmails", "/login?next=%2Fmails"),
            ("/login?next=https://evil.example", "/"),
            ("/login/magic/x", "/"),
            ("https://evil.example/login", "/"),
            ("", "/"),
        ] {
            assert_eq!(back(next, None), wanted, "{next}");
        }
        let link = Some("https://evil.example/login/magic/a.b.c?x=1");
        assert_eq!(back("/login", link), "/login/magic/a.b.c", "its path alone");
        assert_eq!(back("/mails", link), "/mails");
    }
}
