//! Lists of a document whose order counts: the routing rules and the detectors. What is done to a
//! list as a whole. Pure.

use render_signal_actors::config::documents::Key;
use render_signal_actors::config::documents::coerce::is_on;
use render_signal_actors::config::rules;
use serde_json::{Map, Value};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    /// Of `routing_rules`.
    Rules,
    /// Of `detectors`.
    Detectors,
}

/// What is done to a list. A member is known by its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// One place towards the beginning.
    Up(String),
    /// One place towards the end.
    Down(String),
    /// Off when it is on, and on when it is off.
    Switch(String),
    /// Once more, behind itself and switched off; its name says so.
    Duplicate(String),
    /// Out of the list.
    Delete(String),
    /// All of them in this order.
    Order(Vec<String>),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Acted {
    pub(super) document: Map<String, Value>,
    /// The member in question, as it was; of a whole order the first one.
    pub(super) name: String,
    /// Where it is now, from 1; 0 = nowhere.
    pub(super) place: usize,
    /// How many there are.
    pub(super) of: usize,
    /// Whether it is switched on now.
    pub(super) on: bool,
    /// Its id now: of a duplicate that of the new one.
    pub(super) id: String,
}

impl List {
    /// The document.
    pub(super) const fn key(self) -> Key {
        match self {
            Self::Rules => Key::RoutingRules,
            Self::Detectors => Key::Detectors,
        }
    }

