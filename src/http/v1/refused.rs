//! A service's refusal, as it is answered.

use render_signal_actors::config::documents::FieldProblem as Wrong;

use crate::http::problem::{Field, Kind, Problem};
use crate::services::Refused;

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let kind = match &refused {
            Refused::Missing(_) => Kind::NotFound,
            Refused::Gone(_) => Kind::Gone,
            Refused::Unusable(_) => Kind::InvalidDocument,
            Refused::Changed(_) => Kind::PreconditionFailed,
            Refused::State(_) => Kind::Conflict,
            Refused::Invalid(key, wrong) => {
                let why = format!("{key} is refused, nothing was changed");
                return Self::new(Kind::InvalidDocument, why).with_errors(fields(wrong));
            }
            Refused::Journal(why) => return super::page::unavailable(why),
            Refused::Away(said) => {
                tracing::warn!(why = %said, "a request could not be answered");
                return Self::unavailable(said);
            }
        };
        Self::new(kind, refused.said().english)
    }
}

/// What is wrong with a document, field by field.
pub(in crate::http) fn fields(wrong: &[Wrong]) -> Vec<Field> {
    let named = |problem: &Wrong| match problem.field.as_str() {
        "" => "document".to_owned(),
        field => field.to_owned(),
    };
    wrong
        .iter()
        .map(|problem| Field { field: named(problem), message: problem.message.english.clone() })
        .collect()
}
