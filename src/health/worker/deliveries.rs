//! The deliveries: what holds them up.

use render_signal_actors::config::ConfigStatus;
use render_signal_actors::config::documents::Governs;
use render_signal_actors::webhook::{TargetStatus, WebhookStatus};
use serde_json::json;

use crate::findings::Finding;
use crate::health::Check;
use crate::health::probe::Answers;

/// A delivery that has been due for longer than this without being sent is remarked on.
const LATE_SECONDS: i64 = 60;

pub(super) fn judge(status: &WebhookStatus, answers: &Answers) -> Check {
    let mut findings = Vec::new();
    if status.paused {
        let withheld = answers.config.as_ref().is_ok_and(withholds_sending);
        findings.push(if withheld { Finding::SendingWithheld {} } else { Finding::SendingOff {} });
    }
    findings.extend(status.targets.iter().filter_map(of_target));
    let next = answers.journal.as_ref().ok().and_then(|journal| journal.next_delivery);
    let late = next.map(|due| (answers.now - due).num_seconds()).filter(|late| *late > LATE_SECONDS);
    findings.extend(late.map(|seconds| Finding::DeliveriesLate { seconds }));
    if findings.is_empty() {
        findings.push(Finding::DeliveriesFlow { under_way: status.in_flight });
    }
    let detail = json!({"in_flight": status.in_flight, "next_due": next, "targets": status.targets});
    Check::of("deliveries", findings).with(detail)
}

fn of_target(target: &TargetStatus) -> Option<Finding> {
    let id = target.id.clone();
    match target.breaker.as_str() {
        "open" | "half_open" => Some(Finding::TargetFails { target: id, failures: target.failures }),
        "disabled" => Some(Finding::TargetGone { target: id }),
        _ => None,
    }
}

fn withholds_sending(config: &ConfigStatus) -> bool {
    config.documents.iter().any(|document| document.withholds == Some(Governs::Sending))
}
