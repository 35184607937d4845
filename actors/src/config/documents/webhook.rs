//! `webhook_config` (reference section 3.2): where webhooks go, and when.

use chrono::Weekday;
use serde_json::Value;

use super::FieldProblem;
use super::coerce::{DocumentFields, boolean, text};
use super::seed;
use super::time::bad_time;
use crate::config::policy::EnvDefaults;
use crate::config::urls;
use crate::egress::check_target;
use crate::kernel::said::{Said, said};
use crate::mail::policy::{Announced, DeliveryMode, Ordering, Share};
use crate::mail::rules::mask_url;
use crate::mail::windows::parse_time_hhmm;

/// The document. `None` leaves the choice to the environment.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct WebhookConfig {
    /// The default target. A capability: masked in `Debug`.
    pub webhook_url: Option<String>,
    /// What the bodies of webhooks are called.
    pub delivery_mode: Option<DeliveryMode>,
    /// Whether certificates of targets are checked.
    pub ssl_verify: Option<bool>,
    /// Master switch of sending.
    pub sending_enabled: Option<bool>,
    /// Start of the window as written; empty = not set.
    pub time_start: String,
    /// End of the window as written; empty = not set.
    pub time_end: String,
    /// `global_time_start` and `global_time_end`, when both are times: they are only told to
    /// receivers, see [`Announced`].
    pub announced: Option<Announced>,
    /// "Absence Globale" is on.
    pub absence_enabled: bool,
    /// Its days, each once.
    pub absence_days: Vec<Weekday>,
    /// Whether deliveries to the default target keep their order.
    pub ordering: Ordering,
    /// How much of a mail's text the default target is given.
    pub share: Share,
    /// Fields that stand for others, each with what it stands for.
    pub stand_ins: Vec<Said>,
}

impl std::fmt::Debug for WebhookConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookConfig")
            .field("webhook_url", &self.webhook_url.as_deref().map(mask_url))
            .field("delivery_mode", &self.delivery_mode)
            .field("ssl_verify", &self.ssl_verify)
            .field("sending_enabled", &self.sending_enabled)
            .field("time_start", &self.time_start)
            .field("time_end", &self.time_end)
            .field("announced", &self.announced)
            .field("absence_enabled", &self.absence_enabled)
            .field("absence_days", &self.absence_days)
            .field("ordering", &self.ordering)
            .field("share", &self.share)
            .finish()
    }
}

impl WebhookConfig {
    /// Reads the document. `env` supplies the networks targets may lie in, and the bounds
    /// that complete a window of which the document names one side only.
    ///
    /// # Errors
    /// Everything that is wrong, each naming its field.
    pub fn parse(value: &Value, env: &EnvDefaults) -> Result<Self, Vec<FieldProblem>> {
        let mut fields = DocumentFields::of(value)?;
        let mut document = Self {
            webhook_url: fields.read("webhook_url", |v| target_url(v, env)).flatten(),
            delivery_mode: fields.read("webhook_delivery_mode", delivery_mode).flatten(),
            ssl_verify: fields.read("webhook_ssl_verify", boolean),
            sending_enabled: fields.read("webhook_sending_enabled", boolean),
            time_start: fields.read("webhook_time_start", time).unwrap_or_default(),
            time_end: fields.read("webhook_time_end", time).unwrap_or_default(),
            announced: announced(fields.raw("global_time_start"), fields.raw("global_time_end")),
            absence_enabled: fields.read("absence_pause_enabled", boolean).unwrap_or(false),
            absence_days: fields.read("absence_pause_days", weekdays).unwrap_or_default(),
            ordering: fields.read("ordering", ordering).unwrap_or_default(),
            share: fields.read("webhook_body", share).unwrap_or_default(),
            stand_ins: Vec::new(),
        };
        seed::fill(&mut document, &mut fields);
        if document.absence_enabled
            && document.absence_days.is_empty()
            // A list that could not be read is reported already.
            && fields.raw("absence_pause_days").is_none_or(|days| weekdays(days).is_ok())
        {
            fields.wrong(
                "absence_pause_days",
                said!(
                    "Au moins un jour doit être sélectionné pour activer la pause absence.",
                    "At least one day must be selected while the pause of absence is on."
                ),
            );
        }
        let (start, end) = document.window_texts(env);
        if let (Some(start_time), Some(end_time)) = (parse_time_hhmm(start), parse_time_hhmm(end))
            && start_time == end_time
        {
            fields.wrong(
                "webhook_time_end",
                said!(
                    "webhook_time_start ({start}) et webhook_time_end ({end}) sont identiques\u{a0}: aucun webhook ne partirait jamais",
                    "webhook_time_start ({start}) and webhook_time_end ({end}) are the same: no webhook would ever go out"
                ),
            );
        }
        fields.finish(document)
    }

