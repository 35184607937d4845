//! Who has a token: `Authorization: Bearer …` (RFC 6750 section 2.1).
//!
//! The right token is accepted at once. The answer to a wrong one is held back for a moment, and of
//! one address only a few wait at a time: further wrong ones are refused at once as too many. An
//! address has an entry only while a guess of it waits, so there are no more entries than
//! connections.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderValue};
use render_signal_actors::access::throttle::network;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::http::client::Proxies;

/// How long the answer to a wrong token is held back.
const WRONG_TOKEN_DELAY: Duration = Duration::from_secs(1);
/// Wrong guesses of one address that wait for their answer at a time.
const MAX_WAITING: usize = 8;

/// A token as it is kept: its SHA-256, so that a comparison does not even give its length away.
#[derive(Clone)]
pub(crate) struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// Of the text of the token.
    pub(crate) fn new(text: &SecretString) -> Self {
        Self(Sha256::digest(text.expose_secret().as_bytes()).into())
    }

    /// `Bearer` and the token. Takes the same time for every wrong one.
    fn is_borne_by(&self, header: &HeaderValue) -> bool {
        let Some((scheme, token)) = header.as_bytes().trim_ascii().split_at_checked(6) else { return false };
        let separated = token.first().is_some_and(u8::is_ascii_whitespace);
        scheme.eq_ignore_ascii_case(b"bearer") && separated & self.is(token.trim_ascii_start())
    }

    /// Takes the same time for every wrong one.
    fn is(&self, shown: &[u8]) -> bool {
        let digest: [u8; 32] = Sha256::digest(shown).into();
        bool::from(digest.ct_eq(&self.0))
    }
}

/// What the bearer token of a request is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum TokenCheck {
    /// The right token.
    Right,
    /// No token.
    Nothing,
    /// Another token; it has waited.
    Wrong,
    /// Another token, answered at once: too many wrong ones of its address wait.
    TooMany,
}

/// The wrong guesses that wait, by address. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Guesses(Arc<Mutex<HashMap<IpAddr, usize>>>, Proxies);

impl Guesses {
    /// Of those who ask through these proxies, too.
    pub(crate) fn behind(proxies: Proxies) -> Self {
        Self(Arc::default(), proxies)
    }

    /// Who asks; see [`Proxies::client`].
    pub(in crate::http) fn client(&self, request: &HttpRequest) -> Option<IpAddr> {
        self.1.client(request)
    }

    /// Whether a browser has come over TLS; see [`Proxies::says_tls`].
    pub(in crate::http) fn says_tls(&self, request: &HttpRequest) -> bool {
        self.1.says_tls(request)
    }

    /// Whether the request bears the token: `Authorization: Bearer …`.
    pub(in crate::http) async fn check(&self, token: &TokenDigest, request: &HttpRequest) -> TokenCheck {
        let Some(header) = request.headers().get(AUTHORIZATION) else { return TokenCheck::Nothing };
        self.judge(token.is_borne_by(header), request).await
    }

    /// Whether the request bears this token. What it bears instead may be another one, so nothing
    /// waits here: ask [`Self::check`] about the last one that it may be.
    pub(in crate::http) fn bears(&self, token: &TokenDigest, request: &HttpRequest) -> bool {
        request.headers().get(AUTHORIZATION).is_some_and(|header| token.is_borne_by(header))
    }

    /// Whether the request shows the token, bare, in a header of its own.
    pub(in crate::http) async fn check_header(
        &self,
        token: &TokenDigest,
        request: &HttpRequest,
        name: &str,
    ) -> TokenCheck {
        let Some(header) = request.headers().get(name) else { return TokenCheck::Nothing };
        self.judge(token.is(header.as_bytes()), request).await
    }

    async fn judge(&self, right: bool, request: &HttpRequest) -> TokenCheck {
        let peer = || request.peer_addr().map(|peer| peer.ip());
        let from = network(self.client(request).or_else(peer));
        // First: behind a proxy everybody may have one address, and somebody who guesses must not
        // keep the operator out. With 24 characters, parallel guesses find nothing.
        if right {
            return TokenCheck::Right;
        }
        if self.waiting(from) >= MAX_WAITING {
            return TokenCheck::TooMany;
        }
        let _waits = Waits::new(self, from);
        tokio::time::sleep(WRONG_TOKEN_DELAY).await;
        TokenCheck::Wrong
    }

