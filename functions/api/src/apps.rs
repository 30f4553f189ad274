//! Apps: the platform registers and removes them, and says who has uninstalled one.

use std::sync::Arc;

use axum::{
    extract::{Path, Request, State, rejection::PathRejection},
    http::{StatusCode, request::Parts},
    response::Response,
};
use knockback::{
    Context,
    domain::{
        AppId, CompanyId, EventId, FieldErrors, Installation, Registration, RemovalTarget, Secret, UserId,
    },
    seal::client_secret_place,
    store::Registered,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    answer::{Answer, Refusal, answer},
    description::{BodyRefusals, Fields, Id, Named, NewApp, Of, Platform},
    request,
};

/// An app as it is shown: never with its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = App)]
struct Shown<'a> {
    #[schema(value_type = String)]
    id: &'a AppId,
    name: &'a str,
    #[schema(required)]
    contact: Option<&'a str>,
}

impl<'a> Shown<'a> {
    fn new(id: &'a AppId, registration: &'a Registration) -> Self {
        Self { id, name: &registration.name, contact: registration.contact.as_deref() }
    }
}

/// What a removal is of.
#[derive(Serialize, ToSchema)]
#[schema(as = RemovedApp)]
struct Removed<'a> {
    #[schema(value_type = String)]
    app: &'a AppId,
    #[schema(value_type = Option<String>, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    company_id: Option<&'a CompanyId>,
    #[schema(value_type = Option<String>, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a UserId>,
}

type AppAnswer = Of<Shown<'static>>;
type RemovedAnswer = Of<Removed<'static>>;

type AppPath = Result<Path<String>, PathRejection>;

/// `PUT /v1/apps/{app}`: registers an app, or changes what is known of it.
#[utoipa::path(
    put,
    path = "/apps/{app}",
    tag = "apps",
    operation_id = "registerApp",
    summary = "Register an app, or change it",
    description = "The platform's. A client secret that is left out stays as it was.",
    params(("app" = Id, Path, description = "The app's client id.")),
    request_body = NewApp,
    responses(
        (status = 200, description = "The app, which was registered before.", body = inline(AppAnswer)),
        (status = 201, description = "The app, which is new.", body = inline(AppAnswer)),
        Platform,
        BodyRefusals,
    ),
)]
pub(crate) async fn register(
    State(context): State<Arc<Context>>,
    path: AppPath,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    request::platform(&context, &parts).await?;
    let app = app(path)?;
    let (mut registration, secret) = Registration::parse(&request::body(body).await?)?;
    if let Some(Secret(secret)) = secret {
        registration.client_secret = Some(context.sealer.seal(&secret, &client_secret_place(&app)).await?);
    }
    let status = match context.store.register_app(&app, &registration).await? {
        Registered::Anew => StatusCode::CREATED,
        Registered::Changed => StatusCode::OK,
    };
    Ok(answer(status, &Answer::of(Shown::new(&app, &registration))))
}

/// `GET /v1/apps/{app}`: what is known of an app.
#[utoipa::path(
    get,
    path = "/apps/{app}",
    tag = "apps",
    operation_id = "showApp",
    summary = "Show an app",
    description = "The platform's. Its client secret is not shown.",
    params(("app" = Id, Path, description = "The app's client id.")),
    responses((status = 200, description = "The app.", body = inline(AppAnswer)), Platform, Named),
)]
pub(crate) async fn show(
    State(context): State<Arc<Context>>,
    path: AppPath,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    request::platform(&context, &parts).await?;
    let app = app(path).map_err(|_| Refusal::NotFound("app"))?;
    let registration = context.store.registration(&app).await?.ok_or(Refusal::NotFound("app"))?;
    Ok(answer(StatusCode::OK, &Answer::of(Shown::new(&app, &registration))))
}

/// `DELETE /v1/apps/{app}`: removes an app from the marketplace. Once it is answered nothing of it stands, in any
/// company; its webhooks and tokens are cleared away soon after.
#[utoipa::path(
    delete,
    path = "/apps/{app}",
    tag = "apps",
    operation_id = "removeApp",
    summary = "Remove an app from the marketplace",
    description = "The platform's. Once it is answered nothing of the app stands, in any company.",
    params(("app" = Id, Path, description = "The app's client id.")),
    responses((status = 202, description = "It stops now, and is cleared away.", body = inline(RemovedAnswer)), Platform, Fields),
)]
pub(crate) async fn remove(
    State(context): State<Arc<Context>>,
    path: AppPath,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    request::platform(&context, &parts).await?;
    end(&context, &parts, RemovalTarget::App(app(path)?), None).await
}

/// `DELETE /v1/apps/{app}/installations?company_id=…&user_id=…`: a user of a company has uninstalled the app, or without a
/// user, the company has. The same, for what it has of them. With an `id`, a repeat does not end what was installed since.
#[utoipa::path(
    delete,
    path = "/apps/{app}/installations",
    tag = "apps",
    operation_id = "uninstallApp",
    summary = "Say who has uninstalled an app",
    description = "The platform's. Once it is answered nothing of that installation stands.",
    params(
        ("app" = Id, Path, description = "The app's client id."),
        ("company_id" = Id, Query, description = "The company."),
        ("user_id" = Option<Id>, Query, description = "The user: the company itself if left out."),
        ("id" = Option<Id>, Query, description = "Chosen by the platform: a repeat does not end what was installed since."),
    ),
    responses((status = 202, description = "It stops now, and is cleared away.", body = inline(RemovedAnswer)), Platform, Fields),
)]
pub(crate) async fn uninstall(
    State(context): State<Arc<Context>>,
    path: AppPath,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    request::platform(&context, &parts).await?;
    let app = app(path)?;
    let mut wrong = FieldErrors::default();
    let company = request::id_parameter(&parts, "company_id", &mut wrong);
    let user = request::optional_id_parameter(&parts, "user_id", &mut wrong);
    let by = request::optional_id_parameter(&parts, "id", &mut wrong);
    match company {
        Some(company) if wrong.is_empty() => {
            let user = user.unwrap_or_else(UserId::of_company);
            let target = RemovalTarget::Installation(Installation { company, app, user });
            end(&context, &parts, target, by.as_ref()).await
        }
        _ => Err(wrong.into()),
    }
}

/// Ends what an app, or an installation, has. Whoever gets no answer asks again: then the job is sent again.
async fn end(
    context: &Context,
    parts: &Parts,
    target: RemovalTarget,
    by: Option<&EventId>,
) -> Result<Response, Refusal> {
    let mut removal = context.store.end(target.clone(), by, context.now()).await?;
    removal.host = context.config.host.as_deref().or_else(|| request::host(parts)).map(str::to_owned);
    context.queues.send_removal(removal, std::time::Duration::ZERO).await?;
    let (company_id, user_id) = match &target {
        RemovalTarget::App(_) => (None, None),
        RemovalTarget::Installation(of) => (Some(&of.company), of.user.of_somebody()),
    };
    let removed = Removed { app: target.app(), company_id, user_id };
    Ok(answer(StatusCode::ACCEPTED, &Answer::of(removed)))
}

fn app(path: AppPath) -> Result<AppId, FieldErrors> {
    let text = path.map(|Path(text)| text).unwrap_or_default();
    text.parse().map_err(|invalid: knockback::domain::InvalidId| FieldErrors::of("app", invalid.to_string()))
}
