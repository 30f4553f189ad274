// A program as Pipedrive's users write it: the vendor's own client manages webhooks, and a receiver verifies what arrives
// with the library of Standard Webhooks. Only the base path says that the other side is Knockback.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { v1 } from "pipedrive";
import { Webhook } from "standardwebhooks";

import { until } from "../deadline.mjs";
import { startReceiver } from "../receiver.mjs";
import { startRunner } from "../runner.mjs";

// The client would ask a proxy of the environment for this machine.
process.env.NO_PROXY = "127.0.0.1";

const COMPANY = "8087566";
const OWNER = "12094821";
const COLLEAGUE = "26510409";

/** The event of the recorded notifications. */
const EVENT = {
  id: "71825ee0-0054-4267-b5fd-d28b7a414212",
  company_id: COMPANY,
  object: "deal",
  action: "create",
  entity_id: "8",
  user_id: "12415231",
  occurred_at: "2022-11-24T13:18:56.089Z",
  data: { id: 8, title: "Sample deal", value: 100, custom_fields: {} },
  permitted_user_ids: [OWNER],
  change_source: "app",
  is_bulk_edit: false,
  correlation_id: "4095519f-02cb-44bc-bd2f-551d5383f202",
  host: "pd-us.pipedrive.com",
};

/** The fields of a webhook that the vendor's API reference has. */
const FIELDS = [
  "id", "company_id", "owner_id", "user_id", "event_action", "event_object", "subscription_url", "version", "is_active",
  "add_time", "remove_time", "type", "http_auth_user", "http_auth_password", "remove_reason", "last_delivery_time",
  "last_http_status", "admin_id", "name",
];

