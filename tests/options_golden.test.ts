/**
 * Steps of models with options against files that JAX wrote from the equations in float64
 * (tests/fixtures/write_options.py): losses, outputs, the whole gradient and three steps of AdamW, on
 * every executor.
 */
import assert from "node:assert/strict";
import { relativeError } from "../src/check/table.ts";
import { tolerances } from "../src/check/tolerances.ts";
import { type Executor, scalars } from "../src/compute/executor.ts";
import { LOSSES, MISSING } from "../src/compute/kernels.ts";
import type { StepOptions } from "../src/model/choreography.ts";
import { type Architecture, parameterLayout } from "../src/model/layout.ts";
import { trainingPlan } from "../src/model/training_plan.ts";
import { withExecutors } from "./executors.ts";

type Values = readonly (number | null)[];

interface Golden {
  readonly architecture: Architecture;
  readonly options: StepOptions;
  readonly run: {
    readonly B: number;
    readonly klIcScale: number;
    readonly klInputsScale: number;
    readonly l2Scale: number;
    readonly learningRate: number;
  };
  readonly sizes: {
    readonly gaps: boolean;
    readonly encoded: boolean;
    readonly inputScale: number;
  };
  readonly params: Readonly<Record<string, number[]>>;
  readonly l2: Readonly<Record<string, number>>;
  readonly targets_BTN: Values;
  readonly encoded_BTN: Values | null;
  readonly external_BTX: number[];
  readonly noise: Readonly<Record<string, number[]>>;
  readonly losses: Readonly<Record<string, number>>;
  /** [T][B][Q], and [T][B][U] */
  readonly outputs_TBQ: number[];
  readonly inputs_TBU: number[];
  readonly grads: Readonly<Record<string, number[]>>;
  readonly steps: number;
  readonly after: Readonly<Record<string, number[]>>;
}

const NAMES = [
  "controller",
  "coordinated",
  "shared_encoder",
  "gaussian",
  "gamma",
  "zero_inflated_gamma",
];

async function read(name: string): Promise<Golden> {
  const file = new URL(`./fixtures/options_${name}.json`, import.meta.url);
  return JSON.parse(await Deno.readTextFile(file));
}

/** Named slices as the flat buffer. */
function flat(model: Architecture, slices: Golden["params"]): Float64Array {
  const layout = parameterLayout(model);
  assert.deepEqual(Object.keys(slices).sort(), layout.slices.map(({ name }) => name).sort());
  const values_P = new Float64Array(layout.length);
  for (const { name, offset, length } of layout.slices) {
    assert.equal(slices[name].length, length, name);
    values_P.set(slices[name], offset);
  }
  return values_P;
}

async function load(golden: Golden, executor: Executor) {
  const { architecture: model, options, run: { B }, sizes } = golden;
  const counts = (model.observation ?? "poisson") === "poisson" ? "u8" : "real";
  const plan = trainingPlan(model, options, {
    ...{ B, S: 1, trials: B, counts, explicitNoise: true },
    ...sizes,
  });
  const program = await executor.load(plan);
  /** the batch's trials stand in the data from the last to the first */
  const stored = <X>(values: readonly X[]): X[] => {
    const n = values.length / B;
    return Array.from({ length: B }, (_, b) => values.slice((B - 1 - b) * n, (B - b) * n)).flat();
  };
  const filled = (values: Values) => stored(values).map((value) => value ?? MISSING[counts]);
  program.write("params_P", flat(model, golden.params));
  const layout = parameterLayout(model);
  const l2_P = new Float64Array(layout.length);
  for (const { name, offset, length } of layout.slices) {
    l2_P.fill(golden.l2[name], offset, offset + length);
  }
  program.write("l2_P", l2_P);
  program.write("counts", filled(golden.targets_BTN));
  if (golden.encoded_BTN) program.write("encoded", filled(golden.encoded_BTN));
  if (golden.external_BTX.length > 0) program.write("external", stored(golden.external_BTX));
  program.write("trials_B", Array.from({ length: B }, (_, b) => B - 1 - b));
  for (const [name, values] of Object.entries(golden.noise)) program.write(name, values);
  return program;
}

for (const name of NAMES) {
  Deno.test(`options, ${name}: losses, outputs, gradient and steps are those that JAX computes`, async () => {
    const golden = await read(name);
    const { architecture: model, run, options } = golden;
    const poisson = (model.observation ?? "poisson") === "poisson";
    await withExecutors(async (all) => {
      for (const executor of all) {
        const program = await load(golden, executor);
        const tolerance = tolerances(executor.info);
        const near = (
          what: string,
          got: ArrayLike<number>,
          want: ArrayLike<number>,
          to: number,
        ) => {
          const error = relativeError(got, want);
          assert.ok(error <= to, `${executor.info.name}: ${what} is off by ${error}, bound ${to}`);
        };
        await program.run("gradient", scalars(run));
        const losses = await program.read("losses");
        for (const [term, want] of Object.entries(golden.losses)) {
          near(term, [losses[LOSSES.indexOf(term as "nll")]], [want], tolerance.forward);
        }
        near(
          "the gradient",
          await program.read("grads_P"),
          flat(model, golden.grads),
          tolerance.gradient,
        );
        await program.run("forward", scalars(run));
        const outputs = await program.read(poisson ? "logRates_TRN" : "outputs_TRQ");
        near("the outputs", outputs, golden.outputs_TBQ, tolerance.forward);
        if (golden.inputs_TBU.length > 0) {
          near("inputs", await program.read("inputs_TRU"), golden.inputs_TBU, tolerance.forward);
        }
        for (let count = 1; count <= golden.steps; count++) {
          await program.run("step", scalars({ ...run, count }));
        }
        const after = await program.read("params_P");
        near(`${golden.steps} steps`, after, flat(model, golden.after), tolerance.steps);
        assert.ok(
          options.weightDecay > 0 && relativeError(after, flat(model, golden.params)) > 1e-3,
        );
        program.free();
      }
    });
  });
}
