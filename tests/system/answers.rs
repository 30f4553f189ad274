//! The bodies of all answers, to the letter (facts: Pipedrive, Answers).

use std::time::Duration;

use axum::{
    body::Body,
    http::{Method, Request},
};
use serde_json::json;
use tests::{Reply, World};

fn check(reply: &Reply, status: u16, body: &str) {
    assert_eq!((reply.status.as_u16(), &*reply.text), (status, body));
}

const HOOK: &str = r#"{"subscription_url":"http://example.org","event_action":"added","event_object":"activityType",
    "version":"1.0","name":"Example webhook"}"#;

/// The facts' webhook object.
const SHOWN: &str = concat!(
    r#"{"id":1,"company_id":1,"owner_id":10,"user_id":10,"event_action":"added","event_object":"activityType","#,
    r#""subscription_url":"http://example.org","version":"1.0","is_active":1,"add_time":"2026-01-01T00:00:00.000Z","#,
    r#""remove_time":null,"type":"general","http_auth_user":null,"http_auth_password":null,"remove_reason":null,"#,
    r#""last_delivery_time":null,"last_http_status":null,"admin_id":10,"name":"Example webhook""#,
);

#[tokio::test]
async fn a_webhook_is_created_listed_and_deleted_in_the_recorded_shapes() {
    let world = World::new().await;
    let owner = world.owner().await;
    let created = world.call(Method::POST, "/v1/webhooks", &owner, HOOK).await;
    let secret = created.body["data"]["signing_secret"].as_str().expect("a secret");
    assert!(secret.starts_with("whsec_"));
    let expected =
        format!(r#"{{"status":"ok","success":true,"data":{SHOWN},"signing_secret":"{secret}"}}}}"#);
    check(&created, 201, &expected);
    let listed = world.call(Method::GET, "/v1/webhooks", &owner, "").await;
    check(&listed, 200, &format!(r#"{{"status":"ok","success":true,"data":[{SHOWN}}}]}}"#));
    let deleted = world.call(Method::DELETE, "/v1/webhooks/1", &owner, "").await;
    check(&deleted, 200, r#"{"status":"ok","success":true}"#);
    let listed = world.call(Method::GET, "/v1/webhooks", &owner, "").await;
    check(&listed, 200, r#"{"status":"ok","success":true,"data":[]}"#);
}

#[tokio::test]
async fn a_list_goes_on_where_it_says() {
    let world = World::new().await;
    let owner = world.owner().await;
    for _ in 0..2 {
        world.call(Method::POST, "/v1/webhooks", &owner, HOOK).await;
    }
    let listed = world.call(Method::GET, "/v1/webhooks?limit=1", &owner, "").await;
    let expected = format!(
        r#"{{"status":"ok","success":true,"data":[{SHOWN}}}],"additional_data":{{"next_cursor":"1"}}}}"#
    );
    check(&listed, 200, &expected);
}

#[tokio::test]
async fn a_webhook_shows_its_last_delivery_and_its_status() {
    let world = World::new().await;
    let owner = world.owner().await;
    let receiver = world.receiver().await;
    world.subscribe(&owner, &receiver.url(), json!({})).await;
    let shown = async || {
        let webhook = world.webhooks(&owner).await.remove(0);
        (webhook["last_delivery_time"].clone(), webhook["last_http_status"].clone())
    };
    world.run_for(Duration::from_millis(1_500)).await;
    world.report(json!({})).await;
    world.run_to_rest().await;
    assert_eq!(shown().await, (json!("2026-01-01T00:00:01.500Z"), json!(200)));
    receiver.answers(503);
    world.report(json!({})).await;
    world.run_to_rest().await;
    assert_eq!(shown().await, (json!("2026-01-01T00:03:04.500Z"), json!(503)));
}

#[tokio::test]
async fn refusals_have_the_recorded_shapes() {
    let world = World::public().await;
    let owner = world.owner().await;
    let bad_url = HOOK.replace("http://example.org", "https://127.0.0.1/");
    check(
        &world.call(Method::POST, "/v1/webhooks", &owner, bad_url).await,
        400,
        concat!(
            r#"{"status":"error","success":false,"errors":{"subscription_url":["invalid or non-reachable URL","#,
            r#""must be a public address, not a special-purpose one (Loopback)"]}}"#
        ),
    );
    check(
        &world.call(Method::DELETE, "/v1/webhooks/1", &owner, "").await,
        404,
        r#"{"status":"error","success":false,"errors":{"id":["not found"]}}"#,
    );
    check(
        &world.call(Method::GET, "/v1/webhooks", "unknown", "").await,
        401,
        concat!(
            r#"{"success":false,"error":"unauthorized access","errorCode":401,"error_info":"Please send a valid token, "#,
            r#"in the header x-api-token, as Authorization: Bearer, or as the query parameter api_token."}"#
        ),
    );
    let reader = world.token(json!({"company_id": "1", "user_id": "10", "scopes": ["webhooks:read"]})).await;
    check(
        &world.call(Method::POST, "/v1/webhooks", &reader, HOOK).await,
        403,
        concat!(
            r#"{"success":false,"error":"Scope and URL mismatch","errorCode":403,"#,
            r#""error_info":"The token does not permit this call."}"#
        ),
    );
    check(
        &world.call(Method::GET, "/v1/nothing", &owner, "").await,
        404,
        concat!(
            r#"{"success":false,"error":"Not found","error_info":"There is nothing at this path.","#,
            r#""data":null,"additional_data":null}"#
        ),
    );
    check(
        &world.call(Method::PUT, "/v1/webhooks", &owner, HOOK).await,
        405,
        concat!(
            r#"{"success":false,"error":"Method not allowed","error_info":"This path does not take this method.","#,
            r#""data":null,"additional_data":null}"#
        ),
    );
}

#[tokio::test]
async fn anothers_webhook_and_the_41st_are_refused_in_the_recorded_shapes() {
    let world = World::new().await;
    let owner = world.owner().await;
    for _ in 0..40 {
        world.call(Method::POST, "/v1/webhooks", &owner, HOOK).await;
    }
    check(
        &world.call(Method::POST, "/v1/webhooks", &owner, HOOK).await,
        422,
        concat!(
            r#"{"success":false,"error":"Webhooks limit reached","#,
            r#""error_info":"Delete a webhook before you create another one.","data":null,"additional_data":null}"#
        ),
    );
    let other = world.token(json!({"company_id": "1", "user_id": "11"})).await;
    check(
        &world.call(Method::DELETE, "/v1/webhooks/1", &other, "").await,
        403,
        r#"{"success":false,"message":"Forbidden"}"#,
    );
}

#[tokio::test]
async fn events_tokens_and_health_are_answered_in_their_shapes() {
    let world = World::new().await;
    let event =
        json!({"id": "e-1", "company_id": "1", "object": "deal", "action": "change", "entity_id": "8"});
    check(
        &world.platform(Method::POST, "/v1/events", json!([event, event]).to_string()).await,
        202,
        r#"{"success":true,"data":[{"id":"e-1"},{"id":"e-1"}]}"#,
    );
    check(
        &world.platform(Method::POST, "/v1/events", json!([event, {}]).to_string()).await,
        400,
        concat!(
            r#"{"status":"error","success":false,"errors":{"[1].action":["is required"],"[1].company_id":["is required"],"#,
            r#""[1].entity_id":["is required"],"[1].object":["is required"]}}"#
        ),
    );
    check(
        &world.platform(Method::POST, "/v1/events", "nonsense").await,
        400,
        r#"{"status":"error","success":false,"errors":{"body":["is not JSON: expected ident at line 1 column 2"]}}"#,
    );
    let given = world.platform(Method::POST, "/v1/tokens", r#"{"company_id":"1","user_id":"10"}"#).await;
    let text = |field: &str| given.body["data"][field].as_str().expect(field).to_owned();
    check(
        &given,
        201,
        &format!(r#"{{"success":true,"data":{{"id":"{}","token":"{}"}}}}"#, text("id"), text("token")),
    );
    assert_eq!(text("id"), knockback::token::sha256_hex(&text("token")));
    let health = Request::builder().uri("/health").body(Body::empty()).expect("a request");
    check(&world.send(health).await, 200, r#"{"status":"ok","success":true}"#);
}
