//! The API in ePages' dialect: an app that is installed in a shop, and its webhooks there.

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use serde_json::{Value, json};

use crate::{Reply, World};

/// The secret that every app of a shop shares with the platform here.
pub const CLIENT_SECRET: &str = "A5pnpId0FyHno8caYRAj2YccFU42kta8";

impl World {
    /// Registers an app with [`CLIENT_SECRET`] and a contact, and gives it the token of its installation in a shop. An app that
    /// is there stays the same and gets another token.
    ///
    /// # Panics
    ///
    /// If it is not registered or gets none.
    pub async fn shop_app(&self, shop: &str, app: &str) -> String {
        let contact = format!("dev@{app}.example");
        let registration = json!({"name": app, "contact": contact, "client_secret": CLIENT_SECRET});
        let reply = self.platform(Method::PUT, &format!("/v1/apps/{app}"), registration.to_string()).await;
        assert!(reply.status.is_success(), "{}", reply.text);
        self.token(json!({"company_id": shop, "app": app})).await
    }

    /// Makes a request below `/rs`, with the token as ePages' clients send it.
    ///
    /// # Panics
    ///
    /// As [`World::rs_send`] does.
    #[expect(clippy::expect_used, reason = "a request that is none has failed the test")]
    pub async fn rs_call(&self, method: Method, path: &str, token: &str, body: impl Into<Body>) -> Reply {
        let request = Request::builder().method(method).uri(path).header("host", "knockback.test");
        let request = request.header("authorization", format!("Bearer {token}"));
        self.rs_send(request.body(body.into()).expect("a request")).await
    }

    /// Makes any request below `/rs`.
    ///
    /// # Panics
    ///
    /// If the API does not answer, or a refusal has not the dialect's shape, or a success that says nothing has a body.
    #[expect(clippy::expect_used, reason = "an API that answers otherwise has failed the test")]
    pub async fn rs_send(&self, request: Request<Body>) -> Reply {
        let (status, headers, text) = self.exchange(request).await;
        if status == StatusCode::NO_CONTENT {
            assert_eq!((headers.get(header::CONTENT_TYPE), &*text), (None, ""));
            return Reply { status, body: Value::Null, text, headers };
        }
        assert_eq!(headers[header::CONTENT_TYPE], "application/json", "{status} {text}");
        let body: Value = serde_json::from_str(&text).expect("JSON");
        if !status.is_success() {
            let shape = json!({"message": body["message"], "status": status.as_str()});
            assert_eq!((&body, body["message"].is_string()), (&shape, true), "{status} {text}");
        }
        Reply { status, body, text, headers }
    }

    /// Creates a webhook of a shop for an event type, and answers with it.
    ///
    /// # Panics
    ///
    /// If it is not created.
    pub async fn hook(&self, token: &str, shop: &str, url: &str, event_type: &str) -> Value {
        let body = json!({"callbackUrl": url, "eventType": event_type}).to_string();
        let reply = self.rs_call(Method::POST, &format!("/rs/shops/{shop}/webhooks"), token, body).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
        reply.body
    }

    /// One webhook of a shop, as it is now.
    ///
    /// # Panics
    ///
    /// If the app may not see it.
    pub async fn read_hook(&self, token: &str, shop: &str, hook: &Value) -> Value {
        let reply = self.rs_call(Method::GET, &hook_path(shop, hook), token, "").await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        reply.body
    }

    /// Switches a webhook of a shop on or off, and answers with it.
    ///
    /// # Panics
    ///
    /// If the app may not.
    pub async fn switch_hook(&self, token: &str, shop: &str, hook: &Value, active: bool) -> Value {
        let body = format!("active={active}");
        let reply = self.rs_call(Method::POST, &hook_path(shop, hook), token, body).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        reply.body
    }

    /// What is kept of the attempts for a webhook of a shop, by delivery and number.
    pub async fn hook_attempts(&self, shop: &str, hook: &Value) -> Vec<Value> {
        let place = format!("C#{shop}#W#{}", hook["webhookId"].as_str().unwrap_or_default());
        self.items().await.into_iter().filter(|item| item["pk"] == place.as_str()).collect()
    }
}

/// Where a webhook of a shop is.
pub fn hook_path(shop: &str, hook: &Value) -> String {
    format!("/rs/shops/{shop}/webhooks/{}", hook["webhookId"].as_str().unwrap_or_default())
}
