//! What each command does, one file per command. They decide nothing: they ask the
//! journal and the rooms, and print.

pub(crate) mod deliveries;
pub(crate) mod events;
