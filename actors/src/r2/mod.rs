//! wip
pub mod normalize;
