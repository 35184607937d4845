//! What is written on an object: its metadata and headers. Pure.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::disposition;
use super::source_response::SourceResponse;
use crate::mail::providers::Reach;
use crate::r2::name::sanitise;
use crate::r2::normalize::object_key;

/// Metadata are HTTP headers: what is not printable ASCII is percent-encoded, and so is `%`.
const UNSAFE: &AsciiSet = &CONTROLS.add(b'%');
/// Longest source address that is kept; R2 takes 8 KiB of metadata in all.
const MAX_SOURCE: usize = 4096;

/// First parts of keys: what lies elsewhere in the bucket is not ours, and is never touched.
pub(super) const FOLDERS: [&str; 5] = ["dropbox", "fromsmash", "swisstransfer", "wetransfer", "unknown"];

const SOURCE_URL: &str = "sourceUrl";
const PROVIDER: &str = "provider";
const EMAIL_ID: &str = "emailId";
const UPLOADED_AT: &str = "uploadedAt";
const EXPIRES_AT: &str = "expiresAt";
const ORIGINAL_FILENAME: &str = "originalFilename";

/// One link to copy, as far as it does not depend on what its host answers.
#[derive(Debug, Clone)]
pub(super) struct LinkItem {
    /// The link, normalised.
    pub(super) source_url: String,
    /// File service.
    pub(super) provider: String,
    /// The mail.
    pub(super) email_id: String,
    /// Where the copy will lie in the bucket.
    pub(super) key: String,
    /// Where it may be fetched.
    pub(super) reach: Arc<Reach>,
}

impl LinkItem {
    /// The item of a normalised link.
    pub(super) fn new(source_url: String, provider: &str, email_id: String, reach: Arc<Reach>) -> Self {
        let provider = if FOLDERS.contains(&provider) { provider } else { "unknown" };
        let key = object_key(&source_url, provider);
        Self { key, provider: provider.to_owned(), source_url, email_id, reach }
    }

    /// It is a Dropbox folder, which comes as a ZIP file made on the fly.
    pub(super) fn is_folder(&self) -> bool {
        self.provider == "dropbox" && self.source_url.contains("/scl/fo/")
    }
}

/// Headers of a new object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ObjectMetadata {
    /// `Content-Type`.
    pub(super) content_type: String,
    /// `Content-Disposition`: always an attachment, so that a page or a picture with scripts
    /// is never shown under the bucket's domain.
    pub(super) content_disposition: String,
    /// Custom metadata, names as the reference's Worker has them.
    pub(super) metadata: HashMap<String, String>,
}

impl ObjectMetadata {
    /// The labels of the copy of `item`.
    pub(super) fn new(
        item: &LinkItem,
        offer: &SourceResponse,
        now: DateTime<Utc>,
        retention: Option<Duration>,
    ) -> Self {
        let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let mut metadata = HashMap::from([
            (PROVIDER.to_owned(), encode(&item.provider)),
            (EMAIL_ID.to_owned(), encode(&item.email_id)),
            (UPLOADED_AT.to_owned(), time(now)),
        ]);
        let source_url = encode(&item.source_url);
        if source_url.len() <= MAX_SOURCE {
            metadata.insert(SOURCE_URL.to_owned(), source_url);
        }
        if let Some(retention) = retention {
            metadata.insert(EXPIRES_AT.to_owned(), time(now + retention));
        }
        if let Some(name) = &offer.name {
            metadata.insert(ORIGINAL_FILENAME.to_owned(), encode(name));
        }
        let key_name = item.key.rsplit('/').next().unwrap_or_default();
        let name = offer.name.as_deref().unwrap_or(key_name);
        Self {
            content_type: offer.content_type.clone().unwrap_or_else(|| "application/octet-stream".to_owned()),
            content_disposition: disposition::attachment(name),
            metadata,
        }
    }
}

/// What the metadata of an object say. S3 gives their names back in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Existing {
    /// The copy may be deleted then; `None` = never.
    pub(super) expires_at: Option<DateTime<Utc>>,
    /// The file's own name.
    pub(super) original_filename: Option<String>,
}

/// Reads what [`ObjectMetadata`] has written, or the reference's Worker.
pub(super) fn read(metadata: &HashMap<String, String>) -> Existing {
    let find = |wanted: &str| {
        metadata.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.as_str())
    };
    let expires_at = find(EXPIRES_AT).and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    let name = find(ORIGINAL_FILENAME).map(|text| percent_decode_str(text).decode_utf8_lossy());
    Existing {
        expires_at: expires_at.map(|at| at.to_utc()),
        original_filename: name.and_then(|name| sanitise(&name)),
    }
}

impl Existing {
    /// Whether a mail may still link to it: at least a quarter of its life is left.
    pub(super) fn is_fresh(&self, now: DateTime<Utc>, retention: Option<Duration>) -> bool {
        self.expires_at.is_none_or(|end| end - retention.unwrap_or_default() / 4 > now)
    }
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text.trim(), UNSAFE).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn reach() -> Arc<Reach> {
        let providers = crate::mail::providers::defaults();
        Arc::clone(&providers.named("dropbox").expect("a built-in provider").reach)
    }

    fn item() -> LinkItem {
        LinkItem::new(
            "https://www.dropbox.com/s/a/b.zip?dl=1".to_owned(),
            "dropbox",
            "e1".to_owned(),
            reach(),
        )
    }

    fn offer(name: Option<&str>) -> SourceResponse {
        SourceResponse {
            length: None,
            validator: None,
            name: name.map(str::to_owned),
            content_type: None,
            attachment: true,
        }
    }

    #[test]
    fn what_is_written_can_be_read_and_is_a_header() {
        let now = DateTime::UNIX_EPOCH;
        let labels = ObjectMetadata::new(&item(), &offer(Some("Lot 100 % – été.zip")), now, Some(24 * HOUR));
        assert!(labels.metadata.values().all(|value| value.bytes().all(|b| (0x20..0x7f).contains(&b))));
        assert_eq!(labels.metadata["expiresAt"], "1970-01-02T00:00:00.000Z");
        assert_eq!(labels.metadata["sourceUrl"], "https://www.dropbox.com/s/a/b.zip?dl=1");
        let lowered = labels.metadata.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
        let existing = read(&lowered);
        assert_eq!(existing.original_filename.as_deref(), Some("Lot 100 % – été.zip"));
        assert!(existing.is_fresh(now + 17 * HOUR, Some(24 * HOUR)));
        assert!(!existing.is_fresh(now + 18 * HOUR, Some(24 * HOUR)));
    }

    #[test]
    fn without_retention_a_copy_is_kept() {
        let labels = ObjectMetadata::new(&item(), &offer(None), DateTime::UNIX_EPOCH, None);
        assert!(!labels.metadata.contains_key("expiresAt"));
        assert!(labels.content_disposition.contains("b.zip"));
        assert!(read(&labels.metadata).is_fresh(DateTime::UNIX_EPOCH + 9999 * HOUR, None));
    }

    #[test]
    fn a_strange_provider_gets_no_folder_of_its_own() {
        for provider in ["", "../x", "Dropbox/", "box"] {
            let item = LinkItem::new("https://a/b".to_owned(), provider, String::new(), reach());
            assert!(item.key.starts_with("unknown/"), "{}", item.key);
        }
    }
}
