//! What is written together with an event of a document: copies, the row of a change that waits,
//! and the end of both.

use super::copies::kept_for_ever;
use crate::config::documents::Key;
use crate::config::events::{ConfigEvent, config_stream};
use crate::config::state::{DocumentCommand, DocumentState, keeps_content};
use crate::kernel::aggregate::Loaded;
use crate::kernel::clock::World;
use crate::kernel::event::DomainEvent as _;
use crate::kernel::journal::{Body, Commit, Due, OutboxAdd, Queue, Settle, StreamWrite};

/// One command, and the stream on which it is carried out.
pub(super) struct DocumentCommit<'a> {
    pub(super) world: &'a World,
    pub(super) key: Key,
    pub(super) command: &'a DocumentCommand,
    pub(super) before: &'a Loaded<DocumentState>,
}

impl DocumentCommit<'_> {
    /// What happened, with everything that belongs to it.
    pub(super) fn of(&self, events: &[ConfigEvent]) -> Result<Commit, String> {
        let id = || self.command.event_id(self.key).unwrap_or_else(|| self.world.ids.next());
        let new = events.iter().map(|event| event.to_new(id()).map_err(|error| error.to_string()));
        let stream = config_stream(self.key.as_str());
        let settle = self.command.settles().map(|claim| {
            let key = self.key.as_str().to_owned();
            Settle { queue: Queue::Config, key, claim }
        });
        Ok(Commit {
            at: self.world.now(),
            writes: vec![StreamWrite::after(self.before.version, stream, new.collect::<Result<_, _>>()?)],
            add: events.iter().filter_map(|event| self.row(event)).collect(),
            settle: settle.into_iter().collect(),
            bodies: events.iter().flat_map(|event| self.bodies(event)).collect(),
            ..Commit::default()
        })
    }

    /// The row of a change that waits. It has a partition of its own, so that whoever wants it can
    /// claim this one.
    fn row(&self, event: &ConfigEvent) -> Option<OutboxAdd> {
        let ConfigEvent::Deferred(deferred) = event else { return None };
        Some(OutboxAdd {
            queue: Queue::Config,
            key: self.key.as_str().to_owned(),
            partition: self.key.as_str().to_owned(),
            order_key: None,
            due: Due::At(self.world.now()),
            meta: serde_json::Value::Null,
            body_key: Some(deferred.waits.clone()),
        })
    }

    fn bodies(&self, event: &ConfigEvent) -> Vec<Body> {
        let content = self.command.text().map(str::to_owned).unwrap_or_default();
        let mut kept = vec![(event.body_key().unwrap_or_default(), content.clone())];
        if event.waits() != event.body_key() {
            kept.push((event.waits().unwrap_or_default(), content));
        }
        if let (ConfigEvent::Deferred(deferred), DocumentCommand::Defer(change), None) =
            (event, self.command, &self.before.state.pending)
        {
            kept.push((&deferred.base, change.base.clone().unwrap_or_default()));
        }
        let kept = kept.into_iter().filter(|(key, _)| !key.is_empty()).map(|(key, text)| Body {
            key: key.to_owned(),
            bytes: text.into(),
            keep_until: kept_for_ever(),
        });
        let dropped = self.needless(event).into_iter().filter(|key| !key.is_empty());
        let dropped = dropped.map(|key| Body { key, bytes: Vec::new().into(), keep_until: self.world.now() });
        kept.chain(dropped).collect()
    }

    /// Keys of what was kept only while something waited. The history keeps its own copies.
    fn needless(&self, event: &ConfigEvent) -> Vec<String> {
        let state = &self.before.state;
        let secret = !keeps_content(self.key);
        match event {
            ConfigEvent::Reconciled(_) | ConfigEvent::Conflicted(_) => {
                let pending = state.pending.iter();
                pending
                    .flat_map(|pending| [Some(&pending.base), secret.then_some(&pending.body_key)])
                    .flatten()
                    .cloned()
                    .collect()
            }
            ConfigEvent::Resolved(_) if secret => {
                state.conflict.iter().map(|conflict| conflict.body_key.clone()).collect()
            }
            ConfigEvent::Resolved(_)
            | ConfigEvent::Changed(_)
            | ConfigEvent::Deferred(_)
            | ConfigEvent::Absent(_) => Vec::new(),
        }
    }
}
