//! The conditions of a detector, from JSON.

use serde_json::Value;

use crate::kernel::said::said;
use crate::mail::conditions::{Condition, Logic, MailField, Operator, Predicate, TextForm};
use crate::mail::detectors::explanation::explanation;
use crate::mail::detectors::object::{Object, TEXT, pattern};
use crate::mail::flaw::{Checked, flaw};
use crate::mail::identity::normalize;
use crate::mail::pattern::Pattern;

/// Conditions of one detector, groups included.
const CONDITIONS: usize = 200;
/// Groups within groups.
const DEPTH: usize = 8;

/// Reads conditions, and counts how many more a detector may have.
pub(super) struct ConditionReader {
    left: usize,
}

impl Default for ConditionReader {
    fn default() -> Self {
        Self { left: CONDITIONS }
    }
}

impl ConditionReader {
    pub(super) fn read(&mut self, value: &Value, at: &str, depth: usize) -> Checked<Condition> {
        const GROUPS: [&str; 3] = ["all", "any", "none"];
        self.left = match self.left.checked_sub(1) {
            Some(left) => left,
            None => {
                return flaw(
                    at,
                    said!(
                        "au plus {CONDITIONS} conditions par détecteur.",
                        "at most {CONDITIONS} conditions per detector."
                    ),
                );
            }
        };
        let group = value.as_object().and_then(|map| GROUPS.into_iter().find(|name| map.contains_key(*name)));
        let Some(name) = group else { return test(value, at) };
        let object = Object::of(value, at, &[name, "explain"])?;
        let list = object.list(name)?;
        let at = object.at(name);
        if list.is_empty() {
            return flaw(
                at,
                said!("au moins une condition est requise.", "at least one condition is required."),
            );
        }
        if depth == DEPTH {
            return flaw(
                at,
                said!(
                    "au plus {DEPTH} groupes l'un dans l'autre.",
                    "at most {DEPTH} groups within one another."
                ),
            );
        }
        let parts = list
            .iter()
            .enumerate()
            .map(|(index, part)| self.read(part, &format!("{at}[{index}]"), depth + 1))
            .collect::<Checked<Vec<_>>>()?;
        let logic = match name {
            "all" => Logic::All(parts),
            "any" => Logic::Any(parts),
            _ => Logic::None(parts),
        };
        Ok(Condition { logic, explain: object.text("explain")?.map(explanation) })
    }
}

const FIELDS: [(&str, MailField); 4] = [
    ("sender", MailField::Sender),
    ("subject", MailField::Subject),
    ("body", MailField::Body),
    ("links", MailField::Links),
];
const FORMS: [(&str, TextForm); 2] = [("normalised", TextForm::Normalised), ("seen", TextForm::Seen)];

fn test(value: &Value, at: &str) -> Checked<Condition> {
    const KNOWN: [&str; 6] = ["field", "operator", "value", "form", "case_sensitive", "explain"];
    const OPERATORS: [(&str, Operator); 8] = [
        ("present", Operator::Present),
        ("contains", Operator::Contains),
        ("equals", Operator::Equals),
        ("starts_with", Operator::StartsWith),
        ("word", Operator::Word),
        ("regex", Operator::Regex),
        ("provider", Operator::Provider),
        ("host", Operator::Host),
    ];
    let object = Object::of(value, at, &KNOWN)?;
    let field = object.word("field", &FIELDS, None)?;
    let operator = object.word("operator", &OPERATORS, None)?;
    let of_links = matches!(operator, Operator::Provider | Operator::Host);
    if of_links && field != MailField::Links {
        return flaw(
            object.at("operator"),
            said!("cet opérateur ne vaut que pour links.", "this operator is for links only."),
        );
    }
    let (form, case_sensitive) = form(&object, field, TextForm::Normalised)?;
    let mut predicate = Predicate { field, operator, form, values: Vec::new(), patterns: Vec::new() };
    let explain = object.text("explain")?.map(explanation);
    if operator == Operator::Present {
        // Emptiness is the same in every form, and this one costs nothing.
        predicate.form = TextForm::Seen;
        if object.get("value").is_some() {
            return flaw(object.at("value"), said!("present n'a pas de valeur.", "present has no value."));
        }
    } else {
        let written = values(&object)?;
        for (at, value) in &written {
            read_value(&mut predicate, value, case_sensitive, at)?;
        }
    }
    Ok(Condition { logic: Logic::Test(predicate), explain })
}

