/** Events of runs as streams: whole, resumed, alive, and at each client's pace. */
import assert from "node:assert/strict";
import { eventStream } from "../routes/http/sse.ts";
import {
  ENDLESS,
  eventsOf,
  type ServerSentEvent,
  SMALL,
  type TestServer,
  withServer,
} from "./server_helpers.ts";

const TINY = { kind: "rotation", trials: 8, T: 5, N: 3 };

async function startRun({ post }: TestServer, hyperparameters: object): Promise<string> {
  const dataset = await (await post("/v1/datasets", TINY)).json();
  const answer = await post("/v1/runs", {
    dataset: dataset.id,
    hyperparameters,
    device: "wasm",
    reproducible: true,
    report: false,
  });
  const run = await answer.json();
  assert.equal(answer.status, 202, run.error);
  return run.id;
}

async function all(response: Response): Promise<ServerSentEvent[]> {
  assert.equal(response.status, 200);
  return await Array.fromAsync(eventsOf(response));
}

Deno.test("a client that comes back with Last-Event-ID misses nothing and hears nothing twice", () =>
  withServer(async (server) => {
    const { ask } = server;
    const id = await startRun(server, SMALL);
    // a client that loses the stream after every other event
    const heard: ServerSentEvent[] = [];
    for (let connections = 0;; connections++) {
      const last = heard.at(-1)?.id;
      const answer = await ask(`/v1/runs/${id}/events`, {
        headers: last === undefined ? {} : { "last-event-id": String(last) },
      });
      if (answer.status === 204) {
        assert(connections > 3, `only ${connections} connections`);
        break;
      }
      assert.equal(answer.headers.get("content-type"), "text/event-stream; charset=utf-8");
      let n = 0;
      for await (const event of eventsOf(answer)) {
        heard.push(event);
        if (++n === 2) break;
      }
    }
    const whole = await all(await ask(`/v1/runs/${id}/events`));
    assert.deepEqual(heard, whole);
    assert.deepEqual(whole.map(({ id }) => id), whole.map((_, i) => i + 1));
    for (const { id, data } of whole) assert.equal(data.id, id);
    // `after` does the same; the header goes before it
    assert.deepEqual(await all(await ask(`/v1/runs/${id}/events?after=3`)), whole.slice(3));
    const both = await ask(`/v1/runs/${id}/events?after=1`, { headers: { "last-event-id": "4" } });
    assert.deepEqual(await all(both), whole.slice(4));
    const head = await ask(`/v1/runs/${id}/events`, { method: "HEAD" });
    assert.deepEqual([head.status, await head.text()], [200, ""]);
  }));

Deno.test("a stream shows signs of life, ends when the client leaves, and makes room", () =>
  withServer(async (server) => {
    const { ask, post } = server;
    const id = await startRun(server, ENDLESS);
    const open = async () => {
      const leave = new AbortController();
      const answer = await ask(`/v1/runs/${id}/events?after=1000000`, { signal: leave.signal });
      return { answer, leave };
    };
    const first = await open(), second = await open();
    const full = await open();
    assert.equal(full.answer.status, 503);
    assert.match((await full.answer.json()).error, /fewer than 2 streams of events, found 2/);

    const reader = first.answer.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!/(: still here\n\n){3}/.test(text)) text += (await reader.read()).value;
    assert.match(text, /^retry: 2000\n\n(: still here\n\n)+$/);
    await reader.cancel();
    second.leave.abort();
    await new Promise((resolve) => setTimeout(resolve, 10));
    const again = [await open(), await open()];
    for (const { answer, leave } of again) {
      assert.equal(answer.status, 200);
      leave.abort();
    }
    await (await post(`/v1/runs/${id}/cancel`)).body?.cancel();
  }, { settings: { maxStreams: 2, heartbeatMs: 10 } }));

Deno.test("a client that takes nothing holds nothing up, and is dropped", async () => {
  let made = 0, ended = 0;
  async function* numbers() {
    try {
      for (;;) {
        await Promise.resolve();
        yield ++made;
      }
    } finally {
      ended++;
    }
  }
  const options = { heartbeatMs: 1000, idleMs: 50, onEnd: () => ended++ };
  const { body } = eventStream(numbers(), (n) => `data: ${n}\n\n`, { ...options, heartbeatMs: 10 });
  const reader = body!.getReader();
  for (let i = 0; i < 3; i++) await reader.read();
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert(made <= 4, `${made} events were made for a client that took two`);
  await new Promise((resolve) => setTimeout(resolve, 60));
  await assert.rejects(
    (async () => {
      for (;;) if ((await reader.read()).done) return;
    })(),
    /takes nothing/,
  );
  assert.equal(ended, 2); // the generator, and who counts streams
});

Deno.test("streams end when the server drains, after the run's last word", () =>
  withServer(async (server) => {
    const id = await startRun(server, ENDLESS);
    const heard: ServerSentEvent[] = [];
    const stream = await server.ask(`/v1/runs/${id}/events`);
    const listening = (async () => {
      for await (const event of eventsOf(stream)) heard.push(event);
    })();
    while (!heard.some(({ data }) => data.kind === "checkpoint")) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await server.app.drain();
    await listening;
    const { kind, state } = heard.at(-1)!.data;
    assert.deepEqual([kind, state], ["state", "interrupted"]);
    const refused = await server.ask("/v1/runs");
    assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "10"]);
    const health = await server.ask("/healthz");
    assert.deepEqual([health.status, (await health.json()).status], [503, "draining"]);
  }));
