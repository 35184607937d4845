//! How values are shown within the words of a finding, in each language.

use chrono::{DateTime, Utc};
use render_signal_actors::config::documents::FieldProblem;
use render_signal_actors::kernel::said::Said;
use serde::Serialize;

use crate::lang::Lang;
use crate::words::recorded::plain;

/// A value that stands within words.
pub(crate) trait Told {
    /// As it is shown.
    fn told(&self, lang: Lang) -> String;
}

macro_rules! told_alike {
    ($($type:ty),*) => {
        $(impl Told for $type {
            fn told(&self, _: Lang) -> String {
                self.to_string()
            }
        })*
    };
}

told_alike!(String, &'static str, u16, u32, u64, i64, usize);

impl Told for Said {
    fn told(&self, lang: Lang) -> String {
        lang.said(self).to_owned()
    }
}

impl Told for FieldProblem {
    fn told(&self, lang: Lang) -> String {
        lang.problem(self)
    }
}

/// What a machine or an event says in English; French is given as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct RecordedWords(pub(crate) String);

impl<T: Into<String>> From<T> for RecordedWords {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl Told for RecordedWords {
    fn told(&self, lang: Lang) -> String {
        plain(lang, &self.0).into_owned()
    }
}

/// Names, one behind the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Names(pub(crate) Vec<String>);

impl<N: Into<String>> FromIterator<N> for Names {
    fn from_iter<I: IntoIterator<Item = N>>(names: I) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }
}

impl Told for Names {
    fn told(&self, _: Lang) -> String {
        self.0.join(", ")
    }
}

impl Told for Vec<Said> {
    fn told(&self, lang: Lang) -> String {
        self.iter().map(|said| lang.said(said)).collect::<Vec<_>>().join(", ")
    }
}

/// Places that are looked at one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct InTurn(pub(crate) Vec<Said>);

impl Told for InTurn {
    fn told(&self, lang: Lang) -> String {
        let places: Vec<&str> = self.0.iter().map(|place| lang.said(place)).collect();
        places.join(lang.pick(", puis ", ", then "))
    }
}

/// Said in brackets, if at all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Aside(pub(crate) Option<String>);

impl Told for Aside {
    fn told(&self, lang: Lang) -> String {
        let words = |aside: &str| match aside {
            "outside_hours" => {
                lang.pick("hors des heures de relève", "outside the hours of polling").to_owned()
            }
            "vacation" => lang.pick("vacances", "on vacation").to_owned(),
            "disabled" => lang.pick("relève désactivée", "polling is switched off").to_owned(),
            other => other.replace('_', " "),
        };
        self.0.as_deref().map_or_else(String::new, |aside| format!(" ({})", words(aside)))
    }
}

/// An instant, of which the time of day is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct DayTime(pub(crate) DateTime<Utc>);

impl Told for DayTime {
    fn told(&self, _: Lang) -> String {
        self.0.format("%H:%M:%S").to_string()
    }
}

/// What a poller is at; see `PollerStatus::phase`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Phase(pub(crate) String);

impl Told for Phase {
    fn told(&self, lang: Lang) -> String {
        let french = match self.0.as_str() {
            "standby" => "en réserve",
            "inactive" => "inactif",
            "connecting" => "connexion",
            "watching" => "à l'écoute",
            "fetching" => "relève",
            "waiting" => "en attente",
            other => other,
        };
        lang.pick(french, &self.0).to_owned()
    }
}
