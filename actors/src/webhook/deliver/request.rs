//! The headers of a webhook.

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};

use crate::mail::outbox_rows;
use crate::mail::policy::DeliveryMode;

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// W3C Trace Context.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A time stamp, in seconds since 1970, and the signature under it.
pub(in super::super) type Signature = (i64, String);

/// What a webhook is sent with, besides its body.
///
/// # Errors
/// When a header cannot be sent.
pub(in super::super) fn headers(
    id: String,
    mode: DeliveryMode,
    signature: Option<Signature>,
) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(mode.content_type()));
    headers
        .insert(USER_AGENT, HeaderValue::from_static(concat!("render-signal/", env!("CARGO_PKG_VERSION"))));
    if let Some((timestamp, signature)) = signature {
        headers.insert(WEBHOOK_TIMESTAMP, HeaderValue::from(timestamp));
        headers.insert(WEBHOOK_SIGNATURE, header(signature)?);
    }
    headers.insert(WEBHOOK_ID, header(id)?);
    Ok(headers)
}

/// Says which trace the request belongs to, and by which span it is made.
///
/// # Errors
/// When the header cannot be sent.
pub(super) fn belongs_to(headers: &mut HeaderMap, traceparent: String) -> Result<(), String> {
    headers.insert(TRACEPARENT, header(traceparent)?);
    Ok(())
}

fn header(value: String) -> Result<HeaderValue, String> {
    HeaderValue::try_from(value).map_err(|error| format!("a header cannot be sent: {error}"))
}

/// `webhook-id` in visible ASCII: the id of a target may hold anything.
pub(super) fn header_id(email_id: &str, target: &str) -> String {
    const UNSAFE: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS.add(b' ');
    percent_encoding::utf8_percent_encode(&outbox_rows::webhook_id(email_id, target), UNSAFE).to_string()
}
