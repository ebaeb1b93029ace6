/** Runs the command line: in this process where only its words matter, else as a process of its own. */
import assert from "node:assert/strict";
import { main } from "../src/cli/main.ts";
import { npyArray, simulateRotation, writeDataset, writeNpz } from "../src/mod.ts";

/** A model and a run that take a moment. */
export const TINY = [
  ...[
    "--device",
    "reference",
    "--inferred-inputs",
    "0",
    "--encoder-units",
    "2",
    "--generator-units",
    "2",
    "--factors",
    "2",
  ],
  ...["--batch-size", "4", "--evaluate-every", "2", "--checkpoint-every", "2", "--no-report"],
];

/** What a command left behind. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command in this process. */
export function latentd(...args: string[]): Promise<Outcome> {
  return latentdOn({ interactive: false }, ...args);
}

/** The same, as on a terminal where that is said. */
export async function latentdOn(
  { interactive }: { readonly interactive: boolean },
  ...args: string[]
): Promise<Outcome> {
  const out: string[] = [], err: string[] = [];
  const code = await main(args, {
    stdout: (line) => out.push(line),
    stderr: (line) => err.push(line),
    interactive,
  });
  return { code, stdout: out.join("\n"), stderr: err.join("\n") };
}

/** Starts a command as a process; `permissions` in place of all that a user grants. */
export function spawn(
  args: readonly string[],
  permissions = ["--allow-read", "--allow-write", "--allow-env", "--allow-sys"],
): Deno.ChildProcess {
  const script = new URL("../src/cli/main.ts", import.meta.url).pathname;
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", ...permissions, script, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Waits for a process. */
export async function outcome(process: Deno.ChildProcess): Promise<Outcome> {
  const { code, stdout, stderr } = await process.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** The JSON object on the last line of stdout. */
export function lastJson({ stdout }: Outcome): Record<string, unknown> {
  return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
}

/** Asserts that a command refused what it was given, in one paragraph; `pattern`: what it wanted and found. */
export function assertRefused({ code, stdout, stderr }: Outcome, pattern: RegExp): void {
  const message = stderr.split("\n").at(-1) ?? "";
  assert.match(message, pattern);
  assert.match(message, /^Cannot .*(expected|needs|unknown) .*\.$/);
  assert.doesNotMatch(stderr, /\.ts:\d+/);
  assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
}

/** A small dataset of the tutorial's kind: 8 trials, 5 bins, 3 neurons. */
export async function writeSmall(path: string): Promise<string> {
  await writeDataset(path, simulateRotation({ trials: 8, T: 5, N: 3 }));
  return path;
}

/** An archive whose spikes are `values` of shape [trials, bins, neurons]. */
export async function writeSpikes(
  path: string,
  shape: number[],
  values: Float64Array | Uint8Array,
): Promise<string> {
  await Deno.writeFile(path, writeNpz({ spikes: npyArray(shape, values) }));
  return path;
}
