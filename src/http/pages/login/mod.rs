//! `/login`, `/login/magic/…` and `/logout`: how somebody comes in and goes.
//!
//! Pages for people, in their language, that work without a script. Who asks for JSON is answered
//! with a problem document.

mod pages;
mod words;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER, SET_COOKIE};
use actix_web::web::{Path, to};
use actix_web::{HttpRequest, HttpResponse};
use render_signal_actors::access::AccessError;
use render_signal_actors::access::links::Denied;
use render_signal_actors::access::password::PasswordCheck;
use render_signal_actors::access::sessions::SignInMethod;
use render_signal_actors::access::throttle::TooSoon;
use render_signal_actors::access::token::LinkRefusal;
use render_signal_actors::kernel::said::Said;
use secrecy::{ExposeSecret as _, SecretString};

use self::words::Words;
use super::form::FormData;
use super::frame::Frame;
use super::visit::{PageVisit, see};
use super::wants_page;
use crate::http::access::{Login, inside};
use crate::http::problem::{HttpProblem, ProblemKind};
use crate::http::routes::{Route, RouteAccess, Takes};

/// The addresses of this room.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/login", RouteAccess::Stranger, || to(form)),
        Route::post("/login", RouteAccess::Stranger, || to(login)).takes(Takes::Form),
        Route::get("/login/magic/{token}", RouteAccess::Stranger, || to(look)),
        Route::post("/login/magic/{token}", RouteAccess::Stranger, || to(consume)).takes(Takes::Form),
        Route::get("/logout", RouteAccess::Stranger, || to(leave)),
        Route::post("/logout", RouteAccess::Stranger, || to(logout)).takes(Takes::Form),
    ]
}

/// What the form sends, and the address says.
#[derive(Default)]
struct LoginForm {
    username: String,
    password: Option<SecretString>,
    magic_token: Option<SecretString>,
    next: String,
}

impl LoginForm {
    /// Of a form; what the address says counts where the form says nothing.
    fn of(request: &HttpRequest, form: &FormData) -> Self {
        let secret = |name: &str| form.get(name).map(|value| SecretString::from(value.to_owned()));
        let query = FormData::read(request.query_string().as_bytes());
        Self {
            username: form.get("username").unwrap_or_default().to_owned(),
            password: secret("password"),
            magic_token: secret("magic_token").filter(|token| !token.expose_secret().is_empty()),
            next: form.get("next").or_else(|| query.get("next")).unwrap_or_default().to_owned(),
        }
    }
}

/// Somebody who comes in.
struct Entering {
    visit: PageVisit,
    w: &'static Words,
}

impl Entering {
    fn new(visit: PageVisit) -> Self {
        let w = Words::of(visit.lang);
        Self { visit, w }
    }

    fn login(&self) -> Result<&Login, HttpProblem> {
        let nobody = || HttpProblem::new(ProblemKind::Unavailable, "nobody can sign in here");
        self.visit.state.access.login.as_ref().ok_or_else(nobody)
    }

    /// The form, with what went wrong, if anything did.
    fn form(
        &self,
        status: StatusCode,
        said: Option<&Said>,
        fields: &LoginForm,
    ) -> Result<HttpResponse, HttpProblem> {
        self.visit.show_as(
            status,
            &pages::FormPage {
                frame: Frame::plain(&self.visit, self.w.title),
                w: self.w,
                said: said.map(|said| self.visit.lang.said(said).to_owned()).unwrap_or_default(),
                user: fields.username.clone(),
                next: fields.next.clone(),
            },
        )
    }

