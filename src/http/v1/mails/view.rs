//! A mail as it is answered.

use chrono::{DateTime, Utc};
use render_signal_actors::readmodel::queries::{Fate, MailRow};
use render_signal_actors::search::ListedMail;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::v1::deliveries::DeliveryView;

/// Where a mail stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MailState)]
pub(in crate::http) enum MailStateParam {
    /// It waits for a window, a switch or a day.
    Held,
    /// It came outside the window, and its detector does not let it wait.
    Skipped,
    /// Nothing is sent for it.
    Ignored,
    /// It could not be read.
    Quarantined,
    /// Workers ended over it, again and again.
    SetAside,
    /// Its webhooks are due or done.
    Routed,
}

impl MailStateParam {
    /// The read model's word.
    pub(super) fn stored(self) -> String {
        let word = match self {
            Self::Held => "held",
            Self::Skipped => "skipped",
            Self::Ignored => "ignored",
            Self::Quarantined => "quarantined",
            Self::SetAside => "set_aside",
            Self::Routed => "routed",
        };
        word.to_owned()
    }
}

/// What became of a mail, as a person asks: every mail has exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::http) enum MailFate {
    /// Every receiver took its webhook, but for those that somebody cancelled.
    Delivered,
    /// It is to be sent: it is held, or a webhook of it has not ended.
    Waiting,
    /// Nothing is sent for it, or all that would have been was cancelled.
    Ignored,
    /// A webhook of it was given up.
    Failed,
    /// It could not be read, or workers ended over it.
    Unreadable,
}

impl From<MailFate> for Fate {
    fn from(fate: MailFate) -> Self {
        match fate {
            MailFate::Delivered => Self::Delivered,
            MailFate::Waiting => Self::Waiting,
            MailFate::Ignored => Self::Ignored,
            MailFate::Failed => Self::Failed,
            MailFate::Unreadable => Self::Unreadable,
        }
    }
}

impl From<Fate> for MailFate {
    fn from(fate: Fate) -> Self {
        match fate {
            Fate::Delivered => Self::Delivered,
            Fate::Waiting => Self::Waiting,
            Fate::Ignored => Self::Ignored,
            Fate::Failed => Self::Failed,
            Fate::Unreadable => Self::Unreadable,
        }
    }
}

/// A mail.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(in crate::http) struct MailView {
    /// Its identity.
    pub(super) id: String,
    /// Clean address of who sent it; null = erased (`MAIL_RETENTION_DAYS`).
    sender: Option<String>,
    /// What it is called; null = erased.
    subject: Option<String>,
    /// `received`, `held`, `skipped`, `ignored`, `quarantined`, `set_aside`, `routed`.
    state: String,
    /// What became of it: `delivered`, `waiting`, `ignored`, `failed`, `unreadable`.
    fate: MailFate,
    /// Why it is held, skipped, ignored, in quarantine or set aside.
    reason: Option<String>,
    /// What exactly: the keyword, the first mail of the group.
    detail: Option<String>,
    /// When it came into the journal.
    received_at: DateTime<Utc>,
    /// When the server took it in, if it says so.
    arrived_at: Option<DateTime<Utc>>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
    /// When a held mail is decided again at the latest.
    hold_until: Option<DateTime<Utc>>,
    /// Bytes of its source.
    size: u64,
    /// What detector recognised it.
    detector: Option<String>,
    /// Delivery time found by the detector.
    delivery_time: Option<String>,
    /// The detector found it urgent.
    urgent: bool,
    /// How many delivery links it has.
    links: u64,
    /// How many webhooks are sent for it.
    deliveries_total: u64,
    /// Of those, taken by their receivers.
    delivered: u64,
    /// Of those, given up.
    dead_lettered: u64,
    /// Of those, cancelled by somebody.
    cancelled: u64,
    /// How it stands with each of its targets.
    deliveries: Vec<DeliveryView>,
}

impl MailView {
    /// Of a row, with what is kept beside the log.
    pub(super) fn of(
        row: MailRow,
        sender: Option<String>,
        subject: Option<String>,
        deliveries: Vec<DeliveryView>,
    ) -> Self {
        Self {
            fate: Fate::of(&row).into(),
            id: row.email_id,
            sender,
            subject,
            state: row.stage,
            reason: row.reason,
            detail: row.detail,
            received_at: row.received_at,
            arrived_at: row.arrived_at,
            updated_at: row.updated_at,
            hold_until: row.hold_until,
            size: row.size,
            detector: row.detector,
            delivery_time: row.delivery_time,
            urgent: row.urgent,
            links: row.links,
            deliveries_total: row.deliveries_total,
            delivered: row.delivered,
            dead_lettered: row.dead_lettered,
            cancelled: row.cancelled,
            deliveries,
        }
    }
}

impl From<ListedMail> for MailView {
    fn from(listed: ListedMail) -> Self {
        let deliveries = listed.deliveries.into_iter().map(DeliveryView::from).collect();
        Self::of(listed.mail, listed.sender, listed.subject, deliveries)
    }
}
