/**
 * The products of matrices on webgpu against their float64 definition.
 *
 * Bounds of the special shapes: a sum of k products in float32, in whatever order, is off by at most
 * k u Σ|products| (u = 2^-24, first order), and Σ|products| is what the definition yields for the inputs'
 * absolute values. Dropout adds a division (2.5 ulp in WGSL) and a product to each: 8 u cover them.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type Executor, scalars } from "../src/compute/executor.ts";
import type { KernelName, Scalars } from "../src/compute/kernels.ts";
import {
  type GradientJob,
  type Plan,
  PlanBuilder,
  type Ref,
  slice,
} from "../src/compute/recording.ts";
import { createReferenceExecutor } from "../src/compute/reference.ts";
import { gradientTable } from "../src/compute/webgpu/kernels/weight_gradients.ts";
import { fillNormal, seedWords, STREAMS } from "../src/random.ts";
import {
  type Case,
  cases,
  checkKernels,
  type Numbers,
  planOf,
  sameBits,
  scalarsOf,
  start,
  write,
} from "./step_cases.ts";
import { withoutAdapter, withWebgpu } from "./webgpu_adapter.ts";

const U = 2 ** -24;

const KERNELS: readonly KernelName[] = [
  "encoder_input",
  "controller_input",
  "controller_input_backward",
  "weight_gradients",
];

const test = (name: string, fn: () => Promise<void>) => Deno.test({ name, ...withoutAdapter, fn });

/** A plan with only some kernels of a step, in one recording. */
function only(plan: Plan, ...kernels: readonly KernelName[]): Plan {
  const main = plan.recordings.step.filter(({ kernel }) => kernels.includes(kernel));
  return { buffers: plan.buffers, recordings: { main } };
}

async function results(
  executor: Executor,
  plan: Plan,
  numbers: Numbers,
  s: Scalars,
  outputs: readonly string[],
): Promise<Numbers> {
  const program = await executor.load(plan);
  try {
    write(program, numbers);
    await program.run("main", s);
    const found: Numbers = new Map();
    for (const name of outputs) found.set(name, await program.read(name));
    return found;
  } finally {
    program.free();
  }
}

/** Fails where an output is further from its definition than sums of so many products may be. */
async function agrees(
  executor: Executor,
  plan: Plan,
  numbers: Numbers,
  s: Scalars,
  outputs: readonly string[],
  products: number,
): Promise<void> {
  const reference = createReferenceExecutor();
  const sizes: Numbers = new Map([...numbers].map(([name, x]) => [name, x.map(Math.abs)]));
  const want = await results(reference, plan, numbers, s, outputs);
  const most = await results(reference, plan, sizes, s, outputs);
  const got = await results(executor, plan, numbers, s, outputs);
  for (const name of outputs) {
    const found = got.get(name)!, right = want.get(name)!, scale = most.get(name)!;
    right.forEach((x, i) => {
      const bound = (products + 8) * U * scale[i];
      const error = Math.abs(found[i] - x);
      if (!(error <= bound)) assert.fail(`${name}[${i}]: ${found[i]}, expected ${x} ± ${bound}`);
    });
  }
}

test("the products of a step agree with their float64 definition", () =>
  withWebgpu((executor) =>
    fc.assert(
      fc.asyncProperty(
        cases,
        (given) => checkKernels(given, executor, (kernel) => KERNELS.includes(kernel)),
      ),
      { numRuns: 25, seed: 1 },
    )
  ));

/** A model that is given by what matters to the products. */
function caseOf(
  dims: { T: number; N: number; E: number; C: number },
  rest: Partial<Omit<Case, "model">> = {},
): Case {
  return {
    model: {
      dims: { ...dims, U: 1, G: 2, F: 3 },
      cell: "vanilla",
      nonlinearity: "tanh",
    },
    B: 5,
    counts: "u8",
    density: 0.8,
    explicitNoise: false,
    keepRate: 0.75,
    seed: 11,
    ...rest,
  };
}

