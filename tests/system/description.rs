//! The API's description, as it is served, and the routes that it is of.

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use serde_json::Value;
use tests::World;

/// Answers with the status, the content type and the text.
async fn ask(world: &World, method: &Method, path: &str) -> (StatusCode, Option<String>, String) {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).expect("a request");
    let (status, headers, text) = world.exchange(request).await;
    let content_type =
        headers.get(header::CONTENT_TYPE).map(|value| value.to_str().expect("text").to_owned());
    (status, content_type, text)
}

#[tokio::test]
async fn the_description_is_served_to_everybody_and_is_the_file() {
    let world = World::new().await;
    let file = include_str!("../../infra/openapi.json");
    for path in ["/v1/openapi.json", "/api/v1/openapi.json"] {
        let (status, content_type, text) = ask(&world, &Method::GET, path).await;
        assert_eq!((status, content_type.as_deref()), (StatusCode::OK, Some("application/json")));
        assert!(text == file, "{path} is another text");
    }
}

#[tokio::test]
async fn what_is_described_is_served_and_nothing_else_on_its_paths() {
    let world = World::new().await;
    let description: Value = serde_json::from_str(include_str!("../../infra/openapi.json")).expect("JSON");
    for (path, operations) in description["paths"].as_object().expect("paths") {
        let path = path.replace("{id}", "1").replace("{shop}", "DemoShop").replace("{app}", "crm-sync");
        let twice = path.starts_with("/v1/").then(|| format!("/api{path}"));
        for path in [Some(path), twice].into_iter().flatten() {
            for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                let operation = &operations[method.as_str().to_lowercase()];
                let status = ask(&world, &method, &path).await.0.as_u16();
                let is_answer = !operation["responses"][status.to_string()].is_null();
                let expected = if operation.is_null() { status == 405 } else { is_answer && status < 404 };
                assert!(expected, "{method} {path} answers {status}");
            }
        }
    }
}
