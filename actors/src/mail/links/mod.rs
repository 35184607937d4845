//! Links to files in a mail.
//!
//! Unlike in the reference system (reference section 5.11), hosts are compared exactly (a look-alike is no delivery), an address
//! ends where a person would see its end, and what mail filters put around it is undone: it is
//! part of the address, nobody is asked.
//!
//! | file | what it knows |
//! |---|---|
//! | [`scan`](mod@scan) | addresses in a text: where they begin and end |
//! | [`anchors`] | addresses in a page: what is a link there, and what it says |
//! | [`gather`] | which of them are the mail's links |
//! | [`hidden`] | addresses that hide where they lead |
//! | [`super::wrappers`] | addresses within addresses |
//! | [`super::providers`] | whose addresses lead to files |

pub(super) mod address;
mod anchors;
mod gather;
mod hidden;
mod scan;
#[cfg(test)]
mod tests;

use super::cut;
use super::identity::is_space;
use super::providers::Providers;
use super::{Link, Mail};
use crate::kernel::said::{Said, said};
use address::{MAX_AUTHORITY, host, schemes, trim_punctuation};
use gather::{AddressPlace, Gather};
use scan::{TextKind, scan};

/// What is found in a mail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundLinks {
    /// The links, each once, in order of first appearance: those of the plain text first. At most
    /// 10,000.
    pub links: Vec<Link>,
    /// How often there was a further one.
    pub left_out: usize,
    /// Hosts of addresses that hide where they lead, at most three.
    pub hidden: Vec<String>,
    /// There were more addresses within addresses than are looked into.
    pub exhausted: bool,
}

impl FoundLinks {
    /// Why there may be links that were not found, in words; `None` when nothing suggests it.
    #[must_use]
    pub fn doubt(&self) -> Option<Said> {
        let hidden = match self.hidden.as_slice() {
            [] => None,
            [one] => Some(said!("{one} cache où mène son lien", "{one} hides where its link leads")),
            several => {
                let hosts = several.join(", ");
                Some(said!("{hosts} cachent où mènent leurs liens", "{hosts} hide where their links lead"))
            }
        };
        let exhausted = self.exhausted.then(|| {
            said!(
                "plus d'adresses sont dans d'autres qu'on n'en examine",
                "more addresses lie within others than are looked into"
            )
        });
        let doubts: Vec<Said> = hidden.into_iter().chain(exhausted).collect();
        (!doubts.is_empty()).then(|| Said {
            french: Said::joined(&doubts, " ; ").french,
            english: Said::joined(&doubts, "; ").english,
        })
    }
}

/// The links of a mail.
#[must_use]
pub fn of_mail(mail: &Mail, providers: &Providers) -> FoundLinks {
    find(&mail.plain, &mail.html, providers)
}

/// The links of a plain text and of a page.
pub(super) fn find(plain: &str, html: &str, providers: &Providers) -> FoundLinks {
    let mut gather = Gather::new(providers, !html.trim().is_empty());
    let (page, left_out) = cut::split(html);
    scan(plain, TextKind::Plain, providers, |spotted| {
        gather.take(&spotted.url, AddressPlace::Plain, spotted.cut);
    });
    anchors::gather(page, &mut gather);
    scan(left_out, TextKind::Seen, providers, |spotted| {
        gather.take(&spotted.url, AddressPlace::Target, false);
    });
    gather.finish()
}

/// The host of every http(s) link of a text, lower-cased. No redirection is undone, and a
/// link with a user name has no host.
pub(super) fn hosts(text: &str) -> Vec<String> {
    let ends_link = |letter: char| is_space(letter) || matches!(letter, '<' | '>' | '"' | '\\' | '\'');
    schemes(text)
        .filter_map(|scheme| {
            let rest = text.get(scheme.end..)?;
            // One byte more than is looked at, so that a longer authority is seen to be one.
            let near = rest.get(..rest.floor_char_boundary(MAX_AUTHORITY + 1))?;
            let end = near.find(ends_link);
            let found = host(trim_punctuation(near.get(..end.unwrap_or(near.len()))?))?;
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte) || byte >= 0x80;
            (!found.is_empty() && found.bytes().all(plain)).then(|| found.to_lowercase())
        })
        .collect()
}
