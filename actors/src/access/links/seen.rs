//! A sign-in link as lists show it: from the read model, or from its entry in the document.

use chrono::{DateTime, Utc};

use super::super::record::Record;
use crate::readmodel::queries::access::SignInLinkRow;

/// Where a link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkStatus {
    /// It opens a session.
    Open,
    /// It has opened its one session.
    Used,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
    /// The document does not have it any more.
    Gone,
}

/// A link as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSeen {
    /// What it is called; opens nothing.
    pub name: String,
    /// Where it stands.
    pub standing: LinkStatus,
    /// It opens one session; otherwise any number.
    pub single_use: bool,
    /// When it was made; `None` = another program made it, and it was not used here.
    pub created_at: Option<DateTime<Utc>>,
    /// Who made it; `external` = another program.
    pub created_by: String,
    /// It opens nothing after that; `None` = never.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was used last, as far as that is known.
    pub used_at: Option<DateTime<Utc>>,
    /// Sessions that it opened here.
    pub uses: u64,
}

pub(super) fn of_row(row: &SignInLinkRow, record: Option<&Record>, now: DateTime<Utc>) -> LinkSeen {
    let single_use = record.map_or(row.single_use, |record| record.single_use);
    let expires_at = record.map_or(row.expires_at, |record| record.expires_at);
    let used = single_use && (row.uses > 0 || record.is_some_and(|record| record.consumed));
    let standing = match record {
        _ if row.revoked_at.is_some() => LinkStatus::Revoked,
        _ if used => LinkStatus::Used,
        _ if expires_at.is_some_and(|end| end < now) => LinkStatus::Expired,
        None => LinkStatus::Gone,
        Some(_) => LinkStatus::Open,
    };
    LinkSeen {
        name: row.name.clone(),
        standing,
        single_use,
        created_at: Some(row.created_at).filter(|_| row.created_by != "external"),
        created_by: row.created_by.clone(),
        expires_at,
        used_at: row.used_at.or_else(|| record.and_then(|record| record.consumed_at)),
        uses: row.uses,
    }
}

pub(super) fn of_record(name: String, record: &Record, now: DateTime<Utc>) -> LinkSeen {
    let standing = match record {
        record if record.single_use && record.consumed => LinkStatus::Used,
        record if record.expires_at.is_some_and(|end| end < now) => LinkStatus::Expired,
        _ => LinkStatus::Open,
    };
    LinkSeen {
        name,
        standing,
        single_use: record.single_use,
        created_at: None,
        created_by: "external".to_owned(),
        expires_at: record.expires_at,
        used_at: record.consumed_at,
        uses: 0,
    }
}
