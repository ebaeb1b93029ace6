/** Options that several commands share, and the numbers in them. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { DEVICE_CHOICES, type DeviceOptions, type Executor, openDevice } from "../mod.ts";
import type { Output, Streams } from "./output.ts";

/** What a command needs besides its arguments. */
export interface Context {
  readonly streams: Streams;
  /** what the process exits with */
  exitCode: number;
}

/** Options that every command has. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly verbose?: boolean;
}

/** Options of a command that computes. */
export interface ComputeOptions extends CommonOptions {
  readonly device?: string;
  readonly threads?: number;
  readonly reproducible?: boolean;
}

/** A whole number from `least` to `most`, as an option's argument. */
export function whole(least = 0, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = asNumber(text);
    if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(
      `Expected a whole number from ${least} to ${
        most === Number.MAX_SAFE_INTEGER ? "2^53 - 1" : most
      }.`,
    );
  };
}

/** A number, as an option's argument; its bounds are checked where it is used. */
export function real(text: string): number {
  const value = asNumber(text);
  if (!Number.isNaN(value)) return value;
  throw new InvalidArgumentError("Expected a number.");
}

/** The number that a text is; NaN where it is none. */
export function asNumber(text: string): number {
  return text.trim() === "" ? NaN : Number(text);
}

/** Numbers separated by commas, as an option's argument. */
export function list(text: string): number[] {
  return text.split(",").map(real);
}

export const seedOption = (what: string) =>
  new Option("--seed <number>", `${what} (default: 0)`).argParser(whole());

export function addCommonOptions(command: Command): Command {
  return command
    .option("--json", "print one JSON object as the last line of stdout, all else to stderr")
    .option("--verbose", "print the stack of an unexpected error");
}

export function addComputeOptions(command: Command): Command {
  return addCommonOptions(
    command
      .option("--device <name>", `${DEVICE_CHOICES.join(", ")} (default: auto)`)
      .option(
        "--threads <number>",
        "worker threads of the wasm device (default: one for each processor, at most 16)",
        whole(1, 32),
      )
      .option(
        "--reproducible",
        "wasm: the same bits on every machine, somewhat slower",
      ),
  );
}

/** Opens the device that was asked for, and says which one runs and why. */
export async function openDeviceAloud(
  options: DeviceOptions,
  output: Output,
): Promise<Executor> {
  const executor = await openDevice(options);
  const { name, adapter, threads, arithmetic, reason } = executor.info;
  const who = adapter ?? `${threads} ${threads === 1 ? "thread" : "threads"}`;
  output.note(`Device: ${name}, ${who}, ${arithmetic} (${reason}).`);
  return executor;
}
