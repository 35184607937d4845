//! Who asks, and whether they may.

pub(crate) mod bearer;
mod caller;
mod cookie;
mod guard;
mod headers;
mod inside;
mod login;
mod origin;

pub(crate) use crate::settings::{ApiScope, Scopes};
pub(crate) use caller::Caller;
pub(in crate::http) use cookie::find as find_cookie;
pub(in crate::http) use guard::{guard, in_format};
pub(in crate::http) use headers::harden;
pub(in crate::http) use inside::inside;
pub(crate) use login::Login;

use actix_web::HttpRequest;

use bearer::{Guesses, TokenCheck, TokenDigest};

use super::problem::{HttpProblem, ProblemKind};
use super::routes::{Route, RouteAccess};

/// The doors of the program and their keys.
#[derive(Clone, Default)]
pub(crate) struct Access {
    /// `PROCESS_API_TOKEN`; `None` = nobody has it.
    pub(crate) api_token: Option<TokenDigest>,
    /// `API_TOKEN_SCOPES`: what that token may besides the ingress.
    pub(crate) scopes: Scopes,
    /// `TEST_API_KEY`; `None` = the test API refuses everybody.
    pub(crate) test_key: Option<TokenDigest>,
    /// Wrong tokens of late.
    pub(crate) guesses: Guesses,
    /// How people sign in; `None` = nobody can.
    pub(crate) login: Option<Login>,
}

impl Access {
    /// Who asks, where the entry of the table lets them in.
    ///
    /// # Errors
    /// Nobody who may, or a page of another site reads what costs work.
    async fn enter(&self, route: &Route, request: &HttpRequest) -> Result<Caller, HttpProblem> {
        let caller = self.caller(route.access, request).await?;
        if route.costly {
            self.check_reader(request)?;
        }
        Ok(caller)
    }

    /// Who asks, where `access` lets them in.
    ///
    /// # Errors
    /// Nobody who may.
    pub(in crate::http) async fn caller(
        &self,
        access: RouteAccess,
        request: &HttpRequest,
    ) -> Result<Caller, HttpProblem> {
        match access {
            // Somebody signs in or out: no other site has a browser do that.
            RouteAccess::Stranger => self.check_origin(request).map(|()| Caller::Stranger),
            RouteAccess::Own => Ok(Caller::Stranger),
            RouteAccess::Session => self.by_session(request).await,
            RouteAccess::Api(scope) => match self.by_token(request).await? {
                Some(_) if !self.scopes.have(scope) => Err(lacks(scope)),
                Some(caller) => Ok(caller),
                None => self.by_session(request).await,
            },
            RouteAccess::Ingress => self.by_token(request).await?.ok_or_else(unauthorized),
            RouteAccess::TestKey => self.by_test_key(request).await,
        }
    }

    /// `PROCESS_API_TOKEN`; `None` = no token was sent.
    async fn by_token(&self, request: &HttpRequest) -> Result<Option<Caller>, HttpProblem> {
        let Some(token) = &self.api_token else { return Ok(None) };
        match self.guesses.check(token, request).await {
            TokenCheck::Right => Ok(Some(Caller::ApiToken)),
            TokenCheck::Nothing => Ok(None),
            TokenCheck::Wrong => Err(unauthorized()),
            TokenCheck::TooMany => Err(too_many()),
        }
    }

    async fn by_test_key(&self, request: &HttpRequest) -> Result<Caller, HttpProblem> {
        let Some(key) = &self.test_key else { return Err(unauthorized()) };
        match self.guesses.check_header(key, request, "x-api-key").await {
            TokenCheck::Right => Ok(Caller::TestKey),
            TokenCheck::Nothing | TokenCheck::Wrong => Err(unauthorized()),
            TokenCheck::TooMany => Err(too_many()),
        }
    }
}

/// In the reference's word.
fn unauthorized() -> HttpProblem {
    HttpProblem::new(ProblemKind::Unauthenticated, "Unauthorized")
}

fn too_many() -> HttpProblem {
    HttpProblem::new(ProblemKind::TooManyRequests, "too many wrong tokens at a time came from this address")
        .retry_after(1)
}

fn lacks(scope: ApiScope) -> HttpProblem {
    let why = format!(
        "PROCESS_API_TOKEN may not do this: API_TOKEN_SCOPES lacks {scope}; add it there, or log in instead"
    );
    HttpProblem::new(ProblemKind::Forbidden, why)
}
