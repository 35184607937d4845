//! What became of mails, as a person asks: delivered, waiting, not sent, given up, unreadable. Every
//! mail has exactly one fate, so the counts of all of them add up to all mails.

use rusqlite::{Connection, params_from_iter};
use serde::Serialize;

use super::count;
use super::mails::{MailFilter, MailRow};

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
        let ended = mail.delivered.saturating_add(mail.cancelled) >= mail.deliveries_total;
        match mail.stage.as_str() {
            "quarantined" | "set_aside" => Self::Unreadable,
            "ignored" | "skipped" => Self::Ignored,
            "routed" if mail.dead_lettered > 0 => Self::Failed,
            "routed" if ended && mail.delivered > 0 => Self::Delivered,
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

/// How many mails that a filter matches there are of each fate and reason.
///
/// # Errors
/// What SQLite says.
pub fn count_fates(db: &Connection, filter: &MailFilter) -> rusqlite::Result<Vec<FateCount>> {
    let (conditions, values) = filter.conditions();
    let cases: String =
        Fate::ALL.iter().map(|fate| format!("WHEN {} THEN '{}' ", fate.condition(), fate.as_str())).collect();
    let sql = format!(
        "SELECT CASE {cases} END AS fate, CASE WHEN stage IN ('held', 'ignored', 'skipped') THEN reason END AS why,
             COUNT(*) AS n
         FROM mails WHERE {conditions} GROUP BY fate, why ORDER BY n DESC, why"
    );
    let mut query = db.prepare_cached(&sql)?;
    let rows = query.query_map(params_from_iter(values), |row| {
        let fate: Option<String> = row.get("fate")?;
        let fate = fate.as_deref().and_then(Fate::named);
        Ok((fate, row.get("why")?, count(row, "n")?))
    })?;
    let known = |row: rusqlite::Result<(Option<Fate>, Option<String>, u64)>| match row {
        Ok((Some(fate), reason, n)) => Some(Ok(FateCount { fate, reason, n })),
        // A stage of a later version.
        Ok((None, ..)) => None,
        Err(error) => Some(Err(error)),
    };
    rows.filter_map(known).collect()
}
