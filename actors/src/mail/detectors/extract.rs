//! What a detector takes out of a mail: a delivery time, and named texts.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;
use regex::{Captures, Match};

use crate::kernel::said::{Said, said};
use crate::mail::conditions::{Facts, MailField, Miss, TextForm, TextForms};
use crate::mail::pattern::Pattern;
use crate::mail::{digits, times};

/// Characters of the same line that `before` and `unless_before` see.
const BEFORE: usize = 64;
/// Characters that `after` sees.
const AFTER: usize = 64;
/// Bytes of a text that are searched for a time. Where letters are not ASCII, a word boundary
/// costs thirty nanoseconds a byte; the time of an order stands on its first page.
const SEARCHED: usize = 256 << 10;
/// What looks like a time, is none, and was found so far, ends the search of one pattern.
/// Each costs as much as a hundred characters without one, and a mail of thousands of
/// impossible times is no order.
const CANDIDATES: usize = 1_000;
/// Characters of a named text that are kept.
const KEPT: usize = 200;

/// The delivery time.
#[derive(Debug, Clone)]
pub(super) struct DeliveryTime {
    /// Of an urgent mail: one hour from now, whatever the text says.
    pub(super) in_an_hour_when_urgent: bool,
    /// The first that finds a possible time counts.
    pub(super) patterns: Vec<TimePattern>,
    /// What is no time for every pattern that shares them.
    pub(super) rejects: Vec<Reject>,
    pub(super) required: bool,
    pub(super) explain: Option<Said>,
}

/// One way to write a time.
#[derive(Debug, Clone)]
pub(super) struct TimePattern {
    pub(super) field: MailField,
    /// Its groups are the parts of [`times::WrittenTime`].
    pub(super) pattern: Pattern,
    /// What stands in the address of a link is no time.
    pub(super) outside_links: bool,
    pub(super) rejects: Vec<Reject>,
    /// The rejects of the delivery time hold for it, too.
    pub(super) shares_rejects: bool,
}

/// What looks like a time and is none: everything that is given must match.
#[derive(Debug, Clone, Default)]
pub(super) struct Reject {
    pub(super) matched: Option<Pattern>,
    pub(super) before: Option<Pattern>,
    pub(super) after: Option<Pattern>,
    /// It is a time after all.
    pub(super) unless_before: Option<Pattern>,
}

/// A text under a name.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) field: MailField,
    pub(super) form: TextForm,
    /// Has exactly one group: the text.
    pub(super) pattern: Pattern,
    pub(super) required: bool,
    pub(super) explain: Option<Said>,
}

/// Everything that a detector takes out.
#[derive(Debug, Clone, Default)]
pub(super) struct Extract {
    pub(super) delivery_time: Option<DeliveryTime>,
    pub(super) values: Vec<Named>,
}

impl Extract {
    /// The delivery time, if any.
    ///
    /// # Errors
    /// None was found and one is required.
    pub(super) fn delivery_time(
        &self,
        facts: &Facts<'_>,
        urgent: bool,
        zone: Tz,
        now: DateTime<Utc>,
    ) -> Result<Option<String>, Miss> {
        let Some(wanted) = &self.delivery_time else { return Ok(None) };
        let found = if urgent && wanted.in_an_hour_when_urgent {
            Some(times::in_an_hour(zone, now))
        } else {
            let arrived = facts.arrived(now).with_timezone(&zone).naive_local();
            wanted.patterns.iter().find_map(|pattern| pattern.find(facts, &wanted.rejects, arrived))
        };
        if found.is_none() && wanted.required {
            let words = wanted.explain.clone();
            return Err(Miss {
                condition: "extract.delivery_time".to_owned(),
                words: words.unwrap_or_else(|| {
                    said!(
                        "aucune heure de livraison valable n'a été trouvée",
                        "no valid delivery time was found"
                    )
                }),
            });
        }
        Ok(found.as_ref().map(ToString::to_string))
    }

