//! Routing rules (reference sections 3.6 and 5.15).

use super::policy::Target;

/// A usable rule: validated, its regular expressions compiled.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Unique id.
    pub id: String,
    /// Name.
    pub name: String,
    /// `normal` or `high`; informative.
    pub priority: String,
    /// Where its webhooks go; `target.id` is the rule's id.
    pub target: Target,
    /// No default delivery after this one.
    pub stop_processing: bool,
    /// All must hold.
    pub conditions: Vec<Condition>,
}

/// One condition.
#[derive(Debug, Clone)]
pub struct Condition {
    /// What to look at.
    pub field: Field,
    /// How to compare.
    pub test: Test,
}

/// What a condition looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Clean address.
    Sender,
    /// Decoded subject.
    Subject,
    /// `Mail::combined`.
    Body,
}

/// How a condition compares.
#[derive(Debug, Clone)]
pub enum Test {
    /// Substring.
    Contains {
        /// Lower-cased unless `case_sensitive`.
        value: String,
        /// Compare as written.
        case_sensitive: bool,
    },
    /// The whole text.
    Equals {
        /// Lower-cased unless `case_sensitive`.
        value: String,
        /// Compare as written.
        case_sensitive: bool,
    },
    /// Search, linear-time engine.
    Regex(regex::Regex),
}
