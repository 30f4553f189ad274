//! The AWS SDK's way into the box: an HTTP client without HTTP.
//!
//! Clients made from [`sdk_config`] serialise, sign, retry and parse as they do against AWS; only the socket is
//! missing.

use std::{sync::Arc, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
        SharedHttpConnector,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::Uri;
use http_body_util::BodyExt as _;

use super::{AwsBox, faults, sqs::REGION};

/// Hands the SDK's requests to a box, as a function or as somebody who may do everything.
#[derive(Debug, Clone)]
struct BoxConnector {
    aws_box: Arc<AwsBox>,
    function: Option<&'static str>,
}

/// An SDK configuration whose clients talk to `aws_box` and may do everything. Cheap: nothing is looked up.
pub fn sdk_config(aws_box: &Arc<AwsBox>) -> SdkConfig {
    config(aws_box, None)
}

/// The same for clients of a function, by its name in the template: they may do what its role permits.
pub fn sdk_config_of(aws_box: &Arc<AwsBox>, function: &'static str) -> SdkConfig {
    config(aws_box, Some(function))
}

fn config(aws_box: &Arc<AwsBox>, function: Option<&'static str>) -> SdkConfig {
    let credentials = Credentials::from_keys("box", "box", None);
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url("http://aws.box.localhost")
        .http_client(SharedHttpClient::new(BoxConnector { aws_box: Arc::clone(aws_box), function }))
        .region(Region::new(REGION))
        // No pause between repeats: in virtual time nothing comes of it.
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::ZERO))
        .build()
}

impl HttpClient for BoxConnector {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for BoxConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connector = self.clone();
        HttpConnectorFuture::new(async move { exchange(&connector, request).await })
    }
}

async fn exchange(connector: &BoxConnector, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let path = request.uri().parse::<Uri>().map_err(|error| ConnectorError::user(error.into()))?;
    let target = AwsBox::target(request.headers().get("x-amz-target"), request.method(), path.path());
    let body = request.into_body();
    let body = match body.bytes() {
        Some(body) => Bytes::copy_from_slice(body),
        None => body.collect().await.map_err(ConnectorError::user)?.to_bytes(),
    };
    let BoxConnector { aws_box, function } = connector;
    let response = match (function, function.and_then(|_| aws_box.faults.next(&target))) {
        (Some(function), Some(fault)) => faults::strike(aws_box, fault, function, &target, body).await?,
        (Some(function), None) => aws_box.respond_to(function, &target, body).await,
        (None, _) => aws_box.respond(&target, body).await,
    };
    HttpResponse::try_from(response.map(SdkBody::from))
        .map_err(|error| ConnectorError::other(error.into(), None))
}
