//! Who may do what: every operation of the API, asked for by everybody there is. Two companies, two apps, three users.
//!
//! A cell is the status of the answer. What an operation is for is made anew for each caller, so that no cell depends on
//! another. The operations are those of the API's description: one that is not in this table fails the test.

use std::collections::BTreeSet;

use axum::{
    body::Body,
    http::{Method, Request},
};
use serde_json::{Value, json};
use tests::World;

/// The callers, in the order of the columns: what the platform asks for to give them their tokens.
const CALLERS: [(&str, &str); 12] = [
    ("user 10", r#"{"company_id":"1","user_id":"10"}"#),
    ("user 10, reading", r#"{"company_id":"1","user_id":"10","scopes":["webhooks:read"]}"#),
    ("user 11", r#"{"company_id":"1","user_id":"11"}"#),
    ("admin 12", r#"{"company_id":"1","user_id":"12","admin":true}"#),
    ("crm of 10", r#"{"company_id":"1","user_id":"10","app":"crm"}"#),
    ("crm of 11", r#"{"company_id":"1","user_id":"11","app":"crm"}"#),
    ("mail of 10", r#"{"company_id":"1","user_id":"10","app":"mail"}"#),
    ("crm of the company", r#"{"company_id":"1","app":"crm"}"#),
    ("mail of the company", r#"{"company_id":"1","app":"mail"}"#),
    ("admin 10 elsewhere", r#"{"company_id":"2","user_id":"10","admin":true}"#),
    ("crm of 10 elsewhere", r#"{"company_id":"2","user_id":"10","app":"crm"}"#),
    ("crm of the other company", r#"{"company_id":"2","app":"crm"}"#),
];

/// What each operation answers to nobody, to the platform, and to each of [`CALLERS`]. `{general}` is a webhook of user 10,
/// `{application}` one of crm of user 10, `{hook}` an ePages webhook of crm of the company, all of company 1.
const TABLE: &str = "
                                          nobody plat | 10  r10 11  a12 | c10 c11 m10 c   m   | a10 c10 c
GET    /health                            200    200  | 200 200 200 200 | 200 200 200 200 200 | 200 200 200
GET    /v1/openapi.json                   200    200  | 200 200 200 200 | 200 200 200 200 200 | 200 200 200
GET    /v1/webhooks                       401    403  | 200 200 200 200 | 200 200 200 200 200 | 200 200 200
POST   /v1/webhooks                       401    403  | 201 403 201 201 | 201 201 201 400 400 | 201 201 400
GET    /v1/webhooks/{general}             401    403  | 200 200 403 200 | 403 403 403 403 403 | 404 404 404
GET    /v1/webhooks/{application}         401    403  | 403 403 403 403 | 200 403 403 403 403 | 404 404 404
GET    /v1/webhooks/{hook}                401    403  | 403 403 403 403 | 403 403 403 200 403 | 404 404 404
PATCH  /v1/webhooks/{general}             401    403  | 200 403 403 200 | 403 403 403 403 403 | 404 404 404
PATCH  /v1/webhooks/{application}         401    403  | 403 403 403 403 | 200 403 403 403 403 | 404 404 404
PATCH  /v1/webhooks/{hook}                401    403  | 403 403 403 403 | 403 403 403 200 403 | 404 404 404
DELETE /v1/webhooks/{general}             401    403  | 200 403 403 200 | 403 403 403 403 403 | 404 404 404
DELETE /v1/webhooks/{application}         401    403  | 403 403 403 403 | 200 403 403 403 403 | 404 404 404
DELETE /v1/webhooks/{hook}                401    403  | 403 403 403 403 | 403 403 403 200 403 | 404 404 404
GET    /v1/webhooks/{general}/secret      401    403  | 200 403 403 200 | 403 403 403 403 403 | 404 404 404
GET    /v1/webhooks/{application}/secret  401    403  | 403 403 403 403 | 200 403 403 403 403 | 404 404 404
GET    /v1/webhooks/{hook}/secret         401    403  | 403 403 403 403 | 403 403 403 200 403 | 404 404 404
POST   /v1/webhooks/{general}/secret/rotate     401 403 | 200 403 403 200 | 403 403 403 403 403 | 404 404 404
POST   /v1/webhooks/{application}/secret/rotate 401 403 | 403 403 403 403 | 200 403 403 403 403 | 404 404 404
POST   /v1/webhooks/{hook}/secret/rotate  401    403  | 403 403 403 403 | 403 403 403 200 403 | 404 404 404
POST   /v1/events                         401    202  | 403 403 403 403 | 403 403 403 403 403 | 403 403 403
GET    /v1/tokens?company_id=1            401    200  | 403 403 403 403 | 403 403 403 403 403 | 403 403 403
POST   /v1/tokens                         401    201  | 403 403 403 403 | 403 403 403 403 403 | 403 403 403
DELETE /v1/tokens/{token}                 401    200  | 403 403 403 403 | 403 403 403 403 403 | 403 403 403
GET    /v1/apps/{app}                     401    200  | 403 403 403 403 | 403 403 403 403 403 | 403 403 403
PUT    /v1/apps/{app}                     401    200  | 403 403 403 403 | 403 403 403 403 403 | 403 403 403
DELETE /v1/apps/{app}                     401    202  | 403 403 403 403 | 403 403 403 403 403 | 403 403 403
DELETE /v1/apps/{app}/installations?company_id=1 401 202 | 403 403 403 403 | 403 403 403 403 403 | 403 403 403
GET    /rs/shops/{shop}/webhooks          403    403  | 403 403 403 403 | 200 200 200 200 200 | 403 403 403
POST   /rs/shops/{shop}/webhooks          403    403  | 403 403 403 403 | 201 201 201 201 201 | 403 403 403
GET    /rs/shops/{shop}/webhooks/{hook}   403    403  | 403 403 403 403 | 404 404 404 200 404 | 403 403 403
POST   /rs/shops/{shop}/webhooks/{hook}   403    403  | 403 403 403 403 | 404 404 404 200 404 | 403 403 403
DELETE /rs/shops/{shop}/webhooks/{hook}   403    403  | 403 403 403 403 | 404 404 404 204 404 | 403 403 403
";

/// A row: method, path, and the statuses.
fn rows() -> impl Iterator<Item = (Method, &'static str, Vec<u16>)> {
    TABLE.lines().skip(2).filter(|row| !row.is_empty()).map(|row| {
        let mut words = row.split_whitespace().filter(|word| *word != "|");
        let method = words.next().and_then(|method| method.parse().ok()).expect("a method");
        let path = words.next().expect("a path");
        (method, path, words.map(|status| status.parse().expect("a status")).collect())
    })
}

/// What the operations are asked for.
struct Things {
    general: Value,
    application: Value,
    hook: Value,
    token_id: String,
}

/// All callers of a world, and the platform's way to make what they ask for.
struct Cast {
    world: World,
    tokens: Vec<String>,
}

impl Cast {
    async fn new() -> Self {
        let world = World::new().await;
        for app in ["crm", "mail"] {
            world.shop_app("1", app).await;
        }
        let mut tokens = vec![String::new(), "the platform's token".to_owned()];
        for (_, member) in CALLERS {
            tokens.push(world.token(serde_json::from_str(member).expect("a member")).await);
        }
        Self { world, tokens }
    }

    fn token_of(&self, who: &str) -> &str {
        let at = CALLERS.iter().position(|(name, _)| *name == who).expect("a caller");
        &self.tokens[at + 2]
    }

    /// Makes everything anew.
    async fn things(&self) -> Things {
        let world = &self.world;
        let url = "http://127.0.0.1:1/";
        let spare = json!({"company_id": "3", "user_id": "30"}).to_string();
        let spare = world.platform(Method::POST, "/v1/tokens", spare).await;
        Things {
            general: world.subscribe(self.token_of("user 10"), url, json!({})).await,
            application: world.subscribe(self.token_of("crm of 10"), url, json!({})).await,
            hook: world.hook(self.token_of("crm of the company"), "1", url, "ORDER_CREATE").await,
            token_id: spare.body["data"]["id"].as_str().expect("an id").to_owned(),
        }
    }

    /// Answers with the status and the text.
    async fn call(&self, method: &Method, path: &str, token: &str) -> (u16, String) {
        let request = Request::builder().method(method).uri(path).header("x-api-token", token);
        let request = request.body(Body::from(body(method, path))).expect("a request");
        let (status, _, text) = self.world.exchange(request).await;
        (status.as_u16(), text)
    }
}

impl Things {
    /// The path of a row, for these.
    fn path(&self, template: &str) -> String {
        let text = |value: &Value| value.to_string().trim_matches('"').to_owned();
        template
            .replace("{general}", &text(&self.general["id"]))
            .replace("{application}", &text(&self.application["id"]))
            .replace("{hook}", &text(&self.hook["webhookId"]))
            .replace("{token}", &self.token_id)
            .replace("{app}", "spare")
            .replace("{shop}", "1")
    }
}

/// A body that the operation takes.
fn body(method: &Method, path: &str) -> &'static str {
    match (method.as_str(), path) {
        ("POST", "/v1/webhooks") => {
            r#"{"subscription_url":"http://127.0.0.1:1/","event_action":"*","event_object":"deal"}"#
        }
        ("POST", "/v1/events") => r#"{"company_id":"1","object":"deal","action":"change","entity_id":"8"}"#,
        ("POST", "/v1/tokens") => r#"{"company_id":"1","user_id":"10"}"#,
        ("POST", "/rs/shops/1/webhooks") => {
            r#"{"callbackUrl":"http://127.0.0.1:1/","eventType":"ORDER_CREATE"}"#
        }
        ("POST", path) if path.starts_with("/rs/") => r#"{"active":false}"#,
        ("PUT", _) => r#"{"name":"Spare"}"#,
        ("PATCH", _) => r#"{"is_active":false}"#,
        _ => "",
    }
}

#[tokio::test]
async fn everybody_gets_of_every_operation_what_is_theirs() {
    let mut wrong = Vec::new();
    for (method, template, expected) in rows() {
        let cast = Cast::new().await;
        assert_eq!(expected.len(), cast.tokens.len(), "{method} {template}");
        for (column, (token, expected)) in cast.tokens.iter().zip(&expected).enumerate() {
            let register = cast.world.platform(Method::PUT, "/v1/apps/spare", r#"{"name":"Spare"}"#).await;
            assert!(register.status.is_success());
            let path = cast.things().await.path(template);
            let before = cast.world.items().await;
            let found = cast.call(&method, &path, token).await.0;
            if matches!(found, 400..500) {
                assert_eq!(
                    cast.world.items().await,
                    before,
                    "{method} {path} is refused and changes something"
                );
            }
            if found != *expected {
                let who = column.checked_sub(2).map_or("nobody or the platform", |member| CALLERS[member].0);
                wrong.push(format!("{method} {template} by {who}: {found} instead of {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Of the three webhooks, each caller's lists have those that the table lets them read.
#[tokio::test]
async fn lists_have_what_the_caller_may_read_and_nothing_else() {
    let cast = Cast::new().await;
    let things = cast.things().await;
    let id = |value: &Value| value.to_string().trim_matches('"').to_owned();
    let all = [id(&things.general["id"]), id(&things.application["id"]), id(&things.hook["webhookId"])];
    for (path, id_field, readable) in [
        ("/v1/webhooks", "id", ["GET /v1/webhooks/{general}", "GET /v1/webhooks/{application}"].as_slice()),
        ("/rs/shops/1/webhooks", "webhookId", &["GET /rs/shops/{shop}/webhooks/{hook}"]),
    ] {
        for (column, token) in cast.tokens.iter().enumerate() {
            let (status, text) = cast.call(&Method::GET, path, token).await;
            if status != 200 {
                continue;
            }
            let body: Value = serde_json::from_str(&text).expect("JSON");
            let list = [&body["data"], &body["content"]].into_iter().find_map(Value::as_array);
            let listed: Vec<_> = list.expect("a list").iter().map(|webhook| id(&webhook[id_field])).collect();
            let may_read = |name: &str| {
                let row = rows().find(|(method, path, _)| format!("{method} {path}") == name);
                row.expect("a row").2[column] == 200
            };
            let expected: Vec<_> = readable
                .iter()
                .filter(|name| may_read(name))
                .map(|name| things.path(name).rsplit('/').next().expect("an id").to_owned())
                .collect();
            assert_eq!(listed, expected, "{path} in column {column}");
            assert!(listed.iter().all(|id| all.contains(id)));
        }
    }
}

#[test]
fn every_operation_that_is_described_is_in_the_table() {
    let described: Value = serde_json::from_str(include_str!("../../infra/openapi.json")).expect("JSON");
    let paths = described["paths"].as_object().expect("paths");
    let described: BTreeSet<_> = paths
        .iter()
        .flat_map(|(path, operations)| {
            let methods = operations.as_object().into_iter().flatten().map(|(method, _)| method);
            methods.map(|method| format!("{} {}", method.to_uppercase(), shape(path))).collect::<Vec<_>>()
        })
        .collect();
    let in_table: BTreeSet<_> = rows().map(|(method, path, _)| format!("{method} {}", shape(path))).collect();
    assert_eq!(in_table, described);
}

/// A path without its query, and without the names of what it names.
fn shape(path: &str) -> String {
    let path = path.split('?').next().unwrap_or(path);
    let parts = path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// Answers and work do not tell an id of another company from one that is nobody's.
#[tokio::test]
async fn another_companys_webhook_is_answered_and_looked_up_as_one_that_is_nowhere() {
    let cast = Cast::new().await;
    let things = cast.things().await;
    let token = cast.token_of("admin 10 elsewhere");
    let nobodys = Things {
        general: json!({"id": 999_999}),
        application: json!({"id": 999_998}),
        hook: json!({"webhookId": "BA69EC91-9F9C-46AB-BB45-2913DF100674"}),
        token_id: "0".repeat(64),
    };
    let asked = async |method: &Method, path: &str| {
        let before = cast.world.system.aws.counts();
        let reply = cast.call(method, path, token).await;
        let counts = cast.world.system.aws.counts().since(&before);
        let calls: Vec<_> = counts.all_calls().map(|(name, calls)| (name.to_owned(), calls)).collect();
        (reply, calls)
    };
    let mut compared = 0;
    for (method, template, _) in rows().filter(|(_, path, _)| path.starts_with("/v1/webhooks/{")) {
        let theirs = asked(&method, &things.path(template)).await;
        assert_eq!(theirs, asked(&method, &nobodys.path(template)).await, "{method} {template}");
        compared += 1;
    }
    assert_eq!(compared, 15);
    let elsewhere = cast.token_of("crm of the other company");
    for path in ["/rs/shops/1/webhooks", "/rs/shops/nowhere/webhooks"] {
        assert_eq!(cast.call(&Method::GET, path, elsewhere).await.0, 403, "{path}");
    }
}