const SHAPES: readonly (readonly [what: string, Case])[] = [
  ["one row, one of everything", caseOf({ T: 1, N: 1, E: 1, C: 1 }, { B: 1 })],
  ["wider than a tile", caseOf({ T: 13, N: 130, E: 70, C: 70 })],
  ["whole tiles", caseOf({ T: 16, N: 64, E: 32, C: 64 }, { B: 4 })],
  ["one more than whole tiles", caseOf({ T: 13, N: 65, E: 33, C: 43 }, { B: 5 })],
  ["more neurons than masks are kept for", caseOf({ T: 7, N: 1050, E: 23, C: 2 }, { B: 10 })],
  ["more encodings than masks are kept for", caseOf({ T: 3, N: 3, E: 270, C: 44 }, { B: 3 })],
  ["wide counts", caseOf({ T: 9, N: 37, E: 5, C: 9 }, { counts: "u16", B: 9 })],
  ["explicit masks", caseOf({ T: 9, N: 77, E: 35, C: 22 }, { explicitNoise: true, B: 9 })],
  ["no dropout", caseOf({ T: 9, N: 77, E: 35, C: 22 }, { keepRate: 1, B: 9 })],
];

for (const [what, given] of SHAPES) {
  test(`inputs of encoder and controller agree with float64: ${what}`, () =>
    withWebgpu(async (executor) => {
      const { N, E, C } = given.model.dims;
      const plan = planOf(given), numbers = start(plan, given), s = scalarsOf(given);
      for (
        const [kernel, products, outputs] of [
          ["encoder_input", N + 1, ["spikes_TBN", "gates_TBD3E"]],
          ["controller_input", 2 * E + 1, ["enc_TB2E", "conInput_TB3C"]],
          ["controller_input_backward", 3 * C, ["dEnc_TB2E"]],
        ] as const
      ) {
        await agrees(executor, only(plan, kernel), numbers, s, outputs, products);
      }
    }));
}

test("a workgroup makes fewer tiles where their sums are long, and all are made", () =>
  withWebgpu(async (executor) => {
    const T = 1, N = 4100, E = 704, B = 1;
    const plan = new PlanBuilder();
    const buffers = {
      counts: plan.buffer("counts", T * N, "u8", { shared: true }),
      trials_B: plan.buffer("trials_B", B, "u32"),
      keepSpikes_BTN: null,
      wInput_ND3E: plan.buffer("w", N * 6 * E),
      b_D3E: plan.buffer("b", 6 * E),
      spikes_TBN: plan.buffer("spikes", T * B * N),
      gates_TBD3E: plan.buffer("gates", T * B * 6 * E),
    };
    plan.record("main").dispatch("encoder_input", buffers, {
      T,
      N,
      E,
      dataT: T,
      element: 0,
      gaps: 0,
      sparse: 0,
      dropout: 0,
      keepRate: 1,
      scale: 1,
    });
    // whole numbers, so that both devices' sums are exact
    const whole = (length: number) => Float64Array.from({ length }, (_, i) => i * 7919 % 13 - 6);
    const numbers: Numbers = new Map([
      ["counts", whole(N).map(Math.abs)],
      ["trials_B", new Float64Array(B)],
      ["w", whole(N * 6 * E)],
      ["b", whole(6 * E)],
    ]);
    const s = scalars({ B });
    const want = await results(createReferenceExecutor(), plan, numbers, s, ["gates"]);
    const got = await results(executor, plan, numbers, s, ["gates"]);
    sameBits(got.get("gates")!, want.get("gates")!, "gates");
  }));

test("beside prepare, the encoder's input is the same to the bit", () =>
  withWebgpu(async (executor) => {
    const given = caseOf({ T: 7, N: 40, E: 20, C: 3 }, { B: 11 });
    const plan = planOf(given), numbers = start(plan, given), s = scalarsOf(given);
    const outputs = ["spikes_TBN", "gates_TBD3E", "norms_F", "factorsHat_GF"];
    const both = await results(
      executor,
      only(plan, "prepare", "encoder_input"),
      numbers,
      s,
      outputs,
    );
    const input = await results(executor, only(plan, "encoder_input"), numbers, s, outputs);
    const prepared = await results(executor, only(plan, "prepare"), numbers, s, outputs);
    outputs.forEach((name, i) =>
      sameBits(both.get(name)!, (i < 2 ? input : prepared).get(name)!, name)
    );
  }));

/** Row b of [T][B][n], for all bins. */
function trialOf(values: Float64Array, T: number, B: number, b: number): number[] {
  const n = values.length / T / B;
  return Array.from(
    { length: T },
    (_, t) => [...values.subarray((t * B + b) * n, (t * B + b + 1) * n)],
  ).flat();
}

