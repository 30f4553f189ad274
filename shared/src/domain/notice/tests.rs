//! Notices and mails.

use serde_json::json;

use super::*;
use crate::domain::{
    Announcement, AttemptEnd, Change, Dialect, Pattern, Policies, Policy, Sealed, test_values::webhook,
};

const DAY_MS: i64 = 24 * 3_600_000;

/// A day in 2026, from 1 on.
fn day(day: i64) -> Timestamp {
    Timestamp::from_ms(1_767_225_600_000 + (day - 1) * DAY_MS)
}

/// Webhook 7 of company 1, failing since the first.
fn failing() -> Webhook {
    let mut webhook = webhook("1", "10", None);
    webhook.name = Some("Orders to ERP".to_owned());
    webhook.url = "https://user:s3cret@receiver.example:8443/s3cret?key=s3cret#s3cret".to_owned();
    (webhook.http_auth_user, webhook.http_auth_password) =
        (Some("s3cret".to_owned()), Some(Sealed("s3cret".to_owned())));
    webhook.health.failing_since = Some(day(1));
    webhook.health.last_http_status = Some(503);
    webhook
}

/// The webhook of an app in the shop `DemoShop`, deactivated.
fn deactivated() -> Webhook {
    let shop = webhook("DemoShop", "-", Some("crm-sync"));
    let id = "73CA6C8C-60E3-4B78-AE37-0491EBE57AF8".parse().expect("an id");
    let pattern = Pattern::of_event_type("ORDER_CREATE").expect("an event type");
    Webhook { id, pattern, enabled: false, health: failing().health, ..shop }
}

fn removed(reason: RemoveReason) -> Webhook {
    Webhook { removed_at: Some(day(4)), remove_reason: Some(reason), ..failing() }
}

fn event(detail_type: &str, detail: &serde_json::Value) -> String {
    json!({"version": "0", "id": "e", "detail-type": detail_type, "source": "knockback", "detail": detail})
        .to_string()
}

/// What the bus has of a change of `webhook`.
fn told(webhook: &Webhook, change: Change) -> Notice {
    let announcement = Announcement { at: day(3), change };
    let detail = serde_json::to_value(announcement.detail(webhook)).expect("JSON");
    let notice = Notice::parse(&event(change.detail_type(), &detail)).expect("an event");
    let notice = notice.expect("owners are told of it");
    assert_eq!(notice.id.to_string(), detail["id"]);
    assert_eq!((&notice.company, notice.webhook), (&webhook.company, webhook.id));
    notice
}

const EXPIRING: Change = Change::Expiring { expires_at: Timestamp::from_ms(1_767_225_600_000 + 3 * DAY_MS) };
const DEACTIVATED: Change = Change::Deactivated { status: Some(500) };
const STALE: Change = Change::Deleted { reason: RemoveReason::Stale };

fn policy(webhook: &Webhook) -> Policy {
    Policies::default().of(webhook.dialect()).clone()
}

fn end(error: Option<&str>) -> AttemptEnd {
    let (started_at, ended_at) = (day(2), day(2));
    let answer = Some("s3cret".to_owned());
    AttemptEnd { started_at, ended_at, status: Some(500), error: error.map(str::to_owned), answer }
}

fn mail(webhook: &Webhook, change: Change) -> Mail {
    let last = end(Some("answered 500 Internal Server Error"));
    Mail::write(&told(webhook, change), webhook, Some(&last), &policy(webhook))
}

#[test]
fn only_what_owners_are_told_of_is_a_notice() {
    let notice = |kind: &str, change: Change| {
        let announcement = Announcement { at: day(3), change };
        let detail = serde_json::to_value(announcement.detail(&failing())).expect("JSON");
        Notice::parse(&event(kind, &detail)).expect("an event")
    };
    for change in [EXPIRING, DEACTIVATED, STALE] {
        assert!(notice(change.detail_type(), change).is_some());
    }
    let banned = Change::Banned { strikes: 10, until: day(4), status: None };
    for change in [banned, Change::Reactivated] {
        assert_eq!(notice(change.detail_type(), change), None);
    }
    for reason in [RemoveReason::Deleted, RemoveReason::AppRemoved, RemoveReason::AppUninstalled] {
        assert_eq!(notice("webhook.deleted", Change::Deleted { reason }), None);
    }
    assert_eq!(notice("webhook.event", STALE), None);
}