    /// The form, with what went wrong; or that alone, for those who want no page.
    fn refuse(&self, problem: &HttpProblem, said: &Said, fields: &LoginForm) -> HttpResponse {
        let request = &self.visit.request;
        if !wants_page(request) {
            return problem.answer(request);
        }
        let page = self.form(problem.kind.status(), Some(said), fields);
        let mut response = page.unwrap_or_else(|fault| fault.answer(request));
        if let Some(seconds) = problem.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    fn refuse_soon(&self, TooSoon(wait): TooSoon, fields: &LoginForm) -> HttpResponse {
        let seconds = wait.as_secs() + 1;
        let said = Said {
            french: format!("Trop d'essais. Réessayez dans {seconds} s."),
            english: format!("Too many tries. Try again in {seconds} s."),
        };
        let problem =
            HttpProblem::new(ProblemKind::TooManyRequests, said.english.clone()).retry_after(seconds);
        self.refuse(&problem, &said, fields)
    }

    fn refuse_link(&self, refusal: LinkRefusal, fields: &LoginForm) -> HttpResponse {
        let said = refusal.said();
        self.refuse(&HttpProblem::new(ProblemKind::Unauthenticated, said.english.clone()), &said, fields)
    }

    /// Lets somebody in who has just proved who he is: a new session, whatever he came with.
    async fn let_in(&self, secret: &SecretString, next: &str) -> HttpResponse {
        let (access, request) = (&self.visit.state.access, &self.visit.request);
        access.end_shown(request, "replaced").await;
        access.login_succeeded(request).await;
        let mut answer = see(&inside(next));
        if let Some(cookie) = access.cookie(request, Some(secret)) {
            answer.append_header((SET_COOKIE, cookie));
        }
        answer.finish()
    }
}

async fn form(visit: PageVisit) -> Result<HttpResponse, HttpProblem> {
    let asked = FormData::read(visit.request.query_string().as_bytes());
    let fields = LoginForm::of(&visit.request, &FormData::default());
    if visit.state.access.session(&visit.request).await.is_ok() {
        return Ok(see(&inside(&fields.next)).finish());
    }
    // Known words only: whoever makes a link must not be able to put his own on our page.
    let error = asked.get("error").unwrap_or_default();
    let said = LinkRefusal::ALL.into_iter().map(LinkRefusal::said).find(|said| said.french == error);
    Entering::new(visit).form(StatusCode::OK, said.as_ref(), &fields)
}

async fn login(visit: PageVisit, form: FormData) -> Result<HttpResponse, HttpProblem> {
    let entering = Entering::new(visit);
    let (state, request) = (&entering.visit.state, &entering.visit.request);
    let fields = LoginForm::of(request, &form);
    if let Some(token) = &fields.magic_token {
        return by_link(&entering, token.expose_secret(), &fields).await;
    }
    let login = entering.login()?;
    let from = state.access.guesses.client(request);
    if let Err(soon) = login.throttle.admit(from, Some(&fields.username)).await {
        return Ok(entering.refuse_soon(soon, &fields));
    }
    let password = fields.password.clone().unwrap_or_default();
    match login.passwords.verify(&fields.username, password).await {
        PasswordCheck::Right => {}
        PasswordCheck::Busy => return Ok(entering.refuse_soon(TooSoon(std::time::Duration::ZERO), &fields)),
        PasswordCheck::Wrong => {
            tracing::warn!(address = ?from, "somebody could not sign in: the user or the password is another one");
            let said = Said {
                french: "Identifiants invalides.".to_owned(),
                english: "The user or the password is wrong.".to_owned(),
            };
            let problem = HttpProblem::new(ProblemKind::Unauthenticated, said.english.clone());
            return Ok(entering.refuse(&problem, &said, &fields));
        }
    }
    let visitor = state.access.visitor(request);
    let opened = login.sessions.open(login.passwords.user(), SignInMethod::Password, &visitor).await;
    let (secret, session) = opened.map_err(not_now)?;
    tracing::info!(user = session.user, address = visitor.address, "somebody signed in");
    Ok(entering.let_in(&secret, &fields.next).await)
}

/// A page with a button: programs that look at links in mails use none up.
async fn look(visit: PageVisit, token: Path<String>) -> Result<HttpResponse, HttpProblem> {
    let entering = Entering::new(visit);
    match entering.login()?.links.look(&token).await {
        Ok(()) => {
            let frame = Frame::plain(&entering.visit, entering.w.link_title);
            entering.visit.show(&pages::LinkPage { frame, w: entering.w })
        }
        Err(Denied::Refused(refusal)) => {
            Ok(entering.refuse_link(refusal, &LoginForm::of(&entering.visit.request, &FormData::default())))
        }
        Err(Denied::Failed(error)) => Err(not_now(error)),
    }
}

async fn consume(visit: PageVisit, token: Path<String>, form: FormData) -> Result<HttpResponse, HttpProblem> {
    let fields = LoginForm::of(&visit.request, &form);
    by_link(&Entering::new(visit), &token, &fields).await
}

async fn by_link(entering: &Entering, token: &str, fields: &LoginForm) -> Result<HttpResponse, HttpProblem> {
    let login = entering.login()?;
    let (access, request) = (&entering.visit.state.access, &entering.visit.request);
    if let Err(soon) = login.throttle.admit(access.guesses.client(request), None).await {
        return Ok(entering.refuse_soon(soon, fields));
    }
    let visitor = access.visitor(request);
    match login.links.consume(token, &visitor).await {
        Ok((secret, session)) => {
            tracing::info!(user = session.user, address = visitor.address, "somebody signed in by a link");
            Ok(entering.let_in(&secret, &fields.next).await)
        }
        Err(Denied::Refused(refusal)) => {
            tracing::warn!(address = visitor.address, why = refusal.code(), "a sign-in link was refused");
            Ok(entering.refuse_link(refusal, fields))
        }
        Err(Denied::Failed(error)) => Err(not_now(error)),
    }
}

/// A page with a button: no link that somebody follows signs him out.
async fn leave(visit: PageVisit) -> Result<HttpResponse, HttpProblem> {
    let w = Words::of(visit.lang);
    visit.show(&pages::LeavePage { frame: Frame::plain(&visit, w.leave_title), w })
}

async fn logout(visit: PageVisit) -> HttpResponse {
    let (access, request) = (&visit.state.access, &visit.request);
    access.end_shown(request, "logout").await;
    let mut answer = see("/login");
    if let Some(cookie) = access.cookie(request, None) {
        answer.append_header((SET_COOKIE, cookie));
    }
    answer.finish()
}

fn not_now(error: AccessError) -> HttpProblem {
    tracing::warn!(%error, "nobody can sign in now");
    HttpProblem::unavailable(error)
}
