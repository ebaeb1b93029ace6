/**
 * `deno task serve`: starts the server's process with the permissions that its options need and no
 * others, hands signals on, and exits as it exits. `keys` manages who may ask.
 *
 * Exit codes: 0 stopped as it was told to; 2 what the user gave cannot be used; 1 everything else; 130
 * stopped at once.
 */
import { type Flags, readPlainly } from "./options.ts";
import { LAST_WORD, type Order, OUTCOMES } from "./order.ts";
import { SETTINGS, type Settings } from "./settings.ts";

/** The data directory, made where it is missing: permissions are for what is there. */
async function dataFolder(path: string): Promise<string> {
  await Deno.mkdir(path, { recursive: true });
  return await Deno.realPath(path);
}

/** Addresses that only this machine reaches. */
function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.[0-9]{1,3}){3}$/.test(host);
}

/** A list of permissions. */
const list = (paths: readonly string[]) => paths.join();

/** What its threads are made of; the main thread's modules need no permission. */
const PARTS = ["routes", "src", "shaders", "wasm/build", "deno.json"];
const HERE = import.meta.dirname!, ROOT = HERE.slice(0, -"/routes".length);

/** Variables that the server and its libraries look at. */
const VARIABLES = ["OTEL_DENO", "NODE_ENV", "XDG_RUNTIME_DIR"];

/**
 * Garbage: young objects are collected often and briefly, of 1 MiB in half a millisecond, where V8's own
 * 16 MiB take five, for which every answer waits. All objects are looked at, which takes thirty, when the
 * old ones fill 64 MiB: some ten thousand answers, where V8 by itself waits for less than a thousand.
 */
const GARBAGE = "--v8-flags=--max-semi-space-size=1,--initial-old-space-size=64";

/** What the server's process may do: its data directory, its port, runs in processes of the same Deno. */
export function permissions(
  { folder, host, port }: Pick<Order, "folder" | "host" | "port">,
): string[] {
  return [
    ...["--quiet", "--no-prompt", "--unstable-no-legacy-abort", GARBAGE],
    `--allow-net=${host.includes(":") ? `[${host}]` : host}:${port}`,
    `--allow-read=${list([folder, ...PARTS.map((part) => `${ROOT}/${part}`)])}`,
    `--allow-write=${list([folder])}`,
    `--allow-run=${list([Deno.execPath()])}`,
    `--allow-env=${VARIABLES.join()}`,
    "--ignore-env",
    "--allow-sys=cpus,hostname",
  ];
}

async function serve(flags: Flags): Promise<number> {
  const { host, port, device, threads, reproducible, allowHost, logLevel } = flags;
  const settings = Object.fromEntries(
    Object.entries(SETTINGS).map(([name, { standard }]) => [
      name,
      flags[name as keyof Settings] ?? standard,
    ]),
  ) as Settings;
  const folder = await dataFolder(flags.data);
  const order: Order = {
    host,
    port,
    loopback: isLoopback(host),
    folder,
    device,
    threads,
    reproducible,
    hosts: [...allowHost],
    logLevel,
    settings,
  };
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", ...permissions(order), `${HERE}/process.ts`],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  for (const name of Deno.build.os === "windows" ? [] : ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(name, () => {
      try {
        child.kill(name);
      } catch (error) {
        // it ends on its own
        if (!(error instanceof TypeError)) throw error;
      }
    });
  }
  const stdin = child.stdin.getWriter();
  // its end tells the server that this process is gone: it stays open
  await stdin.write(new TextEncoder().encode(`${JSON.stringify(order)}\n`)).catch(() => {});
  const [lastWord, { code }] = await Promise.all([hear(child.stdout), child.status]);
  await stdin.close().catch(() => {});
  return lastWord ?? code;
}

/** Passes on what the server says; returns what it says that it exits with, where it comes to that. */
async function hear(stdout: ReadableStream<Uint8Array>): Promise<number | null> {
  let rest = "";
  let lastWord: number | null = null;
  for await (const text of stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith(LAST_WORD)) lastWord = Number(line.slice(LAST_WORD.length));
      else console.log(line);
    }
  }
  return lastWord;
}

async function main(): Promise<number> {
  try {
    const flags = readPlainly(Deno.args);
    if (flags !== null) return await serve(flags);
    const { command } = await import("./command.ts");
    return await command(Deno.args, { serve, dataFolder });
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    console.error(message);
    return name === "InputError" ? OUTCOMES.input : OUTCOMES.failed;
  }
}

if (import.meta.main) Deno.exit(await main());