#[test]
fn what_is_no_event_is_an_error_that_names_what_is_wrong() {
    let good = json!({"id": "73ca6c8c-60e3-4b78-ae37-0491ebe57af8", "company_id": "1", "webhook_id": 7,
        "at": day(3).to_string(), "expires_at": day(4).to_string()});
    assert!(Notice::parse(&event("webhook.expiring", &good)).is_ok_and(|notice| notice.is_some()));
    let wrong = |field: &str, value: serde_json::Value| {
        let mut detail = good.clone();
        detail[field] = value;
        let error = Notice::parse(&event("webhook.expiring", &detail)).expect_err(field);
        match error {
            NoticeError::Field(name) => name.to_owned(),
            NoticeError::Json(error) => error.to_string(),
        }
    };
    for field in ["id", "at", "expires_at", "failing_since"] {
        assert!(wrong(field, json!("soon")).contains(field), "{field}");
    }
    assert!(wrong("expires_at", json!(null)).contains("expires_at"));
    assert!(wrong("company_id", json!("1#2")).contains("must be 1 to 64"));
    for body in ["", "{}", "[]", r#"{"detail-type":"webhook.deleted"}"#] {
        assert!(Notice::parse(body).is_err(), "{body}");
    }
}

#[test]
fn what_is_not_so_any_more_is_not_told() {
    let expiring = told(&failing(), EXPIRING);
    assert!(expiring.holds(&failing()));
    for since in [None, Some(day(2))] {
        let mut webhook = failing();
        webhook.health.failing_since = since;
        assert!(!expiring.holds(&webhook), "it has recovered");
    }
    assert!(!expiring.holds(&Webhook { enabled: false, ..failing() }), "it is not deleted then");
    assert!(!expiring.holds(&removed(RemoveReason::Stale)));

    let off = told(&deactivated(), DEACTIVATED);
    assert!(off.holds(&deactivated()));
    assert!(!off.holds(&Webhook { enabled: true, ..deactivated() }));
    assert!(!off.holds(&Webhook { removed_at: Some(day(4)), ..deactivated() }));

    let deleted = told(&removed(RemoveReason::Stale), STALE);
    assert!(deleted.holds(&removed(RemoveReason::Stale)));
    assert!(!deleted.holds(&removed(RemoveReason::Deleted)) && !deleted.holds(&failing()));
}

#[test]
fn the_developer_of_an_app_is_told_or_else_who_was_given_the_token() {
    let app = |contact: Option<&str>| Registration {
        name: "CRM Sync".to_owned(),
        contact: contact.map(str::to_owned),
        client_secret: None,
    };
    let (registered, silent) = (app(Some("dev@example.com")), app(None));
    let mut webhook = deactivated();
    assert_eq!(contact(&webhook, None), None);
    assert_eq!(contact(&webhook, Some(&silent)), None);
    webhook.contact = Some("owner@example.com".to_owned());
    assert_eq!(contact(&webhook, Some(&registered)), Some("dev@example.com"));
    for app in [None, Some(&silent)] {
        assert_eq!(contact(&webhook, app), Some("owner@example.com"));
    }
}

#[test]
fn a_deactivated_webhook_is_switched_on_again() {
    let mail = mail(&deactivated(), DEACTIVATED);
    assert_eq!(mail.subject, "Webhook 73CA6C8C-60E3-4B78-AE37-0491EBE57AF8 is deactivated");
    let expected = "\
Webhook 73CA6C8C-60E3-4B78-AE37-0491EBE57AF8 of shop DemoShop is deactivated, for the last retry of a delivery has \
failed. What happens until it is switched on again is not delivered to it.

Webhook: 73CA6C8C-60E3-4B78-AE37-0491EBE57AF8
Belongs to: shop DemoShop
App: crm-sync
Asks for: ORDER_CREATE
Delivers to: https://receiver.example
Deactivated: 2026-01-03 00:00:00 UTC
Fails since: 2026-01-01 00:00:00 UTC
Last attempt: 2026-01-02 00:00:00 UTC
Last status: 500
It failed because: answered 500 Internal Server Error

Mend the endpoint: it has to answer a POST with a status from 200 to 299 within 10s. Then switch the webhook on again:

  POST /rs/shops/DemoShop/webhooks/73CA6C8C-60E3-4B78-AE37-0491EBE57AF8
  active=true
";
    assert_eq!(mail.text, expected);
}

