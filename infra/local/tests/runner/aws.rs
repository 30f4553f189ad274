//! AWS in a box on a port, for everybody else's programs.

use crate::process::{Runner, until};

#[tokio::test]
async fn the_box_is_served_on_a_port_when_asked_for() {
    let runner = Runner::in_memory(&["--aws-listen", "127.0.0.1:0"]).await;
    let lines = runner.lines();
    let line = lines.iter().find_map(|line| line.strip_prefix("AWS in a box is on ")).expect("its address");
    let (url, _) = line.split_once(',').expect("its address");
    let request = reqwest::Client::new().post(url).header("x-amz-target", "AmazonSQS.ListQueues").body("{}");
    let answer = request.send().await.expect("an answer").text().await.expect("a body");
    assert!(answer.contains(&format!("{url}/000000000000/DeliveriesQueue")), "{answer}");
}

#[tokio::test]
async fn a_mail_is_a_line_and_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let runner = Runner::on(folder.path(), &["--aws-listen", "127.0.0.1:0"]).await;
    let url = runner.word_after("AWS in a box is on ").replace(',', "");
    let mail = r#"{"FromEmailAddress":"webhooks@example.com","Destination":{"ToAddresses":["owner@example.com"]},
        "Content":{"Simple":{"Subject":{"Data":"Off"},"Body":{"Text":{"Data":"x"}}}}}"#;
    let request = reqwest::Client::new().post(format!("{url}/v2/email/outbound-emails")).body(mail);
    assert_eq!(request.send().await.expect("an answer").status(), 200);
    let line = until("the line", async || {
        runner.lines().into_iter().find(|line| line.contains("Z  mail to owner@example.com  \"Off\"  "))
    });
    let line = line.await;
    let (_, file) = line.rsplit_once("  ").expect("a file");
    assert!(file.starts_with(folder.path().to_str().expect("UTF-8")), "{file}");
    assert!(std::fs::read_to_string(file).expect("a mail").contains("To: owner@example.com\r\n"));
    assert!(runner.problems().is_empty(), "{:?}", runner.problems());
}
