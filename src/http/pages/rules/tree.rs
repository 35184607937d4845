//! The conditions of a detector as rows of a form, where they fit into rows. Pure.
//!
//! What fits: tests that all have to hold, beside at most one group of which one has to hold, and one
//! of which none may. All else is edited as JSON, and nothing of it is lost.

use serde_json::{Map, Value, json};

/// What a row is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TestGroup {
    /// It has to hold.
    All,
    /// One of these has to hold.
    Any,
    /// It must not hold.
    None,
    /// When one of these holds, the mail is urgent.
    Urgent,
}

impl TestGroup {
    /// Every one, in the order in which they are written.
    pub(super) const ALL: [Self; 4] = [Self::All, Self::Any, Self::None, Self::Urgent];

    /// Its word in a form.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Any => "any",
            Self::None => "none",
            Self::Urgent => "urgent",
        }
    }

    /// The group of this word.
    pub(super) fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.word() == word)
    }
}

/// A test as a form has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TestInput {
    pub(super) group: TestGroup,
    /// What is looked at.
    pub(super) field: String,
    /// How it is compared.
    pub(super) operator: String,
    /// With what, one to a line: one of them has to fit.
    pub(super) values: String,
    /// `normalised`, `seen`, or `case`: as it is, and capitals count.
    pub(super) form: String,
    /// The words when it does not hold.
    pub(super) explain: String,
}

/// All tests of a detector.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tests {
    /// In the order of the groups.
    pub(super) rows: Vec<TestInput>,
    /// The words when none of [`TestGroup::Any`] holds.
    pub(super) explain_any: String,
    /// The words when one of [`TestGroup::None`] holds.
    pub(super) explain_none: String,
}

impl Tests {
    /// Of what is stored; `None` = it does not fit.
    pub(super) fn of(conditions: &Value, urgent: Option<&Value>) -> Option<Self> {
        let mut tests = Self::default();
        match group(conditions)? {
            Some(("all", parts, "")) => {
                let (mut any, mut none) = (false, false);
                for part in parts {
                    match group(part)? {
                        // The order of the rows is that of the groups, so that nothing moves.
                        None if !any && !none => tests.rows.push(test(part, TestGroup::All)?),
                        Some(("any", parts, explain)) if !any && !none => {
                            any = true;
                            tests.add(parts, TestGroup::Any)?;
                            explain.clone_into(&mut tests.explain_any);
                        }
                        Some(("none", parts, explain)) if !none => {
                            none = true;
                            tests.add(parts, TestGroup::None)?;
                            explain.clone_into(&mut tests.explain_none);
                        }
                        _ => return None,
                    }
                }
            }
            Some(("any", parts, explain)) => {
                tests.add(parts, TestGroup::Any)?;
                explain.clone_into(&mut tests.explain_any);
            }
            Some(("none", parts, explain)) => {
                tests.add(parts, TestGroup::None)?;
                explain.clone_into(&mut tests.explain_none);
            }
            Some(_) => return None,
            None => tests.rows.push(test(conditions, TestGroup::All)?),
        }
        if let Some(urgent) = urgent {
            match group(urgent)? {
                Some(("any", parts, "")) => tests.add(parts, TestGroup::Urgent)?,
                None => tests.rows.push(test(urgent, TestGroup::Urgent)?),
                Some(_) => return None,
            }
        }
        Some(tests)
    }

    fn add(&mut self, parts: &[Value], of: TestGroup) -> Option<()> {
        for part in parts {
            self.rows.push(test(part, of)?);
        }
        Some(())
    }

    /// The tests of a group with the numbers of their rows.
    fn those(&self, group: TestGroup) -> Vec<(usize, &TestInput)> {
        self.rows.iter().enumerate().filter(|(_, row)| row.group == group).collect()
    }

