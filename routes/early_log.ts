/** The server's log before its library is loaded: a server listens sooner without, and loses no line. */
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
  let log: Logger | null = null;
  let loading: Promise<void> | null = null;
  const waiting: ((log: Logger) => void)[] = [];
  const write = (kind: keyof Logger): Logger["info"] => (fields, message) => {
    if (log) log[kind](fields, message);
    else waiting.push((log) => log[kind](fields, message));
  };
  const load = async () => {
    log = await open();
    for (const line of waiting.splice(0)) line(log);
  };
  return {
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    load: () => loading ??= load(),
  };
}
