//! What the world asks over HTTP.
//!
//! | folder | what |
//! |---|---|
//! | [`routes`] | the table of every address: who may use it, what body it takes |
//! | [`access`] | who asks, and whether they may |
//! | [`public`] | what anybody may ask |
//! | [`pages`] | the dashboard: pages for people |
//! | [`compat`] | the endpoints of the system before |
//! | [`v1`] | the API: mails, deliveries, events, configuration, operations |
//! | [`openapi`] | its description, and a page to try it |
//! | [`server`], [`gate`], [`door`] | what holds for every connection and request |
//!
//! Handlers translate: what they ask is a query of the read models, or a message.

pub(crate) mod access;
pub(crate) mod bodies;
pub(crate) mod client;
pub(crate) mod compat;
mod door;
mod gate;
pub(crate) mod idempotency;
mod openapi;
mod pages;
mod problem;
mod public;
pub(crate) mod recent;
mod routes;
mod server;
pub(crate) mod streams;
mod sweep;
#[cfg(test)]
mod tests;
mod v1;

use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;
use render_signal_actors::config::edit::Editor;
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::journal::JournalAdmin;
use render_signal_actors::search::Search;

use crate::health::probe::{Draining, Pulse, StatusProbe};
use crate::services::Services;
use access::Access;
use access::bearer::TokenDigest;
use bodies::BodyPermits;
pub(crate) use compat::Reference;
use compat::config_api::ConfigApi;
use idempotency::Idempotency;
use recent::Recent;
pub(crate) use server::BoundServer;
use streams::StreamLimit;
pub(crate) use v1::attention::Around;
pub(crate) use v1::events::EventHub;
pub(crate) use v1::live::LiveHub;

/// What the handlers need.
#[derive(Clone)]
pub(crate) struct HttpState {
    /// Asks the parts.
    pub(crate) probe: StatusProbe,
    /// Renders the metrics.
    pub(crate) metrics: PrometheusHandle,
    /// The program is stopping.
    pub(crate) draining: Draining,
    /// The actors' thread lives.
    pub(crate) pulse: Pulse,
    /// `METRICS_TOKEN`: shows more than states; `None` = nobody has it.
    pub(crate) metrics_token: Option<TokenDigest>,
    /// `METRICS_PUBLIC`: everybody may see the metrics.
    pub(crate) metrics_public: bool,
    /// Who asks, and whether they may.
    pub(crate) access: Access,
    /// Serves the configuration documents; `None` = nobody has a token.
    pub(crate) config_api: Option<ConfigApi>,
    /// What has happened.
    pub(crate) journal: Arc<dyn JournalAdmin>,
    /// Changes the configuration documents.
    pub(crate) editor: Editor,
    /// Time, ids and chance.
    pub(crate) world: World,
    /// How many bytes of bodies are in memory.
    pub(crate) bodies: BodyPermits,
    /// Requests with an `Idempotency-Key`.
    pub(crate) idempotency: Idempotency,
    /// Finds mails by their texts, and makes pages of their list.
    pub(crate) search: Search,
    /// What can be done.
    pub(crate) services: Services,
    /// The log as it grows.
    pub(crate) hub: EventHub,
    /// How everything is, as it changes.
    pub(crate) live: LiveHub,
    /// How everything was a moment ago, for those who count what needs a person.
    pub(crate) recent: Recent<Around>,
    /// The streams that are open.
    pub(crate) streams: StreamLimit,
    /// What the endpoints of the system before need besides.
    pub(crate) reference: Reference,
}
