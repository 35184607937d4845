//! Detectors: what kind of mail this is, as data.
//!
//! A detector is a named set of conditions and extractions in the `detectors` document;
//! `docs/DETECTORS.md` describes the language.

/// What becomes of a mail outside of the delivery window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum OutsideWindow {
    /// It waits for the window.
    #[default]
    Hold,
    /// Nothing is sent for it, unless an operator releases it.
    Skip,
    /// It is sent at once.
    Send,
}

impl OutsideWindow {
    /// The name in a document.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Skip => "skip",
            Self::Send => "send",
        }
    }
}

/// What a detector recognises, and what follows.
#[derive(Debug, Clone)]
pub struct Detector {
    /// Unique among the detectors.
    pub id: String,
    /// Value of `detector` in the payload.
    pub value: String,
    /// Outside of the window, for an urgent mail and for any other.
    pub outside_window: [OutsideWindow; 2],
}

impl Detector {
    /// What becomes of a mail of this kind outside of the delivery window.
    #[must_use]
    pub const fn outside_window(&self, urgent: bool) -> OutsideWindow {
        let [for_urgent, otherwise] = self.outside_window;
        if urgent { for_urgent } else { otherwise }
    }
}

/// The detectors of an installation that configures none.
#[must_use]
pub fn defaults() -> Vec<Detector> {
    let detector = |id: &str, value: &str, otherwise| Detector {
        id: id.to_owned(),
        value: value.to_owned(),
        outside_window: [OutsideWindow::Hold, otherwise],
    };
    vec![
        detector("recadrage", super::detect::RECADRAGE, OutsideWindow::Hold),
        detector("desabo", super::detect::DESABO, OutsideWindow::Send),
    ]
}
