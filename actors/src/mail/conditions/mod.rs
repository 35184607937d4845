//! Conditions on a mail: the one engine behind detectors and routing rules.
//!
//! A [`Predicate`] compares one field of a mail with values; a [`Condition`] is a predicate or a
//! group of conditions. Both documents are compiled into them: detectors in
//! [`super::detectors`], with groups and all operators; routing rules in [`super::rules`], as a
//! list of predicates. What a field contains differs between the two, see [`Facts`].

mod facts;
mod predicate;
#[cfg(test)]
mod tests;
mod words;

pub use self::facts::Facts;
pub(crate) use self::facts::TextForm;
pub(super) use self::facts::TextForms;
pub use self::predicate::{MailField, Operator, Predicate};
use self::words::in_a_row;
use super::pattern::Pattern;
use crate::kernel::said::{Said, said};

/// A condition, or a group of them.
#[derive(Debug, Clone)]
pub struct Condition {
    pub(super) logic: Logic,
    /// What the operator wants to read when it does not hold.
    pub(super) explain: Option<Said>,
}

/// What must hold.
#[derive(Debug, Clone)]
pub(super) enum Logic {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    None(Vec<Condition>),
    Test(Predicate),
}

/// Why a condition does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miss {
    /// Where the condition stands in the detector, such as `conditions.all[2]`.
    pub condition: String,
    /// In plain words; an operator's own are the same in both languages.
    pub words: Said,
}

impl Condition {
    /// Whether it holds.
    #[must_use]
    pub fn holds(&self, facts: &Facts<'_>) -> bool {
        match &self.logic {
            Logic::All(parts) => parts.iter().all(|part| part.holds(facts)),
            Logic::Any(parts) => parts.iter().any(|part| part.holds(facts)),
            Logic::None(parts) => !parts.iter().any(|part| part.holds(facts)),
            Logic::Test(test) => test.find(facts).is_some(),
        }
    }

    /// The first thing that does not hold; `None` when all is well. `path` says where this
    /// condition stands.
    #[must_use]
    pub fn why_not(&self, facts: &Facts<'_>, path: &str) -> Option<Miss> {
        let mut miss = match &self.logic {
            Logic::All(parts) => parts
                .iter()
                .enumerate()
                .find_map(|(index, part)| part.why_not(facts, &format!("{path}.all[{index}]")))?,
            Logic::Any(parts) => {
                let misses: Option<Vec<Miss>> = parts.iter().map(|part| part.why_not(facts, path)).collect();
                let words: Vec<Said> = misses?.into_iter().map(|miss| miss.words).collect();
                Miss { condition: format!("{path}.any"), words: in_a_row(&words, ", et ", ", and ") }
            }
            Logic::None(parts) => {
                let held = |(index, part): (usize, &Self)| {
                    let words = part.why(facts)?;
                    Some(Miss { condition: format!("{path}.none[{index}]"), words })
                };
                parts.iter().enumerate().find_map(held)?
            }
            Logic::Test(test) if test.find(facts).is_some() => return None,
            Logic::Test(test) => Miss { condition: path.to_owned(), words: test.missing() },
        };
        if let Some(words) = &self.explain {
            miss.words.clone_from(words);
        }
        Some(miss)
    }

    /// What makes it hold; `None` when it does not.
    pub(super) fn why(&self, facts: &Facts<'_>) -> Option<Said> {
        match &self.logic {
            Logic::All(parts) => {
                let words: Option<Vec<Said>> = parts.iter().map(|part| part.why(facts)).collect();
                words.map(|words| in_a_row(&words, ", et ", ", and "))
            }
            Logic::Any(parts) => parts.iter().find_map(|part| part.why(facts)),
            Logic::None(_) => self.holds(facts).then(|| {
                said!(
                    "aucune des conditions exclues n'est remplie",
                    "none of the conditions that are ruled out holds"
                )
            }),
            Logic::Test(test) => test.find(facts).map(|index| test.present(index)),
        }
    }

    /// Every expression in it.
    pub(super) fn patterns<'c>(&'c self, found: &mut Vec<&'c Pattern>) {
        match &self.logic {
            Logic::All(parts) | Logic::Any(parts) | Logic::None(parts) => {
                for part in parts {
                    part.patterns(found);
                }
            }
            Logic::Test(test) => found.extend(&test.patterns),
        }
    }
}
