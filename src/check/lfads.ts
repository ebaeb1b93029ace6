/** Replays a golden LFADS file: outputs, losses, gradients and optimiser steps. */
import { z } from "zod";
import type { Executor, Program } from "../compute/executor.ts";
import { scalars } from "../compute/executor.ts";
import { LOSSES, type Scalars } from "../compute/kernels.ts";
import { InputError } from "../errors.ts";
import type { StepOptions } from "../model/choreography.ts";
import { trainingPlan } from "../model/training_plan.ts";
import { type Architecture, parameterLayout } from "../model/layout.ts";
import { fromReference } from "../model/reference_names.ts";
import { learningRate } from "../model/schedules.ts";
import { nested, numbers, tree } from "./numbers.ts";
import { type CheckRow, relativeError, Sheet, worstError } from "./table.ts";
import { tolerances } from "./tolerances.ts";

/** The file's format: docs/model.md, section 5. The nonlinearity of a vanilla generator is tanh unless given. */
export const lfadsSchema = z.looseObject({
  dims: z.object({
    B: z.int().positive(),
    T: z.int().positive(),
    N: z.int().positive(),
    E: z.int().positive(),
    C: z.int().min(0),
    U: z.int().min(0),
    G: z.int().positive(),
    F: z.int().positive(),
  }),
  generator: z.enum(["vanilla", "gru"]),
  nonlinearity: z.enum(["tanh", "relu", "identity"]).default("tanh"),
  keep_rate: z.number().gt(0).max(1),
  kl_scale: z.number(),
  var_min: z.number().min(0),
  l2reg: z.number().min(0),
  params: tree,
  spikes_BTN: nested,
  noise: z.record(z.string(), nested),
  losses: z.object({
    total: z.number(),
    nlog_p_xgz: z.number(),
    kl_g0_prescale: z.number(),
    kl_ii_prescale: z.number(),
    l2: z.number(),
  }),
  outputs: z.record(z.string(), nested),
  grads: tree,
  optimiser: z.object({
    step_size: z.number(),
    decay_factor: z.number(),
    decay_steps: z.number(),
    adam_b1: z.number(),
    adam_b2: z.number(),
    adam_eps: z.number(),
    max_grad_norm: z.number(),
  }),
  grad_norm_before_clip_10: z.array(z.number()),
  total_after_step_10: z.array(z.number()),
  params_after_10: tree,
});

type LfadsGolden = z.infer<typeof lfadsSchema>;

/** `[T][B][n]`, from `slot` on, as the file's `[B][T][n]`. */
function trialsFirst(values: Float64Array, slot: number, B: number, T: number, n: number) {
  const out = new Float64Array(B * T * n);
  for (let b = 0; b < B; b++) {
    for (let t = 0; t < T; t++) {
      const from = ((t + slot) * B + b) * n;
      out.set(values.subarray(from, from + n), (b * T + t) * n);
    }
  }
  return out;
}

/** The file's `[B][T][n]` as `[T][B][n]`. */
function timeFirst(values: Float64Array, B: number, T: number, n: number): Float64Array {
  const out = new Float64Array(values.length);
  for (let b = 0; b < B; b++) {
    for (let t = 0; t < T; t++) {
      const from = (b * T + t) * n;
      out.set(values.subarray(from, from + n), (t * B + b) * n);
    }
  }
  return out;
}

/** Half of every row `[mean ; logVar]`. */
function half(values: Float64Array, n: number, second: boolean): Float64Array {
  const first = second ? n : 0;
  return Float64Array.from(
    { length: values.length / 2 },
    (_, i) => values[Math.floor(i / n) * 2 * n + first + i % n],
  );
}

/** A file on its way: its model, its parameters and gradient in our layout, a run's scalars. */
interface Replay {
  readonly golden: LfadsGolden;
  readonly model: Architecture;
  readonly program: Program;
  readonly run: Scalars;
  readonly sheet: Sheet;
  readonly executor: Executor;
}

/**
 * Runs a file on one executor and compares everything that it holds.
 *
 * @throws {InputError} naming the first array that is missing or has another shape than `dims` says
 */
