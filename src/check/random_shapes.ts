/** Checks without files: random models, whose gradients are held against differences. */
import type { Executor, Program } from "../compute/executor.ts";
import { LOSSES, MAX_LOG_RATE, MISSING } from "../compute/kernels.ts";
import { createReferenceExecutor } from "../compute/reference.ts";
import type { Observation } from "../dims.ts";
import { InputError } from "../errors.ts";
import type { StepOptions } from "../model/choreography.ts";
import { trainingPlan } from "../model/training_plan.ts";
import { type Layout, shapeOf } from "../model/layout.ts";
import { fillNormal, fillUniform, STREAMS } from "../random.ts";
import { smoothDerivative } from "./differences.ts";
import { lnGamma } from "../reference/gamma.ts";
import { worstSlice } from "./lfads.ts";
import { type Draw, drawShape } from "./random_draws.ts";
import { type CheckReport, type CheckRow, executorLabels, report, Sheet } from "./table.ts";
import { tolerances } from "./tolerances.ts";

/** What to draw. */
export interface RandomShapes {
  /** the same seed draws the same models, data and noise */
  readonly seed: number;
  /** how many models */
  readonly shapes: number;
  /** sizes are drawn from 1 to this: 9 */
  readonly largest?: number;
}

/** Directions through all parameters at once. */
const WHOLE = 3;
/** Single parameters. */
const SINGLE = 4;
/** A model with more parameters than this gets no directions but those: each takes six forward passes. */
const MOST_FOR_SLICES = 5000;

/**
 * Draws random models with random parameters, data and noise: sizes 1 … `largest`, both cells, all
 * nonlinearities and observations, with and without controller (and an encoder, a lag and first factors of
 * its own), external inputs, an initial condition of other dimensions, windows, dropout (coordinated
 * too), missing and hidden data, L2 and the spikes' sparse path; T = 1, cells of two units and wide
 * counts among them. On each it compares
 *
 * - the reference's gradient with differences in float64 (see `smoothDerivative`): along random directions
 *   through all parameters, through each slice alone (of models with up to 5000 parameters), and along
 *   single parameters;
 * - every executor's losses and whole gradient with the reference's.
 *
 * @throws {InputError} when the seed or the number of shapes is out of range
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { checkRandomShapes, createReferenceExecutor } from "latentd";
 *
 * const options = { seed: 1, shapes: 1, largest: 3 };
 * const { passed } = await checkRandomShapes([createReferenceExecutor()], options);
 * assert(passed);
 * ```
 */
export async function checkRandomShapes(
  executors: readonly Executor[],
  { seed, shapes, largest = 9 }: RandomShapes,
): Promise<CheckReport> {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new InputError(
      `Cannot check random shapes: expected a seed from 0 to 2^53 - 1, found ${seed}.`,
    );
  }
  if (!Number.isSafeInteger(shapes) || shapes < 1) {
    throw new InputError(
      `Cannot check random shapes: expected at least 1 shape, found ${shapes}.`,
    );
  }
  if (!Number.isSafeInteger(largest) || largest < 1 || largest > 512) {
    throw new InputError(
      `Cannot check random shapes: expected a largest size from 1 to 512, found ${largest}.`,
    );
  }
  const reference = createReferenceExecutor("the yardstick of a check");
  const labels = executorLabels(executors);
  const rows: CheckRow[] = [];
  for (let index = 0; index < shapes; index++) {
    const draw = drawShape(seed, index, largest);
    const wanted = await againstDifferences(draw, reference, rows);
    for (const [i, executor] of executors.entries()) {
      if (executor.info.name === "reference") continue;
      const sheet = new Sheet(draw.name, labels[i]);
      const tolerance = tolerances(executor.info);
      const program = await load(draw, executor);
      try {
        await program.run("gradient", draw.run);
        const { error, name } = lossError(await program.read("losses"), wanted);
        sheet.add("losses, the worst term", error, tolerance.forward, name);
        const grads_P = await program.read("grads_P");
        const note = worstSlice(draw.model, grads_P, wanted.grads_P);
        sheet.compare("whole gradient", grads_P, wanted.grads_P, tolerance.gradient, note);
      } finally {
        program.free();
      }
      rows.push(...sheet.rows);
    }
  }
  return report(rows);
}

