//! What the stream `config-authority` says: which documents the stores with the last word were
//! heard not to have. Pure.
//!
//! Of a document that such a store has, or had, the stream of the document tells. Of one that never
//! was nothing would: a worker that starts while the store is silent could not tell it from one that
//! is only out of reach, and would stand still.

use std::collections::BTreeSet;
use std::convert::Infallible;

use crate::config::documents::Key;
use crate::config::events::{ConfigEvent, DocumentsAbsent};
use crate::kernel::aggregate::{Aggregate, Evolve};

/// See the module page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuthorityState {
    /// Names of stores, and of documents that they do not have.
    absent: BTreeSet<(String, String)>,
}

/// A store was heard not to have these documents.
#[derive(Debug, Clone)]
pub struct HeardAbsent {
    /// The store.
    pub store: String,
    /// The documents.
    pub documents: Vec<Key>,
}

impl AuthorityState {
    /// Whether a store was heard not to have a document.
    #[must_use]
    pub fn lacks(&self, store: &str, key: Key) -> bool {
        self.absent.contains(&(store.to_owned(), key.as_str().to_owned()))
    }
}

impl Evolve for AuthorityState {
    type Event = ConfigEvent;

    fn evolve(&mut self, event: &ConfigEvent) {
        match event {
            ConfigEvent::Absent(DocumentsAbsent { store, documents }) => {
                self.absent.extend(documents.iter().map(|document| (store.clone(), document.clone())));
            }
            // Of the streams of documents.
            ConfigEvent::Changed(_)
            | ConfigEvent::Deferred(_)
            | ConfigEvent::Reconciled(_)
            | ConfigEvent::Conflicted(_)
            | ConfigEvent::Resolved(_) => {}
        }
    }
}

impl Aggregate for AuthorityState {
    type Command = HeardAbsent;
    type Cx = ();
    type Reject = Infallible;

    fn decide(&self, command: &HeardAbsent, (): &()) -> Result<Vec<ConfigEvent>, Infallible> {
        let news = command.documents.iter().filter(|key| !self.lacks(&command.store, **key));
        let documents: Vec<String> = news.map(|key| key.as_str().to_owned()).collect();
        if documents.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![ConfigEvent::Absent(DocumentsAbsent { store: command.store.clone(), documents })])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_is_said_once_for_each_store() {
        let mut state = AuthorityState::default();
        let heard = |store: &str, documents: &[Key]| HeardAbsent {
            store: store.to_owned(),
            documents: documents.to_vec(),
        };
        let both = [Key::RoutingRules, Key::WebhookConfig];
        for (command, expected) in [
            (heard("php", &both[..1]), vec!["routing_rules"]),
            (heard("php", &both), vec!["webhook_config"]),
            (heard("php", &both), vec![]),
            (heard("redis", &both[..1]), vec!["routing_rules"]),
        ] {
            let Ok(events) = state.decide(&command, &());
            let said = events.iter().flat_map(|event| match event {
                ConfigEvent::Absent(absent) => absent.documents.clone(),
                other => panic!("{other:?}"),
            });
            assert_eq!(said.collect::<Vec<_>>(), expected);
            events.iter().for_each(|event| state.evolve(event));
        }
        assert!(state.lacks("php", Key::WebhookConfig) && !state.lacks("redis", Key::WebhookConfig));
    }
}