test("a batch of 1 equals a slice of a batch that fills only part of a plan, bit for bit", () =>
  withWebgpu(async (executor) => {
    const given = caseOf({ T: 6, N: 90, E: 40, C: 30 }, { B: 30 });
    const { T } = given.model.dims, B = 23, b = 17;
    const plan = planOf(given), numbers = start(plan, given), s = scalarsOf(given);
    const alonePlan = planOf({ ...given, B: 1 }), alone = new Map<string, Float64Array>();
    for (const { name, length } of alonePlan.buffers) {
      const values = numbers.get(name)!;
      const bins = /^(?:forward|backward|con|gen|factors)_H/.test(name) ? T + 1 : T;
      // what is laid out [bin][trial]: the bins of one trial of the B that are in the batch
      const one = /_[TH][RB]/.test(name) && values.length > 0;
      const used = values.subarray(0, values.length / given.B * B);
      alone.set(name, one ? Float64Array.from(trialOf(used, bins, B, b)) : values.slice(0, length));
    }
    alone.set("trials_B", numbers.get("trials_B")!.slice(b, b + 1).map(() => 1));
    numbers.get("trials_B")![b] = 1;
    for (
      const [kernel, outputs] of [
        ["encoder_input", ["spikes_TBN", "gates_TBD3E"]],
        ["controller_input", ["enc_TB2E", "conInput_TB3C"]],
        ["controller_input_backward", ["dEnc_TB2E"]],
      ] as const
    ) {
      const whole = await results(executor, only(plan, kernel), numbers, { ...s, B }, outputs);
      const single = await results(executor, only(alonePlan, kernel), alone, {
        ...s,
        B: 1,
        firstTrial: s.firstTrial + b,
      }, outputs);
      for (const name of outputs) {
        const rows = whole.get(name)!, used = rows.subarray(0, rows.length / given.B * B);
        sameBits(single.get(name)!, trialOf(used, T, B, b), `${kernel}: ${name}`);
      }
    }
  }));

test("fits side by side have the bits that each has alone, whatever the others' batches", () =>
  withWebgpu(async (executor) => {
    const given = caseOf({ T: 9, N: 40, E: 20, C: 12 }, { B: 12 });
    const plan = only(planOf(given), ...KERNELS);
    const batches = [5, 12, 1];
    const numbers = batches.map((_, fit) => start(plan, { ...given, seed: fit }));
    const counts = numbers[0].get("counts")!;
    const scalarsOfFit = batches.map((B, fit) => ({ ...scalarsOf({ ...given, seed: fit }), B }));
    const program = await executor.load(plan, batches.length);
    batches.forEach((_, fit) => {
      numbers[fit].set("counts", counts);
      for (const [name, values] of numbers[fit]) program.write(name, values, 0, fit);
    });
    await program.run("main", scalarsOfFit);
    for (const [fit, own] of numbers.entries()) {
      const outputs = ["gates_TBD3E", "conInput_TB3C", "dEnc_TB2E", "grads_P"];
      const alone = await results(executor, plan, own, scalarsOfFit[fit], outputs);
      for (const name of outputs) {
        const found = await program.read(name, 0, undefined, fit);
        sameBits(found, alone.get(name)!, `fit ${fit}: ${name}`);
      }
    }
    program.free();
  }));

/** A gradient by what its job says. */
interface Wanted {
  readonly m: number;
  readonly n: number;
  /** a sum of d's columns only */
  readonly bias?: boolean;
  readonly T?: number;
  readonly aSlot?: number;
  /** columns of d's rows in front of and behind those that are used */
  readonly beside?: number;
  /** shares d with the job before */
  readonly sameD?: boolean;
}

/** Jobs on buffers of their own, for up to B rows a bin. */
function jobsPlan(wanted: readonly Wanted[], T: number, B: number): [Plan, GradientJob[]] {
  const plan = new PlanBuilder();
  const gap = 3;
  const length = wanted.reduce((sum, { m, n }) => sum + m * n + gap, 0);
  const grads = plan.buffer("grads", length);
  let at = 0, d: Ref | undefined;
  const jobs = wanted.map((job, i): GradientJob => {
    const { m, n, bias = false, aSlot = 0, beside = 0, sameD = false } = job;
    const bins = job.T ?? T, dStride = n + 2 * beside;
    const whole = sameD ? d! : plan.buffer(`d${i}`, Math.max(1, bins) * B * dStride);
    d = whole;
    const aStride = m + 1;
    const a = bias ? null : plan.buffer(`a${i}`, (bins + 1) * B * aStride);
    const out = slice(grads, at, m * n);
    at += m * n + gap;
    return {
      a,
      d: slice(whole, beside, whole.length - beside),
      out,
      m,
      n,
      aStride: bias ? 0 : aStride,
      dStride,
      T: bins,
      aSlot,
      sparse: 0,
    };
  });
  plan.record("main").gradients(jobs);
  return [plan, jobs];
}

