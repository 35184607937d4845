//! The pages of the login, as structs.

use askama::Template;

use super::words::Words;
use crate::http::pages::frame::Frame;

/// The form, with what went wrong.
#[derive(Template)]
#[template(path = "login/form.html")]
pub(super) struct FormPage {
    /// What stands around it.
    pub(super) frame: Frame,
    /// The texts.
    pub(super) w: &'static Words,
    /// What went wrong; empty = nothing.
    pub(super) said: String,
    /// The user that was entered.
    pub(super) user: String,
    /// Where to go then.
    pub(super) next: String,
}

/// One button that uses a sign-in link. It is sent to where the page came from, so that the
/// link's own text is not on it.
#[derive(Template)]
#[template(path = "login/link.html")]
pub(super) struct LinkPage {
    /// What stands around it.
    pub(super) frame: Frame,
    /// The texts.
    pub(super) w: &'static Words,
}

/// One button that ends the session.
#[derive(Template)]
#[template(path = "login/leave.html")]
pub(super) struct LeavePage {
    /// What stands around it.
    pub(super) frame: Frame,
    /// The texts.
    pub(super) w: &'static Words,
}
