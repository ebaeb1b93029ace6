/** A training step on wasm: every kernel against its float64 definition, and what changes no bit. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Executor } from "../src/compute/executor.ts";
import type { Plan } from "../src/compute/recording.ts";
import { createWasmExecutor } from "../src/compute/wasm.ts";
import { shapeOf } from "../src/model/layout.ts";
import {
  type Case,
  cases,
  checkKernels,
  checkPosterior,
  difference,
  type Numbers,
  optionCases,
  planOf,
  readAll,
  runStep,
  sameBits,
  scalarsOf,
  start,
  write,
} from "./step_cases.ts";

/** Executors for the whole file: starting threads takes longer than a small step. */
async function withExecutors<X>(
  options: readonly { threads: number; reproducible?: boolean }[],
  body: (executors: Executor[]) => Promise<X>,
): Promise<X> {
  const executors: Executor[] = [];
  try {
    for (const given of options) executors.push(await createWasmExecutor(given));
    return await body(executors);
  } finally {
    for (const executor of executors) executor.close();
  }
}

/** Plain models, and models with options, a test for each. */
const kinds: readonly (readonly [of: string, cases: fc.Arbitrary<Case>])[] = [
  ["", cases],
  [" of models with options", optionCases],
];

for (const [of, cases] of kinds) {
  Deno.test(`every kernel of a step${of} agrees with its float64 definition`, async () => {
    await withExecutors(
      [{ threads: 2 }],
      ([executor]) =>
        fc.assert(fc.asyncProperty(cases, (given) => checkKernels(given, executor)), {
          numRuns: 60,
          seed: 1,
        }),
    );
  });

  Deno.test(`every kernel of a step${of} of the reproducible build agrees too`, async () => {
    await withExecutors(
      [{ threads: 1, reproducible: true }],
      ([executor]) =>
        fc.assert(fc.asyncProperty(cases, (given) => checkKernels(given, executor)), {
          numRuns: 20,
          seed: 2,
        }),
    );
  });

  Deno.test(`every kernel of inference${of} agrees, with several samples of each trial`, async () => {
    await withExecutors(
      [{ threads: 2 }],
      ([executor]) =>
        fc.assert(fc.asyncProperty(cases, (given) => checkPosterior(given, executor)), {
          numRuns: 25,
          seed: 6,
        }),
    );
  });

  Deno.test(`a step${of} has the same bits on 1, 2 and 3 threads`, async () => {
    await withExecutors([{ threads: 1 }, { threads: 2 }, { threads: 3 }], (executors) =>
      fc.assert(
        fc.asyncProperty(cases, async (given) => {
          const [one, ...more] = await Promise.all(executors.map((e) => runStep(given, e)));
          for (const [name, values] of one) {
            for (const other of more) sameBits(other.get(name)!, values, name);
          }
        }),
        { numRuns: 25, seed: 3 },
      ));
  });
}

/** Row `b` of a buffer laid out [bin][row][n]. */
function rowsOf(values: Float64Array, bins: number, rows: number, b: number): number[] {
  const n = values.length / bins / rows;
  return Array.from(
    { length: bins },
    (_, t) => [...values.subarray((t * rows + b) * n, (t * rows + b + 1) * n)],
  ).flat();
}

/** The data that every trial of a plan has its part of, cut to the trials of a smaller plan. */
function dataFor(plan: Plan, numbers: Numbers): [name: string, values: Float64Array][] {
  return plan.buffers.filter(({ shared }) => shared).map(({ name, length }) => [
    name,
    numbers.get(name)!.subarray(0, length),
  ]);
}

for (const [of, cases] of kinds) {
  Deno.test(`a batch of 1 equals a slice of a batch${of}, bit for bit`, async () => {
    await withExecutors([{ threads: 2 }], ([executor]) =>
      fc.assert(
        fc.asyncProperty(cases, fc.nat(), async (random, pick) => {
          const given = { ...random, explicitNoise: false };
          const { T, U, initialConditionBins } = shapeOf(given.model), b = pick % given.B;
          const numbers = start(planOf(given), given);
          const run = async (B: number, firstTrial: number, trials: Float64Array) => {
            const plan = planOf({ ...given, B });
            const program = await executor.load(plan);
            program.write("params_P", numbers.get("params_P")!);
            for (const [name, values] of dataFor(plan, numbers)) program.write(name, values);
            program.write("trials_B", trials);
            await program.run("forward", { ...scalarsOf(given), B, firstTrial });
            const found = await readAll(program, plan);
            program.free();
            return found;
          };
          // only trial 0 is in both data sets: a plan holds one trial more than its batch
          const all = numbers.get("trials_B")!.map(() => 0);
          const whole = await run(given.B, 0, all);
          const alone = await run(1, b, all.subarray(0, 1));
          const check = (name: string, bins: number) =>
            sameBits(alone.get(name)!, rowsOf(whole.get(name)!, bins, given.B, b), name);
          const outputs = whole.has("logRates_TRN") ? "logRates_TRN" : "outputs_TRQ";
          for (const name of ["gen_HRG", "factors_HRF"]) check(name, T + 1);
          for (const name of ["forward_HBE", "backward_HBE"]) check(name, initialConditionBins + 1);
          for (const name of ["gates_TBD3E", "spikes_TBN"]) check(name, initialConditionBins);
          check(outputs, T);
          for (const name of ["nll_R", "klIc_R", ...(U > 0 ? ["klInputs_R"] : [])]) check(name, 1);
        }),
        { numRuns: 40, seed: 4 },
      ));
  });
}

Deno.test("skipping zeros changes no bit of the spikes' products", async () => {
  await withExecutors([{ threads: 2 }], ([executor]) =>
    fc.assert(
      fc.asyncProperty(fc.oneof(cases, optionCases), async (random) => {
        const given = { ...random, density: 0.1 };
        const plan = planOf(given);
        const setSparse = (sparse: 0 | 1 | 2): Plan => ({
          buffers: plan.buffers,
          recordings: {
            gradient: plan.recordings.gradient.map((dispatch) => ({
              ...dispatch,
              numbers: "sparse" in dispatch.numbers
                ? { ...dispatch.numbers, sparse }
                : dispatch.numbers,
              jobs: dispatch.jobs?.map((job, i) =>
                i === 0 ? { ...job, sparse: sparse ? 1 : 0 } : job
              ),
            })),
          },
        });
        const run = async (sparse: 0 | 1 | 2) => {
          const program = await executor.load(setSparse(sparse));
          write(program, start(plan, given));
          await program.run("gradient", scalarsOf(given));
          const found = await readAll(program, plan);
          program.free();
          return found;
        };
        const dense = await run(0), sparse = await run(1), looked = await run(2);
        for (const name of ["gates_TBD3E", "spikes_TBN", "grads_P"]) {
          assert.equal(difference(sparse.get(name)!, dense.get(name)!), 0, name);
          assert.equal(difference(looked.get(name)!, dense.get(name)!), 0, `${name}, looked at`);
        }
      }),
      { numRuns: 40, seed: 5 },
    ));
});
