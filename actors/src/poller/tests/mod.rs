//! The poller against a fake mailbox, in virtual time.

mod checking;
mod first;
mod flagging;
mod lasting;
pub(super) mod support;
mod sweeping;
