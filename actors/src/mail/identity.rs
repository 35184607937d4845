//! (to come)

/// Stub.
#[must_use]
pub fn subject_group(subject: &str) -> String {
    subject.to_owned()
}
