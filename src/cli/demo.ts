/** `latentd demo`: the tutorial, end to end. */
import { join } from "node:path";
import type { Command } from "commander";
import {
  datasetToBytes,
  InputError,
  isRunFolder,
  makeFolderOrExplain,
  modelToBytes,
  MOST_STARTS,
  type RecipeName,
  RECIPES,
  renderReport,
  tutorial,
  writeFileAtomic,
} from "../mod.ts";
import { endingWords } from "./ending.ts";
import { duration, number, table } from "./format.ts";
import {
  addComputeOptions,
  type ComputeOptions,
  type Context,
  openDeviceAloud,
  seedOption,
  whole,
} from "./options.ts";
import { Output } from "./output.ts";
import { follow } from "./progress.ts";
import { startsTable } from "./starts.ts";

interface DemoFlags extends ComputeOptions {
  readonly seed?: number;
  readonly steps?: number;
  readonly starts?: number;
  readonly recipe: string;
  readonly out: string;
}

const HELP = `
Simulates a point turning on a circle, seen through 100 noisy neurons, fits LFADS to it, infers rates
and latents, and finds the fixed point that the fit has learned to turn about. The folder receives
report.html, model.safetensors and rotation.npz, and replaces those of an earlier demo.`;

export function addDemo(program: Command, context: Context): void {
  const command = program.command("demo")
    .description("the tutorial: simulate, fit, infer, find fixed points, report")
    .option("--steps <number>", "optimiser steps (default: the recipe's)", whole(1))
    .option("--recipe <name>", RECIPES.join(" | "), RECIPES[0])
    .option(
      "--starts <number>",
      "train so many starts side by side and keep the best (default: 1)",
      whole(1, MOST_STARTS),
    )
    .option("--out <folder>", "where the report goes", join("out", "demo"))
    .addOption(seedOption("decides the data and the fit"));
  addComputeOptions(command)
    .addHelpText("after", HELP)
    .action(async (flags: DemoFlags) => {
      await demo(flags, new Output(context.streams, flags.json ?? false));
    });
}

async function demo(flags: DemoFlags, output: Output): Promise<void> {
  const { seed = 0, starts, steps, out } = flags;
  const recipe = recipeName(flags.recipe);
  if (await isRunFolder(out)) {
    throw new InputError(
      `Cannot write the demo to ${
        JSON.stringify(out)
      }: expected a folder that is no run, found one.`,
    );
  }
  await makeFolderOrExplain(out);
  const executor = await openDeviceAloud(flags, output);
  try {
    const created = new Date().toISOString();
    const run = tutorial(executor, { seed, recipe, starts, steps, created });
    const found = await follow(run, output);
    const { summary, data, fit, report } = found;
    const path = join(out, "report.html");
    await writeFileAtomic(path, new TextEncoder().encode(await renderReport(report)));
    await writeFileAtomic(join(out, "model.safetensors"), modelToBytes(fit.model));
    await writeFileAtomic(join(out, "rotation.npz"), datasetToBytes(data));
    const { nll, explained, truth, fixedPoints } = summary;
    if (fit.starts.length > 1) output.result(startsTable(fit.starts));
    output.result(
      `${endingWords(fit.ended, fit.state.step, fit.model.hyperparameters)}, in ${
        duration(summary.trainSeconds)
      }. Held-out trials: null ` +
        `${number(nll.null)}, model ${number(nll.model)}, oracle ${number(nll.oracle)} nats per ` +
        `trial: ${number(100 * explained, 3)} % explained.`,
    );
    output.result(table(["fixed point", "q", "|λ|", "rad per bin"], [
      ...fixedPoints.map(({ class: name, q, eigenvalues: [leading] }) => [
        name,
        number(q, 3),
        number(leading.modulus),
        number(Math.abs(leading.angle)),
      ]),
      ["(the truth)", "0", number(truth.modulus), number(truth.angle)],
    ]));
    output.result(`Report: ${path}`);
    output.json({ ...summary, report: path });
  } finally {
    executor.close();
  }
}

function recipeName(name: string): RecipeName {
  const known = RECIPES.find((recipe) => recipe === name);
  if (known) return known;
  throw new InputError(
    `Cannot run the demo: expected a recipe of ${
      RECIPES.map((recipe) => JSON.stringify(recipe)).join(", ")
    }, found ${JSON.stringify(name)}.`,
  );
}
