/** What happens in a run, as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
import { FINAL_STATES, type RunEvent as Event, type StoredRunState } from "../src/server.ts";
import { z } from "zod";
import type { ServerContext } from "./context.ts";
import type { Routes } from "./http/endpoint.ts";
import { refusal } from "./http/problems.ts";
import { eventStream } from "./http/sse.ts";
import { validate } from "./http/validate.ts";
import { RunEvent, runParams, wholeText } from "./schemas.ts";

const place = (described: string) => wholeText(0, Number.MAX_SAFE_INTEGER, described);

export function runEventRoutes(routes: Routes, context: ServerContext): void {
  const { jobs, phase, settings, streams } = context;
  routes.add({
    method: "get",
    path: "/v1/runs/{id}/events",
    id: "followRun",
    tag: "runs",
    summary: "follow the run",
    description:
      "Server-sent events: each `data` is one event as JSON, each `id` its number. A client that comes " +
      "back with Last-Event-ID (or `after`) gets what it missed. The stream ends with the run; a client " +
      "that has everything gets 204, which tells a browser not to come back.",
    params: runParams,
    query: z.strictObject({
      after: place("the id of the last event that is known; Last-Event-ID goes before it")
        .optional(),
    }),
    headers: { "Last-Event-ID": "the id of the last event that is known" },
    answers: {
      200: { description: "events as they come", content: { "text/event-stream": RunEvent } },
      204: { description: "the run is over, and its last event is known" },
    },
    duration: "stream",
  }, async ({ params, query, request, signal }) => {
    const action = "Cannot follow the run";
    const last = request.headers.get("last-event-id");
    const after = last === null || last === ""
      ? query.after ?? 0
      : validate(z.object({ "Last-Event-ID": place("") }), { "Last-Event-ID": last }, action, "")[
        "Last-Event-ID"
      ];
    if (streams.count >= settings.maxStreams) {
      throw refusal(
        503,
        action,
        "",
        `fewer than ${settings.maxStreams} streams of events`,
        `${streams.count}`,
        { "retry-after": "5" },
      );
    }
    const stop = new AbortController();
    const release = once(() => {
      streams.leave();
      stop.abort();
      signal.removeEventListener("abort", release);
    });
    streams.enter();
    signal.addEventListener("abort", release);
    if (signal.aborted) release();
    try {
      const { state } = await jobs.runs.get(params.id);
      const events = await jobs.runs.subscribe(params.id, after, stop.signal);
      if (request.method === "HEAD") {
        release();
        return new Response(null, { headers: { "content-type": "text/event-stream" } });
      }
      // of a run that is over the first event is there at once, or never comes
      const first = FINAL_STATES.includes(state) ? await events.next() : null;
      if (first?.done) {
        release();
        return new Response(null, { status: 204 });
      }
      const told = untilClosing(restore(first, events), state, phase.closing, () => stop.abort());
      return eventStream(told, write, { ...settings, onEnd: release });
    } catch (error) {
      release();
      throw error;
    }
  });
}

/** Does it the first time only. */
function once(work: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    work();
  };
}

/** How long a run's last word may take to be told when the server closes. */
const LAST_WORD_MS = 1000;

/** The events, until the server closes: a run that was training has a last word. */
async function* untilClosing(
  events: AsyncGenerator<Event, void, void>,
  state: StoredRunState,
  closing: AbortSignal,
  stop: () => void,
): AsyncGenerator<Event, void, void> {
  const isBusy = () => state === "running" || state === "cancelling";
  let timer: ReturnType<typeof setTimeout> | undefined;
  const close = () => {
    if (isBusy()) timer = setTimeout(stop, LAST_WORD_MS);
    else stop();
  };
  closing.addEventListener("abort", close);
  if (closing.aborted) close();
  try {
    for await (const event of events) {
      if (event.kind === "state") state = event.state;
      yield event;
      if (closing.aborted && !isBusy()) return;
    }
  } finally {
    clearTimeout(timer);
    closing.removeEventListener("abort", close);
  }
}

function write(event: Event): string {
  return `id: ${event.id}\ndata: ${JSON.stringify(event)}\n\n`;
}

async function* restore<T>(
  first: IteratorResult<T, void> | null,
  rest: AsyncGenerator<T, void, void>,
): AsyncGenerator<T, void, void> {
  if (first && !first.done) yield first.value;
  yield* rest;
}
