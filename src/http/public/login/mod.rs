//! `/login`, `/login/magic/…` and `/logout`: how somebody comes in and goes.
//!
//! Pages for people, in their language, that work without a script. Who asks for JSON is answered
//! with a problem document.

mod pages;

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER, SET_COOKIE,
};
use actix_web::web::{Data, Path, Payload, to};
use actix_web::{HttpRequest, HttpResponse};
use render_signal_actors::access::AccessError;
use render_signal_actors::access::links::Denied;
use render_signal_actors::access::password::Verdict;
use render_signal_actors::access::sessions::Method;
use render_signal_actors::access::throttle::TooSoon;
use render_signal_actors::access::token::Refusal;
use render_signal_actors::kernel::said::Said;
use secrecy::{ExposeSecret as _, SecretString};
use url::form_urlencoded;

use crate::http::HttpState;
use crate::http::access::{Caller, Login, inside};
use crate::http::problem::{Kind, Problem, Voice};
use crate::http::routes::{Route, Takes, Who};
use crate::http::v1::extract;
use crate::lang::Lang;

/// The addresses of this room.
pub(in crate::http) fn routes() -> Vec<Route> {
    let page = |route: Route| route.voice(Voice::Page);
    vec![
        page(Route::get("/", Who::Session, || to(home))),
        page(Route::get("/login", Who::Stranger, || to(form))),
        page(Route::post("/login", Who::Stranger, || to(login)).takes(Takes::Form)),
        page(Route::get("/login/magic/{token}", Who::Stranger, || to(look))),
        page(Route::post("/login/magic/{token}", Who::Stranger, || to(consume)).takes(Takes::Form)),
        page(Route::get("/logout", Who::Stranger, || to(leave))),
        page(Route::post("/logout", Who::Stranger, || to(logout)).takes(Takes::Form)),
        Route::get("/login.css", Who::Stranger, || to(style)),
    ]
}

/// The fields of a form, or of a query: those that are known, once each.
#[derive(Default)]
struct Fields {
    username: String,
    password: Option<SecretString>,
    magic_token: Option<SecretString>,
    next: String,
    error: String,
}

impl Fields {
    fn read(mut self, text: &[u8]) -> Self {
        for (name, value) in form_urlencoded::parse(text) {
            let value = value.into_owned();
            match name.as_ref() {
                "username" => self.username = value,
                "password" => self.password = Some(value.into()),
                "magic_token" => {
                    self.magic_token =
                        Some(value.into()).filter(|token: &SecretString| !token.expose_secret().is_empty())
                }
                "next" => self.next = value,
                "error" => self.error = value,
                _ => {}
            }
        }
        self
    }

    fn of_query(request: &HttpRequest) -> Self {
        Self { next: Self::default().read(request.query_string().as_bytes()).next, ..Self::default() }
    }

    /// Of a form; what the address says counts where the form says nothing.
    async fn of_form(request: &HttpRequest, payload: Payload) -> Result<Self, Problem> {
        let fields = Self::of_query(request);
        let body = extract::body(request, payload.into_inner()).await?;
        let kind = extract::media_type(request);
        if !body.is_empty() && kind != "application/x-www-form-urlencoded" {
            let why = format!("this address takes application/x-www-form-urlencoded, not {kind:?}");
            return Err(Problem::new(Kind::UnsupportedMediaType, why));
        }
        Ok(fields.read(&body))
    }
}

/// What a request and its answer have in common.
struct Visit<'v> {
    request: &'v HttpRequest,
    state: &'v HttpState,
    lang: Lang,
}

impl<'v> Visit<'v> {
    fn new(request: &'v HttpRequest, state: &'v HttpState) -> Self {
        Self { request, state, lang: language(request) }
    }

