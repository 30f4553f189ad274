// A receiver on a free port of this machine: it answers 200 and keeps every POST.

import { once } from "node:events";
import { createServer } from "node:http";

import { within } from "./deadline.mjs";

/** Starts one. */
export async function startReceiver() {
  const receiver = new Receiver();
  await receiver.start();
  return receiver;
}

class Receiver {
  #server = createServer((request, response) => this.#receive(request, response));
  #arrived = [];
  #waiting = [];

  async start() {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.url = `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** The next POST to a path: its method, headers and text. */
  next(path, deadlineMs = 10_000) {
    const index = this.#arrived.findIndex((post) => post.path === path);
    if (index >= 0) return Promise.resolve(this.#arrived.splice(index, 1)[0]);
    const arrival = new Promise((resolve) => this.#waiting.push({ path, resolve }));
    return within(deadlineMs, `a POST to ${path}`, arrival);
  }

  /** How many POSTs to a path nobody has asked for yet. */
  unseen(path) {
    return this.#arrived.filter((post) => post.path === path).length;
  }

  stop() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #receive(request, response) {
    const chunks = await request.toArray();
    response.end();
    const { method, url: path, headers } = request;
    const post = { method, path, headers, text: Buffer.concat(chunks).toString("utf8") };
    const index = this.#waiting.findIndex((waiting) => waiting.path === path);
    if (index >= 0) this.#waiting.splice(index, 1)[0].resolve(post);
    else this.#arrived.push(post);
  }
}