export async function checkLfads(
  file: string,
  given: unknown,
  executor: Executor,
  label: string,
): Promise<CheckRow[]> {
  const golden = lfadsSchema.parse(given);
  const { B, ...dims } = golden.dims;
  if ((dims.U > 0) !== (dims.C > 0)) {
    throw new InputError(
      `Cannot check ${file}: expected C and U both above 0, or both 0, found C = ${dims.C} and ` +
        `U = ${dims.U}.`,
    );
  }
  const model: Architecture = { dims, cell: golden.generator, nonlinearity: golden.nonlinearity };
  const o = golden.optimiser;
  const options: StepOptions = {
    keepRate: golden.keep_rate,
    generatorKeepRate: golden.keep_rate,
    coordinatedDropout: 0,
    varMin: golden.var_min,
    observationFloor: 0,
    adamB1: o.adam_b1,
    adamB2: o.adam_b2,
    adamEps: o.adam_eps,
    maxGradNorm: o.max_grad_norm,
    weightDecay: 0,
  };
  const program = await executor.load(
    trainingPlan(model, options, { B, S: 1, trials: B, counts: "u16", explicitNoise: true }),
  );
  try {
    const run = scalars({ B, klIcScale: golden.kl_scale, klInputsScale: golden.kl_scale });
    const sheet = new Sheet(file, label);
    const replay = { golden, model, program, run, sheet, executor };
    writeInputs(replay);
    await checkForward(replay);
    await checkGradient(replay);
    await checkSteps(replay);
    return sheet.rows;
  } finally {
    program.free();
  }
}

/** Parameters, spikes, noise and masks. */
function writeInputs({ golden, model, program }: Replay): void {
  const { B, T, N, E, U, G } = golden.dims;
  const params_P = fromReference(golden.params, model);
  program.write("params_P", params_P);
  program.write("l2_P", new Float64Array(params_P.length).fill(golden.l2reg));
  program.write("counts", counts(golden));
  program.write("trials_B", Array.from({ length: B }, (_, b) => b));
  const noise = (name: string, ...shape: number[]) =>
    numbers(`noise.${name}`, golden.noise[name], shape);
  const mask = (name: string, ...shape: number[]) => {
    const values = noise(name, ...shape);
    const other = values.find((x) => x !== 0 && x !== 1);
    if (other !== undefined) {
      throw new InputError(`Cannot use noise.${name}: expected 0 and 1, found ${other}.`);
    }
    return values;
  };
  program.write("epsIc_RI", noise("eps_ic_BG", B, G));
  program.write("keepSpikes_BTN", mask("keep_x_BTN", B, T, N));
  program.write("keepEnds_B2E", mask("keep_ic_B2E", B, 2 * E));
  program.write("keepGen_RTG", mask("keep_gen_BTG", B, T, G));
  if (U > 0) {
    program.write("keepEnc_BT2E", mask("keep_enc_BT2E", B, T, 2 * E));
    program.write("epsInputs_TRU", timeFirst(noise("eps_ii_BTU", B, T, U), B, T, U));
  }
}

function counts(golden: LfadsGolden): Float64Array {
  const { B, T, N } = golden.dims;
  const spikes_BTN = numbers("spikes_BTN", golden.spikes_BTN, [B, T, N]);
  const other = spikes_BTN.find((x) => !(Number.isInteger(x) && x >= 0 && x < 2 ** 16));
  if (other !== undefined) {
    throw new InputError(
      `Cannot use spikes_BTN: expected counts from 0 to ${2 ** 16 - 1}, found ${other}.`,
    );
  }
  return spikes_BTN;
}

/** Every output of the forward pass. */
async function checkForward({ golden, program, run, sheet, executor }: Replay): Promise<void> {
  const { B, T, N, E, C, U, G, F } = golden.dims;
  const tolerance = tolerances(executor.info).forward;
  await program.run("forward", run);
  const read = async (buffer: string, slot: number, n: number) =>
    trialsFirst(await program.read(buffer), slot, B, T, n);
  const compare = (what: string, ours: Float64Array, name: string, ...shape: number[]) =>
    sheet.compare(what, ours, numbers(`outputs.${name}`, golden.outputs[name], shape), tolerance);

  compare("log-rates", await read("logRates_TRN", 0, N), "lograte_t", B, T, N);
  compare("factors", await read("factors_HRF", 1, F), "factor_t", B, T, F);
  compare("generator states", await read("gen_HRG", 1, G), "gen_t", B, T, G);
  const ic_B2I = await program.read("ic_B2I");
  compare("initial condition, mean", half(ic_B2I, G, false), "ic_mean", B, G);
  compare("initial condition, log-variance", half(ic_B2I, G, true), "ic_logvar", B, G);
  const enc = U > 0 ? await read("enc_TB2E", 0, 2 * E) : await encodings({ golden, program });
  compare("encodings", enc, "xenc_t", B, T, 2 * E);
  if (U === 0) return;
  compare("controller states", await read("con_HRC", 1, C), "c_t", B, T, C);
  compare("inferred inputs", await read("inputs_TRU", 0, U), "ii_t", B, T, U);
  const params = await read("inputParams_TR2U", 0, 2 * U);
  compare("inferred inputs, mean", half(params, U, false), "ii_mean_t", B, T, U);
  compare("inferred inputs, log-variance", half(params, U, true), "ii_logvar_t", B, T, U);
}

