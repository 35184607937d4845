//! The fields of a detector as the form shows them.

use super::super::rule::{ConditionRow, FormErrors, choices, on_off};
use super::super::tree::TestInput;
use super::super::words::Words;
use super::{DetectorForm, Looks, ends};
use crate::http::pages::parts::{FormField, Input};
use crate::lang::Lang;

/// The rows of a detector's form.
#[derive(Debug)]
pub(in crate::http::pages::rules) struct DetectorFields {
    pub(in crate::http::pages::rules) name: FormField,
    pub(in crate::http::pages::rules) id: FormField,
    pub(in crate::http::pages::rules) value: FormField,
    pub(in crate::http::pages::rules) enabled: FormField,
    pub(in crate::http::pages::rules) rows: Vec<ConditionRow>,
    pub(in crate::http::pages::rules) texts: Vec<FormField>,
    pub(in crate::http::pages::rules) explains: Vec<FormField>,
    pub(in crate::http::pages::rules) outside: Vec<FormField>,
    pub(in crate::http::pages::rules) mark_read: FormField,
    pub(in crate::http::pages::rules) keywords: FormField,
    pub(in crate::http::pages::rules) extract: FormField,
}

fn fields(row: &TestInput, number: usize, w: &Words, lang: Lang, wrong: &FormErrors) -> ConditionRow {
    let name = |name: &str| format!("c{number}-{name}");
    let field = |short: &str, label: &str, input, value: &str| {
        FormField::new(name(short), label, input, value).error(wrong.at(&name(short)))
    };
    let select = |short: &str, label: &str, known: &[(&str, &str)], value: &str| {
        field(short, label, Input::Select(choices(known, value, w)), value)
    };
    let groups =
        [("all", w.group_all), ("any", w.group_any), ("none", w.group_none), ("urgent", w.group_urgent)];
    let looked = [("subject", w.subject), ("body", w.body), ("sender", w.sender), ("links", w.links)];
    let operators = [
        ("contains", w.contains),
        ("word", w.word),
        ("starts_with", w.starts_with),
        ("equals", w.equals),
        ("regex", w.regex),
        ("present", w.present),
        ("provider", w.provider),
        ("host", w.host),
    ];
    let forms = [("normalised", w.form_normalised), ("seen", w.form_seen), ("case", w.form_case)];
    let height = u8::try_from(row.values.lines().count().clamp(1, 8)).unwrap_or(8);
    ConditionRow {
        number,
        title: w.condition_number(lang, number + 1),
        remove: w.remove_condition(lang, number + 1),
        from: String::new(),
        main: vec![
            select("group", w.group, &groups, row.group.word()),
            select("field", w.looks_at, &looked, &row.field),
            select("operator", w.compares, &operators, &row.operator),
            field("values", w.values, Input::Lines(height), &row.values),
        ],
        more: vec![
            select("form", w.form, &forms, &row.form),
            field("explain", w.explain, Input::Line("text"), &row.explain).hint(w.explain_hint),
        ],
        open: !wrong.at(&name("form")).is_empty() || !wrong.at(&name("explain")).is_empty(),
    }
}

impl DetectorForm {
    /// The field of the form in which a path of the detector is entered, and the rest of the path,
    /// where the field holds more than that.
    pub(in crate::http::pages::rules) fn field_of(&self, path: &str) -> (String, String) {
        if let Looks::Rows(tests) = &self.looks {
            let (_, _, places) = tests.write();
            let row = places.iter().find(|(_, place)| path.strip_prefix(place.as_str()).is_some_and(ends));
            if let Some((row, place)) = row {
                let name = match path.get(place.len()..).unwrap_or_default().split(['.', '[']).nth(1) {
                    Some("field") => "field",
                    Some("operator") => "operator",
                    Some("form" | "case_sensitive") => "form",
                    Some("explain") => "explain",
                    _ => "values",
                };
                return (format!("c{row}-{name}"), String::new());
            }
        }
        let rest = path.trim_start_matches('.').to_owned();
        let field = match path.split(['.', '[']).nth(1).unwrap_or_default() {
            "id" => "id",
            "name" => "name",
            "detector" => "detector",
            "enabled" => "enabled",
            "mark_skipped_read" => "mark-read",
            "outside_window" if path.ends_with(".urgent") => "outside-urgent",
            "outside_window" => "outside",
            "exclude_keywords" => "keywords",
            "extract" => return ("extract".to_owned(), rest),
            "conditions" | "urgent" if matches!(self.looks, Looks::Rows(_)) => "c0-values",
            "conditions" => return ("conditions".to_owned(), rest),
            "urgent" => return ("urgent".to_owned(), rest),
            _ => return (String::new(), rest),
        };
        (field.to_owned(), String::new())
    }

    /// Its rows, with what is wrong.
    pub(in crate::http::pages::rules) fn fields(
        &self,
        w: &Words,
        lang: Lang,
        wrong: &FormErrors,
    ) -> DetectorFields {
        let field = |name: &str, label: &str, input, value: &str| {
            FormField::new(name, label, input, value).error(wrong.at(name))
        };
        let outside = [("hold", w.outside_hold), ("send", w.outside_send), ("skip", w.outside_skip)];
        let select = |name: &str, label: &str, value: &str| {
            field(name, label, Input::Select(choices(&outside, value, w)), value)
        };
        let json = |name: &str, label: &str, rows, value: &str| field(name, label, Input::Lines(rows), value);
        let (rows, texts, explains) = match &self.looks {
            Looks::Text(conditions, urgent) => (
                Vec::new(),
                vec![
                    json("conditions", w.conditions_json, 16, conditions).hint(w.conditions_json_hint),
                    json("urgent", w.urgent_json, 4, urgent).hint(w.urgent_json_hint),
                ],
                Vec::new(),
            ),
            Looks::Rows(tests) => {
                let rows = tests.rows.iter().enumerate();
                let explain = |name: &str, label: &str, value: &str| {
                    field(name, label, Input::Line("text"), value).hint(w.explain_hint)
                };
                (
                    rows.map(|(number, row)| fields(row, number, w, lang, wrong)).collect(),
                    Vec::new(),
                    vec![
                        explain("explain-any", w.explain_any, &tests.explain_any),
                        explain("explain-none", w.explain_none, &tests.explain_none),
                    ],
                )
            }
        };
        DetectorFields {
            name: field("name", w.name, Input::Line("text"), &self.name).hint(w.detector_name_hint),
            id: field("id", w.id, Input::Line("text"), &self.id).hint(w.id_hint),
            value: field("detector", w.detector_value, Input::Line("text"), &self.value)
                .hint(w.detector_value_hint)
                .placeholder(self.id.as_str()),
            enabled: field("enabled", w.enabled, Input::Tick, on_off(self.enabled))
                .hint(w.detector_enabled_hint),
            rows,
            texts,
            explains,
            outside: vec![
                select("outside-urgent", w.outside_urgent, &self.outside_urgent),
                select("outside", w.outside, &self.outside),
            ],
            mark_read: field("mark-read", w.mark_read, Input::Tick, on_off(self.mark_read))
                .hint(w.mark_read_hint),
            keywords: field("keywords", w.keywords, Input::Lines(3), &self.keywords)
                .hint(w.detector_keywords_hint),
            extract: json("extract", w.extract, 10, &self.extract).hint(w.extract_hint),
        }
    }
}
