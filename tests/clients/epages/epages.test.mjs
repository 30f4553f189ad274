// What ePages' official Ruby client puts on the wire (the gem epages-rest, which no registry that this
// project's machines reach has): its headers, its bodies, and how it reads what it is answered.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, describe, test } from "node:test";

import { startReceiver } from "../receiver.mjs";
import { startRunner } from "../runner.mjs";

const SHOP = "DemoShop";
const APP = "mailer";
const CLIENT_SECRET = "A5pnpId0FyHno8caYRAj2YccFU42kta8";
const JSON_TYPE = "application/json";
const FORM_TYPE = "application/x-www-form-urlencoded";

describe("ePages' own client, by what it sends", { timeout: 120_000 }, () => {
  let runner;
  let receiver;
  let token;

  before(async () => {
    receiver = await startReceiver();
    runner = await startRunner();
    await platform("PUT", `/v1/apps/${APP}`, { name: APP, contact: "dev@mailer.example", client_secret: CLIENT_SECRET });
    token = (await platform("POST", "/v1/tokens", { company_id: SHOP, app: APP })).token;
  });

  after(async () => {
    receiver?.stop();
    assert.equal(await runner?.stop(), 0, "the runner ends cleanly");
  });

  async function platform(method, path, body) {
    const headers = { "x-api-token": runner.platformToken, "content-type": JSON_TYPE };
    const response = await fetch(`${runner.url}${path}`, { method, headers, body: JSON.stringify(body) });
    const answer = await response.json();
    assert.ok(response.ok, JSON.stringify(answer));
    return answer.data;
  }

  /** A request as the client makes it: it takes 200 to 206 for a success, and of all else the message. */
  async function perform(method, path, { body, type = JSON_TYPE } = {}) {
    const headers = { "content-type": type, accept: "*/*", authorization: `Bearer ${token}` };
    const response = await fetch(`${runner.url}/rs/shops/${SHOP}${path}`, { method, headers, body });
    const text = await response.text();
    if (response.status < 200 || response.status > 206) throw new Error(JSON.parse(text).message);
    return text === "" ? null : JSON.parse(text);
  }

  const create = (path, eventType) => {
    const body = JSON.stringify({ callbackUrl: receiver.url + path, eventType });
    return perform("POST", "/webhooks", { body });
  };

  test("creates, reads, lists, deactivates, activates and deletes a webhook", async () => {
    const { signingSecret, ...webhook } = await create("/crud", "ORDER_CREATE");
    assert.match(signingSecret, /^whsec_/);
    const { webhookId: id } = webhook;
    assert.match(id, /^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$/);
    assert.deepEqual(webhook, {
      webhookId: id,
      active: true,
      eventType: "ORDER_CREATE",
      callbackUrl: `${receiver.url}/crud`,
      createdOn: webhook.createdOn,
      updatedOn: webhook.createdOn,
      links: [{ rel: "self", href: `${runner.url}/rs/shops/${SHOP}/webhooks/${id}` }],
    });
    assert.deepEqual(await perform("GET", `/webhooks/${id}`), webhook);
    const { content, page } = await perform("GET", "/webhooks?page=0&resultsPerPage=9");
    assert.deepEqual(content, [webhook]);
    assert.deepEqual(page, { size: 9, totalElements: 1, totalPages: 1, number: 0 });

    for (const request of [
      { body: "active=false", type: FORM_TYPE },
      { body: "active=true", type: FORM_TYPE },
      // Other versions of it write JSON, with a text; curl and some others, whatever content type.
      { body: '{"active":"false"}' },
      { body: "active=true" },
    ]) {
      const active = request.body.includes("true");
      const switched = await perform("POST", `/webhooks/${id}`, request);
      assert.deepEqual(switched, { ...webhook, active, updatedOn: switched.updatedOn });
    }

    assert.equal(await perform("DELETE", `/webhooks/${id}`, { body: "{}" }), null);
    await assert.rejects(perform("GET", `/webhooks/${id}`), /no such webhook/);
    assert.equal((await perform("GET", "/webhooks")).page.totalElements, 0);
  });

  test("is told by the message what is wrong", async () => {
    await assert.rejects(create("/wrong", "ORDER_EXPLODE"), /eventType must be one of ORDER_CREATE/);
    const good = token;
    token = "unknown";
    await assert.rejects(create("/wrong", "ORDER_CREATE"), /token/);
    token = good;
  });

  test("receives a notification for what it subscribed to", async () => {
    await create("/orders", "ORDER_UPDATE");
    const event = { company_id: SHOP, object: "order", action: "change", entity_id: "58B6F171", data: { total: 1 } };
    await platform("POST", "/v1/events", event);
    const { text, headers } = await receiver.next("/orders");
    const { eventType, entity } = JSON.parse(text);
    assert.deepEqual({ eventType, entity }, { eventType: "ORDER_UPDATE", entity: { total: 1 } });
    const signature = createHmac("sha256", CLIENT_SECRET).update(text).digest("base64");
    assert.equal(headers["x-epages-hmac-sha256"], signature);
  });
});
