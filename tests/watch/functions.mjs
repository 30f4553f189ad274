// Starts the functions by the command that a runner prints, reads what they print, and ends them whatever happens.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { within } from "../clients/deadline.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Starts them. */
export function startFunctions(command) {
  return new Functions(command);
}

class Functions {
  #child;
  #exited;
  #lines = [];
  #waiting = new Set();
  #end = () => this.#child.kill("SIGKILL");

  constructor(command) {
    this.#child = spawn("bash", ["-c", `exec ${command}`], { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
    this.#exited = once(this.#child, "exit");
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        this.#lines.push(line);
        for (const look of [...this.#waiting]) look();
      });
    }
    // They must not outlive a test that ends early. Without cargo-lambda, a function ends by itself.
    process.once("exit", this.#end);
  }

  /** All that was printed so far. */
  output() {
    return this.#lines.join("\n");
  }

  /** How many lines were printed like this. */
  count(pattern) {
    return this.#lines.filter((line) => pattern.test(line)).length;
  }

  /** Waits until so many lines were printed like this. */
  async lines(pattern, count, deadlineMs) {
    let look;
    const printed = new Promise((resolve) => {
      look = () => this.count(pattern) >= count && resolve();
    });
    this.#waiting.add(look);
    look();
    const ended = this.#exited.then(() => {
      throw new Error(`the functions ended:\n${this.output()}`);
    });
    try {
      await within(deadlineMs, `${count} lines like ${pattern}`, Promise.race([printed, ended]));
    } finally {
      this.#waiting.delete(look);
    }
  }

  /** Ends them as Ctrl-C does, or else by force. */
  async stop() {
    this.#child.kill("SIGINT");
    await within(10_000, "the functions' end", this.#exited).catch(this.#end);
    await this.#exited;
    process.off("exit", this.#end);
  }
}
