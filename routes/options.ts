/**
 * The launcher's options: one table, from which the command line is made (`command.ts`), and which reads
 * plain arguments by itself. A server that starts as usual so starts without the command line's library.
 */
import { DEVICES } from "./devices.ts";
import type { Order } from "./order.ts";
import { SETTINGS, type Settings } from "./settings.ts";

/** What the options say; a setting that is left out keeps its standard. */
export interface Flags extends Partial<Settings> {
  readonly host: string;
  readonly port: number;
  readonly data: string;
  readonly device?: string;
  readonly threads?: number;
  readonly reproducible?: boolean;
  readonly allowHost: readonly string[];
  readonly logLevel: Order["logLevel"];
}

/** One option. */
export interface ServerOption {
  readonly name: keyof Flags;
  /** as help shows it: `--port <number>`, or `--reproducible` alone */
  readonly shown: string;
  readonly words: string;
  /** where it is left out */
  readonly standard?: unknown;
  /** one of these */
  readonly choices?: readonly string[];
  /**
   * A value from its text, and from the value so far.
   *
   * @throws {RangeError} saying what was expected
   */
  readonly read?: (text: string, before: unknown) => unknown;
}

function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    if (/^[0-9]{1,16}$/.test(text) && Number(text) >= least && Number(text) <= most) {
      return Number(text);
    }
    throw new RangeError(`Expected a whole number from ${least} to ${most}.`);
  };
}

/** An address or a name; a permission is made of it. */
function address(text: string): string {
  if (/^(?:[0-9a-z](?:[0-9a-z.-]{0,252})|[0-9a-f:.]{2,45})$/i.test(text)) return text.toLowerCase();
  throw new RangeError("Expected an IP address or a host's name.");
}

/** A folder's path; permissions are made of it, which commas separate. */
function folder(text: string): string {
  const path = /^(?:[/\\]|[a-z]:[/\\])/i.test(text) ? text : `${Deno.cwd()}/${text}`;
  if (!path.includes(",")) return path;
  throw new RangeError(`Expected a path without commas, found ${JSON.stringify(path)}.`);
}

const LEVELS = ["fatal", "error", "warn", "info", "debug", "silent"] as const;

const flagOf = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

export const OPTIONS: readonly ServerOption[] = [
  {
    name: "host",
    shown: "--host <address>",
    words: "where to listen; beyond this machine keys are required",
    standard: "127.0.0.1",
    read: address,
  },
  {
    name: "port",
    shown: "--port <number>",
    words: "0 takes a free one",
    standard: 8000,
    read: whole(0, 65_535),
  },
  {
    name: "data",
    shown: "--data <folder>",
    words: "the data directory, made where it is missing",
    standard: "latentd-data",
    read: folder,
  },
  {
    name: "device",
    shown: "--device <name>",
    words: "of inference (default: auto)",
    choices: DEVICES,
  },
  {
    name: "threads",
    shown: "--threads <number>",
    words: "of the wasm device, in inference and in runs",
    read: whole(1, 32),
  },
  {
    name: "reproducible",
    shown: "--reproducible",
    words: "wasm: the same bits on every machine, somewhat slower",
  },
  {
    name: "allowHost",
    shown: "--allow-host <name>",
    words: "a name that the server is reached by, besides localhost; may be repeated",
    standard: [],
    read: (name, names) => [...names as readonly string[], name.toLowerCase()],
  },
  {
    name: "logLevel",
    shown: "--log-level <level>",
    words: "what is logged to stderr",
    standard: "info",
    choices: LEVELS,
  },
  ...Object.entries(SETTINGS).map(([name, { least, most, standard, words }]) => ({
    name: name as keyof Settings,
    shown: `--${flagOf(name)} <number>`,
    words: `${words} (default: ${standard})`,
    read: whole(least, most),
  })),
];

/**
 * Reads arguments of which each is an option's name, with its value behind it.
 *
 * @returns null for anything else: commands, a call for help, what cannot be used
 */
export function readPlainly(args: readonly string[]): Flags | null {
  const values: Record<string, unknown> = Object.fromEntries(
    OPTIONS.filter(({ standard }) => standard !== undefined)
      .map(({ name, standard }) => [name, standard]),
  );
  const options = new Map(OPTIONS.map((option) => [option.shown.split(" ")[0], option]));
  for (let i = 0; i < args.length; i++) {
    const option = options.get(args[i]);
    if (option === undefined) return null;
    const { name, shown, choices, read } = option;
    if (!shown.includes(" ")) {
      values[name] = true;
      continue;
    }
    const text = args[++i];
    if (text === undefined || text.startsWith("-")) return null;
    if (choices && !choices.includes(text)) return null;
    try {
      values[name] = read ? read(text, values[name]) : text;
    } catch {
      return null;
    }
  }
  return values as unknown as Flags;
}
