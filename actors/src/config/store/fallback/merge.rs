//! What becomes of a document that another store took, when the authority answers again.
//! Pure.
//!
//! ```text
//! base ── what the writer had before its eyes
//!  ├── pending: what it wrote while the authority could not be reached
//!  └── authority: what the authority holds now
//! ```
//!
//! `_updated_at` says when a document was written, not what it says: it is never compared.

use serde_json::{Map, Value};

/// When a document was written (reference section 2.5).
const UPDATED_AT: &str = "_updated_at";

/// See the module page.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::config) enum MergeOutcome {
    /// The authority says the same.
    Same,
    /// The authority is to be given this document.
    Give {
        /// The whole document.
        document: Value,
        /// Whether it holds changes of both sides.
        merged: bool,
    },
    /// Both sides changed these top-level fields, differently.
    Conflict(Vec<String>),
}

/// Compares the three. `None` = absent; an authority that has nothing is given what waits.
pub(in crate::config) fn three_way_merge(
    base: Option<&Value>,
    pending: &Value,
    authority: Option<&Value>,
) -> MergeOutcome {
    let Some(authority) = authority else {
        return MergeOutcome::Give { document: pending.clone(), merged: false };
    };
    if same(authority, pending) {
        return MergeOutcome::Same;
    }
    if base.is_some_and(|base| same(base, authority)) {
        return MergeOutcome::Give { document: pending.clone(), merged: false };
    }
    let (Some(ours), Some(theirs)) = (pending.as_object(), authority.as_object()) else {
        return MergeOutcome::Conflict(Vec::new());
    };
    let nothing = Map::new();
    merge(base.and_then(Value::as_object).unwrap_or(&nothing), ours, theirs)
}

/// Field by field; a nested value is one value.
fn merge(base: &Map<String, Value>, ours: &Map<String, Value>, theirs: &Map<String, Value>) -> MergeOutcome {
    let mut document = theirs.clone();
    let mut conflicts = Vec::new();
    let names = base.keys().chain(ours.keys().filter(|name| !base.contains_key(*name)));
    for name in names.filter(|name| *name != UPDATED_AT) {
        let (was, mine, other) = (base.get(name), ours.get(name), theirs.get(name));
        if mine == was || mine == other {
            continue;
        }
        if other != was {
            conflicts.push(name.clone());
            continue;
        }
        match mine {
            Some(value) => document.insert(name.clone(), value.clone()),
            None => document.shift_remove(name),
        };
    }
    conflicts.sort_unstable();
    if !conflicts.is_empty() {
        return MergeOutcome::Conflict(conflicts);
    }
    let document = Value::Object(document);
    if same(&document, &Value::Object(theirs.clone())) {
        return MergeOutcome::Same;
    }
    MergeOutcome::Give { document, merged: true }
}

/// Equal but for the moment of writing, whatever the order of the fields.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let holds = |map: &Map<String, Value>, name: &str, value: &Value| {
                name == UPDATED_AT || map.get(name) == Some(value)
            };
            one.iter().all(|(name, value)| holds(other, name, value))
                && other.iter().all(|(name, value)| holds(one, name, value))
        }
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn give(document: Value, merged: bool) -> MergeOutcome {
        MergeOutcome::Give { document, merged }
    }

    fn conflict(fields: &[&str]) -> MergeOutcome {
        MergeOutcome::Conflict(fields.iter().map(|field| (*field).to_owned()).collect())
    }

    #[test]
    fn the_three_sides() {
        let base = json!({"a": 1, "b": 1, "_updated_at": "x"});
        for (base, pending, authority, verdict) in [
            (Some(base.clone()), json!({"a": 2}), Some(base.clone()), give(json!({"a": 2}), false)),
            (
                Some(base.clone()),
                json!({"a": 2}),
                Some(json!({"b": 1, "a": 1, "_updated_at": "y"})),
                give(json!({"a": 2}), false),
            ),
            (
                Some(base.clone()),
                json!({"a": 2}),
                Some(json!({"_updated_at": "y", "a": 2})),
                MergeOutcome::Same,
            ),
            (Some(base.clone()), json!({"a": 2}), None, give(json!({"a": 2}), false)),
            (None, json!({"a": 2}), None, give(json!({"a": 2}), false)),
            // Different fields.
            (
                Some(base.clone()),
                json!({"a": 2, "b": 1}),
                Some(json!({"a": 1, "b": 2, "c": 3})),
                give(json!({"a": 2, "b": 2, "c": 3}), true),
            ),
            (Some(base.clone()), json!({"b": 1}), Some(json!({"a": 1, "b": 2})), give(json!({"b": 2}), true)),
            // A writer who knew nothing hides nothing.
            (None, json!({"a": 2}), Some(json!({"b": 1})), give(json!({"b": 1, "a": 2}), true)),
            // Everything that was wanted is there already, and more.
            (Some(base.clone()), json!({"a": 2, "b": 1}), Some(json!({"a": 2, "b": 5})), MergeOutcome::Same),
            // The same field, differently.
            (
                Some(base.clone()),
                json!({"a": 2, "b": 2}),
                Some(json!({"a": 3, "b": 3})),
                conflict(&["a", "b"]),
            ),
            (Some(base.clone()), json!({"b": 1}), Some(json!({"a": 3, "b": 1})), conflict(&["a"])),
            (Some(base.clone()), json!({"a": 2, "b": 1}), Some(json!({"b": 1})), conflict(&["a"])),
            (None, json!({"a": 2}), Some(json!({"a": 3})), conflict(&["a"])),
            // A value that is nested is one value.
            (Some(json!({"r": [1]})), json!({"r": [1, 2]}), Some(json!({"r": [0, 1]})), conflict(&["r"])),
            (Some(base), json!({"a": 2}), Some(json!([1])), conflict(&[])),
        ] {
            let context = format!("{base:?} {pending} {authority:?}");
            assert_eq!(three_way_merge(base.as_ref(), &pending, authority.as_ref()), verdict, "{context}");
        }
    }

    fn document() -> impl Strategy<Value = Value> {
        prop::collection::btree_map("[abc]", 0..3u8, 0..4).prop_map(|map| json!(map))
    }

    proptest! {
        /// What the authority is given holds every change of either side against the base.
        #[test]
        fn nobody_loses_a_change(
            base in prop::option::of(document()), pending in document(), authority in prop::option::of(document()),
        ) {
            let verdict = three_way_merge(base.as_ref(), &pending, authority.as_ref());
            let result = match &verdict {
                MergeOutcome::Conflict(_) => return Ok(()),
                MergeOutcome::Same => authority.clone().unwrap(),
                MergeOutcome::Give { document, .. } => document.clone(),
            };
            for name in ["a", "b", "c"] {
                let was = base.as_ref().and_then(|base| base.get(name));
                let sides = [Some(&pending), authority.as_ref()];
                for side in sides.into_iter().flatten() {
                    if side.get(name) != was {
                        prop_assert_eq!(result.get(name), side.get(name), "{}", name);
                    }
                }
            }
        }
    }
}