#[test]
fn an_owner_is_told_when_a_webhook_will_be_deleted_and_what_saves_it() {
    let mail = mail(&failing(), EXPIRING);
    assert_eq!(mail.subject, "Webhook 7 (\"Orders to ERP\") will be deleted");
    let expected = "\
Webhook 7 (\"Orders to ERP\") of company 1 fails, and will be deleted soon after 2026-01-04 00:00:00 UTC.

Webhook: 7
Name: Orders to ERP
Belongs to: company 1
Asks for: change of deal (version 2.0)
Delivers to: https://receiver.example:8443
Will be deleted: 2026-01-04 00:00:00 UTC
Fails since: 2026-01-01 00:00:00 UTC
Last attempt: 2026-01-02 00:00:00 UTC
Last status: 500
It failed because: answered 500 Internal Server Error

Mend the endpoint: it has to answer a POST with a status from 200 to 299 within 10s. One delivery that succeeds before \
then saves the webhook, and so does a change of its URL:

  PATCH /v1/webhooks/7
  {\"subscription_url\":\"https://…\"}
";
    assert_eq!(mail.text, expected);
}

#[test]
fn a_deleted_webhook_is_created_again() {
    let mail = mail(&removed(RemoveReason::Stale), STALE);
    assert_eq!(mail.subject, "Webhook 7 (\"Orders to ERP\") was deleted");
    assert!(mail.text.contains("Deleted: 2026-01-03 00:00:00 UTC\n"));
    let request = concat!(
        "\n\n  POST /v1/webhooks\n",
        r#"  {"event_action":"change","event_object":"deal","#,
        r#""subscription_url":"https://receiver.example:8443/…","version":"2.0"}"#,
        "\n"
    );
    assert!(mail.text.ends_with(request), "{}", mail.text);
}

#[test]
fn where_no_attempt_is_known_the_announcement_says_how_it_ended() {
    for last in [None, Some(&end(None))] {
        let webhook = failing();
        let mail = Mail::write(&told(&webhook, EXPIRING), &webhook, last, &policy(&webhook));
        assert!(mail.text.contains("Last status: 503\n\n") && !mail.text.contains("Last attempt"));
    }
    let silent = AttemptEnd { status: None, ..end(Some("could not connect: refused")) };
    let webhook = failing();
    let mail = Mail::write(&told(&webhook, EXPIRING), &webhook, Some(&silent), &policy(&webhook));
    assert!(mail.text.contains("Last status: no answer\nIt failed because: could not connect: refused\n"));
}

/// Every mail that there is, of webhooks with this name.
fn mails(name: &str, error: &str) -> Vec<Mail> {
    let webhooks =
        [(failing(), EXPIRING), (deactivated(), DEACTIVATED), (removed(RemoveReason::Stale), STALE)];
    let mails = webhooks.into_iter().map(|(mut webhook, change)| {
        webhook.name = Some(name.to_owned());
        let last = end(Some(error));
        Mail::write(&told(&webhook, change), &webhook, Some(&last), &policy(&webhook))
    });
    mails.collect()
}

#[test]
fn no_mail_holds_a_secret() {
    for error in ["answered 500", "error sending request for url (https://receiver.example/s3cret)"] {
        for Mail { subject, text, html } in mails("mine", error) {
            assert!(
                ![subject, text, html].iter().any(|part| part.contains("s3cret") || part.contains("sealed"))
            );
        }
    }
}

#[test]
fn a_hostile_name_adds_no_line_and_no_markup() {
    let name =
        "a\r\nBcc: all@example.com\u{0}\u{1b}[2J\u{202e}</td><script>alert('x')</script> & \"b\"\u{2028}c";
    for Mail { subject, text, html } in mails(name, "<img src=x>\nLast status: 200") {
        assert!(!subject.chars().any(|c| c.is_control() || "\u{202e}\u{2028}".contains(c)), "{subject:?}");
        let good = mails("mine", "answered 500");
        assert!(good.iter().any(|good| good.text.lines().count() == text.lines().count()), "{text}");
        assert!(text.contains("Name: a Bcc: all@example.com [2J </td><script>alert"), "{text}");
        for tag in ["<script", "<img", "</script", "'x'"] {
            assert!(!html.contains(tag), "{html}");
        }
        assert!(html.contains("&lt;/td&gt;&lt;script&gt;alert(&#39;x"), "{html}");
        assert!(html.contains("<td>&lt;img src=x&gt; Last status: 200</td>"), "{html}");
    }
}

#[test]
fn a_subject_is_short_however_long_the_name_is() {
    let long = "ä".repeat(255);
    for Mail { subject, text, .. } in mails(&long, &long.repeat(10)) {
        assert!(subject.chars().count() <= 140, "{subject}");
        assert!(subject.contains(&format!("{}…\")", "ä".repeat(59))));
        assert!(text.chars().count() < 1500);
    }
    for Mail { subject, .. } in mails("\u{200b}\t", "answered 500") {
        assert!(!subject.contains('"'), "{subject}");
    }
}

#[test]
fn every_dialect_has_a_request_for_every_notice() {
    let of = |dialect, told| {
        let webhook = if dialect == Dialect::Epages { deactivated() } else { failing() };
        letter::request(told, &webhook)
    };
    for (dialect, told, first_line) in [
        (Dialect::Pipedrive, Told::Deactivated, "PATCH /v1/webhooks/7\n{\"is_active\":true}"),
        (Dialect::Epages, Told::Deleted, "POST /rs/shops/DemoShop/webhooks\n{\"callbackUrl\":"),
    ] {
        assert!(of(dialect, told).starts_with(first_line));
    }
}