    /// `conditions` and `urgent` of a detector, and where in it each row has come to stand.
    pub(super) fn write(&self) -> (Value, Option<Value>, Vec<(usize, String)>) {
        let mut places = Vec::with_capacity(self.rows.len());
        let mut list = |tests: Vec<(usize, &TestInput)>, at: &str| -> Value {
            let make = |(place, (row, test)): (usize, (usize, &TestInput))| {
                places.push((row, format!("{at}[{place}]")));
                test.write()
            };
            tests.into_iter().enumerate().map(make).collect()
        };
        let (all, any, none) =
            (self.those(TestGroup::All), self.those(TestGroup::Any), self.those(TestGroup::None));
        let explained = |name: &str, parts: Value, explain: &str| {
            let mut group = Map::from_iter([(name.to_owned(), parts)]);
            if !explain.trim().is_empty() {
                group.insert("explain".to_owned(), explain.trim().into());
            }
            Value::Object(group)
        };
        let conditions = match (all.is_empty(), any.is_empty(), none.is_empty()) {
            (true, false, true) => explained("any", list(any, ".conditions.any"), &self.explain_any),
            (true, true, false) => explained("none", list(none, ".conditions.none"), &self.explain_none),
            _ => {
                let mut next = all.len();
                let mut parts = list(all, ".conditions.all").as_array().cloned().unwrap_or_default();
                for (name, tests, explain) in
                    [("any", any, &self.explain_any), ("none", none, &self.explain_none)]
                {
                    if !tests.is_empty() {
                        let at = format!(".conditions.all[{next}].{name}");
                        parts.push(explained(name, list(tests, &at), explain));
                        next += 1;
                    }
                }
                json!({ "all": parts })
            }
        };
        let urgent = match self.those(TestGroup::Urgent).as_slice() {
            [] => None,
            [(row, test)] => {
                places.push((*row, ".urgent".to_owned()));
                Some(test.write())
            }
            several => {
                let tests = several.iter().enumerate().map(|(place, (row, test))| {
                    places.push((*row, format!(".urgent.any[{place}]")));
                    test.write()
                });
                Some(json!({ "any": tests.collect::<Vec<_>>() }))
            }
        };
        (conditions, urgent, places)
    }
}

impl TestInput {
    fn write(&self) -> Value {
        let mut test = Map::new();
        test.insert("field".to_owned(), self.field.as_str().into());
        test.insert("operator".to_owned(), self.operator.as_str().into());
        if self.operator != "present" {
            let lines: Vec<&str> = self.values.lines().filter(|line| !line.trim().is_empty()).collect();
            let value = match lines.as_slice() {
                [] => Value::from(""),
                [one] => Value::from(*one),
                several => json!(several),
            };
            test.insert("value".to_owned(), value);
        }
        let of_links = self.field == "links";
        if self.operator != "present" && self.form != "normalised" && !of_links {
            test.insert("form".to_owned(), "seen".into());
        }
        if self.operator != "present" && self.form == "case" {
            test.insert("case_sensitive".to_owned(), true.into());
        }
        if !self.explain.trim().is_empty() {
            test.insert("explain".to_owned(), self.explain.trim().into());
        }
        Value::Object(test)
    }
}

/// A group with its parts and its words; `Some(None)` = it is none; `None` = it does not fit.
#[expect(clippy::option_option, reason = "that it is no group, and that it does not fit, are two things")]
fn group(stored: &Value) -> Option<Option<(&'static str, &[Value], &str)>> {
    let fields = stored.as_object()?;
    let Some(name) = ["all", "any", "none"].into_iter().find(|name| fields.contains_key(*name)) else {
        return Some(None);
    };
    if fields.keys().any(|key| key != name && key != "explain") {
        return None;
    }
    let explain = match fields.get("explain") {
        None => "",
        Some(text) => one_line(text)?,
    };
    let parts = fields.get(name)?.as_array().filter(|parts| !parts.is_empty())?;
    Some(Some((name, parts, explain)))
}

/// A test; `None` = it does not fit.
fn test(stored: &Value, group: TestGroup) -> Option<TestInput> {
    const KNOWN: [&str; 6] = ["field", "operator", "value", "form", "case_sensitive", "explain"];
    let fields = stored.as_object()?;
    if fields.keys().any(|key| !KNOWN.contains(&key.as_str())) {
        return None;
    }
    let text = |name: &str| match fields.get(name) {
        None => Some(""),
        Some(text) => one_line(text),
    };
    let values = match fields.get("value") {
        None => String::new(),
        Some(Value::Array(list)) => {
            let lines: Vec<&str> = list.iter().map(one_line).collect::<Option<_>>()?;
            lines.join("\n")
        }
        Some(one) => one_line(one)?.to_owned(),
    };
    let case = match fields.get("case_sensitive") {
        None => false,
        Some(case) => case.as_bool()?,
    };
    let form = match (text("form")?, text("field")?, case) {
        ("seen", _, true) | ("", "links", true) => "case",
        ("seen", _, false) | ("", "links", false) => "seen",
        ("" | "normalised", field, false) if field != "links" => "normalised",
        _ => return None,
    };
    Some(TestInput {
        group,
        field: text("field")?.to_owned(),
        operator: text("operator")?.to_owned(),
        values,
        form: form.to_owned(),
        explain: text("explain")?.to_owned(),
    })
}

