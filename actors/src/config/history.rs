//! Every change of a document is an event, with a copy of the document beside it.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Map, Value};

use super::book::InForce;
use super::documents::Key;
use super::state::{Changed, ConfigEvent, config_stream};
use crate::kernel::clock::World;
use crate::kernel::event::DomainEvent;
use crate::kernel::journal::{AppendError, Body, Commit, Expected, Journal, StreamWrite};

/// How often a change is decided again when somebody else recorded one first.
const CONFLICTS: usize = 5;

/// The newest recorded version of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct LastRecorded {
    /// Version of the stream.
    pub version: u64,
    /// Its hash; empty when the document was removed.
    pub hash: String,
    /// Its copy; `None` when it was removed or the copy is gone.
    pub text: Option<String>,
}

/// Reads the newest recorded version; `None` when there is none.
///
/// # Errors
/// When the journal cannot be read, in plain words.
pub async fn last(journal: &dyn Journal, key: Key) -> Result<Option<LastRecorded>, String> {
    let events =
        journal.read_stream(&config_stream(key.as_str()), 0).await.map_err(|error| error.to_string())?;
    let Some(newest) = events.last() else { return Ok(None) };
    let mut changed = None;
    for event in events.iter().rev() {
        // A version that lost was never the newest.
        if let ConfigEvent::Changed(found) =
            ConfigEvent::from_recorded(event).map_err(|error| error.to_string())?
        {
            changed = Some(found);
            break;
        }
    }
    let Some(changed) = changed else {
        return Ok(Some(LastRecorded { version: newest.version, hash: String::new(), text: None }));
    };
    let copy = if changed.body_key.is_empty() {
        None
    } else {
        journal.body(&changed.body_key).await.map_err(|error| error.to_string())?
    };
    let text = copy.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
    Ok(Some(LastRecorded { version: newest.version, hash: changed.hash, text }))
}

/// Records what is in force (`None` = the document was removed), unless that is what was
/// recorded last. Returns whether something was written. Safe to repeat.
///
/// # Errors
/// The journal did not take it now, in plain words: try again later.
pub async fn record(
    journal: &dyn Journal,
    world: &World,
    key: Key,
    in_force: Option<&InForce>,
    origin: &str,
) -> Result<bool, String> {
    let mut refused = String::new();
    for _ in 0..CONFLICTS {
        let last = last(journal, key).await?;
        let hash = in_force.map_or("", |document| document.hash.as_str());
        if last.as_ref().map_or("", |last| last.hash.as_str()) == hash {
            return Ok(false);
        }
        let commit = commit(world, key, in_force, last.as_ref(), origin, "")?;
        match journal.append(commit).await {
            Ok(_) => return Ok(true),
            // Decide again: what was written in between may be this very document.
            Err(error @ AppendError::Conflict { .. }) => refused = error.to_string(),
            Err(error) => return Err(error.to_string()),
        }
    }
    Err(refused)
}

/// The commit of a change; `change` is its place in the list of a store, if it has one.
pub(super) fn commit(
    world: &World,
    key: Key,
    in_force: Option<&InForce>,
    last: Option<&LastRecorded>,
    origin: &str,
    change: &str,
) -> Result<Commit, String> {
    let before = last.map_or(0, |last| last.version);
    let copy = in_force.map(|document| Body {
        key: format!("config/{key}/{}", before + 1),
        bytes: document.text.clone().into(),
        keep_until: for_ever(),
    });
    let event = ConfigEvent::Changed(Changed {
        key: key.as_str().to_owned(),
        hash: in_force.map(|document| document.hash.clone()).unwrap_or_default(),
        origin: origin.to_owned(),
        fields: changed_fields(
            key,
            last.and_then(|last| last.text.as_deref()),
            in_force.map(|document| document.text.as_str()),
        ),
        body_key: copy.as_ref().map(|copy| copy.key.clone()).unwrap_or_default(),
        change: change.to_owned(),
    });
    let event = event.to_new(world.ids.next()).map_err(|error| error.to_string())?;
    Ok(Commit {
        at: world.now(),
        writes: vec![StreamWrite {
            stream: config_stream(key.as_str()),
            expected: if before == 0 { Expected::NoStream } else { Expected::Exact(before) },
            events: vec![event],
        }],
        bodies: copy.into_iter().collect(),
        ..Commit::default()
    })
}

/// Any earlier configuration can be shown: its copy is never dropped.
pub(super) fn for_ever() -> DateTime<Utc> {
    NaiveDate::from_ymd_opt(9999, 12, 31)
        .and_then(|day| day.and_hms_opt(0, 0, 0))
        .map_or(DateTime::<Utc>::MAX_UTC, |at| at.and_utc())
}

/// The top-level fields that differ. The field names of the sign-in links are the links'
/// own ids, so they are not listed.
fn changed_fields(key: Key, before: Option<&str>, after: Option<&str>) -> Vec<String> {
    if key == Key::MagicLinkTokens {
        return Vec::new();
    }
    let object = |text: Option<&str>| -> Map<String, Value> {
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    };
    let (before, after) = (object(before), object(after));
    let mut fields: Vec<String> = before
        .iter()
        .filter(|(name, value)| after.get(*name) != Some(value))
        .map(|(name, _)| name.clone())
        .chain(after.keys().filter(|name| !before.contains_key(*name)).cloned())
        .collect();
    fields.sort_unstable();
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_that_differ() {
        let fields = |before, after| changed_fields(Key::WebhookConfig, before, after).join(",");
        assert_eq!(fields(None, Some(r#"{"b":1,"a":2}"#)), "a,b");
        assert_eq!(fields(Some(r#"{"a":1,"b":[1],"c":1}"#), Some(r#"{"b":[2],"c":1,"d":0}"#)), "a,b,d");
        assert_eq!(fields(Some(r#"{"a":1}"#), None), "a");
        let links = changed_fields(Key::MagicLinkTokens, None, Some(r#"{"secret-id":{}}"#));
        assert!(links.is_empty(), "ids of sign-in links stay out of events");
    }
}
