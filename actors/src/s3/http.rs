//! The SDK's way to the network: through the egress guard, with the program's own TLS.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::config::{HttpClient, RuntimeComponents};
use aws_sdk_s3::error::ConnectorError;
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use reqwest::Method;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::egress::{GuardedClient, SendError};

/// One request, a part of a file included, ends within this or is repeated by the SDK.
const TIMEOUT: Duration = Duration::from_secs(120);
/// More of an answer is not read, in bytes: a page of a listing has at most 1000 entries.
const CAP: usize = 8 * 1024 * 1024;

/// [`HttpClient`] of the SDK over the guarded client.
#[derive(Debug, Clone)]
pub(super) struct GuardedHttp(Arc<GuardedClient>);

impl GuardedHttp {
    pub(super) fn new(client: Arc<GuardedClient>) -> Self {
        Self(client)
    }
}

impl HttpClient for GuardedHttp {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for GuardedHttp {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move { exchange(&client, request).await })
    }
}

async fn exchange(client: &GuardedClient, mut request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let url = Url::parse(request.uri()).map_err(|error| ConnectorError::user(error.into()))?;
    let method: Method =
        request.method().parse().map_err(|_| ConnectorError::user("unknown HTTP method".into()))?;
    let mut headers = HeaderMap::new();
    for (name, value) in request.headers().iter() {
        let name: HeaderName = name.parse().map_err(|_| ConnectorError::user("bad header name".into()))?;
        // The client counts for itself.
        if name != CONTENT_LENGTH {
            let value = HeaderValue::from_str(value).map_err(|error| ConnectorError::user(error.into()))?;
            headers.append(name, value);
        }
    }
    // One piece of memory, so nothing is copied here.
    let body = ByteStream::new(request.take_body()).collect().await;
    let body = body.map_err(|error| ConnectorError::user(error.into()))?.into_bytes();
    let answer = client.send(method, &url, headers, body, TIMEOUT, CAP).await.map_err(classify)?;
    if answer.truncated {
        return Err(ConnectorError::other("the answer is too long".into(), None));
    }
    let status =
        StatusCode::try_from(answer.status).map_err(|error| ConnectorError::other(error.into(), None))?;
    let mut response = HttpResponse::new(status, SdkBody::from(answer.body));
    for (name, value) in &answer.headers {
        if let Ok(value) = value.to_str() {
            response.headers_mut().append(name.as_str().to_owned(), value.to_owned());
        }
    }
    Ok(response)
}

/// What the SDK may try again: not what the guard has refused.
fn classify(error: SendError) -> ConnectorError {
    match error {
        SendError::Refused(_) => ConnectorError::user(error.into()),
        SendError::RefusedNow(_) => ConnectorError::io(error.into()),
        SendError::Timeout => ConnectorError::timeout(error.into()),
        SendError::Local(_) | SendError::Connect(_) | SendError::Transport(_) => {
            ConnectorError::io(error.into())
        }
    }
}