function numbersFor({ buffers }: Plan): Numbers {
  const address = { ...seedWords(5), stream: STREAMS.simulate };
  return new Map(buffers.map(({ name, length }, i) => {
    const values = new Float64Array(length);
    return [name, name === "grads" ? values : fillNormal(address, i, values).map(Math.fround)];
  }));
}

const products = (rows: number) => Math.min(rows, 128) + rows / 128 + 64;

const WANTED: readonly Wanted[] = [
  { m: 1, n: 1 },
  { m: 2, n: 4 },
  { m: 4, n: 8 },
  { m: 3, n: 11 },
  { m: 100, n: 12 },
  { m: 1, n: 12, bias: true, sameD: true },
  { m: 2, n: 100, aSlot: 1 },
  { m: 1, n: 100, bias: true, sameD: true },
  { m: 64, n: 64 },
  { m: 65, n: 65, beside: 2 },
  { m: 1, n: 65, beside: 2, bias: true, sameD: true },
  { m: 130, n: 70, aSlot: 1, beside: 1 },
  { m: 40, n: 145 },
  { m: 1, n: 145, bias: true, sameD: true },
  { m: 1, n: 200, bias: true },
  { m: 1, n: 3, bias: true, T: 1 },
  { m: 20, n: 17, T: 1 },
  { m: 1, n: 30, bias: true, T: 0 },
  { m: 40, n: 30, T: 0 },
];

for (
  const [what, T, most, B] of [
    ["one row", 1, 1, 1],
    ["a few rows", 3, 5, 5],
    ["hundreds of rows", 31, 13, 13],
    ["a batch smaller than the plan's", 31, 13, 2],
  ] as const
) {
  test(`gradients of every shape agree with float64: ${what}`, () =>
    withWebgpu(async (executor) => {
      const [plan] = jobsPlan(WANTED, T, most), numbers = numbersFor(plan);
      await agrees(executor, plan, numbers, scalars({ B }), ["grads"], products(T * B));
    }));
}

test("a second run leaves nothing of the first in the gradients", () =>
  withWebgpu(async (executor) => {
    const [plan] = jobsPlan(WANTED, 31, 13), numbers = numbersFor(plan);
    const program = await executor.load(plan);
    write(program, numbers);
    await program.run("main", scalars({ B: 13 }));
    await program.run("main", scalars({ B: 1 }));
    const again = await program.read("grads");
    program.free();
    const once = await results(executor, plan, numbers, scalars({ B: 1 }), ["grads"]);
    sameBits(again, once.get("grads")!, "grads");
  }));

test("a table whose rows are split less leaves nothing of another in its partial sums", () =>
  withWebgpu(async (executor) => {
    const plan = new PlanBuilder();
    const B = 300, T = 5, m = 40, n = 10;
    const grads = plan.buffer("grads", 2 * m * n), a = plan.buffer("a", T * B * m);
    const d = plan.buffer("d", T * B * n);
    const job = (first: number, T: number): GradientJob => {
      const out = slice(grads, first, m * n);
      return { a, d, out, m, n, aStride: m, dStride: n, T, aSlot: 0, sparse: 0 };
    };
    // the second job keeps the number of partial sums as it is
    plan.record("all").gradients([job(0, T), job(m * n, T)]);
    plan.record("none").gradients([job(0, 0), job(m * n, T)]);
    const program = await executor.load(plan);
    program.write("a", new Float64Array(T * B * m).fill(1));
    program.write("d", new Float64Array(T * B * n).fill(1));
    for (const [recording, bins] of [["all", T], ["none", 0], ["all", T]] as const) {
      await program.run(recording, scalars({ B }));
      const found = await program.read("grads");
      assert.ok(found.subarray(0, m * n).every((x) => x === bins * B), recording);
      assert.ok(found.subarray(m * n).every((x) => x === T * B), recording);
    }
    program.free();
  }));

