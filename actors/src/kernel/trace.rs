//! Which trace a mail belongs to, and which span of it each step is (W3C Trace Context).
//!
//! The ids are made of the mail's identity, so that nothing has to be kept: a delivery that is made by
//! another worker, or after a restart, belongs to the trace of the fetch all the same. Pure.

use super::digest::short_sha256;

/// Hexadecimal digits of the id of a trace: 16 bytes.
const TRACE_DIGITS: usize = 32;
/// Hexadecimal digits of the id of a span: 8 bytes.
const SPAN_DIGITS: usize = 16;

/// A step of a mail that others refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceStep<'a> {
    /// The mail was fetched, or handed over: where its trace begins.
    Arrival,
    /// It was taken in: what everything that follows hangs from.
    Admission,
    /// An attempt to deliver it, which the receiver is told of.
    Attempt {
        /// Id of the target.
        target: &'a str,
        /// From 1.
        number: u32,
    },
}

/// The trace of a mail, as hexadecimal digits.
#[must_use]
pub fn trace_id(email_id: &str) -> String {
    short_sha256(email_id, TRACE_DIGITS)
}

/// The span of a step, as hexadecimal digits.
#[must_use]
pub fn span_id(email_id: &str, step: TraceStep<'_>) -> String {
    // A line end is in no identity, so that no two steps are written alike.
    let written = match step {
        TraceStep::Arrival => format!("{email_id}\narrival"),
        TraceStep::Admission => format!("{email_id}\nadmission"),
        TraceStep::Attempt { target, number } => format!("{email_id}\nattempt\n{number}\n{target}"),
    };
    short_sha256(written, SPAN_DIGITS)
}

/// The header `traceparent` of an attempt: version 00, sampled.
#[must_use]
pub fn traceparent(email_id: &str, target: &str, number: u32) -> String {
    let span = span_id(email_id, TraceStep::Attempt { target, number });
    format!("00-{}-{span}-01", trace_id(email_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_has_an_id_of_its_own_and_the_same_everywhere() {
        let attempt = |target, number| TraceStep::Attempt { target, number };
        let steps = [
            ("e", TraceStep::Arrival),
            ("e", TraceStep::Admission),
            ("e", attempt("default", 1)),
            ("e", attempt("default", 2)),
            ("e", attempt("1\ndefault", 1)),
            ("f", TraceStep::Arrival),
        ];
        let ids: std::collections::BTreeSet<_> =
            steps.iter().map(|(email_id, step)| span_id(email_id, *step)).collect();
        assert_eq!(ids.len(), steps.len());
        assert!(ids.iter().all(|id| id.len() == 16 && id.bytes().all(|digit| digit.is_ascii_hexdigit())));
        // Workers of different versions have to agree.
        assert_eq!(
            traceparent("abc", "default", 1),
            format!("00-ba7816bf8f01cfea414140de5dae2223-{}-01", span_id("abc", attempt("default", 1)))
        );
        assert_eq!(span_id("abc", TraceStep::Admission), "0f7e77499857181a");
    }
}
