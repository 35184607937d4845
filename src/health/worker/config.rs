//! The documents, and where they are kept.

use std::collections::BTreeSet;

use render_signal_actors::config::documents::{Governs, Key};
use render_signal_actors::config::store::StoreHealth;
use render_signal_actors::config::{ConfigStatus, DocumentStatus};
use serde_json::json;

use crate::findings::{Finding, Names};
use crate::health::Check;

pub(super) fn judge(status: &ConfigStatus) -> Check {
    let stops: BTreeSet<Governs> =
        status.documents.iter().filter_map(|document| document.withholds).collect();
    let mut findings = Vec::new();
    if !stops.is_empty() {
        findings.push(Finding::StandsStill { what: stops.into_iter().map(Governs::said).collect() });
    }
    findings.extend(status.documents.iter().flat_map(of_document));
    findings.extend(status.remarks.iter().map(|remark| Finding::PreferenceRemark { remark: remark.clone() }));
    findings.extend(status.stores.iter().flat_map(of_store));
    if findings.is_empty() {
        findings.push(Finding::DocumentsValid {});
    }
    if status.workers > 0 {
        let running = status.documents.iter().map(|document| document.running).min().unwrap_or_default();
        findings.push(Finding::WorkersRun { running, workers: status.workers });
    }
    let detail = json!({
        "version": status.version,
        "workers": status.workers,
        "documents": status.documents,
        "stores": status.stores,
    });
    Check::of("config", findings).with(detail)
}

fn of_document(document: &DocumentStatus) -> Vec<Finding> {
    let name = || document.key.clone();
    let problems = document.problems.iter().cloned();
    let remarks = document.remarks.iter().cloned();
    problems
        .map(|problem| Finding::DocumentProblem { document: name(), problem })
        .chain(remarks.map(|remark| Finding::DocumentRemark { document: name(), remark }))
        .chain(document.switched_off.then(|| Finding::DocumentOff { document: name() }))
        .collect()
}

fn of_store(health: &StoreHealth) -> Vec<Finding> {
    let store = health.store;
    let names = |keys: &[Key]| -> Option<Names> {
        (!keys.is_empty()).then(|| keys.iter().map(|key| key.as_str()).collect())
    };
    let silent = health.trouble.clone().map(|trouble| Finding::StoreSilent { store, trouble });
    let behind = names(&health.pending).map(|documents| Finding::StoreBehind { store, documents });
    let conflict = names(&health.conflicts).map(|documents| Finding::DocumentsInConflict { documents });
    silent.into_iter().chain(behind).chain(conflict).collect()
}
