//! The configuration documents: what is stored, and what it means.
//!
//! A document is a JSON object under a [`Key`]. The typed structs here hold what is
//! understood of it; the JSON itself is kept beside them, so a field that this program
//! does not know survives.

pub mod coerce;
pub mod detectors;
pub mod effect;
pub mod flags;
pub mod polling;
pub mod prefs;
pub mod routing;
pub mod time;
pub mod webhook;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::detectors::Detectors;
use self::flags::RuntimeFlags;
use self::polling::PollingConfig;
use self::prefs::ProcessingPrefs;
use self::routing::RoutingRules;
use self::webhook::WebhookConfig;
use super::policy::EnvDefaults;

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
    /// Sign-in links that were handed out; opaque here.
    MagicLinkTokens,
}

impl Key {
    /// Every document.
    pub const ALL: [Self; 7] = [
        Self::PollingConfig,
        Self::WebhookConfig,
        Self::ProcessingPrefs,
        Self::RuntimeFlags,
        Self::RoutingRules,
        Self::Detectors,
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

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problem {
    /// The field, such as `retry_count`, or the rule, such as `rules[2]`.
    pub field: String,
    /// What is wrong; the reference's message where it has one.
    pub message: String,
}

impl Problem {
    /// `field` is wrong.
    #[must_use]
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Many of the reference's messages name the field already.
        if self.message.starts_with(&self.field) {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.field, self.message)
        }
    }
}

/// The documents in force, typed. `None` = absent, which is not the same as empty.
#[derive(Debug, Clone, Default)]
pub struct Documents {
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
}

impl Documents {
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
    ) -> Result<Vec<Problem>, Vec<Problem>> {
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
            Key::MagicLinkTokens => {
                if let Some(value) = value {
                    coerce::Fields::of(value)?;
                }
            }
        }
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests;
