/**
 * `deno task serve`: starts the server's process with the permissions that its options need and no
 * others, hands signals on, and exits as it exits. `keys` manages who may ask.
 *
 * Exit codes: 0 stopped as it was told to; 2 what the user gave cannot be used; 1 everything else; 130
 * stopped at once.
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { DEVICES } from "./devices.ts";
import { LAST_WORD, type Order, OUTCOMES } from "./order.ts";
import { settingsSchema } from "./settings.ts";

const DATA = "latentd-data";

interface Flags {
  readonly host: string;
  readonly port: number;
  readonly data: string;
  readonly device?: string;
  readonly threads?: number;
  readonly reproducible?: boolean;
  readonly allowHost: readonly string[];
  readonly logLevel: Order["logLevel"];
}

function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    if (/^[0-9]{1,16}$/.test(text) && Number(text) >= least && Number(text) <= most) {
      return Number(text);
    }
    throw new InvalidArgumentError(`Expected a whole number from ${least} to ${most}.`);
  };
}

/** An address or a name; a permission is made of it. */
function address(text: string): string {
  if (/^(?:[0-9a-z](?:[0-9a-z.-]{0,252})|[0-9a-f:.]{2,45})$/i.test(text)) return text.toLowerCase();
  throw new InvalidArgumentError("Expected an IP address or a host's name.");
}

/** A folder's path; permissions are made of it, which commas separate. */
function folder(text: string): string {
  const path = resolve(text);
  if (!path.includes(",")) return path;
  throw new InvalidArgumentError(`Expected a path without commas, found ${JSON.stringify(path)}.`);
}

const flagOf = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

function program(exit: (code: number) => void): Command {
  const program = new Command("serve")
    .description("Serve training, inference and fixed points over HTTP.")
    .exitOverride()
    .configureHelp({ helpWidth: 100 })
    .showHelpAfterError("Try --help.")
    .option(
      "--host <address>",
      "where to listen; beyond this machine keys are required",
      address,
      "127.0.0.1",
    )
    .option("--port <number>", "0 takes a free one", whole(0, 65_535), 8000)
    .option("--data <folder>", "the data directory, made where it is missing", folder, DATA)
    .addOption(
      new Option("--device <name>", "of inference (default: auto)").choices([...DEVICES]),
    )
    .option("--threads <number>", "of the wasm device, in inference and in runs", whole(1, 32))
    .option("--reproducible", "wasm: the same bits on every machine, somewhat slower")
    .option(
      "--allow-host <name>",
      "a name that the server is reached by, besides localhost; may be repeated",
      (name: string, names: readonly string[]) => [...names, name.toLowerCase()],
      [] as readonly string[],
    )
    .addOption(
      new Option("--log-level <level>", "what is logged to stderr")
        .choices(["fatal", "error", "warn", "info", "debug", "silent"]).default("info"),
    );
  for (const [name, field] of Object.entries(settingsSchema.shape)) {
    const { minValue, maxValue } = field.unwrap();
    program.option(
      `--${flagOf(name)} <number>`,
      `${field.description} (default: ${field.def.defaultValue})`,
      whole(minValue ?? 0, maxValue ?? Number.MAX_SAFE_INTEGER),
    );
  }
  program.action(async () => exit(await serve(program.opts<Flags>())));

  const keys = program.command("keys").description("who may ask: keys that clients show");
  keys.command("add <name>")
    .description("make a key; it is shown once")
    .action(async (name: string) => {
      const { addKey } = await import("./keys.ts");
      const folder = await dataFolder(program.opts<Flags>().data);
      const { id, key } = await addKey(folder, name);
      console.error(`Key ${id} for ${name}. Keep it: it is stored as a hash only.`);
      console.log(key);
    });
  keys.command("list")
    .description("list the keys' ids and names")
    .action(async () => {
      const { readKeys } = await import("./keys.ts");
      for (const { id, name, created } of await readKeys(resolve(program.opts<Flags>().data))) {
        console.log(`${id}  ${created}  ${name}`);
      }
    });
  keys.command("remove <id>")
    .description("refuse a key from now on, also where a server runs")
    .action(async (id: string) => {
      const { removeKey } = await import("./keys.ts");
      await removeKey(resolve(program.opts<Flags>().data), id);
      console.error(`Removed ${id}.`);
    });
  return program;
}

/** The data directory, made where it is missing: permissions are for what is there. */
async function dataFolder(path: string): Promise<string> {
  const folder = resolve(path);
  await Deno.mkdir(folder, { recursive: true });
  return await Deno.realPath(folder);
}

/** Addresses that only this machine reaches. */
function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.[0-9]{1,3}){3}$/.test(host);
}

/** A list of permissions. */
const list = (paths: readonly string[]) => paths.join();
const here = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** What its threads are made of; the main thread's modules need no permission. */
const PARTS = [".", "../src", "../shaders", "../wasm/build", "../deno.json"];

/** Variables that the server and its libraries look at. */
const VARIABLES = ["OTEL_DENO", "NODE_ENV", "XDG_RUNTIME_DIR"];

/** What the server's process may do: its data directory, its port, runs in processes of the same Deno. */
export function permissions(
  { folder, host, port }: Pick<Order, "folder" | "host" | "port">,
): string[] {
  return [
    ...["--quiet", "--no-prompt", "--unstable-no-legacy-abort"],
    `--allow-net=${host.includes(":") ? `[${host}]` : host}:${port}`,
    `--allow-read=${list([folder, ...PARTS.map(here)])}`,
    `--allow-write=${list([folder])}`,
    `--allow-run=${list([Deno.execPath()])}`,
    `--allow-env=${VARIABLES.join()}`,
    "--ignore-env",
    "--allow-sys=cpus,hostname",
  ];
}

async function serve(flags: Flags): Promise<number> {
  const { host, port, device, threads, reproducible, allowHost, logLevel } = flags;
  const given = Object.fromEntries(
    Object.keys(settingsSchema.shape).map((name) => [name, Reflect.get(flags, name)]),
  );
  const settings = settingsSchema.parse(given);
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
    args: ["run", ...permissions(order), here("./process.ts")],
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
  let code: number = OUTCOMES.fine;
  try {
    await program((exit) => code = exit).parseAsync(Deno.args, { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : OUTCOMES.input;
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    console.error(message);
    return name === "InputError" ? OUTCOMES.input : OUTCOMES.failed;
  }
}

if (import.meta.main) Deno.exit(await main());
