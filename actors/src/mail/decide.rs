//! The decision about one mail.

use chrono::{DateTime, Utc};

use super::policy::Policy;
use super::{IgnoreReason, Mail, Outcome, Verdict};

/// Decides what is to be done with `mail` under `policy` at `now`.
#[must_use]
pub fn decide(mail: &Mail, policy: &Policy, now: DateTime<Utc>) -> Verdict {
    let _ = (mail, policy, now);
    Verdict { detection: None, links: Vec::new(), outcome: Outcome::Ignore { reason: IgnoreReason::NoLinks } }
}
