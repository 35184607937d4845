//! `processing_prefs` (reference section 3.3): limits and retries.

use std::collections::BTreeMap;

use serde_json::Value;

use super::FieldProblem;
use super::coerce::{DocumentFields, boolean, integer, words};
use crate::kernel::said::{Said, said};
use crate::mail::authentication::{Mode, SenderAuthentication};
use crate::mail::policy::Priority;

/// The document; absent fields have the reference's defaults, but for `rate_limit_per_hour`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessingPrefs {
    /// Words that exclude any mail, trimmed, without blank ones.
    pub exclude_keywords: Vec<String>,
    /// Words that exclude a mail of the detector `recadrage`.
    pub exclude_keywords_recadrage: Vec<String>,
    /// Words that exclude a mail of the detector `desabonnement_journee_tarifs`.
    pub exclude_keywords_autorepondeur: Vec<String>,
    /// Only mails with an attachment.
    pub require_attachments: bool,
    /// Larger mails are recorded, not loaded; in MiB, > 0. `None` = no limit.
    pub max_email_size_mb: Option<u32>,
    /// Lower-cased address → `high`, `medium` or `low`.
    pub sender_priority: BTreeMap<String, Priority>,
    /// Repetitions after the first attempt, 0–10; 0 = the built-in schedule.
    pub retry_count: u32,
    /// Seconds, 0–600.
    pub retry_delay_sec: u32,
    /// Seconds, 1–300.
    pub webhook_timeout_sec: u32,
    /// Deliveries per target and hour, 0–100000; 0 = unlimited.
    pub rate_limit_per_hour: u32,
    /// Dead letters are told to `NOTIFY_WEBHOOK_URL`.
    pub notify_on_failure: bool,
    /// `off`, `warn` or `require`, and the hosts whose reports are believed.
    pub authentication: SenderAuthentication,
    /// Absences, reports and receipts do not trigger.
    pub ignore_automatic: bool,
    /// Senders whose automatic answers trigger all the same, lower-cased.
    pub ignore_automatic_except: Vec<String>,
    /// Prefixes of replies and forwards, instead of the built-in ones.
    pub reply_prefixes: Option<Vec<String>>,
    /// Words that may stand before such a prefix, instead of the built-in ones.
    pub subject_marks: Option<Vec<String>>,
    /// Checked and kept. It has nothing to decide, as in the reference system, where no code
    /// reads it: every mail goes to the custom target anyway, with its links.
    pub mirror_media_to_custom: bool,
}

impl Default for ProcessingPrefs {
    fn default() -> Self {
        Self {
            exclude_keywords: Vec::new(),
            exclude_keywords_recadrage: Vec::new(),
            exclude_keywords_autorepondeur: Vec::new(),
            require_attachments: false,
            max_email_size_mb: None,
            sender_priority: BTreeMap::new(),
            retry_count: 0,
            retry_delay_sec: 2,
            webhook_timeout_sec: 30,
            rate_limit_per_hour: 0,
            notify_on_failure: false,
            authentication: SenderAuthentication::default(),
            ignore_automatic: true,
            ignore_automatic_except: Vec::new(),
            reply_prefixes: None,
            subject_marks: None,
            mirror_media_to_custom: true,
        }
    }
}

impl ProcessingPrefs {
    /// Reads the document.
    ///
    /// # Errors
    /// Everything that is wrong, each naming its field.
    pub fn parse(value: &Value) -> Result<Self, Vec<FieldProblem>> {
        let default = Self::default();
        let mut fields = DocumentFields::of(value)?;
        let mut keywords = |name: &str| keywords(&mut fields, name);
        let exclude_keywords = keywords("exclude_keywords").unwrap_or_default();
        let exclude_keywords_recadrage = keywords("exclude_keywords_recadrage").unwrap_or_default();
        let exclude_keywords_autorepondeur = keywords("exclude_keywords_autorepondeur").unwrap_or_default();
        let except = keywords("ignore_automatic_except").unwrap_or_default();
        let reply_prefixes = keywords("reply_prefixes");
        let subject_marks = keywords("subject_marks");
        let trusted = keywords("trusted_authserv_ids").unwrap_or_default();
        let authentication = authentication(&mut fields, &trusted);
        let mut number = |name: &str, min: u32, max: u32, default: u32| {
            fields.read(name, |value| within(value, name, min, max)).unwrap_or(default)
        };
        let retry_count = number("retry_count", 0, 10, default.retry_count);
        let retry_delay_sec = number("retry_delay_sec", 0, 600, default.retry_delay_sec);
        let webhook_timeout_sec = number("webhook_timeout_sec", 1, 300, default.webhook_timeout_sec);
        let rate_limit_per_hour = number("rate_limit_per_hour", 0, 100_000, default.rate_limit_per_hour);
        let document = Self {
            exclude_keywords,
            exclude_keywords_recadrage,
            exclude_keywords_autorepondeur,
            require_attachments: fields.read("require_attachments", boolean).unwrap_or(false),
            max_email_size_mb: fields.read("max_email_size_mb", size).flatten(),
            sender_priority: fields.read("sender_priority", priorities).unwrap_or_default(),
            retry_count,
            retry_delay_sec,
            webhook_timeout_sec,
            rate_limit_per_hour,
            notify_on_failure: fields.read("notify_on_failure", boolean).unwrap_or(false),
            authentication,
            ignore_automatic: fields.read("ignore_automatic", boolean).unwrap_or(true),
            ignore_automatic_except: except.iter().map(|sender| sender.to_lowercase()).collect(),
            reply_prefixes,
            subject_marks,
            mirror_media_to_custom: fields.read("mirror_media_to_custom", boolean).unwrap_or(true),
        };
        fields.finish(document)
    }
}

