//! Webhooks, as ePages' clients manage them: below a shop, with the token of an app that is installed there (facts:
//! ePages, Resources).
//!
//! What such a token does not manage is not there, whether it is another app's or of the other dialect.

mod answer;
mod list;
mod shown;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, Request, State, rejection::PathRejection},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
    routing::any,
};
use knockback::{
    Context,
    domain::{
        Amendment, AppId, CompanyId, Dialect, FieldErrors, Member, Subscription, WebhookId,
        epages::{CALLBACK_URL, read_active, read_subscription},
    },
    store::StoredWebhook,
};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) use self::answer::{Problem, Refused};
use self::{
    list::{Listed, Paging},
    shown::{Created, Shop, Shown},
};
use crate::{
    answer::{Refusal, answer},
    description::{
        Apps, Id, NewShopWebhook, ShopBody, ShopFields, ShopNamed, ShopQuota, ShopWebhookId,
        ShopWebhookSwitch, ShopWebhookSwitchForm,
    },
    request,
    webhooks::{self, addresses},
};

/// Whether a path is of this dialect.
pub(crate) fn is_below(path: &str) -> bool {
    path.starts_with("/rs/")
}

/// All routes below `/rs`.
pub(crate) fn router() -> Router<Arc<Context>> {
    let nothing = async || Problem(Refusal::NoSuchPath).into_response();
    let below = Router::from(described())
        .fallback(nothing)
        .method_not_allowed_fallback(async || Problem(Refusal::Method).into_response());
    // What is nested does not have the slash alone.
    Router::new().nest("/rs", below).route("/rs/", any(nothing))
}

/// The routes that there are, below `/rs`.
pub(crate) fn described() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::default().routes(routes!(list, create)).routes(routes!(read, switch, remove))
}

type ShopPath = Result<Path<String>, PathRejection>;
type WebhookPath = Result<Path<(String, String)>, PathRejection>;

/// `GET /rs/shops/{shop}/webhooks`: a page of those that the app has there, in the order of their
/// creation.
#[utoipa::path(
    get,
    path = "/shops/{shop}/webhooks",
    tag = "ePages",
    operation_id = "listShopWebhooks",
    summary = "List the app's webhooks in a shop",
    description = "A page of them, in the order of their creation.",
    security(("bearer" = [])),
    params(
        ("shop" = Id, Path, description = "The shop."),
        ("page" = Option<u32>, Query, maximum = 1_000_000, description = "Counted from 0, which is the default."),
        ("resultsPerPage" = Option<u16>, Query, minimum = 1, maximum = 100, description = "10 if left out."),
    ),
    responses((status = 200, description = "The webhooks.", body = Listed), Apps, ShopFields),
)]
async fn list(
    State(context): State<Arc<Context>>,
    path: ShopPath,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let member = app_of(shop(path)?.as_ref(), request::reader(&context, &parts).await?)?;
    let paging = Paging::read(&parts)?;
    let shown_here = |webhook: &_| member.manages_in(Dialect::Epages, webhook);
    let mut webhooks = context.store.webhooks(&member.company, None, usize::MAX, shown_here).await?.webhooks;
    webhooks.sort_by_key(|webhook| (webhook.added_at, webhook.id));
    let shop = Shop::new(&context, &parts, &member.company);
    Ok(answer(StatusCode::OK, &paging.page(&webhooks, &shop)))
}

/// `POST /rs/shops/{shop}/webhooks`: creates one.
#[utoipa::path(
    post,
    path = "/shops/{shop}/webhooks",
    tag = "ePages",
    operation_id = "createShopWebhook",
    summary = "Create a webhook in a shop",
    description = "The app has to be registered with its client secret, which signs its notifications. The answer holds the \
                   signing secret of the webhook, this once.",
    security(("bearer" = [])),
    params(("shop" = Id, Path, description = "The shop.")),
    request_body = NewShopWebhook,
    responses((status = 201, description = "The webhook.", body = Created), Apps, ShopBody, ShopQuota),
)]
async fn create(
    State(context): State<Arc<Context>>,
    path: ShopPath,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let member = app_of(shop(path)?.as_ref(), request::writer(&context, &parts).await?)?;
    let subscription = subscription(&context, &parts, &request::body(body).await?, &member).await?;
    let shop = Shop::new(&context, &parts, &member.company);
    let id = WebhookId::from_random(context.random());
    let (webhook, signing_secret) = webhooks::create(&context, id, member, subscription).await?;
    Ok(answer(StatusCode::CREATED, &shop.created(&webhook, signing_secret)))
}

async fn subscription(
    context: &Context,
    parts: &Parts,
    body: &[u8],
    member: &Member,
) -> Result<Subscription, Refusal> {
    let addresses = addresses(context, parts);
    let subscription = read_subscription(body, member, &addresses)?;
    if let Some(app) = &member.app {
        check_signs(context, app).await?;
    }
    match webhooks::refused(context, &subscription.target, &addresses).await {
        Some(refused) => Err(FieldErrors::of(CALLBACK_URL, refused.to_string()).into()),
        None => Ok(subscription),
    }
}

