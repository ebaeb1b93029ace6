/** Servers of the tests: the app without a socket, and whole processes. */
import { fileURLToPath } from "node:url";
import { createLogger } from "../routes/logs.ts";
import { type App, openApp, type ServerOptions } from "../routes/server.ts";
import type { Settings } from "../routes/settings.ts";
import { settingsSchema } from "../routes/settings_schema.ts";
import { inFolder } from "./folders.ts";
import { PLAIN } from "../src/study/recipes.ts";

export interface TestServer {
  readonly app: App;
  readonly folder: string;
  /** whole lines of the log */
  readonly log: string[];
  /** Asks the app, as a client on this machine would. */
  ask(path: string, request?: RequestInit): Promise<Response>;
  /** Posts JSON. */
  post(path: string, value?: unknown, headers?: Record<string, string>): Promise<Response>;
}

export interface TestOptions extends Partial<Omit<ServerOptions, "settings" | "folder" | "log">> {
  readonly settings?: Partial<Settings>;
}

/** A server without a socket in a folder that is gone afterwards. */
export function withServer(
  test: (server: TestServer) => Promise<void>,
  options: TestOptions = {},
): Promise<void> {
  return inFolder(async (folder) => {
    const server = await openServer(folder, options);
    try {
      await server.app.device;
      await test(server);
    } finally {
      await server.app.close();
    }
  });
}

export async function openServer(folder: string, options: TestOptions = {}): Promise<TestServer> {
  const log: string[] = [];
  const { settings, ...others } = options;
  const app = await openApp({
    device: "wasm",
    threads: 1,
    reproducible: true,
    loopback: true,
    ...others,
    folder,
    log: createLogger("debug", (line) => log.push(line)),
    settings: settingsSchema.parse({ drainMs: 5000, ...settings }),
  });
  const ask: TestServer["ask"] = (path, request) =>
    app.fetch(new Request(`http://localhost:8000${path}`, request), "127.0.0.1");
  return {
    app,
    folder,
    log,
    ask,
    post: (path, value, headers = {}) =>
      ask(path, {
        method: "POST",
        body: value === undefined ? null : JSON.stringify(value),
        headers: value === undefined ? headers : { "content-type": "application/json", ...headers },
      }),
  };
}

/** A model that trains in a moment. */
export const SMALL = {
  ...PLAIN,
  encoderUnits: 3,
  generatorUnits: 2,
  factors: 2,
  batchSize: 4,
  steps: 40,
  evaluateEvery: 10,
  checkpointEvery: 10,
};

/** A run that lasts until it is stopped. */
export const ENDLESS = { ...SMALL, steps: 1_000_000, evaluateEvery: 1000, checkpointEvery: 100 };

/** An event of a stream. */
export interface ServerSentEvent {
  readonly id: number;
  // deno-lint-ignore no-explicit-any -- whatever the server sends is what is tested
  readonly data: any;
}

/** The events of a stream until it ends. */
export async function* eventsOf(response: Response): AsyncGenerator<ServerSentEvent> {
  let rest = "";
  for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + text).split("\n\n");
    rest = blocks.pop()!;
    for (const block of blocks) {
      const fields = new Map(
        block.split("\n").map((line) => {
          const colon = line.indexOf(": ");
          return [line.slice(0, colon), line.slice(colon + 2)];
        }),
      );
      if (fields.has("data")) {
        yield { id: Number(fields.get("id")), data: JSON.parse(fields.get("data")!) };
      }
    }
  }
}

const MAIN = fileURLToPath(new URL("../routes/main.ts", import.meta.url));
/** As `deno task serve` has them. */
export const LAUNCH = [
  ...["run", "--quiet", "--no-prompt", "--allow-read", "--allow-write", "--allow-run"],
  ...["--ignore-env", MAIN],
];

/** A whole server, started as `deno task serve` starts it. */
export class ServerProcess {
  readonly stdout: string[] = [];
  readonly stderr: string[] = [];
  readonly process: Deno.ChildProcess;
  /** its address, once it listens; rejects where it ends before */
  readonly address: Promise<string>;
  readonly #heard: Promise<unknown>;

  constructor(folder: string, ...args: string[]) {
    this.process = new Deno.Command(Deno.execPath(), {
      args: [
        ...LAUNCH,
        ...[
          "--data",
          folder,
          "--port",
          "0",
          "--device",
          "wasm",
          "--threads",
          "1",
          "--reproducible",
        ],
        ...args,
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const address = Promise.withResolvers<string>();
    this.address = address.promise;
    this.address.catch(() => {});
    const hear = async (stream: ReadableStream<Uint8Array>, lines: string[]) => {
      let rest = "";
      for await (const text of stream.pipeThrough(new TextDecoderStream())) {
        const parts = (rest + text).split("\n");
        rest = parts.pop()!;
        for (const line of parts) {
          lines.push(line);
          const [, url] = /listens on (http:\S+)\//.exec(line) ?? [];
          if (url !== undefined) address.resolve(url);
        }
      }
    };
    this.#heard = Promise.all([
      hear(this.process.stdout, this.stdout),
      hear(this.process.stderr, this.stderr),
    ]).then(() =>
      address.reject(new Error(`The server ended. ${[...this.stdout, ...this.stderr].join("\n")}`))
    );
  }

  /** Waits until it answers that it is well. */
  async ready(): Promise<string> {
    const address = await this.address;
    for (;;) {
      const answer = await fetch(`${address}/healthz`);
      await answer.body?.cancel();
      if (answer.status === 200) return address;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async ended(): Promise<number> {
    const { code } = await this.process.status;
    await this.#heard;
    return code;
  }

  /** Asks it to stop and waits for its end. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    this.process.kill(signal);
    return await this.ended();
  }
}

/** A whole server in a folder that is gone afterwards; killed whatever happens. */
export function withProcess(
  test: (server: ServerProcess, address: string, folder: string) => Promise<void>,
  ...args: string[]
): Promise<void> {
  return inFolder(async (folder) => {
    const server = new ServerProcess(folder, ...args);
    try {
      await test(server, await server.ready(), folder);
    } finally {
      try {
        server.process.kill("SIGTERM");
      } catch { /* it has ended */ }
      await server.ended();
    }
  });
}

/** Everything below a folder, by name. */
export async function filesBelow(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    names.push(name);
    if (isDirectory) {
      names.push(...(await filesBelow(`${folder}/${name}`)).map((below) => `${name}/${below}`));
    }
  }
  return names.sort();
}
