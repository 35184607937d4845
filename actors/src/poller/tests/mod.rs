//! The poller against a fake mailbox, in virtual time.

mod flagging;
mod lasting;
mod support;
mod sweeping;
