//! The two detectors: "Média Solution" recadrage and desabonnement (reference section 5.10).
//!
//! They look at what a reader sees: entities decoded, markup and quoted history left out.
//! A time is only taken when it can be one.

use std::borrow::Cow;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use regex::Regex;

use super::detectors::OutsideWindow;
use super::identity::normalize;
use super::policy::Policy;
use super::times::{self, Found};
use super::{Detection, Link, Mail};

/// Value of `detector` for a recadrage.
pub const RECADRAGE: &str = "recadrage";
/// Value of `detector` for a desabonnement.
pub const DESABO: &str = "desabonnement_journee_tarifs";

/// Why a detector does not recognise a mail: the first condition that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Miss {
    /// Both are needed.
    #[error("the subject or the text is empty")]
    Empty,
    /// Recadrage: no link to one of the file services.
    #[error("there is no delivery link")]
    NoLink,
    /// Recadrage: the subject is another.
    #[error("the subject does not name \"média solution\", \"missions recadrage\" and a \"lot\"")]
    Subject,
    /// Recadrage: no usable time.
    #[error("no valid delivery time was found in the text")]
    NoTime,
    /// Desabo: a required expression is missing.
    #[error("the text does not contain \"{0}\"")]
    Missing(&'static str),
    /// Desabo: neither the word nor the link.
    #[error("there is neither \"désabonn…\" nor a Dropbox file request")]
    NoRequest,
    /// Desabo: an expression that rules it out.
    #[error("the text contains \"{0}\"")]
    Forbidden(&'static str),
}

/// A detection, and what its detector says of a closed window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognised {
    /// What was found.
    pub detection: Detection,
    /// What becomes of the mail outside of the delivery window.
    pub outside_window: OutsideWindow,
}

/// What each detector says. The first that recognises the mail counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// The recadrage detector.
    pub recadrage: Result<Detection, Miss>,
    /// The desabo detector.
    pub desabo: Result<Detection, Miss>,
}

impl Findings {
    /// The detection that counts.
    #[must_use]
    pub fn detection(self) -> Option<Detection> {
        self.recadrage.ok().or(self.desabo.ok())
    }
}

/// Asks both detectors. `links` are those of the mail.
#[must_use]
pub fn findings(mail: &Mail, links: &[Link], zone: Tz, now: DateTime<Utc>) -> Findings {
    let text = without_history(&mail.text);
    let subject = normalize(&mail.subject);
    Findings {
        recadrage: recadrage(&subject, &text, links, zone, now),
        desabo: desabo(&subject, &text, links),
    }
}

/// The detection that counts, if any. The second detector is not asked when the first
/// recognises the mail.
#[must_use]
pub fn detect(mail: &Mail, links: &[Link], policy: &Policy, now: DateTime<Utc>) -> Option<Recognised> {
    let text = without_history(&mail.text);
    let subject = normalize(&mail.subject);
    let detection = recadrage(&subject, &text, links, policy.zone, now)
        .or_else(|_| desabo(&subject, &text, links))
        .ok()?;
    Some(recognised(detection, policy))
}

/// Looks up what the detector says of a closed window.
pub(super) fn recognised(detection: Detection, policy: &Policy) -> Recognised {
    let detector = policy.detectors.iter().find(|detector| detector.value == detection.detector);
    let outside_window =
        detector.map_or(OutsideWindow::Hold, |detector| detector.outside_window(detection.urgent));
    Recognised { detection, outside_window }
}

/// `subject` is normalised.
fn recadrage(
    subject: &str,
    text: &str,
    links: &[Link],
    zone: Tz,
    now: DateTime<Utc>,
) -> Result<Detection, Miss> {
    // The lot as a word, in the plural or directly before its number; not "pilotage".
    static LOT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\blots?(?:\b|[\d_])").ok());
    static URGENCE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\burgence\b").ok());
    let has = |pattern: &Option<Regex>| pattern.as_ref().is_some_and(|pattern| pattern.is_match(subject));

    if subject.is_empty() || text.trim().is_empty() {
        return Err(Miss::Empty);
    }
    if !subject.contains("media solution") || !subject.contains("missions recadrage") || !has(&LOT) {
        return Err(Miss::Subject);
    }
    if links.is_empty() && !names_service(text) {
        return Err(Miss::NoLink);
    }
    let urgent = has(&URGENCE);
    let found = if urgent { Some(times::in_an_hour(zone, now)) } else { times::find(text) };
    let delivery_time = found.as_ref().map(Found::to_string).ok_or(Miss::NoTime)?;
    Ok(Detection { detector: RECADRAGE.to_owned(), delivery_time: Some(delivery_time), urgent })
}

