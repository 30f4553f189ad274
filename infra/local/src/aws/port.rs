//! The way into the box for everybody else: a port of this machine.
//!
//! Requests are not authenticated, so the port belongs on a loopback address.

use std::{future::Future, io, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, State},
    response::Response,
};
use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use tokio::{net::TcpListener, sync::oneshot};

use super::AwsBox;

/// Above every service's own limit, as JSON may take several bytes for one.
const REQUEST_BYTES_LIMIT: usize = 32 * 1024 * 1024;
/// How long requests, such as long polls, may go on after the shutdown began.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);

/// Serves `aws_box` on `listener` until `shutdown` is done. Queue URLs name this address from now on.
///
/// # Errors
///
/// If the listener has no address.
pub async fn serve(
    listener: TcpListener,
    aws_box: Arc<AwsBox>,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    aws_box.sqs.advertise(listener.local_addr()?.to_string());
    let router =
        Router::new().fallback(answer).layer(DefaultBodyLimit::max(REQUEST_BYTES_LIMIT)).with_state(aws_box);
    let (stop, stopping) = oneshot::channel::<()>();
    let server = axum::serve(listener, router).with_graceful_shutdown(async move {
        // An error is the end of the other side, which is a shutdown too.
        let _ = stopping.await;
    });
    let grace = async {
        shutdown.await;
        drop(stop);
        tokio::time::sleep(SHUTDOWN_GRACE).await;
    };
    tokio::select! {
        result = async { server.await } => result,
        () = grace => Ok(()),
    }
}

async fn answer(
    State(aws_box): State<Arc<AwsBox>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let header = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let target = AwsBox::target(header, method.as_str(), uri.path());
    aws_box.respond(&target, body).await.map(Body::from)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use knockback::clock::{SystemClock, SystemEntropy};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };

    use super::*;
    use crate::aws::sqs::Attributes;

    #[tokio::test]
    async fn a_request_is_answered_by_its_service_or_refused_and_a_long_poll_does_not_outlive_the_shutdown() {
        let aws_box = AwsBox::open(None, Arc::new(SystemClock), Arc::new(SystemEntropy)).expect("a box");
        aws_box.sqs.create_queue("queue", &Attributes::new()).expect("is created");
        let aws_box = Arc::new(aws_box);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("listens");
        let address = listener.local_addr().expect("has an address");
        let (stop, stopping) = oneshot::channel::<()>();
        let server = tokio::spawn(serve(listener, aws_box, async move {
            let _ = stopping.await;
        }));
        let connect = async |header: &str, body: &str| {
            let mut stream = TcpStream::connect(address).await.expect("connects");
            let length = body.len();
            let request = format!(
                "POST / HTTP/1.1\r\nhost: box\r\nconnection: close\r\n{header}content-length: {length}\r\n\r\n{body}"
            );
            stream.write_all(request.as_bytes()).await.expect("is sent");
            stream
        };
        let ask = async |header: &str, body: &str| {
            let mut answer = String::new();
            connect(header, body).await.read_to_string(&mut answer).await.expect("is answered");
            answer
        };
        let found = ask("x-amz-target: AmazonSQS.GetQueueUrl\r\n", r#"{"QueueName":"queue"}"#).await;
        assert!(found.starts_with("HTTP/1.1 200") && found.contains(&address.to_string()), "{found}");
        let missing = ask("x-amz-target: AmazonSQS.GetQueueUrl\r\n", r#"{"QueueName":"none"}"#).await;
        assert!(
            missing.contains("x-amzn-query-error: AWS.SimpleQueueService.NonExistentQueue;Sender"),
            "{missing}"
        );
        let refused = ask("", "{}").await;
        assert!(refused.starts_with("HTTP/1.1 404") && refused.contains("x-amz-target"), "{refused}");
        let poll = r#"{"QueueUrl":"http://box/0/queue","WaitTimeSeconds":20}"#;
        let _polling = connect("x-amz-target: AmazonSQS.ReceiveMessage\r\n", poll).await;
        drop(stop);
        server.await.expect("does not panic").expect("ends");
    }
}
