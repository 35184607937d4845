//! Reading single JSON values: strict, but forgiving where documents written by the
//! reference system or by hand are known to differ (numbers and switches as text,
//! lists as comma-separated text; reference section 3).

use serde_json::{Map, Value};

use super::FieldProblem;
use crate::kernel::said::{Said, said};

/// Reads the fields of one document and collects everything that is wrong.
pub(super) struct DocumentFields<'v> {
    object: &'v Map<String, Value>,
    problems: Vec<FieldProblem>,
}

impl<'v> DocumentFields<'v> {
    /// A document is a JSON object; anything else is refused as a whole.
    pub(super) fn of(value: &'v Value) -> Result<Self, Vec<FieldProblem>> {
        match value {
            Value::Object(object) => Ok(Self { object, problems: Vec::new() }),
            other => Err(vec![FieldProblem::new("document", no_object(other))]),
        }
    }

    /// The raw value of a field; `None` when it is absent.
    pub(super) fn raw(&self, name: &str) -> Option<&'v Value> {
        self.object.get(name)
    }

    /// Reads a field that is there; notes a problem when it cannot be read.
    pub(super) fn read<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&'v Value) -> Result<T, Said>,
    ) -> Option<T> {
        match parse(self.raw(name)?) {
            Ok(value) => Some(value),
            Err(message) => {
                self.wrong(name, message);
                None
            }
        }
    }

    /// Notes that `field` is wrong.
    pub(super) fn wrong(&mut self, field: &str, message: Said) {
        self.problems.push(FieldProblem::new(field, message));
    }

    /// The document, when nothing was wrong.
    pub(super) fn finish<T>(self, document: T) -> Result<T, Vec<FieldProblem>> {
        if self.problems.is_empty() { Ok(document) } else { Err(self.problems) }
    }
}

/// What a value is, in the words of an error message: French, English.
pub(super) const fn kind_of(value: &Value) -> (&'static str, &'static str) {
    match value {
        Value::Null => ("null", "null"),
        Value::Bool(_) => ("un booléen", "a switch"),
        Value::Number(_) => ("un nombre", "a number"),
        Value::String(_) => ("un texte", "a text"),
        Value::Array(_) => ("une liste", "a list"),
        Value::Object(_) => ("un objet", "an object"),
    }
}

/// That a document is none.
pub(super) fn no_object(value: &Value) -> Said {
    let (est, is) = kind_of(value);
    said!("un objet JSON est attendu, pas {est}", "a JSON object is expected, not {is}")
}

/// A switch as the reference system reads it: a JSON boolean, `null` (off), a number, or one of
/// the words that mean on. A text that is a word for off is refused: to the reference system
/// every text but the empty one is on, and two programs that share a document must not read it
/// differently. What is written through us is made a boolean first: see [`super::normal`].
pub(super) fn boolean(value: &Value) -> Result<bool, Said> {
    match (value, word(value)?) {
        (Value::String(text), false) if !text.is_empty() => Err(said!(
            "booléen attendu : le texte {text:?} est vrai pour le système de référence, écrivez false sans guillemets",
            "a switch is expected: the text {text:?} is on for the reference system, write false without quotation marks"
        )),
        (_, on) => Ok(on),
    }
}

/// A switch of which the words for off mean off: `enable_polling`, as in the reference system,
/// and those within a routing rule, which disables itself rather than the document.
pub(in crate::config) fn word(value: &Value) -> Result<bool, Said> {
    match value {
        Value::Bool(on) => Ok(*on),
        Value::Null => Ok(false),
        Value::Number(number) => Ok(number.as_f64().is_some_and(|n| n != 0.0)),
        Value::String(text) => match text.trim().to_lowercase().as_str() {
            "1" | "true" | "yes" | "y" | "on" => Ok(true),
            "" | "0" | "false" | "no" | "n" | "off" => Ok(false),
            _ => Err(said!("booléen attendu (true ou false)", "a switch is expected (true or false)")),
        },
        other => {
            let (est, is) = kind_of(other);
            Err(said!(
                "booléen attendu (true ou false), pas {est}",
                "a switch is expected (true or false), not {is}"
            ))
        }
    }
}

/// Whether a switch is on; `absent` where it is not there, `null`, or none.
#[must_use]
pub fn is_on(value: Option<&Value>, absent: bool) -> bool {
    value.filter(|value| !value.is_null()).and_then(|value| word(value).ok()).unwrap_or(absent)
}

