//! ePages' dialect (facts: ePages).

mod api;
mod callers;
mod inputs;
mod shops;

/// Where the webhooks of the shop are that most tests have.
const WEBHOOKS: &str = "/rs/shops/DemoShop/webhooks";
