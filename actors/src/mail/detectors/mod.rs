//! Detectors: what kind of mail this is, as data.
//!
//! A detector is a named set of conditions and extractions in the `detectors` document;
//! `docs/DETECTORS.md` describes the language. The detectors of an installation that
//! configures none are such a document, too (`default.json`): there is no other kind.
//!
//! Every expression is compiled once, when the policy is made, and searches in linear
//! time within a budget (see [`super::pattern`]).

mod compile;
mod define;
mod explanation;
mod extract;
#[cfg(test)]
mod french_times;
mod object;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::Value;

pub use self::compile::{detector, id};
use super::Detection;
use super::conditions::{Condition, Facts, Miss};
use super::pattern::Pattern;

/// The document of an installation that configures no detectors.
pub const DEFAULT_DOCUMENT: &str = include_str!("default.json");

/// What becomes of a mail outside of the delivery window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum OutsideWindow {
    /// It waits for the window.
    #[default]
    Hold,
    /// Nothing is sent for it, unless an operator releases it.
    Skip,
    /// It is sent at once.
    Send,
}

impl OutsideWindow {
    /// The name in a document.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Skip => "skip",
            Self::Send => "send",
        }
    }
}

/// What a detector recognises, and what follows. Made by [`detector`].
#[derive(Debug, Clone)]
pub struct Detector {
    /// Unique among the detectors.
    pub id: String,
    /// For people.
    pub name: String,
    /// Value of `detector` in the payload.
    pub value: String,
    conditions: Condition,
    /// When it holds, the mail is urgent.
    urgent: Option<Condition>,
    extract: extract::Extract,
    /// Outside of the window, for an urgent mail and for any other.
    pub outside_window: [OutsideWindow; 2],
    /// A mail that is skipped outside of the window is marked as read.
    mark_skipped_read: bool,
    /// Mails of this kind with one of these words are not wanted; as written.
    pub exclude_keywords: Vec<String>,
}

/// A detection, and what its detector says of a closed window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognised {
    /// What was found.
    pub detection: Detection,
    /// What becomes of the mail outside of the delivery window.
    pub outside_window: OutsideWindow,
    /// If it is skipped, it is marked as read.
    pub mark_skipped_read: bool,
}

impl Detector {
    /// What becomes of a mail of this kind outside of the delivery window.
    #[must_use]
    pub const fn outside_window(&self, urgent: bool) -> OutsideWindow {
        let [for_urgent, otherwise] = self.outside_window;
        if urgent { for_urgent } else { otherwise }
    }

    /// What it recognises, if anything.
    #[must_use]
    pub fn recognise(&self, facts: &Facts<'_>, zone: Tz, now: DateTime<Utc>) -> Option<Recognised> {
        // The words that say why not are only made when somebody asks for them.
        self.conditions.holds(facts).then(|| self.take(facts, zone, now).ok())?
    }

    /// What it recognises.
    ///
    /// # Errors
    /// The first condition that does not hold, or the extraction that failed.
    pub fn examine(&self, facts: &Facts<'_>, zone: Tz, now: DateTime<Utc>) -> Result<Recognised, Miss> {
        match self.conditions.why_not(facts, "conditions") {
            Some(miss) => Err(miss),
            None => self.take(facts, zone, now),
        }
    }

    fn take(&self, facts: &Facts<'_>, zone: Tz, now: DateTime<Utc>) -> Result<Recognised, Miss> {
        let urgent = self.urgent.as_ref().is_some_and(|condition| condition.holds(facts));
        let delivery_time = self.extract.delivery_time(facts, urgent, zone, now)?;
        let extracted = self.extract.values(facts)?;
        let detection = Detection { detector: self.value.clone(), delivery_time, urgent, extracted };
        let outside_window = self.outside_window(urgent);
        Ok(Recognised { detection, outside_window, mark_skipped_read: self.mark_skipped_read })
    }

    /// Every expression that a whole text may be searched for.
    #[must_use]
    pub fn patterns(&self) -> Vec<&Pattern> {
        let mut found = Vec::new();
        self.conditions.patterns(&mut found);
        if let Some(urgent) = &self.urgent {
            urgent.patterns(&mut found);
        }
        self.extract.patterns(&mut found);
        found
    }
}

/// The detectors of an installation that configures none.
#[must_use]
pub fn defaults() -> Vec<Detector> {
    static DEFAULTS: LazyLock<Vec<Detector>> = LazyLock::new(|| {
        let document: Value = serde_json::from_str(DEFAULT_DOCUMENT).unwrap_or_default();
        let list = document.get("detectors").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        list.iter().filter_map(|stored| detector(stored).ok().flatten()).collect()
    });
    DEFAULTS.clone()
}
