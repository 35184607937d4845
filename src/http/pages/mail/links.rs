//! The links of a mail and their copies.

use render_signal_actors::mail::life::MailEvent;
use render_signal_actors::readmodel::queries::MailLink;
use render_signal_actors::story::Story;

use super::words::Words;
use crate::http::pages::clock::PageClock;
use crate::http::pages::parts::{Badge, Mood, UntrustedText};
use crate::words::recorded::plain;

pub(super) struct LinkShown {
    pub(super) url: UntrustedText,
    /// Where it leads, if it is one that a browser may follow from here.
    pub(super) href: Option<String>,
    pub(super) provider: Option<UntrustedText>,
    pub(super) badge: Option<Badge>,
    /// What is said besides: the file's name, or why there is no copy.
    pub(super) said: Option<UntrustedText>,
    pub(super) copy: Option<UntrustedText>,
    pub(super) copy_href: Option<String>,
}

/// Every link that was decided about, with what became of it.
pub(super) fn of(clock: PageClock, story: &Story) -> Vec<LinkShown> {
    let routed = story.steps.iter().rev().find_map(|step| match &step.known {
        MailEvent::Routed(routed) => Some(routed),
        _ => None,
    });
    let waits = routed.is_some_and(|routed| routed.offload) && story.links.is_empty();
    let found = routed.map(|routed| routed.links.as_slice()).unwrap_or_default();
    let mut links: Vec<LinkShown> = found
        .iter()
        .map(|link| {
            let became = story.links.iter().find(|one| one.raw_url == link.raw_url);
            shown(clock, &link.raw_url, Some(&link.provider), became, waits)
        })
        .collect();
    let untold = story.links.iter().filter(|one| !found.iter().any(|link| link.raw_url == one.raw_url));
    links.extend(untold.map(|one| shown(clock, &one.raw_url, one.provider.as_deref(), Some(one), false)));
    links
}

fn shown(
    clock: PageClock,
    url: &str,
    provider: Option<&str>,
    became: Option<&MailLink>,
    waits: bool,
) -> LinkShown {
    let w = Words::of(clock.lang);
    let copy = became.and_then(|became| became.r2_url.as_deref());
    let why = became.and_then(|became| became.why.as_deref());
    let before = became.is_some_and(|became| became.reused_from.is_some());
    let badge = match (copy, why) {
        (Some(_), _) if before => Some(Badge::new(Mood::Good, w.copied_before)),
        (Some(_), _) => Some(Badge::new(Mood::Good, w.copied_as)),
        (None, Some(_)) => Some(Badge::new(Mood::None, w.not_copied)),
        (None, None) => waits.then(|| Badge::new(Mood::Wait, w.copy_waits)),
    };
    let name = became.and_then(|became| became.filename.clone());
    LinkShown {
        url: UntrustedText(url.to_owned()),
        href: safe(url),
        provider: provider.map(|provider| UntrustedText(provider.to_owned())),
        badge,
        said: why.map(|why| UntrustedText(plain(clock.lang, why).into_owned())).or(name.map(UntrustedText)),
        copy: copy.map(|copy| UntrustedText(copy.to_owned())),
        copy_href: copy.and_then(safe),
    }
}

/// An address that a browser may be led to.
fn safe(url: &str) -> Option<String> {
    url.starts_with("https://").then(|| url.to_owned())
}
