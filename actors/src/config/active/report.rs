//! What is said of the active documents: to people, to the other workers, to the policy.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::status::DocumentStatus;
use super::ActiveDocuments;
use crate::config::documents::{self, FieldProblem, Governs, Key, effect};
use crate::config::policy::{self, EnvDefaults};
use crate::config::store::AckState;
use crate::kernel::said::{Said, said};
use crate::mail::policy::Policy;

impl ActiveDocuments {
    /// What to tell the other workers.
    #[must_use]
    pub fn states(&self) -> BTreeMap<Key, AckState> {
        let state = |key| AckState {
            hash: self.in_force(key).map(|document| document.hash.clone()).unwrap_or_default(),
            refused: self.is_refused(key).then(|| self.what_is_wrong(key)),
        };
        Key::ALL.into_iter().map(|key| (key, state(key))).collect()
    }

    /// What is wrong with a document.
    #[must_use]
    pub fn problems(&self, key: Key) -> Vec<FieldProblem> {
        self.entries
            .get(&key)
            .map(|entry| {
                let missing = entry.vanished.then(|| FieldProblem::new("", missing(key)));
                missing.into_iter().chain(entry.refused.iter().chain(&entry.disabled).cloned()).collect()
            })
            .unwrap_or_default()
    }

    /// The same in one message; empty = nothing.
    #[must_use]
    pub fn what_is_wrong(&self, key: Key) -> Said {
        let said: Vec<Said> = self.problems(key).iter().map(FieldProblem::said).collect();
        Said::joined(&said, "; ")
    }

    /// What of the document in force changes nothing.
    #[must_use]
    pub fn remarks(&self, key: Key) -> Vec<Said> {
        let document = self.in_force(key).and_then(|document| documents::from_json(&document.text).ok());
        document.map(|document: Value| effect::remarks(key, &document)).unwrap_or_default()
    }

    /// Which fields stand for others that are absent.
    #[must_use]
    pub fn stand_ins(&self) -> Vec<Said> {
        let webhook = self.documents.webhook.iter();
        webhook
            .flat_map(|document| &document.stand_ins)
            .map(|Said { french, english }| {
                said!("webhook_config\u{a0}: {french}", "webhook_config: {english}")
            })
            .collect()
    }

    /// The policy that follows.
    #[must_use]
    pub fn policy(&self, env: &EnvDefaults, version: u64) -> Policy {
        let mut policy = policy::build(&self.documents, env, version);
        for key in Key::ALL.into_iter().filter(|key| key.governs().is_some()) {
            if let Some(document) = self.in_force(key) {
                policy.configuration.add(key.as_str(), &document.hash);
            }
        }
        for key in Key::ALL {
            let why = || {
                self.problems(key).into_iter().map(|problem| {
                    let Said { french, english } = problem.said();
                    said!("{key} : {french}", "{key}: {english}")
                })
            };
            match self.withholds(key) {
                Some(Governs::Polling) => policy.withheld.polling.extend(why()),
                Some(Governs::Sending) => policy.withheld.sending.extend(why()),
                None => {}
            }
            match key.governs().filter(|_| self.is_switched_off(key)) {
                Some(Governs::Polling) => policy.schedule.enabled = false,
                Some(Governs::Sending) => policy.sending_enabled = false,
                None => {}
            }
        }
        policy
    }

    /// How the documents are.
    #[must_use]
    pub fn status(&self) -> Vec<DocumentStatus> {
        Key::ALL
            .iter()
            .map(|key| DocumentStatus {
                key: key.as_str().to_owned(),
                state: match (self.is_refused(*key), self.in_force(*key)) {
                    _ if self.is_missing(*key) => "missing",
                    (true, _) => "invalid",
                    (false, Some(_)) => "ok",
                    (false, None) => "absent",
                }
                .to_owned(),
                problems: self.problems(*key),
                withholds: self.withholds(*key),
                switched_off: self.is_switched_off(*key),
                remarks: self.remarks(*key),
                loaded_at: self.entries.get(key).and_then(|entry| entry.loaded_at),
                hash: self.in_force(*key).map(|document| document.hash.clone()).unwrap_or_default(),
                ..DocumentStatus::default()
            })
            .collect()
    }
}

/// Said of a document that is in force and not stored any more.
fn missing(key: Key) -> Said {
    said!(
        "il n'est plus stocké, et personne ne l'a supprimé que l'on sache\u{a0}: le dernier bon reste en vigueur\u{a0}; \
         `config remove {key}` le supprime",
        "it is not stored any more, and nobody is known to have removed it: the last good one stays in force; \
         `config remove {key}` removes it"
    )
}
