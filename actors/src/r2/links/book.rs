//! What the list holds, and what becomes of it. Pure.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::kernel::digest::short_sha256;
use crate::mail::providers;
use crate::r2::name::sanitise;
use crate::readmodel::queries::LinkRow;

/// How long the list may get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Entries (`R2_LINKS_MAX_ENTRIES`); the oldest make room, and are in an archive before they do.
    /// 0 = any number.
    pub max_entries: usize,
    /// Bytes (`JSON_LOG_MAX_BYTES`); a list that would get longer is archived. 0 = any number.
    pub max_bytes: usize,
}

/// What is to be done with the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// It says everything already.
    Leave,
    /// This is its new content.
    Replace(String),
    /// It is put into an archive as it is, and this is what comes in its place.
    Archive(String),
}

/// The entries of a list. An empty file is an empty list: there is nothing in it to be lost.
///
/// # Errors
/// Why it is no list.
pub fn parse(content: &[u8]) -> Result<Vec<Value>, String> {
    if content.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    match serde_json::from_slice(content) {
        Ok(Value::Array(entries)) => Ok(entries),
        Ok(_) => Err("it is JSON, but no array".to_owned()),
        Err(error) => Err(format!("it is no JSON: {error}")),
    }
}

/// The entry of a copy, in the form of the reference with the `email_id` of the seed.
#[must_use]
pub fn entry(copy: &LinkRow) -> Value {
    let mut entry = Map::new();
    let mut set = |name: &str, value: &str| entry.insert(name.to_owned(), Value::from(value));
    set("source_url", &copy.source_url);
    set("r2_url", &copy.r2_url);
    set("provider", &copy.provider);
    set("created_at", &copy.at.format("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string());
    if !copy.email_id.is_empty() {
        set("email_id", &copy.email_id);
    }
    // Earlier versions recorded names as the Worker gave them.
    if let Some(name) = copy.original_filename.as_deref().and_then(sanitise) {
        set("original_filename", &name);
    }
    Value::Object(entry)
}

/// What tells an entry from the others, for notes of where an archive ends.
#[must_use]
pub fn mark(entry: &Value) -> String {
    let text = identity(entry).map_or_else(|| entry.to_string(), |identity| identity.join("\n"));
    short_sha256(text, 32)
}

/// How many of the first entries are in an archive that ends with the entry of this mark.
fn archived(entries: &[Value], last: Option<&str>) -> usize {
    let end = last.and_then(|last| entries.iter().rposition(|entry| mark(entry) == last));
    end.map_or(0, |end| end + 1)
}

/// What makes two entries the same: source, address, provider. `None` for legacy entries.
fn identity(entry: &Value) -> Option<[String; 3]> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    let (source, address) = (text("source_url")?, text("r2_url")?);
    Some([source.to_owned(), address.to_owned(), text("provider").unwrap_or_default().to_owned()])
}

/// The list with the new copies at its end; a copy that it names already changes nothing. `last`
/// is the [`mark`] of the last entry that is in an archive: the oldest make room only for that
/// reason, since those that are not from here are nowhere else.
#[must_use]
pub fn append(entries: Vec<Value>, copies: &[LinkRow], bounds: Bounds, last: Option<&str>) -> Plan {
    let mut known: HashSet<_> = entries.iter().filter_map(identity).collect();
    let fresh: Vec<Value> = copies
        .iter()
        .map(entry)
        .filter(|entry| identity(entry).is_some_and(|identity| known.insert(identity)))
        .collect();
    if fresh.is_empty() {
        return Plan::Leave;
    }
    let had_some = !entries.is_empty();
    let make_room = bounds.too_many(entries.len() + fresh.len()).min(entries.len());
    let is_kept = make_room <= archived(&entries, last);
    let whole = newest([entries, fresh.clone()].concat(), bounds.max_entries);
    let text = write(&whole);
    if !bounds.is_too_long(&text) {
        return if is_kept { Plan::Replace(text) } else { Plan::Archive(text) };
    }
    let begun = fitting(newest(fresh, bounds.max_entries), bounds);
    if had_some { Plan::Archive(begun) } else { Plan::Replace(begun) }
}

/// The list written anew: every copy, and what the old list holds besides, by age; as much
/// of the newest as fits. What does not fit stays in the archive.
#[must_use]
pub fn rebuild(entries: Vec<Value>, copies: &[LinkRow], bounds: Bounds, last: Option<&str>) -> Plan {
    let had_some = !entries.is_empty();
    let is_archived = archived(&entries, last);
    let not_archived: Vec<String> = entries.iter().skip(is_archived).map(mark).collect();
    let ours: Vec<Value> = copies.iter().map(entry).collect();
    let known: HashSet<_> = ours.iter().filter_map(identity).collect();
    let is_foreign = |entry: &Value| identity(entry).is_none_or(|identity| !known.contains(&identity));
    let foreign: Vec<Value> = entries.into_iter().filter(is_foreign).collect();
    let mut whole = dated(foreign);
    whole.extend(dated(ours));
    // Stable: entries of one instant keep their order.
    whole.sort_by_key(|(at, _)| *at);
    let whole = newest(whole.into_iter().map(|(_, entry)| entry).collect(), bounds.max_entries);
    let text = write(&whole);
    if !bounds.is_too_long(&text) {
        let stay: HashSet<String> = whole.iter().map(mark).collect();
        let are_kept = not_archived.iter().all(|mark| stay.contains(mark));
        return if are_kept { Plan::Replace(text) } else { Plan::Archive(text) };
    }
    // One entry is more than may be, and stays all the same.
    let dropped = whole.len() > 1;
    let part = fitting(whole, bounds);
    if had_some && dropped { Plan::Archive(part) } else { Plan::Replace(part) }
}

/// Each entry with its time; one without a time stays behind the one before it.
fn dated(entries: Vec<Value>) -> Vec<(DateTime<Utc>, Value)> {
    let mut last = DateTime::<Utc>::MIN_UTC;
    let with_time = |entry: Value| {
        last = time(&entry).unwrap_or(last);
        (last, entry)
    };
    entries.into_iter().map(with_time).collect()
}

/// When an entry was made, if it says.
pub(super) fn time(entry: &Value) -> Option<DateTime<Utc>> {
    let text = entry.get("created_at").or_else(|| entry.get("timestamp"))?.as_str()?;
    let with_zone = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .map(|at| at.with_timezone(&Utc));
    let without = || NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").map(|at| at.and_utc());
    with_zone.or_else(|_| without()).ok()
}

fn newest(mut entries: Vec<Value>, max: usize) -> Vec<Value> {
    if max > 0 {
        entries.drain(..entries.len().saturating_sub(max));
    }
    entries
}

/// What a list holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Entries in all.
    pub entries: usize,
    /// Of these, copies: a source and its address in R2.
    pub r2: usize,
    /// Of these, links alone, as the PHP pages wrote them.
    pub legacy: usize,
    /// Neither.
    pub other: usize,
    /// Entries by provider; of a legacy entry by the host of its link.
    pub providers: BTreeMap<String, usize>,
}

