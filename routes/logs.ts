/** Structured logs: one line of JSON for each event, without bodies, queries, names or keys. */
import pino from "pino";

/** What is written with it: fields, and what happened. */
export type Logger = Readonly<
  Record<"info" | "warn" | "error", (fields: object, message: string) => void>
>;

export type LogLevel = "fatal" | "error" | "warn" | "info" | "debug" | "silent";

/** @param write takes whole lines; the process's stderr by default */
export function createLogger(
  level: LogLevel,
  write: (line: string) => void = (line) => writeAll(line),
): Logger {
  return pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  }, { write });
}

function writeAll(line: string): void {
  const bytes = new TextEncoder().encode(line);
  for (let at = 0; at < bytes.length;) at += Deno.stderr.writeSync(bytes.subarray(at));
}
