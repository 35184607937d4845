//! Sign-in links: made, shown once, listed, revoked.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use askama::Template;

use super::HOME;
use super::qr::Qr;
use super::words::Words;
use crate::http::pages::form::FormData;
use crate::http::pages::frame::{Frame, Section};
use crate::http::pages::names;
use crate::http::pages::notice::Notice;
use crate::http::pages::parts::{Badge, Choice, Confirm, Empty, FormField, Input, Mood, UntrustedText, When};
use crate::http::pages::visit::PageVisit;
use crate::http::problem::HttpProblem;
use crate::http::v1::access::links::{self as v1, MagicLinkStatus, MagicLinkView};
use crate::http::v1::access::{login, not_now};

/// Links that are listed; of more, nobody keeps an overview.
const MAX_LISTED: usize = 200;
/// Opens one session within its life.
const ONCE: &str = "once";
/// Never ends.
const PERMANENT: &str = "permanent";

/// The links, and how one is made.
pub(super) struct SignInLinksView {
    /// Which kind; `None` = none can be made, since nobody has said where we are reached.
    pub(super) form: Option<FormField>,
    /// Those that open a session.
    pub(super) open: Vec<SignInLinkEntry>,
    /// Those that open none any more.
    pub(super) over: Vec<SignInLinkEntry>,
    /// Where there are none.
    pub(super) empty: Empty,
}

pub(super) struct SignInLinkEntry {
    /// The beginning of its name.
    pub(super) name: String,
    /// Where it stands.
    pub(super) badge: Badge,
    /// For one sign-in, or any number.
    pub(super) kind: &'static str,
    /// When it was made.
    pub(super) made: Option<When>,
    /// Who made it.
    pub(super) by: UntrustedText,
    /// When it ends; `None` = never.
    pub(super) expires: Option<When>,
    /// How often it was used, and when last.
    pub(super) uses: String,
    /// When last.
    pub(super) used: Option<When>,
    pub(super) revoke: Option<Confirm>,
}

/// A link that was made: the only page that ever shows it.
#[derive(Template)]
#[template(path = "access/made.html")]
struct MadePage {
    frame: Frame,
    w: &'static Words,
    url: String,
    qr: Option<Qr>,
    usable: String,
}

/// The links, the open ones first.
pub(super) async fn view(visit: &PageVisit) -> Result<SignInLinksView, HttpProblem> {
    let w = Words::of(visit.lang);
    let listed = v1::link_page(&visit.state, 0, MAX_LISTED).await?.items;
    let (open, over): (Vec<_>, Vec<_>) =
        listed.into_iter().partition(|link| link.state == MagicLinkStatus::Open);
    let rows = |links: Vec<MagicLinkView>| links.into_iter().map(|link| row(link, visit)).collect();
    Ok(SignInLinksView {
        form: form(visit)?,
        open: rows(open),
        over: rows(over),
        empty: Empty { title: w.no_links.to_owned(), text: w.no_links_text.to_owned() },
    })
}

fn form(visit: &PageVisit) -> Result<Option<FormField>, HttpProblem> {
    let (login, w) = (login(&visit.state)?, Words::of(visit.lang));
    if login.base_url.is_none() {
        return Ok(None);
    }
    let choice = |value: &str, text: String| Choice { value: value.to_owned(), text };
    let kinds = vec![
        choice(ONCE, Words::once_within(visit.clock, login.links.life())),
        choice(PERMANENT, w.permanent.to_owned()),
    ];
    Ok(Some(FormField::new("kind", w.kind, Input::Radios(kinds), ONCE)))
}

fn row(link: MagicLinkView, visit: &PageVisit) -> SignInLinkEntry {
    let (lang, clock, w) = (visit.lang, visit.clock, Words::of(visit.lang));
    let name: String = link.id.chars().take(8).collect();
    let open = link.state == MagicLinkStatus::Open;
    SignInLinkEntry {
        badge: match link.state {
            MagicLinkStatus::Open => Badge::new(Mood::Good, w.state_open),
            MagicLinkStatus::Used => Badge::new(Mood::None, w.state_used),
            MagicLinkStatus::Expired => Badge::new(Mood::None, w.state_expired),
            MagicLinkStatus::Revoked => Badge::new(Mood::None, w.state_revoked),
            MagicLinkStatus::Gone => Badge::new(Mood::None, w.state_gone),
        },
        kind: if link.single_use { w.once } else { w.many },
        made: link.created_at.map(|at| When::short(clock, at)),
        by: UntrustedText(names::who(&link.created_by, lang)),
        expires: link.expires_at.map(|at| When::short(clock, at)),
        uses: Words::uses(lang, link.uses),
        used: link.used_at.map(|at| When::short(clock, at)),
        revoke: open.then(|| Confirm {
            id: format!("revoquer-{name}"),
            button: w.revoke.to_owned(),
            class: "danger",
            title: w.revoke_ask.to_owned(),
            text: w.revoke_text.to_owned(),
            action: "/acces/liens/revoquer".to_owned(),
            fields: vec![("id".to_owned(), link.id)],
            yes: w.revoke.to_owned(),
            no: w.cancel.to_owned(),
        }),
        name,
    }
}

/// POST `/acces/liens`: the link is in this answer, and in no cookie, address or history.
pub(super) async fn make(visit: PageVisit, form: FormData) -> Result<HttpResponse, HttpProblem> {
    let w = Words::of(visit.lang);
    if login(&visit.state)?.base_url.is_none() {
        return Ok(visit.back(HOME, &Notice::bad(w.no_base)));
    }
    let permanent = form.text("kind") == PERMANENT;
    let made = v1::make(&visit.state, permanent, &visit.caller.by()).await?;
    let until = made.expires_at.map(|at| visit.clock.short(at));
    let page = MadePage {
        frame: visit.frame(Section::Access, w.made).await,
        w,
        qr: Qr::of(&made.url, w.qr),
        usable: Words::usable(visit.lang, made.single_use, until.as_deref()),
        url: made.url,
    };
    let mut answer = visit.show_as(StatusCode::CREATED, &page)?;
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

/// POST `/acces/liens/revoquer`.
pub(super) async fn revoke(visit: PageVisit, form: FormData) -> Result<HttpResponse, HttpProblem> {
    let links = &login(&visit.state)?.links;
    let revoked = links.revoke(form.text("id"), &visit.caller.by()).await.map_err(not_now)?;
    let notice = match revoked {
        Some(ended) => Notice::good(Words::revoked(visit.lang, ended)),
        None => Notice::care(Words::of(visit.lang).revoked_none),
    };
    Ok(visit.back(HOME, &notice))
}
