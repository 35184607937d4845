//! Who asks, and whether they may.

pub(crate) mod bearer;
mod caller;
mod cookie;
mod guard;
mod headers;
mod inside;
mod login;
mod origin;
mod scopes;

pub(crate) use caller::Caller;
pub(in crate::http) use cookie::find as find_cookie;
pub(in crate::http) use guard::{guard, in_voice};
pub(in crate::http) use headers::harden;
pub(in crate::http) use inside::inside;
pub(crate) use login::Login;
pub(crate) use scopes::{Scope, Scopes};

use actix_web::HttpRequest;

use bearer::{Guesses, Shown, Token};

use super::problem::{Kind, Problem};
use super::routes::{Route, Who};

/// The doors of the program and their keys.
#[derive(Clone, Default)]
pub(crate) struct Access {
    /// `PROCESS_API_TOKEN`; `None` = nobody has it.
    pub(crate) api_token: Option<Token>,
    /// `API_TOKEN_SCOPES`: what that token may besides the ingress.
    pub(crate) scopes: Scopes,
    /// `TEST_API_KEY`; `None` = the test API refuses everybody.
    pub(crate) test_key: Option<Token>,
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
    async fn enter(&self, route: &Route, request: &HttpRequest) -> Result<Caller, Problem> {
        let caller = self.caller(route.who, request).await?;
        if route.costly {
            self.check_reader(request)?;
        }
        Ok(caller)
    }

    /// Who asks, where `who` may.
    ///
    /// # Errors
    /// Nobody who may.
    pub(in crate::http) async fn caller(&self, who: Who, request: &HttpRequest) -> Result<Caller, Problem> {
        match who {
            // Somebody signs in or out: no other site has a browser do that.
            Who::Stranger => self.check_origin(request).map(|()| Caller::Stranger),
            Who::Own => Ok(Caller::Stranger),
            Who::Session => self.by_session(request).await,
            Who::Api(scope) => match self.by_token(request).await? {
                Some(_) if !self.scopes.have(scope) => Err(lacks(scope)),
                Some(caller) => Ok(caller),
                None => self.by_session(request).await,
            },
            Who::Ingress => self.by_token(request).await?.ok_or_else(unauthorized),
            Who::TestKey => self.by_test_key(request).await,
        }
    }

    /// `PROCESS_API_TOKEN`; `None` = no token was sent.
    async fn by_token(&self, request: &HttpRequest) -> Result<Option<Caller>, Problem> {
        let Some(token) = &self.api_token else { return Ok(None) };
        match self.guesses.look(token, request).await {
            Shown::Right => Ok(Some(Caller::ApiToken)),
            Shown::Nothing => Ok(None),
            Shown::Wrong => Err(unauthorized()),
            Shown::TooMany => Err(too_many()),
        }
    }

    async fn by_test_key(&self, request: &HttpRequest) -> Result<Caller, Problem> {
        let Some(key) = &self.test_key else { return Err(unauthorized()) };
        match self.guesses.look_at(key, request, "x-api-key").await {
            Shown::Right => Ok(Caller::TestKey),
            Shown::Nothing | Shown::Wrong => Err(unauthorized()),
            Shown::TooMany => Err(too_many()),
        }
    }
}

/// In the reference's word.
fn unauthorized() -> Problem {
    Problem::new(Kind::Unauthenticated, "Unauthorized")
}

fn too_many() -> Problem {
    Problem::new(Kind::TooManyRequests, "too many wrong tokens at a time came from this address")
        .retry_after(1)
}

fn lacks(scope: Scope) -> Problem {
    let why = format!(
        "PROCESS_API_TOKEN may not do this: API_TOKEN_SCOPES lacks {scope}; add it there, or log in instead"
    );
    Problem::new(Kind::Forbidden, why)
}
