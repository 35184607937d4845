//! What a detector takes out of a mail, from JSON.

use serde_json::Value;

use super::conditions::{any_text, expression, form};
use super::{ID, is_id};
use crate::kernel::said::said;
use crate::mail::conditions::{MailField, TextForm};
use crate::mail::detectors::define::Definitions;
use crate::mail::detectors::explanation::explanation;
use crate::mail::detectors::extract::{DeliveryTime, Extract, Named, Reject, TimePattern};
use crate::mail::detectors::object::{LIST, Object, shown};
use crate::mail::flaw::{Checked, flaw};

/// An empty object; a store in PHP makes an empty list of it.
fn is_nothing(stored: &Value) -> bool {
    stored.as_array().is_some_and(Vec::is_empty)
}

pub(super) fn extract(detector: &Object<'_>) -> Checked<Extract> {
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
            map.iter().map(|(name, stored)| named(name, stored)).collect::<Checked<Vec<_>>>()?
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

const READ_FROM: [(&str, MailField); 3] =
    [("body", MailField::Body), ("subject", MailField::Subject), ("sender", MailField::Sender)];

fn delivery_time(stored: &Value) -> Checked<DeliveryTime> {
    const AT: &str = ".extract.delivery_time";
    const KNOWN: [&str; 6] = ["when_urgent", "define", "patterns", "reject", "required", "explain"];
    let object = Object::of(stored, AT, &KNOWN)?;
    let definitions = Definitions::read(object.get("define"), &object.at("define"))?;
    let when_urgent = object.word("when_urgent", &[("search", false), ("in_an_hour", true)], Some(false))?;
    let patterns = object.list("patterns")?;
    if patterns.is_empty() && !when_urgent {
        return flaw(
            object.at("patterns"),
            said!("au moins un motif est requis.", "at least one pattern is required."),
        );
    }
    let read = |(index, stored): (usize, &Value)| {
        time_pattern(stored, &format!("{AT}.patterns[{index}]"), &definitions)
    };
    Ok(DeliveryTime {
        in_an_hour_when_urgent: when_urgent,
        patterns: patterns.iter().enumerate().map(read).collect::<Checked<Vec<_>>>()?,
        rejects: rejects(&object, &definitions)?,
        required: object.switch("required", false)?,
        explain: object.text("explain")?.map(explanation),
    })
}

fn time_pattern(stored: &Value, at: &str, definitions: &Definitions) -> Checked<TimePattern> {
    const KNOWN: [&str; 6] = ["field", "regex", "case_sensitive", "outside_links", "reject", "shared_reject"];
    let object = Object::of(stored, at, &KNOWN)?;
    let at = object.at("regex");
    let case_sensitive = object.switch("case_sensitive", false)?;
    let Some(pattern) = definitions.pattern(&object, "regex", case_sensitive)? else {
        return flaw(at, said!("regex est requis.", "regex is required."));
    };
    let names: Vec<&str> = pattern.group_names().collect();
    let has = |name: &str| names.contains(&name);
    if !(has("hour") || has("noon"))
        || has("day") != has("month")
        || (!has("day") && (has("year") || has("weekday")))
    {
        return flaw(
            at,
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
            at,
            said!(
                "répétition sans fin (* ou +)\u{a0}: écrivez combien de fois au plus, comme {{1,40}}.",
                "repetition without an end (* or +): write how often at most, such as {{1,40}}."
            ),
        );
    }
    Ok(TimePattern {
        field: object.word("field", &READ_FROM, Some(MailField::Body))?,
        outside_links: object.switch("outside_links", false)?,
        rejects: rejects(&object, definitions)?,
        shares_rejects: object.switch("shared_reject", false)?,
        pattern,
    })
}

fn rejects(object: &Object<'_>, definitions: &Definitions) -> Checked<Vec<Reject>> {
    let at = object.at("reject");
    let read = |(index, stored): (usize, &Value)| reject(stored, &format!("{at}[{index}]"), definitions);
    object.list("reject")?.iter().enumerate().map(read).collect()
}

fn reject(stored: &Value, at: &str, definitions: &Definitions) -> Checked<Reject> {
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

fn named(name: &str, stored: &Value) -> Checked<Named> {
    let at = format!(".extract.values.{}", shown(name));
    if name.is_empty() || !is_id(name) {
        return flaw(
            at,
            said!(
                "nom invalide\u{a0}: lettres ASCII, chiffres, « . », « _ », « - », au plus {ID}.",
                "a name has ASCII letters, digits, \".\", \"_\" and \"-\" only, at most {ID}."
            ),
        );
    }
    let object =
        Object::of(stored, &at, &["field", "regex", "form", "case_sensitive", "required", "explain"])?;
    let field = object.word("field", &READ_FROM, Some(MailField::Body))?;
    let (form, case_sensitive) = form(&object, field, TextForm::Seen)?;
    let at = object.at("regex");
    let written = match object.get("regex") {
        Some(value) => any_text(value, &at)?,
        None => return flaw(at, said!("regex est requis.", "regex is required.")),
    };
    let pattern = expression(&written, form, case_sensitive, &at)?;
    if pattern.groups() != 1 {
        return flaw(
            at,
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
