//! Who is asking, and what they see and may do (facts: Pipedrive, Management API and Who sees what).

use axum::{
    body::Body,
    http::{Method, Request, StatusCode},
};
use serde_json::{Value, json};
use tests::{Reply, World};

const HOOK: &str = r#"{"subscription_url":"http://127.0.0.1:1/","event_action":"*","event_object":"deal"}"#;

async fn list_with(world: &World, uri: &str, headers: &[(&str, &str)]) -> Reply {
    let request = headers
        .iter()
        .fold(Request::builder().uri(uri), |request, (name, value)| request.header(*name, value.as_bytes()));
    world.send(request.body(Body::empty()).expect("a request")).await
}

fn ids(webhooks: &[Value]) -> Vec<u64> {
    webhooks.iter().filter_map(|webhook| webhook["id"].as_u64()).collect()
}

#[tokio::test]
async fn a_token_is_taken_from_each_of_its_three_places() {
    let world = World::new().await;
    let token = world.owner().await;
    let bearer = format!("Bearer {token}");
    for (uri, headers) in [
        ("/v1/webhooks", vec![("x-api-token", &*token)]),
        ("/v1/webhooks", vec![("authorization", &*bearer)]),
        ("/api/v1/webhooks", vec![("authorization", &*bearer.replace("Bearer", "bearer"))]),
        (&*format!("/v1/webhooks?api_token={token}"), vec![]),
        (&*format!("/v1/webhooks?limit=3&api_token={token}"), vec![("authorization", "Bearer ")]),
    ] {
        assert_eq!(list_with(&world, uri, &headers).await.status, StatusCode::OK, "{uri} {headers:?}");
    }
}

#[tokio::test]
async fn an_empty_credential_beside_a_good_one_is_ignored() {
    let world = World::new().await;
    let token = world.owner().await;
    for empty in ["Bearer", "Bearer ", "", "Basic dXNlcjpwYXNz"] {
        let headers = [("authorization", empty), ("x-api-token", &*token)];
        assert_eq!(list_with(&world, "/v1/webhooks", &headers).await.status, StatusCode::OK, "{empty:?}");
    }
    let bearer = format!("Bearer {token}");
    let headers = [("x-api-token", ""), ("authorization", &*bearer)];
    assert_eq!(list_with(&world, "/v1/webhooks?api_token=", &headers).await.status, StatusCode::OK);
}

#[tokio::test]
async fn without_a_token_that_is_known_everything_is_401() {
    let world = World::new().await;
    let long = "t".repeat(5000);
    for (uri, headers) in [
        ("/v1/webhooks", vec![]),
        ("/v1/webhooks?api_token=", vec![("x-api-token", ""), ("authorization", "Bearer ")]),
        ("/v1/webhooks", vec![("x-api-token", "unknown")]),
        ("/v1/webhooks", vec![("x-api-token", &*long)]),
        ("/v1/webhooks", vec![("authorization", "Basic dXNlcjpwYXNz")]),
        ("/v1/webhooks", vec![("authorization", "Bearer \u{e4}")]),
        ("/v1/webhooks?api_token=%00%ff%zz", vec![]),
    ] {
        let reply = list_with(&world, uri, &headers).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{uri} {headers:?}");
        assert_eq!(reply.body["error"], "unauthorized access");
    }
    for (method, path) in [
        (Method::POST, "/v1/webhooks"),
        (Method::DELETE, "/v1/webhooks/1"),
        (Method::POST, "/v1/events"),
        (Method::POST, "/v1/tokens"),
    ] {
        for token in ["", "unknown"] {
            let reply = world.call(method.clone(), path, token, HOOK).await;
            assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{method} {path}");
        }
    }
    assert!(world.items().await.is_empty());
}

