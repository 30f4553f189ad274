"""From a subscription to a receiver: what callers, receivers and the platform see of a deployment."""

import json

import pytest
from conftest import Company, aws, eventually
from standardwebhooks import Webhook


def test_the_api_answers_without_a_token_where_it_may_and_nowhere_else(stack):
    assert stack.request("GET", "/health").status == 200
    assert stack.request("GET", "/v1/openapi.json").body["openapi"].startswith("3.1")
    assert stack.request("GET", "/v1/webhooks").status == 401
    assert stack.request("GET", "/api/v1/webhooks").status == 401
    assert stack.request("GET", "/nothing/here").status == 404


def test_an_event_is_delivered_signed_and_with_its_numbers_as_they_were(company, receiver):
    url = receiver.url()
    webhook = company.subscribe(url, http_auth_user="user", http_auth_password="pass")
    # What is not there in full is a text to Python, so that nothing rounds it.
    company.stack.platform("POST", "/v1/events", company.event(data={"id": 8, "large": 2**53 + 1}))
    delivery, = receiver.wait(url)
    body = Webhook(webhook["signing_secret"]).verify(delivery.body, delivery.headers)
    assert body["meta"]["company_id"] in (company.id, int(company.id))
    assert b"9007199254740993" in delivery.body
    assert delivery.headers["authorization"] == "Basic dXNlcjpwYXNz"
    assert delivery.headers["user-agent"].startswith("Knockback/")

    def has_noted_the_success():
        return company.webhook(webhook)["last_http_status"] == 200
    eventually(has_noted_the_success)


def test_an_event_that_the_platform_puts_on_the_bus_twice_is_one_delivery(company, receiver, stack):
    url = receiver.url()
    webhook = company.subscribe(url)
    for event in (company.event(id="one", host="acme.example.com"), company.event(id="two", host="acme.example.com")):
        entry = {"EventBusName": stack.outputs["BusName"], "Source": "crm", "DetailType": "webhook.event"}
        answer = aws("events").put_events(Entries=[entry | {"Detail": json.dumps(event)}] * 2)
        assert answer["FailedEntryCount"] == 0

    # Copies that arrive at the same moment may be two requests, by which a receiver knows them as one.
    def two_deliveries():
        return len({delivery.headers["webhook-id"] for delivery in receiver.at(url)}) == 2
    eventually(two_deliveries)
    for delivery in receiver.at(url):
        Webhook(webhook["signing_secret"]).verify(delivery.body, delivery.headers)


def test_a_failed_delivery_is_tried_again_after_each_delay_and_never_before(company, receiver):
    url = receiver.url(503, 500, 200)
    webhook = company.subscribe(url)
    company.report()
    attempts = receiver.wait(url, 3)
    assert len({attempt.headers["webhook-id"] for attempt in attempts}) == 1
    for earlier, later, delay in zip(attempts, attempts[1:], (1, 2)):
        assert delay <= later.at - earlier.at < delay + 10
    assert company.webhook(webhook)["strikes"] == 1


def test_a_webhook_that_keeps_failing_is_banned_for_a_while_and_the_platform_is_told(company, receiver, announcements):
    url = receiver.url(503)
    webhook = company.subscribe(url)

    def is_banned():
        return company.webhook(webhook)["is_active"] == 0

    for _ in range(3):
        company.report()
    eventually(is_banned)

    def the_ban_was_announced():
        return announcements(webhook, "webhook.banned")
    announced = eventually(the_ban_was_announced)[0]["detail"]
    assert (announced["strikes"], announced["last_http_status"]) == (3, 503)

    # Of an event during the ban the receiver never hears.
    receiver.wait(url, 3 * 4)
    company.report(correlation_id=f"during-{company.id}")
    assert company.webhook(webhook)["is_active"] == 0

    def the_ban_is_over():
        return company.webhook(webhook)["is_active"] == 1
    eventually(the_ban_is_over)
    receiver.answers["/" + url.rsplit("/", 1)[1]] = [200]
    for name in ("after", "later"):
        company.report(correlation_id=f"{name}-{company.id}")
    receiver.wait(url, 3 * 4 + 2)
    correlation_ids = [json.loads(it.body)["meta"]["correlation_id"] for it in receiver.at(url)[3 * 4:]]
    assert sorted(correlation_ids) == [f"after-{company.id}", f"later-{company.id}"]
    assert company.webhook(webhook)["strikes"] == 0


