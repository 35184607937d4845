//! How the program and what it stands on are: the one place that decides what healthy means.
//!
//! Something is looked at, and what was found is a [`Check`]: findings, of which the gravest says
//! how it is. There are two ways to look. [`worker`] judges what the parts of this process
//! answered to [`probe`] (`/readyz`, the API, what workers say of themselves); [`installation`]
//! reads what is configured and reaches every server (`doctor`). [`attention`] picks from the
//! findings and the read models what needs a person (the dashboard, the API). How grave a finding
//! is stands beside its words, in [`crate::findings`]; whoever shows it renders, and decides nothing.

pub(crate) mod attention;
pub(crate) mod eviction;
pub(crate) mod installation;
mod json;
pub(crate) mod probe;
pub(crate) mod worker;

use std::borrow::Cow;

use render_signal_actors::kernel::said::Said;
use serde_json::Value;

use crate::findings::{Finding, Severity, gravest, together};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Check {
    /// What, such as `mailbox` or `target default`.
    pub(crate) name: Cow<'static, str>,
    /// What was found; never empty.
    pub(crate) findings: Vec<Finding>,
    /// The numbers behind it; null = there are none.
    pub(crate) detail: Value,
}

impl Check {
    /// Of one finding.
    pub(crate) fn new(name: impl Into<Cow<'static, str>>, finding: Finding) -> Self {
        Self::of(name, vec![finding])
    }

    /// Of several findings, at least one.
    pub(crate) fn of(name: impl Into<Cow<'static, str>>, findings: Vec<Finding>) -> Self {
        Self { name: name.into(), findings, detail: Value::Null }
    }

    /// With the numbers behind it.
    pub(crate) fn with(self, detail: Value) -> Self {
        Self { detail, ..self }
    }

    /// How it is: as the gravest finding says.
    pub(crate) fn state(&self) -> Severity {
        gravest(&self.findings).map_or(Severity::Ok, Finding::severity)
    }

    /// In words.
    pub(crate) fn said(&self) -> Said {
        together(&self.findings)
    }

    /// What to do, if anything.
    pub(crate) fn advice(&self) -> Option<Said> {
        gravest(&self.findings).and_then(Finding::advice)
    }
}

/// As the gravest of them.
pub(crate) fn worst(checks: &[Check]) -> Severity {
    checks.iter().map(Check::state).max().unwrap_or(Severity::Ok)
}
