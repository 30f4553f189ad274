//! A killed runner loses nothing that it accepted.

use std::time::Duration;

use crate::{
    process::{PATIENCE, Runner, tell, timed, until},
    receiver::Receiver,
};

#[tokio::test]
async fn every_one_of_a_thousand_events_arrives_although_the_runner_is_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start(200, Duration::ZERO).await;
    let seen = async |count: usize| {
        until("deliveries", async || (receiver.deliveries().len() >= count).then_some(())).await;
    };
    // A slow machine must not take the wait for the kill for a receiver's failure.
    let patient = ["--policy", "pipedrive.timeout=20s pipedrive.strikes=1000000"];
    let runner = Runner::on(folder.path(), &patient).await;
    runner.subscribed(&receiver.url).await;
    runner.report(100).await;
    seen(100).await;
    // From now on nothing ends: the kill finds hundreds of attempts under way, and others queued.
    receiver.answers_after(PATIENCE);
    for _ in 0..9 {
        runner.report(100).await;
    }
    seen(200).await;
    runner.kill().await;
    let before = receiver.deliveries().len();
    receiver.answers_after(Duration::ZERO);

    let restarted = async {
        let runner = Runner::on(folder.path(), &patient).await;
        seen(1000).await;
        // Those that were under way come again, too: nobody knows whether the receiver has taken them.
        until("all attempts", async || (receiver.times().len() >= before + 900).then_some(())).await;
        runner
    };
    let (runner, took) = timed(restarted).await;
    assert_eq!(receiver.deliveries().len(), 1000);
    assert_eq!(runner.problems(), [""; 0]);
    tell(&format!("{before} of 1000 had begun and 100 ended; the others did {took:?} after the restart"));
}

#[tokio::test]
async fn a_retry_that_waits_survives_a_kill() {
    let folder = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start(500, Duration::ZERO).await;
    let policy = ["--policy", "pipedrive.retries=2s"];
    let runner = Runner::on(folder.path(), &policy).await;
    runner.subscribed(&receiver.url).await;
    runner.report(1).await;
    until("the failure", async || (runner.attempts("attempt 1  deal.create  FAILED") == 1).then_some(()))
        .await;
    runner.kill().await;

    let runner = Runner::on(folder.path(), &policy).await;
    until("the retry", async || (runner.attempts("attempt 2  deal.create  FAILED") == 1).then_some(())).await;
    let times = receiver.times();
    assert_eq!(times.len(), 2);
    assert!(times[1] - times[0] >= Duration::from_secs(2), "{:?}", times[1] - times[0]);
}
