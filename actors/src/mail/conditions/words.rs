//! Conditions in plain words: why a predicate holds, and why it does not.

use super::predicate::{MailField, Operator, Predicate};
use crate::kernel::said::{Said, said};

impl Predicate {
    pub(super) fn missing(&self) -> Said {
        let Said { french: named_fr, english: named } = self.named(&self.values);
        let Said { french: subject_fr, english: subject } = self.subject();
        match (self.field, self.operator) {
            (MailField::Links, Operator::Present) => {
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

    pub(super) fn present(&self, index: usize) -> Said {
        let Said { french: named_fr, english: named } =
            self.named(self.values.get(index..=index).unwrap_or_default());
        let Said { french: subject_fr, english: subject } = self.subject();
        match (self.field, self.operator) {
            (MailField::Links, Operator::Present) => {
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
            MailField::Sender => said!("l'expéditeur", "the sender"),
            MailField::Subject => said!("le sujet", "the subject"),
            MailField::Body => said!("le texte", "the text"),
            MailField::Links => said!("l'adresse d'un lien de livraison", "the address of a delivery link"),
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
pub(super) fn in_a_row(words: &[Said], french: &str, english: &str) -> Said {
    Said { french: Said::joined(words, french).french, english: Said::joined(words, english).english }
}