test("gradients over more rows than a driver's loops have iterations agree with float64", () =>
  withWebgpu(async (executor) => {
    const T = 70, B = 1000;
    const jobs: readonly Wanted[] = [
      { m: 20, n: 5 },
      { m: 1, n: 5, bias: true, sameD: true },
      { m: 2, n: 3 },
      { m: 1, n: 7, bias: true },
    ];
    const [plan] = jobsPlan(jobs, T, B), numbers = numbersFor(plan);
    await agrees(executor, plan, numbers, scalars({ B }), ["grads"], products(T * B));
  }));

test("gradients' rounding errors do not grow with the rows of a share", () =>
  withWebgpu(async (executor) => {
    const T = 140, B = 1000, share = T * B / 64;
    const [plan] = jobsPlan([{ m: 17, n: 2 }], T, B), numbers = numbersFor(plan);
    // ones one by one lose 0.49 of a unit in the last place each between 1024 and 2048, all on one side
    numbers.get("a0")!.fill(1);
    numbers.get("d0")!.fill(Math.fround(1 + 0.49 * 2 ** -13));
    await agrees(executor, plan, numbers, scalars({ B }), ["grads"], 128 + share / 128 + 64);
  }));

/** Jobs of the sizes of a plan, with their table; each buffer 10^9 elements after the last. */
function tableOf(wanted: readonly Wanted[], T: number, B: number) {
  const [{ buffers }, jobs] = jobsPlan(wanted, T, B);
  const places = new Map(buffers.map(({ name }, i) => [name, 1e9 * i]));
  const start = ({ buffer, offset }: Ref) => places.get(buffer)! + offset;
  return { jobs, start, ...gradientTable(jobs, start, start({ ...jobs[0].out, offset: 0 })) };
}

/** Where things stand in a table's entry. */
const ENTRY = { words: 17, few: 0, m: 5, n: 6, out: 7, line: 8, column: 9, sums: 10, splits: 16 };

Deno.test("every gradient is made once in each share of its rows, and nothing beside it", () => {
  for (const [T, B] of [[1, 1], [31, 13]]) {
    const { table, entries, splits, jobs } = tableOf(WANTED, T, B);
    assert.equal(table.length, entries * ENTRY.words);
    const made = new Map<number, number>(), sharesOf = new Map<number, number>();
    for (let at = 0; at < table.length; at += ENTRY.words) {
      const word = (name: keyof typeof ENTRY) => table[at + ENTRY[name]];
      const split = table[at + 15], all = word("splits");
      assert.ok(split < all && all <= splits);
      const add = (out: number) => {
        const place = out * splits + split;
        made.set(place, (made.get(place) ?? 0) + 1);
        sharesOf.set(out, all);
      };
      for (let i = 0; i < word("m"); i++) {
        for (let j = 0; j < word("n"); j++) {
          add(word("out") + i * word("line") + j * word("column"));
        }
      }
      for (const [side, count] of [[0, word("m")], [1, word("n")]]) {
        const sums = table[at + ENTRY.sums + side];
        for (let i = 0; sums !== 0xffffffff && i < count; i++) add(sums + i);
      }
    }
    assert.ok([...made.values()].every((times) => times === 1));
    const covered = jobs.flatMap(({ out }) =>
      Array.from({ length: out.length }, (_, i) => out.offset + i)
    );
    assert.deepEqual([...sharesOf.keys()].sort((a, b) => a - b), covered);
    assert.equal(made.size, covered.reduce((sum, out) => sum + sharesOf.get(out)!, 0));
  }
});

Deno.test("shares of the rows keep some workgroups busy, and none longer than a loop may be", () => {
  const wanted = [{ m: 100, n: 12 }, { m: 2, n: 4 }, { m: 1, n: 12, bias: true }];
  for (const [T, B] of [[50, 200], [1000, 1024], [10_000, 1024]]) {
    const { table, entries, splits } = tableOf(wanted, T, B);
    assert.ok(entries >= 100 && entries < 1500, `${T * B} rows: ${entries} workgroups`);
    assert.ok(splits <= Math.max(64, T * B / 65_536 + 1));
    for (let at = 0; at < table.length; at += ENTRY.words) {
      const rows = T * B / table[at + ENTRY.splits], few = table[at + ENTRY.few];
      // shader: 16 rows take 5 iterations in a tile; 4 rows of each group of lanes take one otherwise
      const iterations = few ? rows * few / 256 / 4 : rows * 5 / 16;
      assert.ok(iterations < 65_535 / 2, `${T * B} rows: ${iterations} iterations`);
    }
  }
});
