//! A service's refusal, as it is answered.

use render_signal_actors::config::documents::FieldProblem;

use crate::http::problem::{HttpProblem, ProblemField, ProblemKind};
use crate::services::ServiceError;

impl From<ServiceError> for HttpProblem {
    fn from(refused: ServiceError) -> Self {
        let kind = match &refused {
            ServiceError::Missing(_) => ProblemKind::NotFound,
            ServiceError::Gone(_) => ProblemKind::Gone,
            ServiceError::Unusable(_) => ProblemKind::InvalidDocument,
            ServiceError::Changed(_) => ProblemKind::PreconditionFailed,
            ServiceError::State(_) => ProblemKind::Conflict,
            ServiceError::Invalid(key, wrong) => {
                let why = format!("{key} is refused, nothing was changed");
                return Self::new(ProblemKind::InvalidDocument, why).with_errors(fields(wrong));
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
pub(in crate::http) fn fields(wrong: &[FieldProblem]) -> Vec<ProblemField> {
    let named = |problem: &FieldProblem| match problem.field.as_str() {
        "" => "document".to_owned(),
        field => field.to_owned(),
    };
    wrong
        .iter()
        .map(|problem| ProblemField { field: named(problem), message: problem.message.english.clone() })
        .collect()
}
