/** `latentd fixed-points`: where the generator of a fitted model stands still, and what it does there. */
import type { Command } from "commander";
import {
  type Dataset,
  findFixedPoints,
  FIXED_POINT_DEFAULTS,
  type FixedPointOptions,
  type FixedPointResult,
  fixedPointView,
  generateTrials,
  generatorCell,
  infer,
  InputError,
  inputFixedPoints,
  type Model,
  visitedStates,
} from "../mod.ts";
import { number, table } from "./format.ts";
import { addDataOptions, type DataFlags, layoutOptions } from "./data_options.ts";
import { readData, readModelOrRun, readOptions } from "./inputs.ts";
import {
  addComputeOptions,
  type ComputeOptions,
  type Context,
  list,
  openDeviceAloud,
  real,
  seedOption,
  whole,
} from "./options.ts";
import { Output } from "./output.ts";

const TRIALS = 100, SAMPLES = 64, CANDIDATES = 2000;

type FinderFlags = { -readonly [K in keyof typeof FIXED_POINT_DEFAULTS]?: number };

interface FixedPointFlags extends FinderFlags, ComputeOptions, DataFlags {
  readonly candidates?: number;
  readonly samples?: number;
  readonly trials?: number;
  readonly input?: number[];
  readonly byCondition?: boolean;
  readonly binWidth?: number;
}

/** Every option of the search but the seed, which has an option of its own. */
const FINDER: readonly [name: Exclude<keyof FinderFlags, "seed">, flag: string, what: string][] = [
  ["iterations", "--iterations", "at most so many Adam iterations"],
  ["batch", "--batch", "iterations between two looks at the mean speed"],
  ["stepSize", "--step-size", "Adam's first step, in units of the state"],
  ["decay", "--decay", "factor of the step from one iteration to the next"],
  ["b1", "--b1", "Adam's decay of the first moment"],
  ["b2", "--b2", "Adam's decay of the second moment"],
  ["eps", "--eps", "Adam's epsilon, outside the root"],
  ["noiseStd", "--noise-std", "standard deviation of Gaussian noise on every candidate"],
  ["stopTol", "--stop-tol", "stop when q, averaged over the candidates, is below"],
  ["tol", "--tol", "keep points with q below"],
  ["uniqueTol", "--unique-tol", "points at most this far from an earlier one repeat it"],
  ["outlierTol", "--outlier-tol", "drop points whose nearest neighbour is farther; Infinity: none"],
  ["polishRadius", "--polish-radius", "Newton moves a point at most this far; 0: no Newton"],
  ["neutralTolerance", "--neutral-tolerance", "|λ| this near to 1 neither grows nor decays"],
];

const HELP = `
Candidates are generator states that the model visits: in the trials of DATA (posterior means over
--samples samples) or, without DATA, in --trials trials that the model generates from its own prior.

Of each point the table shows the mean squared speed q, what Newton made of it, the candidates that
came to it, and of its leading eigenvalue the modulus |λ|, the rotation (rad per bin, or Hz where the
bin width is known) and the time constant τ (negative where the state grows).

--by-condition holds the inputs, inferred and external, at their mean over the trials of each condition
of DATA. Without conditions, or with more than eight, it takes three quantiles along the direction in
which the inputs vary most.`;

export function addFixedPoints(program: Command, context: Context): void {
  const command = program.command("fixed-points <model> [data]")
    .description("find, linearise and classify fixed points of a fitted generator")
    .option("--candidates <number>", `at most about so many (default: ${CANDIDATES})`, whole(1))
    .option("--samples <number>", `posterior samples with DATA (default: ${SAMPLES})`, whole(1))
    .option("--trials <number>", `generated trials without DATA (default: ${TRIALS})`, whole(1))
    .option("--input <u1,u2,…>", "the inferred inputs, held still (default: zeros)", list)
    .option("--by-condition", "with DATA: hold the inputs at their mean in each condition, in turn")
    .option("--bin-width <seconds>", "for time constants and Hz (default: the model's)", real);
  for (const [name, flag, what] of FINDER) {
    command.option(`${flag} <number>`, `${what} (default: ${FIXED_POINT_DEFAULTS[name]})`, real);
  }
  command.addOption(seedOption("decides samples, generated trials and noise"));
  // its bin width is that of the time constants, and of spike times that are counted
  addDataOptions(addComputeOptions(command), ["--bin-width"])
    .addHelpText("after", HELP)
    .action(async (modelPath: string, dataPath: string | undefined, flags: FixedPointFlags) => {
      const output = new Output(context.streams, flags.json ?? false);
      refuseUnused(dataPath !== undefined, flags);
      const read = dataPath === undefined ? {} : await readOptions(
        modelPath,
        dataPath,
        layoutOptions(flags.window || flags.align ? flags : { ...flags, binWidth: undefined }),
      );
      const data = dataPath === undefined ? null : await readData(dataPath, 1, read);
      const search = flags.byCondition ? findByCondition : find;
      await search(await readModelOrRun(modelPath), data, flags, output);
    });
}

function refuseUnused(withData: boolean, flags: FixedPointFlags): void {
  const [name, wanted] = withData ? ["trials", "without"] as const : ["samples", "with"] as const;
  if (flags[name] === undefined) return;
  throw new InputError(
    `Cannot find fixed points: expected --${name} only ${wanted} DATA, found --${name} ` +
      `${flags[name]} ${withData ? "with" : "without"} it.`,
  );
}

