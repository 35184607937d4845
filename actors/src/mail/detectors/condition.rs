//! Conditions: whether they hold, and in plain words why not.

use super::facts::{Facts, Form, Text};
use crate::kernel::said::{Said, said};
use crate::mail::pattern::Pattern;

/// A condition, or a group of them.
#[derive(Debug, Clone)]
pub struct Condition {
    pub(super) kind: Kind,
    /// What the operator wants to read when it does not hold.
    pub(super) explain: Option<Said>,
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
    /// In plain words; an operator's own are the same in both languages.
    pub words: Said,
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
                let words: Vec<Said> = misses?.into_iter().map(|miss| miss.words).collect();
                Miss { condition: format!("{path}.any"), words: in_a_row(&words, ", et ", ", and ") }
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
    pub(super) fn why(&self, facts: &Facts<'_>) -> Option<Said> {
        match &self.kind {
            Kind::All(parts) => {
                let words: Option<Vec<Said>> = parts.iter().map(|part| part.why(facts)).collect();
                words.map(|words| in_a_row(&words, ", et ", ", and "))
            }
            Kind::Any(parts) => parts.iter().find_map(|part| part.why(facts)),
            Kind::None(_) => self.holds(facts).then(|| {
                said!(
                    "aucune des conditions exclues n'est remplie",
                    "none of the conditions that are ruled out holds"
                )
            }),
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

    fn missing(&self) -> Said {
        let Said { french: named_fr, english: named } = self.named(&self.values);
        let Said { french: subject_fr, english: subject } = self.subject();
        match (self.field, self.operator) {
            (Field::Links, Operator::Present) => {
                said!("il n'y a aucun lien de livraison", "there is no delivery link")
            }
            (_, Operator::Present) => said!("{subject_fr} est vide", "{subject} is empty"),
            (_, Operator::Provider) => {
                said!("il n'y a aucun lien de {named_fr}", "there is no link of {named}")
            }
            (_, Operator::Host) => {
                said!("il n'y a aucun lien vers l'hôte {named_fr}", "there is no link to the host {named}")
            }
            (_, Operator::Contains) => {
                said!("{subject_fr} ne contient pas {named_fr}", "{subject} does not contain {named}")
            }
            (_, Operator::Equals) => said!("{subject_fr} n'est pas {named_fr}", "{subject} is not {named}"),
            (_, Operator::StartsWith) => {
                said!("{subject_fr} ne commence pas par {named_fr}", "{subject} does not begin with {named}")
            }
            (_, Operator::Word) => said!(
                "{subject_fr} ne contient pas le mot {named_fr}",
                "{subject} does not contain the word {named}"
            ),
            (_, Operator::Regex) => {
                said!("{subject_fr} ne correspond pas à {named_fr}", "{subject} does not match {named}")
            }
        }
    }

    fn present(&self, index: usize) -> Said {
        let Said { french: named_fr, english: named } =
            self.named(self.values.get(index..=index).unwrap_or_default());
        let Said { french: subject_fr, english: subject } = self.subject();
        match (self.field, self.operator) {
            (Field::Links, Operator::Present) => {
                said!("il y a un lien de livraison", "there is a delivery link")
            }
            (_, Operator::Present) => said!("{subject_fr} n'est pas vide", "{subject} is not empty"),
            (_, Operator::Provider) => said!("il y a un lien de {named_fr}", "there is a link of {named}"),
            (_, Operator::Host) => {
                said!("il y a un lien vers l'hôte {named_fr}", "there is a link to the host {named}")
            }
            (_, Operator::Contains) => {
                said!("{subject_fr} contient {named_fr}", "{subject} contains {named}")
            }
            (_, Operator::Equals) => said!("{subject_fr} est {named_fr}", "{subject} is {named}"),
            (_, Operator::StartsWith) => {
                said!("{subject_fr} commence par {named_fr}", "{subject} begins with {named}")
            }
            (_, Operator::Word) => {
                said!("{subject_fr} contient le mot {named_fr}", "{subject} contains the word {named}")
            }
            (_, Operator::Regex) => {
                said!("{subject_fr} correspond à {named_fr}", "{subject} matches {named}")
            }
        }
    }

    fn subject(&self) -> Said {
        match self.field {
            Field::Sender => said!("l'expéditeur", "the sender"),
            Field::Subject => said!("le sujet", "the subject"),
            Field::Body => said!("le texte", "the text"),
            Field::Links => said!("l'adresse d'un lien de livraison", "the address of a delivery link"),
        }
    }

    /// The values as they are shown: each in quotes, an expression between strokes.
    fn named(&self, values: &[String]) -> Said {
        let shown: Vec<Said> = values
            .iter()
            .map(|value| match self.operator {
                Operator::Regex => Said::alike(format!("/{value}/")),
                _ => said!("« {value} »", "\"{value}\""),
            })
            .collect();
        in_a_row(&shown, " ou ", " or ")
    }
}

/// Several one behind the other, as each language joins them.
fn in_a_row(words: &[Said], french: &str, english: &str) -> Said {
    Said { french: Said::joined(words, french).french, english: Said::joined(words, english).english }
}

/// What the built-in detectors say of themselves, which is stored in English.
const BUILT_IN: [(&str, &str); 5] = [
    ("the subject or the text is empty", "le sujet ou le texte est vide"),
    (
        "the subject does not name \"média solution\", \"missions recadrage\" and a \"lot\"",
        "le sujet ne nomme pas « média solution », « missions recadrage » et un « lot »",
    ),
    ("there is no delivery link", "il n'y a aucun lien de livraison"),
    (
        "no valid delivery time was found in the text",
        "aucune heure de livraison valable n'a été trouvée dans le texte",
    ),
    (
        "there is neither \"désabonn…\" nor a Dropbox file request",
        "il n'y a ni « désabonn… » ni demande de fichiers Dropbox",
    ),
];

/// What the author of a detector wants to be read when something does not hold: his own words in
/// both languages, or those of the built-in detectors.
pub(super) fn explanation(text: String) -> Said {
    match BUILT_IN.iter().find(|(english, _)| *english == text) {
        Some((_, french)) => Said { french: (*french).to_owned(), english: text },
        None => Said::alike(text),
    }
}

/// The same host, or one of its sub-domains when `named` begins with `*.`.
fn is_host(host: &str, named: &str) -> bool {
    match named.strip_prefix('*') {
        Some(domain) => host.len() > domain.len() && host.ends_with(domain),
        None => host == named,
    }
}
