/**
 * What a plain model does not have, on webgpu: the options of every kernel and whole gradients against
 * their float64 definitions. Few and small models, since a software adapter takes seconds for a pipeline.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { drawParameters } from "../src/check/random_draws.ts";
import { relativeError } from "../src/check/table.ts";
import { tolerances } from "../src/check/tolerances.ts";
import type { Executor, Program } from "../src/compute/executor.ts";
import { LOSSES, type Scalars } from "../src/compute/kernels.ts";
import type { Plan } from "../src/compute/recording.ts";
import { createReferenceExecutor } from "../src/compute/reference.ts";
import { createWebgpuExecutor } from "../src/compute/webgpu.ts";
import { COMMON_CAPABILITIES } from "../src/compute/webgpu/capabilities.ts";
import { traceRecording } from "../src/compute/webgpu/trace.ts";
import type { CellKind, Dims } from "../src/dims.ts";
import { type Architecture, parameterLayout } from "../src/model/layout.ts";
import { type KernelCase, type Rounding, runOn, wanted } from "./kernel_cases.ts";
import {
  decays,
  observations,
  parts,
  penalties,
  posteriorObservations,
  readouts,
} from "./option_cases.ts";
import {
  type Case,
  checkKernels,
  type Numbers,
  optionCases,
  planOf,
  readAll,
  sameBits,
  scalarsOf,
  start,
  write,
} from "./step_cases.ts";
import { withoutAdapter } from "./webgpu_adapter.ts";

/** One for the file, so that each pipeline is compiled once. */
const webgpu = withoutAdapter.ignore ? null : await createWebgpuExecutor({ reason: "a test" });
if (webgpu) globalThis.addEventListener("unload", () => webgpu.close());

const test = (name: string, fn: (executor: Executor) => Promise<void>) =>
  Deno.test({
    name,
    ...withoutAdapter,
    fn: () => {
      assert(webgpu, "CI must have a WebGPU adapter (Mesa's lavapipe), and has none");
      return fn(webgpu);
    },
  });

/** As in webgpu_kernels.test.ts. */
const rounding: Rounding = { quotient: 5, root: 9, chain: (n) => n };

const kinds: readonly (readonly [string, fc.Arbitrary<KernelCase>, number])[] = [
  ["the readout weighs what is missing, dropped or never seen", readouts, 14],
  ["every observation's loss and gradients", observations, 18],
  ["what every observation expects", posteriorObservations, 9],
  ["a penalty for each parameter, and a scale for each divergence", penalties, 8],
  ["weight decay beside Adam's update", decays, 6],
  ["parts of a batch add up to sums", parts, 8],
];

for (const [name, cases, numRuns] of kinds) {
  test(`${name}: as in float64, on random shapes`, (executor) =>
    fc.assert(
      fc.asyncProperty(cases, async (one) => {
        one.check(await wanted(one), await runOn(executor, one), rounding);
      }),
      { numRuns, seed: 11 },
    ));
}

interface Given extends Partial<Omit<Case, "model">> {
  readonly dims: Partial<Dims>;
  readonly cell?: CellKind;
  readonly model?: Partial<Omit<Architecture, "dims" | "cell">>;
}

function caseOf({ dims, cell = "gru", model, ...rest }: Given): Case {
  return {
    model: {
      dims: { T: 6, N: 5, E: 3, C: 0, U: 0, G: 4, F: 3, ...dims },
      cell,
      nonlinearity: "tanh",
      ...model,
    },
    B: 5,
    counts: "u8",
    density: 0.8,
    explicitNoise: false,
    keepRate: 0.75,
    seed: 5,
    ...rest,
  };
}

