//! Detectors from JSON: validated, their expressions compiled once.
//!
//! The language is closed: a field that is not known is refused, because a condition with
//! a misspelt field would mean something else than what is written. Fields that begin
//! with `_` are notes.

use serde_json::{Map, Value};

use super::condition::{Condition, Field, Kind, Operator, Test, explanation};
use super::define::Definitions;
use super::extract::{DeliveryTime, Extract, Named, Reject, TimePattern};
use super::facts::Form;
use super::{Detector, OutsideWindow};
use crate::kernel::said::{Said, said};
use crate::mail::identity::normalize;
use crate::mail::pattern::Pattern;

/// Conditions of one detector, groups included.
const CONDITIONS: usize = 200;
/// Groups within groups.
const DEPTH: usize = 8;
/// Values of one condition, patterns of a delivery time, named texts.
const LIST: usize = 100;
/// Characters of a value, a name or an explanation.
const TEXT: usize = 500;
/// Characters of an id and of the name of a text.
const ID: usize = 64;

/// What is wrong with a detector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Where, such as `.conditions.all[0].value`; empty = the detector itself.
    pub field: String,
    /// In plain words.
    pub message: Said,
}

pub(super) type Read<T> = Result<T, Flaw>;

pub(super) fn flaw<T>(at: &str, message: Said) -> Read<T> {
    Err(Flaw { field: at.to_owned(), message })
}

/// A JSON object and where it stands.
pub(super) struct Object<'v> {
    map: &'v Map<String, Value>,
    at: String,
}

impl<'v> Object<'v> {
    fn of(value: &'v Value, at: &str, known: &[&str]) -> Read<Self> {
        let Value::Object(map) = value else {
            return flaw(at, said!("un objet JSON est attendu.", "a JSON object is expected."));
        };
        match map.keys().find(|name| !name.starts_with('_') && !known.contains(&name.as_str())) {
            Some(name) => {
                let known = known.join(", ");
                let message =
                    said!("champ inconnu (attendus\u{a0}: {known}).", "no such field (there are: {known}).");
                flaw(&format!("{at}.{}", shown(name)), message)
            }
            None => Ok(Self { map, at: at.to_owned() }),
        }
    }

    pub(super) fn at(&self, name: &str) -> String {
        format!("{}.{name}", self.at)
    }

    /// `null` is as good as nothing.
    pub(super) fn get(&self, name: &str) -> Option<&'v Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    fn switch(&self, name: &str, absent: bool) -> Read<bool> {
        match self.get(name) {
            None => Ok(absent),
            Some(Value::Bool(on)) => Ok(*on),
            Some(_) => flaw(
                &self.at(name),
                said!("booléen attendu (true ou false).", "a switch is expected (true or false)."),
            ),
        }
    }

    fn text(&self, name: &str) -> Read<Option<String>> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => text(value, &self.at(name)).map(Some),
        }
    }

    fn required(&self, name: &str) -> Read<String> {
        match self.text(name)? {
            Some(text) => Ok(text),
            None => flaw(&self.at(name), said!("{name} est requis.", "{name} is required.")),
        }
    }

    fn list(&self, name: &str) -> Read<&'v [Value]> {
        match self.get(name) {
            None => Ok(&[]),
            Some(Value::Array(list)) if list.len() <= LIST => Ok(list),
            Some(Value::Array(_)) => {
                flaw(&self.at(name), said!("au plus {LIST} éléments.", "at most {LIST} elements."))
            }
            Some(_) => flaw(&self.at(name), said!("une liste est attendue.", "a list is expected.")),
        }
    }

    /// One of a few words.
    fn word<T: Copy>(&self, name: &str, words: &[(&str, T)], absent: Option<T>) -> Read<T> {
        let all = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join("|");
        let wrong = || said!("{name} invalide ({all}).", "{name} must be one of {all}.");
        match (self.get(name), absent) {
            (None, Some(absent)) => Ok(absent),
            (None, None) => {
                flaw(&self.at(name), said!("{name} est requis ({all}).", "{name} is required ({all})."))
            }
            (Some(Value::String(text)), _) => match words.iter().find(|(word, _)| word == text) {
                Some((_, meaning)) => Ok(*meaning),
                None => flaw(&self.at(name), wrong()),
            },
            (Some(_), _) => flaw(&self.at(name), wrong()),
        }
    }
}

