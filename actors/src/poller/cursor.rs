//! What of a mailbox is in the journal already: the read model `admitted`.
//!
//! ```sql
//! admitted (mailbox TEXT, validity INTEGER, item TEXT, uid INTEGER, email_id TEXT, at INTEGER,
//!           PRIMARY KEY (mailbox, validity, item)) WITHOUT ROWID
//! archived_uids (mailbox TEXT, validity INTEGER, first INTEGER, last INTEGER,
//!           PRIMARY KEY (mailbox, validity, first)) WITHOUT ROWID
//! ```

use std::collections::HashSet;

use super::source::MailboxItem;
use crate::kernel::projection::{ViewError, Views};
use crate::mail::life::uid_of;

/// Mails asked about in one query, so that other readers get their turn in between.
const CHUNK: usize = 2_000;

/// The highest UID of a mailbox that is in the journal; 0 when there is none.
///
/// # Errors
/// When the read model cannot be read.
pub(super) async fn highest(views: &Views, mailbox: &str, validity: u64) -> Result<u64, ViewError> {
    let mailbox = mailbox.to_owned();
    let validity = as_stored(validity);
    views
        .read(move |db| {
            let mut query = db.prepare_cached(
                "SELECT max(
                     (SELECT coalesce(max(uid), 0) FROM admitted WHERE mailbox = ?1 AND validity = ?2),
                     (SELECT coalesce(max(last), 0) FROM archived_uids WHERE mailbox = ?1 AND validity = ?2))",
            )?;
            query.query_row((mailbox, validity), |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
        })
        .await
}

/// Those of `listed` that are not in the journal, in the same order.
///
/// # Errors
/// When the read model cannot be read.
pub(super) async fn unknown(
    views: &Views,
    mailbox: &str,
    validity: u64,
    listed: Vec<MailboxItem>,
) -> Result<Vec<MailboxItem>, ViewError> {
    let mut unknown = Vec::new();
    let mut rest = listed.into_iter().peekable();
    while rest.peek().is_some() {
        let chunk: Vec<MailboxItem> = rest.by_ref().take(CHUNK).collect();
        let names: Vec<String> = chunk.iter().map(|candidate| candidate.item.clone()).collect();
        let mailbox = mailbox.to_owned();
        let validity = as_stored(validity);
        let known: HashSet<String> = views
            .read(move |db| {
                let mut query = db.prepare_cached(
                    "SELECT 1 FROM admitted WHERE mailbox = ?1 AND validity = ?2 AND item = ?3",
                )?;
                let mut archived = db.prepare_cached(
                    "SELECT 1 FROM (SELECT last FROM archived_uids
                         WHERE mailbox = ?1 AND validity = ?2 AND first <= ?3 ORDER BY first DESC LIMIT 1)
                     WHERE last >= ?3",
                )?;
                let mut known = HashSet::new();
                for name in names {
                    let is_known = query.exists((&mailbox, validity, &name))?
                        || match uid_of(&name) {
                            Some(uid) => archived.exists((&mailbox, validity, uid))?,
                            None => false,
                        };
                    if is_known {
                        known.insert(name);
                    }
                }
                Ok(known)
            })
            .await?;
        unknown.extend(chunk.into_iter().filter(|candidate| !known.contains(&candidate.item)));
    }
    Ok(unknown)
}

/// SQLite has no unsigned numbers. UIDVALIDITY has 32 bits (RFC 9051 section 9).
fn as_stored(validity: u64) -> i64 {
    i64::try_from(validity).unwrap_or(i64::MAX)
}
