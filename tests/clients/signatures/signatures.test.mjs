// The very lines that README.md gives to receivers, in JavaScript and Python, with the packages of Standard Webhooks, against
// deliveries of the runner. (Those in Rust are compiled and run by the tests of the whole, tests/system/readme.rs.)

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { startReceiver } from "../receiver.mjs";
import { startRunner } from "../runner.mjs";

const README = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
// Beside this file, so that it finds the package.
const MODULE = new URL("./from-readme.mjs", import.meta.url);
const PYTHON = process.env.KNOCKBACK_PYTHON ?? "python3";
const OTHER_SECRET = "whsec_YW5vdGhlciBzZWNyZXQsIG9mIHNvbWVib2R5IGVsc2U=";

/** The code of README.md in a language that verifies a delivery. */
function fromReadme(language) {
  const blocks = Array.from(README.matchAll(/^```(\w+)\n([^]*?)^```$/gm), ([, of, code]) => ({ of, code }));
  const found = blocks.filter(({ of, code }) => of === language && code.includes("standardwebhooks"));
  assert.equal(found.length, 1, `README.md has one block in ${language} that verifies`);
  return found[0].code;
}

/** Whether the lines in Python take a delivery for genuine. */
function verifiedByPython({ headers, text }, secret) {
  const program = `${fromReadme("python")}
import json, sys
asked = json.load(sys.stdin)
try:
    verified(asked["headers"], asked["body"].encode(), asked["secret"])
    print("genuine")
except Exception as error:
    print(type(error).__name__)
`;
  const input = JSON.stringify({ headers, body: text, secret });
  const ran = spawnSync(PYTHON, ["-c", program], { input, encoding: "utf8" });
  assert.equal(ran.status, 0, ran.stderr ?? String(ran.error));
  const said = ran.stdout.trim();
  assert.ok(["genuine", "WebhookVerificationError"].includes(said), said);
  return said === "genuine";
}

describe("A receiver that verifies as README.md says", { timeout: 120_000 }, () => {
  let runner;
  let receiver;
  let webhook;
  let verified;

  before(async () => {
    writeFileSync(MODULE, fromReadme("js"));
    ({ verified } = await import(MODULE));
    receiver = await startReceiver();
    runner = await startRunner();
    const pattern = { event_action: "*", event_object: "deal" };
    webhook = await call("POST", "/v1/webhooks", { subscription_url: `${receiver.url}/hook`, ...pattern });
  });

  after(async () => {
    rmSync(MODULE, { force: true });
    receiver?.stop();
    assert.equal(await runner?.stop(), 0, "the runner ends cleanly");
  });

  async function call(method, path, body, token = runner.callerToken) {
    const headers = { "x-api-token": token, "content-type": "application/json" };
    const response = await fetch(`${runner.url}${path}`, { method, headers, body: JSON.stringify(body) });
    const answer = await response.json();
    assert.ok(response.ok, JSON.stringify(answer));
    return answer.data;
  }

  async function delivery() {
    const event = { company_id: "1", object: "deal", action: "change", entity_id: "8", data: { title: "Käse ☕" } };
    await call("POST", "/v1/events", event, runner.platformToken);
    return receiver.next("/hook");
  }

  function verifiedByJavaScript({ headers, text }, secret) {
    try {
      return verified(headers, text, secret).data.title === "Käse ☕";
    } catch (error) {
      assert.equal(error.constructor.name, "WebhookVerificationError");
      return false;
    }
  }

  /** Checks what both languages think of a delivery. */
  function check(post, secret, isGenuine) {
    assert.equal(verifiedByJavaScript(post, secret), isGenuine, "JavaScript");
    assert.equal(verifiedByPython(post, secret), isGenuine, "Python");
  }

  test("takes a delivery, and refuses one that was changed, is too old or is somebody else's", async () => {
    const post = await delivery();
    check(post, webhook.signing_secret, true);
    check(post, OTHER_SECRET, false);
    check({ ...post, text: post.text.replace("change", "delete") }, webhook.signing_secret, false);
    const old = String(Number(post.headers["webhook-timestamp"]) - 3600);
    check({ ...post, headers: { ...post.headers, "webhook-timestamp": old } }, webhook.signing_secret, false);
  });

  test("takes a delivery with the old and with the new secret during a rotation", async () => {
    const path = `/v1/webhooks/${webhook.id}/secret`;
    const rotated = await call("POST", `${path}/rotate`);
    assert.notEqual(rotated.signing_secret, webhook.signing_secret);
    assert.deepEqual(await call("GET", path), rotated);
    const post = await delivery();
    assert.equal(post.headers["webhook-signature"].split(" ").length, 2);
    for (const secret of [webhook.signing_secret, rotated.signing_secret]) check(post, secret, true);
    check(post, OTHER_SECRET, false);
  });
});