#[tokio::test]
async fn a_token_that_may_read_lists_and_changes_nothing() {
    let world = World::new().await;
    let owner = world.owner().await;
    let webhook = world.subscribe(&owner, "http://127.0.0.1:1/", json!({})).await;
    let scoped = |scope| json!({"company_id": "1", "user_id": "10", "scopes": [scope]});
    let reader = world.token(scoped("webhooks:read")).await;
    assert_eq!(ids(&world.webhooks(&reader).await), [1]);
    for reply in [
        world.call(Method::POST, "/v1/webhooks", &reader, HOOK).await,
        world.unsubscribe(&reader, &webhook).await,
    ] {
        assert_eq!(
            (reply.status, &reply.body["error"]),
            (StatusCode::FORBIDDEN, &json!("Scope and URL mismatch"))
        );
    }
    let writer = world.token(scoped("webhooks:full")).await;
    assert_eq!(ids(&world.webhooks(&writer).await), [1]);
    assert_eq!(world.unsubscribe(&writer, &webhook).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_platform_has_no_webhooks_and_a_caller_reports_nothing() {
    let world = World::new().await;
    let owner = world.owner().await;
    let admin = world.token(json!({"company_id": "1", "user_id": "10", "admin": true})).await;
    for reply in [
        world.platform(Method::GET, "/v1/webhooks", "").await,
        world.platform(Method::POST, "/v1/webhooks", HOOK).await,
        world.platform(Method::DELETE, "/v1/webhooks/1", "").await,
        world.call(Method::POST, "/v1/events", &owner, "{}").await,
        world.call(Method::POST, "/v1/events", &admin, "{}").await,
        world.call(Method::POST, "/v1/tokens", &admin, r#"{"company_id":"2","user_id":"1"}"#).await,
    ] {
        assert_eq!(
            (reply.status, &reply.body["error"]),
            (StatusCode::FORBIDDEN, &json!("Scope and URL mismatch"))
        );
    }
    assert_eq!(world.depth("EventsQueue"), 0);
}

/// One caller of each kind, and a webhook of each who is of company 1.
struct Cast {
    world: World,
    user: String,
    other_user: String,
    admin: String,
    app: String,
    app_of_other_user: String,
    other_app: String,
    stranger: String,
}

impl Cast {
    /// Webhooks 1 to 6 are those of user, other user, admin, app, the app of the other user, and the other app.
    async fn new() -> Self {
        let world = World::new().await;
        let token = async |company, user, app: Option<&str>, admin| {
            let member = json!({"company_id": company, "user_id": user, "app": app, "admin": admin});
            world.token(member).await
        };
        let cast = Self {
            user: token(1, 10, None, false).await,
            other_user: token(1, 11, None, false).await,
            admin: token(1, 12, None, true).await,
            app: token(1, 10, Some("crm-sync"), true).await,
            app_of_other_user: token(1, 11, Some("crm-sync"), false).await,
            other_app: token(1, 10, Some("mailer"), false).await,
            stranger: token(2, 10, None, true).await,
            world: world.clone(),
        };
        for member in
            [&cast.user, &cast.other_user, &cast.admin, &cast.app, &cast.app_of_other_user, &cast.other_app]
        {
            world.subscribe(member, "http://127.0.0.1:1/", json!({})).await;
        }
        cast
    }

    async fn sees(&self, token: &str) -> Vec<u64> {
        ids(&self.world.webhooks(token).await)
    }

    async fn delete(&self, token: &str, id: u64) -> (u16, Value) {
        let reply = self.world.unsubscribe(token, &json!({"id": id})).await;
        (reply.status.as_u16(), reply.body)
    }
}

#[tokio::test]
async fn everybody_sees_their_own_and_an_admin_all_general_ones_of_the_company() {
    let cast = Cast::new().await;
    assert_eq!(cast.sees(&cast.user).await, [1]);
    assert_eq!(cast.sees(&cast.other_user).await, [2]);
    assert_eq!(cast.sees(&cast.admin).await, [1, 2, 3]);
    assert_eq!(cast.sees(&cast.app).await, [4], "an app's token sees no more for being an admin's");
    assert_eq!(cast.sees(&cast.app_of_other_user).await, [5]);
    assert_eq!(cast.sees(&cast.other_app).await, [6]);
    assert!(cast.sees(&cast.stranger).await.is_empty());
    let kinds = async |token| cast.world.webhooks(token).await[0]["type"].clone();
    assert_eq!((kinds(&cast.user).await, kinds(&cast.app).await), (json!("general"), json!("application")));
}

#[tokio::test]
async fn what_is_not_the_callers_is_403_within_a_company_and_404_from_another() {
    let cast = Cast::new().await;
    let forbidden = (403, json!({"success": false, "message": "Forbidden"}));
    let not_found = (404, json!({"status": "error", "success": false, "errors": {"id": ["not found"]}}));
    for (token, refused) in [
        (&cast.user, [2, 3, 4, 5, 6].as_slice()),
        (&cast.admin, &[4, 5, 6]),
        (&cast.app, &[1, 2, 3, 5, 6]),
        (&cast.other_app, &[1, 4, 5]),
    ] {
        for id in refused {
            assert_eq!(cast.delete(token, *id).await, forbidden, "{id}");
        }
    }
    for id in 1..=7 {
        assert_eq!(cast.delete(&cast.stranger, id).await, not_found);
    }
    assert_eq!(cast.delete(&cast.user, 7).await, not_found);
    assert_eq!(cast.sees(&cast.admin).await, [1, 2, 3]);
}

#[tokio::test]
async fn an_admin_deletes_any_general_one_of_the_company_and_a_second_delete_is_404() {
    let cast = Cast::new().await;
    let done = (200, json!({"status": "ok", "success": true}));
    assert_eq!(cast.delete(&cast.admin, 2).await, done);
    assert_eq!(cast.delete(&cast.other_user, 2).await.0, 404);
    assert_eq!(cast.delete(&cast.user, 1).await, done);
    assert_eq!(cast.delete(&cast.user, 1).await.0, 404);
    assert_eq!(cast.sees(&cast.admin).await, [3]);
}

#[tokio::test]
async fn only_an_admin_creates_for_another_user() {
    let cast = Cast::new().await;
    let for_other = HOOK.replace('}', r#","user_id":11}"#);
    let reply = cast.world.call(Method::POST, "/v1/webhooks", &cast.user, for_other.clone()).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert!(reply.body["errors"]["user_id"].is_array());
    let reply = cast.world.call(Method::POST, "/v1/webhooks", &cast.admin, for_other).await;
    assert_eq!((&reply.body["data"]["user_id"], &reply.body["data"]["owner_id"]), (&json!(11), &json!(12)));
}

#[tokio::test]
async fn both_base_paths_lead_to_the_same_webhooks() {
    let world = World::new().await;
    let owner = world.owner().await;
    let reply = world.call(Method::POST, "/api/v1/webhooks", &owner, HOOK).await;
    assert_eq!(reply.status, StatusCode::CREATED);
    assert_eq!(ids(&world.webhooks(&owner).await), [1]);
    let reply = world.call(Method::DELETE, "/api/v1/webhooks/1", &owner, "").await;
    assert_eq!(reply.status, StatusCode::OK);
    assert!(world.webhooks(&owner).await.is_empty());
}
