//! Copies that the list names and the journal does not: those of the reference system, of the PHP
//! pages, and of mails whose events have left the journal. Their links are not copied again.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::book;
use crate::kernel::files;
use crate::mail::providers;
use crate::r2::normalize::normalize;
use crate::readmodel::queries::LinkRow;

/// Longest list that is looked through, in bytes; a longer one is nobody's work.
const LONGEST: u64 = 64 * 1024 * 1024;

/// Stands for the mail that a copy was made for, where the list does not name it.
pub const LISTED: &str = "webhook_links.json";

/// The copies of a list by the links they were made of. Clones share what was read.
#[derive(Debug, Clone, Default)]
pub(super) struct Lookup(Arc<Mutex<KnownList>>);

#[derive(Debug, Default)]
struct KnownList {
    version: Option<FileVersion>,
    copies: HashMap<String, LinkRow>,
}

/// What changes with the content of a file: device, inode, length, time of change in ns.
type FileVersion = (u64, u64, u64, i64, i64);

fn version(list: &Metadata) -> FileVersion {
    (list.dev(), list.ino(), list.len(), list.mtime(), list.mtime_nsec())
}

impl Lookup {
    /// The newest copy of each of these links, normalised, if the list has one. The file is read
    /// only when it has changed.
    ///
    /// # Errors
    /// It cannot be read, or is no list. A file that is not there has no copies.
    pub(super) fn find(&self, list: &Path, links: &[String]) -> io::Result<Vec<Option<LinkRow>>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match fs::metadata(list) {
            Ok(data) if known.version == Some(version(&data)) => {}
            Ok(data) => {
                *known = KnownList::default();
                let content = files::read_plain(list, LONGEST)?;
                let entries = book::parse(&content).map_err(io::Error::other)?;
                *known = KnownList { version: Some(version(&data)), copies: copies(&entries) };
            }
            Err(why) if why.kind() == io::ErrorKind::NotFound => *known = KnownList::default(),
            Err(why) => return Err(why),
        }
        Ok(links.iter().map(|link| known.copies.get(link).cloned()).collect())
    }
}

/// The copies by their links. Entries are appended, so of two of one link the later one counts
/// (reference section 7).
fn copies(entries: &[Value]) -> HashMap<String, LinkRow> {
    let mut copies = HashMap::new();
    for copy in entries.iter().filter_map(copy) {
        // The PHP pages call a provider unknown that they do not know.
        let built_in = providers::defaults();
        let provider = built_in.of(&copy.source_url).map_or(copy.provider.as_str(), |one| one.name.as_str());
        copies.insert(normalize(&copy.source_url, provider), copy);
    }
    copies
}

fn copy(entry: &Value) -> Option<LinkRow> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default().trim().to_owned();
    let (source_url, r2_url) = (text("source_url"), text("r2_url"));
    if source_url.is_empty() || r2_url.is_empty() {
        return None;
    }
    Some(LinkRow {
        position: 0,
        event_id: String::new(),
        email_id: Some(text("email_id")).filter(|id| !id.is_empty()).unwrap_or_else(|| LISTED.to_owned()),
        source_url,
        r2_url,
        provider: text("provider"),
        original_filename: Some(text("original_filename")).filter(|name| !name.is_empty()),
        // Without a time nobody knows how long it stays, unless copies stay for ever.
        at: book::time(entry).unwrap_or(DateTime::<Utc>::MIN_UTC),
        expires_at: None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(lookup: &Lookup, list: &Path, link: &str) -> Option<String> {
        let found = lookup.find(list, &[link.to_owned()]).expect("a list");
        found.into_iter().flatten().map(|copy| copy.r2_url).next()
    }

    #[test]
    fn what_others_have_listed_is_found_by_any_form_of_its_link_and_the_latest_counts() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("webhook_links.json");
        let lookup = Lookup::default();
        let dropbox = normalize("https://www.dropbox.com/s/a?dl=0", "dropbox");
        assert_eq!(found(&lookup, &list, &dropbox), None, "there is no list");
        let entry = |source: &str, copy: &str, provider: &str| {
            json!({"source_url": source, "r2_url": copy, "provider": provider,
                "created_at": "2026-01-08T14:30:00.123456Z"})
        };
        let entries = json!([
            {"url": "https://www.dropbox.com/s/legacy", "timestamp": "2025-10-17T10:30:00+02:00", "source": "webhook"},
            entry("https://www.dropbox.com/s/a?dl=0", "https://m/old", "dropbox"),
            entry("https://www.dropbox.com/s/a?dl=1", "https://m/new", "unknown"),
            entry("", "https://m/nothing", "dropbox"),
            "odd",
        ]);
        fs::write(&list, entries.to_string()).unwrap();
        assert_eq!(found(&lookup, &list, &dropbox).as_deref(), Some("https://m/new"));
        assert_eq!(found(&lookup, &list, "https://fromsmash.com/other"), None);
        let row = lookup.find(&list, std::slice::from_ref(&dropbox)).unwrap().remove(0).unwrap();
        assert_eq!(
            (row.email_id.as_str(), row.at.to_rfc3339()),
            (LISTED, "2026-01-08T14:30:00.123456+00:00".into())
        );

        // It is read anew when it has changed, and what is no list has no copies.
        fs::write(&list, json!([entry("https://fromsmash.com/x", "https://m/x", "fromsmash")]).to_string())
            .unwrap();
        assert_eq!(found(&lookup, &list, &dropbox), None);
        assert_eq!(found(&lookup, &list, "https://fromsmash.com/x").as_deref(), Some("https://m/x"));
        fs::write(&list, "{half").unwrap();
        assert!(lookup.find(&list, std::slice::from_ref(&dropbox)).is_err());
        assert!(lookup.find(&list, std::slice::from_ref(&dropbox)).is_err(), "and again");
    }
}
