/** Large answers at the client's pace: one who stops taking them is dropped, and holds nothing after that. */

/** Answers up to this size are handed over at once: the system's own buffers take most of them. */
const WHOLE = 2 ** 20;
const PIECE = 2 ** 16;

/** An answer of bytes. */
export function bytesResponse(
  bytes: Uint8Array,
  headers: Readonly<Record<string, string>>,
  idleMs: number,
  status = 200,
): Response {
  const all = { ...headers, "content-length": String(bytes.length) };
  if (bytes.length <= WHOLE) {
    return new Response(bytes as Uint8Array<ArrayBuffer>, { status, headers: all });
  }
  let at = 0;
  let stall: ReturnType<typeof setTimeout> | undefined;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      clearTimeout(stall);
      // a copy: what is sent may be taken over
      if (at < bytes.length) controller.enqueue(bytes.slice(at, at += PIECE));
      if (at >= bytes.length) return controller.close();
      // an end before its time closes the connection
      stall = setTimeout(() => controller.close(), idleMs);
    },
    cancel: () => clearTimeout(stall),
  }, { highWaterMark: 0 });
  return new Response(body, { status, headers: all });
}