    /// The named texts that were found.
    ///
    /// # Errors
    /// One is required and was not found.
    pub(super) fn values(&self, facts: &Facts<'_>) -> Result<BTreeMap<String, String>, Miss> {
        let mut found = BTreeMap::new();
        for named in &self.values {
            match named.find(facts) {
                Some(value) => {
                    found.insert(named.name.clone(), value);
                }
                None if named.required => {
                    let (words, name) = (named.explain.clone(), &named.name);
                    return Err(Miss {
                        condition: format!("extract.values.{}", named.name),
                        words: words.unwrap_or_else(|| {
                            said!("aucun « {name} » n'a été trouvé", "no \"{name}\" was found")
                        }),
                    });
                }
                None => {}
            }
        }
        Ok(found)
    }

    /// Every expression in it.
    pub(super) fn patterns<'c>(&'c self, found: &mut Vec<&'c Pattern>) {
        found.extend(self.delivery_time.iter().flat_map(|time| &time.patterns).map(|time| &time.pattern));
        found.extend(self.values.iter().map(|named| &named.pattern));
    }
}

fn text<'f>(facts: &'f Facts<'_>, field: MailField) -> &'f TextForms<'f> {
    match field {
        MailField::Subject => &facts.subject,
        MailField::Sender => &facts.sender,
        MailField::Body | MailField::Links => &facts.body,
    }
}

impl TimePattern {
    fn find(&self, facts: &Facts<'_>, shared: &[Reject], arrived: NaiveDateTime) -> Option<times::FoundTime> {
        let text = text(facts, self.field);
        let seen = text.get(TextForm::Seen);
        let searched = if self.outside_links { text.without_links() } else { seen };
        let searched = searched.get(..searched.floor_char_boundary(SEARCHED)).unwrap_or(searched);
        let shared = if self.shares_rejects { shared } else { &[] };
        self.pattern.captures_iter(searched).take(CANDIDATES).find_map(|captures| {
            let time = times::FoundTime::read(&written(&captures), arrived)?;
            let rejected = captures.get(0).is_some_and(|found| {
                self.rejects.iter().chain(shared).any(|reject| reject.applies(seen, found))
            });
            (!rejected).then_some(time)
        })
    }
}

fn written<'t>(captures: &Captures<'t>) -> times::WrittenTime<'t> {
    let group = |name: &str| captures.name(name).map(|group| group.as_str());
    times::WrittenTime {
        hour: group("hour"),
        noon: group("noon"),
        minute: group("minute"),
        half: group("half"),
        day: group("day"),
        month: group("month"),
        year: group("year"),
        weekday: group("weekday"),
        relative: group("relative"),
    }
}

impl Reject {
    /// `seen` is the text with the links in it, at the same offsets.
    fn applies(&self, seen: &str, found: Match<'_>) -> bool {
        let fits = |pattern: &Option<Pattern>, text: &str| {
            pattern.as_ref().is_none_or(|pattern| pattern.is_match(text))
        };
        let before = line_before(seen, found.start());
        let matched = || digits::to_ascii(found.as_str());
        let excused = self.unless_before.as_ref().is_some_and(|pattern| pattern.is_match(before));
        !excused
            && fits(&self.before, before)
            && fits(&self.after, at_most(seen, found.end(), AFTER))
            && (self.matched.is_none() || matched().is_some_and(|matched| fits(&self.matched, &matched)))
    }
}

impl Named {
    fn find(&self, facts: &Facts<'_>) -> Option<String> {
        let captures = self.pattern.captures(text(facts, self.field).get(self.form))?;
        let value = captures.get(1)?.as_str().trim();
        (!value.is_empty()).then(|| value.chars().take(KEPT).collect())
    }
}

/// At most `length` characters of the text from `start` on.
fn at_most(text: &str, start: usize, length: usize) -> &str {
    let rest = text.get(start..).unwrap_or_default();
    rest.char_indices().nth(length).and_then(|(end, _)| rest.get(..end)).unwrap_or(rest)
}

/// At most [`BEFORE`] characters of the line before `at`.
fn line_before(text: &str, at: usize) -> &str {
    let before = text.get(..at).unwrap_or_default();
    let start = before
        .char_indices()
        .rev()
        .take(BEFORE)
        .take_while(|(_, letter)| *letter != '\n')
        .last()
        .map_or(at, |(start, _)| start);
    before.get(start..).unwrap_or_default()
}
