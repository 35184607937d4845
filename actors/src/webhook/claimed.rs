//! A claimed row of the outbox: a delivery that this worker may work on until its claim runs out.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::kernel::load::Held;
use crate::mail::outbox_rows::DeliverMeta;

/// See the module page.
#[derive(Debug)]
pub struct ClaimedDelivery {
    /// Key in the outbox.
    pub key: String,
    /// Names the claim in the commit that ends it.
    pub claim: Uuid,
    /// When the claim runs out.
    pub claimed_until: DateTime<Utc>,
    /// The state of the delivery.
    pub meta: DeliverMeta,
    /// The webhook's exact bytes; `None` when they are no longer kept.
    pub body: Option<Bytes>,
    /// Counts the body while it is in memory.
    pub held: Held,
}

impl ClaimedDelivery {
    /// Lets the body go, which is not sent any more.
    pub(super) fn drop_body(&mut self) {
        self.body = None;
        self.held = Held::default();
    }
}
