//! `detectors`: what kinds of mail there are. One bad detector disables itself, visibly,
//! and not the others.

use serde_json::Value;

use super::FieldProblem;
use super::coerce::no_object;
use crate::kernel::said::{Said, said};
use crate::mail::detectors::{self, Detector};

/// Detectors of one document.
const MOST: usize = 50;

/// The document. Absent, the built-in detectors are in force; an empty list is none.
#[derive(Debug, Clone, Default)]
pub struct Detectors {
    /// The usable ones, in order, compiled.
    pub detectors: Vec<Detector>,
    /// What is wrong with the others; the field names the detector.
    pub disabled: Vec<FieldProblem>,
}

impl Detectors {
    /// Reads the document.
    ///
    /// # Errors
    /// When there is no list of detectors, or a far too long one. A bad detector is no
    /// error: it is in `disabled`.
    pub fn parse(value: &Value) -> Result<Self, Vec<FieldProblem>> {
        let refused = |field, message: Said| Err(vec![FieldProblem::new(field, message)]);
        let Value::Object(object) = value else {
            return refused("document", no_object(value));
        };
        let list = match object.get("detectors") {
            Some(Value::Array(list)) if list.len() <= MOST => list,
            Some(Value::Array(_)) => {
                return refused(
                    "detectors",
                    said!("au plus {MOST} détecteurs.", "at most {MOST} detectors."),
                );
            }
            // A document without the list says nothing, and must not switch detectors off.
            _ => {
                return refused(
                    "detectors",
                    said!("detectors doit être une liste.", "detectors must be a list."),
                );
            }
        };
        let mut document = Self::default();
        let mut taken = Vec::new();
        for (index, stored) in list.iter().enumerate() {
            let at = |field: &str| format!("detectors[{index}]{field}");
            let id = detectors::id(stored);
            if id.is_some_and(|id| taken.contains(&id)) {
                document.disabled.push(FieldProblem::new(
                    at(".id"),
                    said!("cet id est déjà pris.", "this id is taken already."),
                ));
                continue;
            }
            taken.extend(id);
            match detectors::detector(stored) {
                Ok(detector) => document.detectors.extend(detector),
                Err(flaw) => document.disabled.push(FieldProblem::new(at(&flaw.field), flaw.message)),
            }
        }
        Ok(document)
    }
}