/// A field name as it may be repeated in a message.
pub(super) fn shown(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_control()).take(40).collect()
}

fn text(value: &Value, at: &str) -> Read<String> {
    match value {
        Value::String(text) if text.trim().is_empty() => {
            flaw(at, said!("un texte non vide est attendu.", "a text that is not empty is expected."))
        }
        Value::String(text) if text.chars().count() > TEXT => {
            flaw(at, said!("au plus {TEXT} caractères.", "at most {TEXT} characters."))
        }
        Value::String(text) => Ok(text.clone()),
        _ => flaw(at, said!("un texte est attendu.", "a text is expected.")),
    }
}

pub(super) fn pattern(written: &str, case_sensitive: bool, at: &str) -> Read<Pattern> {
    Pattern::new(written, case_sensitive).or_else(|bad| flaw(at, bad.said()))
}

/// The id of a stored detector, usable or not; `None` when it has none.
#[must_use]
pub fn id(value: &Value) -> Option<&str> {
    value.get("id").and_then(Value::as_str)
}

/// Compiles one detector; `None` when it is switched off, which hides whatever else is
/// wrong with it.
///
/// # Errors
/// The first thing that is wrong.
pub fn detector(value: &Value) -> Read<Option<Detector>> {
    const KNOWN: [&str; 10] = [
        "id",
        "name",
        "enabled",
        "detector",
        "conditions",
        "urgent",
        "extract",
        "outside_window",
        "mark_skipped_read",
        "exclude_keywords",
    ];
    let object = Object::of(value, "", &KNOWN)?;
    let id = object.required("id")?;
    if !is_id(&id) {
        return flaw(
            ".id",
            said!(
                "lettres ASCII, chiffres, « . », « _ » et « - » seulement, au plus {ID}.",
                "ASCII letters, digits, \".\", \"_\" and \"-\" only, at most {ID}."
            ),
        );
    }
    if !object.switch("enabled", true)? {
        return Ok(None);
    }
    let mut conditions = Conditions { left: CONDITIONS };
    let Some(stored) = object.get("conditions") else {
        return flaw(".conditions", said!("conditions est requis.", "conditions is required."));
    };
    Ok(Some(Detector {
        name: object.text("name")?.unwrap_or_else(|| id.clone()),
        value: object.text("detector")?.unwrap_or_else(|| id.clone()),
        id,
        conditions: conditions.read(stored, ".conditions", 0)?,
        urgent: match object.get("urgent") {
            Some(stored) => Some(conditions.read(stored, ".urgent", 0)?),
            None => None,
        },
        extract: extract(&object)?,
        outside_window: outside_window(&object)?,
        mark_skipped_read: object.switch("mark_skipped_read", false)?,
        exclude_keywords: object
            .list("exclude_keywords")?
            .iter()
            .enumerate()
            .map(|(index, word)| text(word, &format!("{}[{index}]", object.at("exclude_keywords"))))
            .collect::<Read<_>>()?,
    }))
}

