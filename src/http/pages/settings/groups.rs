//! The forms of the page, and their fields.

use render_signal_actors::config::documents::Key;
use serde_json::Value;

use super::inputs::{self, Kind};
use crate::http::pages::form::Form;

/// A form: what an operator wants to set at a time. Each writes one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    /// When is the mailbox looked at?
    Checks,
    /// From which day to which not at all?
    Vacation,
    /// On which days of the week is nothing sent?
    Absence,
    /// When is something sent?
    Sending,
    /// Where to, and as what?
    Target,
    /// How many, how large, how often again?
    Limits,
    /// Which mails count?
    Mails,
    /// Of those with one subject, the first only?
    Subjects,
    /// Switches.
    Flags,
}

impl Group {
    /// All of them, in the order of the page.
    pub(super) const ALL: [Self; 9] = [
        Self::Checks,
        Self::Vacation,
        Self::Absence,
        Self::Sending,
        Self::Target,
        Self::Limits,
        Self::Mails,
        Self::Subjects,
        Self::Flags,
    ];

    /// Where its form goes.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Checks => "/reglages/releve",
            Self::Vacation => "/reglages/vacances",
            Self::Absence => "/reglages/absence",
            Self::Sending => "/reglages/envoi",
            Self::Target => "/reglages/destinataire",
            Self::Limits => "/reglages/limites",
            Self::Mails => "/reglages/mails",
            Self::Subjects => "/reglages/sujets",
            Self::Flags => "/reglages/options",
        }
    }

    /// Its id on the page.
    pub(super) fn id(self) -> &'static str {
        self.path().trim_start_matches("/reglages/")
    }

    /// Where it is on the page.
    pub(super) fn place(self) -> String {
        format!("/reglages#{}", self.id())
    }

    /// The document that it writes.
    pub(super) const fn key(self) -> Key {
        match self {
            Self::Checks | Self::Vacation | Self::Subjects => Key::PollingConfig,
            Self::Absence | Self::Sending | Self::Target => Key::WebhookConfig,
            Self::Limits | Self::Mails => Key::ProcessingPrefs,
            Self::Flags => Key::RuntimeFlags,
        }
    }

    /// Its fields, by their names in the document.
    pub(super) const fn fields(self) -> &'static [(&'static str, Kind)] {
        match self {
            Self::Checks => &[
                ("enable_polling", Kind::Switch),
                ("active_days", Kind::Days),
                ("active_start_hour", Kind::Hour(23)),
                ("active_end_hour", Kind::Hour(24)),
            ],
            Self::Vacation => &[("vacation_start", Kind::Date), ("vacation_end", Kind::Date)],
            Self::Absence => {
                &[("absence_pause_enabled", Kind::Switch), ("absence_pause_days", Kind::Weekdays)]
            }
            Self::Sending => &[
                ("webhook_sending_enabled", Kind::Switch),
                ("webhook_time_start", Kind::Time),
                ("webhook_time_end", Kind::Time),
            ],
            Self::Target => &[
                ("webhook_url", Kind::Url),
                ("webhook_body", Kind::Choice(&["all", "text", "none"])),
                ("ordering", Kind::Choice(&["none", "sender", "mailbox"])),
                ("webhook_delivery_mode", Kind::Choice(&["json", "form"])),
                ("webhook_ssl_verify", Kind::Switch),
            ],
            Self::Limits => &[
                ("rate_limit_per_hour", Kind::Number(0, 100_000)),
                ("retry_count", Kind::Number(0, 10)),
                ("retry_delay_sec", Kind::Number(0, 600)),
                ("webhook_timeout_sec", Kind::Number(1, 300)),
                ("max_email_size_mb", Kind::Number(1, 4_194_304)),
                ("notify_on_failure", Kind::Switch),
            ],
            Self::Mails => &[
                ("require_attachments", Kind::Switch),
                ("ignore_automatic", Kind::Switch),
                ("ignore_automatic_except", Kind::Words),
                ("sender_authentication", Kind::Choice(&["off", "warn", "require"])),
                ("trusted_authserv_ids", Kind::Words),
                ("reply_prefixes", Kind::Words),
                ("subject_marks", Kind::Words),
            ],
            Self::Subjects => &[("enable_subject_group_dedup", Kind::Switch)],
            Self::Flags => &[
                ("allow_custom_webhook_without_links", Kind::Switch),
                ("gmail_ingress_enabled", Kind::Switch),
                ("disable_email_id_dedup", Kind::Switch),
            ],
        }
    }
}

/// Fields that mean something only together: whoever changes one of them has seen the other.
const TOGETHER: [[&str; 2]; 3] = [
    ["vacation_start", "vacation_end"],
    ["absence_pause_enabled", "absence_pause_days"],
    ["webhook_time_start", "webhook_time_end"],
];

/// Name of the hidden field with what an input showed.
pub(super) fn was(name: &str) -> String {
    format!("was-{name}")
}

/// What was entered in an input, in the form in which inputs show it.
pub(super) fn entered(form: &Form, name: &str, kind: Kind) -> String {
    match kind {
        Kind::Days | Kind::Weekdays => form.all(name).join("\n"),
        Kind::Words => inputs::lines(form.text(name)).join("\n"),
        Kind::Switch => if form.is_on(name) { "on" } else { "" }.to_owned(),
        _ => form.text(name).to_owned(),
    }
}

/// The fields that somebody changed, as the document is to have them; `None` removes one.
pub(super) fn changed(group: Group, form: &Form) -> Vec<(String, Option<Value>)> {
    let differs = |name: &str| {
        let kind = group.fields().iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
        kind.is_some_and(|kind| entered(form, name, kind) != form.text(&was(name)))
    };
    let counts = |name: &str| {
        let pair = TOGETHER.iter().find(|pair| pair.contains(&name));
        differs(name) || pair.is_some_and(|pair| pair.iter().any(|name| differs(name)))
    };
    let fields = group.fields().iter().filter(|(name, _)| counts(name));
    fields
        .map(|(name, kind)| ((*name).to_owned(), inputs::wanted(*kind, &entered(form, name, *kind))))
        .collect()
}
