//! AWS in a box on a port, for everybody else's programs.

use crate::process::Runner;

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
