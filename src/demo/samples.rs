//! The sample mails, embedded in the program, and what must become of each.

use render_signal_actors::mail::{HoldReason, IgnoreReason};

/// What must have become of a mail when the demo is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ExpectedOutcome {
    /// Its webhook reached this target.
    Delivered(&'static str),
    /// Nothing is sent, for this reason.
    Ignored(IgnoreReason),
    /// It waits, for this reason.
    Held(HoldReason),
    /// It could not be read and is kept aside.
    Quarantined,
    /// A further copy of a mail that is known already.
    Duplicate,
}

/// A mail to drop into the Maildir.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// Its file name in the Maildir, by which the journal's facts are matched to it.
    pub(crate) name: String,
    /// The message.
    pub(crate) raw: Vec<u8>,
    /// What must become of it.
    pub(crate) expected: ExpectedOutcome,
}

macro_rules! sample {
    ($file:literal as $name:literal, $expected:expr) => {
        Sample {
            name: $name.to_owned(),
            raw: include_bytes!(concat!("mails/", $file, ".eml")).to_vec(),
            expected: $expected,
        }
    };
    ($file:literal, $expected:expr) => {
        sample!($file as $file, $expected)
    };
}

/// The senders that are accepted.
pub(crate) const SENDERS: [&str; 5] = [
    "production@media-solution.example",
    "exploitation@agence-lumiere.example",
    "medias@atelier-du-port.example",
    "compta@atelier-du-port.example",
    "regie@theatre-ete.example",
];

/// A word of the subject of the one mail whose first webhook the receiver refuses, to
/// show a retry.
pub(crate) const REFUSED_ONCE: &str = "étalonnage";

/// Where invoices go, by a routing rule.
pub(crate) const INVOICES: &str = "rule-invoices";

/// The mails that lie in the Maildir when the demo starts.
pub(crate) fn first_wave() -> Vec<Sample> {
    use ExpectedOutcome::{Delivered, Ignored, Quarantined};
    vec![
        sample!("01-recadrage-lot-42", Delivered("default")),
        sample!("02-recadrage-urgence", Delivered("default")),
        sample!("03-desabonnement-tarifs", Delivered("default")),
        sample!("04-html-smash", Delivered("default")),
        sample!("05-recadrage-date", Delivered("default")),
        sample!("06-reponse", Ignored(IgnoreReason::Reply)),
        sample!("07-sans-lien", Ignored(IgnoreReason::NoLinks)),
        sample!("08-expediteur-inconnu", Ignored(IgnoreReason::SenderNotAllowed)),
        sample!("09-facture-regle", Delivered(INVOICES)),
        sample!("10-mal-forme", Delivered("default")),
        sample!("11-piece-jointe", Delivered("default")),
        sample!("12-transfert-smash", Delivered("default")),
        sample!("13-illisible", Quarantined),
    ]
}

/// The mails that arrive after the delivery window was closed.
pub(crate) fn second_wave() -> Vec<Sample> {
    vec![
        sample!("01-recadrage-lot-42" as "15-encore-le-lot-42", ExpectedOutcome::Duplicate),
        sample!("14-trop-tard", ExpectedOutcome::Held(HoldReason::OutsideWindow)),
    ]
}

/// `count` ordinary mails, alike but for their number.
pub(crate) fn bulk(count: u32) -> Vec<Sample> {
    (1..=count)
        .map(|n| Sample {
            name: format!("{BULK}{n:05}"),
            raw: format!(
                "From: production@media-solution.example\n\
                 To: studio@demo.example\n\
                 Subject: =?utf-8?Q?Envoi_n=C2=B0_{n}?=\n\
                 Date: Tue, 20 Oct 2026 08:00:00 +0200\n\
                 Message-ID: <envoi.{n}@media-solution.example>\n\
                 Content-Type: text/plain; charset=utf-8\n\
                 \n\
                 Bonjour, l'envoi {n} est prêt : https://www.swisstransfer.com/d/{n:08x}-0000-4000-8000-000000000000\n"
            )
            .into_bytes(),
            expected: ExpectedOutcome::Delivered("default"),
        })
        .collect()
}

/// How the names of [`bulk`] mails begin; they are counted, not narrated.
pub(crate) const BULK: &str = "envoi-";

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_fit_for_a_maildir() {
        let all: Vec<_> = first_wave().into_iter().chain(second_wave()).chain(bulk(3)).collect();
        let names: HashSet<_> = all.iter().map(|sample| sample.name.as_str()).collect();
        assert_eq!(names.len(), all.len());
        assert!(names.iter().all(|name| !name.contains(['/', ':', '.'])));
    }

    #[test]
    fn the_duplicate_is_the_same_message() {
        let first = first_wave();
        let second = second_wave();
        assert!(first.iter().any(|sample| sample.raw == second[0].raw && sample.name != second[0].name));
    }

    #[test]
    fn the_samples_show_every_provider() {
        let all: Vec<u8> = first_wave().into_iter().flat_map(|sample| sample.raw).collect();
        for host in ["www.dropbox.com", "fromsmash.com", "www.swisstransfer.com"] {
            assert!(all.windows(host.len()).any(|window| window == host.as_bytes()), "{host}");
        }
    }
}
