//! The configuration documents: what is stored, and what it means.
//!
//! A document is a JSON object under a [`Key`]. The typed structs here hold what is
//! understood of it; the JSON itself is kept beside them, so a field that this program
//! does not know survives.

pub mod coerce;
pub mod detectors;
pub mod effect;
pub mod flags;
pub mod known;
pub mod normal;
pub mod polling;
pub mod prefs;
pub mod providers;
pub mod routing;
mod seed;
pub mod time;
pub mod webhook;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::detectors::Detectors;
use self::flags::RuntimeFlags;
use self::polling::PollingConfig;
use self::prefs::ProcessingPrefs;
use self::routing::RoutingRules;
use self::webhook::WebhookConfig;
use super::policy::EnvDefaults;
use crate::kernel::said::{Said, said};
use crate::mail::providers::Providers;

/// Which document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// When the poller looks, and for whom.
    PollingConfig,
    /// Where webhooks go, and when.
    WebhookConfig,
    /// Limits and retries.
    ProcessingPrefs,
    /// Switches.
    RuntimeFlags,
    /// Rules that choose targets.
    RoutingRules,
    /// What kinds of mail there are. Unknown to the reference system.
    Detectors,
    /// Whose links are deliveries. Unknown to the reference system.
    Providers,
    /// Sign-in links that were handed out; opaque here.
    MagicLinkTokens,
}

impl Key {
    /// Every document.
    pub const ALL: [Self; 8] = [
        Self::PollingConfig,
        Self::WebhookConfig,
        Self::ProcessingPrefs,
        Self::RuntimeFlags,
        Self::RoutingRules,
        Self::Detectors,
        Self::Providers,
        Self::MagicLinkTokens,
    ];

    /// The name under which it is stored (reference section 2.1).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PollingConfig => "polling_config",
            Self::WebhookConfig => "webhook_config",
            Self::ProcessingPrefs => "processing_prefs",
            Self::RuntimeFlags => "runtime_flags",
            Self::RoutingRules => "routing_rules",
            Self::Detectors => "detectors",
            Self::Providers => "providers",
            Self::MagicLinkTokens => "magic_link_tokens",
        }
    }
}

impl Key {
    /// The document of this name; see [`Self::as_str`].
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.as_str() == name)
    }
}

/// What a document decides about, and what stands still while nobody knows what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Governs {
    /// Whether, when and for whom the mailbox is looked at.
    Polling,
    /// Which mails are sent, where to, and when.
    Sending,
}

impl Governs {
    /// What stands still, for people.
    #[must_use]
    pub fn said(self) -> Said {
        match self {
            Self::Polling => said!("aucun mail n'est relevé", "no mail is fetched"),
            Self::Sending => {
                said!("aucun webhook n'est envoyé, les mails attendent", "no webhook is sent, mails wait")
            }
        }
    }
}

impl Key {
    /// What the document decides about; `None` = nothing that happens to a mail.
    #[must_use]
    pub const fn governs(self) -> Option<Governs> {
        match self {
            Self::PollingConfig => Some(Governs::Polling),
            Self::WebhookConfig
            | Self::ProcessingPrefs
            | Self::RuntimeFlags
            | Self::RoutingRules
            | Self::Detectors
            | Self::Providers => Some(Governs::Sending),
            Self::MagicLinkTokens => None,
        }
    }

    /// The document's main switch, if it has one.
    const fn switch(self) -> Option<&'static str> {
        match self {
            Self::PollingConfig => Some("enable_polling"),
            Self::WebhookConfig => Some("webhook_sending_enabled"),
            Self::ProcessingPrefs
            | Self::RuntimeFlags
            | Self::RoutingRules
            | Self::Detectors
            | Self::Providers
            | Self::MagicLinkTokens => None,
        }
    }
}

