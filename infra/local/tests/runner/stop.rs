//! A signal stops the runner once what is in flight has ended; a second one stops it at once.

use std::time::Duration;

use crate::{
    process::{Runner, timed, until},
    receiver::Receiver,
};

async fn with_an_attempt_under_way(receiver: &Receiver) -> Runner {
    let runner = Runner::in_memory(&[]).await;
    runner.subscribed(&receiver.url).await;
    runner.report(1).await;
    until("the attempt's begin", async || (receiver.times().len() == 1).then_some(())).await;
    runner
}

#[tokio::test]
async fn a_signal_lets_the_attempt_that_is_under_way_end() {
    for signal in ["INT", "TERM"] {
        let receiver = Receiver::start(200, Duration::from_secs(1)).await;
        let mut runner = with_an_attempt_under_way(&receiver).await;
        runner.signal(signal);
        let status = runner.ended().await;
        assert_eq!(status.code(), Some(0), "{signal}: {:?}", runner.problems());
        assert_eq!(runner.attempts("delivered"), 1, "{signal}: {:?}", runner.lines());
        assert_eq!(runner.problems(), [""; 0]);
    }
}

#[tokio::test]
async fn an_attempt_at_the_built_in_receiver_ends_too() {
    // Both attempts are of one event and begin together: the first shows that the other has begun.
    let receiver = Receiver::start(200, Duration::ZERO).await;
    let mut runner = Runner::in_memory(&[]).await;
    runner.subscribed(&receiver.url).await;
    runner.subscribed(&format!("{}/receiver/delay/1s", runner.url)).await;
    runner.report(1).await;
    until("the attempts' begin", async || (receiver.times().len() == 1).then_some(())).await;
    runner.signal("INT");
    assert!(runner.ended().await.success());
    assert_eq!(runner.attempts("delivered"), 2, "{:?}", runner.lines());
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let receiver = Receiver::start(200, Duration::from_secs(8)).await;
    let mut runner = with_an_attempt_under_way(&receiver).await;
    let (status, took) = timed(async {
        runner.signal("INT");
        until("the notice", async || {
            runner.lines().iter().any(|line| line.contains("Finishing what is in flight")).then_some(())
        })
        .await;
        runner.signal("INT");
        runner.ended().await
    })
    .await;
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(runner.attempts(""), 0);
}

#[tokio::test]
async fn a_stop_leaves_queued_work_to_the_next_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start(200, Duration::from_secs(1)).await;
    let mut runner = Runner::on(folder.path(), &[]).await;
    runner.subscribed(&receiver.url).await;
    for _ in 0..3 {
        runner.report(100).await;
    }
    runner.signal("INT");
    let (status, took) = timed(runner.ended()).await;
    assert!(status.success());
    assert!(took < Duration::from_secs(10), "{took:?}");
    let arrived = receiver.times().len();
    assert_eq!(runner.attempts("delivered"), arrived);

    let _runner = Runner::on(folder.path(), &[]).await;
    until("the others", async || (receiver.deliveries().len() >= 300).then_some(())).await;
    assert_eq!(receiver.times().len(), 300, "nothing is repeated that ended");
}
