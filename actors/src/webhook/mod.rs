//! (to come)

pub mod address;
pub mod breaker;
pub mod delivery;
pub mod port;
pub mod rate;
pub mod retry;
pub mod sign;
pub mod state;
