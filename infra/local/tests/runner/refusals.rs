//! A start that cannot be is one clear line and an exit code.

use std::{fs, net::TcpListener, path::Path};

use crate::process::{Runner, command};

/// Runs the runner, which must not start; with what it printed on standard error.
fn refused(args: &[&str], code: i32) -> String {
    let output = command(args).output().expect("the runner starts");
    let problem = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(code), "{args:?}: {problem}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{args:?}");
    problem
}

/// One line, with these words in it.
fn check_line(args: &[&str], words: &[&str]) {
    let problem = refused(args, 1);
    assert_eq!(problem.lines().count(), 1, "{problem}");
    assert!(problem.starts_with("knockback: "), "{problem}");
    assert!(words.iter().all(|word| problem.contains(word)), "{problem}");
    // No cause is told twice.
    let causes: Vec<_> = problem.trim().split(": ").collect();
    assert!(causes.windows(2).all(|pair| pair[0] != pair[1]), "{problem}");
}

fn check_folder(folder: &Path, words: &[&str]) {
    let data = folder.to_str().expect("a path in UTF-8");
    check_line(&["--listen", "127.0.0.1:0", "--data", data], words);
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    check_line(&["--memory", "--listen", &address], &["cannot listen on", &address, "--listen"]);
}

#[test]
fn a_folder_that_is_none_or_is_in_no_place_is_named() {
    let parent = tempfile::tempdir().expect("a folder");
    let file = parent.path().join("file");
    fs::write(&file, "").expect("written");
    let name = file.display().to_string();
    check_folder(&file, &["the data folder", &name, "not a directory"]);
    check_folder(&file.join("below"), &["the data folder", &name]);
}

#[tokio::test]
async fn a_folder_that_another_runner_uses_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let _runner = Runner::on(folder.path(), &[]).await;
    check_folder(folder.path(), &["used by another runner", "--data"]);
}

#[tokio::test]
async fn damaged_files_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut runner = Runner::on(folder.path(), &[]).await;
    runner.signal("INT");
    runner.ended().await;
    for name in ["tables.sqlite", "queues.sqlite", "secrets.json"] {
        let file = folder.path().join(name);
        let whole = fs::read(&file).expect("a file");
        let mut with_a_hole = whole.clone();
        let end = with_a_hole.len().min(12_000);
        with_a_hole[end / 3..end].fill(b'?');
        for damaged in [b"This is something else.".repeat(100), with_a_hole] {
            fs::write(&file, damaged).expect("written");
            check_folder(folder.path(), &[&folder.path().display().to_string()]);
        }
        fs::write(&file, whole).expect("written");
    }
    Runner::on(folder.path(), &[]).await;
}

#[tokio::test]
async fn secrets_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("lock"), "").expect("written");
    // A folder in their place: its owner's permissions would not stop an administrator.
    fs::create_dir(folder.path().join("secrets.json")).expect("a folder");
    check_folder(folder.path(), &["secrets.json"]);
}

#[test]
fn a_bad_flag_is_answered_with_what_would_be_right() {
    for (args, right) in [
        (["--listen", "localhost:9000"], "such as 127.0.0.1:9000"),
        (["--policy", "pipedrive.ban=soon"], "a duration such as 30m"),
        (["--policy", "ban=5s"], "pipedrive.ban"),
        (["--platform-token", "short"], "16 to 512"),
        (["--allow-networks=maybe", "--quiet"], "such as 10.0.0.0/8"),
        (["--memory", "--quite"], "--quiet"),
    ] {
        let problem = refused(&args, 2);
        assert!(problem.contains(right), "{problem}");
    }
}

#[test]
fn help_tells_of_every_flag_and_number() {
    let output = command(&["--help"]).output().expect("the runner starts");
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).expect("text");
    for part in ["cargo run -- [OPTIONS]", "--listen", "--allow-networks", "--quiet", "pipedrive.retries"] {
        assert!(help.contains(part), "{part} is not in {help}");
    }
}
