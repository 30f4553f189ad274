//! What requests are refused with: each refusal once, and which of them each kind of caller can meet.
//!
//! Who adds a refusal that many operations answer adds it to a set below, and its answer to [`all`].

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses, PartialSchema,
    openapi::{
        ComponentsBuilder, ContentBuilder, HeaderBuilder, ObjectBuilder, OneOfBuilder, Ref, RefOr, Response,
        ResponseBuilder,
        schema::{Schema, Type},
    },
};

use crate::{
    answer::{Coded, General, Message, Wrong, words},
    epages::Refused,
};

/// Names sets of refusals, by status, for `responses(…)`.
macro_rules! refusals {
    ($($(#[$doc:meta])* $set:ident { $($status:literal $name:literal),+ $(,)? })+) => {
        $(
            $(#[$doc])*
            pub(crate) struct $set;

            impl IntoResponses for $set {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    [$(($status, $name)),+]
                        .map(|(status, name): (&str, &str)| (status.to_owned(), Ref::from_response_name(name).into()))
                        .into()
                }
            }
        )+
    };
}

refusals! {
    /// Of whom the Pipedrive dialect serves.
    Members {
        "401" "Unauthorized", "403" "Scope", "414" "UriTooLong", "429" "BudgetSpent", "431" "TooManyHeaders",
        "503" "Unavailable",
    }
    /// Of whom asks it for one webhook.
    MembersOfOne {
        "401" "Unauthorized", "403" "ScopeOrForbidden", "404" "NotFound", "414" "UriTooLong", "429" "BudgetSpent",
        "431" "TooManyHeaders", "503" "Unavailable",
    }
    /// Of the platform.
    Platform {
        "401" "Unauthorized", "403" "Scope", "414" "UriTooLong", "429" "BudgetSpent", "431" "TooManyHeaders",
        "503" "Unavailable",
    }
    /// Of everybody, with a token or without.
    Anybody { "414" "UriTooLong", "431" "TooManyHeaders" }
    /// Of whom sends a body, or a query.
    Fields { "400" "WrongFields" }
    /// Of whom sends a body.
    Body { "400" "WrongFields", "413" "TooLarge" }
    /// Of whom names something.
    Named { "404" "NotFound" }
    /// Of whom has as many webhooks as they may.
    Quota { "422" "QuotaReached" }
    /// Of whom changes a signing secret again and again.
    Rotation { "409" "RotatedTooOften" }
    /// Of the apps that ePages' dialect serves.
    Apps {
        "403" "ShopForbidden", "414" "ShopUriTooLong", "429" "ShopBudgetSpent", "431" "ShopTooManyHeaders",
        "503" "ShopUnavailable",
    }
    /// Of whom sends them a query.
    ShopFields { "400" "ShopWrongFields" }
    /// Of whom sends them a body.
    ShopBody { "400" "ShopWrongFields", "413" "ShopTooLarge" }
    /// Of whom names a webhook there.
    ShopNamed { "404" "ShopNotFound" }
    /// Of whom has as many webhooks there as they may.
    ShopQuota { "422" "ShopQuotaReached" }
}

/// Adds every refusal, and the shapes that they have.
pub(super) fn add(mut components: ComponentsBuilder) -> ComponentsBuilder {
    components = components
        .schema("Wrong", Wrong::schema())
        .schema("Coded", Coded::schema())
        .schema("Message", Message::schema())
        .schema("General", General::schema())
        .schema("Problem", Refused::schema());
    components.responses_from_iter(all())
}

fn all() -> [(&'static str, Response); 21] {
    let no_token = "There is no token, or none that is known.";
    let scope = "The token does not permit this call.";
    let either = "The token does not permit this call, or the webhook is another user's of the company.";
    let not_found = "What the path names is not there, or is another company's.";
    let fields = "Fields or parameters are wrong: all of them, each with its reasons.";
    let too_large = "The request, or an event in it, is too large.";
    let quota = "The owner has as many webhooks as they may.";
    let again = "Nothing is wrong with the request, and it should be sent again.";
    let shop = "There is no token of the app's installation in this shop that permits this call.";
    let spent = "The token has spent its budget.";
    let general = || Ref::from_schema_name("General");
    let problem = || Ref::from_schema_name("Problem");
    [
        ("UriTooLong", response(words::URI_TOO_LONG, general())),
        ("TooManyHeaders", response(words::TOO_MANY_HEADERS, general())),
        ("BudgetSpent", later(response(spent, general()))),
        ("RotatedTooOften", response("All of the webhook's secrets still sign.", general())),
        ("ShopUriTooLong", response(words::URI_TOO_LONG, problem())),
        ("ShopTooManyHeaders", response(words::TOO_MANY_HEADERS, problem())),
        ("ShopBudgetSpent", later(response(spent, problem()))),
        ("Unauthorized", response(no_token, Ref::from_schema_name("Coded"))),
        ("Scope", response(scope, Ref::from_schema_name("Coded"))),
        (
            "ScopeOrForbidden",
            response(
                either,
                OneOfBuilder::new()
                    .item(Ref::from_schema_name("Coded"))
                    .item(Ref::from_schema_name("Message")),
            ),
        ),
        ("NotFound", response(not_found, Ref::from_schema_name("Wrong"))),
        ("WrongFields", response(fields, Ref::from_schema_name("Wrong"))),
        ("TooLarge", response(too_large, Ref::from_schema_name("Wrong"))),
        ("QuotaReached", response(quota, general())),
        ("Unavailable", later(response(again, general()))),
        ("ShopForbidden", response(shop, problem())),
        ("ShopNotFound", response("There is no such webhook of this app.", problem())),
        ("ShopWrongFields", response(fields, problem())),
        ("ShopTooLarge", response(too_large, problem())),
        ("ShopQuotaReached", response(quota, problem())),
        ("ShopUnavailable", later(response(again, problem()))),
    ]
}

fn response(description: &str, schema: impl Into<RefOr<Schema>>) -> Response {
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(description).content("application/json", content).build()
}

/// The answer says after how many seconds to ask again.
fn later(response: Response) -> Response {
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
    let header = HeaderBuilder::new().schema(Some(seconds)).description(Some("Seconds to wait.")).build();
    ResponseBuilder::from(response).header("retry-after", header).build()
}
