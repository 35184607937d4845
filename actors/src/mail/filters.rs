//! Mails that the operator does not want: by a word, or for want of an attachment. The document is
//! `processing_prefs` (reference section 3.3).

use std::collections::BTreeMap;

use super::Mail;
use super::identity::normalize;

/// What is not wanted; the default lets everything through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filters {
    /// Words that exclude any mail.
    pub everywhere: Keywords,
    /// Words that exclude the mails of one detector, by its name.
    pub by_detector: BTreeMap<String, Keywords>,
    /// Mails without an attachment are not wanted.
    pub require_attachments: bool,
}

impl Filters {
    /// Whether any keyword is configured.
    #[must_use]
    pub fn has_keywords(&self) -> bool {
        !self.everywhere.is_empty() || self.by_detector.values().any(|keywords| !keywords.is_empty())
    }

    /// The keyword for which a mail of `detector` (`None` = of no detector) is excluded.
    #[must_use]
    pub fn excluding<'f>(&'f self, content: &Content, detector: Option<&str>) -> Option<&'f str> {
        let of_detector = detector.and_then(|name| self.by_detector.get(name));
        self.everywhere.found_in(content).or_else(|| of_detector?.found_in(content))
    }
}

/// Words to look for, each as it was written and as it is compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keywords(Vec<(String, String)>);

impl Keywords {
    /// Words as written. One of which nothing is left when it is compared (blanks, accents
    /// alone) would be found in every mail, so it is left out.
    #[must_use]
    pub fn new(written: &[String]) -> Self {
        let pairs = written.iter().map(|word| (word.clone(), normalize(word)));
        Self(pairs.filter(|(_, compared)| !compared.is_empty()).collect())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The first word that the mail contains, as written.
    #[must_use]
    pub fn found_in(&self, content: &Content) -> Option<&str> {
        let hit = |compared: &String| content.subject.contains(compared) || content.text.contains(compared);
        self.0.iter().find(|(_, compared)| hit(compared)).map(|(written, _)| written.as_str())
    }
}

/// Subject and text of a mail as they are compared: without accents, in lower case, each run
/// of white space one blank.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    subject: String,
    text: String,
}

impl Content {
    /// Of this mail: what its reader sees, not its markup.
    #[must_use]
    pub fn of(mail: &Mail) -> Self {
        Self { subject: normalize(&mail.subject), text: normalize(&mail.text) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mail::parse::parse;

    fn content(subject: &str, kind: &str, body: &str) -> Content {
        let raw = format!("From: a@b.fr\nSubject: {subject}\nContent-Type: {kind}\n\n{body}");
        Content::of(&parse(raw.as_bytes()).expect("a mail"))
    }

    fn words(written: &[&str]) -> Keywords {
        Keywords::new(&written.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_keyword_is_found_whatever_its_accents_its_case_and_its_blanks() {
        for (word, subject, kind, body, expected) in [
            ("facture", "Votre FACTURE", "text/plain", "", true),
            ("réservé", "x", "text/plain", "C'est RESERVE.", true),
            ("reserve", "x", "text/plain; charset=utf-8", "c'est re\u{301}serve\u{301}", true),
            ("ne pas traiter", "x", "text/plain", "ne  pas\n\ttraiter", true),
            ("ne\u{a0}pas traiter", "x", "text/plain", "Ne pas traiter", true),
            ("pub", "République", "text/plain", "", true),
            ("été", "x", "text/html; charset=utf-8", "<p>l'&eacute;t&eacute;</p>", true),
            // What nobody sees does not count.
            ("facture", "x", "text/html", "<p class=\"facture\">x</p>", false),
            ("facture", "fac", "text/plain", "ture", false),
            ("", "x", "text/plain", "y", false),
            ("  ", "x", "text/plain", "a b", false),
            ("\u{301}", "x", "text/plain", "y", false),
        ] {
            let found = words(&[word]).found_in(&content(subject, kind, body)).is_some();
            assert_eq!(found, expected, "{word:?} in {subject:?} / {body:?}");
        }
    }

    #[test]
    fn the_first_keyword_is_named_as_written() {
        let filters = Filters {
            everywhere: words(&["absent", "Été"]),
            by_detector: BTreeMap::from([("recadrage".to_owned(), words(&["Annulé"]))]),
            require_attachments: false,
        };
        let both = content("annule", "text/plain", "ete");
        assert_eq!(filters.excluding(&both, Some("recadrage")), Some("Été"));
        let own = content("annule", "text/plain", "x");
        assert_eq!(filters.excluding(&own, Some("recadrage")), Some("Annulé"));
        assert_eq!(filters.excluding(&own, Some("desabonnement_journee_tarifs")), None);
        assert_eq!(filters.excluding(&own, None), None);
    }

    proptest! {
        /// A word that was cut out of the text is found there, whatever the text is.
        #[test]
        fn a_word_of_the_text_is_found(before in ".{0,20}", word in "\\PC{1,12}", after in ".{0,20}") {
            let content = Content { subject: String::new(), text: normalize(&format!("{before} {word} {after}")) };
            let keywords = words(&[&word]);
            prop_assert_eq!(keywords.found_in(&content).is_some(), !normalize(&word).is_empty());
        }
    }
}
