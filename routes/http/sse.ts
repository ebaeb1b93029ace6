/** Server-sent events to one client: at its pace, with signs of life, and not for ever. */

export interface StreamOptions {
  /** between signs of life */
  readonly heartbeatMs: number;
  /** after which a client that takes nothing is dropped */
  readonly idleMs: number;
  /** called once, however it ends */
  onEnd(): void;
}

/** Milliseconds after which a client that lost the stream comes back. */
const RETRY_MS = 2000;

/**
 * An answer that is made of what a generator yields. Nothing is read ahead of the client: one who reads
 * slowly holds nothing but its own place.
 */
export function eventStream<T>(
  events: AsyncGenerator<T, void, void>,
  write: (event: T) => string,
  { heartbeatMs, idleMs, onEnd }: StreamOptions,
): Response {
  const utf8 = new TextEncoder();
  let coming: Promise<IteratorResult<T, void>> | null = null;
  let stall: ReturnType<typeof setTimeout> | undefined;
  let begun = false;
  let ended = false;
  const end = () => {
    if (ended) return;
    ended = true;
    clearTimeout(stall);
    onEnd();
    // one who waits for a change is let go by `onEnd`
    coming?.catch(() => {});
    void events.return().catch(() => {});
  };
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      clearTimeout(stall);
      const send = (text: string) => {
        controller.enqueue(utf8.encode(text));
        stall = setTimeout(() => {
          controller.error(new Error("The client takes nothing."));
          end();
        }, idleMs + heartbeatMs);
      };
      if (!begun) {
        begun = true;
        return send(`retry: ${RETRY_MS}\n\n`);
      }
      coming ??= events.next();
      let timer: ReturnType<typeof setTimeout> | undefined;
      const beat = new Promise<null>((resolve) => timer = setTimeout(resolve, heartbeatMs, null));
      try {
        const next = await Promise.race([coming, beat]);
        if (ended) return;
        if (next === null) return send(": still here\n\n");
        coming = null;
        if (!next.done) return send(write(next.value));
        end();
        controller.close();
      } catch (error) {
        if (ended) return;
        end();
        controller.error(error);
      } finally {
        clearTimeout(timer);
      }
    },
    cancel: end,
  }, { highWaterMark: 0 });
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      // proxies pass each event on at once
      "x-accel-buffering": "no",
    },
  });
}
