//! Forms and documents, both ways; and what is shown of hostile ones.

use askama::Template as _;
use proptest::prelude::*;
use render_signal_actors::config::documents::{self, Key};
use render_signal_actors::config::policy::EnvDefaults;
use render_signal_actors::mail::detectors::DEFAULT_DOCUMENT;
use serde_json::{Map, Value, json};

use super::detector::{DetectorForm, Looks};
use super::list::List;
use super::one_detector;
use super::one_rule;
use super::overview::members;
use super::rule::{ConditionRow, FormErrors, RuleForm, faults};
use super::send::Foot;
use super::tree::TestGroup;
use super::words::Words;
use crate::http::pages::clock::PageClock;
use crate::http::pages::form::FormData;
use crate::http::pages::frame::Frame;
use crate::http::pages::parts::{FormField, Input};
use crate::lang::Lang;

const W: &Words = Words::of(Lang::Fr);

/// What a browser sends of these fields when nobody touches them.
fn sent(fields: &[&FormField], rows: &[ConditionRow]) -> FormData {
    let mut pairs = Vec::new();
    for field in fields {
        match &field.input {
            Input::Tick if field.value.is_empty() => {}
            Input::Select(choices) => {
                let chosen = choices.iter().find(|choice| choice.value == field.value);
                let chosen = chosen.or(choices.first()).expect("a choice");
                pairs.push((field.name.clone(), chosen.value.clone()));
            }
            // What HTML does to the line breaks of a line.
            Input::Line(_) => pairs.push((field.name.clone(), field.value.replace(['\n', '\r'], ""))),
            _ => pairs.push((field.name.clone(), field.value.clone())),
        }
    }
    for row in rows {
        pairs.push((format!("c{}-from", row.number), row.from.clone()));
    }
    FormData(pairs)
}

fn rule_sent(form: &RuleForm) -> FormData {
    let fields = form.fields(W, Lang::Fr, &FormErrors::default());
    let own = [
        &fields.name,
        &fields.enabled,
        &fields.url,
        &fields.stop,
        &fields.priority,
        &fields.ordering,
        &fields.share,
    ];
    let rows = fields.rows.iter().flat_map(|row| row.main.iter().chain(&row.more));
    sent(&own.into_iter().chain(rows).collect::<Vec<_>>(), &fields.rows)
}

fn detector_sent(form: &DetectorForm) -> FormData {
    let fields = form.fields(W, Lang::Fr, &FormErrors::default());
    let own = [
        &fields.name,
        &fields.id,
        &fields.value,
        &fields.enabled,
        &fields.mark_read,
        &fields.keywords,
        &fields.extract,
    ];
    let rows = fields.rows.iter().flat_map(|row| row.main.iter().chain(&row.more));
    let lists = fields.texts.iter().chain(&fields.explains).chain(&fields.outside);
    sent(&own.into_iter().chain(rows).chain(lists).collect::<Vec<_>>(), &fields.rows)
}

/// A form as it comes back, with some fields typed anew.
fn typed(mut form: FormData, changes: &[(&str, &str)]) -> FormData {
    for (name, value) in changes {
        let typed = ((*name).to_owned(), (*value).to_owned());
        match form.0.iter_mut().find(|(known, _)| known == name) {
            Some(field) => *field = typed,
            None => form.0.push(typed),
        }
    }
    form
}

fn rule() -> Value {
    json!({
        "id": "lot", "name": "Lot", "_note": {"by": "camille"},
        "conditions": [
            {"field": "Subject", "operator": "contains", "value": "lot", "_why": 1},
            {"field": "sender", "operator": "regex", "value": "^a@", "case_sensitive": "yes"},
        ],
        "actions": {"webhook_url": "https://hook.example.com/secret", "priority": " HIGH ", "stop_processing": 1}
    })
}

