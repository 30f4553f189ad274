//! The API's description: OpenAPI 3.1, made of the very routes that are served.
//!
//! Handlers say what they answer where they stand (`#[utoipa::path]`), and answers are described by the types that are
//! written. Requests are read by hand, field by field, so their types here exist for the description only; tests beside them
//! hold each of them against what really reads the request. Nothing of this runs when the API starts: it serves the text
//! that was made before ([`TEXT`]).

mod answers;
mod epages;
mod events;
mod refusals;
mod tokens;
mod values;
mod webhooks;

#[cfg(test)]
mod honesty;

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::Response,
};
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Server, Tag,
    security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    tag::TagBuilder,
};

pub(crate) use self::{
    answers::{Done, Of, OfAll, OfMany, OfWebhook, OfWebhooks, OpenApi as OpenApiText},
    epages::{EventType, NewShopWebhook, ShopWebhookSwitch, ShopWebhookSwitchForm},
    events::NewEvents,
    refusals::{
        Anybody, Apps, Body as BodyRefusals, Fields, Members, MembersOfOne, Named, Platform, Quota, Rotation,
        ShopBody, ShopFields, ShopNamed, ShopQuota,
    },
    tokens::{NewApp, NewToken, Scope},
    values::{Id, No, Nothing, ShopWebhookId, Time, TokenId, WebhookId},
    webhooks::{NewWebhook, WebhookChange},
};

/// The description, as it was last made.
const TEXT: &str = include_str!("../../../infra/openapi.json");

const ABOUT: &str = "Webhooks for the customers and the apps of a platform: they subscribe, the platform reports what \
                     happened, and Knockback delivers it signed, with retries.\n\nWhat is under `/v1` is served under \
                     `/api/v1` too, where OAuth clients look for it. Under `/rs`, the dialect is ePages', down to its \
                     refusals.\n\nTwo kinds of callers have tokens. *Members* are users of a company, and apps that act for \
                     one or for the whole company: they keep webhooks. The *platform* reports events, gives and takes back \
                     tokens, and registers apps; its own token is the deployment's, and keeps no webhooks.\n\nA member's token \
                     has a budget of units, of which a `DELETE` costs 6 and all else 10. Every answer to it says by \
                     `x-ratelimit-limit`, `x-ratelimit-remaining` and `x-ratelimit-reset` what a full budget is, what is left, \
                     and in how many seconds it is full again.";

/// The API's description, which `infra/openapi.json` keeps.
pub fn description() -> OpenApi {
    crate::described(base())
}

/// The description without its paths.
fn base() -> OpenApi {
    let license =
        LicenseBuilder::new().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0")).build();
    let info = InfoBuilder::new()
        .title("Knockback")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(license));
    let here = Server::builder().url("/").description(Some("The host that serves this description.")).build();
    OpenApiBuilder::new()
        .info(info.build())
        .servers(Some([here]))
        .tags(Some(tags()))
        .security(Some(
            ["header", "query", "bearer"]
                .map(|scheme| SecurityRequirement::new::<_, [&str; 0], &str>(scheme, [])),
        ))
        .components(Some(security(refusals::add(ComponentsBuilder::new())).build()))
        .build()
}

fn tags() -> [Tag; 6] {
    [
        ("webhooks", "For members: webhooks of the Pipedrive dialect. A user's own, an admin's all general ones of the company, an app's only its own."),
        ("events", "For the platform: what happened."),
        ("tokens", "For the platform: who may call."),
        ("apps", "For the platform: the apps of its marketplace."),
        ("ePages", "For apps: webhooks of the ePages dialect, with the token of the app's installation in the shop."),
        ("health", "For everybody, without a token."),
    ]
    .map(|(name, description)| TagBuilder::new().name(name).description(Some(description)).build())
}

/// The three places of a token. The first of them that is not empty counts.
fn security(components: ComponentsBuilder) -> ComponentsBuilder {
    let key = |name, description| ApiKeyValue::with_description(name, description);
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The token, as OAuth clients send it."));
    components
        .security_scheme("header", SecurityScheme::ApiKey(ApiKey::Header(key("x-api-token", "The token."))))
        .security_scheme(
            "query",
            SecurityScheme::ApiKey(ApiKey::Query(key(
                "api_token",
                "The token, for clients that can send no header.",
            ))),
        )
        .security_scheme("bearer", SecurityScheme::Http(bearer.build()))
}

/// `GET /v1/openapi.json`: this API's description.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "health",
    operation_id = "describe",
    summary = "This description",
    description = "Answers without a token.",
    security(()),
    responses(
        (status = 200, description = "The description, in OpenAPI 3.1.", body = OpenApiText),
        Anybody,
    ),
)]
pub(crate) async fn serve() -> Response {
    let mut response = Response::new(Body::from(TEXT));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn the_file_is_what_the_code_says() {
        let now = description().to_pretty_json().expect("JSON");
        assert!(
            format!("{now}\n") == TEXT,
            "infra/openapi.json is out of date: cargo run -p api --example openapi > infra/openapi.json"
        );
    }

    #[test]
    fn every_operation_has_a_name_of_its_own_and_says_whose_it_is() {
        let description: Value = serde_json::from_str(TEXT).expect("JSON");
        let tags: Vec<_> = tags().into_iter().map(|tag| tag.name).collect();
        let mut names = BTreeSet::new();
        for (path, operations) in description["paths"].as_object().expect("paths") {
            for (method, operation) in operations.as_object().expect("operations") {
                let name = operation["operationId"].as_str().expect("a name");
                assert!(names.insert(name), "{name} is the name of two operations");
                let tag = operation["tags"][0].as_str().expect("a tag");
                assert!(tags.iter().any(|known| known == tag), "{method} {path}: {tag}");
                assert!(operation["summary"].is_string(), "{method} {path} has no summary");
            }
        }
    }

    #[test]
    fn what_is_referred_to_is_described() {
        let description: Value = serde_json::from_str(TEXT).expect("JSON");
        for reference in TEXT.split(r##""$ref": "#"##).skip(1) {
            let path = reference.split('"').next().expect("a path");
            assert!(description.pointer(path).is_some(), "{path} is not described");
        }
    }
}