/** Each option at least once, and what they do to each other. */
const MODELS: readonly (readonly [what: string, Case])[] = [
  [
    "a controller with an encoder of its own, late, of fewer bins; I is not G; external inputs",
    caseOf({
      dims: { T: 7, C: 3, U: 2, V: 4, X: 2, I: 6 },
      model: {
        firstFactors: "generator",
        controllerLag: 2,
        encodedBins: 6,
        initialConditionBins: 4,
      },
    }),
  ],
  [
    "a shared encoder, later than it has bins; factors of g0; explicit masks",
    caseOf({
      dims: { T: 5, C: 4, U: 1, I: 2, F: 9 },
      cell: "vanilla",
      model: { firstFactors: "generator", controllerLag: 3, encodedBins: 2 },
      explicitNoise: true,
    }),
  ],
  [
    "no controller; missing counts, of which the encoder sees fewer; coordinated dropout",
    caseOf({
      dims: { G: 12, I: 20, X: 3 },
      cell: "vanilla",
      counts: "u16",
      sizes: { gaps: true, encoded: true, inputScale: 1.25 },
      options: { coordinatedDropout: 0.25 },
    }),
  ],
  ...(["gaussian", "gamma", "zero-inflated-gamma"] as const).map((observation) =>
    [
      `real numbers with gaps: ${observation}`,
      caseOf({
        dims: { N: 7 },
        model: { observation },
        counts: "real",
        sizes: { gaps: true },
        options: { observationFloor: 0.25, coordinatedDropout: observation === "gamma" ? 0.25 : 0 },
      }),
    ] as const
  ),
];

for (const [what, given] of MODELS) {
  test(`every kernel of a step agrees with its float64 definition: ${what}`, (executor) =>
    checkKernels(given, executor));
}

test("every kernel of a step agrees with its float64 definition: random models with options", (executor) =>
  fc.assert(
    fc.asyncProperty(optionCases, (given) => checkKernels(given, executor)),
    { numRuns: 2, seed: 3 },
  ));

/** A case's numbers, with parameters under which a loss is not rounding alone. */
function numbersOf(plan: Plan, given: Case): Numbers {
  const numbers = start(plan, given);
  numbers.set("params_P", drawParameters(parameterLayout(given.model), given.seed, 0));
  return numbers;
}

/** Runs some recordings of a case on the reference and on a device, and compares what they leave. */
async function besideReference(
  executor: Executor,
  given: Case,
  outputs: readonly string[],
  run: (program: Program) => Promise<void>,
): Promise<void> {
  const plan = planOf(given), numbers = numbersOf(plan, given);
  const found: Numbers[] = [];
  for (const device of [createReferenceExecutor(), executor]) {
    const program = await device.load(plan);
    try {
      write(program, numbers);
      await run(program);
      const all = await Promise.all(outputs.map((name) => program.read(name)));
      found.push(new Map(outputs.map((name, i) => [name, all[i]])));
    } finally {
      program.free();
    }
  }
  const { gradient } = tolerances(executor.info);
  const [want, got] = found;
  for (const [name, values] of want) {
    assert.ok(values.some((x) => x !== 0), `${name} is nothing but zeros`);
    const error = relativeError(got.get(name)!, values);
    assert.ok(error <= gradient, `${name} is off by ${error}`);
  }
}

for (const [what, given] of MODELS) {
  test(`a whole gradient is the reference's: ${what}`, (executor) =>
    besideReference(
      executor,
      given,
      ["losses", "grads_P"],
      (program) => program.run("gradient", scalarsOf(given)),
    ));
}

/** The parts of a batch of 5: 2, 2 and 1 trials. */
const PARTS = [[0, 2], [2, 2], [4, 1]] as const;

function partsOf(given: Case): { scalars: Scalars; writes: Record<string, Float64Array> }[] {
  const whole = scalarsOf(given), trials = start(planOf(given), given).get("trials_B")!;
  return PARTS.map(([first, B], accumulated) => ({
    scalars: {
      ...whole,
      ...{ B, accumulated, share: B / given.B, firstTrial: whole.firstTrial + first },
    },
    writes: { trials_B: trials.slice(first, first + B) },
  }));
}

const ACCUMULATED = caseOf({
  dims: { C: 2, U: 1 },
  sizes: { accumulate: true },
  // so small a norm that each is clipped by its own
  options: { weightDecay: 0.25, maxGradNorm: 0.5 },
});

test("the parts of a batch add up to the reference's gradient and losses, and Adam goes on from them", (executor) =>
  besideReference(executor, ACCUMULATED, ["sums", "sum_P", "params_P"], async (program) => {
    for (const { scalars, writes } of partsOf(ACCUMULATED)) {
      for (const [name, values] of Object.entries(writes)) program.write(name, values);
      await program.run("accumulate", scalars);
    }
    await program.run("update", scalarsOf(ACCUMULATED));
  }));