/** Loads a draw's plan and writes its inputs. */
async function load(draw: Draw, executor: Executor): Promise<Program> {
  const program = await executor.load(trainingPlan(draw.model, draw.options, draw.sizes));
  program.write("params_P", draw.params_P);
  program.write("l2_P", draw.l2_P);
  program.write("counts", draw.targets);
  if (draw.sizes.encoded) program.write("encoded", draw.encoded);
  if (draw.external.length > 0) program.write("external", draw.external);
  program.write("trials_B", draw.trials_B);
  return program;
}

/** What the reference says of a draw, for the other executors. */
interface Wanted {
  readonly losses: Float64Array;
  readonly grads_P: Float64Array;
  /** of the terms that the total sums: the sum of their magnitudes */
  readonly size: number;
}

/**
 * The loss term that is farthest off, relative to its size. The likelihood's is that of the terms that
 * it sums: they cancel, and what is left may be far smaller than the rounding of each.
 */
function lossError(losses: Float64Array, wanted: Wanted): { error: number; name: string } {
  const errors = LOSSES.map((name, i) => {
    const own = Math.abs(wanted.losses[i]) || 1;
    const size = name === "nll" || name === "total" ? Math.max(own, wanted.size) : own;
    return { name, error: Math.abs(losses[i] - wanted.losses[i]) / size };
  });
  const isWorse = (a: number, b: number) => Number.isNaN(a) || a > b;
  return errors.reduce((worst, one) => isWorse(one.error, worst.error) ? one : worst);
}

/** Compares the reference's gradient with differences of its own loss; adds one row. */
async function againstDifferences(
  draw: Draw,
  reference: Executor,
  rows: CheckRow[],
): Promise<Wanted> {
  const { layout, params_P, run } = draw;
  const program = await load(draw, reference);
  try {
    await program.run("gradient", run);
    const grads_P = await program.read("grads_P");
    const losses = await program.read("losses");
    const loss = await smoothLoss(draw, program);
    const norm = losses[LOSSES.indexOf("gradNorm")];
    let worst = { error: NaN, bound: 0, name: "none", ratio: -1 };
    let kinks = 0, directions = 0;
    for (const { name, direction_P } of drawDirections(draw, layout)) {
      const along = (s: number) => loss.at(params_P.map((x, p) => x + s * direction_P[p]));
      // a gate moves by the step times the spikes
      const found = await smoothDerivative(along, loss.rounding, 1 / loss.mostSpikes);
      if (!found) {
        kinks++;
        continue;
      }
      directions++;
      const ours = grads_P.reduce((sum, g, p) => sum + g * direction_P[p], 0);
      const error = Math.abs(ours - found.value);
      const ratio = error / found.bound;
      // once NaN, always NaN: nothing is larger
      if (Number.isNaN(ratio) || ratio > worst.ratio) {
        worst = { error, bound: found.bound, name, ratio };
      }
    }
    const skipped = kinks > 0 ? `, ${kinks} at a kink left out` : "";
    const sheet = new Sheet(draw.name, "reference");
    sheet.add(
      "gradient against differences, for |gradient|",
      worst.error / norm,
      worst.bound / norm,
      `the worst of ${directions} directions, ${worst.name}${skipped}`,
    );
    rows.push(...sheet.rows);
    return { losses, grads_P, size: loss.size };
  } finally {
    program.free();
  }
}

/** A unit vector in the space of parameters. */
interface Direction {
  readonly name: string;
  readonly direction_P: Float64Array;
}

/** Random directions through everything, one through each slice, and some axes. Padding stays 0. */
function drawDirections({ run }: Draw, layout: Layout): Direction[] {
  const at = { seedLo: run.seedLo, seedHi: run.seedHi, stream: STREAMS.candidates, step: run.step };
  let row = 0;
  const through = (name: string, slices: Layout["slices"]): Direction => {
    const direction_P = new Float64Array(layout.length);
    for (const { offset, length } of slices) {
      fillNormal(at, row++, direction_P.subarray(offset, offset + length));
    }
    const length = Math.sqrt(direction_P.reduce((sum, x) => sum + x * x, 0));
    return { name, direction_P: direction_P.map((x) => x / length) };
  };
  const single = (): Direction => {
    const [which, place] = fillUniform(at, row++, new Float64Array(2));
    const { name, offset, length } = layout.slices[Math.floor(which * layout.slices.length)];
    const direction_P = new Float64Array(layout.length);
    const element = Math.floor(place * length);
    direction_P[offset + element] = 1;
    return { name: `${name}[${element}]`, direction_P };
  };
  return [
    ...Array.from({ length: WHOLE }, () => through("all parameters", layout.slices)),
    ...(layout.length > MOST_FOR_SLICES
      ? []
      : layout.slices.map((slice) => through(slice.name, [slice]))),
    ...Array.from({ length: SINGLE }, single),
  ];
}

