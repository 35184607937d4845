//! Pure knowledge of mail: what it says, who it is from, what it links to, and what
//! is to be done with it. No clock, no I/O, no actix: everything here can be tested
//! with a table.
//!
//! ```text
//! raw bytes ─parse─▶ Mail ─decide(policy, now)─▶ Verdict ─payload─▶ body of each webhook
//! ```

pub mod authentication;
mod automatic;
#[cfg(test)]
mod cases;
pub mod compare;
pub mod conditions;
pub mod content;
mod cut;
pub mod decide;
pub mod detect;
pub mod detectors;
mod digits;
mod encoding;
mod entities;
pub mod explain;
pub mod filters;
mod flaw;
mod flowed;
#[cfg(test)]
mod golden;
pub mod groups;
mod header;
pub mod heading;
mod html;
pub mod identity;
pub mod life;
pub mod links;
mod markup;
mod mime;
pub mod outbox_rows;
pub mod parse;
pub mod pattern;
pub mod payload;
pub mod policy;
#[cfg(test)]
mod properties;
pub mod providers;
pub mod pushed;
pub mod replies;
pub mod reread;
pub mod rules;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod second_opinion;
mod times;
mod verdict;
pub mod windows;
mod wrappers;

use chrono::{DateTime, Utc};
pub use header::LONGEST_HEADER;
use serde::{Deserialize, Serialize};

pub use self::verdict::{Detection, HoldReason, IgnoreReason, Outcome, Planned, RuleRef, Verdict};

/// A mail, read as far as it can be read. Serialisable: this is what a held mail is kept as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// Its id ([`identity::email_id`]); of another mail of the same id, that with a hash of its content
    /// ([`content::other_id`]).
    pub email_id: String,
    /// Raw `Message-ID` header, at most 1 KiB, empty when there is none.
    pub message_id: String,
    /// Decoded, unfolded, at most 4 KiB.
    pub subject: String,
    /// Raw `Date` header text, at most 1 KiB.
    pub date: String,
    /// Raw `From` header, made valid UTF-8, at most 2 KiB.
    pub from: String,
    /// Clean lower-cased address; empty when there is none, or what stands there is longer than
    /// any address (320 bytes).
    pub sender: String,
    /// Text parts, at most 1 MiB of them and what is said of the rest.
    pub plain: String,
    /// Raw HTML parts, the same.
    pub html: String,
    /// Text for detection: the plain part and the HTML rendered to text. It follows from these,
    /// so it is made anew where a mail is read again ([`outbox_rows::Draft::read`]).
    #[serde(skip)]
    pub text: String,
    /// Whether it carries an attachment.
    pub has_attachment: bool,
    /// Size of the source in bytes.
    pub size: u64,
    /// What could not be read, in plain words; the rest was processed.
    pub flaws: Vec<String>,
    /// When it arrived, as the server that took it says, or else its Date. `None` when
    /// neither can be read, and for mails that an earlier version kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrived: Option<DateTime<Utc>>,
    /// What says that a program sent it as an answer, such as `Auto-Submitted: auto-replied`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automatic: Option<String>,
    /// What the servers that took it say of its sender, the topmost report of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authentication: Vec<authentication::ServerReport>,
    /// It was handed over by HTTP ([`pushed`]): its text is one part, plain or HTML.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pushed: bool,
}

impl Mail {
    /// `plain + "\n" + html`: what the payload and the rules use, since receivers and rules were
    /// written for it (reference section 5.8). Of a pushed mail, which has one of the two, that one
    /// as it is (reference section 10.2).
    #[must_use]
    pub fn combined(&self) -> String {
        let between = if self.pushed { "" } else { "\n" };
        format!("{}{between}{}", self.plain, self.html)
    }

    /// What a target is given of the text.
    #[must_use]
    pub fn shared(&self, share: policy::Share) -> String {
        match share {
            policy::Share::All => self.combined(),
            policy::Share::Text if self.plain.trim().is_empty() => html::to_text(&self.html),
            policy::Share::Text => self.plain.clone(),
            policy::Share::None => String::new(),
        }
    }

    /// When it arrived; `now` where it does not say, or says a time that is still to come.
    #[must_use]
    pub fn arrived_by(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.arrived.map_or(now, |arrived| arrived.min(now))
    }
}

/// A link to files, as in `delivery_links` of the payload.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Link {
    /// File service, as the document `providers` calls it: `dropbox`, for example.
    pub provider: String,
    /// As found in the mail.
    pub raw_url: String,
    /// Set once the offload was tried, equal to `raw_url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direct_url: Option<String>,
    /// Where the copy lies, when the offload succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r2_url: Option<String>,
    /// The file's own name, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_filename: Option<String>,
}

impl Link {
    /// A link as it is found.
    #[must_use]
    pub fn found(provider: &str, raw_url: &str) -> Self {
        Self {
            provider: provider.to_owned(),
            raw_url: raw_url.to_owned(),
            direct_url: None,
            r2_url: None,
            original_filename: None,
        }
    }
}