/// The values with their places: one text or a list of texts.
fn values(object: &Object<'_>) -> Checked<Vec<(String, String)>> {
    let at = object.at("value");
    let list = match object.get("value") {
        Some(Value::Array(_)) => object.list("value")?,
        Some(one) => return Ok(vec![(at.clone(), any_text(one, &at)?)]),
        None => return flaw(at, said!("value est requis.", "value is required.")),
    };
    if list.is_empty() {
        return flaw(at, said!("au moins une valeur est requise.", "at least one value is required."));
    }
    list.iter()
        .enumerate()
        .map(|(index, value)| {
            let at = format!("{at}[{index}]");
            any_text(value, &at).map(|text| (at, text))
        })
        .collect()
}

/// A text whose length is checked by whoever uses it.
pub(super) fn any_text(value: &Value, at: &str) -> Checked<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Ok(text.clone()),
        _ => flaw(at, said!("un texte non vide est attendu.", "a text that is not empty is expected.")),
    }
}

/// The form and whether case counts. Links are always compared as they are written.
pub(super) fn form(object: &Object<'_>, field: MailField, absent: TextForm) -> Checked<(TextForm, bool)> {
    let absent = if field == MailField::Links { TextForm::Seen } else { absent };
    let form = object.word("form", &FORMS, Some(absent))?;
    if field == MailField::Links && form == TextForm::Normalised {
        return flaw(
            object.at("form"),
            said!(
                "une adresse n'est comparée que telle quelle (seen).",
                "an address is compared as it is only (seen)."
            ),
        );
    }
    let case_sensitive = object.switch("case_sensitive", false)?;
    if case_sensitive && form == TextForm::Normalised {
        return flaw(
            object.at("case_sensitive"),
            said!(
                "la forme normalised n'a pas de majuscules\u{a0}: form: seen.",
                "the form normalised has no capitals: form: seen."
            ),
        );
    }
    Ok((form, case_sensitive))
}

fn read_value(predicate: &mut Predicate, written: &str, case_sensitive: bool, at: &str) -> Checked<()> {
    if predicate.operator == Operator::Regex {
        predicate.patterns.push(expression(written, predicate.form, case_sensitive, at)?);
        predicate.values.push(written.to_owned());
        return Ok(());
    }
    if written.chars().count() > TEXT {
        return flaw(at, said!("au plus {TEXT} caractères.", "at most {TEXT} characters."));
    }
    let value = match (predicate.form, case_sensitive) {
        (TextForm::Normalised, _) => normalize(written),
        (_, true) => written.to_owned(),
        (_, false) => written.to_lowercase(),
    };
    if value.is_empty() {
        return flaw(at, said!("un texte non vide est attendu.", "a text that is not empty is expected."));
    }
    match predicate.operator {
        Operator::Word => {
            let word = format!(r"(?:^|\W){}(?:\W|$)", regex::escape(&value));
            predicate.patterns.push(pattern(&word, case_sensitive, at)?);
        }
        Operator::Host => {
            let name = value.strip_prefix("*.").unwrap_or(&value);
            let plain = |letter: char| letter.is_alphanumeric() || "-_".contains(letter);
            if !name.split('.').all(|label| !label.is_empty() && label.chars().all(plain)) {
                return flaw(
                    at,
                    said!(
                        "un nom d'hôte est attendu, comme « exemple.fr » ou « *.exemple.fr ».",
                        "the name of a host is expected, such as example.fr or *.example.fr."
                    ),
                );
            }
        }
        _ if predicate.form == TextForm::Seen && !case_sensitive => predicate.form = TextForm::Lower,
        _ => {}
    }
    predicate.values.push(value);
    Ok(())
}

/// A normalised text has no accents: an expression with one would never match.
pub(super) fn expression(written: &str, form: TextForm, case_sensitive: bool, at: &str) -> Checked<Pattern> {
    let accent = |letter: &char| {
        !letter.is_ascii()
            && normalize(&letter.to_lowercase().to_string()) != letter.to_lowercase().to_string()
    };
    if form == TextForm::Normalised
        && let Some(letter) = written.chars().find(accent)
    {
        return flaw(
            at,
            said!(
                "« {letter} » n'existe pas dans la forme normalised\u{a0}: écrivez sans accents, ou form: seen.",
                "\"{letter}\" does not exist in the form normalised: write it without accents, or form: seen."
            ),
        );
    }
    pattern(written, case_sensitive, at)
}
