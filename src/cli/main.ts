/**
 * The command line. Exit codes: 0 fine; 2 what the user gave cannot be used; 1 everything else (also a
 * check beyond its tolerance); 130 and 143 a run that Ctrl-C or SIGTERM stopped.
 */
import { Command, CommanderError } from "commander";
import { InputError, NonFiniteError, StartsFailedError, VERSION } from "../mod.ts";
import { addCheck } from "./check.ts";
import { addConvert } from "./convert.ts";
import { addDemo } from "./demo.ts";
import { addDevices } from "./devices.ts";
import { addFit } from "./fit.ts";
import { addFixedPoints } from "./fixed_points.ts";
import { addGenerate } from "./generate.ts";
import { addImport } from "./import.ts";
import { addInfer } from "./infer.ts";
import { addInspect } from "./inspect.ts";
import type { Context } from "./options.ts";
import { Output, processStreams, type Streams } from "./output.ts";
import { addParameters } from "./parameters.ts";
import { addReport } from "./report.ts";
import { addScore } from "./score.ts";
import { addStitch } from "./stitch.ts";
import { addTrace } from "./trace.ts";

/**
 * Runs one command.
 *
 * @returns the exit code
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(await main(["--version"]), 0);
 * ```
 */
export async function main(
  args: readonly string[],
  streams: Streams = processStreams,
): Promise<number> {
  const context: Context = { streams, exitCode: 0 };
  try {
    await program(context).parseAsync([...args], { from: "user" });
    return context.exitCode;
  } catch (error) {
    return explain(error, args, streams);
  }
}

function program(context: Context): Command {
  const { stdout, stderr } = context.streams;
  const program = new Command("latentd")
    .description("Fit LFADS to spikes, infer rates and latents, find fixed points.")
    .version(VERSION)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => stdout(text.trimEnd()),
      writeErr: (text) => stderr(text.trimEnd()),
    })
    .configureHelp({ helpWidth: 100 })
    .showHelpAfterError("Try --help.");
  for (
    const add of [
      addDemo,
      addInspect,
      addConvert,
      addStitch,
      addFit,
      addInfer,
      addImport,
      addFixedPoints,
      addGenerate,
      addParameters,
      addReport,
      addScore,
      addCheck,
      addDevices,
      addTrace,
    ]
  ) add(program, context);
  return program;
}

/** Tells an error to the user, and says what to exit with. */
function explain(error: unknown, args: readonly string[], streams: Streams): number {
  if (error instanceof CommanderError && error.exitCode === 0) return 0;
  const output = new Output(streams, args.includes("--json"));
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  const usage = error instanceof CommanderError;
  // commander has said it already
  if (!usage) output.note(message);
  const expected = usage || error instanceof InputError || error instanceof NonFiniteError ||
    error instanceof StartsFailedError;
  if (!expected && error instanceof Error) {
    if (args.includes("--verbose")) output.note(error.stack ?? "");
    else output.note("This is unexpected: --verbose prints where it happened.");
  }
  output.json({ error: { name, message } });
  return usage || error instanceof InputError ? 2 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
