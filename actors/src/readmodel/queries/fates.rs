//! What became of mails, as a person asks: delivered, waiting, not sent, given up, unreadable. Every
//! mail has exactly one fate, so the counts of all of them add up to all mails.

use std::collections::HashMap;

use rusqlite::Connection;
use serde::Serialize;

use super::mails::{MailFilter, MailRow};
use super::tally::{self, StandingCount};

/// What became of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Every receiver took its webhook, but for those that somebody cancelled.
    Delivered,
    /// It is to be sent: it is held, or a webhook of it has not ended.
    Waiting,
    /// Nothing is sent for it, or all that would have been was cancelled.
    Ignored,
    /// A webhook of it was given up.
    Failed,
    /// It could not be read, or workers ended over it.
    Unreadable,
}

impl Fate {
    /// Every fate.
    pub const ALL: [Self; 5] =
        [Self::Delivered, Self::Waiting, Self::Ignored, Self::Failed, Self::Unreadable];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Waiting => "waiting",
            Self::Ignored => "ignored",
            Self::Failed => "failed",
            Self::Unreadable => "unreadable",
        }
    }

    /// By its word.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fate| fate.as_str() == word)
    }

    /// That of a mail.
    #[must_use]
    pub fn of(mail: &MailRow) -> Self {
        Self::by_account(
            &mail.stage,
            mail.deliveries_total,
            mail.delivered,
            mail.cancelled,
            mail.dead_lettered,
        )
    }

    fn by_account(stage: &str, total: u64, delivered: u64, cancelled: u64, dead: u64) -> Self {
        let ended = delivered.saturating_add(cancelled) >= total;
        match stage {
            "quarantined" | "set_aside" => Self::Unreadable,
            "ignored" | "skipped" => Self::Ignored,
            "routed" if dead > 0 => Self::Failed,
            "routed" if ended && delivered > 0 => Self::Delivered,
            "routed" if ended => Self::Ignored,
            _ => Self::Waiting,
        }
    }

    /// The same as a condition on a row of `mails`.
    pub(super) const fn condition(self) -> &'static str {
        match self {
            Self::Unreadable => "stage IN ('quarantined', 'set_aside')",
            Self::Ignored => {
                "(stage IN ('ignored', 'skipped') OR (stage = 'routed' AND dead_lettered = 0
                  AND delivered = 0 AND cancelled >= deliveries_total))"
            }
            Self::Failed => "stage = 'routed' AND dead_lettered > 0",
            Self::Delivered => {
                "stage = 'routed' AND dead_lettered = 0 AND delivered > 0
                 AND delivered + cancelled >= deliveries_total"
            }
            Self::Waiting => {
                "(stage IN ('received', 'held') OR (stage = 'routed' AND dead_lettered = 0
                  AND delivered + cancelled < deliveries_total))"
            }
        }
    }
}

/// How many mails have a fate for a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FateCount {
    /// The fate.
    pub fate: Fate,
    /// Why a mail is held, skipped or ignored; `None` = what became of it has no reason of that kind.
    pub reason: Option<String>,
    /// How many.
    pub n: u64,
}

/// How many mails that a filter matches there are of each fate and reason, the most first.
///
/// # Errors
/// What SQLite says.
pub fn count_fates(db: &Connection, filter: &MailFilter) -> rusqlite::Result<Vec<FateCount>> {
    let accounts = match tally::accounts(db, filter)? {
        Some(accounts) => accounts,
        None => tally::scanned(db, filter)?,
    };
    let mut sums: HashMap<(Fate, Option<String>), u64> = HashMap::new();
    for account in accounts {
        let StandingCount { stage, reason, total, delivered, cancelled, dead, n } = account;
        let fate = Fate::by_account(&stage, total, delivered, cancelled, dead);
        // Of a mail that cannot be read it is a sentence, and not one of a few.
        let has_reason = matches!(stage.as_str(), "held" | "ignored" | "skipped");
        *sums.entry((fate, reason.filter(|_| has_reason))).or_default() += n;
    }
    let mut counts: Vec<FateCount> =
        sums.into_iter().map(|((fate, reason), n)| FateCount { fate, reason, n }).collect();
    counts.sort_by(|a, b| b.n.cmp(&a.n).then_with(|| a.reason.cmp(&b.reason)));
    Ok(counts)
}
