//! Where the journal is.

use std::fmt;
use std::path::{Path, PathBuf};

use render_signal_actors::kernel::journal::redis::DEFAULT_PREFIX;
use render_signal_actors::kernel::redis::RedisAddress;
use secrecy::ExposeSecret as _;
use url::Url;

#[derive(Debug, Clone)]
pub(crate) enum JournalPlace {
    /// One SQLite file.
    File(PathBuf),
    /// A Redis or Valkey server.
    Redis(RedisPlace),
}

/// A journal in Redis.
#[derive(Debug, Clone)]
pub(crate) struct RedisPlace {
    /// The server; the address may hold a password.
    pub(crate) server: RedisAddress,
    /// `JOURNAL_REDIS_PREFIX`, before every key.
    pub(crate) prefix: String,
}

impl JournalPlace {
    /// The file, if it is one.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Redis(_) => None,
        }
    }

    /// The server, if it is on one.
    pub(crate) const fn server(&self) -> Option<&RedisAddress> {
        match self {
            Self::File(_) => None,
            Self::Redis(place) => Some(&place.server),
        }
    }

    /// Reads the value of `JOURNAL_URL`; `prefix` is for one in Redis.
    ///
    /// # Errors
    /// What is wrong. Never more than the scheme is shown: the rest may hold a password.
    pub(crate) fn from_url(url: &str, prefix: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = url.split_once(':') else {
            return Err("has no scheme; sqlite:PATH or redis://HOST is expected".to_owned());
        };
        match scheme.to_ascii_lowercase().as_str() {
            "sqlite" => {
                // sqlite:data/x.db, sqlite:/data/x.db and sqlite:///data/x.db are all in use.
                let path = rest.strip_prefix("//").unwrap_or(rest);
                if path.is_empty() {
                    return Err("the path after sqlite: is missing".to_owned());
                }
                Ok(Self::File(PathBuf::from(path)))
            }
            "redis" | "rediss" => {
                redis(url).map(|server| Self::Redis(RedisPlace { server, prefix: prefix.to_owned() }))
            }
            _ => Err(format!("scheme {scheme:?} is not supported; sqlite:PATH, redis:// and rediss:// are")),
        }
    }
}

/// Reads the address of a Redis server.
///
/// # Errors
/// What is wrong. Never more than the scheme is shown: the rest may hold a password.
pub(crate) fn redis(url: &str) -> Result<RedisAddress, String> {
    match Url::parse(url) {
        Ok(parsed) if matches!(parsed.scheme(), "redis" | "rediss") && parsed.has_host() => Ok(url.into()),
        Ok(parsed) => {
            Err(format!("is a {}: address; redis://HOST:PORT/DATABASE is expected", parsed.scheme()))
        }
        Err(_) => Err("is no address of a server; redis://HOST:PORT/DATABASE is".to_owned()),
    }
}

/// Reads the value of `JOURNAL_REDIS_PREFIX`. A colon at its end is put there anyway.
///
/// # Errors
/// What is wrong.
pub(crate) fn prefix(text: &str) -> Result<String, String> {
    /// A key is sent with every command.
    const LONGEST: usize = 100;
    let prefix = text.trim_end_matches(':');
    if prefix.is_empty() {
        return Err("is nothing but colons".to_owned());
    }
    if prefix.len() > LONGEST {
        return Err(format!("is longer than {LONGEST} bytes"));
    }
    // Braces would end the part of a key that keeps all of them on one server.
    match prefix
        .chars()
        .find(|&letter| letter.is_whitespace() || letter.is_control() || "{}".contains(letter))
    {
        Some(letter) => Err(format!("has {letter:?} in it, which no key may have")),
        None => Ok(prefix.to_owned()),
    }
}

/// Without user name and password.
impl fmt::Display for JournalPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Redis(place) => match Url::parse(place.server.url.expose_secret()) {
                Ok(url) => {
                    write!(f, "{}://{}", url.scheme(), url.host_str().unwrap_or_default())?;
                    if let Some(port) = url.port() {
                        write!(f, ":{port}")?;
                    }
                    f.write_str(url.path())?;
                    if place.prefix == DEFAULT_PREFIX { Ok(()) } else { write!(f, " ({})", place.prefix) }
                }
                Err(_) => f.write_str("redis"),
            },
        }
    }
}
