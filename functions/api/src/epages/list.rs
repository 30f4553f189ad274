//! A page of webhooks, by its number, as the dialect's clients ask for it.

use axum::http::request::Parts;
use knockback::domain::{FieldErrors, Webhook};
use serde::Serialize;
use utoipa::ToSchema;

use super::shown::{Link, Shop, Shown};
use crate::request;

/// The webhooks on a page, unless the caller says otherwise, and at most.
const SIZE_DEFAULT: usize = 10;
const SIZE_MAX: usize = 100;

/// The last page that can be asked for.
const PAGE_MAX: usize = 1_000_000;

/// Which page is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paging {
    /// Counted from 0.
    number: usize,
    size: usize,
}

/// Webhooks, and where they stand among all.
#[derive(Serialize, ToSchema)]
#[schema(as = ShopWebhooks)]
pub(super) struct Listed<'a> {
    links: Vec<Link>,
    content: Vec<Shown<'a>>,
    page: Place,
}

/// Where a page stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Page)]
struct Place {
    size: usize,
    total_elements: usize,
    total_pages: usize,
    number: usize,
}

impl Paging {
    /// Reads `page` and `resultsPerPage`.
    pub(super) fn read(parts: &Parts) -> Result<Self, FieldErrors> {
        let number = request::parameter(parts, "page", "must be from 0 to 1000000", |page| *page <= PAGE_MAX);
        let size = request::parameter(parts, "resultsPerPage", "must be from 1 to 100", |size| {
            (1..=SIZE_MAX).contains(size)
        });
        match (number, size) {
            (Ok(number), Ok(size)) => {
                Ok(Self { number: number.unwrap_or(0), size: size.unwrap_or(SIZE_DEFAULT) })
            }
            (number, size) => {
                let mut wrong = FieldErrors::default();
                for errors in [number.err(), size.err()].into_iter().flatten() {
                    wrong.extend(errors);
                }
                Err(wrong)
            }
        }
    }

    /// The page of these webhooks.
    pub(super) fn page<'a>(self, webhooks: &'a [Webhook], shop: &Shop) -> Listed<'a> {
        let Self { number, size } = self;
        let total_pages = webhooks.len().div_ceil(size);
        // A page behind the last is followed back to the last.
        let previous = number.min(total_pages).checked_sub(1).map(|page| ("previous", page));
        let next = Some(("next", number + 1)).filter(|(_, page)| *page < total_pages);
        let links = [Some(("self", number)), previous, next].into_iter().flatten();
        let shown = webhooks.iter().skip(number * size).take(size);
        Listed {
            links: links.map(|(rel, number)| shop.page_link(rel, number, size)).collect(),
            content: shown.map(|webhook| shop.shown(webhook)).collect(),
            page: Place { size, total_elements: webhooks.len(), total_pages, number },
        }
    }
}
