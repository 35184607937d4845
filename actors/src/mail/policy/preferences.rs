//! What mails are ignored or go first by preference.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::authentication::SenderAuthentication;
use super::super::filters::Filters;
use super::super::groups::GroupRule;
use super::super::replies::ReplyPrefixes;
use super::Announced;
use crate::kernel::said::{Said, said};

/// What the operator prefers about single mails; the default is "nothing special".
#[derive(Debug, Clone, Default)]
pub struct Preferences {
    /// Mails that are not wanted.
    pub filters: Filters,
    /// Whether a sender has to be authenticated.
    pub authentication: SenderAuthentication,
    /// What makes a mail a reply.
    pub replies: ReplyPrefixes,
    /// Which automatic answers are not wanted.
    pub automatic: AutomaticRule,
    /// Lower-cased address → priority; a sender that is not named is [`Priority::Medium`].
    pub sender_priority: BTreeMap<String, Priority>,
    /// One mail per subject group; `None` = subject groups decide nothing.
    pub subject_groups: Option<GroupRule>,
    /// What webhooks say about the delivery window where it has no bound of its own.
    pub announced: Announced,
    /// `notify_on_failure`: a dead letter is told to [`Self::notify_url`].
    pub notify_on_failure: bool,
    /// `NOTIFY_WEBHOOK_URL`; empty = not set. A capability: masked wherever it is shown.
    pub notify_url: String,
    /// `gmail_ingress_enabled` is off: mails that are handed over by HTTP are not taken.
    pub pushed_refused: bool,
}

/// Whether automatic answers trigger. By default none does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AutomaticRule {
    /// They are treated as any other mail.
    pub accepted: bool,
    /// Senders of which they are, lower-cased.
    pub accepted_from: Vec<String>,
}

impl AutomaticRule {
    /// Whether an automatic answer of `sender` is accepted.
    #[must_use]
    pub fn accepts(&self, sender: &str) -> bool {
        self.accepted || self.accepted_from.iter().any(|accepted| accepted == sender)
    }
}

impl Preferences {
    /// How urgent the mails of a sender are.
    #[must_use]
    pub fn priority_of(&self, sender: &str) -> Priority {
        self.sender_priority.get(sender).copied().unwrap_or_default()
    }

    /// What the operator wants and cannot have, in plain words with what to do.
    #[must_use]
    pub fn remarks(&self) -> Vec<Said> {
        let unheard = self.notify_on_failure && self.notify_url.is_empty();
        unheard
            .then(|| {
                said!(
                    "notify_on_failure est activé, mais personne n'apprend les envois abandonnés\u{a0}: \
                     NOTIFY_WEBHOOK_URL n'est pas défini",
                    "notify_on_failure is on, but nobody is told of dead letters: NOTIFY_WEBHOOK_URL is not set"
                )
            })
            .into_iter()
            .collect()
    }

    /// Where dead letters are told; `None` = nowhere.
    #[must_use]
    pub fn notify(&self) -> Option<&str> {
        Some(self.notify_url.as_str()).filter(|url| self.notify_on_failure && !url.is_empty())
    }
}

/// How urgent the mails of a sender are: who of those that wait for the same target goes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// After all others.
    Low,
    /// The rule.
    #[default]
    Medium,
    /// Before all others.
    High,
}

impl Priority {
    /// Every priority, the least urgent first.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// The name as stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// Whether it is the rule; for serde.
    #[must_use]
    pub fn is_medium(&self) -> bool {
        *self == Self::Medium
    }
}

/// A mail larger than this many bytes is never loaded, whatever is configured: it would not fit
/// into the memory of a small container.
pub const LARGEST: u64 = 200 * 1024 * 1024;
