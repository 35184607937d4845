//! Regular expressions that an operator writes, held to a budget.
//!
//! The engine takes linear time, so nothing backtracks for ever; but the constant is the
//! number of places in the expression that a letter may match. `[ab]*a[ab]{4000}c` has
//! four thousand of them and reads 1 MiB of unlucky text in more than a minute. So an
//! expression with more than [`LARGEST`] places is refused, and one with many of them
//! reads less of a long text: places × bytes stay below a bound, about a third of a
//! second in the worst case.

use std::fmt;
use std::sync::Arc;

use regex::{Captures, Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind};

use crate::kernel::said::{Said, said};

/// Bytes that a compiled expression may take.
const COMPILED: usize = 1 << 20;
/// Places that an expression may have, counted repetitions multiplied out.
pub const LARGEST: usize = 2_000;
/// Places × bytes of one search. An expression of 64 places reads 1 MiB.
const WORK: usize = 1 << 26;
/// Longest expression as written, in characters.
const WRITTEN: usize = 4_000;

/// A compiled expression; cheap to clone.
#[derive(Clone)]
pub struct Pattern {
    /// Shared, for every clone of a `Regex` warms up caches of its own.
    regex: Arc<Regex>,
    reach: usize,
    longest: Option<usize>,
    written: Arc<str>,
}

/// Why an expression is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// It takes too much memory, or too much time on a long text.
    #[error("The regular expression is too long.")]
    TooLarge,
    /// It is no expression of this engine.
    #[error("The regular expression is invalid: {0}.")]
    Invalid(String),
}

impl BadPattern {
    /// In both languages. What the engine says is English; in French there is that it is so.
    #[must_use]
    pub fn said(&self) -> Said {
        let english = self.to_string();
        match self {
            Self::TooLarge => said!("Expression régulière trop longue.", "{english}"),
            Self::Invalid(_) => said!("Expression régulière invalide.", "{english}"),
        }
    }
}

impl Pattern {
    /// Compiles an expression.
    ///
    /// # Errors
    /// It is malformed, uses what a linear-time engine cannot do (look-around, references
    /// to groups), or is too large.
    pub fn new(written: &str, case_sensitive: bool) -> Result<Self, BadPattern> {
        if written.chars().count() > WRITTEN {
            return Err(BadPattern::TooLarge);
        }
        let parsed = ParserBuilder::new().case_insensitive(!case_sensitive).build().parse(written);
        let parsed = parsed.map_err(|error| BadPattern::Invalid(last_line(&error.to_string())))?;
        let places = places(&parsed);
        let compiled =
            RegexBuilder::new(written).case_insensitive(!case_sensitive).size_limit(COMPILED).build();
        let regex = compiled.map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => BadPattern::TooLarge,
            other => BadPattern::Invalid(last_line(&other.to_string())),
        })?;
        if places > LARGEST {
            return Err(BadPattern::TooLarge);
        }
        Ok(Self {
            regex: Arc::new(regex),
            reach: WORK / places.max(1),
            longest: parsed.properties().maximum_len(),
            written: written.into(),
        })
    }

    /// The expression as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// Bytes of a text that are searched.
    #[must_use]
    pub const fn reach(&self) -> usize {
        self.reach
    }

    /// Length of the longest match in bytes; `None` when there is no bound.
    #[must_use]
    pub const fn longest(&self) -> Option<usize> {
        self.longest
    }

    /// Whether it matches somewhere in the text.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(self.reached(text))
    }

    /// The first match with its groups.
    #[must_use]
    pub fn captures<'t>(&self, text: &'t str) -> Option<Captures<'t>> {
        self.regex.captures(self.reached(text))
    }

    /// All matches with their groups. Linear in the text only when [`Self::longest`] is
    /// bounded.
    pub fn captures_iter<'p, 't>(
        &'p self,
        text: &'t str,
    ) -> impl Iterator<Item = Captures<'t>> + use<'p, 't> {
        self.regex.captures_iter(self.reached(text))
    }

    /// Number of groups, the whole match not counted.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.regex.captures_len().saturating_sub(1)
    }

    /// Names of the groups that have one.
    pub fn group_names(&self) -> impl Iterator<Item = &str> {
        self.regex.capture_names().flatten()
    }

    /// Places × bytes of a search in a text of this length.
    #[must_use]
    pub fn work(&self, bytes: usize) -> usize {
        (WORK / self.reach.max(1)).saturating_mul(bytes.min(self.reach))
    }

    fn reached<'t>(&self, text: &'t str) -> &'t str {
        text.get(..text.floor_char_boundary(self.reach)).unwrap_or(text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/", self.written)
    }
}

/// How many letters of a text it can be about at once.
fn places(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Class(_) => 1,
        HirKind::Repetition(repetition) => {
            let copies = repetition.max.unwrap_or_else(|| repetition.min.saturating_add(1)).max(1);
            places(&repetition.sub).saturating_mul(usize::try_from(copies).unwrap_or(usize::MAX))
        }
        HirKind::Capture(capture) => places(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().map(places).fold(0, usize::saturating_add)
        }
    }
}

/// The line of a multi-line error that says what is wrong.
fn last_line(text: &str) -> String {
    text.lines().last().unwrap_or_default().trim_start_matches("error:").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(written: &str) -> Result<usize, BadPattern> {
        Pattern::new(written, false).map(|pattern| pattern.reach())
    }

    #[test]
    fn an_expression_reads_as_much_as_its_size_allows() {
        for usual in
            ["(a+)+$", r"facture n° (\d{4,8})", r"[\w.+-]+@[\w-]+\.\w+", r"^(lot|lots)\b.*urgen(t|ce)"]
        {
            assert!(reach(usual).is_ok_and(|reach| reach >= 1 << 20), "{usual}: {:?}", reach(usual));
        }
        let many = reach("[ab]*a[ab]{1000}c").expect("usable");
        assert!((1 << 15..1 << 17).contains(&many), "{many}");
        for hostile in ["a{1000}{1000}", "[ab]*a[ab]{4000}c", "((a{1,50}){1,50}){1,50}", &"x".repeat(5_000)] {
            assert_eq!(reach(hostile), Err(BadPattern::TooLarge), "{hostile}");
        }
        for wrong in ["(", "(?=x)", r"(a)\1", "[z-a]", "a{2,1}"] {
            assert!(matches!(reach(wrong), Err(BadPattern::Invalid(_))), "{wrong}");
        }
    }

    #[test]
    fn no_search_is_more_work_than_the_budget() {
        for written in ["a", "[ab]*a[ab]{500}c", "[a-z]{1,30}x{9}"] {
            let pattern = Pattern::new(written, false).expect("usable");
            assert!(pattern.work(usize::MAX) <= WORK, "{written}");
            assert!(pattern.work(1_000) >= 1_000, "{written}");
        }
    }

    #[test]
    fn a_text_is_cut_between_letters() {
        let pattern = Pattern::new("[éa]{1900}", false).expect("usable");
        let text = format!("x{}", "é".repeat(40_000));
        assert!(pattern.is_match(&text), "reach {}", pattern.reach());
    }
}
