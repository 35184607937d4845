//! Parts of expressions that are written once and used by name: `(?&month)` stands for what
//! `define` says of `month`, as in PCRE.

use serde_json::Value;

use super::object::{Object, pattern, shown};
use crate::kernel::said::said;
use crate::mail::flaw::{Checked, Flaw, flaw};
use crate::mail::pattern::Pattern;

/// Definitions of one delivery time.
const MOST: usize = 40;
/// Definitions within definitions; a circle of them ends here.
const DEPTH: usize = 8;
/// Bytes of an expression in which everything is written out: what is longer is refused by
/// [`Pattern::new`] in any case.
const WRITTEN_OUT: usize = 4_000;

/// Names and what they stand for; each may use others, in any order.
#[derive(Debug, Default)]
pub(super) struct Definitions(Vec<(String, String)>);

impl Definitions {
    /// Reads `define`, an object of expressions.
    ///
    /// # Errors
    /// It is no such object, a name is no word, or an expression uses an unknown name or grows
    /// too long.
    pub(super) fn read(stored: Option<&Value>, at: &str) -> Checked<Self> {
        let mut definitions = Self::default();
        let map = match stored {
            None => return Ok(definitions),
            Some(Value::Array(list)) if list.is_empty() => return Ok(definitions),
            Some(Value::Object(map)) if map.len() <= MOST => map,
            Some(_) => {
                return flaw(
                    at,
                    said!(
                        "un objet d'au plus {MOST} expressions est attendu.",
                        "an object of at most {MOST} expressions is expected."
                    ),
                );
            }
        };
        for (name, stored) in map {
            let at = format!("{at}.{}", shown(name));
            let letters =
                |name: &str| name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_');
            if name.is_empty() || !letters(name) {
                return flaw(
                    at,
                    said!(
                        "nom invalide\u{a0}: lettres ASCII minuscules et « _ ».",
                        "a name has small ASCII letters and \"_\" only."
                    ),
                );
            }
            let Value::String(written) = stored else {
                return flaw(
                    at,
                    said!("une expression régulière est attendue.", "a regular expression is expected."),
                );
            };
            definitions.0.push((name.clone(), written.clone()));
        }
        for (name, written) in &definitions.0 {
            definitions.write_out(written, &format!("{at}.{name}"))?;
        }
        Ok(definitions)
    }

    /// The expression of a field, compiled; `None` when there is none.
    ///
    /// # Errors
    /// See [`Pattern::new`]; or it uses a name that is not defined.
    pub(super) fn pattern(
        &self,
        object: &Object<'_>,
        name: &str,
        case_sensitive: bool,
    ) -> Checked<Option<Pattern>> {
        let at = object.at(name);
        match object.get(name) {
            None => Ok(None),
            Some(Value::String(written)) if !written.is_empty() => {
                pattern(&self.write_out(written, &at)?, case_sensitive, &at).map(Some)
            }
            Some(_) => {
                flaw(at, said!("une expression régulière est attendue.", "a regular expression is expected."))
            }
        }
    }

    /// `written` with every `(?&name)` replaced by what the name stands for, as a group that
    /// is not counted.
    fn write_out(&self, written: &str, at: &str) -> Result<String, Flaw> {
        let mut out = String::new();
        self.append(written, at, 0, &mut out)?;
        Ok(out)
    }

    fn append(&self, written: &str, at: &str, depth: usize, out: &mut String) -> Result<(), Flaw> {
        if depth > DEPTH {
            return flaw(
                at,
                said!(
                    "définitions imbriquées plus de {DEPTH} fois, ou en cercle.",
                    "definitions are nested more than {DEPTH} times, or in a circle."
                ),
            );
        }
        let mut rest = written;
        while let Some((before, from_name)) = rest.split_once("(?&") {
            out.push_str(before);
            let Some((name, after)) = from_name.split_once(')') else {
                return flaw(at, said!("« (?& » sans « ) ».", "\"(?&\" without \")\"."));
            };
            let Some((_, meaning)) = self.0.iter().find(|(known, _)| known == name) else {
                let name = shown(name);
                return flaw(at, said!("« {name} » n'est pas défini.", "\"{name}\" is not defined."));
            };
            out.push_str("(?:");
            self.append(meaning, at, depth + 1, out)?;
            out.push(')');
            rest = after;
        }
        out.push_str(rest);
        // Looked at in each step: definitions of definitions grow quickly.
        if out.len() > WRITTEN_OUT {
            return flaw(
                at,
                said!(
                    "au plus {WRITTEN_OUT} octets, définitions comprises.",
                    "at most {WRITTEN_OUT} bytes, definitions included."
                ),
            );
        }
        Ok(())
    }
}