/// Counts the entries of a list by format and provider.
#[must_use]
pub fn count(entries: &[Value]) -> Counts {
    let built_in = providers::defaults();
    let mut counts = Counts { entries: entries.len(), ..Counts::default() };
    for entry in entries {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let (named, link) = match (text("source_url"), text("r2_url"), text("url")) {
            (Some(source), Some(_), _) => {
                counts.r2 += 1;
                (text("provider"), source)
            }
            (_, _, Some(url)) => {
                counts.legacy += 1;
                (None, url)
            }
            _ => {
                counts.other += 1;
                continue;
            }
        };
        let known = named
            .filter(|name| *name != UNKNOWN)
            .or_else(|| built_in.of(link).map(|one| one.name.as_str()))
            .unwrap_or(UNKNOWN);
        *counts.providers.entry(known.to_owned()).or_default() += 1;
    }
    counts
}

/// The provider of a link whose host is none of the known ones.
const UNKNOWN: &str = "unknown";

/// As many of the newest as fit, at least one.
fn fitting(mut entries: Vec<Value>, bounds: Bounds) -> String {
    loop {
        let text = write(&entries);
        if !bounds.is_too_long(&text) || entries.len() <= 1 {
            return text;
        }
        // In proportion, so that few rounds are needed, and at least one.
        let keep = entries.len() * bounds.max_bytes / text.len();
        entries.drain(..(entries.len() - keep.clamp(1, entries.len() - 1)));
    }
}

impl Bounds {
    /// How many of so many entries have to make room.
    const fn too_many(self, entries: usize) -> usize {
        if self.max_entries == 0 { 0 } else { entries.saturating_sub(self.max_entries) }
    }

    const fn is_too_long(self, text: &str) -> bool {
        self.max_bytes > 0 && text.len() > self.max_bytes
    }
}

/// As the reference writes it: two blanks of indentation, no character escaped that need not be.
fn write(entries: &[Value]) -> String {
    // Values of JSON can be written as JSON.
    serde_json::to_string_pretty(entries).unwrap_or_else(|_| "[]".to_owned())
}
