//! A question before something is done that cannot be taken back, or is done to many.

use askama::Template;
use askama::filters::HtmlSafe;

/// A button that opens a dialog with a form (HTML `popover`: works without a script, Escape closes
/// it, and the focus returns).
#[derive(Debug, Clone, Template)]
#[template(path = "parts/confirm.html")]
pub(in crate::http) struct Confirm {
    /// An id of its own on the page.
    pub(in crate::http::pages) id: String,
    /// What the button says.
    pub(in crate::http::pages) button: String,
    /// Classes of the button besides `button`: `primary`, `quiet`, `danger`, `small`.
    pub(in crate::http::pages) class: &'static str,
    /// The question; it names how many, where it is about several.
    pub(in crate::http::pages) title: String,
    /// What will happen.
    pub(in crate::http::pages) text: String,
    /// Where the form goes.
    pub(in crate::http::pages) action: String,
    /// What it sends besides.
    pub(in crate::http::pages) fields: Vec<(String, String)>,
    /// What the button says that does it.
    pub(in crate::http::pages) yes: String,
    /// What the button says that does not.
    pub(in crate::http::pages) no: String,
}

impl HtmlSafe for Confirm {}