    fn waiting(&self, from: IpAddr) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&from).copied().unwrap_or(0)
    }
}

/// A guess that waits.
struct Waits<'g> {
    guesses: &'g Guesses,
    from: IpAddr,
}

impl<'g> Waits<'g> {
    fn new(guesses: &'g Guesses, from: IpAddr) -> Self {
        *guesses.0.lock().unwrap_or_else(PoisonError::into_inner).entry(from).or_default() += 1;
        Self { guesses, from }
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        let mut waiting = self.guesses.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = waiting.get(&self.from).copied().unwrap_or(0).saturating_sub(1);
        if left == 0 {
            waiting.remove(&self.from);
        } else {
            waiting.insert(self.from, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    const RIGHT: &str = "Bearer a-token-of-the-tests-0123456789";

    fn token() -> TokenDigest {
        TokenDigest::new(&RIGHT.trim_start_matches("Bearer ").into())
    }

    fn request(from: &str, shows: Option<&str>) -> HttpRequest {
        let request = TestRequest::get().peer_addr(format!("{from}:999").parse().expect("an address"));
        match shows {
            Some(header) => request.insert_header((AUTHORIZATION, header)).to_http_request(),
            None => request.to_http_request(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_right_token_is_believed_at_once_and_nothing_else() {
        let guesses = Guesses::default();
        for (shows, wanted) in [
            (Some(RIGHT), TokenCheck::Right),
            (Some("bEARER   a-token-of-the-tests-0123456789 "), TokenCheck::Right),
            (None, TokenCheck::Nothing),
            (Some("Bearer a-token-of-the-tests-012345678"), TokenCheck::Wrong),
            (Some("Bearera-token-of-the-tests-0123456789"), TokenCheck::Wrong),
            (Some("Basic a-token-of-the-tests-0123456789"), TokenCheck::Wrong),
            (Some("Bearer "), TokenCheck::Wrong),
            (Some(""), TokenCheck::Wrong),
        ] {
            let begun = tokio::time::Instant::now();
            let shown = guesses.check(&token(), &request("192.0.2.1", shows)).await;
            assert_eq!(shown, wanted, "{shows:?}");
            let pause = if wanted == TokenCheck::Wrong { WRONG_TOKEN_DELAY } else { Duration::ZERO };
            assert!(
                begun.elapsed() >= pause && (pause > Duration::ZERO) == (begun.elapsed() > Duration::ZERO)
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_guesses_wait_and_the_right_token_is_believed_beside_them() {
        let guesses = Guesses::default();
        for (guesser, neighbour, other) in
            [("192.0.2.1", "192.0.2.1", "192.0.2.2"), ("[2001:db8::1]", "[2001:db8::2:3]", "[2001:db8:1::1]")]
        {
            let waiting: Vec<_> = (0..MAX_WAITING)
                .map(|_| {
                    let guesses = guesses.clone();
                    let request = request(guesser, Some("Bearer wrong"));
                    async move { guesses.check(&token(), &request).await }
                })
                .collect();
            let waiting = futures::future::join_all(waiting);
            let meanwhile = async {
                tokio::time::sleep(WRONG_TOKEN_DELAY / 2).await;
                assert_eq!(guesses.0.lock().expect("a map").len(), 1);
                let wrong = guesses.check(&token(), &request(neighbour, Some("Bearer wrong"))).await;
                assert_eq!(wrong, TokenCheck::TooMany);
                for from in [neighbour, other] {
                    assert_eq!(guesses.check(&token(), &request(from, Some(RIGHT))).await, TokenCheck::Right);
                }
            };
            let (waited, ()) = futures::future::join(waiting, meanwhile).await;
            assert_eq!(waited, [TokenCheck::Wrong; MAX_WAITING]);
            assert!(guesses.0.lock().expect("a map").is_empty(), "nothing is kept");
            assert_eq!(guesses.check(&token(), &request(guesser, Some(RIGHT))).await, TokenCheck::Right);
        }
    }
}
