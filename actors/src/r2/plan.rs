//! Which links of a mail are copied, and what each is fetched as. Pure.
//!
//! Everybody can send a mail, and write as many links of any length into it. So what is done
//! for one mail is bounded here, before any work: a link is normalised once, a long one never,
//! and of the links of one mail so many are copied. The others are sent as they were found.

use crate::mail::Link;

use super::normalize::normalize;

/// Longest link that is copied, in bytes as written in the mail. The services write less
/// than 300; this is what web servers take of an address.
pub const LONGEST: usize = 8 * 1024;

/// A link in the one form in which it is fetched, looked up, and recorded.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SourceLink {
    /// The link, normalised: see [`normalize`].
    pub url: String,
    /// Its file service, as the mail's link has it.
    pub provider: String,
}

impl SourceLink {
    /// The source of a link as written; the only place where links are normalised.
    ///
    /// # Errors
    /// [`Unplanned::TooLong`].
    pub fn of(raw_url: &str, provider: &str) -> Result<Self, Unplanned> {
        if raw_url.len() > LONGEST {
            return Err(Unplanned::TooLong);
        }
        Ok(Self { url: normalize(raw_url, provider), provider: provider.to_owned() })
    }
}

/// Why a link is not copied, whatever lies behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unplanned {
    /// It is longer than [`LONGEST`].
    TooLong,
    /// So many links of its mail are copied already.
    TooMany(usize),
}

impl std::fmt::Display for Unplanned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLong => write!(f, "longer than {LONGEST} bytes: no link that is copied"),
            Self::TooMany(most) => {
                write!(f, "{most} links of the mail are copied, which is R2_MAX_LINKS_PER_MAIL")
            }
        }
    }
}

/// For each link what it is fetched as, in the order of the mail: at most `most` of them.
#[must_use]
pub fn plan(links: &[Link], most: usize) -> Vec<Result<SourceLink, Unplanned>> {
    let mut left = most;
    let plan_one = |link: &Link| {
        if link.raw_url.len() > LONGEST {
            return Err(Unplanned::TooLong);
        }
        left = left.checked_sub(1).ok_or(Unplanned::TooMany(most))?;
        SourceLink::of(&link.raw_url, &link.provider)
    };
    links.iter().map(plan_one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(raw_url: String) -> Link {
        Link {
            provider: "dropbox".to_owned(),
            raw_url,
            direct_url: None,
            r2_url: None,
            original_filename: None,
        }
    }

    #[test]
    fn so_many_are_copied_and_long_ones_never() {
        let of_length = |length: usize| {
            let start = "https://www.dropbox.com/s/";
            link(format!("{start}{}", "a".repeat(length - start.len())))
        };
        let links = [of_length(LONGEST + 1), of_length(LONGEST), of_length(100), of_length(101)];
        let planned = plan(&links, 2);
        let kept: Vec<_> = planned.iter().map(|planned| planned.as_ref().err().copied()).collect();
        assert_eq!(kept, [Some(Unplanned::TooLong), None, None, Some(Unplanned::TooMany(2))]);
        assert_eq!(plan(&links, 0).iter().filter(|planned| planned.is_ok()).count(), 0);
    }
}