#[test]
fn a_field_that_is_typed_anew_is_the_only_one_that_changes() {
    let with = |pointer: &str, value: Value| {
        let mut rule = rule();
        *rule.pointer_mut(pointer).unwrap() = value;
        rule
    };
    let cases: [(&[(&str, &str)], Value); 7] = [
        (&[], rule()),
        (&[("name", " Lot 2 ")], with("/name", json!("Lot 2"))),
        (&[("c0-value", "colis")], with("/conditions/0/value", json!("colis"))),
        (&[("c1-operator", "equals")], with("/conditions/1/operator", json!("equals"))),
        (
            &[("url", "https://new.example.com/x")],
            with("/actions/webhook_url", json!("https://new.example.com/x")),
        ),
        (&[("priority", "normal")], with("/actions/priority", json!("normal"))),
        (&[("body", "none")], {
            let mut rule = rule();
            rule["actions"]["body"] = json!("none");
            rule
        }),
    ];
    for (changes, expected) in cases {
        let form = typed(rule_sent(&RuleForm::of(&rule())), changes);
        assert_eq!(RuleForm::read(&form).write(Some(&rule()), ""), expected, "{changes:?}");
    }
    let mut off = rule_sent(&RuleForm::of(&rule()));
    off.0.retain(|(name, _)| name != "enabled" && name != "stop");
    let written = RuleForm::read(&off).write(Some(&rule()), "");
    assert_eq!((&written["enabled"], &written["actions"]["stop_processing"]), (&json!(false), &json!(false)));
    // A row that is gone takes nothing of the others with it.
    let mut short = rule_sent(&RuleForm::of(&rule()));
    short.0.retain(|(name, _)| !name.starts_with("c0-"));
    let written = RuleForm::read(&short).write(Some(&rule()), "");
    assert_eq!(written["conditions"], json!([rule()["conditions"][1]]));
}

#[test]
fn a_new_rule_has_what_was_typed_and_nothing_that_says_nothing() {
    let form = typed(
        rule_sent(&RuleForm::new()),
        &[("name", "Colis"), ("c0-value", "colis"), ("url", "token"), ("stop", "on")],
    );
    assert_eq!(
        RuleForm::read(&form).write(None, "colis"),
        json!({"id": "colis", "name": "Colis",
               "conditions": [{"field": "subject", "operator": "contains", "value": "colis"}],
               "actions": {"webhook_url": "token", "priority": "normal", "stop_processing": true}})
    );
}

#[test]
fn everything_that_is_wrong_with_a_rule_is_said_at_its_field_at_once() {
    let bad = json!({"name": " ", "conditions": [
            {"field": "subject", "operator": "contains", "value": ""}, {"field": "to", "operator": "contains", "value": "x"},
            {"field": "body", "operator": "regex", "value": "("}, {"field": "body", "operator": "is", "value": "x"}],
        "actions": {"webhook_url": "http://plain.example.com/x", "priority": "low", "ordering": "date", "body": "half"}});
    let found = faults(&bad, &EnvDefaults::default());
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["name", "c0-value", "c1-field", "c2-value", "c3-operator", "url", "priority", "ordering", "body"]
    );
    assert!(found.iter().all(|(_, said)| said.french != said.english), "{found:?}");
    assert_eq!(faults(&json!({"enabled": false, "conditions": []}), &EnvDefaults::default()), []);
    assert_eq!(faults(&rule(), &EnvDefaults::default()), []);
}

fn detectors() -> Vec<Value> {
    let document: Value = serde_json::from_str(DEFAULT_DOCUMENT).unwrap();
    document["detectors"].as_array().unwrap().clone()
}

#[test]
fn a_detector_changes_where_it_is_typed_and_nowhere_else() {
    let [recadrage, desabo] = &detectors()[..] else { panic!("two") };
    for stored in [recadrage, desabo] {
        let form = detector_sent(&DetectorForm::of(stored));
        assert_eq!(DetectorForm::read(&form).write(Some(stored), Lang::Fr).unwrap(), *stored);
        let form = typed(
            form,
            &[("name", "X"), ("outside-urgent", "skip"), ("outside", "skip"), ("keywords", "a\n b ")],
        );
        let mut expected = stored.clone();
        expected["name"] = json!("X");
        expected["outside_window"] = json!("skip");
        expected["exclude_keywords"] = json!(["a", "b"]);
        assert_eq!(DetectorForm::read(&form).write(Some(stored), Lang::Fr).unwrap(), expected);
    }
    let form =
        typed(detector_sent(&DetectorForm::of(recadrage)), &[("conditions", "{\n!"), ("extract", "[")]);
    let wrong = DetectorForm::read(&form).write(Some(recadrage), Lang::En).unwrap_err();
    let names: Vec<&str> = wrong.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["conditions", "extract"]);
    assert!(wrong[0].1.contains("line 2"), "{wrong:?}");
}

