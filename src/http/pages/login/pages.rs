//! The pages of the login, as structs.

use askama::Template;

use super::words::Words;
use crate::http::pages::frame::Frame;

/// The form, with what went wrong.
#[derive(Template)]
#[template(path = "login/form.html")]
pub(super) struct FormPage {
    /// What stands around it.
    pub(super) frame: Frame,
    /// The texts.
    pub(super) w: &'static Words,
    /// What went wrong; empty = nothing.
    pub(super) said: String,
    /// The user that was entered.
    pub(super) user: String,
    /// Where to go then.
    pub(super) next: String,
}

/// One button that uses a sign-in link. It is sent to where the page came from, so that the
/// link's own text is not on it.
#[derive(Template)]
#[template(path = "login/link.html")]
pub(super) struct LinkPage {
    /// What stands around it.
    pub(super) frame: Frame,
    /// The texts.
    pub(super) w: &'static Words,
}

/// One button that ends the session.
#[derive(Template)]
#[template(path = "login/leave.html")]
pub(super) struct LeavePage {
    /// What stands around it.
    pub(super) frame: Frame,
    /// The texts.
    pub(super) w: &'static Words,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::pages::clock::PageClock;
    use crate::lang::Lang;

    fn frame(lang: Lang, title: &str) -> Frame {
        let now = "2026-11-12T13:02:07Z".parse().unwrap();
        Frame::bare(PageClock { now, zone: chrono_tz::Europe::Paris, lang }, title)
    }

    fn form(lang: Lang, strange: &str) -> String {
        let w = Words::of(lang);
        let [said, user, next] = [(); 3].map(|()| strange.to_owned());
        FormPage { frame: frame(lang, w.title), w, said, user, next }.render().unwrap()
    }

    fn pages(lang: Lang) -> [String; 3] {
        let w = Words::of(lang);
        [
            form(lang, "/x"),
            LinkPage { frame: frame(lang, w.link_title), w }.render().unwrap(),
            LeavePage { frame: frame(lang, w.leave_title), w }.render().unwrap(),
        ]
    }

    #[test]
    fn what_a_stranger_writes_is_text_and_nothing_else() {
        let hostile = "\"><script>alert('x')</script>&";
        for lang in [Lang::Fr, Lang::En] {
            let page = form(lang, hostile);
            assert!(!page.contains("<script"), "{page}");
            let text = "&#34;&#62;&#60;script&#62;alert(&#39;x&#39;)&#60;/script&#62;&#38;";
            assert_eq!(page.matches(text).count(), 4, "the alert, the user, and where to go twice: {page}");
        }
    }

    #[test]
    fn the_name_of_the_program_is_in_each_title_once() {
        for page in [pages(Lang::Fr), pages(Lang::En)].concat() {
            let title = page.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next()).unwrap();
            assert!(title.ends_with(" · render-signal"), "{title}");
            assert_eq!(title.matches("render-signal").count(), 1, "{title}");
        }
    }

    #[test]
    fn no_page_has_a_style_or_a_script_of_its_own() {
        for page in [pages(Lang::Fr), pages(Lang::En)].concat() {
            for forbidden in ["<script", "<style", " style=", " onclick=", "javascript:", "http:"] {
                assert!(!page.contains(forbidden), "{forbidden} in {page}");
            }
            assert!(page.contains("lang=\"") && page.matches("<h1>").count() == 1, "{page}");
        }
    }
}
