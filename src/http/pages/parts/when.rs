//! A moment.

use std::fmt;

use askama::filters::HtmlSafe;
use chrono::{DateTime, SecondsFormat, Utc};

use crate::http::pages::clock::PageClock;

/// A moment, as short as it is clear; all of it is its title and in `datetime`. Where it is said
/// how long ago it was, a script keeps that true.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct When {
    clock: PageClock,
    at: DateTime<Utc>,
    form: TimeStyle,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TimeStyle {
    Short,
    Seconds,
    Ago,
}

impl When {
    /// `14:02`, `hier 14:02`, `12 nov. 14:02`.
    pub(in crate::http::pages) const fn short(clock: PageClock, at: DateTime<Utc>) -> Self {
        Self { clock, at, form: TimeStyle::Short }
    }

    /// `14:02:07`, of the same day as what stands around it.
    pub(in crate::http::pages) const fn seconds(clock: PageClock, at: DateTime<Utc>) -> Self {
        Self { clock, at, form: TimeStyle::Seconds }
    }

    /// `il y a 4 min`.
    pub(in crate::http::pages) const fn ago(clock: PageClock, at: DateTime<Utc>) -> Self {
        Self { clock, at, form: TimeStyle::Ago }
    }
}

impl HtmlSafe for When {}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clock, at, form } = *self;
        let text = match form {
            TimeStyle::Short => clock.short(at),
            TimeStyle::Seconds => clock.seconds(at),
            TimeStyle::Ago => clock.ago(at),
        };
        let ago = if form == TimeStyle::Ago { " data-ago" } else { "" };
        // Names of months and zones have no sign that HTML would take for its own.
        write!(
            f,
            "<time datetime=\"{}\" title=\"{}\"{ago}>{text}</time>",
            at.to_rfc3339_opts(SecondsFormat::Secs, true),
            clock.full(at)
        )
    }
}
