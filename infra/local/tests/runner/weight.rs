//! What an idle runner costs.

use std::time::Duration;

use crate::process::{Runner, tell, timed};

#[tokio::test]
async fn it_answers_soon_after_its_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let (runner, took) = timed(Runner::on(folder.path(), &[])).await;
    let (status, health) = runner.request(reqwest::Method::GET, "/health", "", None).await;
    assert_eq!(status, 200, "{health}");
    // A second on an idle machine; other tests run beside this one.
    assert!(took < Duration::from_secs(10), "{took:?}");
    tell(&format!("up after {took:?}"));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_idle_runner_takes_less_than_64_mb() {
    let folder = tempfile::tempdir().expect("a folder");
    let runner = Runner::on(folder.path(), &[]).await;
    runner.subscribed(&format!("{}/receiver/hello", runner.url)).await;
    runner.report(1).await;
    crate::process::until("the delivery", async || (runner.attempts("delivered") == 1).then_some(())).await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", runner.id())).expect("its status");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    let kib: u64 = resident.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(kib < 64 * 1024, "{kib} KiB");
    tell(&format!("idle at {kib} KiB"));
}
