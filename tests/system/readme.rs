//! The very lines that README.md gives to receivers in Rust. Those in other languages are run by tests/clients/signatures.

use axum::http::{self, Method};
use knockback::clock::{Clock, SystemClock};
use serde_json::json;
use tests::Subscribed;

include!("../clients/signatures/verify.rs");

#[test]
fn readme_has_these_lines() {
    let readme = include_str!("../../README.md");
    assert!(readme.contains(concat!("```rust\n", include_str!("../clients/signatures/verify.rs"), "```\n")));
}

#[tokio::test]
async fn a_receiver_verifies_with_the_lines_of_the_readme_during_a_rotation_too() {
    let Subscribed { world, receiver, webhook, owner } = Subscribed::answering(200).await;
    // The package looks at the machine's clock.
    world.clock.set(SystemClock.now());
    world.report(json!({})).await;
    world.settle().await;
    let path = format!("/v1/webhooks/{}/secret/rotate", webhook["id"]);
    let rotated = world.call(Method::POST, &path, &owner, "").await;
    world.report(json!({})).await;
    world.settle().await;

    let old = webhook["signing_secret"].as_str().expect("a secret");
    let new = rotated.body["data"]["signing_secret"].as_str().expect("a secret");
    let verified: Vec<_> = receiver
        .received()
        .iter()
        .map(|post| {
            [old, new].map(|secret| verify(&post.request.headers, &post.request.body, secret).is_ok())
        })
        .collect();
    assert_eq!(verified, [[true, false], [true, true]]);
    let post = receiver.received().remove(0).request;
    let changed = post.body.to_ascii_uppercase();
    assert!(verify(&post.headers, &changed, old).is_err());
}
