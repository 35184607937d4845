//! `/api/v1`: what programs ask, and what the dashboard's pages are made of.
//!
//! Each answer is one struct, filled from a query of the read models or from a message.

pub(in crate::http) mod access;
pub(in crate::http) mod attention;
pub(in crate::http) mod config;
pub(in crate::http) mod deliveries;
pub(in crate::http) mod events;
pub(in crate::http) mod extract;
pub(in crate::http) mod live;
pub(in crate::http) mod mails;
pub(in crate::http) mod operations;
pub(in crate::http) mod page;
pub(in crate::http) mod refused;
pub(in crate::http) mod targets;
#[cfg(test)]
mod tests;
pub(in crate::http) mod webhooks;

use super::routes::Route;

pub(in crate::http) use extract::{JsonBody, JsonOrNothing, Params};

/// The addresses of this room.
pub(in crate::http) fn routes() -> Vec<Route> {
    [
        access::routes(),
        attention::routes(),
        config::routes(),
        deliveries::routes(),
        events::routes(),
        live::routes(),
        mails::routes(),
        operations::routes(),
        targets::routes(),
        webhooks::routes(),
    ]
    .concat()
}
