//! File services, as data: which links are deliveries, and where their files may be fetched.
//!
//! They are the document `providers`; `docs/PROVIDERS.md` describes it. What an installation
//! has that configures none is such a document, too (`default.json`): there is no other kind.

mod compile;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use serde_json::Value;
use url::Url;

pub use self::compile::providers;
use super::links::address;

/// The document of an installation that configures no providers.
pub const DEFAULT_DOCUMENT: &str = include_str!("default.json");

/// A name of a host, or `*.` and a name: all of its sub-domains, but not itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Host {
    /// This very name, lower-cased.
    Exact(String),
    /// What ends with a dot and this.
    Below(String),
}

impl Host {
    fn fits(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => name == host,
            Self::Below(name) => host
                .strip_suffix(name.as_str())
                .is_some_and(|before| before.len() > 1 && before.ends_with('.')),
        }
    }
}

/// Paths, lower-cased: a file service that tells `/S/` from `/s/` is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Paths {
    /// `/help`: this path, and what lies below it.
    At(String),
    /// `/s/`, `/t-*`: what begins so and goes on.
    From(String),
}

impl Paths {
    /// `path`: lower-cased, with its first `/`.
    fn fits(&self, path: &str) -> bool {
        match self {
            Self::At(at) => {
                path.strip_prefix(at.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            Self::From(start) => {
                path.strip_prefix(start.as_str()).is_some_and(|rest| !rest.trim_matches('/').is_empty())
            }
        }
    }
}

/// Where the files of a provider may be fetched. What a request may reach at all is decided by
/// [`crate::egress`], whatever stands here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    from: Vec<Host>,
    /// `None` = wherever the provider leads.
    redirects: Option<Vec<Host>>,
}

impl Reach {
    /// Whether a file may be fetched from this address. It is read by the rules of the WHATWG URL
    /// standard, as whoever fetches it will read it.
    #[must_use]
    pub fn allows(&self, url: &str) -> bool {
        Url::parse(url).is_ok_and(|url| is_plain(&url) && is_one_of(&self.from, &url))
    }

    /// Whether a redirection may lead there.
    #[must_use]
    pub fn may_lead_to(&self, url: &Url) -> bool {
        let Some(redirects) = &self.redirects else { return true };
        is_plain(url) && (is_one_of(&self.from, url) || is_one_of(redirects, url))
    }
}

/// Nobody shares a file by a link with a user name; a look-alike has one.
fn is_plain(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none()
}

fn is_one_of(hosts: &[Host], url: &Url) -> bool {
    url.host_str().is_some_and(|host| hosts.iter().any(|known| known.fits(host)))
}

/// A file service. Made by [`providers`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// What it is called in `delivery_links`: `dropbox`.
    pub name: String,
    hosts: Vec<Host>,
    except_hosts: Vec<Host>,
    paths: Vec<Paths>,
    except_paths: Vec<Paths>,
    /// Where its files may be fetched.
    pub reach: Arc<Reach>,
}

/// The file services of an installation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Providers {
    list: Vec<Provider>,
    /// Whose a host is, by its very name.
    by_name: HashMap<String, usize>,
    /// Whose the hosts below a name are.
    below: HashMap<String, usize>,
    /// Labels of the longest of those names: no more of a host is looked at.
    labels: usize,
}

impl Providers {
    fn of_list(list: Vec<Provider>) -> Self {
        let mut read = Self { list, ..Self::default() };
        for (at, provider) in read.list.iter().enumerate() {
            for host in &provider.hosts {
                match host {
                    Host::Exact(name) => read.by_name.insert(name.clone(), at),
                    Host::Below(name) => {
                        read.labels = read.labels.max(name.split('.').count());
                        read.below.insert(name.clone(), at)
                    }
                };
            }
        }
        read
    }

    /// The provider whose file this is a link to; `None` for any other address: another host, a
    /// user name before it, a page of the provider that is no file.
    #[must_use]
    pub fn of(&self, url: &str) -> Option<&Provider> {
        let (_, rest) = address::split_scheme(url)?;
        let provider = self.of_host(address::host(rest)?)?;
        let path = rest.get(rest.find(['/', '?', '#'])?..)?;
        let path = path.get(..path.find(['?', '#']).unwrap_or(path.len()))?.to_ascii_lowercase();
        let fits = |paths: &[Paths]| paths.iter().any(|known| known.fits(&path));
        (fits(&provider.paths) && !fits(&provider.except_paths)).then_some(provider)
    }

    /// The provider that has files at this host.
    #[must_use]
    pub fn of_host(&self, host: &str) -> Option<&Provider> {
        let host = match host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Cow::Owned(host.to_ascii_lowercase()),
            false => Cow::Borrowed(host),
        };
        let above = || {
            let dots = host.rmatch_indices('.').take(self.labels).filter(|(dot, _)| *dot > 0);
            // The longest name that fits counts.
            dots.filter_map(|(dot, _)| self.below.get(host.get(dot + 1..)?)).last()
        };
        let at = self.by_name.get(host.as_ref()).or_else(above)?;
        self.list.get(*at).filter(|provider| !provider.except_hosts.iter().any(|except| except.fits(&host)))
    }

    /// The provider of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Provider> {
        self.list.iter().find(|provider| provider.name == name)
    }
}

/// The providers of an installation that configures none.
#[must_use]
pub fn defaults() -> Arc<Providers> {
    static DEFAULTS: LazyLock<Arc<Providers>> = LazyLock::new(|| {
        let document: Value = serde_json::from_str(DEFAULT_DOCUMENT).unwrap_or_default();
        Arc::new(providers(&document).unwrap_or_default())
    });
    Arc::clone(&DEFAULTS)
}

#[cfg(test)]
mod tests;
