//! Where the journal is.

use std::fmt;
use std::path::{Path, PathBuf};

use render_signal_actors::kernel::redis::RedisAddress;
use secrecy::ExposeSecret as _;
use url::Url;

/// Where the journal is.
#[derive(Debug, Clone)]
pub(crate) enum JournalPlace {
    /// One SQLite file.
    File(PathBuf),
    /// A Redis or Valkey server; the address may hold a password.
    Redis(RedisAddress),
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
            Self::Redis(server) => Some(server),
        }
    }

    /// Reads the value of `JOURNAL_URL`.
    ///
    /// # Errors
    /// What is wrong. Never more than the scheme is shown: the rest may hold a password.
    pub(crate) fn from_url(url: &str) -> Result<Self, String> {
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
            "redis" | "rediss" => redis(url).map(Self::Redis),
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

/// Without user name and password.
impl fmt::Display for JournalPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Redis(server) => match Url::parse(server.url.expose_secret()) {
                Ok(url) => {
                    write!(f, "{}://{}", url.scheme(), url.host_str().unwrap_or_default())?;
                    if let Some(port) = url.port() {
                        write!(f, ":{port}")?;
                    }
                    f.write_str(url.path())
                }
                Err(_) => f.write_str("redis"),
            },
        }
    }
}
