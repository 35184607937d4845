//! What the offload tells the program about itself, when asked.

use actix::Message;
use serde::Serialize;

/// How is the offload?
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "R2Status")]
pub struct GetR2Status;

/// How the offload is. Counts start anew with the actor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct R2Status {
    /// Mails whose links are being copied.
    pub in_flight: usize,
    /// Links copied into R2.
    pub copied: u64,
    /// Links whose earlier copy was used again.
    pub reused: u64,
    /// Links sent as they were found.
    pub kept: u64,
    /// Mails put aside because their draft could not be read.
    pub parked: u64,
    /// Mails that wait for copies that cannot be made at the moment.
    pub put_off: usize,
    /// What the last of them waits for.
    pub trouble: Option<String>,
}
