//! What the ends of a mail's links mean for the mail. Pure.

use std::collections::BTreeMap;

use super::plan::Unplanned;
use super::{Copied, NoCopy};
use crate::mail::Link;
use crate::mail::life::{LinkKept, LinkOffloaded, LinksKept, MailEvent};

/// A copy that the mail can refer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obtained {
    /// The copy.
    pub copy: Copied,
    /// The mail it was made for, when not for this one.
    pub reused_from: Option<String>,
}

impl From<Copied> for Obtained {
    fn from(copy: Copied) -> Self {
        Self { copy, reused_from: None }
    }
}

/// How the offload of one link ended.
pub type End = Result<Obtained, NoCopy>;

/// What became of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkFate {
    /// A copy was tried.
    Tried(End),
    /// None was, and none will be.
    Untried(Unplanned),
}

/// Why there is no copy, when there may be one in a while.
pub(super) fn passing(end: &End) -> Option<&NoCopy> {
    end.as_ref().err().filter(|failure| failure.passing)
}

/// The links as the payload carries them, and the facts to record: one for each link that was
/// tried, in the order of the mail, then one for all others of the same reason.
///
/// `direct_url` is set on every link that went through here, copied or not (reference
/// section 5.13). A link without a fate counts as kept.
#[must_use]
pub fn settle_links(links: &[Link], fates: Vec<LinkFate>) -> (Vec<Link>, Vec<MailEvent>) {
    let unknown = std::iter::repeat_with(|| LinkFate::Tried(Err(NoCopy::lasting("it was not tried"))));
    let mut settled = Vec::with_capacity(links.len());
    let mut facts = Vec::new();
    let mut untried: BTreeMap<Unplanned, u64> = BTreeMap::new();
    for (link, fate) in links.iter().zip(fates.into_iter().chain(unknown)) {
        let mut link = Link { direct_url: Some(link.raw_url.clone()), ..link.clone() };
        match fate {
            LinkFate::Tried(end) => facts.push(settle_link(&mut link, end)),
            LinkFate::Untried(why) => *untried.entry(why).or_default() += 1,
        }
        settled.push(link);
    }
    facts.extend(
        untried
            .into_iter()
            .map(|(why, count)| MailEvent::LinksKept(LinksKept { count, why: why.to_string() })),
    );
    (settled, facts)
}

fn settle_link(link: &mut Link, end: End) -> MailEvent {
    let raw_url = link.raw_url.clone();
    match end {
        Ok(Obtained { copy: Copied { source_url, r2_url, original_filename, expires_at }, reused_from }) => {
            link.r2_url = Some(r2_url.clone());
            link.original_filename.clone_from(&original_filename);
            let provider = link.provider.clone();
            MailEvent::LinkOffloaded(LinkOffloaded {
                raw_url,
                source_url,
                r2_url,
                provider,
                original_filename,
                expires_at,
                reused_from,
            })
        }
        Err(NoCopy { why, .. }) => MailEvent::LinkKept(LinkKept { raw_url, why }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(url: &str) -> Link {
        Link {
            provider: "dropbox".to_owned(),
            raw_url: url.to_owned(),
            direct_url: None,
            r2_url: None,
            original_filename: None,
        }
    }

    #[test]
    fn every_link_ends_and_gets_its_direct_url() {
        let copied = Copied {
            source_url: "https://a?dl=1".to_owned(),
            r2_url: "https://m/a".to_owned(),
            original_filename: Some("a.zip".to_owned()),
            expires_at: None,
        };
        let links = [link("https://a"), link("https://b"), link("https://c")];
        let fates =
            vec![LinkFate::Tried(Ok(copied.into())), LinkFate::Tried(Err(NoCopy::lasting("refused")))];
        let (settled, events) = settle_links(&links, fates);

        let seen: Vec<_> =
            settled.iter().map(|link| (link.direct_url.as_deref(), link.r2_url.as_deref())).collect();
        assert_eq!(
            seen,
            [(Some("https://a"), Some("https://m/a")), (Some("https://b"), None), (Some("https://c"), None)]
        );
        assert_eq!(settled.first().and_then(|link| link.original_filename.as_deref()), Some("a.zip"));
        assert!(matches!(
            events.as_slice(),
            [MailEvent::LinkOffloaded(_), MailEvent::LinkKept(LinkKept { why, .. }), MailEvent::LinkKept(_)] if why == "refused"
        ));
    }

    #[test]
    fn links_that_were_not_tried_are_one_fact_for_each_reason() {
        let links: Vec<Link> = (0..300).map(|n| link(&format!("https://{n}"))).collect();
        let fate = |n: usize| match n {
            0 => LinkFate::Tried(Err(NoCopy::lasting("refused"))),
            n if n % 3 == 0 => LinkFate::Untried(Unplanned::TooLong),
            _ => LinkFate::Untried(Unplanned::TooMany(1)),
        };
        let (settled, events) = settle_links(&links, (0..300).map(fate).collect());
        assert!(settled.iter().zip(&links).all(|(link, raw)| link.direct_url.as_ref() == Some(&raw.raw_url)));
        let [
            MailEvent::LinkKept(_),
            MailEvent::LinksKept(LinksKept { count: 99, why: long }),
            MailEvent::LinksKept(LinksKept { count: 200, why: many }),
        ] = events.as_slice()
        else {
            panic!("{events:?}")
        };
        assert!(long.contains("8192 bytes") && many.contains("R2_MAX_LINKS_PER_MAIL"), "{long} {many}");
    }
}
