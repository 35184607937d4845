//! `polling_config` (reference section 3.1): when the poller looks, and for whom.

use chrono::NaiveDate;
use serde_json::Value;

use super::FieldProblem;
use super::coerce::{DocumentFields, boolean, integer, list_or_csv, word};
use super::time::parse_date;
use crate::kernel::said::{Said, said};

/// The document. `None` and empty lists leave the choice to the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PollingConfig {
    /// 0 = Monday; sorted, each once; empty = the environment's.
    pub active_days: Vec<u8>,
    /// First active hour, 0–23.
    pub active_start_hour: Option<u8>,
    /// First inactive hour, 0–24.
    pub active_end_hour: Option<u8>,
    /// Whether of the mails of a subject group and month only the first is sent.
    pub enable_subject_group_dedup: Option<bool>,
    /// Lower-cased addresses in the order written, each once; empty = the environment's.
    pub senders: Vec<String>,
    /// First and last day without polling, both inclusive; only when both are given.
    pub vacation: Option<(NaiveDate, NaiveDate)>,
    /// Master switch of the poller; absent = on.
    pub enable_polling: Option<bool>,
}

impl PollingConfig {
    /// Reads the document.
    ///
    /// # Errors
    /// Everything that is wrong, each naming its field.
    pub fn parse(value: &Value) -> Result<Self, Vec<FieldProblem>> {
        let mut fields = DocumentFields::of(value)?;
        let document = Self {
            active_days: fields.read("active_days", days).unwrap_or_default(),
            active_start_hour: fields.read("active_start_hour", |v| hour(v, "active_start_hour", 23)),
            active_end_hour: fields.read("active_end_hour", |v| hour(v, "active_end_hour", 24)),
            enable_subject_group_dedup: fields.read("enable_subject_group_dedup", boolean),
            senders: fields.read("sender_of_interest_for_polling", senders).unwrap_or_default(),
            vacation: vacation(&mut fields),
            enable_polling: fields.read("enable_polling", word),
        };
        fields.finish(document)
    }
}

/// A list; the reference system does not read a text here, and takes the environment's days.
fn days(value: &Value) -> Result<Vec<u8>, Said> {
    if let Value::String(text) = value
        && !text.is_empty()
    {
        return Err(said!(
            "liste attendue, pas le texte {text:?} (écrivez [0,1])",
            "a list is expected, not the text {text:?} (write [0,1])"
        ));
    }
    read_days(value)
}

/// The same, also comma-separated.
pub(super) fn read_days(value: &Value) -> Result<Vec<u8>, Said> {
    let mut days = Vec::new();
    for member in list_or_csv(value)? {
        let day =
            integer(&member).ok().and_then(|day| u8::try_from(day).ok()).filter(|day| *day <= 6).ok_or_else(
                || {
                    said!(
                        "jour invalide {member} (0 = lundi … 6 = dimanche)",
                        "{member} is no day (0 = Monday … 6 = Sunday)"
                    )
                },
            )?;
        days.push(day);
    }
    days.sort_unstable();
    days.dedup();
    Ok(days)
}

/// An hour up to `last`. The end may be 24, the end of the day, which the reference system
/// does not take.
fn hour(value: &Value, name: &str, last: u8) -> Result<u8, Said> {
    let hour = integer(value)
        .map_err(|_| said!("{name} invalide (entier attendu).", "{name} must be a whole number."))?;
    u8::try_from(hour)
        .ok()
        .filter(|hour| *hour <= last)
        .ok_or_else(|| said!("{name} doit être entre 0 et {last}.", "{name} must be between 0 and {last}."))
}

pub(super) fn senders(value: &Value) -> Result<Vec<String>, Said> {
    let mut senders: Vec<String> = Vec::new();
    for member in list_or_csv(value)? {
        let Value::String(text) = &member else {
            return Err(said!(
                "adresse invalide {member} (texte attendu)",
                "{member} is no address (a text is expected)"
            ));
        };
        let address = text.trim().to_lowercase();
        if address.is_empty() {
            continue;
        }
        if !is_address(&address) {
            return Err(said!(
                "adresse invalide {address:?} (attendu\u{a0}: nom@domaine.tld)",
                "{address:?} is no address (expected: name@domain.tld)"
            ));
        }
        if !senders.contains(&address) {
            senders.push(address);
        }
    }
    Ok(senders)
}

/// `^[^@\s]+@[^@\s]+\.[^@\s]+$`
#[must_use]
pub fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let clean = |part: &str| !part.is_empty() && !part.contains(|c: char| c == '@' || c.is_whitespace());
    // A dot with something on both sides of it.
    let dotted = domain.char_indices().any(|(at, c)| c == '.' && at > 0 && at + c.len_utf8() < domain.len());
    clean(local) && clean(domain) && dotted
}

fn vacation(fields: &mut DocumentFields<'_>) -> Option<(NaiveDate, NaiveDate)> {
    let mut day = |name: &str| fields.read(name, |value| date(value, name)).flatten();
    let (start, end) = (day("vacation_start"), day("vacation_end"));
    let (start, end) = (start?, end?);
    if start > end {
        fields.wrong(
            "vacation_start",
            said!("vacation_start doit être <= vacation_end.", "vacation_start must be <= vacation_end."),
        );
        return None;
    }
    Some((start, end))
}

fn date(value: &Value, name: &str) -> Result<Option<NaiveDate>, Said> {
    let bad = || said!("{name} invalide (format YYYY-MM-DD).", "{name} is no date (YYYY-MM-DD).");
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.trim().is_empty() => Ok(None),
        Value::String(text) => parse_date(text).map(Some).ok_or_else(bad),
        _ => Err(bad()),
    }
}