    /// The list within it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Rules => "rules",
            Self::Detectors => "detectors",
        }
    }

    /// Where one of them is edited.
    pub(super) const fn form(self) -> &'static str {
        match self {
            Self::Rules => "/regles/regle",
            Self::Detectors => "/regles/detecteur",
        }
    }

    /// The list of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Rules, Self::Detectors].into_iter().find(|list| list.name() == name)
    }

    /// The members of a document.
    pub(super) fn members(self, document: &Map<String, Value>) -> &[Value] {
        document.get(self.name()).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// The ids of its members, in order: as written, or as they are made for those without one of their own.
    pub(super) fn ids(self, members: &[Value]) -> Vec<String> {
        match self {
            Self::Rules => rules::ids(members),
            Self::Detectors => {
                let mut taken: Vec<String> = Vec::with_capacity(members.len());
                for (place, member) in members.iter().enumerate() {
                    let written = member.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
                    let free = !written.is_empty() && !taken.contains(&written);
                    // Such a one disables itself; it can be mended or deleted all the same.
                    taken.push(if free { written } else { format!("#{}", place + 1) });
                }
                taken
            }
        }
    }

    /// The place of a member.
    pub(super) fn place(self, members: &[Value], id: &str) -> Option<usize> {
        self.ids(members).iter().position(|known| known == id)
    }

    /// The document with other members.
    pub(super) fn with(self, document: &Map<String, Value>, members: Vec<Value>) -> Map<String, Value> {
        let mut document = document.clone();
        document.insert(self.name().to_owned(), Value::Array(members));
        document
    }

    /// An id that none of the members has.
    pub(super) fn free_id(self, members: &[Value], wanted: &str) -> String {
        let (ids, wanted) = (self.ids(members), plain(wanted));
        let taken = |id: &str| id == "default" || ids.iter().any(|known| known == id);
        let base = match (wanted.as_str(), self) {
            ("", Self::Rules) => "regle",
            ("", Self::Detectors) => "detecteur",
            (wanted, _) => wanted,
        };
        let numbered = (2..=members.len() + 3).map(|number| format!("{base}-{number}"));
        let mut names = std::iter::once(base.to_owned()).chain(numbered);
        names.find(|id| !taken(id)).unwrap_or_else(|| base.to_owned())
    }

    /// Does something to the list; `copy` is what a duplicate has behind its name. `None` = there
    /// is no such member, or nowhere to move it.
    pub(super) fn act(self, document: &Map<String, Value>, act: &Act, copy: &str) -> Option<Acted> {
        let ids = self.ids(self.members(document));
        let mut members = self.pinned(document);
        let (id, mut on) = match act {
            Act::Order(order) => {
                let mut sorted = (order.clone(), ids.clone());
                sorted.0.sort_unstable();
                sorted.1.sort_unstable();
                // Somebody has added or deleted one meanwhile.
                if sorted.0 != sorted.1 {
                    return None;
                }
                members = order
                    .iter()
                    .filter_map(|id| members.get(ids.iter().position(|known| known == id)?).cloned())
                    .collect();
                (order.first()?.clone(), true)
            }
            Act::Up(id) | Act::Down(id) | Act::Switch(id) | Act::Duplicate(id) | Act::Delete(id) => {
                let place = ids.iter().position(|known| known == id)?;
                (id.clone(), is_enabled(members.get(place)?))
            }
        };
        let place = ids.iter().position(|known| *known == id)?;
        let name = name_of(self.members(document).get(place)?, &id);
        let mut acted_id = id.clone();
        let mut now = place + 1;
        match act {
            Act::Up(_) => {
                members.swap(place.checked_sub(1)?, place);
                now = place;
            }
            Act::Down(_) if place + 1 < members.len() => {
                members.swap(place, place + 1);
                now = place + 2;
            }
            Act::Down(_) => return None,
            Act::Switch(_) => {
                on = !on;
                let member = members.get_mut(place)?.as_object_mut()?;
                match on {
                    // Absent is on, and what a program before this one reads.
                    true => drop(member.shift_remove("enabled")),
                    false => drop(member.insert("enabled".to_owned(), Value::Bool(false))),
                }
            }
            Act::Duplicate(_) => {
                let mut member = members.get(place)?.as_object()?.clone();
                acted_id = self.free_id(&members, &id);
                member.insert("id".to_owned(), Value::String(acted_id.clone()));
                member.insert("name".to_owned(), Value::String(format!("{name} ({copy})")));
                member.insert("enabled".to_owned(), Value::Bool(false));
                members.insert(place + 1, Value::Object(member));
                (now, on) = (place + 2, false);
            }
            Act::Delete(_) => {
                members.remove(place);
                now = 0;
            }
            Act::Order(_) => now = 1,
        }
        let of = members.len();
        Some(Acted { document: self.with(document, members), name, place: now, of, on, id: acted_id })
    }

    /// The members, each rule with the id that it has had until now: without one of its own it
    /// would get that of its new place, and a delivery that waits would go to another target.
    fn pinned(self, document: &Map<String, Value>) -> Vec<Value> {
        let members = self.members(document);
        let pin = |(member, id): (&Value, String)| {
            let mut member = member.clone();
            if let (Self::Rules, Value::Object(fields)) = (self, &mut member)
                && fields.get("id").and_then(Value::as_str).map(str::trim) != Some(id.as_str())
            {
                fields.insert("id".to_owned(), Value::String(id));
            }
            member
        };
        members.iter().zip(self.ids(members)).map(pin).collect()
    }
}

/// Whether a member is switched on.
pub(super) fn is_enabled(member: &Value) -> bool {
    is_on(member.get("enabled"), true)
}

/// What people call a member.
pub(super) fn name_of(member: &Value, id: &str) -> String {
    let name = member.get("name").and_then(Value::as_str).map(str::trim).unwrap_or_default();
    if name.is_empty() { id.to_owned() } else { name.to_owned() }
}

