//! What is printed leads to a delivery, whatever the flags say.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command, process::Stdio};

use crate::process::{Runner, command, until};

/// Runs a printed command, exactly as printed; with what it answered.
fn paste(command: &str) -> String {
    let output = Command::new("sh")
        .args(["-c", command])
        // A proxy of this machine has nothing to do with it.
        .env("no_proxy", "*")
        .output()
        .expect("sh is there");
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    let reason = String::from_utf8_lossy(&output.stderr);
    assert_ne!(output.status.code(), Some(127), "this test needs curl: {reason}");
    assert!(output.status.success(), "{command}: {reason}");
    answer
}

fn commands(runner: &Runner) -> Vec<String> {
    runner.lines().into_iter().filter(|line| line.starts_with("curl ")).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("metadata").permissions().mode() & 0o777
}

#[tokio::test]
async fn the_three_printed_commands_lead_to_a_delivery() {
    for listen in ["127.0.0.1:0", "0.0.0.0:0"] {
        let runner = Runner::in_memory(&["--listen", listen]).await;
        let commands = commands(&runner);
        assert_eq!(commands.len(), 3, "{commands:?}");
        assert!(paste(&commands[0]).contains(r#""success":true"#));
        assert!(paste(&commands[1]).contains(r#""success":true"#));
        until("the delivery's line", async || {
            (runner.attempts("deal.create  delivered in ") == 1).then_some(())
        })
        .await;
        assert!(paste(&commands[2]).contains("/receiver/hello"));
        assert_eq!(runner.problems(), [""; 0]);
    }
}

#[tokio::test]
async fn tokens_and_webhooks_survive_a_restart_and_nobody_else_reads_them() {
    let parent = tempfile::tempdir().expect("a folder");
    let folder = parent.path().join("data");
    let mut first = Runner::on(&folder, &[]).await;
    first.subscribed(&format!("{}/receiver/hello", first.url)).await;
    first.report(1).await;
    assert_eq!(mode(&folder), 0o700);
    let files: Vec<_> = fs::read_dir(&folder).expect("a folder").map(|file| file.expect("a file")).collect();
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        let expected = if file.path().is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&file.path()), expected, "{file:?}");
    }
    first.signal("TERM");
    assert!(first.ended().await.success());

    let second = Runner::on(&folder, &[]).await;
    assert_eq!(second.platform_token, first.platform_token);
    assert_eq!(second.caller_token, first.caller_token);
    assert_eq!(second.webhook().await["id"], 1);
    assert_eq!(second.problems(), [""; 0]);
}

#[tokio::test]
async fn a_run_in_memory_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut run = command(&["--memory", "--listen", "127.0.0.1:0"]);
    // What reads the greeting goes away; the runner stays.
    let mut child = run.current_dir(folder.path()).stdout(Stdio::piped()).spawn().expect("the runner starts");
    let mut greeting = std::io::BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    std::io::BufRead::read_line(&mut greeting, &mut line).expect("a line");
    assert!(line.ends_with("its data in memory.\n"), "{line}");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
    child.kill().expect("a process");
    child.wait().expect("its end");
}

#[tokio::test]
async fn a_runner_whose_output_nobody_reads_keeps_delivering() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_str().expect("a path in UTF-8");
    // The tokens are in the folder, the port is found by asking for it.
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let mut run = command(&["--data", data, "--listen", &port.to_string()]);
    let mut child = run.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the runner starts");
    drop(child.stdout.take());
    until("an answer", async || reqwest::get(format!("http://{port}/health")).await.ok()).await;
    assert_eq!(child.try_wait().expect("a process"), None);
    child.kill().expect("a process");
    child.wait().expect("its end");
}

#[tokio::test]
async fn a_quiet_runner_prints_no_attempts_and_says_so() {
    let runner = Runner::in_memory(&["--quiet"]).await;
    runner.subscribed(&format!("{}/receiver/hello", runner.url)).await;
    runner.report(1).await;
    until("the delivery", async || runner.webhook().await["last_delivery_time"].as_str().map(drop)).await;
    assert_eq!(runner.attempts(""), 0);
    assert!(!runner.lines().iter().any(|line| line.contains("is a line below")));
}

#[tokio::test]
async fn without_allowed_networks_private_receivers_are_refused_and_the_commands_still_work() {
    let runner = Runner::in_memory(&["--allow-networks", "none"]).await;
    for url in
        ["http://127.0.0.1:1/hook", "https://127.0.0.1/hook", &format!("{}/receiver/hello", runner.url)]
    {
        let (status, answer) = runner.subscribe(url).await;
        assert_eq!(status, 400, "{answer}");
        assert_eq!(answer["success"], false);
        assert!(answer["errors"]["subscription_url"].is_array(), "{answer}");
    }
    assert!(runner.lines().iter().any(|line| line.starts_with("Receivers must be public and https")));
    for command in commands(&runner) {
        assert!(paste(&command).contains(r#""success":true"#), "{command}");
    }
}

#[tokio::test]
async fn the_platform_token_is_the_one_that_is_given() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut kept = Runner::on(folder.path(), &[]).await;
    kept.signal("INT");
    kept.ended().await;
    let mut runner = Runner::on(folder.path(), &["--platform-token", "a-token-of-my-own"]).await;
    assert_eq!(runner.platform_token, "a-token-of-my-own");
    runner.report(1).await;
    runner.platform_token.clone_from(&kept.platform_token);
    let (status, _) = runner.request(reqwest::Method::POST, "/v1/events", &kept.platform_token, None).await;
    assert_eq!(status, 401);
}
