//! Links whose copy lies in R2 already, and will for a while: they are not copied again. The journal
//! knows them, or only the list of copied files does: those that the reference system made.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::timeout;

use super::name::sanitise;
use super::outcome::Obtained;
use super::plan::SourceLink;
use super::{Copied, Copies, R2Deps, address};
use crate::readmodel::queries::{LinkRow, copy_of};

/// A copy that is deleted sooner than this is made again: whoever gets the webhook needs
/// time to fetch it.
pub const MARGIN: chrono::Duration = chrono::Duration::hours(2);
/// A read model that does not answer by then is done without.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// For each source, its copy if there is one that may be used again.
///
/// A read model that cannot be asked costs a copy that was not necessary, nothing else.
pub(super) async fn known(deps: &R2Deps, sources: &[SourceLink]) -> Vec<Option<Obtained>> {
    let wanted = sources.to_vec();
    let views = deps.journal.views();
    let look = views.read(move |db| {
        wanted.iter().map(|SourceLink { url, provider }| copy_of(db, url, provider)).collect()
    });
    let rows: Vec<Option<LinkRow>> = match timeout(QUERY_TIMEOUT, look).await {
        Ok(Ok(rows)) => rows,
        Ok(Err(error)) => {
            tracing::warn!(%error, "earlier copies could not be looked up, the links are copied anew");
            Vec::new()
        }
        Err(_) => {
            tracing::warn!("earlier copies could not be looked up in time, the links are copied anew");
            Vec::new()
        }
    };
    let now = deps.world.now();
    let usable = |row: Option<LinkRow>| row.filter(|row| is_usable(row, &deps.copies, now)).map(obtained);
    let mut rows = rows;
    rows.resize(sources.len(), None);
    let mut known: Vec<Option<Obtained>> = rows.iter().cloned().map(usable).collect();
    if known.iter().any(Option::is_none) {
        let listed = listed(&deps.copies, sources).await;
        for ((known, row), listed) in known.iter_mut().zip(rows).zip(listed) {
            // Of a copy that the journal knows, it knows more: when it may be deleted.
            let is_news = |listed: &LinkRow| row.is_none_or(|row| row.r2_url != listed.r2_url);
            if known.is_none() {
                *known = usable(listed.filter(is_news).filter(|row| is_vouched_for(row, &deps.copies)));
            }
        }
    }
    known
}

/// What the list of copied files says of each source. One that cannot be read costs a copy that
/// was not necessary, nothing else; its follower says what is wrong with it.
async fn listed(copies: &Copies, sources: &[SourceLink]) -> Vec<Option<LinkRow>> {
    let Some(list) = copies.list.clone() else { return Vec::new() };
    let links: Vec<String> = sources.iter().map(|source| source.url.clone()).collect();
    let look = tokio::task::spawn_blocking(move || list.find(&links));
    match timeout(QUERY_TIMEOUT, look).await {
        Ok(Ok(Ok(rows))) => rows,
        Ok(Ok(Err(trouble))) => {
            tracing::debug!(%trouble, "the list of copied files could not be looked through");
            Vec::new()
        }
        Ok(Err(_)) | Err(_) => Vec::new(),
    }
}

/// Others write the list, too: where nobody has said where copies lie, an address of theirs has at
/// least to be one that nobody on the way can change.
fn is_vouched_for(row: &LinkRow, copies: &Copies) -> bool {
    copies.public_base_url.is_some() || row.r2_url.starts_with("https://")
}

/// Whether a mail that is sent at `now` may refer to the copy. Pure.
fn is_usable(row: &LinkRow, copies: &Copies, now: DateTime<Utc>) -> bool {
    let by_age = copies.retention.map(|retention| {
        let lasts = chrono::Duration::from_std(retention).unwrap_or(chrono::Duration::MAX);
        row.at.checked_add_signed(lasts).unwrap_or(DateTime::<Utc>::MAX_UTC)
    });
    // A copy that was found in the bucket is older than its event.
    let end = by_age.into_iter().chain(row.expires_at).min();
    let lasts = end.is_none_or(|end| end.signed_duration_since(now) > MARGIN);
    // The place where copies lie may have changed since.
    lasts && address::check(&row.r2_url, copies.public_base_url.as_ref()).is_ok()
}

fn obtained(row: LinkRow) -> Obtained {
    let LinkRow { source_url, r2_url, original_filename, expires_at, email_id, .. } = row;
    // Earlier versions recorded names as the Worker gave them.
    let original_filename = original_filename.as_deref().and_then(sanitise);
    let copy = Copied { source_url, r2_url, original_filename, expires_at };
    Obtained { copy, reused_from: Some(email_id) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_used_again_while_it_stays_long_enough_and_lies_in_the_right_place() {
        let made = DateTime::UNIX_EPOCH;
        let row = LinkRow {
            position: 1,
            event_id: String::new(),
            email_id: "a".to_owned(),
            source_url: "https://s".to_owned(),
            r2_url: "https://media.example.com/x".to_owned(),
            provider: "dropbox".to_owned(),
            original_filename: None,
            at: made,
            expires_at: None,
        };
        let usable = |hours: Option<u64>, base: Option<&str>, age_minutes: i64| {
            let copies = Copies {
                retention: hours.map(|hours| Duration::from_secs(hours * 3_600)),
                public_base_url: base.map(|base| base.parse().unwrap()),
                ..Copies::default()
            };
            is_usable(&row, &copies, made + chrono::Duration::minutes(age_minutes))
        };
        assert!(usable(Some(24), None, 0));
        assert!(usable(Some(24), None, 22 * 60 - 1));
        assert!(!usable(Some(24), None, 22 * 60), "two hours are left");
        assert!(!usable(Some(24), None, 1_000_000));
        assert!(!usable(Some(2), None, 0), "gone before anybody could fetch it");
        assert!(usable(Some(3), None, 59));
        assert!(usable(None, None, 1_000_000), "kept for ever");
        let known = LinkRow { expires_at: Some(made + chrono::Duration::hours(6)), ..row.clone() };
        for (hours, age, want) in [
            (Some(24), 3, true),
            (Some(24), 4, false),
            (None, 3, true),
            (None, 4, false),
            (Some(5), 3, false),
        ] {
            let copies = Copies {
                retention: hours.map(|hours: u64| Duration::from_secs(hours * 3_600)),
                ..Copies::default()
            };
            let now = made + chrono::Duration::hours(age);
            assert_eq!(is_usable(&known, &copies, now), want, "{hours:?} {age}");
        }
        assert!(usable(Some(24), Some("https://media.example.com"), 0));
        assert!(!usable(Some(24), Some("https://other.example.com"), 0));
    }
}
