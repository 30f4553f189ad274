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

use crate::{
    answer::{Answer, Refusal, answer},
    request,
};

/// The most tokens in one answer, and as many as there are for who asks for no number.
const LIMIT_MAX: usize = 500;

/// `POST /v1/tokens`: gives a caller a token. It is told this once, and kept only as its SHA-256.
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

#[derive(Serialize)]
struct Given {
    id: String,
    token: String,
}

#[derive(Serialize)]
struct Taken {
    id: String,
}

/// A token as it is shown. The token itself is known to nobody but who has it.
#[derive(Serialize)]
struct Shown<'a> {
    id: &'a str,
    company_id: &'a CompanyId,
    /// `null` for an app's that is the whole company's.
    user_id: Option<&'a UserId>,
    app: Option<&'a AppId>,
    admin: bool,
    scopes: &'a [Scope],
    contact: Option<&'a str>,
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
