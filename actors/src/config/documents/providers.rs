//! `providers`: whose links are deliveries. A bad provider makes the whole document bad: without
//! it the links of that provider would be none, and mails would be ignored.

use std::sync::Arc;

use serde_json::Value;

use super::FieldProblem;
use super::coerce::DocumentFields;
use crate::mail::providers::{self, Providers};

/// Reads the document. Absent, the built-in providers are in force; an empty list is none.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn parse(value: &Value) -> Result<Arc<Providers>, Vec<FieldProblem>> {
    DocumentFields::of(value)?;
    match providers::providers(value) {
        Ok(read) => Ok(Arc::new(read)),
        Err(flaw) => Err(vec![FieldProblem::new(flaw.field, flaw.message)]),
    }
}
