//! (to come)

pub mod state;
