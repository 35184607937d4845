//! What the ends of a mail's links mean for the mail. Pure.

use super::Copied;
use crate::mail::Link;
use crate::mail::life::{Kept, MailEvent, Offloaded};

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
pub type End = Result<Obtained, String>;

/// The links as the payload carries them, and the facts to record, in the order of the mail.
///
/// `direct_url` is set on every link that went through here, copied or not (reference
/// section 5.13). A link without an end counts as kept.
#[must_use]
pub fn settle_links(links: &[Link], ends: Vec<End>) -> (Vec<Link>, Vec<MailEvent>) {
    let ends = ends.into_iter().chain(std::iter::repeat(Err("it was not tried".to_owned())));
    links.iter().zip(ends).map(|(link, end)| settle_link(link, end)).unzip()
}

fn settle_link(link: &Link, end: End) -> (Link, MailEvent) {
    let mut link = Link { direct_url: Some(link.raw_url.clone()), ..link.clone() };
    let raw_url = link.raw_url.clone();
    let event = match end {
        Ok(Obtained { copy: Copied { source_url, r2_url, original_filename }, reused_from }) => {
            link.r2_url = Some(r2_url.clone());
            link.original_filename.clone_from(&original_filename);
            let provider = link.provider.clone();
            MailEvent::LinkOffloaded(Offloaded {
                raw_url,
                source_url,
                r2_url,
                provider,
                original_filename,
                reused_from,
            })
        }
        Err(why) => MailEvent::LinkKept(Kept { raw_url, why }),
    };
    (link, event)
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
        };
        let links = [link("https://a"), link("https://b"), link("https://c")];
        let (settled, events) = settle_links(&links, vec![Ok(copied.into()), Err("refused".to_owned())]);

        let seen: Vec<_> =
            settled.iter().map(|link| (link.direct_url.as_deref(), link.r2_url.as_deref())).collect();
        assert_eq!(
            seen,
            [(Some("https://a"), Some("https://m/a")), (Some("https://b"), None), (Some("https://c"), None)]
        );
        assert_eq!(settled.first().and_then(|link| link.original_filename.as_deref()), Some("a.zip"));
        assert!(matches!(
            events.as_slice(),
            [MailEvent::LinkOffloaded(_), MailEvent::LinkKept(Kept { why, .. }), MailEvent::LinkKept(_)] if why == "refused"
        ));
    }
}
