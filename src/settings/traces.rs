//! Where traces go.

use std::fmt;

use render_signal_actors::egress::CollectorHeaders;
use url::Url;

use super::reader::VariableReader;
use super::variables as vars;

/// A collector, and what it is told.
#[derive(Clone)]
pub(crate) struct TraceSettings {
    /// The whole address.
    pub(crate) url: Url,
    /// `OTEL_EXPORTER_OTLP_HEADERS`.
    pub(crate) headers: CollectorHeaders,
    /// `OTEL_SERVICE_NAME`.
    pub(crate) service: String,
}

impl fmt::Debug for TraceSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceSettings").field("service", &self.service).finish_non_exhaustive()
    }
}

/// `None` = nobody wants traces, or it is said what is wrong.
pub(super) fn read(reader: &mut VariableReader<'_>) -> Option<TraceSettings> {
    let endpoint = reader.text(&vars::OTEL_EXPORTER_OTLP_ENDPOINT);
    let headers = CollectorHeaders::parse(&reader.text(&vars::OTEL_EXPORTER_OTLP_HEADERS));
    let service = reader.text(&vars::OTEL_SERVICE_NAME);
    let headers = headers.map_err(|why| reader.wrong(&vars::OTEL_EXPORTER_OTLP_HEADERS, why)).ok()?;
    if endpoint.is_empty() {
        return None;
    }
    match Url::parse(&format!("{}/v1/traces", endpoint.trim_end_matches('/'))) {
        Ok(url) if ["http", "https"].contains(&url.scheme()) => Some(TraceSettings { url, headers, service }),
        _ => {
            reader.wrong(
                &vars::OTEL_EXPORTER_OTLP_ENDPOINT,
                "is no address that begins with http:// or https://",
            );
            None
        }
    }
}