/// Whether the main switch of a document says off, as read here or by the reference system
/// (whose Python takes `[]` and `{}` for false, too). It is asked of documents that are refused
/// for something else: whoever wrote `off` meant it, whatever became of the rest.
#[must_use]
pub fn says_off(key: Key, document: &Value) -> bool {
    let said = key.switch().and_then(|switch| document.get(switch)).or_else(|| match key {
        Key::WebhookConfig => document.get("webhook_enabled"),
        _ => None,
    });
    said.is_some_and(|said| match said {
        Value::Array(members) => members.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        said => coerce::word(said) == Ok(false),
    })
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct FieldProblem {
    /// The field, such as `retry_count`, or the rule, such as `rules[2]`.
    pub field: String,
    /// What is wrong; in French the reference's message where it has one.
    pub message: Said,
}

impl FieldProblem {
    /// `field` is wrong.
    #[must_use]
    pub fn new(field: impl Into<String>, message: Said) -> Self {
        Self { field: field.into(), message }
    }

    /// For the clients of the reference system; shown as it is, a problem is English.
    #[must_use]
    pub fn in_french(&self) -> String {
        self.with(&self.message.french)
    }

    /// In both languages, with the field.
    #[must_use]
    pub fn said(&self) -> Said {
        Said { french: self.in_french(), english: self.to_string() }
    }

    /// Many messages name the field already.
    fn with(&self, message: &str) -> String {
        if message.starts_with(&self.field) {
            message.to_owned()
        } else {
            format!("{}: {message}", self.field)
        }
    }
}

/// Programs read English.
impl Serialize for FieldProblem {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl fmt::Display for FieldProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.with(&self.message.english))
    }
}

/// Reads the text of a document. A byte order mark before it, which some editors write, is none
/// of its content.
///
/// # Errors
/// It is no JSON, or not of this type.
pub fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Everything that is wrong with a document, also where only a part of it disables itself: the
/// one judge. The service, `config check`, `config set` and `/config_api.php` ask it, and the
/// PHP host agrees with it (`tests/golden/documents.json` is run against both).
#[must_use]
pub fn problems(key: Key, document: &Value, env: &EnvDefaults) -> Vec<FieldProblem> {
    DocumentSet::default().put(key, Some(document), env).unwrap_or_else(|problems| problems)
}

/// The documents in force, typed. `None` = absent, which is not the same as empty.
#[derive(Debug, Clone, Default)]
pub struct DocumentSet {
    /// See [`PollingConfig`].
    pub polling: Option<PollingConfig>,
    /// See [`WebhookConfig`].
    pub webhook: Option<WebhookConfig>,
    /// See [`ProcessingPrefs`].
    pub prefs: Option<ProcessingPrefs>,
    /// See [`RuntimeFlags`].
    pub flags: Option<RuntimeFlags>,
    /// See [`RoutingRules`].
    pub routing: Option<RoutingRules>,
    /// See [`Detectors`].
    pub detectors: Option<Detectors>,
    /// See [`Providers`].
    pub providers: Option<Arc<Providers>>,
}

impl DocumentSet {
    /// Puts a document in force; `None` removes it. Returns what is wrong with parts that
    /// disabled themselves.
    ///
    /// # Errors
    /// The document is refused, and the one in force stays.
    pub fn put(
        &mut self,
        key: Key,
        value: Option<&Value>,
        env: &EnvDefaults,
    ) -> Result<Vec<FieldProblem>, Vec<FieldProblem>> {
        match key {
            Key::PollingConfig => self.polling = value.map(PollingConfig::parse).transpose()?,
            Key::WebhookConfig => {
                self.webhook = value.map(|value| WebhookConfig::parse(value, env)).transpose()?;
            }
            Key::ProcessingPrefs => self.prefs = value.map(ProcessingPrefs::parse).transpose()?,
            Key::RuntimeFlags => self.flags = value.map(RuntimeFlags::parse).transpose()?,
            Key::RoutingRules => {
                let routing = value.map(|value| RoutingRules::parse(value, env)).transpose()?;
                let disabled = routing.as_ref().map(|routing| routing.disabled.clone()).unwrap_or_default();
                self.routing = routing;
                return Ok(disabled);
            }
            Key::Detectors => {
                let detectors = value.map(Detectors::parse).transpose()?;
                let disabled = detectors.as_ref().map(|read| read.disabled.clone()).unwrap_or_default();
                self.detectors = detectors;
                return Ok(disabled);
            }
            Key::Providers => self.providers = value.map(providers::parse).transpose()?,
            Key::MagicLinkTokens => {
                if let Some(value) = value {
                    coerce::DocumentFields::of(value)?;
                }
            }
        }
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests;
