//! Tokens: the platform gives them to callers, and takes them back.

use std::sync::Arc;

use axum::{
    extract::{Path, Request, State, rejection::PathRejection},
    http::StatusCode,
    response::Response,
};
use knockback::{
    Context,
    domain::{AppId, CompanyId, FieldErrors, Member, Scope, UserId},
    store::{AddedToken, Token},
    token::{is_sha256_hex, new_token, sha256_hex},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    answer::{Answer, Refusal, answer},
    description::{self, BodyRefusals, Fields, Id, Named, NewToken, Of, OfMany, Platform, TokenId},
    request,
};

/// The most tokens in one answer, and as many as there are for who asks for no number.
const LIMIT_MAX: usize = 500;

type GivenAnswer = Of<Given>;
type TokensAnswer = OfMany<Shown<'static>>;
type TakenAnswer = Of<Taken>;

/// `POST /v1/tokens`: gives a caller a token. It is told this once, and kept only as its SHA-256.
#[utoipa::path(
    post,
    path = "/tokens",
    tag = "tokens",
    operation_id = "giveToken",
    summary = "Give a caller a token",
    description = "The platform's. The token is told this once, and kept only as its SHA-256.",
    request_body = NewToken,
    responses((status = 201, description = "The token.", body = inline(GivenAnswer)), Platform, BodyRefusals),
)]
pub(crate) async fn give(State(context): State<Arc<Context>>, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    request::platform(&context, &parts).await?;
    let member = Member::parse(&request::body(body).await?)?;
    let token = new_token(&*context.entropy);
    let id = sha256_hex(&token);
    let new = Token { sha256: id.clone(), member, added_at: context.now(), full_at: None };
    match context.store.add_token(new).await? {
        AddedToken::Added => Ok(answer(StatusCode::CREATED, &Answer::of(Given { id, token }))),
        AddedToken::AppRemoved => {
            Err(FieldErrors::of("app", "is removed from the marketplace: register it again first").into())
        }
    }
}

/// `GET /v1/tokens?company_id=…`: those of a company that are good for something.
#[utoipa::path(
    get,
    path = "/tokens",
    tag = "tokens",
    operation_id = "listTokens",
    summary = "List the tokens of a company",
    description = "The platform's: those that are good for something, without the tokens themselves.",
    params(
        ("company_id" = Id, Query, description = "The company."),
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 500, description = "How many at most: 500 if left out."),
        ("cursor" = Option<TokenId>, Query, description = "Where to go on: the answer before said it."),
    ),
    responses((status = 200, description = "The tokens.", body = inline(TokensAnswer)), Platform, Fields),
)]
pub(crate) async fn list(State(context): State<Arc<Context>>, request: Request) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    request::platform(&context, &parts).await?;
    let mut wrong = FieldErrors::default();
    let company: Option<CompanyId> = request::id_parameter(&parts, "company_id", &mut wrong);
    let limit = request::parameter(&parts, "limit", "must be from 1 to 500", |limit: &usize| {
        (1..=LIMIT_MAX).contains(limit)
    });
    let after: Result<Option<String>, _> =
        request::parameter(&parts, "cursor", "must be one that an answer gave", |id: &String| {
            is_sha256_hex(id)
        });
    match (company, limit, after) {
        (Some(company), Ok(limit), Ok(after)) => {
            let limit = limit.unwrap_or(LIMIT_MAX);
            let page = context.store.tokens(&company, after.as_deref(), limit).await?;
            let data: Vec<_> = page.tokens.iter().map(Shown::from).collect();
            Ok(answer(StatusCode::OK, &Answer::of(data).continued_at(page.next)))
        }
        (_, limit, after) => {
            for errors in [limit.err(), after.err()].into_iter().flatten() {
                wrong.extend(errors);
            }
            Err(wrong.into())
        }
    }
}

/// `DELETE /v1/tokens/{id}`: takes a token back. Who uses it afterwards is refused.
#[utoipa::path(
    delete,
    path = "/tokens/{id}",
    tag = "tokens",
    operation_id = "takeTokenBack",
    summary = "Take a token back",
    description = "The platform's. Who uses the token afterwards is refused.",
    params(("id" = TokenId, Path, description = "The token.")),
    responses((status = 200, description = "The token that was taken back.", body = inline(TakenAnswer)), Platform, Named),
)]
pub(crate) async fn take_back(
    State(context): State<Arc<Context>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    request::platform(&context, &parts).await?;
    let id = id.ok().map(|Path(id)| id).filter(|id| is_sha256_hex(id)).ok_or(Refusal::NotFound("id"))?;
    if context.store.take_token_back(&id).await? {
        Ok(answer(StatusCode::OK, &Answer::of(Taken { id })))
    } else {
        Err(Refusal::NotFound("id"))
    }
}

/// A token that was given.
#[derive(Serialize, ToSchema)]
#[schema(as = GivenToken)]
struct Given {
    #[schema(value_type = TokenId)]
    id: String,
    /// The token itself.
    token: String,
}

/// A token that was taken back.
#[derive(Serialize, ToSchema)]
#[schema(as = TakenToken)]
struct Taken {
    #[schema(value_type = TokenId)]
    id: String,
}

/// A token as it is shown. The token itself is known to nobody but who has it.
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
struct Shown<'a> {
    #[schema(value_type = TokenId)]
    id: &'a str,
    #[schema(value_type = String)]
    company_id: &'a CompanyId,
    /// `null` for an app's that is the whole company's.
    #[schema(value_type = Option<String>, required)]
    user_id: Option<&'a UserId>,
    #[schema(value_type = Option<String>, required)]
    app: Option<&'a AppId>,
    admin: bool,
    #[schema(value_type = Vec<description::Scope>)]
    scopes: &'a [Scope],
    #[schema(required)]
    contact: Option<&'a str>,
    #[schema(value_type = description::Time)]
    add_time: String,
}

impl<'a> From<&'a Token> for Shown<'a> {
    fn from(token: &'a Token) -> Self {
        let Token { sha256, member, added_at, full_at: _ } = token;
        Self {
            id: sha256,
            company_id: &member.company,
            user_id: member.user.of_somebody(),
            app: member.app.as_ref(),
            admin: member.admin,
            scopes: &member.scopes,
            contact: member.contact.as_deref(),
            add_time: added_at.to_string(),
        }
    }
}
