/** `latentd check`: compares what the devices compute with known answers. */
import type { Command } from "commander";
import {
  checkFile,
  checkJson,
  checkRandomShapes,
  type CheckRow,
  type Executor,
  InputError,
  printCheck,
  report,
} from "../mod.ts";
import {
  addComputeOptions,
  type ComputeOptions,
  type Context,
  openDeviceAloud,
  seedOption,
  whole,
} from "./options.ts";
import { Output } from "./output.ts";

interface CheckFlags extends ComputeOptions {
  readonly seed?: number;
  readonly shapes?: number;
}

const SHAPES = 3;

const HELP = `
FILE is a golden file: an LFADS step, fixed points, schedules or bits per spike, in JSON. Without FILE,
models of random shapes are compared with the reference, and the reference with finite differences.
Exits with 0 when all is within tolerance, 1 when something is not, 2 when a file cannot be used.`;

export function addCheck(program: Command, context: Context): void {
  const command = program.command("check [files...]")
    .description("compare what the devices compute with golden files or the float64 reference")
    .option(
      "--shapes <number>",
      `random shapes (default: ${SHAPES} without FILE)`,
      whole(1, 10_000),
    )
    .addOption(seedOption("decides the random shapes"));
  addComputeOptions(command)
    .addHelpText("after", HELP)
    .action(async (files: string[], flags: CheckFlags) => {
      const output = new Output(context.streams, flags.json ?? false);
      context.exitCode = await check(files, flags, output);
    });
}

async function check(files: string[], flags: CheckFlags, output: Output): Promise<number> {
  const shapes = flags.shapes ?? (files.length === 0 ? SHAPES : 0);
  if (shapes === 0 && flags.seed !== undefined) {
    throw new InputError(
      `Cannot check: expected --seed only with random shapes (--shapes), found --seed ${flags.seed}.`,
    );
  }
  const executor = await openDeviceAloud(flags, output);
  try {
    const rows = await compare(files, shapes, flags.seed ?? 0, executor, output);
    const all = report(rows);
    output.result(printCheck(all));
    output.json({
      ...JSON.parse(checkJson(all)),
      device: executor.info,
      seed: flags.seed ?? 0,
      shapes,
    });
    return all.passed ? 0 : 1;
  } finally {
    executor.close();
  }
}

async function compare(
  files: readonly string[],
  shapes: number,
  seed: number,
  executor: Executor,
  output: Output,
): Promise<CheckRow[]> {
  const rows: CheckRow[] = [];
  for (const file of files) {
    output.note(`Checking ${file} …`);
    rows.push(...(await checkFile(file, [executor])).rows);
  }
  if (shapes > 0) {
    output.note(`Checking ${shapes} random ${shapes === 1 ? "shape" : "shapes"} …`);
    rows.push(...(await checkRandomShapes([executor], { seed, shapes })).rows);
  }
  return rows;
}
