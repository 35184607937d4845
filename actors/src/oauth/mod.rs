//! OAuth2 (RFC 6749): access tokens for a mailbox, from a refresh token that a person has agreed to.
//!
//! ```text
//! consent (authorize/) ─▶ refresh token ─▶ the environment: the seed
//!                                            │
//!      provider's token endpoint ◀── TokenService ──▶ access token, in memory only
//!             │                          │    ▲
//!             └─ another refresh token ──┴──▶ RefreshTokens: kept, if the provider changes it
//! ```
//!
//! | file | what it knows |
//! |---|---|
//! | `provider` | whose tokens: addresses, scopes, where the mailbox is |
//! | `grant` | what a token endpoint is asked, and what its answer means; pure |
//! | `state` | which token counts, when to ask again; pure |
//! | `service` | one request at a time, and whoever waits for it |
//! | `kept`, `kept_in_redis` | where a refresh token is kept that replaces the seed |
//! | `authorize/` | how a person agrees: by a code on another device, or in a browser on this machine |
//! | `check/` | that it still works, once a week, in the files of the reference system |
//!
//! No token is in an event, a log line, a metric or an error. Nobody here knows what the tokens
//! are for: the poller has a port of its own, and the wiring stands between.

pub mod authorize;
pub mod check;
mod endpoint;
pub mod grant;
pub mod kept;
pub mod kept_in_redis;
pub mod provider;
pub mod service;
pub mod state;
#[cfg(test)]
mod tests;

pub use self::endpoint::TokenEndpoint;
pub use self::grant::{OAuthClient, TokenTrouble};
pub use self::provider::{OAuthProvider, ProviderName};
pub use self::service::{OAuthReport, TokenService};
