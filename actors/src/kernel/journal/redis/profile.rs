//! What a worker says to the others of its environment, so that two that share a journal and
//! send to different receivers are noticed. Values are compared by hash: no address and no
//! token leaves the process.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::kernel::digest::short_sha256;
use crate::kernel::journal::Difference;

/// A worker's settings that all workers of a journal have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    worker: String,
    settings: BTreeMap<String, String>,
}

impl Profile {
    /// Of the worker of this name, without settings.
    #[must_use]
    pub fn of(worker: impl Into<String>) -> Self {
        Self { worker: worker.into(), settings: BTreeMap::new() }
    }

    /// Adds a setting; one that is empty counts as not set, and is compared with nothing.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if !value.is_empty() {
            // The name is part of it, so that equal values of two settings do not show as equal.
            let hash = short_sha256(format!("{name}={value}"), 16);
            self.settings.insert(name.to_owned(), hash);
        }
        self
    }

    /// In what another worker differs from this one.
    pub(super) fn against(&self, other: &Self) -> Option<Difference> {
        let differ = |(name, value): &(&String, &String)| {
            other.settings.get(*name).is_some_and(|theirs| theirs != *value)
        };
        let settings: Vec<String> =
            self.settings.iter().filter(differ).map(|(name, _)| name.clone()).collect();
        (!settings.is_empty()).then(|| Difference { worker: other.worker.clone(), settings })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named_and_no_value_is_shown() {
        let one = Profile::of("one").with("WEBHOOK_URL", "https://a/s3cret").with("EMAIL_ADDRESS", "a@b");
        let two = Profile::of("two").with("WEBHOOK_URL", "https://b/s3cret").with("EMAIL_ADDRESS", "a@b");
        let said = one.against(&two).map(|difference| difference.to_string());
        assert_eq!(said.as_deref(), Some("two has another WEBHOOK_URL than this worker"));
        assert_eq!(one.against(&one.clone()), None);
        assert_eq!(one.against(&Profile::of("idle").with("WEBHOOK_URL", "")), None, "it has none");
        let said = serde_json::to_string(&one).unwrap();
        assert!(!said.contains("s3cret") && !said.contains("a@b"), "{said}");
    }
}
