//! What all lists have in common.

use std::fmt::{self, Display};

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use crate::http::problem::HttpProblem;

/// The most items that one answer lists.
const MAX_PAGE_SIZE: u16 = 200;

/// How many at most; 50 unless another number is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) struct Limit(u16);

impl Limit {
    /// As a number.
    pub(in crate::http) fn get(self) -> usize {
        usize::from(self.0)
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_u64(Self::default())
    }
}

/// Says the bounds of whatever else is sent.
impl Visitor<'_> for Limit {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number, at least 1 and at most {MAX_PAGE_SIZE}")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self, E> {
        let limit = u16::try_from(number).ok().filter(|limit| (1..=MAX_PAGE_SIZE).contains(limit));
        limit.map(Self).ok_or_else(|| E::custom(format!("at least 1 and at most {MAX_PAGE_SIZE}")))
    }
}

/// A place in the log, from where to go on: what a page gave, or 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) struct Position(u64);

impl Position {
    /// No log is longer.
    const MAX: u64 = i64::MAX.unsigned_abs();

    /// As a number.
    pub(in crate::http) const fn get(self) -> u64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let position = u64::deserialize(reader)?;
        if position <= Self::MAX {
            Ok(Self(position))
        } else {
            Err(D::Error::custom(format!("at most {}", Self::MAX)))
        }
    }
}

/// An HTTP status that a receiver answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) struct Status(u16);

impl Status {
    /// As a number.
    pub(in crate::http) const fn get(self) -> u16 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let status = reader.deserialize_u16(Whole)?;
        match u16::try_from(status) {
            Ok(status @ 100..=599) => Ok(Self(status)),
            _ => Err(D::Error::custom("at least 100 and at most 599")),
        }
    }
}

/// A whole number; JSON makes no difference between `503` and `503.0`.
struct Whole;

impl Visitor<'_> for Whole {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
        Ok(number)
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole and small")]
    fn visit_f64<E: Error>(self, number: f64) -> Result<u64, E> {
        if number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number) {
            Ok(number as u64)
        } else {
            Err(E::invalid_value(Unexpected::Float(number), &self))
        }
    }
}

/// No parameters at all: one that is sent is refused.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Nothing {}

/// The journal does not answer.
pub(in crate::http) fn unavailable(why: impl Display) -> HttpProblem {
    tracing::warn!(%why, "a request could not be answered from the journal");
    HttpProblem::unavailable(format!("the journal cannot be read now: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_says_its_bounds_whatever_is_sent() {
        for text in ["0", "201", "100000", "99999999999999999999999", "-1", "2.5", "\"x\"", "null"] {
            let error = serde_json::from_str::<Limit>(text).expect_err(text).to_string();
            assert!(error.contains("at least 1 and at most 200"), "{text}: {error}");
        }
        assert_eq!(serde_json::from_str::<Limit>("200").map(Limit::get).ok(), Some(200));
    }
}