    /// The bounds in force: the document's when it has at least one, completed from the
    /// environment; otherwise the environment's (reference section 5.12). Empty = not set.
    #[must_use]
    pub fn window_texts<'a>(&'a self, env: &'a EnvDefaults) -> (&'a str, &'a str) {
        let or_env = |own: &'a str, env: &'a str| if own.is_empty() { env } else { own };
        (or_env(&self.time_start, &env.time_start), or_env(&self.time_end, &env.time_end))
    }
}

fn target_url(value: &Value, env: &EnvDefaults) -> Result<Option<String>, Said> {
    let Value::String(url) = value else {
        return match value {
            Value::Null => Ok(None),
            _ => Err(urls::not_https()),
        };
    };
    let url = url.trim();
    if url.is_empty() {
        return Ok(None);
    }
    check_target(url, &env.egress_allow).map_err(|why| urls::refusal(&why))?;
    Ok(Some(url.to_owned()))
}

/// A bound as written, trimmed; empty = not set.
fn time(value: &Value) -> Result<String, Said> {
    let written = text(value).map_err(|_| bad_time())?.trim().to_owned();
    if written.is_empty() || parse_time_hhmm(&written).is_some() { Ok(written) } else { Err(bad_time()) }
}

/// As in the reference system, what is no time says nothing, and is no error; two empty texts say
/// that there is no such window.
fn announced(start: Option<&Value>, end: Option<&Value>) -> Option<Announced> {
    let is_empty =
        |value: Option<&Value>| value.and_then(Value::as_str).is_some_and(|text| text.trim().is_empty());
    if is_empty(start) && is_empty(end) {
        return Some(Announced::default());
    }
    let bound = |value: Option<&Value>| {
        let written = value?.as_str()?.trim();
        parse_time_hhmm(written).map(|_| written.to_owned())
    };
    Some(Announced { start: bound(start)?, end: bound(end)? })
}

/// `json` or `form`; `None` = the environment decides.
fn delivery_mode(value: &Value) -> Result<Option<DeliveryMode>, Said> {
    let bad = || {
        said!(
            "webhook_delivery_mode doit être 'json' ou 'form'.",
            "webhook_delivery_mode must be 'json' or 'form'."
        )
    };
    match value {
        Value::Null => Ok(None),
        Value::String(name) if name.trim().is_empty() => Ok(None),
        Value::String(name) => DeliveryMode::named(name).map(Some).ok_or_else(bad),
        _ => Err(bad()),
    }
}

fn weekdays(value: &Value) -> Result<Vec<Weekday>, Said> {
    let members = match value {
        Value::Array(members) => members,
        Value::Null => return Ok(Vec::new()),
        _ => {
            return Err(said!(
                "absence_pause_days doit être une liste.",
                "absence_pause_days must be a list."
            ));
        }
    };
    let mut days = Vec::new();
    let mut unknown = Vec::new();
    for member in members {
        let name = member.as_str().map_or_else(|| member.to_string(), |name| name.trim().to_lowercase());
        match weekday(&name) {
            Some(day) if !days.contains(&day) => days.push(day),
            Some(_) => {}
            None => unknown.push(name),
        }
    }
    if unknown.is_empty() { Ok(days) } else { Err(no_days(&unknown.join(", "))) }
}

fn no_days(unknown: &str) -> Said {
    said!("Jours invalides: {unknown}", "these are no days: {unknown}")
}

fn weekday(name: &str) -> Option<Weekday> {
    Some(match name {
        "monday" => Weekday::Mon,
        "tuesday" => Weekday::Tue,
        "wednesday" => Weekday::Wed,
        "thursday" => Weekday::Thu,
        "friday" => Weekday::Fri,
        "saturday" => Weekday::Sat,
        "sunday" => Weekday::Sun,
        _ => return None,
    })
}

/// `all`, `text` or `none`; used by rules, too.
pub(in crate::config) fn share(value: &Value) -> Result<Share, Said> {
    let written = text(value)?;
    if written.trim().is_empty() {
        return Ok(Share::default());
    }
    Share::named(&written)
        .ok_or_else(|| said!("body invalide (all|text|none).", "the body is all, text or none."))
}

/// `none`, `sender` or `mailbox`; used by rules, too.
pub(in crate::config) fn ordering(value: &Value) -> Result<Ordering, Said> {
    let written = text(value)?;
    match written.trim().to_lowercase().as_str() {
        "" | "none" => Ok(Ordering::None),
        "sender" => Ok(Ordering::Sender),
        "mailbox" => Ok(Ordering::Mailbox),
        _ => Err(said!(
            "ordering invalide (none|sender|mailbox).",
            "ordering must be none, sender or mailbox."
        )),
    }
}
