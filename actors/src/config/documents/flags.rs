//! `runtime_flags` (reference section 3.4).

use serde_json::Value;

use super::FieldProblem;
use super::coerce::{DocumentFields, boolean};

/// The document. `None` leaves the choice to the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuntimeFlags {
    /// Skip the refusal of an e-mail id that was admitted before.
    pub disable_email_id_dedup: Option<bool>,
    /// Deliver mails without links, too.
    pub allow_custom_webhook_without_links: Option<bool>,
    /// Mails that are handed over by HTTP are taken.
    pub gmail_ingress_enabled: Option<bool>,
}

impl RuntimeFlags {
    /// Reads the document.
    ///
    /// # Errors
    /// Everything that is wrong, each naming its field.
    pub fn parse(value: &Value) -> Result<Self, Vec<FieldProblem>> {
        let mut fields = DocumentFields::of(value)?;
        let document = Self {
            disable_email_id_dedup: fields.read("disable_email_id_dedup", boolean),
            allow_custom_webhook_without_links: fields.read("allow_custom_webhook_without_links", boolean),
            gmail_ingress_enabled: fields.read("gmail_ingress_enabled", boolean),
        };
        fields.finish(document)
    }
}