/// A list of words; `None` when the field is absent.
fn keywords(fields: &mut DocumentFields<'_>, name: &str) -> Option<Vec<String>> {
    let message = said!("{name} doit être une liste de chaînes", "{name} must be a list of texts");
    fields.read(name, |value| words(value, &message))
}

/// Asked of nobody in particular, it would stop every mail: a host has to be named.
fn authentication(fields: &mut DocumentFields<'_>, trusted: &[String]) -> SenderAuthentication {
    let mode = fields.read("sender_authentication", |value| match value.as_str() {
        Some("off") => Ok(Mode::Off),
        Some("warn") => Ok(Mode::Warn),
        Some("require") => Ok(Mode::Require),
        _ => Err(said!(
            "sender_authentication invalide (off|warn|require)",
            "sender_authentication must be off, warn or require"
        )),
    });
    let mode = mode.unwrap_or_default();
    if mode != Mode::Off && trusted.is_empty() {
        fields.wrong(
            "trusted_authserv_ids",
            said!("trusted_authserv_ids doit nommer au moins un serveur quand sender_authentication n'est pas off", "trusted_authserv_ids must name at least one server while sender_authentication is not off"),
        );
    }
    SenderAuthentication { mode, trusted: trusted.iter().map(|host| host.to_lowercase()).collect() }
}

fn whole(value: &Value) -> Result<i64, Said> {
    integer(value).map_err(|message| Said::alike(format!("Validation error: {message}")))
}

fn within(value: &Value, name: &str, min: u32, max: u32) -> Result<u32, Said> {
    u32::try_from(whole(value)?)
        .ok()
        .filter(|number| (min..=max).contains(number))
        .ok_or_else(|| said!("{name} hors limites ({min}..{max})", "{name} is out of bounds ({min}..{max})"))
}

fn size(value: &Value) -> Result<Option<u32>, Said> {
    if value.is_null() {
        return Ok(None);
    }
    // Beyond four million MiB there is no mail: the same as no limit.
    let size = whole(value)?;
    if size <= 0 {
        return Err(said!(
            "max_email_size_mb doit être > 0 ou null",
            "max_email_size_mb must be > 0 or null"
        ));
    }
    Ok(u32::try_from(size).ok())
}

fn priorities(value: &Value) -> Result<BTreeMap<String, Priority>, Said> {
    let members = match value {
        Value::Object(members) => members,
        // The PHP back end writes an empty object as an empty list.
        Value::Array(members) if members.is_empty() => return Ok(BTreeMap::new()),
        _ => {
            return Err(said!(
                "sender_priority doit être un objet {{email: niveau}}",
                "sender_priority must be an object {{email: level}}"
            ));
        }
    };
    let mut priorities = BTreeMap::new();
    for (address, level) in members {
        let Value::String(level) = level else {
            return Err(said!(
                "sender_priority: clés et valeurs doivent être des chaînes",
                "sender_priority: names and values must be texts"
            ));
        };
        let level = level.trim().to_lowercase();
        let level =
            Priority::ALL.into_iter().find(|priority| priority.as_str() == level).ok_or_else(|| {
                said!(
                    "sender_priority: niveau invalide (high|medium|low)",
                    "sender_priority: a level is high, medium or low"
                )
            })?;
        priorities.insert(address.trim().to_lowercase(), level);
    }
    Ok(priorities)
}
