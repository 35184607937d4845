//! Conditions: whether they hold, and in plain words why not.

use super::facts::{Facts, Form, Text};
use crate::mail::pattern::Pattern;

/// A condition, or a group of them.
#[derive(Debug, Clone)]
pub struct Condition {
    pub(super) kind: Kind,
    /// What the operator wants to read when it does not hold.
    pub(super) explain: Option<String>,
}

/// What must hold.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    None(Vec<Condition>),
    Test(Test),
}

/// A comparison of one field with one or several values, of which one must fit.
#[derive(Debug, Clone)]
pub(super) struct Test {
    pub(super) field: Field,
    pub(super) operator: Operator,
    pub(super) form: Form,
    /// In the form that is compared; empty for `present`.
    pub(super) values: Vec<String>,
    /// Of `regex` and `word`, one for each value.
    pub(super) patterns: Vec<Pattern>,
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Sender,
    Subject,
    Body,
    Links,
}

/// How it is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Present,
    Contains,
    Equals,
    StartsWith,
    Word,
    Regex,
    Provider,
    Host,
}

/// Why a detector does not recognise a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miss {
    /// Where the condition stands in the detector, such as `conditions.all[2]`.
    pub condition: String,
    /// In plain words.
    pub words: String,
}

impl Condition {
    /// Whether it holds.
    #[must_use]
    pub fn holds(&self, facts: &Facts<'_>) -> bool {
        match &self.kind {
            Kind::All(parts) => parts.iter().all(|part| part.holds(facts)),
            Kind::Any(parts) => parts.iter().any(|part| part.holds(facts)),
            Kind::None(parts) => !parts.iter().any(|part| part.holds(facts)),
            Kind::Test(test) => test.find(facts).is_some(),
        }
    }

    /// The first thing that does not hold; `None` when all is well. `path` says where this
    /// condition stands.
    #[must_use]
    pub fn why_not(&self, facts: &Facts<'_>, path: &str) -> Option<Miss> {
        let mut miss = match &self.kind {
            Kind::All(parts) => parts
                .iter()
                .enumerate()
                .find_map(|(index, part)| part.why_not(facts, &format!("{path}.all[{index}]")))?,
            Kind::Any(parts) => {
                let misses: Option<Vec<Miss>> = parts.iter().map(|part| part.why_not(facts, path)).collect();
                let words: Vec<String> = misses?.into_iter().map(|miss| miss.words).collect();
                Miss { condition: format!("{path}.any"), words: words.join(", and ") }
            }
            Kind::None(parts) => {
                let held = |(index, part): (usize, &Self)| {
                    let words = part.why(facts)?;
                    Some(Miss { condition: format!("{path}.none[{index}]"), words })
                };
                parts.iter().enumerate().find_map(held)?
            }
            Kind::Test(test) if test.find(facts).is_some() => return None,
            Kind::Test(test) => Miss { condition: path.to_owned(), words: test.missing() },
        };
        if let Some(words) = &self.explain {
            miss.words.clone_from(words);
        }
        Some(miss)
    }

    /// What makes it hold; `None` when it does not.
    pub(super) fn why(&self, facts: &Facts<'_>) -> Option<String> {
        match &self.kind {
            Kind::All(parts) => {
                let words: Option<Vec<String>> = parts.iter().map(|part| part.why(facts)).collect();
                words.map(|words| words.join(", and "))
            }
            Kind::Any(parts) => parts.iter().find_map(|part| part.why(facts)),
            Kind::None(_) => {
                self.holds(facts).then(|| "none of the conditions that are ruled out holds".to_owned())
            }
            Kind::Test(test) => test.find(facts).map(|index| test.present(index)),
        }
    }

    /// Every expression in it.
    pub(super) fn patterns<'c>(&'c self, found: &mut Vec<&'c Pattern>) {
        match &self.kind {
            Kind::All(parts) | Kind::Any(parts) | Kind::None(parts) => {
                for part in parts {
                    part.patterns(found);
                }
            }
            Kind::Test(test) => found.extend(&test.patterns),
        }
    }
}

impl Test {
    /// The index of the first value that fits; 0 for `present`.
    fn find(&self, facts: &Facts<'_>) -> Option<usize> {
        match self.field {
            Field::Sender => self.find_in(facts.sender.get(self.form)),
            Field::Subject => self.find_in(facts.subject.get(self.form)),
            Field::Body => self.find_in(facts.body.get(self.form)),
            Field::Links => self.find_link(facts),
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
                let url = Text::new((&*link.raw_url).into());
                self.find_in(url.get(self.form))
            }),
        }
    }

    fn missing(&self) -> String {
        let named = self.named(&self.values);
        match (self.field, self.operator) {
            (Field::Links, Operator::Present) => "there is no delivery link".to_owned(),
            (_, Operator::Present) => format!("{} is empty", self.subject()),
            (_, Operator::Provider) => format!("there is no link of {named}"),
            (_, Operator::Host) => format!("there is no link to the host {named}"),
            (_, Operator::Contains) => format!("{} does not contain {named}", self.subject()),
            (_, Operator::Equals) => format!("{} is not {named}", self.subject()),
            (_, Operator::StartsWith) => format!("{} does not begin with {named}", self.subject()),
            (_, Operator::Word) => format!("{} does not contain the word {named}", self.subject()),
            (_, Operator::Regex) => format!("{} does not match {named}", self.subject()),
        }
    }

    fn present(&self, index: usize) -> String {
        let named = self.named(self.values.get(index..=index).unwrap_or_default());
        match (self.field, self.operator) {
            (Field::Links, Operator::Present) => "there is a delivery link".to_owned(),
            (_, Operator::Present) => format!("{} is not empty", self.subject()),
            (_, Operator::Provider) => format!("there is a link of {named}"),
            (_, Operator::Host) => format!("there is a link to the host {named}"),
            (_, Operator::Contains) => format!("{} contains {named}", self.subject()),
            (_, Operator::Equals) => format!("{} is {named}", self.subject()),
            (_, Operator::StartsWith) => format!("{} begins with {named}", self.subject()),
            (_, Operator::Word) => format!("{} contains the word {named}", self.subject()),
            (_, Operator::Regex) => format!("{} matches {named}", self.subject()),
        }
    }

    const fn subject(&self) -> &'static str {
        match self.field {
            Field::Sender => "the sender",
            Field::Subject => "the subject",
            Field::Body => "the text",
            Field::Links => "the address of a delivery link",
        }
    }

    /// The values as they are shown: each in quotes, an expression between strokes.
    fn named(&self, values: &[String]) -> String {
        let shown: Vec<String> = values
            .iter()
            .map(|value| match self.operator {
                Operator::Regex => format!("/{value}/"),
                _ => format!("\"{value}\""),
            })
            .collect();
        shown.join(" or ")
    }
}

/// The same host, or one of its sub-domains when `named` begins with `*.`.
fn is_host(host: &str, named: &str) -> bool {
    match named.strip_prefix('*') {
        Some(domain) => host.len() > domain.len() && host.ends_with(domain),
        None => host == named,
    }
}