/// Every notification is signed with the client secret of its app.
async fn check_signs(context: &Context, app: &AppId) -> Result<(), Refusal> {
    let registration = context.store.registration(app).await?;
    if registration.is_some_and(|registration| registration.client_secret.is_some()) {
        return Ok(());
    }
    let reason = format!(
        "{app} is not registered with a client secret, which signs its notifications: the platform registers it with PUT \
         /v1/apps/{app}"
    );
    Err(FieldErrors::of("app", reason).into())
}

/// `GET /rs/shops/{shop}/webhooks/{id}`: shows one.
#[utoipa::path(
    get,
    path = "/shops/{shop}/webhooks/{id}",
    tag = "ePages",
    operation_id = "readShopWebhook",
    summary = "Show a webhook of a shop",
    security(("bearer" = [])),
    params(("shop" = Id, Path, description = "The shop."), ("id" = ShopWebhookId, Path, description = "The webhook.")),
    responses((status = 200, description = "The webhook.", body = Shown), Apps, ShopNamed),
)]
async fn read(
    State(context): State<Arc<Context>>,
    path: WebhookPath,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let (shop, id) = names(path)?;
    let member = app_of(shop.as_ref(), request::reader(&context, &parts).await?)?;
    let StoredWebhook { webhook, .. } = find(&context, &member, id).await?;
    let shop = Shop::new(&context, &parts, &member.company);
    Ok(answer(StatusCode::OK, &shop.shown(&webhook)))
}

/// `POST /rs/shops/{shop}/webhooks/{id}`: switches one on or off.
#[utoipa::path(
    post,
    path = "/shops/{shop}/webhooks/{id}",
    tag = "ePages",
    operation_id = "switchShopWebhook",
    summary = "Switch a webhook of a shop on or off",
    description = "By JSON or by a form: the body shows which, whatever its content type.",
    security(("bearer" = [])),
    params(("shop" = Id, Path, description = "The shop."), ("id" = ShopWebhookId, Path, description = "The webhook.")),
    request_body(
        content(
            (ShopWebhookSwitch = "application/json"),
            (ShopWebhookSwitchForm = "application/x-www-form-urlencoded"),
        ),
    ),
    responses((status = 200, description = "The webhook as it is now.", body = Shown), Apps, ShopBody, ShopNamed),
)]
async fn switch(
    State(context): State<Arc<Context>>,
    path: WebhookPath,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let (shop, id) = names(path)?;
    let member = app_of(shop.as_ref(), request::writer(&context, &parts).await?)?;
    let read = find(&context, &member, id).await?;
    let amendment = Amendment::switch(read_active(&request::body(body).await?)?);
    let changed = webhooks::change(&context, &member, read, &amendment).await?;
    let shop = Shop::new(&context, &parts, &member.company);
    Ok(answer(StatusCode::OK, &shop.shown(&changed)))
}

/// `DELETE /rs/shops/{shop}/webhooks/{id}`: removes one, whatever the request's body is. Once it is answered, no attempt
/// starts.
#[utoipa::path(
    delete,
    path = "/shops/{shop}/webhooks/{id}",
    tag = "ePages",
    operation_id = "deleteShopWebhook",
    summary = "Delete a webhook of a shop",
    description = "Once it is answered, no attempt starts.",
    security(("bearer" = [])),
    params(("shop" = Id, Path, description = "The shop."), ("id" = ShopWebhookId, Path, description = "The webhook.")),
    responses((status = 204, description = "It is gone."), Apps, ShopNamed),
)]
async fn remove(
    State(context): State<Arc<Context>>,
    path: WebhookPath,
    request: Request,
) -> Result<StatusCode, Problem> {
    let (parts, _) = request.into_parts();
    let (shop, id) = names(path)?;
    let member = app_of(shop.as_ref(), request::writer(&context, &parts).await?)?;
    let read = find(&context, &member, id).await?;
    webhooks::remove(&context, &member, read).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The shop that a path names; `None` if it can be nobody's.
fn shop(path: ShopPath) -> Result<Option<CompanyId>, Refusal> {
    let Path(shop) = path.map_err(|_| Refusal::NoSuchPath)?;
    Ok(shop.parse().ok())
}

/// The shop and the webhook that a path names.
fn names(path: WebhookPath) -> Result<(Option<CompanyId>, Option<WebhookId>), Refusal> {
    let Path((shop, id)) = path.map_err(|_| Refusal::NoSuchPath)?;
    Ok((shop.parse().ok(), id.parse().ok()))
}

/// Lets an app pass that is installed in the shop.
fn app_of(shop: Option<&CompanyId>, member: Member) -> Result<Member, Refusal> {
    let is_installed = member.app.is_some() && Some(&member.company) == shop;
    if is_installed { Ok(member) } else { Err(Refusal::Scope) }
}

/// A webhook that the app manages, in this dialect.
async fn find(context: &Context, member: &Member, id: Option<WebhookId>) -> Result<StoredWebhook, Refusal> {
    let not_found = Refusal::NotFound("id");
    let Some(id) = id else { return Err(not_found) };
    let stands = |stored: &StoredWebhook| {
        stored.webhook.removed_at.is_none() && member.manages_in(Dialect::Epages, &stored.webhook)
    };
    webhooks::find(context, member, id).await?.filter(stands).ok_or(not_found)
}