describe("Pipedrive's own client", { timeout: 120_000 }, () => {
  let runner;
  let receiver;
  let owner;
  let ownerToken;

  before(async () => {
    receiver = await startReceiver();
    runner = await startRunner();
    ownerToken = await giveToken({ user_id: OWNER, admin: true });
    owner = webhooksApi(ownerToken);
  });

  after(async () => {
    receiver?.stop();
    assert.equal(await runner?.stop(), 0, "the runner ends cleanly");
  });

  async function platform(path, body) {
    const headers = { "x-api-token": runner.platformToken, "content-type": "application/json" };
    const response = await fetch(`${runner.url}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    const answer = await response.json();
    assert.ok(response.ok, JSON.stringify(answer));
    return answer.data;
  }

  async function giveToken(caller) {
    return (await platform("/v1/tokens", { company_id: COMPANY, ...caller })).token;
  }

  const report = (event) => platform("/v1/events", { ...EVENT, ...event });

  const webhooksApi = (apiKey) => new v1.WebhooksApi(new v1.Configuration({ apiKey, basePath: `${runner.url}/v1` }));

  async function subscribe(path, fields = {}) {
    const request = { subscription_url: receiver.url + path, event_action: "create", event_object: "deal", name: path };
    const answer = await owner.addWebhook({ AddWebhookRequest: { ...request, ...fields } });
    assert.deepEqual({ ...answer, data: null }, { status: "ok", success: true, data: null });
    return answer.data;
  }

  async function listed(api, id) {
    const { data, ...rest } = await api.getWebhooks();
    assert.deepEqual(rest, { status: "ok", success: true });
    return data.find((webhook) => webhook.id === id);
  }

  test("creates, lists and deletes a webhook", async () => {
    const request = {
      subscription_url: `${receiver.url}/crud?a=b`,
      event_action: v1.AddWebhookRequestEventActionConst.change,
      event_object: v1.AddWebhookRequestEventObjectConst.person,
      name: "Persons",
      http_auth_user: "ann",
      http_auth_password: "secret",
    };
    const { data: created } = await owner.addWebhook({ AddWebhookRequest: request });
    const { signing_secret: secret, ...webhook } = created;
    assert.match(secret, /^whsec_/);
    assert.deepEqual(Object.keys(webhook), FIELDS);
    assert.equal(typeof webhook.id, "number");
    assert.match(webhook.add_time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual(webhook, {
      ...request,
      http_auth_password: null,
      id: webhook.id,
      company_id: Number(COMPANY),
      owner_id: Number(OWNER),
      user_id: Number(OWNER),
      version: "2.0",
      is_active: v1.BaseWebhookIsActiveConst.NUMBER_1,
      add_time: webhook.add_time,
      remove_time: null,
      type: v1.BaseWebhookTypeConst.general,
      remove_reason: null,
      last_delivery_time: null,
      last_http_status: null,
      admin_id: Number(OWNER),
    });

    // The secret is shown once.
    assert.deepEqual(await listed(owner, webhook.id), webhook);

    assert.deepEqual(await owner.deleteWebhook({ id: webhook.id }), { status: "ok", success: true });
    assert.equal(await listed(owner, webhook.id), undefined);
    await assert.rejects(owner.deleteWebhook({ id: webhook.id }), isUnknownWebhook);
  });

  test("an app's token from OAuth works on the path that the client builds", async () => {
    const token = await giveToken({ user_id: OWNER, app: "b8a1c0de", scopes: ["webhooks:full"] });
    const oauth = new v1.OAuth2Configuration({ clientId: "b8a1c0de", clientSecret: "s", redirectUri: "https://a.example" });
    oauth.updateToken({ access_token: token, expires_in: 3600, api_domain: runner.url });
    assert.equal(oauth.basePath, `${runner.url}/api/v1`);
    const configuration = new v1.Configuration({ accessToken: oauth.getAccessToken, basePath: oauth.basePath });
    const app = new v1.WebhooksApi(configuration);

    const request = { subscription_url: receiver.url, event_action: "delete", event_object: "lead", name: "App" };
    const { data: webhook } = await app.addWebhook({ AddWebhookRequest: request });
    assert.equal(webhook.type, "application");
    assert.ok(await listed(app, webhook.id), "the app sees it");
    assert.equal(await listed(owner, webhook.id), undefined, "the user does not");
    await assert.rejects(owner.deleteWebhook({ id: webhook.id }), isForbidden);
    assert.equal((await app.deleteWebhook({ id: webhook.id })).success, true);
  });

  test("a webhook of version 2.0 receives a signed delivery", async () => {
    const webhook = await subscribe("/v2", { http_auth_user: "ann", http_auth_password: "pass:word" });
    await report({});
    const post = await receiver.next("/v2");

    const body = new Webhook(webhook.signing_secret).verify(post.text, post.headers);
    const other = new Webhook(`whsec_${Buffer.alloc(32).toString("base64")}`);
    assert.throws(() => other.verify(post.text, post.headers), /No matching signature/);
    // As text, so that the order of the keys counts.
    assert.equal(JSON.stringify(body, null, 1), JSON.stringify({
      data: EVENT.data,
      previous: null,
      meta: {
        action: "create",
        company_id: COMPANY,
        correlation_id: EVENT.correlation_id,
        entity_id: "8",
        entity: "deal",
        id: EVENT.id,
        is_bulk_edit: false,
        timestamp: EVENT.occurred_at,
        type: "general",
        user_id: EVENT.user_id,
        version: "2.0",
        webhook_id: String(webhook.id),
        webhook_owner_id: OWNER,
        change_source: "app",
        permitted_user_ids: [OWNER],
        attempt: 1,
        host: EVENT.host,
      },
    }, null, 1));

    assert.equal(post.method, "POST");
    assert.equal(post.headers["content-type"], "application/json");
    assert.match(post.headers["user-agent"], /^Knockback\/\d/);
    assert.equal(post.headers.authorization, `Basic ${btoa("ann:pass:word")}`);

    const noted = async () => {
      const shown = await listed(owner, webhook.id);
      return shown.last_http_status && shown;
    };
    const shown = await until(5_000, "the first success in the list", noted);
    assert.equal(shown.last_http_status, 200);
    assert.match(shown.last_delivery_time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    await owner.deleteWebhook({ id: webhook.id });
  });

  test("a webhook of version 1.0 receives a signed delivery in its words", async () => {
    const webhook = await subscribe("/v1", { version: "1.0", event_action: "updated" });
    assert.deepEqual([webhook.version, webhook.event_action], ["1.0", "updated"]);
    const [data, previous] = [{ id: 8, value: 200, title: "Sample deal" }, { id: 8, value: 100, title: "Sample deal" }];
    await report({ id: "change-1", action: "change", data, previous });
    const post = await receiver.next("/v1");

    const body = new Webhook(webhook.signing_secret).verify(post.text, post.headers);
    const accepted = body.meta.prepublish_timestamp;
    assert.ok(Math.abs(Date.now() - accepted) < 60_000, `milliseconds, about now: ${accepted}`);
    assert.equal(JSON.stringify(body, null, 1), JSON.stringify({
      v: 1,
      matches_filters: { current: [] },
      meta: {
        action: "updated",
        change_source: "app",
        company_id: Number(COMPANY),
        host: EVENT.host,
        id: 8,
        is_bulk_update: false,
        matches_filters: { current: [] },
        object: "deal",
        permitted_user_ids: [Number(OWNER)],
        pipedrive_service_name: false,
        timestamp: 1669295936,
        timestamp_micro: 1669295936089000,
        prepublish_timestamp: accepted,
        trans_pending: false,
        user_id: Number(EVENT.user_id),
        v: 1,
        webhook_id: String(webhook.id),
      },
      current: data,
      previous,
      event: "updated.deal",
      retry: 0,
    }, null, 1));
    await owner.deleteWebhook({ id: webhook.id });
  });

  test("a deleted webhook receives nothing more", async () => {
    const deleted = await subscribe("/deleted");
    const kept = await subscribe("/kept");
    await report({ id: "before" });
    await Promise.all([receiver.next("/deleted"), receiver.next("/kept")]);
    await owner.deleteWebhook({ id: deleted.id });
    await report({ id: "after" });
    await receiver.next("/kept");
    assert.equal(receiver.unseen("/deleted"), 0);
    await owner.deleteWebhook({ id: kept.id });
  });

  test("each version is created in its own words, and comes back exactly as it was sent", async () => {
    const patterns = [
      { event_action: "added", event_object: "activityType", version: "1.0" },
      { event_action: "merged", event_object: "organization", version: "1.0" },
      { event_action: "*", event_object: "*", version: "1.0" },
      { event_action: "delete", event_object: "lead", version: "2.0" },
      { event_action: "*", event_object: "*", version: "2.0" },
    ];
    for (const pattern of patterns) {
      const created = await subscribe("/patterns", pattern);
      const { signing_secret: secret, ...webhook } = created;
      assert.match(secret, /^whsec_/);
      assert.deepEqual({ ...webhook, ...pattern, subscription_url: `${receiver.url}/patterns` }, webhook);
      assert.deepEqual(await listed(owner, webhook.id), webhook);
      assert.deepEqual(await owner.deleteWebhook({ id: webhook.id }), { status: "ok", success: true });
    }
  });

  test("the 41st webhook of a user is refused, of each kind, until one is deleted", async () => {
    const general = webhooksApi(await giveToken({ user_id: "40404040" }));
    const application = webhooksApi(await giveToken({ user_id: "40404040", app: "b8a1c0de" }));
    const request = { subscription_url: receiver.url, event_action: "create", event_object: "deal", name: "One of many" };
    for (const [api, type] of [[general, "general"], [application, "application"]]) {
      const create = () => api.addWebhook({ AddWebhookRequest: request });
      const ids = [];
      for (let count = 0; count < 40; count += 1) ids.push((await create()).data.id);
      await assert.rejects(create(), isLimit);
      const { data } = await api.getWebhooks();
      assert.deepEqual(data.map((webhook) => webhook.id), ids);
      assert.ok(data.every((webhook) => webhook.type === type));
      await api.deleteWebhook({ id: ids[0] });
      ids.push((await create()).data.id);
      await assert.rejects(create(), isLimit);
      for (const id of ids.slice(1)) await api.deleteWebhook({ id });
    }
  });

  test("what is refused is refused in the vendor's words", async () => {
    await assert.rejects(owner.deleteWebhook({ id: 999_999_999 }), isUnknownWebhook);

    for (const stranger of [webhooksApi("no-such-token"), webhooksApi(undefined)]) {
      await assert.rejects(stranger.getWebhooks(), isUnauthorized);
      await assert.rejects(stranger.addWebhook({}), isUnauthorized);
      await assert.rejects(stranger.deleteWebhook({ id: 1 }), isUnauthorized);
    }

    const reader = webhooksApi(await giveToken({ user_id: OWNER, scopes: ["webhooks:read"] }));
    assert.equal((await reader.getWebhooks()).success, true);
    await assert.rejects(reader.deleteWebhook({ id: 1 }), isOutOfScope);

    const webhook = await subscribe("/forbidden");
    const colleague = webhooksApi(await giveToken({ user_id: COLLEAGUE, admin: false }));
    assert.equal(await listed(colleague, webhook.id), undefined);
    await assert.rejects(colleague.deleteWebhook({ id: webhook.id }), isForbidden);
    await owner.deleteWebhook({ id: webhook.id });

    const wrong = {
      subscription_url: { subscription_url: "not a URL" },
      event_action: { event_action: "added" },
      event_object: { version: "1.0", event_action: "added", event_object: "lead" },
      version: { version: "3.0" },
      name: { name: "n".repeat(256) },
    };
    for (const [field, fields] of Object.entries(wrong)) {
      await assert.rejects(subscribe("/wrong", fields), (body) => {
        assert.deepEqual(Object.keys(body), ["status", "success", "errors"]);
        assert.deepEqual([body.status, body.success], ["error", false]);
        assert.deepEqual(Object.keys(body.errors), [field]);
        assert.ok(body.errors[field].length > 0 && body.errors[field].every((reason) => typeof reason === "string"));
        return true;
      });
    }
    assert.deepEqual((await owner.getWebhooks()).data, []);
  });
});

// The client rejects with the body itself.

function isUnknownWebhook(body) {
  assert.deepEqual(body, { status: "error", success: false, errors: { id: ["not found"] } });
  return true;
}

function isForbidden(body) {
  assert.deepEqual(body, { success: false, message: "Forbidden" });
  return true;
}

function isLimit(body) {
  const error_info = "Delete a webhook before you create another one.";
  assert.deepEqual(body, {
    success: false,
    error: "Webhooks limit reached",
    error_info,
    data: null,
    additional_data: null,
  });
  return true;
}

function isUnauthorized(body) {
  return isCoded(body, "unauthorized access", 401);
}

function isOutOfScope(body) {
  return isCoded(body, "Scope and URL mismatch", 403);
}

function isCoded(body, error, errorCode) {
  assert.match(body.error_info, /\w/);
  assert.deepEqual(body, { success: false, error, errorCode, error_info: body.error_info });
  return true;
}
