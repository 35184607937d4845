//! Who may sign in, and how.

use chrono::TimeDelta;
use render_signal_actors::access::password::Passwords;
use secrecy::SecretString;
use url::Url;

use super::reader::VariableReader;
use super::variables as vars;

/// The shortest life of a sign-in link, in seconds.
const MIN_LINK_SECONDS: i64 = 60;

/// Who may sign in, and how.
#[derive(Debug, Clone)]
pub(crate) struct AccessSettings {
    /// `FLASK_SECRET_KEY`.
    pub(crate) secret_key: SecretString,
    /// `TRIGGER_PAGE_USER`.
    pub(crate) user: String,
    /// `TRIGGER_PAGE_PASSWORD`: as text or as hash.
    pub(crate) password: SecretString,
    /// `MAGIC_LINK_TTL_SECONDS`.
    pub(crate) link_life: TimeDelta,
    /// `PUBLIC_BASE_URL`, without a slash at the end; `None` = no sign-in link can be made.
    pub(crate) base_url: Option<Url>,
    /// TLS is in front: `PUBLIC_BASE_URL` says so, or this is Render.
    pub(crate) tls: bool,
}

pub(super) fn read(reader: &mut VariableReader<'_>) -> AccessSettings {
    let secret_key = reader.required_secret(&vars::FLASK_SECRET_KEY);
    let password = reader.required_secret(&vars::TRIGGER_PAGE_PASSWORD);
    let user = reader.text(&vars::TRIGGER_PAGE_USER);
    if let Err(why) = Passwords::new(&user, &password, &secret_key) {
        reader.wrong(&vars::TRIGGER_PAGE_PASSWORD, why);
    }
    let seconds: i64 = reader.int(&vars::MAGIC_LINK_TTL_SECONDS);
    let base_url = base_url(reader);
    let tls = base_url.as_ref().is_some_and(|url| url.scheme() == "https")
        || !reader.text(&vars::RENDER).is_empty();
    AccessSettings {
        secret_key,
        user,
        password,
        link_life: TimeDelta::seconds(seconds.max(MIN_LINK_SECONDS)),
        base_url,
        tls,
    }
}

fn base_url(reader: &mut VariableReader<'_>) -> Option<Url> {
    let text = reader.text(&vars::PUBLIC_BASE_URL);
    if text.is_empty() {
        return None;
    }
    let plain = |url: &Url| {
        matches!(url.scheme(), "http" | "https")
            && url.host().is_some()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    };
    match Url::parse(text.trim_end_matches('/')) {
        Ok(url) if plain(&url) => Some(url),
        _ => {
            reader.wrong(
                &vars::PUBLIC_BASE_URL,
                "is no plain http:// or https:// address, without a user, `?` and `#`".to_owned(),
            );
            None
        }
    }
}
