/** What happens in a run, as it happens: server-sent events by fetch, since EventSource sends no key. */
import { ApiError, request } from "./api.ts";
import type { RunEvent } from "./types.ts";

/** States that a run never leaves. */
const FINAL: readonly string[] = ["cancelled", "failed", "completed"];

export function isFinal(state: string): boolean {
  return FINAL.includes(state);
}

/** Milliseconds until the first try to come back; each further one waits twice as long. */
const FIRST_WAIT = 1000, LONGEST_WAIT = 15_000;

/**
 * All events of a run from its first, until it ends. A lost stream is taken up after the last event that
 * came: `lost` is told how long it waits, and null once events come again.
 *
 * @throws {ApiError} where the server refuses
 */
export async function* follow(
  run: string,
  signal: AbortSignal,
  lost: (waitMs: number | null) => void,
  firstWait = FIRST_WAIT,
): AsyncGenerator<RunEvent, void, void> {
  let last = 0, wait = firstWait;
  while (!signal.aborted) {
    try {
      const headers = {
        accept: "text/event-stream",
        ...(last > 0 ? { "last-event-id": String(last) } : {}),
      };
      const answer = await request(`/v1/runs/${run}/events`, { headers, signal });
      if (answer.status === 204 || !answer.body) return;
      lost(null);
      for await (const { id, data } of messages(answer.body)) {
        const event: RunEvent = JSON.parse(data);
        last = id;
        wait = firstWait;
        yield event;
        if (event.kind === "state" && isFinal(event.state)) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      // what the server refuses it will refuse again, unless it is only busy or gone
      if (error instanceof ApiError && ![0, 429, 500, 502, 503, 504].includes(error.status)) {
        throw error;
      }
    }
    lost(wait);
    await pause(wait, signal);
    wait = Math.min(2 * wait, LONGEST_WAIT);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}

/** Messages that have an id and data; an unfinished one at the end is left out. */
async function* messages(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<{ id: number; data: string }> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "", id = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += value;
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        const lines = text.slice(0, end).split("\n");
        text = text.slice(end + 2);
        const field = (name: string) =>
          lines.filter((line) => line.startsWith(`${name}: `))
            .map((line) => line.slice(name.length + 2));
        const data = field("data").join("\n");
        id = Number(field("id").at(-1) ?? id);
        if (data !== "") yield { id, data };
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