#[test]
fn what_is_wrong_with_a_detector_is_said_at_its_field() {
    let stored = &detectors()[1];
    let judged = |changes: &[(&str, &str)]| {
        let form = DetectorForm::read(&typed(detector_sent(&DetectorForm::of(stored)), changes));
        let written = form.write(Some(stored), Lang::En).unwrap();
        let document = json!({"detectors": [written]});
        let problems = documents::problems(Key::Detectors, &document, &EnvDefaults::default());
        let problem = problems.into_iter().next().expect("something is wrong");
        form.field_of(problem.field.strip_prefix("detectors[0]").unwrap())
    };
    let rows = match DetectorForm::of(stored).looks {
        Looks::Rows(tests) => tests.rows,
        Looks::Text(..) => panic!("it fits"),
    };
    let urgent = rows.iter().position(|row| row.group == TestGroup::Urgent).unwrap();
    for (change, field) in [
        (("id", "é"), "id"),
        (("outside", "perhaps"), "outside"),
        (("outside-urgent", "perhaps"), "outside-urgent"),
        (("c0-values", " "), "c0-values"),
        (("c2-field", "nothing"), "c2-field"),
        (("c3-operator", "is"), "c3-operator"),
        (("extract", "5"), "extract"),
    ] {
        assert_eq!(judged(&[change]).0, field, "{change:?}");
    }
    let name = format!("c{urgent}-values");
    assert_eq!(judged(&[(&name, "")]).0, name);
    assert_eq!(judged(&[("extract", r#"{"values": {"x": {}}}"#)]).1, "extract.values.x.regex");
}

#[test]
fn a_new_detector_recognises_by_what_was_typed() {
    let form = typed(
        detector_sent(&DetectorForm::new()),
        &[("name", "Colis"), ("id", "colis"), ("c0-values", "colis")],
    );
    assert_eq!(
        DetectorForm::read(&form).write(None, Lang::Fr).unwrap(),
        json!({"id": "colis", "name": "Colis",
               "conditions": {"all": [{"field": "subject", "operator": "contains", "value": "colis"}]}})
    );
}

/// Anything that JSON can be, small.
fn anything() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[a-zé<>\"' \n\r:/*.@-]{0,12}",
        Just("https://hook.example.com/secret".to_owned()),
        Just("regex".to_owned()),
        Just("subject".to_owned()),
        Just("high".to_owned()),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9..9i64).prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec(("[a-z_]{1,8}", inner), 0..3)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// An object in which each of these names may have any value.
fn with_names(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop::collection::vec((prop::sample::select(names), anything()), 0..6).prop_map(|fields| {
        Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    })
}

fn any_rule() -> impl Strategy<Value = Value> {
    let condition = with_names(&["field", "operator", "value", "case_sensitive", "_note"]);
    let actions = with_names(&["webhook_url", "priority", "stop_processing", "ordering", "body", "else"]);
    (
        with_names(&["id", "name", "enabled", "conditions", "actions", "_note"]),
        prop::option::of(prop::collection::vec(prop_oneof![condition, anything()], 0..4)),
        prop::option::of(actions),
    )
        .prop_map(|(mut rule, conditions, actions)| {
            if let Some(conditions) = conditions {
                rule["conditions"] = conditions.into();
            }
            if let Some(actions) = actions {
                rule["actions"] = actions;
            }
            rule
        })
}

fn any_detector() -> impl Strategy<Value = Value> {
    let test = || with_names(&["field", "operator", "value", "form", "case_sensitive", "explain"]);
    let group = (prop::sample::select(&["all", "any", "none"][..]), prop::collection::vec(test(), 0..3))
        .prop_map(|(name, parts)| json!({ name: parts }));
    let conditions =
        prop::collection::vec(prop_oneof![test(), group], 0..4).prop_map(|parts| json!({ "all": parts }));
    (
        with_names(&[
            "id",
            "name",
            "enabled",
            "detector",
            "outside_window",
            "mark_skipped_read",
            "exclude_keywords",
            "extract",
        ]),
        prop::option::of(prop_oneof![conditions, anything()]),
        prop::option::of(prop_oneof![test(), anything()]),
    )
        .prop_map(|(mut detector, conditions, urgent)| {
            if let Some(conditions) = conditions {
                detector["conditions"] = conditions;
            }
            if let Some(urgent) = urgent {
                detector["urgent"] = urgent;
            }
            detector
        })
}

/// A form as a browser brings it back has no single carriage returns, and a line no line breaks.
fn fits_a_browser(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.contains(['\r', '\n']),
        Value::Array(members) => members.iter().all(fits_a_browser),
        Value::Object(fields) => fields.values().all(fits_a_browser),
        _ => true,
    }
}

proptest! {
    #[test]
    fn a_rule_that_is_sent_back_as_it_came_is_the_very_same(rule in any_rule()) {
        prop_assume!(fits_a_browser(&rule));
        let form = rule_sent(&RuleForm::of(&rule));
        prop_assert_eq!(RuleForm::read(&form).write(Some(&rule), "x"), rule);
    }

    #[test]
    fn a_detector_that_is_sent_back_as_it_came_is_the_very_same(detector in any_detector()) {
        prop_assume!(fits_a_browser(&detector));
        let form = detector_sent(&DetectorForm::of(&detector));
        prop_assert_eq!(DetectorForm::read(&form).write(Some(&detector), Lang::Fr).unwrap(), detector);
    }

    #[test]
    fn the_judge_of_rules_comes_to_an_end(rule in any_rule()) {
        let found = faults(&rule, &EnvDefaults::default());
        prop_assert!(found.len() < 20, "{:?}", found);
    }
}

const HOSTILE: &str = "\"><script>alert(1)</script>'&\u{202e}";

fn frame(lang: Lang) -> Frame {
    let clock =
        PageClock { now: "2026-11-30T10:00:00Z".parse().unwrap(), zone: chrono_tz::Europe::Paris, lang };
    Frame { user: Some(HOSTILE.to_owned()), here: "/regles".to_owned(), ..Frame::bare(clock, HOSTILE) }
}

fn foot(lang: Lang) -> Foot {
    let w = Words::of(lang);
    let days = FormField::new("days", w.days, Input::Select(Vec::new()), "7");
    Foot { seen: HOSTILE.to_owned(), days, faults: Vec::new(), refused: true, tried: true }
}

fn assert_harmless(page: &str) {
    assert!(!page.contains("<script>alert"), "{page}");
    assert!(page.contains("alert(1)"), "what is hostile is shown: {page}");
}

#[test]
fn nothing_that_somebody_wrote_is_markup() {
    let condition = json!({"field": HOSTILE, "operator": HOSTILE, "value": HOSTILE});
    let rule = json!({"id": HOSTILE, "name": HOSTILE, "conditions": [condition],
                      "actions": {"webhook_url": HOSTILE, "priority": HOSTILE, "ordering": HOSTILE, "body": HOSTILE}});
    let detector = json!({"id": HOSTILE, "name": HOSTILE, "detector": HOSTILE, "conditions": {"any": [condition], "explain": HOSTILE},
                          "exclude_keywords": [HOSTILE], "extract": HOSTILE, "outside_window": HOSTILE});
    for lang in [Lang::Fr, Lang::En] {
        let w = Words::of(lang);
        let wrong = FormErrors(vec![("name".into(), HOSTILE.into()), ("c0-value".into(), HOSTILE.into())]);
        let fields = RuleForm::of(&rule).fields(w, lang, &wrong);
        let page = one_rule::RuleFormPage {
            frame: frame(lang),
            w,
            foot: foot(lang),
            action: HOSTILE.to_owned(),
            fields,
        };
        assert_harmless(&page.render().unwrap());
        let fields = DetectorForm::of(&detector).fields(w, lang, &wrong);
        let page = one_detector::DetectorFormPage {
            frame: frame(lang),
            w,
            foot: foot(lang),
            action: HOSTILE.to_owned(),
            fields,
        };
        assert_harmless(&page.render().unwrap());
        for (list, member) in [(List::Rules, &rule), (List::Detectors, &detector)] {
            let document = Map::from_iter([(list.name().to_owned(), json!([member]))]);
            let problems =
                documents::problems(list.key(), &Value::Object(document.clone()), &EnvDefaults::default());
            assert!(!problems.is_empty());
            let view = super::overview::ListView {
                w,
                word: list.name(),
                members: members(list, &document, &problems, HOSTILE, lang),
                empty: crate::http::pages::parts::Empty { title: String::new(), text: String::new() },
                new_href: list.form(),
                new_text: w.new_rule,
                history: String::new(),
                reset: None,
                built_in: false,
            };
            let html = view.render().unwrap();
            assert_harmless(&html);
            assert!(html.contains(w.broken) && html.contains("class=\"field-error\""), "{html}");
        }
    }
}
