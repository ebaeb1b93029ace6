/** The server as a process, started as `deno task serve` starts it, on a free port of this machine. */
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../routes/main.ts", import.meta.url));

/** A server that listens and whose device is open. */
export interface ServerProcess {
  readonly address: string;
  /** milliseconds from the start of the process until it says that it listens */
  readonly listenMs: number;
  /** milliseconds from the start of the process until `/healthz` says that all is well */
  readonly readyMs: number;
  /** A number of `/metrics`, which has no labels. */
  metric(name: string): Promise<number>;
  /** Asks it to stop, and waits for its end. */
  stop(): Promise<void>;
}

/** @throws {Error} where it ends before it is ready, with what it said */
export async function startServer(folder: string, args: readonly string[]): Promise<ServerProcess> {
  const start = performance.now();
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-prompt", "--allow-read", "--allow-write", "--allow-run"],
      ...["--ignore-env", MAIN, "--data", folder, "--port", "0", "--log-level", "error", ...args],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let said = "", address: string | undefined;
  while (address === undefined) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`The server ended: ${said}`);
    said += value;
    address = /listens on (http:\S+)\//.exec(said)?.[1];
  }
  const listenMs = performance.now() - start;
  const rest = (async () => {
    while (!(await reader.read()).done);
  })();
  for (;;) {
    const answer = await fetch(`${address}/healthz`);
    await answer.body?.cancel();
    if (answer.status === 200) break;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const readyMs = performance.now() - start;
  return {
    address,
    listenMs,
    readyMs,
    async metric(name) {
      const text = await (await fetch(`${address}/metrics`)).text();
      const [, value] = new RegExp(`^${name} (\\S+)$`, "m").exec(text) ?? [];
      if (value === undefined) throw new Error(`The server's /metrics has no ${name}.`);
      return Number(value);
    },
    async stop() {
      process.kill("SIGTERM");
      await process.status;
      await rest;
    },
  };
}
