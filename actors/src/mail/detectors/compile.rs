//! Detectors from JSON: validated, their expressions compiled once.
//!
//! The language is closed: a field that is not known is refused, because a condition with
//! a misspelt field would mean something else than what is written. Fields that begin
//! with `_` are notes.

mod conditions;
mod extract;

use serde_json::Value;

use self::conditions::ConditionReader;
use self::extract::extract;
use super::object::{Object, text};
use super::{Detector, OutsideWindow};
use crate::kernel::said::said;
use crate::mail::flaw::{Checked, flaw};

/// Characters of an id and of the name of a text.
const ID: usize = 64;

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
pub fn detector(value: &Value) -> Checked<Option<Detector>> {
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
    let mut conditions = ConditionReader::default();
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
            .collect::<Checked<_>>()?,
    }))
}

fn is_id(id: &str) -> bool {
    id.len() <= ID && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

const OUTSIDE: [(&str, OutsideWindow); 3] =
    [("hold", OutsideWindow::Hold), ("skip", OutsideWindow::Skip), ("send", OutsideWindow::Send)];

/// For an urgent mail, and for any other.
fn outside_window(detector: &Object<'_>) -> Checked<[OutsideWindow; 2]> {
    const NAME: &str = "outside_window";
    let hold = Some(OutsideWindow::Hold);
    if let Some(stored @ Value::Object(_)) = detector.get(NAME) {
        let object = Object::of(stored, &detector.at(NAME), &["urgent", "otherwise"])?;
        return Ok([object.word("urgent", &OUTSIDE, hold)?, object.word("otherwise", &OUTSIDE, hold)?]);
    }
    detector.word(NAME, &OUTSIDE, hold).map(|outside| [outside; 2])
}
