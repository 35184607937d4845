//! Where copies of linked files and archived events go.

use std::sync::Arc;

use async_trait::async_trait;
use render_signal_actors::archive::bucket::{BucketArchive, BucketSettings};
use render_signal_actors::archive::store::{ArchiveStore, FileArchive};
use render_signal_actors::egress::{ClientOptions, EgressPolicy, GuardedClient};
use render_signal_actors::kernel::clock::World;
use render_signal_actors::r2::direct::{DirectSettings, DirectStore};
use render_signal_actors::r2::worker::WorkerClient;
use render_signal_actors::r2::{Copied, Copies, Job, LinkStore, NoCopy};

use super::{egress, no_client};
use crate::exit::CommandFailure;
use crate::settings::{R2Settings, Settings};

pub(super) fn links(
    settings: &Settings,
    egress: &EgressPolicy,
    world: &World,
) -> Result<Arc<dyn LinkStore>, CommandFailure> {
    let Some(r2) = &settings.r2 else { return Ok(Arc::new(NoR2)) };
    Ok(match r2 {
        R2Settings::Worker(worker) => {
            let http = GuardedClient::new(egress, ClientOptions::default()).map_err(no_client)?;
            Arc::new(WorkerClient::new(worker.clone(), Arc::new(http), world.clone()))
        }
        R2Settings::Direct(direct) => Arc::new(bucket(direct, egress, world)?),
    })
}

/// The bucket that files are copied into directly.
///
/// # Errors
/// When no HTTP client can be set up.
pub(crate) fn bucket(
    direct: &DirectSettings,
    egress: &EgressPolicy,
    world: &World,
) -> Result<DirectStore, CommandFailure> {
    let options = ClientOptions::default();
    DirectStore::new(direct.clone(), egress, &options, world.clone()).map_err(no_client)
}

/// Where archived events go.
///
/// # Errors
/// When no HTTP client can be set up.
pub(crate) fn archive(settings: &Settings) -> Result<Arc<dyn ArchiveStore>, CommandFailure> {
    Ok(match &settings.archive_bucket {
        Some(bucket) => Arc::new(archive_bucket(bucket, &egress(settings))?),
        None => Arc::new(FileArchive::new(settings.storage.archive_dir.clone())),
    })
}

/// The bucket of archived events.
///
/// # Errors
/// When no HTTP client can be set up.
pub(crate) fn archive_bucket(
    bucket: &BucketSettings,
    egress: &EgressPolicy,
) -> Result<BucketArchive, CommandFailure> {
    let http = GuardedClient::new(egress, ClientOptions::default()).map_err(no_client)?;
    Ok(BucketArchive::new(bucket, http))
}

pub(super) fn copies(settings: &Settings) -> Copies {
    Copies {
        retention: settings.r2_retention,
        public_base_url: match &settings.r2 {
            Some(R2Settings::Worker(worker)) => worker.public_base_url.clone(),
            Some(R2Settings::Direct(direct)) => Some(direct.public_base_url.clone()),
            None => None,
        },
        list: Some(Arc::new(settings.storage.links.clone())),
    }
}

/// Without R2 no mail is routed through the offload; a mail that was, before R2 was removed
/// from the configuration, goes on with its source links.
struct NoR2;

#[async_trait]
impl LinkStore for NoR2 {
    async fn offload(&self, _: Job) -> Result<Copied, NoCopy> {
        Err(NoCopy::lasting("R2 is not configured"))
    }
}