def report_twice(company, receiver, url):
    """Once the second event is there, so is all that the first has brought about."""
    for number in (1, 2):
        company.report()
        receiver.wait(url, number)


def test_who_switches_off_or_deletes_gets_nothing_more(company, receiver):
    off, deleted, other = receiver.url(), receiver.url(), receiver.url()
    switched_off, webhook, kept = company.subscribe(off), company.subscribe(deleted), company.subscribe(other)
    assert company.request("PATCH", f"/v1/webhooks/{switched_off['id']}", {"is_active": False}).status == 200
    assert company.request("DELETE", f"/v1/webhooks/{webhook['id']}").status == 200
    report_twice(company, receiver, other)
    assert receiver.at(off) == receiver.at(deleted) == []
    listed = company.request("GET", "/v1/webhooks").body["data"]
    assert sorted(it["id"] for it in listed) == sorted([switched_off["id"], kept["id"]])


def test_an_app_that_is_uninstalled_stops_at_once_and_is_cleared_away(stack, receiver, announcements):
    stack.platform("PUT", "/v1/apps/crm-sync", {"name": "CRM Sync", "contact": "dev@app.example"})
    company = Company(stack, app="crm-sync")
    gone, stays = receiver.url(), receiver.url()
    webhook = company.subscribe(gone)
    other = Company(stack, company=company.id)
    other.subscribe(stays)
    stack.platform("DELETE", f"/v1/apps/crm-sync/installations?company_id={company.id}&user_id=10")
    assert company.request("GET", "/v1/webhooks").status == 401
    report_twice(company, receiver, stays)
    assert receiver.at(gone) == []

    def the_deletion_was_announced():
        return announcements(webhook, "webhook.deleted")
    assert eventually(the_deletion_was_announced)[0]["detail"]["reason"] == "app_uninstalled"


@pytest.fixture
def shop(stack):
    app = {"name": "Mailer", "contact": "dev@app.example", "client_secret": "A5pnpId0FyHno8caYRAj2YccFU42kta8"}
    stack.platform("PUT", "/v1/apps/mailer", app)
    shop = Company(stack, app="mailer", user=None)
    shop.path = f"/rs/shops/{shop.id}/webhooks"
    return shop


def test_a_shops_app_hears_of_orders_and_of_its_own_uninstallation(shop, stack, receiver):
    orders, farewell = receiver.url(), receiver.url()
    for url, kind in ((orders, "ORDER_CREATE"), (farewell, "APP_UNINSTALL")):
        assert shop.request("POST", shop.path, {"callbackUrl": url, "eventType": kind}).status == 201
    shop.report_order("create", "57")
    notified, = receiver.wait(orders)
    assert json.loads(notified.body)["entity"] == {"orderId": "57"}
    assert "x-epages-hmac-sha256" in notified.headers
    stack.platform("DELETE", f"/v1/apps/mailer/installations?company_id={shop.id}")
    receiver.wait(farewell)
    assert shop.request("GET", shop.path).status == 403


def test_a_shops_webhook_that_never_answers_is_deactivated_and_its_developer_mailed(shop, stack, receiver, mails):
    url = receiver.url(500)
    webhook = shop.request("POST", shop.path, {"callbackUrl": url, "eventType": "ORDER_UPDATE"}).body
    shop.report_order("change", "58")
    # Two retries here, and each waits for the hold that the failure before it has begun.
    receiver.wait(url, 3)

    def it_is_deactivated():
        return shop.request("GET", f"{shop.path}/{webhook['webhookId']}").body["active"] is False
    eventually(it_is_deactivated)

    def the_developer_was_mailed():
        return [mail for mail in mails() if webhook["webhookId"] in json.dumps(mail)]
    mail, = eventually(the_developer_was_mailed)
    assert "dev@app.example" in json.dumps(mail) and "hooks@example.com" in json.dumps(mail)
