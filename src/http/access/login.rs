//! How people sign in, and who has.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{HeaderValue, USER_AGENT};
use actix_web::{HttpMessage as _, HttpRequest};
use render_signal_actors::access::Visitor;
use render_signal_actors::access::links::MagicLinks;
use render_signal_actors::access::password::Passwords;
use render_signal_actors::access::sessions::{Session, Sessions};
use render_signal_actors::access::throttle::Throttle;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use super::{Access, Caller, cookie, origin};
use crate::http::problem::{HttpProblem, ProblemKind};

/// How often it is checked whether the session of an open stream is over. A stolen cookie is sent
/// events for this long, at most, after its session was revoked.
const SESSION_CHECK_INTERVAL: Duration = Duration::from_millis(500);
/// A stream ends when it could not be found out for this long whether its session is open.
const UNKNOWN_TIMEOUT: Duration = Duration::from_secs(10);

/// How people sign in.
#[derive(Clone)]
pub(crate) struct Login {
    /// Who has signed in.
    pub(crate) sessions: Arc<Sessions>,
    /// Links that sign somebody in.
    pub(crate) links: Arc<MagicLinks>,
    /// The one user.
    pub(crate) passwords: Passwords,
    /// How fast somebody may try.
    pub(crate) throttle: Throttle,
    /// `PUBLIC_BASE_URL`; `None` = no sign-in link can be made.
    pub(crate) base_url: Option<Url>,
    /// TLS is in front, whatever a request says.
    pub(crate) tls: bool,
}

impl Login {
    /// The address of a sign-in link; `None` = nobody has said under which address we are reached.
    pub(in crate::http) fn link_url(&self, token: &str) -> Option<String> {
        let base = self.base_url.as_ref()?.as_str().trim_end_matches('/');
        Some(format!("{base}/login/magic/{token}"))
    }
}

impl Access {
    /// Who has signed in, where a page of ours has sent what changes something.
    ///
    /// # Errors
    /// Nobody has, another site sent it, or it cannot be known now.
    pub(in crate::http) async fn by_session(&self, request: &HttpRequest) -> Result<Caller, HttpProblem> {
        let session = self.session(request).await?;
        self.check_origin(request)?;
        Ok(Caller::Session(session))
    }

    /// Lets through what no page of another site sent.
    ///
    /// # Errors
    /// One did.
    pub(super) fn check_origin(&self, request: &HttpRequest) -> Result<(), HttpProblem> {
        origin::check(request, self.base_url())
    }

    /// Lets through who reads what costs work, unless a page of another site has it read.
    ///
    /// # Errors
    /// One does.
    pub(super) fn check_reader(&self, request: &HttpRequest) -> Result<(), HttpProblem> {
        origin::check_reader(request, self.base_url())
    }

    /// `PUBLIC_BASE_URL`.
    fn base_url(&self) -> Option<&Url> {
        self.login.as_ref().and_then(|login| login.base_url.as_ref())
    }

    /// The session of the cookie.
    ///
    /// # Errors
    /// There is none, or it cannot be known now.
    pub(in crate::http) async fn session(&self, request: &HttpRequest) -> Result<Session, HttpProblem> {
        let nobody = || {
            HttpProblem::new(ProblemKind::Unauthenticated, "nobody has logged in, or the session has ended")
        };
        let login = self.login.as_ref().ok_or_else(nobody)?;
        let shown = cookie::shown(request, self.is_over_tls(request)).ok_or_else(nobody)?;
        let found = login.sessions.find(shown, &self.visitor(request)).await;
        found.map_err(HttpProblem::unavailable)?.ok_or_else(nobody)
    }

    /// Waits until the session is over that an answer is being sent to; for ever where that goes
    /// to whoever has shown a token.
    pub(in crate::http) fn until_over(&self, request: &HttpRequest) -> impl Future<Output = ()> + use<> {
        let by_session = matches!(request.extensions().get::<Caller>(), Some(Caller::Session(_)));
        let cookie = cookie::shown(request, self.is_over_tls(request)).map(str::to_owned);
        let login = self.login.clone().filter(|_| by_session);
        async move {
            let (Some(login), Some(cookie)) = (login, cookie) else { return std::future::pending().await };
            until_closed(async || login.sessions.is_open(&cookie).await).await;
        }
    }

    /// Ends the session of the cookie, if there is one: it is over for the browser in any case.
    pub(in crate::http) async fn end_shown(&self, request: &HttpRequest, reason: &str) {
        let (Some(login), Ok(session)) = (&self.login, self.session(request).await) else { return };
        let by = Caller::Session(session.clone()).by();
        if let Err(error) = login.sessions.end(&session.id, reason, &by).await {
            tracing::warn!(%error, "a session that was left is not ended yet: it ends by itself");
        }
    }

    /// Whoever asks from there has signed in.
    pub(in crate::http) async fn login_succeeded(&self, request: &HttpRequest) {
        if let Some(login) = &self.login {
            login.throttle.succeeded(self.guesses.client(request)).await;
        }
    }

    /// The cookie that a browser is to keep, or to forget.
    pub(in crate::http) fn cookie(
        &self,
        request: &HttpRequest,
        secret: Option<&SecretString>,
    ) -> Option<HeaderValue> {
        let tls = self.is_over_tls(request);
        secret.map_or_else(|| cookie::clear(tls), |secret| cookie::set(secret.expose_secret(), tls))
    }

    /// Where somebody asks from.
    pub(in crate::http) fn visitor(&self, request: &HttpRequest) -> Visitor {
        let address: Option<IpAddr> = self.guesses.client(request);
        let agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        Visitor::new(address, agent.unwrap_or_default())
    }

    /// Whether a browser has come over TLS: by the settings, or by the word of a trusted proxy.
    pub(in crate::http) fn is_over_tls(&self, request: &HttpRequest) -> bool {
        self.login.as_ref().is_some_and(|login| login.tls) || self.guesses.says_tls(request)
    }
}

/// Waits until something is not open any more, or was not known to be for [`UNKNOWN_TIMEOUT`]: whoever
/// ended it may be the one who cannot be asked.
async fn until_closed<E>(is_open: impl AsyncFn() -> Result<bool, E>) {
    let mut known = Instant::now();
    loop {
        match timeout(UNKNOWN_TIMEOUT.saturating_sub(known.elapsed()), is_open()).await {
            Ok(Ok(true)) => known = Instant::now(),
            Ok(Ok(false)) | Err(_) => return,
            Ok(Err(_)) if known.elapsed() >= UNKNOWN_TIMEOUT => return,
            Ok(Err(_)) => {}
        }
        sleep(SESSION_CHECK_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::pending;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_within_a_second_of_its_session_and_is_not_open_unseen() {
        let start = Instant::now();
        let at = Duration::from_secs;
        // Open, not known for a while, open again, and revoked.
        until_closed(async || match start.elapsed() {
            now if now < at(5) => Ok(true),
            now if now < at(14) => Err(()),
            now => Ok(now < at(60)),
        })
        .await;
        assert!((at(60)..at(61)).contains(&start.elapsed()), "{:?}", start.elapsed());

        let (start, looks) = (Instant::now(), Cell::new(0));
        until_closed(async || {
            looks.set(looks.get() + 1);
            if looks.get() == 1 { Ok(true) } else { Err(()) }
        })
        .await;
        assert!((at(9)..at(12)).contains(&start.elapsed()), "{:?}", start.elapsed());

        // A journal that never answers at all.
        let start = Instant::now();
        until_closed(async || pending::<Result<bool, ()>>().await).await;
        assert_eq!(start.elapsed(), UNKNOWN_TIMEOUT);
    }
}
