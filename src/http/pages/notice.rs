//! What was done, said on the next page: a form is answered with a redirect, so that a reload does
//! not send it again, and a cookie carries the sentence to where it is read.
//!
//! Where TLS is in front its name begins with `__Host-`, as that of the session's does: no neighbour
//! below the same domain can have a page of ours say his words.

use actix_web::HttpRequest;
use actix_web::http::header::HeaderValue;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::cookies;

/// What the cookie is called.
const fn name(tls: bool) -> &'static str {
    if tls { "__Host-notice" } else { "notice" }
}

/// Characters of a sentence: a cookie holds 4 KiB, each of them may be twelve bytes there.
const MAX_CHARS: usize = 300;

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum NoticeTone {
    /// It was done.
    Good,
    /// It was done, and something is to be known.
    Care,
    /// It was not done.
    Bad,
}

impl NoticeTone {
    /// Its word, in the cookie and in the page's classes.
    pub(in crate::http::pages) const fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Care => "care",
            Self::Bad => "bad",
        }
    }
}

/// A sentence for the next page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Notice {
    /// How it went.
    pub(in crate::http::pages) tone: NoticeTone,
    /// The sentence, in the reader's language.
    pub(in crate::http::pages) text: String,
}

impl Notice {
    /// It was done.
    pub(in crate::http::pages) fn good(text: impl Into<String>) -> Self {
        Self { tone: NoticeTone::Good, text: text.into() }
    }

    /// It was done, and something is to be known.
    pub(in crate::http::pages) fn care(text: impl Into<String>) -> Self {
        Self { tone: NoticeTone::Care, text: text.into() }
    }

    /// It was not done.
    pub(in crate::http::pages) fn bad(text: impl Into<String>) -> Self {
        Self { tone: NoticeTone::Bad, text: text.into() }
    }

    /// The one that a request brings; whatever is not ours is none.
    pub(super) fn of(request: &HttpRequest, tls: bool) -> Option<Self> {
        let value = cookies::find(request, name(tls))?;
        let (word, text) = value.split_once('.')?;
        let tone = [NoticeTone::Good, NoticeTone::Care, NoticeTone::Bad]
            .into_iter()
            .find(|tone| tone.word() == word)?;
        let text = percent_decode_str(text).decode_utf8().ok()?.into_owned();
        (!text.is_empty()).then_some(Self { tone, text })
    }

    /// Has a browser bring it to the next page.
    pub(super) fn carry(&self, tls: bool) -> Option<HeaderValue> {
        let text: String = self.text.chars().take(MAX_CHARS).collect();
        let value = format!("{}.{}", self.tone.word(), utf8_percent_encode(&text, NON_ALPHANUMERIC));
        cookies::keep(name(tls), &value, 60, tls)
    }

    /// Has a browser forget it: it was read.
    pub(super) fn forget(tls: bool) -> Option<HeaderValue> {
        cookies::keep(name(tls), "", 0, tls)
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_sentence_arrives_as_it_was_sent() {
        for text in ["C'est fait\u{a0}: 3 mails « libérés »; <b>\r\n", "é".repeat(300).as_str()] {
            let notice = Notice::good(text);
            let cookie = notice.carry(true).unwrap().to_str().unwrap().to_owned();
            assert!(cookie.contains("HttpOnly") && cookie.contains("Secure"), "{cookie}");
            assert!(cookie.len() < 4_000, "{}", cookie.len());
            let pair = cookie.split(';').next().unwrap().to_owned();
            let request = TestRequest::get().insert_header(("cookie", pair)).to_http_request();
            assert_eq!(Notice::of(&request, true), Some(notice));
        }
    }

    #[test]
    fn what_is_not_ours_is_none() {
        for value in ["notice=", "notice=good", "notice=good.", "notice=x.y", "notice=good.%ff", "a=b"] {
            let request = TestRequest::get().insert_header(("cookie", value)).to_http_request();
            assert_eq!(Notice::of(&request, false), None, "{value}");
        }
    }

    #[test]
    fn over_tls_no_neighbour_below_the_same_domain_can_plant_one() {
        for (cookie, tls, wanted) in [
            ("notice=good.planted", true, None),
            ("notice=good.planted; __Host-notice=good.ours", true, Some("ours")),
            ("notice=good.ours", false, Some("ours")),
            ("__Host-notice=good.ours", false, None),
        ] {
            let request = TestRequest::get().insert_header(("cookie", cookie)).to_http_request();
            let said = Notice::of(&request, tls).map(|notice| notice.text);
            assert_eq!(said.as_deref(), wanted, "{cookie}");
        }
        for (tls, start) in [(true, "__Host-notice="), (false, "notice=")] {
            for cookie in [Notice::good("fait").carry(tls), Notice::forget(tls)] {
                let cookie = cookie.unwrap().to_str().unwrap().to_owned();
                // A browser takes a `__Host-` cookie only with both of these and with no domain.
                assert!(cookie.starts_with(start) && cookie.contains("; Path=/;"), "{cookie}");
                assert!(cookie.contains("; Secure") == tls && !cookie.contains("Domain"), "{cookie}");
            }
        }
    }
}