/// A whole number as Python's `int()` reads it: numbers lose their fraction, `true` is 1,
/// text is trimmed. The messages are Python's.
pub(super) fn integer(value: &Value) -> Result<i64, Said> {
    let not_a_number = |what: &str| {
        let words =
            format!("int() argument must be a string, a bytes-like object or a real number, not '{what}'");
        Err(Said::alike(words))
    };
    match value {
        Value::Bool(on) => Ok(i64::from(*on)),
        Value::Number(number) => Ok(number
            .as_i64()
            // Saturates; every field has a range that refuses the extremes.
            .unwrap_or_else(|| number.as_f64().map_or(i64::MAX, |n| n.trunc() as i64))),
        Value::String(text) => python_int(text)
            .ok_or_else(|| format!("invalid literal for int() with base 10: '{}'", text.escape_debug()))
            .map_err(Said::alike),
        Value::Null => not_a_number("NoneType"),
        Value::Array(_) => not_a_number("list"),
        Value::Object(_) => not_a_number("dict"),
    }
}

/// Decimal text as Python's `int()` accepts it: blanks around, a sign, single underscores
/// between digits.
#[must_use]
pub fn python_int(text: &str) -> Option<i64> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let well_formed = !digits.starts_with('_')
        && !digits.ends_with('_')
        && !digits.contains("__")
        && digits.chars().all(|c| c.is_ascii_digit() || c == '_');
    if !well_formed || digits.is_empty() {
        return None;
    }
    let plain: String = digits.chars().filter(|c| *c != '_').collect();
    // More digits than fit: as far out of every range as can be said.
    let magnitude = plain.parse::<i64>().unwrap_or(i64::MAX);
    Some(if negative { -magnitude } else { magnitude })
}

/// A text; `null` is the empty text.
pub(super) fn text(value: &Value) -> Result<String, Said> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Null => Ok(String::new()),
        other => {
            let (est, is) = kind_of(other);
            Err(said!("texte attendu, pas {est}", "a text is expected, not {is}"))
        }
    }
}

/// A list of values, or comma-separated text. Blank members of a text are dropped.
pub(super) fn list_or_csv(value: &Value) -> Result<Vec<Value>, Said> {
    match value {
        Value::Array(members) => Ok(members.clone()),
        Value::String(text) => Ok(text
            .split(',')
            .map(str::trim)
            .filter(|member| !member.is_empty())
            .map(|member| Value::String(member.to_owned()))
            .collect()),
        Value::Null => Ok(Vec::new()),
        other => {
            let (est, is) = kind_of(other);
            Err(said!("liste attendue, pas {est}", "a list is expected, not {is}"))
        }
    }
}

/// A list of non-blank words, each trimmed.
pub(super) fn words(value: &Value, message: &Said) -> Result<Vec<String>, Said> {
    let Value::Array(members) = value else { return Err(message.clone()) };
    let mut words = Vec::with_capacity(members.len());
    for member in members {
        let Value::String(word) = member else { return Err(message.clone()) };
        let word = word.trim();
        if !word.is_empty() {
            words.push(word.to_owned());
        }
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn switches_mean_what_they_say() {
        for (value, expected) in [
            (json!(true), Some(true)),
            (json!(null), Some(false)),
            (json!(0), Some(false)),
            (json!(2), Some(true)),
            (json!(" On "), Some(true)),
            (json!("false"), None),
            (json!("Off"), None),
            (json!(" "), None),
            (json!(""), Some(false)),
            (json!("perhaps"), None),
            (json!([true]), None),
        ] {
            assert_eq!(boolean(&value).ok(), expected, "{value}");
        }
    }

    #[test]
    fn integers_are_read_as_python_does() {
        for (value, expected) in [
            (json!(9.7), Some(9)),
            (json!(-0.5), Some(0)),
            (json!(true), Some(1)),
            (json!(" 1_0 "), Some(10)),
            (json!("+7"), Some(7)),
            (json!("9.7"), None),
            (json!("_1"), None),
            (json!(""), None),
            (json!(null), None),
            (json!("99999999999999999999"), Some(i64::MAX)),
            (json!(1e300), Some(i64::MAX)),
        ] {
            assert_eq!(integer(&value).ok(), expected, "{value}");
        }
    }
}
