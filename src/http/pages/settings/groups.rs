//! The forms of the page, and their fields.

use render_signal_actors::config::documents::Key;
use serde_json::Value;

use super::inputs::{self, InputKind};
use crate::http::pages::form::FormData;

/// A form: what an operator wants to set at a time. Each writes one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SettingsGroup {
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

impl SettingsGroup {
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
    pub(super) const fn fields(self) -> &'static [(&'static str, InputKind)] {
        match self {
            Self::Checks => &[
                ("enable_polling", InputKind::Switch),
                ("active_days", InputKind::Days),
                ("active_start_hour", InputKind::Hour(23)),
                ("active_end_hour", InputKind::Hour(24)),
            ],
            Self::Vacation => &[("vacation_start", InputKind::Date), ("vacation_end", InputKind::Date)],
            Self::Absence => {
                &[("absence_pause_enabled", InputKind::Switch), ("absence_pause_days", InputKind::Weekdays)]
            }
            Self::Sending => &[
                ("webhook_sending_enabled", InputKind::Switch),
                ("webhook_time_start", InputKind::Time),
                ("webhook_time_end", InputKind::Time),
            ],
            Self::Target => &[
                ("webhook_url", InputKind::Url),
                ("webhook_body", InputKind::Choice(&["all", "text", "none"])),
                ("ordering", InputKind::Choice(&["none", "sender", "mailbox"])),
                ("webhook_delivery_mode", InputKind::Choice(&["json", "form"])),
                ("webhook_ssl_verify", InputKind::Switch),
            ],
            Self::Limits => &[
                ("rate_limit_per_hour", InputKind::Number(0, 100_000)),
                ("retry_count", InputKind::Number(0, 10)),
                ("retry_delay_sec", InputKind::Number(0, 600)),
                ("webhook_timeout_sec", InputKind::Number(1, 300)),
                ("max_email_size_mb", InputKind::Number(1, 4_194_304)),
                ("notify_on_failure", InputKind::Switch),
            ],
            Self::Mails => &[
                ("require_attachments", InputKind::Switch),
                ("ignore_automatic", InputKind::Switch),
                ("ignore_automatic_except", InputKind::Words),
                ("sender_authentication", InputKind::Choice(&["off", "warn", "require"])),
                ("trusted_authserv_ids", InputKind::Words),
                ("reply_prefixes", InputKind::Words),
                ("subject_marks", InputKind::Words),
            ],
            Self::Subjects => &[("enable_subject_group_dedup", InputKind::Switch)],
            Self::Flags => &[
                ("allow_custom_webhook_without_links", InputKind::Switch),
                ("gmail_ingress_enabled", InputKind::Switch),
                ("disable_email_id_dedup", InputKind::Switch),
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
pub(super) fn entered(form: &FormData, name: &str, kind: InputKind) -> String {
    match kind {
        InputKind::Days | InputKind::Weekdays => form.all(name).join("\n"),
        InputKind::Words => inputs::lines(form.text(name)).join("\n"),
        InputKind::Switch => if form.is_on(name) { "on" } else { "" }.to_owned(),
        _ => form.text(name).to_owned(),
    }
}

/// The fields that somebody changed, as the document is to have them; `None` removes one.
pub(super) fn changed(group: SettingsGroup, form: &FormData) -> Vec<(String, Option<Value>)> {
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
