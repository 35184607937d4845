//! Which of the addresses of a mail are its links.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Bound;

use super::address::split_scheme;
use super::{FoundLinks, hidden};
use crate::mail::Link;
use crate::mail::providers::Providers;
use crate::mail::wrappers::{self, Budget};

/// Hosts that are named at most of those that hide where a link leads.
const NAMED: usize = 3;
/// Links of a mail. No mail that a person wrote has a hundredth of it, and each costs many times
/// its length: in events, in rows, in webhooks. Further ones are counted.
pub(super) const LINKS: usize = 10_000;
/// Longer links that a link is compared with, to see whether it is the beginning of one.
const LONGER: usize = 8;

/// Where an address stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AddressPlace {
    /// In the text of a plain part.
    Plain,
    /// In the text that an HTML part shows.
    Text,
    /// It is the target of an anchor.
    Target,
}

struct GatheredLinks {
    link: Link,
    /// Some anchor leads there.
    is_target: bool,
    /// Wherever it stands, something of it may be missing.
    is_cut: bool,
}

/// The links of one mail, while they are looked for.
pub(super) struct Gather<'p> {
    providers: &'p Providers,
    budget: Budget,
    taken: Vec<GatheredLinks>,
    by_url: HashMap<String, usize>,
    /// What pictures are shown from.
    pictures: HashSet<String>,
    hidden: Vec<String>,
    left_out: usize,
    /// There is an HTML part, which has whole what is cut in the plain part made of it.
    has_page: bool,
}

impl<'p> Gather<'p> {
    pub(super) fn new(providers: &'p Providers, has_page: bool) -> Self {
        Self {
            providers,
            budget: Budget::default(),
            taken: Vec::new(),
            by_url: HashMap::new(),
            pictures: HashSet::new(),
            hidden: Vec::new(),
            left_out: 0,
            has_page,
        }
    }

    /// The providers that are asked.
    pub(super) const fn providers(&self) -> &'p Providers {
        self.providers
    }

    /// Whether work of so many bytes may be done that nothing else bounds.
    pub(super) fn may_look(&mut self, bytes: usize) -> bool {
        self.budget.spend(bytes)
    }

    /// Takes an address. The link that it is or wraps, if any.
    pub(super) fn take(&mut self, address: &str, place: AddressPlace, cut: bool) -> Option<String> {
        if cut && place == AddressPlace::Plain && self.has_page {
            return None;
        }
        let Some((url, provider)) = wrappers::follow(address, self.providers, &mut self.budget) else {
            if self.hidden.len() < NAMED
                && let Some(host) = hidden::host(address, self.providers)
                && !self.hidden.contains(&host)
            {
                self.hidden.push(host);
            }
            return None;
        };
        if provider.name == "dropbox" && is_preview(&url) {
            return None;
        }
        let is_target = place == AddressPlace::Target;
        if let Some(known) = self.by_url.get(&*url).and_then(|at| self.taken.get_mut(*at)) {
            known.is_target |= is_target;
            known.is_cut &= cut;
        } else if self.taken.len() >= LINKS {
            self.left_out += 1;
        } else {
            self.by_url.insert(url.clone().into_owned(), self.taken.len());
            let link = Link::found(&provider.name, &url);
            self.taken.push(GatheredLinks { link, is_target, is_cut: cut });
        }
        Some(url.into_owned())
    }

    /// Notes what a picture is shown from: a plain part made of the page names it, too.
    pub(super) fn picture(&mut self, url: &str) {
        if self.pictures.len() < LINKS && self.providers.of(url).is_some() {
            self.pictures.insert(url.to_owned());
        }
    }

    /// What there is in the end.
    pub(super) fn finish(self) -> FoundLinks {
        let Self { taken, pictures, hidden, left_out, budget, .. } = self;
        let urls = |wanted: fn(&GatheredLinks) -> bool| -> BTreeSet<&str> {
            taken.iter().filter(|one| wanted(one)).map(|one| one.link.raw_url.as_str()).collect()
        };
        let (whole, targets) = (urls(|one| !one.is_cut), urls(|one| one.is_target));
        let counts = |one: &GatheredLinks| {
            let url = one.link.raw_url.as_str();
            one.is_target
                || !(pictures.contains(url)
                    || is_half(url, &targets, false)
                    || (one.is_cut && is_half(url, &whole, true)))
        };
        let keep: Vec<bool> = taken.iter().map(counts).collect();
        let links = taken.into_iter().zip(keep).filter(|(_, keep)| *keep).map(|(one, _)| one.link).collect();
        FoundLinks { links, left_out, hidden, exhausted: budget.is_exhausted() }
    }
}

/// Whether `url` is the beginning of a longer one among `others`, broken off within a word; or
/// anywhere, where it is known to be cut.
fn is_half(url: &str, others: &BTreeSet<&str>, anywhere: bool) -> bool {
    let longer = others.range::<str, _>((Bound::Excluded(url), Bound::Unbounded)).take(LONGER);
    let mut rests = longer.map_while(|other| other.strip_prefix(url));
    rests.any(|rest| anywhere || (!rest.starts_with(['?', '&', '#', '/'])))
}

/// Pictures that Dropbox puts into its own mails: logos, avatars, profile pictures and
/// Microsoft marks (`ms.png`, `ms-logo.png`). A file whose name merely begins with `ms`
/// (`msg_final.png`) is a delivery.
fn is_preview(url: &str) -> bool {
    let before_fragment = url.split('#').next().unwrap_or(url);
    let (address, query) = before_fragment.split_once('?').unwrap_or((before_fragment, ""));
    if !query.split('&').any(|pair| pair == "raw=1") {
        return false;
    }
    let Some((_, path)) = split_scheme(address).and_then(|(_, rest)| rest.split_once('/')) else {
        return false;
    };
    let name = path.rsplit('/').next().unwrap_or_default().to_lowercase();
    let Some((stem, extension)) = name.rsplit_once('.') else { return false };
    path.starts_with("scl/fi/")
        && ["png", "jpg", "jpeg", "webp", "gif"].contains(&extension)
        && (["logo", "avatar", "profile"].iter().any(|picture| stem.starts_with(picture))
            || stem.strip_prefix("ms").is_some_and(|rest| !rest.starts_with(char::is_alphabetic)))
}
