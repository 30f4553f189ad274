//! A runner whose functions are in other processes: what it tells of them, and that it waits for them.

use std::{fs, future::IntoFuture as _, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
};
use tokio::{net::TcpListener, sync::Semaphore};

use crate::process::{PATIENCE, Runner, until};

/// An address that nobody listens on.
async fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address").to_string()
}

async fn invoking(folder: Option<&Path>, address: &str, args: &[&str]) -> Runner {
    let url = format!("http://{address}");
    let args = [&["--invoke", &url, "--aws-listen", "127.0.0.1:0"], args].concat();
    match folder {
        Some(folder) => Runner::on(folder, &args).await,
        None => Runner::in_memory(&args).await,
    }
}

/// The functions' environment, from the file in the printed command.
fn environment(runner: &Runner, address: &str) -> (String, String) {
    let (ip, port) = address.split_once(':').expect("an address");
    let file = runner.word_after(&format!("cargo lambda watch -A {ip} -P {port} --env-file "));
    (fs::read_to_string(&file).expect("a file"), file)
}

#[tokio::test]
async fn the_environment_of_functions_elsewhere_is_in_the_data_folder_and_leads_to_the_box() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = free_address().await;
    let flags = ["--objects", "order", "--platform-token", "a-token-of-my-own"];
    let runner = invoking(Some(folder.path()), &address, &flags).await;
    let (environment, file) = environment(&runner, &address);
    assert_eq!(Path::new(&file), folder.path().join("functions.env"));
    assert_eq!(fs::metadata(&file).expect("metadata").permissions().mode() & 0o777, 0o600);
    let aws = runner.word_after("AWS in a box is on ").replace(',', "");
    for line in [
        format!("AWS_ENDPOINT_URL=\"{aws}\""),
        format!("EVENTS_QUEUE_URL=\"{aws}/000000000000/EventsQueue\""),
        format!("HOST=\"{address}\""),
        "OBJECTS=\"order\"".to_owned(),
    ] {
        assert!(environment.lines().any(|it| it == line), "{line} is not in {environment}");
    }
    assert!(!environment.contains("a-token-of-my-own"), "{environment}");
    assert!(!environment.contains(&runner.caller_token), "{environment}");
}

#[tokio::test]
async fn a_runner_that_keeps_nothing_takes_the_environment_away_when_it_ends() {
    let address = free_address().await;
    let mut runner = invoking(None, &address, &[]).await;
    let (environment, file) = environment(&runner, &address);
    assert!(environment.contains("KEY_RING=\"KeyRing\""), "{environment}");
    assert_eq!(fs::metadata(&file).expect("metadata").permissions().mode() & 0o777, 0o600);
    runner.signal("INT");
    // Although it still waits for the functions.
    assert!(runner.ended().await.success());
    assert!(!Path::new(&file).exists());
    assert_eq!(runner.problems(), [""; 0]);
}

#[tokio::test]
async fn the_printed_commands_go_to_the_api_where_the_functions_are_and_the_receiver_is_here() {
    let address = free_address().await;
    let runner = invoking(None, &address, &[]).await;
    let commands: Vec<_> = runner.lines().into_iter().filter(|line| line.starts_with("curl ")).collect();
    assert_eq!(commands.len(), 3);
    for (command, path) in commands.iter().zip(["/v1/webhooks", "/v1/events", "/v1/webhooks"]) {
        assert!(command.contains(&format!("'http://{address}{path}'")), "{command}");
    }
    let (_, rest) = commands[0].split_once("\"subscription_url\":\"").expect("a receiver");
    let (receiver, _) = rest.split_once('"').expect("a receiver");
    assert_eq!(reqwest::get(receiver).await.expect("an answer").status(), 200);
    let here = receiver.replace("/receiver/hello", "/v1/webhooks");
    let answer = reqwest::get(here).await.expect("an answer");
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.text().await.expect("text"), format!("The API is at http://{address}\n"));
}

#[tokio::test]
async fn functions_may_come_late_and_may_go() {
    let address = free_address().await;
    let runner = invoking(None, &address, &[]).await;
    // Each look of the runner is one, so it has looked and found nobody.
    let listener = TcpListener::bind(&address).await.expect("the port");
    let invoked = Arc::new(Semaphore::new(0));
    let answer = async |State(invoked): State<Arc<Semaphore>>, request: Request| {
        if request.uri().path() == "/2015-03-31/functions/sweeper/invocations" {
            invoked.add_permits(1);
        }
        "{}"
    };
    let router = Router::new().fallback(answer).with_state(Arc::clone(&invoked));
    let server = tokio::spawn(axum::serve(listener, router).into_future());
    until("the line", async || runner.lines().iter().any(|it| it == "The functions are up.").then_some(()))
        .await;
    // What came due while nobody was there is taken up.
    let both = tokio::time::timeout(PATIENCE, invoked.acquire_many(2)).await;
    both.expect("both schedules").expect("is open").forget();
    assert_eq!(runner.problems(), [""; 0]);

    server.abort();
    // The end of the server is the end of its port.
    let _ = server.await;
    let aws = runner.word_after("AWS in a box is on ").replace(',', "");
    for _ in 0..20 {
        let message = format!(r#"{{"QueueUrl":"{aws}/000000000000/DeliveriesQueue","MessageBody":"a"}}"#);
        let request = reqwest::Client::new().post(&aws).header("x-amz-target", "AmazonSQS.SendMessage");
        assert_eq!(request.body(message).send().await.expect("an answer").status(), 200);
    }
    until("the notice", async || (!runner.problems().is_empty()).then_some(())).await;
    let problems = runner.problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("nobody answers for the functions"), "{problems:?}");
}
