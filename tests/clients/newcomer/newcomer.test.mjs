// What a newcomer does first: the README's command, then the three commands that it prints, as they are printed.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

import { until } from "../deadline.mjs";
import { startRunner } from "../runner.mjs";

const COMMAND = process.env.KNOCKBACK_README_COMMAND ?? "cargo run";

/** Includes cargo's look at whether anything has to be built. */
const START_MS = 60_000;

/** Pastes a command into a terminal, and answers what the API said to it. */
async function paste(command) {
  const { stdout } = await promisify(execFile)("bash", ["-c", command], { timeout: 10_000 });
  return JSON.parse(stdout);
}

test("the three printed commands, pasted, show a delivery", { timeout: 120_000 }, async (t) => {
  const data = await mkdtemp(join(tmpdir(), "knockback-"));
  const runner = await startRunner({ command: COMMAND, env: { KNOCKBACK_DATA: data }, startMs: START_MS });
  t.after(async () => {
    await runner.stop();
    await rm(data, { recursive: true });
  });
  assert.equal(runner.commands.length, 3, runner.output());
  const [subscribe, report, look] = runner.commands;

  const subscribed = await paste(subscribe);
  assert.equal(subscribed.success, true, JSON.stringify(subscribed));
  const reported = await paste(report);
  assert.equal(reported.success, true, JSON.stringify(reported));
  const { id, event_object: object } = subscribed.data;
  await runner.line(new RegExp(`webhook ${id} .*attempt 1 .*${object}.* 200$`));

  const isDelivered = async () => {
    const { data } = await paste(look);
    return data.some((webhook) => webhook.id === id && webhook.last_http_status === 200);
  };
  await until(5_000, "the delivery's status where one looks", isDelivered);

  assert.equal(await runner.stop(), 0, "Ctrl-C is no failure");
});