fn is_id(id: &str) -> bool {
    id.len() <= ID && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

const OUTSIDE: [(&str, OutsideWindow); 3] =
    [("hold", OutsideWindow::Hold), ("skip", OutsideWindow::Skip), ("send", OutsideWindow::Send)];

/// For an urgent mail, and for any other.
fn outside_window(detector: &Object<'_>) -> Read<[OutsideWindow; 2]> {
    const NAME: &str = "outside_window";
    let hold = Some(OutsideWindow::Hold);
    if let Some(stored @ Value::Object(_)) = detector.get(NAME) {
        let object = Object::of(stored, &detector.at(NAME), &["urgent", "otherwise"])?;
        return Ok([object.word("urgent", &OUTSIDE, hold)?, object.word("otherwise", &OUTSIDE, hold)?]);
    }
    detector.word(NAME, &OUTSIDE, hold).map(|outside| [outside; 2])
}

/// Reads conditions and counts them.
struct Conditions {
    left: usize,
}

impl Conditions {
    fn read(&mut self, value: &Value, at: &str, depth: usize) -> Read<Condition> {
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
                &at,
                said!("au moins une condition est requise.", "at least one condition is required."),
            );
        }
        if depth == DEPTH {
            return flaw(
                &at,
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
            .collect::<Read<Vec<_>>>()?;
        let kind = match name {
            "all" => Kind::All(parts),
            "any" => Kind::Any(parts),
            _ => Kind::None(parts),
        };
        Ok(Condition { kind, explain: object.text("explain")?.map(explanation) })
    }
}

const FIELDS: [(&str, Field); 4] =
    [("sender", Field::Sender), ("subject", Field::Subject), ("body", Field::Body), ("links", Field::Links)];
const FORMS: [(&str, Form); 2] = [("normalised", Form::Normalised), ("seen", Form::Seen)];

fn test(value: &Value, at: &str) -> Read<Condition> {
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
    if of_links && field != Field::Links {
        return flaw(
            &object.at("operator"),
            said!("cet opérateur ne vaut que pour links.", "this operator is for links only."),
        );
    }
    let (form, case_sensitive) = form(&object, field, Form::Normalised)?;
    let mut test = Test { field, operator, form, values: Vec::new(), patterns: Vec::new() };
    let explain = object.text("explain")?.map(explanation);
    if operator == Operator::Present {
        // Emptiness is the same in every form, and this one costs nothing.
        test.form = Form::Seen;
        if object.get("value").is_some() {
            return flaw(&object.at("value"), said!("present n'a pas de valeur.", "present has no value."));
        }
    } else {
        let written = values(&object)?;
        for (at, value) in &written {
            read_value(&mut test, value, case_sensitive, at)?;
        }
    }
    Ok(Condition { kind: Kind::Test(test), explain })
}

/// The values with their places: one text or a list of texts.
fn values(object: &Object<'_>) -> Read<Vec<(String, String)>> {
    let at = object.at("value");
    let list = match object.get("value") {
        Some(Value::Array(_)) => object.list("value")?,
        Some(one) => return Ok(vec![(at.clone(), any_text(one, &at)?)]),
        None => return flaw(&at, said!("value est requis.", "value is required.")),
    };
    if list.is_empty() {
        return flaw(&at, said!("au moins une valeur est requise.", "at least one value is required."));
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
fn any_text(value: &Value, at: &str) -> Read<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Ok(text.clone()),
        _ => flaw(at, said!("un texte non vide est attendu.", "a text that is not empty is expected.")),
    }
}

/// The form and whether case counts. Links are always compared as they are written.
fn form(object: &Object<'_>, field: Field, absent: Form) -> Read<(Form, bool)> {
    let absent = if field == Field::Links { Form::Seen } else { absent };
    let form = object.word("form", &FORMS, Some(absent))?;
    if field == Field::Links && form == Form::Normalised {
        return flaw(
            &object.at("form"),
            said!(
                "une adresse n'est comparée que telle quelle (seen).",
                "an address is compared as it is only (seen)."
            ),
        );
    }
    let case_sensitive = object.switch("case_sensitive", false)?;
    if case_sensitive && form == Form::Normalised {
        return flaw(
            &object.at("case_sensitive"),
            said!(
                "la forme normalised n'a pas de majuscules\u{a0}: form: seen.",
                "the form normalised has no capitals: form: seen."
            ),
        );
    }
    Ok((form, case_sensitive))
}

fn read_value(test: &mut Test, written: &str, case_sensitive: bool, at: &str) -> Read<()> {
    if test.operator == Operator::Regex {
        test.patterns.push(expression(written, test.form, case_sensitive, at)?);
        test.values.push(written.to_owned());
        return Ok(());
    }
    if written.chars().count() > TEXT {
        return flaw(at, said!("au plus {TEXT} caractères.", "at most {TEXT} characters."));
    }
    let value = match (test.form, case_sensitive) {
        (Form::Normalised, _) => normalize(written),
        (_, true) => written.to_owned(),
        (_, false) => written.to_lowercase(),
    };
    if value.is_empty() {
        return flaw(at, said!("un texte non vide est attendu.", "a text that is not empty is expected."));
    }
    match test.operator {
        Operator::Word => {
            let word = format!(r"(?:^|\W){}(?:\W|$)", regex::escape(&value));
            test.patterns.push(pattern(&word, case_sensitive, at)?);
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
        _ if test.form == Form::Seen && !case_sensitive => test.form = Form::Lower,
        _ => {}
    }
    test.values.push(value);
    Ok(())
}

/// A normalised text has no accents: an expression with one would never match.
fn expression(written: &str, form: Form, case_sensitive: bool, at: &str) -> Read<Pattern> {
    let accent = |letter: &char| {
        !letter.is_ascii()
            && normalize(&letter.to_lowercase().to_string()) != letter.to_lowercase().to_string()
    };
    if form == Form::Normalised
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

/// An empty object; a store in PHP makes an empty list of it.
fn is_nothing(stored: &Value) -> bool {
    stored.as_array().is_some_and(Vec::is_empty)
}

fn extract(detector: &Object<'_>) -> Read<Extract> {
    let Some(stored) = detector.get("extract").filter(|stored| !is_nothing(stored)) else {
        return Ok(Extract::default());
    };
    let object = Object::of(stored, ".extract", &["delivery_time", "values"])?;
    let delivery_time = match object.get("delivery_time") {
        Some(stored) => Some(delivery_time(stored)?),
        None => None,
    };
    let values = match object.get("values").filter(|stored| !is_nothing(stored)) {
        None => Vec::new(),
        Some(Value::Object(map)) if map.len() <= LIST => {
            map.iter().map(|(name, stored)| named(name, stored)).collect::<Read<Vec<_>>>()?
        }
        Some(_) => {
            return flaw(
                ".extract.values",
                said!(
                    "un objet d'au plus {LIST} textes est attendu.",
                    "an object of at most {LIST} texts is expected."
                ),
            );
        }
    };
    Ok(Extract { delivery_time, values })
}

const READ_FROM: [(&str, Field); 3] =
    [("body", Field::Body), ("subject", Field::Subject), ("sender", Field::Sender)];

fn delivery_time(stored: &Value) -> Read<DeliveryTime> {
    const AT: &str = ".extract.delivery_time";
    const KNOWN: [&str; 6] = ["when_urgent", "define", "patterns", "reject", "required", "explain"];
    let object = Object::of(stored, AT, &KNOWN)?;
    let definitions = Definitions::read(object.get("define"), &object.at("define"))?;
    let when_urgent = object.word("when_urgent", &[("search", false), ("in_an_hour", true)], Some(false))?;
    let patterns = object.list("patterns")?;
    if patterns.is_empty() && !when_urgent {
        return flaw(
            &object.at("patterns"),
            said!("au moins un motif est requis.", "at least one pattern is required."),
        );
    }
    let read = |(index, stored): (usize, &Value)| {
        time_pattern(stored, &format!("{AT}.patterns[{index}]"), &definitions)
    };
    Ok(DeliveryTime {
        in_an_hour_when_urgent: when_urgent,
        patterns: patterns.iter().enumerate().map(read).collect::<Read<Vec<_>>>()?,
        rejects: rejects(&object, &definitions)?,
        required: object.switch("required", false)?,
        explain: object.text("explain")?.map(explanation),
    })
}

fn time_pattern(stored: &Value, at: &str, definitions: &Definitions) -> Read<TimePattern> {
    const KNOWN: [&str; 6] = ["field", "regex", "case_sensitive", "outside_links", "reject", "shared_reject"];
    let object = Object::of(stored, at, &KNOWN)?;
    let at = object.at("regex");
    let case_sensitive = object.switch("case_sensitive", false)?;
    let Some(pattern) = definitions.pattern(&object, "regex", case_sensitive)? else {
        return flaw(&at, said!("regex est requis.", "regex is required."));
    };
    let names: Vec<&str> = pattern.group_names().collect();
    let has = |name: &str| names.contains(&name);
    if !(has("hour") || has("noon"))
        || has("day") != has("month")
        || (!has("day") && (has("year") || has("weekday")))
    {
        return flaw(
            &at,
            said!(
                "les groupes (?<hour>…) ou (?<noon>…) et, ensemble, (?<day>…) et (?<month>…) sont attendus\u{a0}; \
                 (?<year>…) et (?<weekday>…) seulement avec eux.",
                "the groups (?<hour>…) or (?<noon>…) and, together, (?<day>…) and (?<month>…) are expected; \
                 (?<year>…) and (?<weekday>…) only with them."
            ),
        );
    }
    // Many matches may be tried; only with a bound is that linear in the text.
    if pattern.longest().is_none() {
        return flaw(
            &at,
            said!(
                "répétition sans fin (* ou +)\u{a0}: écrivez combien de fois au plus, comme {{1,40}}.",
                "repetition without an end (* or +): write how often at most, such as {{1,40}}."
            ),
        );
    }
    Ok(TimePattern {
        field: object.word("field", &READ_FROM, Some(Field::Body))?,
        outside_links: object.switch("outside_links", false)?,
        rejects: rejects(&object, definitions)?,
        shares_rejects: object.switch("shared_reject", false)?,
        pattern,
    })
}

fn rejects(object: &Object<'_>, definitions: &Definitions) -> Read<Vec<Reject>> {
    let at = object.at("reject");
    let read = |(index, stored): (usize, &Value)| reject(stored, &format!("{at}[{index}]"), definitions);
    object.list("reject")?.iter().enumerate().map(read).collect()
}

fn reject(stored: &Value, at: &str, definitions: &Definitions) -> Read<Reject> {
    let object = Object::of(stored, at, &["match", "before", "after", "unless_before"])?;
    let pattern = |name: &str| definitions.pattern(&object, name, false);
    let reject = Reject {
        matched: pattern("match")?,
        before: pattern("before")?,
        after: pattern("after")?,
        unless_before: pattern("unless_before")?,
    };
    if reject.matched.is_none() && reject.before.is_none() && reject.after.is_none() {
        return flaw(at, said!("match, before ou after est requis.", "match, before or after is required."));
    }
    Ok(reject)
}

fn named(name: &str, stored: &Value) -> Read<Named> {
    let at = format!(".extract.values.{}", shown(name));
    if name.is_empty() || !is_id(name) {
        return flaw(
            &at,
            said!(
                "nom invalide\u{a0}: lettres ASCII, chiffres, « . », « _ », « - », au plus {ID}.",
                "a name has ASCII letters, digits, \".\", \"_\" and \"-\" only, at most {ID}."
            ),
        );
    }
    let object =
        Object::of(stored, &at, &["field", "regex", "form", "case_sensitive", "required", "explain"])?;
    let field = object.word("field", &READ_FROM, Some(Field::Body))?;
    let (form, case_sensitive) = form(&object, field, Form::Seen)?;
    let at = object.at("regex");
    let written = match object.get("regex") {
        Some(value) => any_text(value, &at)?,
        None => return flaw(&at, said!("regex est requis.", "regex is required.")),
    };
    let pattern = expression(&written, form, case_sensitive, &at)?;
    if pattern.groups() != 1 {
        return flaw(
            &at,
            said!(
                "exactement un groupe (…) est attendu\u{a0}: le texte à extraire.",
                "exactly one group (…) is expected: the text to take out."
            ),
        );
    }
    Ok(Named {
        name: name.to_owned(),
        field,
        form,
        pattern,
        required: object.switch("required", false)?,
        explain: object.text("explain")?.map(explanation),
    })
}
