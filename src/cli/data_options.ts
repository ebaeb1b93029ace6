/** Options that say how to read a recording, for every command that takes data. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { LayoutOptions } from "../mod.ts";
import { real } from "./options.ts";

/** The options as commander gives them. */
export interface DataFlags {
  readonly key?: string;
  readonly axes?: string;
  readonly binWidth?: number;
  readonly crop?: boolean;
  readonly align?: string;
  readonly window?: readonly [number, number];
  readonly overlap?: boolean;
  readonly onlyUnits?: string;
  readonly onlyTrials?: string;
  readonly area?: string;
  readonly condition?: string;
  readonly behaviour?: readonly string[];
}

/** `-0.25:0.5` as two numbers. */
function window(text: string): [number, number] {
  const [from, to, more] = text.split(":").map((part) => part.trim() === "" ? NaN : Number(part));
  if (more === undefined && Number.isFinite(from) && Number.isFinite(to)) return [from, to];
  throw new InvalidArgumentError("Expected two times in seconds, as -0.25:0.5.");
}

const words = (text: string) => text.split(",").map((word) => word.trim());

const HEADING = "Data (spike times need a window and a bin width):";

/** One line for each option: flag, what it says, how its argument is understood. */
const OPTIONS: readonly (readonly [
  flag: string,
  what: string,
  parse?: (text: string) => unknown,
])[] = [
  ["--key <name>", "the array of the spikes (default: spikes, or the only one of 3 dimensions)"],
  ["--axes <letters>", "the order of its dimensions: b trials, t bins, n neurons (default: btn)"],
  ["--bin-width <seconds>", "of counts whose file does not say, or to count spike times in", real],
  ["--crop", "cut trials of different lengths to the shortest"],
  [
    "--align <event>",
    "spike times: the times of trials that windows are around (default: start_time)",
  ],
  [
    "--window <from:to>",
    "spike times: seconds from the event, to excluded (default: the whole trial)",
    window,
  ],
  ["--overlap", "spike times: let windows overlap"],
  ["--only-units <which>", "spike times: indices from 0 as 0-9,12, or COLUMN=VALUE"],
  ["--only-trials <which>", "spike times: indices from 0 as 0-9,12, or COLUMN=VALUE"],
  ["--area <name>", "NWB: only units of this area, location or electrode group"],
  ["--condition <column>", "spike times: the column of trials that is the condition"],
  ["--behaviour <names>", "NWB: time series to average over each bin, separated by commas", words],
];

/**
 * Adds the options.
 *
 * @param except flags that the command has with another meaning
 */
export function addDataOptions(command: Command, except: readonly string[] = []): Command {
  for (const [flag, what, parse] of OPTIONS) {
    if (except.some((name) => flag.startsWith(name))) continue;
    const option = new Option(flag, what).helpGroup(HEADING);
    command.addOption(parse ? option.argParser(parse) : option);
  }
  return command;
}

/** What a library call takes; only what was given. */
export function layoutOptions(flags: DataFlags): LayoutOptions {
  const { key, axes, binWidth, crop, align, window, overlap, area, condition, behaviour } = flags;
  const given = {
    ...{ key, axes, binWidth, crop, align, window, overlap, area, condition, behaviour },
    units: flags.onlyUnits,
    trials: flags.onlyTrials,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** The options again, as a user types them. */
export function typedOptions(options: LayoutOptions): string {
  const { units, trials, window, behaviour, binWidth, crop, overlap } = options;
  const plain = { key: options.key, axes: options.axes, align: options.align };
  const rest = {
    area: options.area,
    condition: options.condition,
    "only-units": units,
    "only-trials": trials,
    behaviour: behaviour?.join(","),
  };
  const shell = (text: string) => /^[\w.,:=/+-]+$/.test(text) ? text : `'${text}'`;
  const flag = ([name, text]: [string, string | undefined]) =>
    text === undefined ? [] : [`--${name} ${shell(text)}`];
  return [
    ...Object.entries(plain).flatMap(flag),
    ...(window ? [`--window ${window.join(":")}`] : []),
    ...(binWidth === undefined ? [] : [`--bin-width ${binWidth}`]),
    ...Object.entries(rest).flatMap(flag),
    ...(crop ? ["--crop"] : []),
    ...(overlap ? ["--overlap"] : []),
  ].join(" ");
}