/// A text that a line of a form can hold.
fn one_line(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.trim().is_empty() && !text.contains(['\n', '\r']))
}

#[cfg(test)]
mod tests {
    use render_signal_actors::mail::detectors::{DEFAULT_DOCUMENT, detector};

    use super::*;

    #[test]
    fn what_fits_is_written_as_it_means() {
        for (conditions, urgent, rows) in [
            (json!({"field": "links", "operator": "present"}), None, 1),
            (json!({"all": [{"field": "subject", "operator": "contains", "value": ["a", "b"]}]}), None, 1),
            (
                json!({"any": [{"field": "body", "operator": "word", "value": "x"}], "explain": "no x"}),
                None,
                1,
            ),
            (
                json!({"all": [
                    {"field": "body", "operator": "regex", "value": "x", "form": "seen", "case_sensitive": true},
                    {"any": [{"field": "links", "operator": "host", "value": "*.x.fr"}], "explain": "none"},
                    {"none": [{"field": "sender", "operator": "equals", "value": "a@b.fr", "form": "seen"}]},
                ]}),
                Some(json!({"any": [{"field": "subject", "operator": "word", "value": "urgent"},
                                    {"field": "body", "operator": "word", "value": "urgent"}]})),
                5,
            ),
        ] {
            let tests = Tests::of(&conditions, urgent.as_ref()).unwrap();
            assert_eq!(tests.rows.len(), rows);
            let (written, written_urgent, places) = tests.write();
            let again = Tests::of(&written, written_urgent.as_ref()).unwrap();
            assert_eq!(again, tests, "{written}");
            assert_eq!(places.len(), rows);
            let whole = json!({"x": 1, "conditions": written, "urgent": written_urgent});
            for (row, place) in places {
                let pointer = place.replace('[', "/").replace(']', "").replace('.', "/");
                let found = whole.pointer(&pointer).unwrap_or_else(|| panic!("{place} in {whole}"));
                assert_eq!(*found, tests.rows[row].write());
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_left_to_json() {
        let test = json!({"field": "body", "operator": "contains", "value": "x"});
        for conditions in [
            json!({"all": [{"all": [test]}]}),
            json!({"all": [{"any": [test]}, test]}),
            json!({"all": [{"any": [test]}, {"any": [test]}]}),
            json!({"all": [test], "explain": "words"}),
            json!({"all": [test], "_note": 1}),
            json!({"all": []}),
            json!({"all": [{"field": "body", "operator": "contains", "value": "x\ny"}]}),
            json!({"all": [{"field": "body", "operator": "contains", "value": 1}]}),
            json!({"all": [{"field": "body", "operator": "contains", "value": "x", "_note": ""}]}),
            json!({"any": [{"any": [test]}]}),
            json!(1),
        ] {
            assert_eq!(Tests::of(&conditions, None), None, "{conditions}");
        }
    }

    #[test]
    fn the_built_in_detectors_are_shown_in_rows_or_as_json_and_mean_the_same() {
        let document: Value = serde_json::from_str(DEFAULT_DOCUMENT).unwrap();
        let fit = document["detectors"].as_array().unwrap().iter().filter_map(|stored| {
            let tests = Tests::of(&stored["conditions"], stored.get("urgent"))?;
            let (conditions, urgent, _) = tests.write();
            let mut written = stored.clone();
            written["conditions"] = conditions;
            written["urgent"] = urgent.unwrap_or_default();
            let shape = |stored: &Value| format!("{:?}", detector(stored).unwrap());
            assert_eq!(shape(&written), shape(stored));
            Some(stored["id"].as_str().unwrap())
        });
        assert_eq!(fit.collect::<Vec<_>>(), ["desabo"]);
    }
}
