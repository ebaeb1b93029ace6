/** Replays a golden `lfads_*.json`: outputs, losses, gradients and ten optimiser steps. */
import { z } from "zod";
import type { Executor } from "../compute/executor.ts";
import { scalars } from "../compute/executor.ts";
import { LOSSES } from "../compute/kernels.ts";
import { type StepOptions, trainingPlan } from "../model/choreography.ts";
import { type Architecture, parameterLayout, sliceAt } from "../model/layout.ts";
import { fromReference, type ReferenceTree } from "../model/reference_names.ts";
import { learningRate } from "../model/schedules.ts";
import { type CheckRow, compare, flat } from "./table.ts";

const tree = z.custom<ReferenceTree>((value) => typeof value === "object" && value !== null);
const array = z.array(z.unknown());

/** The file's format: MODEL section 5. */
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
  keep_rate: z.number().gt(0).max(1),
  kl_scale: z.number(),
  var_min: z.number(),
  l2reg: z.number(),
  params: tree,
  spikes_BTN: array,
  noise: z.record(z.string(), array),
  losses: z.record(z.string(), z.number()),
  outputs: z.record(z.string(), array),
  grads: tree,
  optimiser: z.record(z.string(), z.number()),
  grad_norm_before_clip_10: z.array(z.number()),
  total_after_step_10: z.array(z.number()),
  params_after_10: tree,
});

export type LfadsGolden = z.infer<typeof lfadsSchema>;

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

/** Runs one file on one executor and compares everything that the file holds. */
export async function checkLfads(golden: LfadsGolden, executor: Executor): Promise<CheckRow[]> {
  const { B, ...dims } = golden.dims;
  const { T, N, E, C, U, G, F } = dims;
  const model: Architecture = { dims, cell: golden.generator, nonlinearity: "tanh" };
  const o = golden.optimiser;
  const options: StepOptions = {
    keepRate: golden.keep_rate,
    generatorKeepRate: golden.keep_rate,
    varMin: golden.var_min,
    l2: golden.l2reg,
    adamB1: o.adam_b1,
    adamB2: o.adam_b2,
    adamEps: o.adam_eps,
    maxGradNorm: o.max_grad_norm,
  };
  const program = executor.load(
    trainingPlan(model, options, { B, S: 1, trials: B, counts: "u16", explicitNoise: true }),
  );
  try {
    const params_P = fromReference(golden.params, model);
    const noise = golden.noise;
    program.write("params_P", params_P);
    program.write("counts", flat(golden.spikes_BTN));
    program.write("trials_B", Array.from({ length: B }, (_, b) => b));
    program.write("epsIc_RG", flat(noise.eps_ic_BG));
    program.write("keepSpikes_BTN", flat(noise.keep_x_BTN));
    program.write("keepEnds_B2E", flat(noise.keep_ic_B2E));
    program.write("keepGen_RTG", flat(noise.keep_gen_BTG));
    if (U > 0) {
      program.write("keepEnc_BT2E", flat(noise.keep_enc_BT2E));
      program.write("epsInputs_TRU", timeFirst(flat(noise.eps_ii_BTU), B, T, U));
    }
    const run = scalars({ B, klScale: golden.kl_scale });
    const rows: CheckRow[] = [];
    const tolerance = executor.info.name === "reference" ? 1e-10 : 1e-5;
    const row = (
      what: string,
      ours: ArrayLike<number>,
      wanted: ArrayLike<number>,
      most = tolerance,
    ) => rows.push(compare(what, ours, wanted, most));

    await program.run("forward", run);
    const read = async (buffer: string, slot: number, n: number) =>
      trialsFirst(await program.read(buffer), slot, B, T, n);
    const output = (name: string) => flat(golden.outputs[name]);
    row("log-rates", await read("logRates_TRN", 0, N), output("lograte_t"));
    row("factors", await read("factors_HRF", 1, F), output("factor_t"));
    row("generator states", await read("gen_HRG", 1, G), output("gen_t"));
    const ic_B2G = await program.read("ic_B2G");
    const half = (first: number) =>
      Float64Array.from(
        { length: B * G },
        (_, i) => ic_B2G[Math.floor(i / G) * 2 * G + first + i % G],
      );
    row("initial condition, mean", half(0), output("ic_mean"));
    row("initial condition, log-variance", half(G), output("ic_logvar"));
    if (U > 0) {
      row("encodings", await read("enc_TB2E", 0, 2 * E), output("xenc_t"));
      row("controller states", await read("con_HRC", 1, C), output("c_t"));
      row("inferred inputs", await read("inputs_TRU", 0, U), output("ii_t"));
      const params = await read("inputParams_TR2U", 0, 2 * U);
      const part = (first: number) =>
        Float64Array.from(
          { length: B * T * U },
          (_, i) => params[Math.floor(i / U) * 2 * U + first + i % U],
        );
      row("inferred inputs, mean", part(0), output("ii_mean_t"));
      row("inferred inputs, log-variance", part(U), output("ii_logvar_t"));
    }

    await program.run("gradient", run);
    const losses = await program.read("losses");
    const wanted = [
      golden.losses.total,
      golden.losses.nlog_p_xgz,
      golden.losses.kl_g0_prescale,
      golden.losses.kl_ii_prescale,
      golden.losses.l2,
    ];
    row("losses", losses.subarray(0, wanted.length), wanted);
    const grads_P = await program.read("grads_P");
    const wantedGrads_P = fromReference(golden.grads, model);
    row("whole gradient", grads_P, wantedGrads_P);
    const layout = parameterLayout(model);
    let worst = 0, at = 0;
    grads_P.forEach((g, i) => {
      if (!(Math.abs(g - wantedGrads_P[i]) <= worst)) {
        worst = Math.abs(g - wantedGrads_P[i]);
        at = i;
      }
    });
    rows.at(-1)!.note = `largest difference in ${sliceAt(layout, at)?.name ?? "padding"}`;

    const rate = { stepSize: o.step_size, decayFactor: o.decay_factor, decaySteps: o.decay_steps };
    const norms: number[] = [], totals: number[] = [];
    for (let step = 0; step < golden.total_after_step_10.length; step++) {
      await program.run("step", {
        ...run,
        count: step + 1,
        learningRate: learningRate(rate, step),
      });
      norms.push((await program.read("losses"))[LOSSES.indexOf("gradNorm")]);
      await program.run("forward", run);
      totals.push((await program.read("losses"))[0]);
    }
    // Ten steps carry float32 rounding through Adam's quotient: ten times the bound of one gradient.
    const after = tolerance * 10;
    row("gradient norms, 10 steps", norms, golden.grad_norm_before_clip_10, after);
    row("totals, 10 steps", totals, golden.total_after_step_10, after);
    row(
      "parameters after 10 steps",
      await program.read("params_P"),
      fromReference(golden.params_after_10, model),
      after,
    );
    return rows;
  } finally {
    program.free();
  }
}
