//! Why something was not done.

use std::fmt::Display;

use render_signal_actors::config::documents::{FieldProblem, Key};
use render_signal_actors::config::edit::EditError;
use render_signal_actors::config::history::CopyError;
use render_signal_actors::config::store::StoreError;
use render_signal_actors::kernel::said::Said;
use render_signal_actors::said;

use crate::lang::Lang;
use crate::words::faults::JournalFault;
use crate::words::recorded::plain;

/// Why something was not done. Nothing was changed, unless it says otherwise.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ServiceError {
    /// There is no such thing.
    Missing(Said),
    /// It was there, and is kept no longer.
    Gone(Said),
    /// What was sent cannot be used.
    Unusable(Said),
    /// A document would not be valid.
    Invalid(Key, Vec<FieldProblem>),
    /// Somebody else changed it since the caller looked.
    Changed(Said),
    /// It cannot be done in the present state.
    State(Said),
    /// The journal cannot be read or written now.
    Journal(String),
    /// A store or server does not answer now.
    Away(Said),
}

impl ServiceError {
    /// The journal did not answer.
    pub(crate) fn journal(why: impl Display) -> Self {
        Self::Journal(why.to_string())
    }

    /// In words; of a document that is not valid all that is wrong, in one line.
    pub(crate) fn said(&self) -> Said {
        match self {
            Self::Missing(said)
            | Self::Gone(said)
            | Self::Unusable(said)
            | Self::Changed(said)
            | Self::State(said)
            | Self::Away(said) => said.clone(),
            Self::Journal(why) => journal(why),
            Self::Invalid(key, problems) => {
                let all: Vec<Said> = problems.iter().map(FieldProblem::said).collect();
                let Said { french, english } = Said::joined(&all, "; ");
                said!("{key} est refusé\u{a0}: {french}", "{key} is refused: {english}")
            }
        }
    }

    /// The same for the middle of a sentence.
    pub(crate) fn cause(&self) -> Said {
        match self {
            Self::Journal(why) => cause_of(why),
            other => other.said(),
        }
    }

    /// Why an edit was not made.
    pub(crate) fn edit(key: Key, error: EditError) -> Self {
        match error {
            EditError::Invalid(problems) => Self::Invalid(key, problems),
            EditError::Conflict(conflict) => Self::Changed(conflict.said()),
            EditError::Unknown(why) => {
                let Said { french, english } = cause_of(&why);
                Self::Changed(said!(
                    "{key}\u{a0}: {french}\u{a0}; rien n'a été changé",
                    "{key}: {english}; nothing was changed"
                ))
            }
            EditError::Store(error) => error.into(),
        }
    }
}

/// What the journal says: what to do where that is known, and otherwise its own words.
fn journal(why: &str) -> Said {
    JournalFault::of(why).map_or_else(|| own_words(why), JournalFault::said)
}

/// The same for the middle of a sentence: the cause alone.
fn cause_of(why: &str) -> Said {
    JournalFault::of(why).map_or_else(|| own_words(why), JournalFault::cause)
}

fn own_words(why: &str) -> Said {
    Said { french: plain(Lang::Fr, why).into_owned(), english: why.to_owned() }
}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Conflict(key) => Self::Changed(said!(
                "{key} a été changé entre-temps par quelqu'un d'autre\u{a0}: lisez-le à nouveau",
                "{key} was changed by somebody else in the meantime: read it again"
            )),
            StoreError::Lost(key) => Self::Away(said!(
                "{key} est perdu\u{a0}: le stockage a été vidé",
                "{key} is lost: the store was emptied"
            )),
            StoreError::Unreadable { what, why } => {
                let french = plain(Lang::Fr, why);
                Self::Away(said!(
                    "{what} n'a pas pu être lu\u{a0}: {french}",
                    "{what} could not be read: {why}"
                ))
            }
            StoreError::Unwritable { what, why } => {
                let french = plain(Lang::Fr, why);
                Self::Away(said!(
                    "{what} n'a pas pu être écrit\u{a0}: {french}",
                    "{what} could not be written: {why}"
                ))
            }
        }
    }
}

impl From<CopyError> for ServiceError {
    fn from(error: CopyError) -> Self {
        match error {
            CopyError::Unreadable(why) => Self::Journal(why),
            CopyError::Gone { .. } | CopyError::NoContent(_) => Self::Gone(error.said()),
            CopyError::NoVersion { .. } => Self::Missing(error.said()),
        }
    }
}
