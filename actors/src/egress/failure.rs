//! Why a request got no answer.

use super::local;

/// Why there is no answer. Never contains the address's path: it is a capability.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The guard does not let it out. Nothing was sent, and the same address never will be.
    #[error("refused: {0}")]
    Refused(String),
    /// The name leads at the moment where the guard lets nothing go. Nothing was sent.
    #[error("refused for now: {0}")]
    RefusedNow(String),
    /// No complete answer in time. The server may have got the request.
    #[error("no answer in time")]
    Timeout,
    /// This machine could not try: too many open files, no memory, no network. Nothing was sent,
    /// and it says nothing about the server.
    #[error("this machine cannot connect: {0}")]
    Local(String),
    /// No connection could be made. Nothing was sent.
    #[error("no connection: {0}")]
    Connect(String),
    /// The connection broke. The server may have got the request.
    #[error("the connection failed: {0}")]
    Transport(String),
}

pub(super) fn classify(error: reqwest::Error) -> SendError {
    let error = error.without_url();
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(cause) = source {
        // What the guard has said, on its way through the HTTP client's errors.
        if let Some(said) = cause.downcast_ref::<SendError>() {
            return said.clone();
        }
        source = cause.source();
    }
    if error.is_connect() && local::is_ours(&error) {
        SendError::Local(describe(&error))
    } else if error.is_connect() {
        SendError::Connect(describe(&error))
    } else if error.is_timeout() {
        SendError::Timeout
    } else {
        SendError::Transport(describe(&error))
    }
}

/// The last and most telling cause of an error. The outer layers name the address.
pub(super) fn describe(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
