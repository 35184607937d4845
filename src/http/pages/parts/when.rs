//! A moment.

use std::fmt;

use askama::filters::HtmlSafe;
use chrono::{DateTime, SecondsFormat, Utc};

use crate::http::pages::clock::Clock;

/// A moment, as short as it is clear; all of it is its title and in `datetime`. Where it is said
/// how long ago it was, a script keeps that true.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct When {
    clock: Clock,
    at: DateTime<Utc>,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Short,
    Seconds,
    Ago,
}

impl When {
    /// `14:02`, `hier 14:02`, `12 nov. 14:02`.
    pub(in crate::http::pages) const fn short(clock: Clock, at: DateTime<Utc>) -> Self {
        Self { clock, at, form: Form::Short }
    }

    /// `14:02:07`, of the same day as what stands around it.
    pub(in crate::http::pages) const fn seconds(clock: Clock, at: DateTime<Utc>) -> Self {
        Self { clock, at, form: Form::Seconds }
    }

    /// `il y a 4 min`.
    pub(in crate::http::pages) const fn ago(clock: Clock, at: DateTime<Utc>) -> Self {
        Self { clock, at, form: Form::Ago }
    }
}

impl HtmlSafe for When {}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clock, at, form } = *self;
        let text = match form {
            Form::Short => clock.short(at),
            Form::Seconds => clock.seconds(at),
            Form::Ago => clock.ago(at),
        };
        let ago = if form == Form::Ago { " data-ago" } else { "" };
        // Names of months and zones have no sign that HTML would take for its own.
        write!(
            f,
            "<time datetime=\"{}\" title=\"{}\"{ago}>{text}</time>",
            at.to_rfc3339_opts(SecondsFormat::Secs, true),
            clock.full(at)
        )
    }
}