    fn login(&self) -> Result<&'v Login, Problem> {
        let nobody = || Problem::new(Kind::Unavailable, "nobody can sign in here");
        self.state.access.login.as_ref().ok_or_else(nobody)
    }

    /// The form, with what went wrong; or that alone, for those who want no page.
    fn refuse(&self, problem: &Problem, said: &Said, fields: &Fields) -> HttpResponse {
        if !wants_page(self.request) {
            return problem.answer(self.request);
        }
        let page = pages::form(self.lang, Some(said), &fields.username, &fields.next);
        let mut response = html(problem.kind.status(), page);
        if let Some(seconds) = problem.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    fn refuse_soon(&self, TooSoon(wait): TooSoon, fields: &Fields) -> HttpResponse {
        let seconds = wait.as_secs() + 1;
        let said = Said {
            french: format!("Trop d'essais. Réessayez dans {seconds} s."),
            english: format!("Too many tries. Try again in {seconds} s."),
        };
        let problem = Problem::new(Kind::TooManyRequests, said.english.clone()).retry_after(seconds);
        self.refuse(&problem, &said, fields)
    }

    fn refuse_link(&self, refusal: Refusal, fields: &Fields) -> HttpResponse {
        let said = refusal.said();
        self.refuse(&Problem::new(Kind::Unauthenticated, said.english.clone()), &said, fields)
    }

    /// Lets somebody in who has just proved who he is: a new session, whatever he came with.
    async fn let_in(&self, secret: &SecretString, next: &str) -> HttpResponse {
        self.state.access.end_shown(self.request, "replaced").await;
        self.state.access.login_succeeded(self.request).await;
        let mut response = see(&inside(next));
        if let Some(cookie) = self.state.access.cookie(self.request, Some(secret)) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }
}

/// A page that says what there is, until there is more.
async fn home(request: HttpRequest, caller: Caller) -> HttpResponse {
    let user = caller.session().map(|session| session.user.as_str()).unwrap_or_default();
    html(StatusCode::OK, pages::home(language(&request), user))
}

async fn form(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    let asked = Fields::default().read(request.query_string().as_bytes());
    if state.access.session(&request).await.is_ok() {
        return see(&inside(&asked.next));
    }
    // Known words only: whoever makes a link must not be able to put his own on our page.
    let said = Refusal::ALL.into_iter().map(Refusal::said).find(|said| said.french == asked.error);
    html(StatusCode::OK, pages::form(language(&request), said.as_ref(), "", &asked.next))
}

async fn login(
    request: HttpRequest,
    payload: Payload,
    state: Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let visit = Visit::new(&request, &state);
    let fields = Fields::of_form(&request, payload).await?;
    if let Some(token) = &fields.magic_token {
        return by_link(&visit, token.expose_secret(), &fields).await;
    }
    let login = visit.login()?;
    let from = state.access.guesses.client(&request);
    if let Err(soon) = login.throttle.admit(from, Some(&fields.username)).await {
        return Ok(visit.refuse_soon(soon, &fields));
    }
    let password = fields.password.clone().unwrap_or_default();
    match login.passwords.verify(&fields.username, password).await {
        Verdict::Right => {}
        Verdict::Busy => return Ok(visit.refuse_soon(TooSoon(std::time::Duration::ZERO), &fields)),
        Verdict::Wrong => {
            tracing::warn!(address = ?from, "somebody could not sign in: the user or the password is another one");
            let said = Said {
                french: "Identifiants invalides.".to_owned(),
                english: "The user or the password is wrong.".to_owned(),
            };
            let problem = Problem::new(Kind::Unauthenticated, said.english.clone());
            return Ok(visit.refuse(&problem, &said, &fields));
        }
    }
    let visitor = state.access.visitor(&request);
    let opened = login.sessions.open(login.passwords.user(), Method::Password, &visitor).await;
    let (secret, session) = opened.map_err(not_now)?;
    tracing::info!(user = session.user, address = visitor.address, "somebody signed in");
    Ok(visit.let_in(&secret, &fields.next).await)
}

/// A page with a button: programs that look at links in mails use none up.
async fn look(
    request: HttpRequest,
    token: Path<String>,
    state: Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let visit = Visit::new(&request, &state);
    let fields = Fields::of_query(&request);
    match visit.login()?.links.look(&token).await {
        Ok(()) => Ok(html(StatusCode::OK, pages::button(visit.lang))),
        Err(Denied::Refused(refusal)) => Ok(visit.refuse_link(refusal, &fields)),
        Err(Denied::Failed(error)) => Err(not_now(error)),
    }
}

async fn consume(
    request: HttpRequest,
    token: Path<String>,
    payload: Payload,
    state: Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let visit = Visit::new(&request, &state);
    let fields = Fields::of_form(&request, payload).await?;
    by_link(&visit, &token, &fields).await
}

