//! A target: its address, its circuit breaker, and its health in the journal.

pub mod address;
pub mod breaker;
mod health;

pub use self::health::{TargetError, carry_out, enable_target};
