//! An app goes: what it had stops at once, and is cleared away page by page.

use axum::http::{Method, StatusCode};
use futures_util::FutureExt as _;
use knockback::domain::Pages;
use serde_json::{Value, json};

use super::{Scenario, unless};
use crate::stage::Stage;

const WEBHOOKS: usize = 7;

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![Scenario {
        name: "uninstall in pages",
        in_pairs: false,
        stage: || installed().boxed(),
        act: |stage| {
            async {
                let path = "/v1/apps/crm-sync/installations?company_id=1&user_id=10";
                let (status, answer) = stage.insist(Method::DELETE, path, tests::World::PLATFORM, "").await;
                assert!(status.is_success(), "{answer}");
                stage.world.run_to_rest().await;
            }
            .boxed()
        },
        holds: |stage| {
            async {
                let items = stage.world.items().await;
                let standing =
                    |item: &&Value| item["webhook"].is_object() && item["webhook"]["removed_at"].is_null();
                let left = items.iter().filter(standing).count();
                let mut broken = unless(left == 0, || format!("{left} webhooks are left"));
                let status = stage.world.call(Method::GET, "/v1/webhooks", &stage.token, "").await.status;
                broken.extend(unless(status == StatusCode::UNAUTHORIZED, || {
                    format!("rule 8: its token reads {status}")
                }));
                broken
            }
            .boxed()
        },
    }]
}

/// An app with webhooks of one of its users, more than a page of its removal takes.
async fn installed() -> Stage {
    let pages = Pages { possessions: 3, ..Pages::default() };
    let mut stage = Stage::new("", pages, 200).await;
    let app = json!({"name": "CRM Sync", "contact": "dev@app.example"}).to_string();
    let registered = stage.world.platform(Method::PUT, "/v1/apps/crm-sync", app).await;
    assert!(registered.status.is_success(), "{}", registered.text);
    stage.token = stage.world.token(json!({"company_id": "1", "user_id": "10", "app": "crm-sync"})).await;
    for _ in 0..WEBHOOKS {
        stage.webhook = stage.world.subscribe(&stage.token, &stage.receiver.url(), json!({})).await;
    }
    stage
}
