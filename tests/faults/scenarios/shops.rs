//! Deliveries in ePages' dialect: holds, exhaustion with its mail, farewells.

use futures_util::FutureExt as _;

use super::{Scenario, told, unless};
use crate::stage::Stage;

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "hold",
            in_pairs: false,
            stage: || Stage::shop("epages.retries=70s", 500).boxed(),
            act: |stage| {
                async {
                    stage.order("O-1").await;
                    stage.world.settle().await;
                    stage.receiver.answers(200);
                    stage.order("O-2").await;
                    stage.world.run_to_rest().await;
                }
                .boxed()
            },
            holds: |stage| {
                async {
                    // Whoever was told of a failure holds the app; a delivery that waits for it still comes.
                    let arrived: String =
                        stage.receiver.received().iter().map(|post| post.text().to_owned()).collect();
                    unless(arrived.contains("O-1") && arrived.contains("O-2"), || {
                        "an order is lost".to_owned()
                    })
                }
                .boxed()
            },
        },
        Scenario {
            name: "exhaustion and its mail",
            in_pairs: false,
            stage: || Stage::shop("epages.retries=1s epages.hold=0s", 500).boxed(),
            act: |stage| {
                async {
                    stage.order("O-1").await;
                    stage.world.run_to_rest().await;
                }
                .boxed()
            },
            holds: |stage| {
                async {
                    let hook = stage.world.read_hook(&stage.token, "DemoShop", &stage.webhook).await;
                    let mut broken =
                        unless(hook["active"] == false, || format!("it is still active: {hook}"));
                    let deactivated = told(stage, "webhook.deactivated");
                    broken.extend(unless(deactivated > 0, || "the platform is not told".to_owned()));
                    let mails = stage.world.system.aws.mails().len();
                    // Who sends and cannot note it sends again: at most as often as something went wrong.
                    broken.extend(unless((1..=3).contains(&mails), || format!("{mails} mails")));
                    broken
                }
                .boxed()
            },
        },
    ]
}
