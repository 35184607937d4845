//! Consent in a browser: the address that is opened, and what the browser brings back. Pure, but
//! for the one request that redeems the code.

use secrecy::SecretString;
use subtle::ConstantTimeEq as _;
use url::{Url, form_urlencoded};

use super::pkce::PkcePair;
use super::{ConsentFailure, complete};
use crate::kernel::heard::Secrets;
use crate::oauth::endpoint::TokenEndpoint;
use crate::oauth::grant::{TokenGrant, TokenRequest, is_token};
use crate::oauth::provider::ProviderName;

/// One question to a person.
#[derive(Debug, Clone)]
pub struct ConsentQuestion {
    /// Where the browser comes back to.
    pub redirect: String,
    /// What it brings back, so that it is the answer to this question.
    pub state: String,
    /// See [`PkcePair`].
    pub pkce: PkcePair,
    /// Whose mailbox it is about, if that is known.
    pub user: Option<String>,
}

impl ConsentQuestion {
    /// The address to open.
    ///
    /// # Errors
    /// [`ConsentFailure::NoWay`].
    pub fn address(&self, endpoint: &TokenEndpoint) -> Result<Url, ConsentFailure> {
        let provider = &endpoint.provider;
        let mut url = provider.authorize_url.clone().ok_or(ConsentFailure::NoWay)?;
        let mut query = url.query_pairs_mut();
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &endpoint.client.id)
            .append_pair("redirect_uri", &self.redirect)
            .append_pair("scope", &provider.scope)
            .append_pair("state", &self.state)
            .append_pair("code_challenge", &self.pkce.challenge)
            .append_pair("code_challenge_method", "S256");
        if provider.name == ProviderName::Google {
            // Without these two there is no refresh token, or only the first time.
            query.append_pair("access_type", "offline").append_pair("prompt", "consent");
        }
        if let Some(user) = &self.user {
            query.append_pair("login_hint", user);
        }
        drop(query);
        Ok(url)
    }

    /// The code in the address that the browser asked us for. `None` = it wants something else, such as an
    /// icon.
    ///
    /// # Errors
    /// The person or the provider said no; or it is the answer to another question.
    pub fn code(&self, target: &str) -> Result<Option<SecretString>, ConsentFailure> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if path != "/" {
            return Ok(None);
        }
        let of = |name: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        let (code, error) = (of("code"), of("error"));
        if code.is_none() && error.is_none() {
            return Ok(None);
        }
        let state = of("state").unwrap_or_default();
        if !bool::from(state.as_bytes().ct_eq(self.state.as_bytes())) {
            return Err(ConsentFailure::Foreign);
        }
        if let Some(error) = error {
            let words = of("error_description").unwrap_or(error);
            return Err(ConsentFailure::Declined(Secrets::default().said(words.as_bytes())));
        }
        code.filter(|code| is_token(code)).map(|code| Some(code.into())).ok_or(ConsentFailure::Foreign)
    }

    /// Redeems the code.
    ///
    /// # Errors
    /// The provider gives nothing for it.
    pub async fn redeem(
        &self,
        endpoint: &TokenEndpoint,
        code: SecretString,
    ) -> Result<TokenGrant, ConsentFailure> {
        let verifier = self.pkce.verifier.clone();
        let request = TokenRequest::Code { code, redirect: self.redirect.clone(), verifier };
        complete(endpoint.ask(&request).await?)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn question() -> ConsentQuestion {
        ConsentQuestion {
            redirect: "http://127.0.0.1:4711/".to_owned(),
            state: "st4te".to_owned(),
            pkce: PkcePair::new([7; 32]),
            user: Some("me@example.fr".to_owned()),
        }
    }

    #[test]
    fn only_the_answer_to_this_question_brings_a_code() {
        let question = question();
        let code =
            |target: &str| question.code(target).map(|code| code.map(|code| code.expose_secret().to_owned()));
        assert_eq!(code("/?code=4%2F0x&state=st4te&scope=x"), Ok(Some("4/0x".to_owned())));
        for other in ["/favicon.ico", "/", "/?x=1", "/robots.txt?code=1&state=st4te"] {
            assert_eq!(code(other), Ok(None), "{other}");
        }
        for foreign in [
            "/?code=1",
            "/?code=1&state=",
            "/?code=1&state=st4te2",
            "/?error=access_denied",
            "/?code=a%0ab&state=st4te",
            "/?code=&state=st4te",
        ] {
            assert_eq!(code(foreign), Err(ConsentFailure::Foreign), "{foreign}");
        }
        let declined = code("/?error=access_denied&error_description=no%1b&state=st4te");
        assert_eq!(declined, Err(ConsentFailure::Declined("no?".to_owned())));
    }
}
