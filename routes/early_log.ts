/** The server's log before its library is loaded: a server listens sooner without, and loses no line. */
import { Early } from "./early.ts";
import type { Logger, LogLevel } from "./logs.ts";

/** A log whose lines wait until `load`. */
export interface EarlyLog extends Logger {
  /** Loads what writes lines, and writes those that wait. */
  load(): Promise<void>;
}

export function earlyLog(
  level: LogLevel,
  open: () => Promise<Logger> = async () => (await import("./logs.ts")).createLogger(level),
): EarlyLog {
  let loading: Promise<void> | null = null;
  const early = new Early<Logger>();
  const write = (kind: keyof Logger): Logger["info"] => (fields, message) =>
    early.tell((log) => log[kind](fields, message));
  const load = async () => early.arrived(await open());
  return {
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    load: () => loading ??= load(),
  };
}