/// Whether the text names a delivery without the scheme of a link.
fn names_service(text: &str) -> bool {
    static SERVICE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r"(?:^|[^\w.@-])(?:www\.)?(?:dropbox\.com/scl/fo|(?i:fromsmash\.com/|swisstransfer\.com/d/))",
        )
        .ok()
    });
    SERVICE.as_ref().is_some_and(|pattern| pattern.is_match(text))
}

/// `subject` is normalised.
fn desabo(subject: &str, text: &str, links: &[Link]) -> Result<Detection, Miss> {
    const FORBIDDEN: [&str; 6] =
        ["annulation", "facturation", "facture", "moment", "reference client", "total ht"];
    let body = normalize(text);
    for required in ["journee", "tarifs habituels"] {
        if !body.contains(required) {
            return Err(Miss::Missing(required));
        }
    }
    let has_word = body.contains("desabonn") || subject.contains("desabonn");
    if !has_word && !links.iter().any(|link| is_file_request(&link.raw_url)) {
        return Err(Miss::NoRequest);
    }
    if let Some(word) = FORBIDDEN.into_iter().find(|word| body.contains(word)) {
        return Err(Miss::Forbidden(word));
    }
    let urgent = ["urgent", "urgence"].iter().any(|word| body.contains(word) || subject.contains(word));
    Ok(Detection { detector: DESABO.to_owned(), delivery_time: None, urgent })
}

/// A page where the receiver is asked to upload files.
fn is_file_request(url: &str) -> bool {
    const START: &str = "https://www.dropbox.com/request/";
    url.get(..START.len()).is_some_and(|start| start.eq_ignore_ascii_case(START))
}

/// The text without quoted lines and without the lines that introduce them or name the
/// date of an earlier mail.
fn without_history(text: &str) -> Cow<'_, str> {
    if !text.lines().any(is_history) {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len());
    for line in text.lines().filter(|line| !is_history(line)) {
        kept.push_str(line);
        kept.push('\n');
    }
    Cow::Owned(kept)
}

fn is_history(line: &str) -> bool {
    static INTRODUCTION: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r"(?i)^(?:(?:date|envoyé(?: le)?|sent|reçu(?: le)?|received)\s*:|le\s.{6,120}a écrit\s*:?\s*$|on\s.{6,120}wrote:?\s*$)",
        )
        .ok()
    });
    let line = line.trim_start();
    match line.chars().next() {
        Some('>') => true,
        Some(first) if "dDeEsSrRlLoO".contains(first) => {
            INTRODUCTION.as_ref().is_some_and(|pattern| pattern.is_match(line))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::samples::at;

    const LINK: &str = "https://www.dropbox.com/scl/fo/a/b?rlkey=k&dl=0";

    fn ask(subject: &str, kind: &str, body: &str) -> Findings {
        let raw = format!("From: a@b.fr\nSubject: {subject}\nContent-Type: {kind}\n\n{body}");
        let mail = crate::mail::parse::parse(raw.as_bytes()).expect("a mail");
        let links = crate::mail::links::extract(&mail.combined());
        findings(&mail, &links, chrono_tz::Europe::Paris, at("2026-01-26T22:30:00Z"))
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
            ("à faire pour le 31/02/2026 à 9h", Some("09h00")),
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
            detector: RECADRAGE.to_owned(),
            delivery_time: Some("le 27/01/2026 à 00h30".to_owned()),
            urgent: true,
        };
        assert_eq!(found.recadrage, Ok(expected));
    }

    #[test]
    fn a_miss_names_its_condition() {
        let subject = "Média Solution - Missions Recadrage - Lot 42";
        assert_eq!(ask(subject, "text/plain", "à faire pour 11h51").recadrage, Err(Miss::NoLink));
        assert_eq!(
            ask("Pilotage missions recadrage media solution", "text/plain", LINK).recadrage,
            Err(Miss::Subject)
        );
        assert_eq!(ask(subject, "text/plain", LINK).recadrage, Err(Miss::NoTime));
        let text = format!("{LINK} journée, tarifs habituels");
        assert_eq!(ask("x", "text/plain", LINK).desabo, Err(Miss::Missing("journee")));
        assert_eq!(ask("x", "text/plain", &text).desabo, Err(Miss::NoRequest));
        assert_eq!(
            ask("désabonnement", "text/plain", &format!("{text} facture")).desabo,
            Err(Miss::Forbidden("facture"))
        );
    }
}
