//! No caller sees, changes or infers another company's, another app's or (unless admin) another user's webhooks.

use axum::http::Method;
use serde_json::{Value, json};
use tests::World;

/// A caller, and whose webhooks are theirs.
struct Caller {
    token: String,
    who: &'static str,
    company: &'static str,
}

const MEMBERS: [(&str, &str); 7] = [
    ("user 10", r#"{"company_id":"1","user_id":"10"}"#),
    ("user 11", r#"{"company_id":"1","user_id":"11"}"#),
    ("app of 10", r#"{"company_id":"1","user_id":"10","app":"crm"}"#),
    ("app of 11", r#"{"company_id":"1","user_id":"11","app":"crm","admin":true}"#),
    ("other app of 10", r#"{"company_id":"1","user_id":"10","app":"mail"}"#),
    ("user 10 elsewhere", r#"{"company_id":"2","user_id":"10","admin":true}"#),
    ("app of 10 elsewhere", r#"{"company_id":"2","user_id":"10","app":"crm"}"#),
];

/// Every one of these callers with a webhook of their own; and an admin of company 1, who has none.
async fn populated() -> (World, Vec<(Caller, Value)>, Caller) {
    let world = World::new().await;
    let mut callers = Vec::new();
    for (who, member) in MEMBERS {
        let member: Value = serde_json::from_str(member).expect("a member");
        let company = if member["company_id"] == "1" { "1" } else { "2" };
        let token = world.token(member).await;
        let url = format!("http://127.0.0.1:1/{}", who.replace(' ', "-"));
        let webhook = world.subscribe(&token, &url, json!({"name": who})).await;
        callers.push((Caller { token, who, company }, webhook));
    }
    let token = world.token(json!({"company_id": "1", "user_id": "12", "admin": true})).await;
    (world, callers, Caller { token, who: "admin", company: "1" })
}

/// Every call that names a webhook.
async fn calls(world: &World, token: &str, id: &Value) -> Vec<(u16, String)> {
    let path = format!("/v1/webhooks/{id}");
    let mut answers = Vec::new();
    for (method, body) in [(Method::GET, ""), (Method::PATCH, r#"{"name":"mine now"}"#), (Method::DELETE, "")]
    {
        let reply = world.call(method, &path, token, body).await;
        answers.push((reply.status.as_u16(), reply.text));
    }
    answers
}

#[tokio::test]
async fn rule_8_holds_for_every_caller_and_every_webhook() {
    let (world, callers, _) = populated().await;
    let before = world.items().await;
    for (caller, own) in &callers {
        let listed = world.webhooks(&caller.token).await;
        assert_eq!(listed.iter().map(|webhook| &webhook["name"]).collect::<Vec<_>>(), [caller.who]);
        for (owner, webhook) in callers.iter().filter(|(_, webhook)| webhook["id"] != own["id"]) {
            let answers = calls(&world, &caller.token, &webhook["id"]).await;
            let expected = if owner.company == caller.company {
                (403, r#"{"success":false,"message":"Forbidden"}"#.to_owned())
            } else {
                (404, r#"{"status":"error","success":false,"errors":{"id":["not found"]}}"#.to_owned())
            };
            assert_eq!(
                answers,
                [expected.clone(), expected.clone(), expected],
                "{} {}",
                caller.who,
                owner.who
            );
        }
    }
    assert_eq!(world.items().await, before, "nobody changed anything of another's");
}

#[tokio::test]
async fn rule_8_holds_for_admins_too_who_see_the_general_webhooks_of_their_company_only() {
    let (world, callers, admin) = populated().await;
    let listed = world.webhooks(&admin.token).await;
    assert_eq!(listed.iter().map(|webhook| &webhook["name"]).collect::<Vec<_>>(), ["user 10", "user 11"]);
    for (owner, webhook) in &callers {
        let reply =
            world.call(Method::GET, &format!("/v1/webhooks/{}", webhook["id"]), &admin.token, "").await;
        let expected = match (owner.company, webhook["type"].as_str()) {
            ("1", Some("general")) => 200,
            ("1", _) => 403,
            _ => 404,
        };
        assert_eq!(reply.status.as_u16(), expected, "{}", owner.who);
    }
}

#[tokio::test]
async fn rule_8_holds_for_what_answers_tell_of_other_companies() {
    let (world, callers, admin) = populated().await;
    let nobodys = calls(&world, &admin.token, &json!(999_999)).await;
    for (owner, webhook) in callers.iter().filter(|(owner, _)| owner.company == "2") {
        assert_eq!(calls(&world, &admin.token, &webhook["id"]).await, nobodys, "{}", owner.who);
    }
}

#[tokio::test]
async fn rule_8_holds_for_deliveries() {
    let world = World::new().await;
    let (ours, theirs) = (world.receiver().await, world.receiver().await);
    world.subscribe(&world.owner().await, &ours.url(), json!({"event_object": "*"})).await;
    let stranger = world.token(json!({"company_id": "2", "user_id": "10", "admin": true})).await;
    world.subscribe(&stranger, &theirs.url(), json!({"event_object": "*"})).await;
    world.report(json!({"entity_id": "ours"})).await;
    world.report(json!({"company_id": "2", "entity_id": "theirs"})).await;
    world.report(json!({"permitted_user_ids": ["11"], "entity_id": "a colleague's"})).await;
    world.run_to_rest().await;
    let entities = |receiver: &tests::Receiver| {
        receiver.received().iter().map(|post| post.json()["meta"]["entity_id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((entities(&ours), entities(&theirs)), (vec![json!("ours")], vec![json!("theirs")]));
}
