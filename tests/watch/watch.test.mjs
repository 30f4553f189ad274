// The functions under `cargo lambda watch`, as somebody has them who follows README.md: two commands, then those to paste.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, utimes } from "node:fs/promises";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { until } from "../clients/deadline.mjs";
import { startRunner } from "../clients/runner.mjs";
import { startFunctions } from "./functions.mjs";

const RUN = process.env.KNOCKBACK_README_COMMAND ?? "cargo run -- --invoke http://127.0.0.1:9001";
const WATCH = process.env.KNOCKBACK_README_WATCH;

/** Where README.md has the functions. */
const README_PORT = "9001";

/** Includes cargo's look at whether anything has to be built, once for each function. */
const START_MS = 180_000;

/** Includes building a function. */
const RESTART_MS = 180_000;

/** Longer than cargo-lambda collects changes before it acts on them, which is 3 seconds. */
const COLLECTED_MS = 8_000;

const FUNCTIONS = ["api", "deliver", "fanout", "notify", "sweeper"];

/** What is printed when a function starts; "Running" before it may stand in another line, as they all print at once. */
const running = (name) => new RegExp(`.target/debug/${name}`);

let runner, functions, data, printed;

/** A port that nobody listens on. */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return String(port);
}

before(async () => {
  const port = await freePort();
  // Within what is watched, as the README's is.
  data = await mkdtemp(fileURLToPath(new URL("data-", import.meta.url)));
  const env = {
    KNOCKBACK_DATA: data,
    KNOCKBACK_AWS_LISTEN: "127.0.0.1:0",
    KNOCKBACK_POLICY: "pipedrive.retries=1s,1s,1s",
  };
  assert.match(RUN, new RegExp(`:${README_PORT}$`));
  runner = await startRunner({ command: RUN.replace(README_PORT, port), env, startMs: START_MS });
  const [command] = await runner.line(/^cargo lambda watch .*/);
  printed = command.replace(data, ".knockback").replace(port, README_PORT);
  functions = startFunctions(command);
  await Promise.race([runner.line(/^The functions are up\.$/, START_MS), functions.lines(/^never$/, 1, START_MS)]);
});

after(async () => {
  await functions?.stop();
  await runner?.stop();
  if (data) await rm(data, { recursive: true });
});

/** Pastes a command into a terminal, and answers what the API said to it. */
async function paste(command) {
  const { stdout } = await promisify(execFile)("bash", ["-c", command], { timeout: 30_000 });
  return JSON.parse(stdout);
}

/** Asks the API where the functions are. */
async function ask(method, path, token, body) {
  const response = await fetch(runner.url + path, {
    method,
    headers: { "x-api-token": token, "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

/** A receiver on a free port that answers with these statuses in turn, and then 200; with what it was sent. */
async function startReceiver(...statuses) {
  const received = [];
  const server = createServer(async (request, response) => {
    await request.toArray();
    received.push(request.headers["webhook-id"]);
    response.statusCode = statuses.shift() ?? 200;
    response.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${server.address().port}/hook`, received, stop };
}

async function subscribe(url, object) {
  const webhook = { subscription_url: url, event_action: "*", event_object: object };
  const { status, body } = await ask("POST", "/v1/webhooks", runner.callerToken, webhook);
  assert.equal(status, 201, JSON.stringify(body));
  return body.data.id;
}

async function report(object) {
  const event = { company_id: "1", object, action: "change", entity_id: "8", data: { id: 8 } };
  const { status, body } = await ask("POST", "/v1/events", runner.platformToken, event);
  assert.equal(status, 202, JSON.stringify(body));
}

test("the printed command is the one in the README", { skip: WATCH ? false : "KNOCKBACK_README_WATCH is not set" }, () => {
  assert.equal(printed, WATCH);
});

test("the three printed commands, pasted, show a delivery", async () => {
  assert.equal(runner.commands.length, 3, runner.output());
  const [subscribeCommand, reportCommand, look] = runner.commands;
  const subscribed = await paste(subscribeCommand);
  assert.equal(subscribed.success, true, JSON.stringify(subscribed));
  assert.equal((await paste(reportCommand)).success, true);
  const isDelivered = async () => {
    const { data } = await paste(look);
    return data.some(({ id, last_http_status: status }) => id === subscribed.data.id && status === 200);
  };
  await until(30_000, "the delivery's status where one looks", isDelivered);
  assert.match(functions.output(), /"attempt":1,"event":"[^"]+","object":"deal","action":"create","outcome":"succeeded","status":200/);
});

test("a receiver that fails is tried again until it succeeds, with the same webhook-id", async (t) => {
  const receiver = await startReceiver(503, 500);
  t.after(receiver.stop);
  const id = await subscribe(receiver.url, "person");
  await report("person");
  await until(60_000, "the third attempt", () => receiver.received.length === 3);
  assert.equal(new Set(receiver.received).size, 1);
  const isWell = async () => {
    const { body } = await ask("GET", `/v1/webhooks/${id}`, runner.callerToken);
    return body.data.last_http_status === 200 && body.data.strikes === 1;
  };
  await until(30_000, "one strike, and a success", isWell);
  assert.equal(receiver.received.length, 3);
});

test("the schedules have fired the sweeper, and the log says what it did", async () => {
  for (const sweep of ["Stale", "Waits"]) await functions.lines(new RegExp(`"swept","sweep":"${sweep}"`), 1, 30_000);
});

test("the API has the paths of a deployment, and its own host is refused", async () => {
  for (const [path, status] of [
    ["/health", 200],
    ["/v1/openapi.json", 200],
    ["/api/v1/webhooks", 200],
    ["/rs/shops/DemoShop/webhooks", 403],
    ["/v1/nothing", 404],
  ]) {
    assert.equal((await ask("GET", path, runner.callerToken)).status, status, path);
  }
  for (const host of [runner.url, runner.url.replace("127.0.0.1", "localhost")]) {
    const webhook = { subscription_url: `${host}/v1/events`, event_action: "*", event_object: "deal" };
    const { status, body } = await ask("POST", "/v1/webhooks", runner.callerToken, webhook);
    assert.equal(status, 400, JSON.stringify(body));
    assert.match(JSON.stringify(body.errors.subscription_url), /this API's own/);
  }
});

test("deliveries, which write data, start no function anew", async (t) => {
  const receiver = await startReceiver();
  t.after(receiver.stop);
  await subscribe(receiver.url, "lead");
  const end = performance.now() + COLLECTED_MS;
  for (let reported = 1; performance.now() < end; reported += 1) {
    await report("lead");
    await until(30_000, "the delivery", () => receiver.received.length === reported);
  }
  for (const name of FUNCTIONS) assert.equal(functions.count(running(name)), 1, functions.output());
});

test("a change of the source starts the functions anew, and deliveries go on", async (t) => {
  const receiver = await startReceiver();
  t.after(receiver.stop);
  await subscribe(receiver.url, "stage");
  const before = new Map(FUNCTIONS.map((name) => [name, functions.count(running(name))]));
  const now = new Date();
  await utimes(new URL("../../functions/deliver/src/main.rs", import.meta.url), now, now);
  for (const [name, count] of before) await functions.lines(running(name), count + 1, RESTART_MS);
  await report("stage");
  await until(60_000, "the delivery", () => receiver.received.length === 1);
});