async fn by_link(visit: &Visit<'_>, token: &str, fields: &Fields) -> Result<HttpResponse, Problem> {
    let login = visit.login()?;
    let access = &visit.state.access;
    if let Err(soon) = login.throttle.admit(access.guesses.client(visit.request), None).await {
        return Ok(visit.refuse_soon(soon, fields));
    }
    let visitor = access.visitor(visit.request);
    match login.links.consume(token, &visitor).await {
        Ok((secret, session)) => {
            tracing::info!(user = session.user, address = visitor.address, "somebody signed in by a link");
            Ok(visit.let_in(&secret, &fields.next).await)
        }
        Err(Denied::Refused(refusal)) => {
            tracing::warn!(address = visitor.address, why = refusal.code(), "a sign-in link was refused");
            Ok(visit.refuse_link(refusal, fields))
        }
        Err(Denied::Failed(error)) => Err(not_now(error)),
    }
}

/// A page with a button: no link that somebody follows signs him out.
async fn leave(request: HttpRequest) -> HttpResponse {
    html(StatusCode::OK, pages::leave(language(&request)))
}

async fn logout(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    state.access.end_shown(&request, "logout").await;
    let mut response = see("/login");
    if let Some(cookie) = state.access.cookie(&request, None) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/css; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "public, max-age=3600"))
        .body(include_str!("login.css"))
}

fn see(path: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, path.to_owned())).finish()
}

fn html(status: StatusCode, page: String) -> HttpResponse {
    HttpResponse::build(status).insert_header((CONTENT_TYPE, "text/html; charset=utf-8")).body(page)
}

fn not_now(error: AccessError) -> Problem {
    tracing::warn!(%error, "nobody can sign in now");
    Problem::unavailable(error)
}

/// The language that the browser asks for first, of the two.
pub(in crate::http) fn language(request: &HttpRequest) -> Lang {
    let header = request.headers().get("accept-language").and_then(|header| header.to_str().ok());
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

/// A page that says why a request is not granted, and what to do.
pub(in crate::http) fn refusal(request: &HttpRequest, problem: &Problem) -> HttpResponse {
    html(problem.kind.status(), pages::refusal(language(request), problem.kind, problem.retry_after))
}

/// Whether whoever asks names pages among what he takes, as browsers do, and calls do not.
pub(in crate::http) fn asks_for_page(request: &HttpRequest) -> bool {
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// Whether whoever asks is shown a page: not one who asks for JSON, or a script that fetches.
pub(in crate::http) fn wants_page(request: &HttpRequest) -> bool {
    let said = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let accept = said(ACCEPT.as_str()).unwrap_or_default();
    let navigates = said("sec-fetch-mode").is_none_or(|mode| mode == "navigate");
    accept.contains("text/html") || (navigates && !accept.contains("json"))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_language_is_the_one_that_is_wanted_most() {
        for (header, wanted) in [
            ("fr-FR,fr;q=0.9,en;q=0.8", Lang::Fr),
            ("en-GB,en;q=0.9,fr;q=0.8", Lang::En),
            ("de, en;q=0.7, fr;q=0.3", Lang::En),
            ("fr;q=0.1, en;q=0.9", Lang::En),
            ("de", Lang::Fr),
            ("en;q=0", Lang::Fr),
            ("", Lang::Fr),
        ] {
            let request = TestRequest::get().insert_header(("accept-language", header)).to_http_request();
            assert_eq!(language(&request), wanted, "{header}");
        }
    }

    #[test]
    fn a_browser_gets_a_page_and_a_program_does_not() {
        for (headers, wanted) in [
            (
                &[("accept", "text/html,application/xhtml+xml,*/*;q=0.8"), ("sec-fetch-mode", "navigate")][..],
                true,
            ),
            (&[("accept", "*/*"), ("sec-fetch-mode", "cors")], false),
            (&[("accept", "application/json")], false),
            (&[("accept", "*/*")], true),
            (&[], true),
        ] {
            let mut request = TestRequest::get();
            for header in headers {
                request = request.insert_header(*header);
            }
            assert_eq!(wants_page(&request.to_http_request()), wanted, "{headers:?}");
        }
    }
}
