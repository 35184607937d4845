use chrono::DateTime;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::decide::changed_fields;
use super::*;
use crate::config::active::{InForce, canonical_hash};
use crate::config::events::ReconcileOutcome;
use crate::config::store::ConflictWinner;
use crate::kernel::aggregate::Aggregate as _;

const KEY: Key = Key::WebhookConfig;

fn version(document: &Value) -> InForce {
    InForce { hash: canonical_hash(document), text: document.to_string() }
}

fn change(document: Option<&Value>, listed: Option<u64>) -> DocumentCommand {
    let listed = listed.map(|place| ChangeId { list: "l".to_owned(), place: (place, 0) });
    DocumentCommand::Change {
        document: document.map(version),
        origin: "cli".to_owned(),
        listed,
        stored_in: String::new(),
    }
}

/// Carries a command out on a state; answers what happened.
fn carry_out(state: &mut DocumentState, command: &DocumentCommand, version: u64) -> Vec<ConfigEvent> {
    let events = state.decide(command, &DocumentCx { key: KEY, version, before: None }).unwrap();
    for event in &events {
        state.evolve(event);
    }
    events
}

#[test]
fn the_fields_that_differ() {
    let fields = |before, after| changed_fields(Key::WebhookConfig, before, after).join(",");
    assert_eq!(fields(None, Some(r#"{"b":1,"a":2}"#)), "a,b");
    assert_eq!(fields(Some(r#"{"a":1,"b":[1],"c":1}"#), Some(r#"{"b":[2],"c":1,"d":0}"#)), "a,b,d");
    assert_eq!(fields(Some(r#"{"a":1}"#), None), "a");
    let links = changed_fields(Key::MagicLinkTokens, None, Some(r#"{"secret-id":{}}"#));
    assert!(links.is_empty(), "ids of sign-in links stay out of events");
}

#[test]
fn a_version_is_recorded_once_and_a_removal_too() {
    let mut state = DocumentState::default();
    let document = json!({"a": 1});
    assert!(carry_out(&mut state, &change(None, None), 0).is_empty(), "nothing was there");
    let events = carry_out(&mut state, &change(Some(&document), None), 0);
    let [ConfigEvent::Changed(changed)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(
        (changed.body_key.as_str(), changed.fields.join(",")),
        ("config/webhook_config/1", "a".into())
    );
    assert!(carry_out(&mut state, &change(Some(&document), Some(7)), 1).is_empty());
    assert_eq!(carry_out(&mut state, &change(None, None), 1).len(), 1);
    assert!(state.hash.is_empty());
}

#[test]
fn of_sign_in_links_no_copy_is_kept() {
    let cx = DocumentCx { key: Key::MagicLinkTokens, version: 0, before: None };
    let losing = LosingVersion {
        text: "{}".to_owned(),
        origin: "cli".to_owned(),
        at: DateTime::UNIX_EPOCH,
        fields: Vec::new(),
        number: None,
        claim: None,
    };
    for command in [change(Some(&json!({"id": {}})), None), DocumentCommand::Lose(losing)] {
        let events = DocumentState::default().decide(&command, &cx).unwrap();
        let shown = format!("{events:?}");
        assert!(shown.contains("body_key: \"\"") && !shown.contains("id\": {"), "{shown}");
    }
}

proptest! {
    /// Whoever follows a list, and wherever he begins, the history has each of its changes once
    /// and in order.
    #[test]
    fn a_list_is_recorded_once(
        texts in prop::collection::vec(prop::option::of(0..4_u8), 1..12),
        starts in prop::collection::vec(any::<prop::sample::Index>(), 1..6),
    ) {
        let list: Vec<DocumentCommand> = texts
            .iter()
            .zip(1..)
            .map(|(text, place)| change(text.map(|n| json!({"n": n})).as_ref(), Some(place)))
            .collect();
        let mut state = DocumentState::default();
        let mut recorded = Vec::new();
        for from in std::iter::once(0).chain(starts.iter().map(|start| start.index(list.len()))) {
            for command in &list[from..] {
                let version = recorded.len() as u64;
                recorded.extend(carry_out(&mut state, command, version));
            }
        }
        let mut expected: Vec<Option<u8>> = vec![None];
        expected.extend(&texts);
        expected.dedup();
        prop_assert_eq!(recorded.len(), expected.len() - 1);
        let last = texts.last().copied().flatten().map(|n| canonical_hash(&json!({"n": n})));
        prop_assert_eq!(state.hash, last.unwrap_or_default());
    }
}

/// What may be entered about a change that waits.
#[derive(Debug, Clone)]
enum Entry {
    Changed(u8),
    Deferred(u8, Option<u64>),
    Reconciled(u64, u8),
    Lost(Option<u64>),
    Resolved,
}

fn entry() -> impl Strategy<Value = Entry> {
    prop_oneof![
        (0..3_u8).prop_map(Entry::Changed),
        (0..3_u8, prop::option::of(0..4_u64)).prop_map(|(n, over)| Entry::Deferred(n, over)),
        (0..4_u64, 0..3_u8).prop_map(|(number, n)| Entry::Reconciled(number, n)),
        prop::option::of(0..4_u64).prop_map(Entry::Lost),
        Just(Entry::Resolved),
    ]
}

fn command(entry: &Entry) -> DocumentCommand {
    let document = |n: &u8| version(&json!({ "n": n }));
    match entry {
        Entry::Changed(n) => DocumentCommand::seen(Some(&document(n)), "cli", "redis"),
        Entry::Deferred(n, over) => DocumentCommand::Defer(DeferredChange {
            document: document(n),
            base: Some("{}".to_owned()),
            origin: "api".to_owned(),
            why: "no answer".to_owned(),
            over: *over,
            id: None,
        }),
        Entry::Reconciled(number, n) => DocumentCommand::Reconcile(Reconciliation {
            number: *number,
            outcome: ReconcileOutcome::Given,
            document: document(n),
            stored_in: "redis".to_owned(),
            claim: None,
        }),
        Entry::Lost(number) => DocumentCommand::Lose(LosingVersion {
            text: "{}".to_owned(),
            origin: "api".to_owned(),
            at: DateTime::UNIX_EPOCH,
            fields: Vec::new(),
            number: *number,
            claim: None,
        }),
        Entry::Resolved => DocumentCommand::Resolve { kept: ConflictWinner::Authority, by: "cli".to_owned() },
    }
}

proptest! {
    /// Whoever is late with something about a change that waits enters nothing: it ends once, by the
    /// one who is first, and the one that a writer had not seen is not replaced.
    #[test]
    fn what_waits_ends_once(entries in prop::collection::vec(entry(), 1..20)) {
        let mut state = DocumentState::default();
        for (at, entry) in entries.iter().enumerate() {
            let (before, command) = (state.clone(), command(entry));
            let cx = DocumentCx { key: KEY, version: at as u64, before: None };
            let decided = state.decide(&command, &cx);
            let waiting = before.pending.as_ref().map(|pending| pending.number);
            let overtaken = match entry {
                Entry::Deferred(_, over) => *over != waiting,
                Entry::Reconciled(number, _) => Some(*number) != waiting,
                Entry::Lost(number) => *number != waiting,
                Entry::Changed(_) | Entry::Resolved => false,
            };
            prop_assert_eq!(decided.is_err(), overtaken);
            for event in decided.unwrap_or_default() {
                state.evolve(&event);
            }
            if overtaken {
                prop_assert_eq!(&state, &before);
                continue;
            }
            match entry {
                Entry::Deferred(..) => {
                    let pending = state.pending.as_ref().unwrap();
                    prop_assert_eq!(&pending.hash, &state.hash);
                    let earlier = before.pending.map_or(0, |pending| pending.earlier.len() + 1);
                    prop_assert_eq!(pending.earlier.len(), earlier);
                }
                Entry::Reconciled(..) => {
                    prop_assert!(state.pending.is_none());
                    prop_assert_eq!(&state.held.as_ref().unwrap().hash, &state.hash);
                }
                Entry::Lost(_) => prop_assert!(state.pending.is_none() && state.conflict.is_some()),
                Entry::Resolved => prop_assert!(state.conflict.is_none()),
                Entry::Changed(_) => prop_assert_eq!(&state.pending, &before.pending),
            }
        }
    }
}