function finderOptions(flags: FixedPointFlags, binWidth: number | null): FixedPointOptions {
  return {
    ...Object.fromEntries(FINDER.map(([name]) => [name, flags[name]])),
    seed: flags.seed ?? 0,
    ...(binWidth === null ? {} : { binWidth }),
  };
}

/** A search at the mean input of each condition. */
async function findByCondition(
  model: Model,
  data: Dataset | null,
  flags: FixedPointFlags,
  output: Output,
): Promise<void> {
  if (data === null || flags.input) {
    throw new InputError(
      `Cannot find fixed points: expected --by-condition with DATA and without --input, found it ` +
        `${data === null ? "without DATA" : "with --input"}.`,
    );
  }
  const { seed = 0, samples = SAMPLES } = flags;
  const binWidth = flags.binWidth ?? model.binWidth;
  const executor = await openDeviceAloud(flags, output);
  try {
    const posterior = await infer(executor, model, data, { samples, seed });
    const { candidates } = flags;
    const options = { ...finderOptions(flags, binWidth), candidates };
    const found = await inputFixedPoints(executor, model, data, posterior, options);
    if (found === null) {
      throw new InputError(
        "Cannot find fixed points by condition: expected a model with inferred or external inputs, found " +
          "one with neither.",
      );
    }
    output.note(`Inputs held at ${found.by}.`);
    for (const { label, result } of found.groups) {
      output.result(
        `${label}, input ${Array.from(result.input_U, (u) => number(u, 3)).join(" ")}:`,
      );
      print(result, binWidth, output);
    }
    output.json({
      device: executor.info,
      seed,
      by: found.by,
      binWidth,
      groups: found.groups.map(({ label, condition, result }) => ({
        label,
        condition,
        input: Array.from(result.input_U),
        counts: result.counts,
        fixedPoints: result.points.map((point) => fixedPointView(point, binWidth)),
      })),
    });
  } finally {
    executor.close();
  }
}

async function find(
  model: Model,
  data: Dataset | null,
  flags: FixedPointFlags,
  output: Output,
): Promise<void> {
  const cell = generatorCell(model);
  const { seed = 0, trials = TRIALS, samples = SAMPLES } = flags;
  const executor = await openDeviceAloud(flags, output);
  try {
    const gen_BTG = data
      ? (await infer(executor, model, data, { samples, seed })).gen_BTG
      : generateTrials(model, { trials, seed }).gen_BTG;
    const candidates = data
      ? `states of the ${data.trials} trials of ${data.name}`
      : `states of ${trials} trials that the model generated from its prior`;
    output.note(`Candidates: ${candidates}.`);
    const binWidth = flags.binWidth ?? model.binWidth;
    const options = finderOptions(flags, binWidth);
    const result = await findFixedPoints(
      executor,
      cell,
      visitedStates(gen_BTG, cell.G, flags.candidates ?? CANDIDATES),
      flags.input ?? new Float64Array(cell.U),
      options,
    );
    print(result, binWidth, output);
    output.json({
      device: result.device,
      seed,
      candidates,
      counts: result.counts,
      iterations: result.iterations,
      meanSpeed: result.meanSpeed,
      input: Array.from(result.input_U),
      binWidth,
      fixedPoints: result.points.map((point) => ({
        ...fixedPointView(point, binWidth),
        polish: point.polish,
        members: point.members,
      })),
      outliers: result.outliers.map(({ point_G, q, members, nearest }) => ({
        point: Array.from(point_G),
        q,
        members,
        nearest,
      })),
    });
  } finally {
    executor.close();
  }
}

function print(result: FixedPointResult, binWidth: number | null, output: Output): void {
  const { counts, points, outliers } = result;
  output.result(
    `${counts.candidates} candidates: ${counts.tooFast} too fast, ${counts.notFinite} not finite, ` +
      `${counts.repeats} repeats, ${counts.outliers} outliers, ${counts.kept} kept.`,
  );
  const time = binWidth === null ? "τ (bins)" : "τ (s)";
  const turns = binWidth === null ? "rad per bin" : "Hz";
  const rows = points.map((point, k) => {
    const view = fixedPointView(point, binWidth);
    const [leading] = view.eigenvalues;
    return [
      String(k + 1),
      view.class,
      number(view.q, 3),
      point.polish,
      String(point.members),
      number(leading.modulus),
      number(Math.abs(leading.hz ?? leading.angle)),
      leading.timeConstant === null ? "" : number(leading.timeConstant),
      view.point.slice(0, 4).map((x) => number(x, 3)).join(" ") +
      (view.point.length > 4 ? " …" : ""),
    ];
  });
  if (rows.length > 0) {
    const headings = ["", "class", "q", "Newton", "members", "|λ|", turns, time, "state"];
    output.result(table(headings, rows));
  } else {
    output.result("No fixed point was found.");
  }
  for (const { q, nearest, members } of outliers) {
    output.result(
      `Outlier dropped: q ${number(q, 3)}, ${members} candidates, ${number(nearest, 3)} from the ` +
        `nearest other point (--outlier-tol Infinity keeps it).`,
    );
  }
}
