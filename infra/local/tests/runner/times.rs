//! Retries and bans in real time, with small numbers.

use std::time::Duration;

use crate::{
    process::{Runner, timed, until},
    receiver::Receiver,
};

#[tokio::test]
async fn a_failing_receiver_is_tried_four_times_with_the_delays_of_the_policy() {
    let receiver = Receiver::start(500, Duration::ZERO).await;
    let runner = Runner::in_memory(&["--policy", "pipedrive.retries=1s,1s,1s"]).await;
    runner.subscribed(&receiver.url).await;
    runner.report(1).await;
    until("the last retry", async || (runner.attempts("attempt 4  deal.create  FAILED") == 1).then_some(()))
        .await;
    let times = receiver.times();
    assert_eq!(times.len(), 4);
    for pair in times.windows(2) {
        let delay = pair[1] - pair[0];
        // SQS counts whole seconds, and a busy machine is late.
        assert!((Duration::from_secs(1)..Duration::from_secs(4)).contains(&delay), "{delay:?}");
    }
    assert_eq!(runner.attempts("FAILED"), 4);
    assert_eq!(runner.webhook().await["last_http_status"], 500);
}

#[tokio::test]
async fn a_ban_can_be_watched_in_seconds() {
    let policy = "pipedrive.strikes=2 pipedrive.ban=2s pipedrive.retries=none";
    let runner = Runner::in_memory(&["--policy", policy]).await;
    runner.subscribed(&format!("{}/receiver/status/500", runner.url)).await;
    let is_active = async |wanted: u8| {
        until("a change of is_active", async || {
            (runner.webhook().await["is_active"] == wanted).then_some(())
        })
        .await;
    };
    runner.report(1).await;
    until("the first strike", async || (runner.attempts("FAILED") == 1).then_some(())).await;
    assert_eq!(runner.webhook().await["is_active"], 1);
    let ((), took) = timed(async {
        runner.report(1).await;
        is_active(0).await;
        is_active(1).await;
    })
    .await;
    assert!(took >= Duration::from_secs(2), "{took:?}");
    assert_eq!(runner.lines().iter().filter(|line| line.contains("webhook 1  BANNED until")).count(), 1);
    assert!(runner.problems().is_empty(), "{:?}", runner.problems());
}
