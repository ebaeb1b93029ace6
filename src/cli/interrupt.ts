/** Ctrl-C and SIGTERM: the first asks the run to stop, the second ends the process. */
import type { Output } from "./output.ts";

/** What a shell expects of a process that a signal ended: 128 and the signal's number. */
const CODES = { SIGINT: 130, SIGTERM: 143 } as const;
type Name = keyof typeof CODES;

/** Signals that are being listened to. */
export interface Interrupt {
  /** aborts at the first signal */
  readonly signal: AbortSignal;
  /** the exit code that the signal asks for; null where none came */
  code(): number | null;
  /** stops listening: from here on a signal ends the process */
  end(): void;
}

/** Listens until the first signal, or until `end` is called. */
export function listenForInterrupt(output: Output): Interrupt {
  const controller = new AbortController();
  let received: Name | null = null;
  // Windows has no SIGTERM to listen to
  const names: Name[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
  const listeners = names.map((name) => {
    const listener = () => {
      received = name;
      // without a listener the next signal ends the process, even in the middle of a step
      end();
      output.note(
        "\nStopping after the step in progress. Another Ctrl-C ends at once, from the last checkpoint.",
      );
      controller.abort();
    };
    return { name, listener };
  });
  const end = () => {
    for (const { name, listener } of listeners) Deno.removeSignalListener(name, listener);
  };
  for (const { name, listener } of listeners) Deno.addSignalListener(name, listener);
  return { signal: controller.signal, code: () => received && CODES[received], end };
}
