//! Who asks.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};

use render_signal_actors::access::sessions::Session;

use crate::http::problem::{HttpProblem, ProblemKind};

/// Who asks, once the guard has let them in. A handler that takes one knows whom it serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Nobody in particular.
    Stranger,
    /// Who has signed in.
    Session(Session),
    /// Who has shown `PROCESS_API_TOKEN`.
    ApiToken,
    /// Who has shown `TEST_API_KEY`.
    TestKey,
}

impl Caller {
    /// Their name in events: who did it.
    pub(crate) fn by(&self) -> String {
        match self {
            Self::Stranger => "stranger".to_owned(),
            Self::Session(session) => format!("session:{}", session.user),
            Self::ApiToken => "token:PROCESS_API_TOKEN".to_owned(),
            Self::TestKey => "token:TEST_API_KEY".to_owned(),
        }
    }

    /// The session of whoever has signed in.
    pub(crate) const fn session(&self) -> Option<&Session> {
        match self {
            Self::Session(session) => Some(session),
            Self::Stranger | Self::ApiToken | Self::TestKey => None,
        }
    }
}

impl FromRequest for Caller {
    type Error = HttpProblem;
    type Future = Ready<Result<Self, HttpProblem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = request.extensions().get::<Self>().cloned();
        // The guard is around every address, so there always is one.
        ready(caller.ok_or_else(|| HttpProblem::new(ProblemKind::Internal, "the request was not looked at")))
    }
}