/** `[forward_t ; backward_t]` with dropout, which only a controller makes for itself. */
async function encodings(
  { golden, program }: Pick<Replay, "golden" | "program">,
): Promise<Float64Array> {
  const { B, T, E } = golden.dims;
  const forward = trialsFirst(await program.read("forward_HBE"), 1, B, T, E);
  const backward = trialsFirst(await program.read("backward_HBE"), 0, B, T, E);
  const keep_BT2E = numbers("noise.keep_enc_BT2E", golden.noise.keep_enc_BT2E, [B, T, 2 * E]);
  return keep_BT2E.map((keep, i) => {
    const row = Math.floor(i / (2 * E)), e = i % (2 * E);
    const state = e < E ? forward[row * E + e] : backward[row * E + e - E];
    return golden.keep_rate < 1 ? state * keep / golden.keep_rate : state;
  });
}

/** Every loss term, and the gradient for every parameter. */
async function checkGradient(replay: Replay): Promise<void> {
  const { golden, model, program, run, sheet, executor } = replay;
  const tolerance = tolerances(executor.info);
  await program.run("gradient", run);
  const { total, nlog_p_xgz, kl_g0_prescale, kl_ii_prescale, l2 } = golden.losses;
  const wanted = [total, nlog_p_xgz, kl_g0_prescale, kl_ii_prescale, l2];
  const { error, at } = worstError(await program.read("losses"), wanted);
  sheet.add("losses, the worst term", error, tolerance.forward, LOSSES[at]);

  const grads_P = await program.read("grads_P");
  const wanted_P = fromReference(golden.grads, model);
  sheet.compare(
    "whole gradient",
    grads_P,
    wanted_P,
    tolerance.gradient,
    worstSlice(
      model,
      grads_P,
      wanted_P,
    ),
  );
}

/** The slice of the parameters that is farthest from what is wanted, for its own size. */
export function worstSlice(
  model: Architecture,
  ours_P: Float64Array,
  wanted_P: Float64Array,
): string {
  let worst = { name: "", error: -1 };
  for (const { name, offset, length } of parameterLayout(model).slices) {
    const part = (values_P: Float64Array) => values_P.subarray(offset, offset + length);
    const error = relativeError(part(ours_P), part(wanted_P));
    if (Number.isNaN(error) || error > worst.error) worst = { name, error };
  }
  return `worst slice ${worst.name}, ${worst.error.toExponential(1)} of its own size`;
}

/** Optimiser steps on the one batch. */
async function checkSteps(replay: Replay): Promise<void> {
  const { golden, model, program, run, sheet, executor } = replay;
  const o = golden.optimiser;
  const tolerance = tolerances(executor.info).steps;
  const rate = { stepSize: o.step_size, decayFactor: o.decay_factor, decaySteps: o.decay_steps };
  const norms: number[] = [], totals: number[] = [];
  const steps = golden.total_after_step_10.length;
  for (let step = 0; step < steps; step++) {
    const now = { count: step + 1, learningRate: learningRate(rate, step) };
    await program.run("step", { ...run, ...now });
    norms.push((await program.read("losses"))[LOSSES.indexOf("gradNorm")]);
    await program.run("forward", run);
    totals.push((await program.read("losses"))[LOSSES.indexOf("total")]);
  }
  sheet.compare(
    `gradient norms, ${steps} steps`,
    norms,
    golden.grad_norm_before_clip_10,
    tolerance,
  );
  sheet.compare(`totals, ${steps} steps`, totals, golden.total_after_step_10, tolerance);
  sheet.compare(
    `parameters after ${steps} steps`,
    await program.read("params_P"),
    fromReference(golden.params_after_10, model),
    tolerance,
  );
}
