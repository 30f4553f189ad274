// Starts the runner as its own process, reads what it prints, and ends it whatever happens.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { within } from "./deadline.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BINARY = process.env.KNOCKBACK_RUNNER ?? `${ROOT}target/debug/local`;

/** Longer than the runner takes to finish what is in flight, which here is nothing. */
const STOP_MS = 10_000;

/**
 * Starts `command` (by default the built runner, in memory, on a free port) and waits until it has printed its greeting.
 *
 * @param {{command?: string, env?: Record<string, string>, startMs?: number}} options
 */
export async function startRunner({ command, env = {}, startMs = 20_000 } = {}) {
  const environment = { ...process.env, KNOCKBACK_LISTEN: "127.0.0.1:0", ...env };
  const options = { cwd: ROOT, env: environment, stdio: ["ignore", "pipe", "pipe"] };
  const child = command
    ? spawn("bash", ["-c", `exec ${command}`], options)
    : spawn(BINARY, ["--memory", "--listen", "127.0.0.1:0"], options);
  const runner = new Runner(child);
  try {
    await within(startMs, "the runner's greeting", runner.greeting());
  } catch (error) {
    await runner.stop();
    throw new Error(`${error.message}; the runner said:\n${runner.output()}`, { cause: error });
  }
  return runner;
}

class Runner {
  #child;
  #exited;
  #lines = [];
  #waiting = new Set();
  #end = () => this.#child.kill("SIGKILL");
  #interrupted = () => process.exit(1);

  constructor(child) {
    this.#child = child;
    this.#exited = once(child, "exit").catch((error) => this.#note(`cannot be started: ${error.message}`));
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => this.#note(line));
    }
    // It must not outlive a test that ends early.
    process.once("exit", this.#end);
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, this.#interrupted);
  }

  /** Reads the URL, both tokens and the commands from what is printed at the start. */
  async greeting() {
    const ended = this.#exited.then(() => {
      throw new Error("the runner ended before its greeting");
    });
    const read = async () => {
      [, this.url] = await this.#match(/ (http:\/\/127\.0\.0\.1:\d+)\b/);
      [, this.platformToken] = await this.#match(/^platform token\s+(\S+)/);
      [, this.callerToken] = await this.#match(/^caller's token\s+(\S+)/);
      // The last line of the greeting.
      await this.#match(/Ctrl-C/);
      // Each stands under a line that says what it does, and ends at an empty one.
      const commands = this.output().matchAll(/^# \d.*\n((?:.+\n)+)/gm);
      this.commands = Array.from(commands, ([, command]) => command);
    };
    await Promise.race([read(), ended]);
  }

  /** Waits for a line that has been printed or will be. */
  line(pattern, deadlineMs = 10_000) {
    return within(deadlineMs, `a line like ${pattern}`, this.#match(pattern));
  }

  /** All that was printed so far. */
  output() {
    return this.#lines.join("\n");
  }

  /** Ends it: politely, then not. Answers its exit code, null if it had to be killed. */
  async stop() {
    this.#child.kill("SIGTERM");
    await within(STOP_MS, "the runner's end", this.#exited).catch(this.#end);
    await this.#exited;
    process.off("exit", this.#end);
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.off(signal, this.#interrupted);
    return this.#child.exitCode;
  }

  #note(line) {
    this.#lines.push(line);
    for (const look of [...this.#waiting]) look(line);
  }

  #match(pattern) {
    for (const line of this.#lines) {
      const match = pattern.exec(line);
      if (match) return Promise.resolve(match);
    }
    return new Promise((resolve) => {
      const look = (line) => {
        const match = pattern.exec(line);
        if (!match) return;
        this.#waiting.delete(look);
        resolve(match);
      };
      this.#waiting.add(look);
    });
  }
}
