//! Do the workers run the same documents? Pure: compares what they say.

use super::active::ActiveDocuments;
use super::documents::Key;
use super::status::DocumentStatus;
use super::store::Ack;
use crate::kernel::said::{Said, said};

/// Notes beside each document how many of the workers run the stored version, and what the
/// others do. `acks` has one entry per worker, this one included.
pub(super) fn compare(documents: &mut [DocumentStatus], active: &ActiveDocuments, acks: &[Ack]) {
    for (document, key) in documents.iter_mut().zip(Key::ALL) {
        let stored = active.stored_hash(key).unwrap_or_default();
        for ack in acks {
            let worker = &ack.worker;
            let state = ack.documents.get(&key).cloned().unwrap_or_default();
            match state.refused {
                Some(Said { french, english }) => document.remarks.push(said!(
                    "{worker} garde la version d'avant\u{a0}: {french}",
                    "{worker} keeps the version before: {english}"
                )),
                None if state.hash == stored => document.running += 1,
                None => document
                    .remarks
                    .push(said!("{worker} emploie une autre version", "{worker} runs another version")),
            }
        }
    }
}

/// The same for a worker that is the only one: what it does not run, it says itself beside the
/// document.
pub(super) fn alone(documents: &mut [DocumentStatus], active: &ActiveDocuments, own: &Ack) {
    for (document, key) in documents.iter_mut().zip(Key::ALL) {
        let state = own.documents.get(&key).cloned().unwrap_or_default();
        let stored = active.stored_hash(key).unwrap_or_default();
        document.running = usize::from(state.refused.is_none() && state.hash == stored);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::DateTime;

    use super::*;
    use crate::config::policy::EnvDefaults;
    use crate::config::store::{AckState, Revision, StoreReading};

    #[test]
    fn three_workers_are_compared() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let text = r#"{"retry_count": 3}"#.to_owned();
        let mut active = ActiveDocuments::default();
        let read = Ok(StoreReading::Found { revision: Revision(text.clone()), text });
        active.take_final(Key::ProcessingPrefs, read, &EnvDefaults::default(), now);
        let here = active.states();
        let says = |worker: &str, state: AckState| Ack {
            worker: worker.to_owned(),
            at: now,
            documents: BTreeMap::from([(Key::ProcessingPrefs, state)]),
        };
        let refusal = AckState { refused: Some(Said::alike("retry_count: too many")), ..AckState::default() };
        let old = AckState { hash: "old".to_owned(), refused: None };
        let acks =
            [Ack { worker: "a".to_owned(), at: now, documents: here }, says("b", refusal), says("c", old)];
        let mut documents = active.status();
        compare(&mut documents, &active, &acks);
        let prefs = documents.iter().find(|document| document.key == "processing_prefs").unwrap();
        assert_eq!(prefs.running, 1);
        let remarks: Vec<&str> = prefs.remarks.iter().map(|said| said.english.as_str()).collect();
        assert_eq!(remarks, ["b keeps the version before: retry_count: too many", "c runs another version"]);
        let absent = documents.iter().find(|document| document.key == "routing_rules").unwrap();
        assert_eq!((absent.running, absent.remarks.len()), (3, 0), "all agree that there is none");

        let [own, refuses, _] = acks;
        for (ack, running) in [(own, 1), (refuses, 0)] {
            let mut documents = active.status();
            alone(&mut documents, &active, &ack);
            let prefs = documents.iter().find(|document| document.key == "processing_prefs").unwrap();
            assert_eq!((prefs.running, prefs.remarks.len()), (running, 0), "{}", ack.worker);
        }
    }
}
