//! A service's refusal, as it is answered.

use render_signal_actors::config::documents::Problem as Wrong;

use crate::http::problem::{Field, Kind, Problem};
use crate::services::ServiceError;

impl From<ServiceError> for Problem {
    fn from(refused: ServiceError) -> Self {
        let kind = match &refused {
            ServiceError::Missing(_) => Kind::NotFound,
            ServiceError::Gone(_) => Kind::Gone,
            ServiceError::Unusable(_) => Kind::InvalidDocument,
            ServiceError::Changed(_) => Kind::PreconditionFailed,
            ServiceError::State(_) => Kind::Conflict,
            ServiceError::Invalid(key, wrong) => {
                let why = format!("{key} is refused, nothing was changed");
                return Self::new(Kind::InvalidDocument, why).with_errors(fields(wrong));
            }
            ServiceError::Journal(why) => return super::page::unavailable(why),
            ServiceError::Away(said) => {
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
