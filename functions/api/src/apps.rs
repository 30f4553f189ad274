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

use crate::{
    answer::{Answer, Refusal, answer},
    request,
};

/// An app as it is shown: never with its secret.
#[derive(Serialize)]
struct Shown<'a> {
    id: &'a AppId,
    name: &'a str,
    contact: Option<&'a str>,
}

impl<'a> Shown<'a> {
    fn new(id: &'a AppId, registration: &'a Registration) -> Self {
        Self { id, name: &registration.name, contact: registration.contact.as_deref() }
    }
}

/// What a removal is of.
#[derive(Serialize)]
struct Removed<'a> {
    app: &'a AppId,
    #[serde(skip_serializing_if = "Option::is_none")]
    company_id: Option<&'a CompanyId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a UserId>,
}

type AppPath = Result<Path<String>, PathRejection>;

/// `PUT /v1/apps/{app}`: registers an app, or changes what is known of it.
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
