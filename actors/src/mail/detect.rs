//! What kind of mail this is: every detector is asked in order, the first that recognises the mail
//! counts.
//!
//! They look at what a reader sees: entities decoded, markup and quoted history left out.
//! A time is only taken when it can be one.

use chrono::{DateTime, Utc};

use super::conditions::{Facts, Miss};
use super::detectors::Recognised;
use super::policy::Policy;
use super::{Link, Mail};

/// What the built-in recadrage detector is called in the payload; a preference of the
/// reference system is about its mails.
pub const RECADRAGE: &str = "recadrage";
/// What the built-in desabo detector is called in the payload; likewise.
pub const DESABO: &str = "desabonnement_journee_tarifs";

/// What one detector says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Id of the detector.
    pub id: String,
    /// What it recognises, or why it does not.
    pub result: Result<Recognised, Miss>,
}

/// Asks every detector, in order. `links` are those of the mail.
#[must_use]
pub fn findings(mail: &Mail, links: &[Link], policy: &Policy, now: DateTime<Utc>) -> Vec<Finding> {
    let facts = Facts::for_detectors(mail, links);
    let ask = |detector: &super::detectors::Detector| Finding {
        id: detector.id.clone(),
        result: detector.examine(&facts, policy.zone, now),
    };
    policy.detectors.iter().map(ask).collect()
}

/// The detection that counts, if any. No further detector is asked when one recognises
/// the mail.
#[must_use]
pub fn detect(mail: &Mail, links: &[Link], policy: &Policy, now: DateTime<Utc>) -> Option<Recognised> {
    let facts = Facts::for_detectors(mail, links);
    policy.detectors.iter().find_map(|detector| detector.recognise(&facts, policy.zone, now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Detection;
    use crate::mail::samples::{at, policy};

    struct Findings {
        recadrage: Result<Detection, Miss>,
        desabo: Result<Detection, Miss>,
    }

    fn missed(result: Result<Detection, Miss>) -> (String, String) {
        result.map_err(|miss| (miss.condition, miss.words.english)).expect_err("a miss")
    }

    const LINK: &str = "https://www.dropbox.com/scl/fo/a/b?rlkey=k&dl=0";

    fn ask(subject: &str, kind: &str, body: &str) -> Findings {
        let raw = format!("From: a@b.fr\nSubject: {subject}\nContent-Type: {kind}\n\n{body}");
        let mail = crate::mail::parse::parse(raw.as_bytes()).expect("a mail");
        let links = crate::mail::links::of_mail(&mail, &crate::mail::providers::defaults()).links;
        let found = findings(&mail, &links, &policy(), at("2026-01-26T22:30:00Z"));
        let quick = detect(&mail, &links, &policy(), at("2026-01-26T22:30:00Z"));
        assert_eq!(found.iter().find_map(|finding| finding.result.clone().ok()), quick);
        let mut found = found.into_iter().map(|finding| finding.result.map(|found| found.detection));
        Findings { recadrage: found.next().expect("recadrage"), desabo: found.next().expect("desabo") }
    }

    fn time(body: &str) -> Option<String> {
        let subject = "Média Solution - Missions Recadrage - Lot 42";
        ask(subject, "text/plain", &format!("{LINK}\n{body}"))
            .recadrage
            .ok()
            .and_then(|found| found.delivery_time)
    }

    #[test]
    fn history_and_time_stamps_are_no_delivery_time() {
        for text in [
            "> à faire pour 11h51",
            "Le lun. 26 janv. 2026 à 10:59, Camille <c@ex.com> a écrit :",
            "On Mon, 26 Jan 2026 at 10:59, Camille wrote:",
            "Envoyé : lundi 26 janvier 2026 10:59",
            "Date: Mon, 26 Jan 2026 10:59:00 +0100",
            "Reçu lundi 26/01/2026 10:59",
            "format 16:10, ratio 12:30",
            "https://example.com/10:59/9h30",
        ] {
            assert_eq!(time(text), None, "{text}");
            assert_eq!(time(&format!("{text}\nrendu 17:26")).as_deref(), Some("17h26"), "{text}");
        }
    }

    #[test]
    fn only_a_possible_time_is_taken() {
        for (text, expected) in [
            ("à faire pour 25h99", None),
            ("à faire pour 25h99, au plus tard 17h", Some("17h00")),
            // What is understood in part is not guessed.
            ("à faire pour le 31/02/2026 à 9h", None),
            ("à faire pour le 28/02/2026 à 9:30", Some("le 28/02/2026 à 09h30")),
            ("rendu à 9:16", Some("09h16")),
            ("en 9:16 pour 9:30", Some("09h30")),
            ("à faire pour 9:75 ou 24:00", None),
        ] {
            assert_eq!(time(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn html_is_read_as_it_is_seen() {
        let body = format!(
            "<a href=\"{LINK}\">ici</a> 08h00<p>&Agrave; faire&nbsp;pour <b>16h15</b></p><blockquote>à faire pour le 1/2/2026 à 9h</blockquote>"
        );
        let found =
            ask("=?utf-8?q?M=C3=A9dia=C2=A0Solution_-_Missions__Recadrage?= -\n Lot 42", "text/html", &body);
        assert_eq!(found.recadrage.map(|found| found.delivery_time), Ok(Some("16h15".to_owned())));
        let body =
            "<p>Vous d&eacute;sabonner : journ&eacute;e, tarifs&nbsp;habituels</p><img class=\"facture\">";
        assert!(ask("Dispo", "text/html", body).desabo.is_ok());
    }

    #[test]
    fn an_urgency_near_midnight_names_its_day() {
        let found = ask(
            "Média Solution - Missions Recadrage - Lot 42 - URGENCE",
            "text/plain",
            &format!("{LINK} 11h51"),
        );
        let expected = Detection {
            detector: "recadrage".to_owned(),
            delivery_time: Some("le 27/01/2026 à 00h30".to_owned()),
            urgent: true,
            extracted: std::collections::BTreeMap::new(),
        };
        assert_eq!(found.recadrage, Ok(expected));
    }

    #[test]
    fn a_miss_names_its_condition() {
        let subject = "Média Solution - Missions Recadrage - Lot 42";
        let text = format!("{LINK} journée, tarifs habituels");
        for (found, condition, words) in [
            (
                ask(subject, "text/plain", "à faire pour 11h51").recadrage,
                "conditions.all[3].any",
                "there is no delivery link",
            ),
            (
                ask("Pilotage missions recadrage media solution", "text/plain", LINK).recadrage,
                "conditions.all[2].all[2]",
                "the subject does not name \"média solution\", \"missions recadrage\" and a \"lot\"",
            ),
            (
                ask(subject, "text/plain", LINK).recadrage,
                "extract.delivery_time",
                "no valid delivery time was found in the text",
            ),
            (ask("", "text/plain", LINK).recadrage, "conditions.all[0]", "the subject or the text is empty"),
            (
                ask("x", "text/plain", LINK).desabo,
                "conditions.all[0]",
                "the text does not contain \"journee\"",
            ),
            (
                ask("x", "text/plain", &text).desabo,
                "conditions.all[2].any",
                "there is neither \"désabonn…\" nor a Dropbox file request",
            ),
            (
                ask("désabonnement", "text/plain", &format!("{text} total HT")).desabo,
                "conditions.all[3].none[0]",
                "the text contains \"total ht\"",
            ),
        ] {
            assert_eq!(missed(found), (condition.to_owned(), words.to_owned()));
        }
    }
}
