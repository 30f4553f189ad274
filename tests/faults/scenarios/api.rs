//! What callers do: create at the quota's edge, delete, change a secret.

use axum::http::{Method, StatusCode};
use futures_util::FutureExt as _;
use serde_json::json;

use super::{Scenario, unless};
use crate::stage::Stage;

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "create at 39 of 40",
            in_pairs: true,
            stage: || {
                async {
                    let stage = Stage::subscribed("", 200).await;
                    for _ in 0..38 {
                        stage.world.subscribe(&stage.token, &stage.receiver.url(), json!({})).await;
                    }
                    stage
                }
                .boxed()
            },
            act: |stage| {
                async {
                    for _ in 0..2 {
                        let (status, answer) = create(stage).await;
                        assert!(
                            [StatusCode::CREATED, StatusCode::UNPROCESSABLE_ENTITY].contains(&status),
                            "{answer}"
                        );
                    }
                }
                .boxed()
            },
            holds: |stage| {
                async {
                    let there = stage.world.webhooks(&stage.token).await.len();
                    unless(there == 40, || format!("rule 6: {there} webhooks are there"))
                }
                .boxed()
            },
        },
        Scenario {
            name: "delete",
            in_pairs: false,
            stage: || Stage::subscribed("", 500).boxed(),
            act: |stage| {
                async {
                    stage.report("e-1").await;
                    stage.world.settle().await;
                    let path = format!("/v1/webhooks/{}", stage.webhook["id"]);
                    let (status, answer) = stage.insist(Method::DELETE, &path, &stage.token, "").await;
                    // Whose first try was not answered finds that it is gone.
                    assert!([StatusCode::OK, StatusCode::NOT_FOUND].contains(&status), "{answer}");
                    stage.notes.lock().expect("no panic").push(stage.receiver.received().len());
                    stage.world.run_to_rest().await;
                }
                .boxed()
            },
            holds: |stage| {
                async {
                    let before = stage.notes.lock().expect("no panic")[0];
                    let after = stage.receiver.received().len();
                    unless(before == after, || {
                        format!("rule 5: {} attempts after the delete", after - before)
                    })
                }
                .boxed()
            },
        },
        Scenario {
            name: "rotation",
            in_pairs: false,
            stage: || Stage::subscribed("", 200).boxed(),
            act: |stage| {
                async {
                    let path = format!("/v1/webhooks/{}/secret/rotate", stage.webhook["id"]);
                    let (status, answer) = stage.insist(Method::POST, &path, &stage.token, "").await;
                    assert_eq!(status, StatusCode::OK, "{answer}");
                    stage.report("e-1").await;
                    stage.world.run_to_rest().await;
                }
                .boxed()
            },
            holds: |stage| {
                async {
                    let path = format!("/v1/webhooks/{}/secret", stage.webhook["id"]);
                    let (_, answer) = stage.insist(Method::GET, &path, &stage.token, "").await;
                    let secret = answer["data"]["signing_secret"].as_str().unwrap_or_default().to_owned();
                    let before = stage.webhook["signing_secret"].as_str().unwrap_or_default();
                    let mut broken = unless(secret != before, || "it is the secret from before".to_owned());
                    for post in stage.receiver.received() {
                        // Both the new secret's holder and the old one's can verify it.
                        for secret in [&*secret, before] {
                            broken.extend(unless(post.verifies(secret), || {
                                "a signature is missing".to_owned()
                            }));
                        }
                    }
                    broken
                }
                .boxed()
            },
        },
    ]
}

async fn create(stage: &Stage) -> (StatusCode, serde_json::Value) {
    let webhook =
        json!({"subscription_url": stage.receiver.url(), "event_action": "*", "event_object": "deal"});
    stage.insist(Method::POST, "/v1/webhooks", &stage.token, &webhook.to_string()).await
}
