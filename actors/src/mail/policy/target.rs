//! Where webhooks go, how, and how much of a mail they are given.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Where webhooks go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `default`, or `rule-…`: the id of the rule.
    pub id: String,
    /// Address. A capability: masked wherever it is shown.
    pub url: String,
    /// Whether deliveries keep their order.
    pub ordering: Ordering,
    /// How much of a mail's text it is given.
    pub share: Share,
}

/// Whether a target wants its deliveries in order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ordering {
    /// As fast as possible.
    #[default]
    None,
    /// One at a time per sender.
    Sender,
    /// One at a time per mailbox.
    Mailbox,
}

/// How much of a mail's text a target is given: `webhook_body` of `webhook_config`, `body` of a
/// rule's actions. What the other fields say, such as subject, sender and links, is always sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Share {
    /// Plain text and HTML, as the reference system sends it.
    #[default]
    All,
    /// The plain text; where a mail has none, what its HTML shows.
    Text,
    /// Nothing: `email_content` and `bodyPreview` are empty.
    None,
}

impl Share {
    /// The share of this name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name.trim().to_lowercase().as_str() {
            "all" => Some(Self::All),
            "text" => Some(Self::Text),
            "none" => Some(Self::None),
            _ => None,
        }
    }

    /// Whether it is everything; for serde.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::All
    }
}

/// `webhook_delivery_mode`: what the body of a webhook is called. The bytes are the same JSON
/// text either way, as in the reference system (its section 10.3): `form` is for receivers
/// behind something that lets nothing pass that calls itself JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryMode {
    /// `application/json`.
    #[default]
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
}

impl DeliveryMode {
    /// The mode of this name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name.trim().to_lowercase().as_str() {
            "json" => Some(Self::Json),
            "form" => Some(Self::Form),
            _ => None,
        }
    }

    /// The media type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
        }
    }

    /// Whether it is the rule; for serde.
    #[must_use]
    pub fn is_json(&self) -> bool {
        *self == Self::Json
    }
}

/// How a failed delivery is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Repetitions after the first attempt. `None` = the built-in schedule: back-off up to
    /// an hour, for three days.
    pub retries: Option<u32>,
    /// Base of the exponential back-off.
    pub base: Duration,
}