/// A text as an id: ASCII letters, digits, `.`, `_` and `-`, at most 48.
fn plain(text: &str) -> String {
    let mut id = String::new();
    for sign in render_signal_actors::mail::identity::normalize(text).chars() {
        match sign {
            'a'..='z' | '0'..='9' | '.' | '_' => id.push(sign),
            _ if !id.is_empty() && !id.ends_with('-') => id.push('-'),
            _ => {}
        }
    }
    let cut: String = id.chars().take(48).collect();
    cut.trim_matches(|sign| "-._".contains(sign)).to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(list: List, members: Value) -> Map<String, Value> {
        Map::from_iter([(list.name().to_owned(), members), ("_note".to_owned(), json!("kept"))])
    }

    fn ids(list: List, acted: &Acted) -> Vec<String> {
        list.ids(list.members(&acted.document))
    }

    #[test]
    fn members_move_and_keep_the_ids_that_they_had_without_one() {
        let list = List::Rules;
        let before = document(list, json!([{"name": "one"}, {"id": "b"}, {"name": "three"}]));
        let up = list.act(&before, &Act::Up("rule-3".into()), "").unwrap();
        assert_eq!(
            (ids(list, &up), up.place, up.of),
            (vec!["rule-1".into(), "rule-3".into(), "b".into()], 2, 3)
        );
        assert_eq!(up.name, "three");
        assert_eq!(up.document["_note"], "kept");
        let down = list.act(&before, &Act::Down("rule-1".into()), "").unwrap();
        assert_eq!((ids(list, &down), down.place), (vec!["b".into(), "rule-1".into(), "rule-3".into()], 2));
        let order = Act::Order(["rule-3", "rule-1", "b"].map(str::to_owned).to_vec());
        assert_eq!(ids(list, &list.act(&before, &order, "").unwrap()), ["rule-3", "rule-1", "b"]);
        let gone = list.act(&before, &Act::Delete("rule-1".into()), "").unwrap();
        assert_eq!((ids(list, &gone), gone.place, gone.of), (vec!["b".into(), "rule-3".into()], 0, 2));
        for nowhere in [
            Act::Up("rule-1".into()),
            Act::Down("rule-3".into()),
            Act::Delete("x".into()),
            Act::Order(vec!["b".into(), "rule-1".into()]),
            Act::Order(["b", "b", "rule-1"].map(str::to_owned).to_vec()),
        ] {
            assert_eq!(list.act(&before, &nowhere, ""), None, "{nowhere:?}");
        }
    }

    #[test]
    fn a_switch_goes_both_ways_and_leaves_nothing_behind() {
        for list in [List::Rules, List::Detectors] {
            let before = document(list, json!([{"id": "a", "x": 1}]));
            let off = list.act(&before, &Act::Switch("a".into()), "").unwrap();
            assert!(!off.on && !is_enabled(&list.members(&off.document)[0]));
            let on = list.act(&off.document, &Act::Switch("a".into()), "").unwrap();
            assert!(on.on);
            assert_eq!(on.document, before);
        }
    }

    #[test]
    fn a_duplicate_is_behind_its_original_and_off() {
        let list = List::Detectors;
        let before = document(list, json!([{"id": "lot", "name": "Lot"}, {"id": "lot-2"}]));
        let copied = list.act(&before, &Act::Duplicate("lot".into()), "copie").unwrap();
        assert_eq!(ids(list, &copied), ["lot", "lot-3", "lot-2"]);
        assert_eq!((copied.place, copied.id.as_str(), copied.on), (2, "lot-3", false));
        assert_eq!(
            list.members(&copied.document)[1],
            json!({"id": "lot-3", "name": "Lot (copie)", "enabled": false})
        );
    }

    #[test]
    fn ids_are_made_of_names() {
        let list = List::Rules;
        for (name, id) in [
            ("Lot n° 3 – Été", "lot-n-3-ete"),
            ("  ", "regle"),
            ("default", "default-2"),
            ("a", "a-2"),
            ("<script>", "script"),
        ] {
            assert_eq!(list.free_id(&[json!({"id": "a"})], name), id, "{name}");
        }
        assert_eq!(
            List::Detectors.ids(&[json!({"id": "a"}), json!({"id": "a"}), json!(1)]),
            ["a", "#2", "#3"]
        );
    }
}
