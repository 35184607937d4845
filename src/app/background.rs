//! What runs beside the service for as long as it runs: retention, the index of the search, the pulse.

use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use render_signal_actors::archive::Archiver;
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::journal::{Journal, JournalAdmin};
use render_signal_actors::retention::Retention;
use render_signal_actors::search::Search;

use crate::exit::CommandFailure;
use crate::health::probe::Pulse;
use crate::journal::Watched;
use crate::settings::Settings;
use crate::wiring;

/// Between two beats of the actors' thread.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);

/// Beats between two rounds of the metrics' housekeeping.
const BEATS_PER_UPKEEP: u32 = 5;

/// Beats on the actors' thread, and does the metrics' housekeeping.
pub(super) fn keep_alive(pulse: Pulse, metrics: PrometheusHandle) {
    drop(actix_rt::spawn(async move {
        let mut ticks = tokio::time::interval(HEARTBEAT_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for beat in 0_u32.. {
            ticks.tick().await;
            pulse.beat();
            if beat % BEATS_PER_UPKEEP == 0 {
                metrics.run_upkeep();
            }
        }
    }));
}

/// What finds mails by their texts. Its index lies beside the journal, or beside what a worker keeps
/// of one that is elsewhere.
pub(super) fn search(settings: &Settings, journal: &Arc<Watched>) -> Result<Search, CommandFailure> {
    let path = settings.storage.search_index();
    Search::open(Arc::clone(journal) as Arc<dyn Journal>, Some(path))
        .map_err(|error| CommandFailure::found(error.to_string()))
}

/// What drops what is kept no longer.
pub(super) fn retention(
    settings: &Settings,
    journal: &Arc<Watched>,
    world: &World,
) -> Result<Retention, CommandFailure> {
    Ok(Retention {
        world: world.clone(),
        journal: Arc::clone(journal) as Arc<dyn JournalAdmin>,
        history: settings.storage.config_history,
        archiver: archiver(settings, journal, world)?,
    })
}

/// What moves old events out of the journal, if anything does.
fn archiver(
    settings: &Settings,
    journal: &Arc<Watched>,
    world: &World,
) -> Result<Option<Archiver>, CommandFailure> {
    let Some(days) = settings.storage.journal_retention_days else { return Ok(None) };
    if let Some(why) = settings.no_archive() {
        tracing::warn!(code = why.code(), why = %why.said(), "old events stay in the journal");
        return Ok(None);
    }
    Ok(Some(Archiver {
        world: world.clone(),
        journal: Arc::clone(journal) as Arc<dyn Journal>,
        store: wiring::archive(settings)?,
        days,
    }))
}
