//! A comparison of one field of a mail with one or several values.

use super::facts::{Facts, TextForm, TextForms};
use crate::mail::pattern::{BadPattern, Pattern};

/// A comparison of one field with one or several values, of which one must fit.
#[derive(Debug, Clone)]
pub struct Predicate {
    pub(crate) field: MailField,
    pub(crate) operator: Operator,
    pub(crate) form: TextForm,
    /// In the form that is compared; empty for `present`.
    pub(crate) values: Vec<String>,
    /// Of `regex` and `word`, one for each value.
    pub(crate) patterns: Vec<Pattern>,
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailField {
    /// Clean address.
    Sender,
    /// Decoded subject.
    Subject,
    /// Text; which part of it, see [`Facts`].
    Body,
    /// Delivery links.
    Links,
}

/// How it is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// There is something in it; it has no values.
    Present,
    /// Substring.
    Contains,
    /// The whole text.
    Equals,
    /// The begin of the text.
    StartsWith,
    /// Substring with no letter, digit or `_` before and behind it.
    Word,
    /// Search, linear-time engine, within a budget.
    Regex,
    /// Of links: name of the provider.
    Provider,
    /// Of links: host, or a domain with `*.` before it.
    Host,
}

impl MailField {
    /// The name in a document.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::Subject => "subject",
            Self::Body => "body",
            Self::Links => "links",
        }
    }
}

impl Predicate {
    /// Compares with one value in the text as it is written: accents and white space count, and
    /// case where `case_sensitive` says so.
    ///
    /// # Errors
    /// The value is a regular expression that cannot be used.
    pub fn as_written(
        field: MailField,
        operator: Operator,
        value: &str,
        case_sensitive: bool,
    ) -> Result<Self, BadPattern> {
        // An expression sees the text as it is: it ignores case by itself.
        let is_expression = operator == Operator::Regex;
        let form = if case_sensitive || is_expression { TextForm::Seen } else { TextForm::Lower };
        Ok(Self {
            field,
            operator,
            form,
            values: vec![if form == TextForm::Lower { value.to_lowercase() } else { value.to_owned() }],
            patterns: if is_expression { vec![Pattern::new(value, case_sensitive)?] } else { Vec::new() },
        })
    }

    /// What is looked at.
    #[must_use]
    pub const fn field(&self) -> MailField {
        self.field
    }

    /// Whether it holds.
    #[must_use]
    pub fn holds(&self, facts: &Facts<'_>) -> bool {
        self.find(facts).is_some()
    }

    /// The index of the first value that fits; 0 for `present`.
    pub(super) fn find(&self, facts: &Facts<'_>) -> Option<usize> {
        match self.field {
            MailField::Sender => self.find_in(facts.sender.get(self.form)),
            MailField::Subject => self.find_in(facts.subject.get(self.form)),
            MailField::Body => self.find_in(facts.body.get(self.form)),
            MailField::Links => self.find_link(facts),
        }
    }

    fn find_in(&self, text: &str) -> Option<usize> {
        let value = |fits: &dyn Fn(&str) -> bool| self.values.iter().position(|value| fits(value));
        match self.operator {
            Operator::Present => (!text.trim().is_empty()).then_some(0),
            Operator::Contains => value(&|value| text.contains(value)),
            Operator::Equals => value(&|value| text == value),
            Operator::StartsWith => value(&|value| text.starts_with(value)),
            Operator::Word | Operator::Regex => {
                self.patterns.iter().position(|pattern| pattern.is_match(text))
            }
            Operator::Provider | Operator::Host => None,
        }
    }

    fn find_link(&self, facts: &Facts<'_>) -> Option<usize> {
        let value = |fits: &dyn Fn(&str) -> bool| self.values.iter().position(|value| fits(value));
        match self.operator {
            Operator::Present => (!facts.links.is_empty()).then_some(0),
            Operator::Provider => value(&|value| facts.links.iter().any(|link| link.provider == value)),
            Operator::Host => value(&|value| facts.hosts().iter().any(|host| is_host(host, value))),
            _ => facts.links.iter().find_map(|link| {
                let url = TextForms::new((&*link.raw_url).into());
                self.find_in(url.get(self.form))
            }),
        }
    }
}

/// The same host, or one of its sub-domains when `named` begins with `*.`.
fn is_host(host: &str, named: &str) -> bool {
    match named.strip_prefix('*') {
        Some(domain) => host.len() > domain.len() && host.ends_with(domain),
        None => host == named,
    }
}