test("parts in one sequence add up as one by one, to the bit, and add up to the whole", async (executor) => {
  const given = ACCUMULATED, plan = planOf(given), numbers = numbersOf(plan, given);
  const program = await executor.load(plan);
  const parts = partsOf(given);
  try {
    write(program, numbers);
    const together = await program.sequence!("accumulate", parts, "sums");
    const [after] = await program.sequence!("update", [{ scalars: scalarsOf(given) }], "sums");
    sameBits(after[0], together.at(-1)![0], "sums after the update");
    const sum = await readAll(program, plan);
    write(program, numbers);
    for (const [i, { scalars, writes }] of parts.entries()) {
      for (const [name, values] of Object.entries(writes)) program.write(name, values);
      await program.run("accumulate", scalars);
      sameBits(await program.read("sums"), together[i][0], `sums of part ${i}`);
    }
    await program.run("update", scalarsOf(given));
    for (const name of ["sum_P", "params_P"]) {
      sameBits(await program.read(name), sum.get(name)!, name);
    }
    assert.ok(after[0][LOSSES.indexOf("gradNorm")] > 0.5);

    write(program, numbers);
    await program.run("gradient", scalarsOf(given));
    const { gradient } = tolerances(executor.info), whole = await program.read("grads_P");
    // each part adds the whole penalty, times its share
    const error = relativeError(sum.get("sum_P")!, whole);
    assert.ok(error <= gradient, `the sum is off by ${error}`);
    const norm = LOSSES.indexOf("gradNorm");
    const off = Math.abs(after[0][norm] / Math.hypot(...whole) - 1);
    assert.ok(off <= gradient, `the norm is off by ${off}`);
  } finally {
    program.free();
  }
});

test("real numbers and external inputs are one copy for all fits", async (executor) => {
  const given = caseOf({ dims: { X: 2 }, model: { observation: "gaussian" }, counts: "real" });
  const plan = planOf(given), numbers = numbersOf(plan, given);
  const fits = [scalarsOf(given), { ...scalarsOf(given), B: 2, step: 9 }];
  const run = async (which: readonly number[]) => {
    const program = await executor.load(plan, which.length);
    try {
      for (const [name, values] of numbers) {
        which.forEach((_, fit) => program.write(name, values, 0, fit));
      }
      await program.run("gradient", which.map((fit) => fits[fit]));
      return await Promise.all(which.map((_, fit) => program.read("grads_P", 0, undefined, fit)));
    } finally {
      program.free();
    }
  };
  const together = await run([0, 1]);
  for (const fit of [0, 1]) sameBits(together[fit], (await run([fit]))[0], `fit ${fit}`);
});

test("data that are stored otherwise than a kernel is told are refused, not misread", async (executor) => {
  const plan = planOf(caseOf({ dims: {} }));
  const buffers = plan.buffers.map((spec) =>
    spec.name === "counts" ? { ...spec, element: "u16" as const } : spec
  );
  await assert.rejects(
    executor.load({ buffers, recordings: plan.recordings }),
    /kernel encoder_input: expected counts to hold u8, found u16/,
  );
});

Deno.test("options cost a few dispatches each, none of them for a time step", () => {
  const dispatches = (given: Case, recording = "step") =>
    traceRecording(planOf(given), recording, scalarsOf(given), COMMON_CAPABILITIES).dispatches;
  const controller = { C: 3, U: 2 };
  const plain = dispatches(caseOf({ dims: controller }));
  // an encoder of its own: inputs, sweep, sweep back; external inputs: one kernel
  assert.equal(dispatches(caseOf({ dims: { ...controller, V: 4 } })), plain + 3);
  assert.equal(dispatches(caseOf({ dims: { ...controller, X: 4 } })), plain + 1);
  const more = { dims: { ...controller, I: 2 }, sizes: { gaps: true, encoded: true } };
  assert.equal(dispatches(caseOf(more)), plain);
  assert.equal(
    dispatches(caseOf({ ...more, model: { observation: "gamma" }, counts: "real" })),
    plain,
  );
  // the norm of a part and that of the sum do not wait for Adam
  const parts = caseOf({ dims: controller, sizes: { accumulate: true } });
  assert.equal(dispatches(parts, "accumulate"), plain + 2);
  assert.equal(dispatches(parts, "update"), 1);
});