/** The sum of the magnitudes of the terms that the loss of one number adds up. */
function magnitude(
  observation: Observation,
  x: number,
  [a, b, c]: number[],
  { varMin, observationFloor }: StepOptions,
): number {
  if (observation === "poisson") return Math.exp(a) + x * Math.abs(a);
  if (observation === "gaussian") {
    const variance = Math.exp(b) + varMin;
    return 1 + Math.abs(Math.log(variance)) + (x * x + a * a) / variance;
  }
  if (observation === "zero-inflated-gamma" && x === 0) return Math.abs(c) + 1;
  const value = x - (observation === "gamma" ? 0 : observationFloor), shape = Math.exp(a);
  return Math.abs(c ?? 0) + 1 + shape * (Math.abs(b) + Math.abs(Math.log(value))) +
    Math.abs(Math.log(value)) + Math.exp(b) * value + Math.abs(lnGamma(shape)) + 13;
}

/** The loss as a function of the parameters, in float64. */
interface Loss {
  /** null where it is not the same smooth function as at the draw's own parameters */
  at(params_P: Float64Array): Promise<number | null>;
  /** how far a value may be from exact arithmetic */
  readonly rounding: number;
  /** the sum of the magnitudes of its terms */
  readonly size: number;
  /** in one bin, at least 1 */
  readonly mostSpikes: number;
}

/**
 * The total of a forward pass. It is smooth as long as the same relu units are active and no log-rate
 * reaches the bound at which the loss reads it as constant.
 *
 * Rounding, to first order: a log-rate is the end of a chain of at most `depth` additions, each of
 * which errs by half an ε of its size, and the loss adds up terms whose magnitudes sum to `size`.
 */
async function smoothLoss(draw: Draw, p: Program) {
  const { model, run, targets, trials_B, params_P } = draw;
  const { T, N, E, V, C, U, X, I, G, F, K, Q } = shapeOf(model);
  const { B } = run;
  const poisson = K === 1;
  const evaluate = async (params_P: Float64Array) => {
    p.write("params_P", params_P);
    await p.run("forward", run);
    const losses = await p.read("losses");
    const outputs_TRQ = await p.read(poisson ? "logRates_TRN" : "outputs_TRQ");
    return { losses, outputs_TRQ, gen_HRG: await p.read("gen_HRG") };
  };
  const base = await evaluate(params_P);
  const kinked = model.cell === "vanilla" && model.nonlinearity === "relu";
  const active = base.gen_HRG.map((x) => x > 0 ? 1 : 0);

  let size = 0;
  // what was dropped may count twice
  const weight = draw.options.coordinatedDropout > 0 ? 1 / draw.options.coordinatedDropout : 1;
  for (let i = 0; i < T * B * N; i++) {
    const n = i % N, b = Math.floor(i / N) % B, t = Math.floor(i / (N * B));
    const value = targets[(trials_B[b] * T + t) * N + n];
    if (value === Math.fround(MISSING[draw.sizes.counts])) continue;
    const outputs = Array.from(
      { length: K },
      (_, k) => base.outputs_TRQ[(t * B + b) * Q + k * N + n],
    );
    size += weight * magnitude(model.observation ?? "poisson", value, outputs, draw.options) / B;
  }
  const term = (name: typeof LOSSES[number]) => base.losses[LOSSES.indexOf(name)];
  size += run.klIcScale * term("klIc") + run.klInputsScale * term("klInputs") + term("l2");
  const depth = T * (2 * N + 2 * E + 2 * V + C + 2 * U + X + I + G + F);
  const largest = draw.encoded.reduce((most, x) => x < 1e4 ? Math.max(most, Math.abs(x)) : most, 1);
  const loss: Loss = {
    rounding: depth * Number.EPSILON * size,
    size,
    mostSpikes: largest,
    async at(params_P) {
      const { losses, outputs_TRQ, gen_HRG } = await evaluate(params_P);
      if (outputs_TRQ.some((x) => x >= MAX_LOG_RATE)) return null;
      // slot 0 is the sampled initial condition, which no relu makes
      const switched = (x: number, i: number) => i >= B * G && (x > 0 ? 1 : 0) !== active[i];
      if (kinked && gen_HRG.some(switched)) return null;
      return losses[LOSSES.indexOf("total")];
    },
  };
  return loss;
}
