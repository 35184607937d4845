//! What opens the program without a session: whether it is set, and what it allows. Never its value,
//! which is not even kept.

use super::words::Words;
use crate::http::access::ApiScope;
use crate::http::pages::parts::{Badge, Mood};
use crate::http::pages::visit::PageVisit;

pub(super) struct TokenRow {
    /// The variable that it comes from.
    pub(super) name: &'static str,
    /// Whether it is set.
    pub(super) badge: Badge,
    /// What it allows, or what holds without it.
    pub(super) what: String,
}

/// Every token that there can be.
pub(super) fn rows(visit: &PageVisit) -> Vec<TokenRow> {
    let (state, w) = (&visit.state, Words::of(visit.lang));
    let row = |name, set: bool, with: &str, without: &str| TokenRow {
        name,
        badge: if set { Badge::new(Mood::Good, w.set) } else { Badge::new(Mood::None, w.unset) },
        what: if set { with } else { without }.to_owned(),
    };
    let metrics = state.metrics_token.is_some();
    let without_metrics = if state.metrics_public { w.metrics_public } else { w.metrics_unset };
    let scopes = scopes(visit);
    vec![
        row("PROCESS_API_TOKEN", state.access.api_token.is_some(), &scopes, w.unset),
        row("INGRESS_HMAC_SECRET", state.reference.ingress_keys.is_some(), w.ingress, w.ingress_unset),
        row("TEST_API_KEY", state.access.test_key.is_some(), w.test_key, w.test_key_unset),
        row("METRICS_TOKEN", metrics, w.metrics, without_metrics),
        row("CONFIG_API_TOKEN", state.services.storage.php.is_some(), w.host, w.host_unset),
        row("CONFIG_API_SERVE_TOKEN", state.config_api.is_some(), w.served, w.served_unset),
    ]
}

/// What the token of the API may, in words.
fn scopes(visit: &PageVisit) -> String {
    let w = Words::of(visit.lang);
    let names = [
        (ApiScope::Read, w.scope_read),
        (ApiScope::Actions, w.scope_actions),
        (ApiScope::Config, w.scope_config),
        (ApiScope::Access, w.scope_access),
    ];
    let held = names.into_iter().filter(|(scope, _)| visit.state.access.scopes.have(*scope));
    let held: Vec<&str> = held.map(|(_, name)| name).collect();
    if held.is_empty() { w.api_none.to_owned() } else { Words::api(visit.lang, &held.join(", ")) }
}
