//! Why nothing was done about a mail or a delivery, in French. English is what the errors say of
//! themselves; one that is added here and has no French does not compile.
//!
//! A journal that is full, damaged or not to be written is told with what to do about it.

use std::fmt::Display;

use render_signal_actors::dedup::release::ReleaseError;
use render_signal_actors::ignore::IgnoreError;
use render_signal_actors::webhook::cancel::CancelError;
use render_signal_actors::webhook::dead_letters::RetryError;
use render_signal_actors::webhook::resend::ResendError;

use super::faults::JournalFault;
use super::recorded::plain;
use crate::lang::Lang;

/// An error that people are told of in their language.
pub(crate) trait LocalizedError: Display {
    /// In French.
    fn french(&self) -> String;

    /// In this language.
    fn told(&self, lang: Lang) -> String {
        let english = self.to_string();
        match (JournalFault::of(&english), lang) {
            (Some(fault), _) => lang.one(fault.said()),
            (None, Lang::Fr) => self.french(),
            (None, Lang::En) => english,
        }
    }
}

impl LocalizedError for ReleaseError {
    fn french(&self) -> String {
        match self {
            Self::Unknown(id) => {
                format!("il n'y a pas de mail {id} ; `mails list` montre ceux qui peuvent être libérés")
            }
            Self::Routed(id) => format!(
                "l'envoi du mail {id} est déjà décidé ; `deliveries list` montre où en sont ses webhooks"
            ),
            Self::Unreadable(id) => {
                format!("le mail {id} est en quarantaine : il ne peut pas être lu, donc pas être envoyé")
            }
            Self::ContentGone(id) => format!(
                "le contenu du mail {id} n'est pas conservé : il était trop grand, MAIL_RETENTION_DAYS sont passés, ou son expéditeur n'est pas dans la liste et des mails plus récents de tels expéditeurs ont eu besoin de la place"
            ),
            Self::Busy(id) => busy_mail(id),
            Self::Read(error) => recorded(error),
            Self::Event(error) => recorded(error),
            Self::Append(error) => recorded(error),
        }
    }
}

impl LocalizedError for IgnoreError {
    fn french(&self) -> String {
        match self {
            Self::Unknown(id) => {
                format!("il n'y a pas de mail {id} ; `mails list` montre ceux qui peuvent être ignorés")
            }
            Self::Routed(id) => format!(
                "l'envoi du mail {id} est déjà décidé ; `deliveries cancel` annule les webhooks qui ne sont pas livrés"
            ),
            Self::Already(id) => format!("le mail {id} est déjà ignoré"),
            Self::Busy(id) => busy_mail(id),
            Self::Read(error) => recorded(error),
            Self::Event(error) => recorded(error),
            Self::Append(error) => recorded(error),
        }
    }
}

impl LocalizedError for RetryError {
    fn french(&self) -> String {
        match self {
            Self::Unknown { email_id, target } => undelivered_unknown(email_id, target),
            Self::NotDead { email_id, target } => {
                format!("{} n'est pas abandonné : il part quand son heure vient", webhook(email_id, target))
            }
            Self::Unreadable(id, why) => format!("le webhook du mail {id} ne peut pas être lu : {why}"),
            Self::Read(error) => recorded(error),
            Self::Append(error) => recorded(error),
        }
    }
}

impl LocalizedError for CancelError {
    fn french(&self) -> String {
        match self {
            Self::Unknown { email_id, target } => undelivered_unknown(email_id, target),
            Self::Over { email_id, target } => {
                format!("{} a déjà été livré ou annulé", webhook(email_id, target))
            }
            Self::Busy(email_id, target) => {
                format!("{} ne cesse de changer ; essayez à nouveau", webhook(email_id, target))
            }
            Self::Unreadable(id, why) => unreadable(id, why),
            Self::View(error) => recorded(error),
            Self::Read(error) => recorded(error),
            Self::Append(error) => recorded(error),
        }
    }
}

impl LocalizedError for ResendError {
    fn french(&self) -> String {
        match self {
            Self::Unknown { email_id, target } => {
                format!("aucun webhook du mail {email_id} vers la destination « {target} » n'est connu")
            }
            Self::Open { email_id, target } => {
                format!("{} n'est pas terminé : il part quand son heure vient", webhook(email_id, target))
            }
            Self::Dead { email_id, target } => {
                format!("{} est abandonné ; `deliveries retry` le renvoie", webhook(email_id, target))
            }
            Self::ContentGone { email_id, target } => format!(
                "{} ne peut pas être envoyé à nouveau : son contenu n'est plus conservé (MAIL_RETENTION_DAYS)",
                webhook(email_id, target)
            ),
            Self::Unreadable(id, why) => unreadable(id, why),
            Self::Read(error) => recorded(error),
            Self::Append(error) => recorded(error),
        }
    }
}

/// What an error of the journal says.
fn recorded(error: &impl Display) -> String {
    plain(Lang::Fr, &error.to_string()).into_owned()
}

fn webhook(email_id: &str, target: &str) -> String {
    format!("le webhook du mail {email_id} vers la destination « {target} »")
}

fn undelivered_unknown(email_id: &str, target: &str) -> String {
    format!(
        "le mail {email_id} n'a aucun webhook non livré vers la destination « {target} » ; `deliveries list` montre ce qu'il y a"
    )
}

fn unreadable(email_id: &str, why: &impl Display) -> String {
    format!("les webhooks du mail {email_id} ne peuvent pas être lus : {why}")
}

fn busy_mail(id: &str) -> String {
    format!("le mail {id} ne cesse de changer ; essayez à nouveau")
}
