//! Addresses that hide where they lead: a number in somebody's table stands for it, and only
//! asking would tell, which would be a click. They are named, so that a mail without links says
//! where to look.

use super::address::{host as host_of, split_scheme};
use crate::mail::providers::Providers;

/// Longest address that is looked at, in bytes.
const LONGEST: usize = 4 << 10;
/// Shortest text that can stand for an address.
const TOKEN: usize = 12;

/// Parts of an address that are looked at.
const PARTS: usize = 32;

/// Services that do so whatever the rest of the address is; sub-domains included.
const SERVICES: [&str; 30] = [
    "mimecast.com",
    "mimecastprotect.com",
    "emailprotection.link",
    "hornetsecurity.com",
    "retarus.com",
    "sendgrid.net",
    "list-manage.com",
    "mandrillapp.com",
    "hubspotlinks.com",
    "mjt.lu",
    "rs6.net",
    "exct.net",
    "cmail19.com",
    "cmail20.com",
    "sendibm1.com",
    "sendibt3.com",
    "klclick.com",
    "bit.ly",
    "t.co",
    "lnkd.in",
    "tinyurl.com",
    "goo.gl",
    "ow.ly",
    "is.gd",
    "cutt.ly",
    "rebrand.ly",
    "buff.ly",
    "shorturl.at",
    "urlz.fr",
    "t.ly",
];

/// Words in a host or a path that say that a click is counted or checked there.
const WORDS: [&str; 14] = [
    "click",
    "clicks",
    "clicktime",
    "track",
    "tracking",
    "trk",
    "redirect",
    "redir",
    "lnk",
    "linkprotect",
    "safelinks",
    "urldefense",
    "ls",
    "l",
];

/// The host of an address that hides where it leads, lower-cased.
pub(super) fn host(url: &str, providers: &Providers) -> Option<String> {
    let (_, rest) = split_scheme(url)?;
    let host = host_of(rest)?.to_ascii_lowercase();
    let is_name =
        host.contains('.') && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    if !is_name || url.len() > LONGEST {
        return None;
    }
    let after = rest.get(host.len()..).unwrap_or_default();
    if after.trim_matches('/').is_empty() {
        return None;
    }
    let is_service = SERVICES.iter().any(|service| {
        host.strip_suffix(service).is_some_and(|before| before.is_empty() || before.ends_with('.'))
    });
    let parts = after.split(['/', '?', '&', '=', '#']).take(PARTS);
    // Some say whose page it is, and no more: `?domain=dropbox.com`, `?u=www.dropbox.com%2Fs`.
    let names_a_provider = || {
        let mut names = parts.clone().map(|part| part.split('%').next().unwrap_or_default());
        names.any(|name| name.contains('.') && name.len() < 254 && providers.of_host(name).is_some())
    };
    let is_word = |part: &str| WORDS.iter().any(|word| part.eq_ignore_ascii_case(word));
    let says_so = || {
        host.split(['.', '-']).any(|label| label.len() > 2 && is_word(label)) || parts.clone().any(is_word)
    };
    let has_token = || {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~%".contains(&byte);
        parts.clone().any(|part| part.len() >= TOKEN && part.bytes().all(is_letter))
    };
    let hides = is_service || names_a_provider() || (says_so() && has_token());
    hides.then_some(host)
}
