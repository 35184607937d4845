//! R2's S3 API: the client, for whoever keeps something in a bucket.
//!
//! R2 refuses the checksums that the SDK adds by default, and wants the region `auto`.

mod http;

use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Builder, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::egress::GuardedClient;
use http::GuardedHttp;

/// Requests to R2 are repeated so often, the first one included.
const ATTEMPTS: u32 = 3;

/// Where the buckets are, and what opens them.
#[derive(Debug, Clone)]
pub struct Account {
    /// `R2_ENDPOINT_URL`, or that of `R2_ACCOUNT_ID`.
    pub endpoint: Url,
    /// `R2_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `R2_SECRET_ACCESS_KEY`.
    pub secret_access_key: SecretString,
}

/// A client that reaches the account's buckets through `http`.
pub(crate) fn connect(account: &Account, http: Arc<GuardedClient>) -> Client {
    let secret = account.secret_access_key.expose_secret();
    let credentials = Credentials::new(&account.access_key_id, secret, None, None, "environment");
    let config = Builder::new()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("auto"))
        .endpoint_url(account.endpoint.as_str())
        .force_path_style(true)
        .credentials_provider(credentials)
        .http_client(GuardedHttp::new(http))
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .build();
    Client::from_conf(config)
}

/// Why the bucket did not do it. Never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BucketError {
    /// There is no such object or upload.
    #[error("R2 does not have it (any more)")]
    Gone,
    /// Somebody else has made it meanwhile.
    #[error("R2 has it already")]
    Exists,
    /// It does not want to; the next time neither.
    #[error("R2: {0}")]
    Refused(String),
    /// The next try may go better.
    #[error("R2: {0}")]
    Failed(String),
}

/// The SDK's error in one line.
pub(crate) fn failure<E>(error: SdkError<E, HttpResponse>) -> BucketError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    match (status, error.code()) {
        (_, Some("NoSuchKey" | "NoSuchUpload" | "NotFound")) => return BucketError::Gone,
        (Some(412), _) | (_, Some("PreconditionFailed")) => return BucketError::Exists,
        // A HEAD has no body that could say what is missing.
        (Some(404), None) => return BucketError::Gone,
        _ => {}
    }
    let said = match (status, error.code(), error.message()) {
        (Some(status), Some(code), Some(message)) => format!("{status} {code}: {message:.200}"),
        (Some(status), Some(code), None) => format!("{status} {code}"),
        (Some(status), None, _) => format!("answered {status}"),
        (None, _, _) => {
            let mut cause: &dyn std::error::Error = &error;
            while let Some(deeper) = cause.source() {
                cause = deeper;
            }
            cause.to_string()
        }
    };
    match status {
        Some(400..=407 | 409..=428 | 430..=499) => BucketError::Refused(said),
        _ => BucketError::Failed(said),
    }
}
