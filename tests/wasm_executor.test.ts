/** The wasm executor as a device: arrays in and out, memory, failures, threads. */
import assert from "node:assert/strict";
import type { Executor } from "../src/compute/executor.ts";
import { scalars } from "../src/compute/executor.ts";
import { type Element, type Plan, PlanBuilder } from "../src/compute/recording.ts";
import { createWasmExecutor } from "../src/compute/wasm.ts";
import { Regions } from "../src/compute/wasm_memory.ts";
import { InputError } from "../src/errors.ts";

async function withExecutor(threads: number, use: (executor: Executor) => Promise<void>) {
  const executor = await createWasmExecutor({ threads });
  try {
    await use(executor);
  } finally {
    executor.close();
  }
}

/** Norms of `F` factors of `G` units. */
function normsPlan(G: number, F: number): Plan {
  const plan = new PlanBuilder();
  const w_GF = plan.buffer("w_GF", G * F), factorsHat_GF = plan.buffer("hat_GF", G * F);
  const norms_F = plan.buffer("norms_F", F);
  plan.record("prepare").dispatch("prepare", { w_GF, factorsHat_GF, norms_F }, { G, F });
  return plan;
}

/** A readout so wide that its rows do not fit in a thread's working memory. */
function tooWidePlan(N: number): Plan {
  const plan = new PlanBuilder();
  const real = plan.buffer("real", 2 * N), counts = plan.buffer("counts", N, "u8");
  const trials_B = plan.buffer("trials_B", 1, "u32");
  plan.record("readout").dispatch("readout", {
    factors_HRF: real,
    w_FN: real,
    b_N: real,
    counts,
    trials_B,
    logRates_TRN: real,
    nll_R: real,
  }, { T: 1, N, F: 1, element: 0, gaps: 0, gradient: 0, coordinated: 0, keepRate: 1 });
  return plan;
}

Deno.test("every kind of element comes back as it was written, whole or in part", async () => {
  await withExecutor(1, async (executor) => {
    const kinds: [Element, number[]][] = [
      ["real", [0.1, -2.5, 1e-30, 3e38, 7]],
      ["u8", [0, 1, 255, 3, 4]],
      ["u16", [0, 1, 65535, 3, 4]],
      ["u32", [0, 1, 4294967295, 3, 4]],
    ];
    const plan = new PlanBuilder();
    for (const [element] of kinds) plan.buffer(element, 5, element);
    const program = await executor.load(plan);
    for (const [element, values] of kinds) {
      assert.deepEqual([...await program.read(element)], [0, 0, 0, 0, 0]);
      program.write(element, values);
      const want = element === "real" ? values.map(Math.fround) : values;
      assert.deepEqual([...await program.read(element)], want);
      program.write(element, [9, 8], 1);
      assert.deepEqual([...await program.read(element, 1, 3)], [9, 8, want[3]]);
    }
  });
});

Deno.test("parts outside a buffer, unknown names and a freed program are refused", async () => {
  await withExecutor(1, async (executor) => {
    const program = await executor.load(normsPlan(2, 2));
    assert.throws(() => program.write("w_GF", [1, 2, 3, 4, 5]), /4 elements, found 0 … 5/);
    assert.throws(() => program.write("w_GF", [1], 4), /found 4 … 5/);
    await assert.rejects(program.read("w_GF", -1, 2), /found -1 … 1/);
    assert.throws(() => program.write("nothing", [1]), /no such buffer/);
    await assert.rejects(program.run("nothing", scalars({})), /the plan does not have it/);
    program.free();
    assert.throws(() => program.write("w_GF", [1]), /freed/);
    await assert.rejects(program.run("prepare", scalars({})), /freed/);
  });
});

Deno.test("a plan whose arguments are missing or do not fit is refused, with the kernel's name", async () => {
  await withExecutor(1, async (executor) => {
    const buffers = [{ name: "w", length: 4, element: "real" as const }];
    const w = { buffer: "w", offset: 0, length: 4 };
    const record = (refs: Record<string, typeof w | null>, numbers: Record<string, number>) => ({
      buffers,
      recordings: { main: [{ kernel: "prepare" as const, buffers: refs, numbers }] },
    });
    const all = { w_GF: w, factorsHat_GF: w, norms_F: w };
    await assert.rejects(
      executor.load(record({ ...all, norms_F: null }, { G: 2, F: 2 })),
      /"main", kernel prepare: buffer norms_F is missing/,
    );
    await assert.rejects(executor.load(record(all, { G: 2 })), /number F is undefined/);
    const long = { ...w, offset: 1 };
    await assert.rejects(
      executor.load(record({ ...all, w_GF: long }, { G: 2, F: 2 })),
      /1\+4 exceeds w's 4/,
    );
  });
});

Deno.test("a freed program's memory is used again, and starts as zeros", async () => {
  await withExecutor(1, async (executor) => {
    const plan = new PlanBuilder();
    plan.buffer("big", 50_000_000);
    // 22 × 200 MB would not fit in WebAssembly's 4 GiB
    for (let i = 0; i < 22; i++) {
      const program = await executor.load(plan);
      assert.deepEqual([...await program.read("big", 49_999_999)], [0]);
      program.write("big", [i + 1], 49_999_999);
      program.free();
    }
  });
});

Deno.test("threads reach memory that grew after they started, beyond 2 GiB too", async () => {
  await withExecutor(2, async (executor) => {
    const plan = new PlanBuilder();
    // never touched, so it costs addresses only
    plan.buffer("big", 550_000_000);
    await executor.load(plan);
    const T = 500, n = 100;
    const beyond = new PlanBuilder();
    const source = beyond.buffer("source", T * 2 * n), mean = beyond.buffer("mean", T * n);
    beyond.record("main").dispatch("average_samples", { source, mean }, { T, n });
    const program = await executor.load(beyond);
    program.write("source", Float64Array.from({ length: T * 2 * n }, (_, i) => i));
    await program.run("main", scalars({ B: 1, S: 2 }));
    const want = Float64Array.from({ length: T * n }, (_, i) => {
      const t = Math.floor(i / n);
      return t * 2 * n + i % n + n / 2;
    });
    assert.deepEqual(await program.read("mean"), want);
  });
});

Deno.test("a plan too large for the memory is refused, and the device goes on", async () => {
  await withExecutor(1, async (executor) => {
    const plan = new PlanBuilder();
    plan.buffer("huge", 1_100_000_000);
    await assert.rejects(executor.load(plan), /Cannot allocate 4196\.2 MiB.*4096 MiB/);
    const program = await executor.load(normsPlan(2, 1));
    program.write("w_GF", [3, 4]);
    await program.run("prepare", scalars({}));
    assert.deepEqual([...await program.read("norms_F")], [5]);
  });
});

Deno.test("regions that are given back merge with their neighbours", () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true });
  const regions = new Regions(memory, 100);
  const [a, b, c] = [1000, 2000, 3000].map((bytes) => regions.take(bytes));
  assert.equal(a.start, 128);
  for (const region of [a, c, b]) regions.giveBack(region);
  assert.deepEqual(regions.take(6080), { start: 128, size: 6080 });
});

for (const threads of [1, 2, 3]) {
  Deno.test(`a kernel that fails on ${threads} threads is named, and the next run works`, async () => {
    await withExecutor(threads, async (executor) => {
      const N = 3_000_000;
      const broken = await executor.load(tooWidePlan(N));
      const program = await executor.load(normsPlan(2, 3));
      program.write("w_GF", [3, 6, 0, 4, 8, 1]);
      for (let i = 0; i < 20; i++) {
        await assert.rejects(
          broken.run("readout", scalars({ B: 1 })),
          /Kernel readout failed on the wasm device, thread \d.*48000000 bytes of working memory/,
        );
        await program.run("prepare", scalars({}));
        assert.deepEqual([...await program.read("norms_F")], [5, 10, 1]);
      }
    });
  });
}

for (const threads of [1, 2, 3]) {
  Deno.test(`fits that fail on ${threads} threads are an error, and the fits of the next run work`, async () => {
    await withExecutor(threads, async (executor) => {
      const fits = 5;
      const broken = await executor.load(tooWidePlan(3_000_000), fits);
      const program = await executor.load(normsPlan(2, 1), fits);
      for (let fit = 0; fit < fits; fit++) program.write("w_GF", [3 * fit, 4 * fit], 0, fit);
      for (let i = 0; i < 20; i++) {
        await assert.rejects(
          broken.run("readout", scalars({ B: 1 })),
          /Kernel readout failed on the wasm device, thread \d.*48000000 bytes of working memory/,
        );
        await program.run("prepare", scalars({}));
        for (let fit = 0; fit < fits; fit++) {
          assert.deepEqual([...await program.read("norms_F", 0, 1, fit)], [5 * fit]);
          program.write("norms_F", [-1], 0, fit);
        }
      }
    });
  });
}

Deno.test("a fault inside a kernel is an error that names it, not a hang", async () => {
  for (const threads of [1, 3]) {
    await withExecutor(threads, async (executor) => {
      const plan = new PlanBuilder();
      const source = plan.buffer("source", 8), mean = plan.buffer("mean", 8);
      plan.record("main").dispatch("average_samples", { source, mean }, { T: 8, n: 100_000_000 });
      const program = await executor.load(plan);
      await assert.rejects(
        program.run("main", scalars({ B: 1 })),
        /Kernel average_samples failed on the wasm device.*memory access out of bounds/,
      );
    });
  }
});

Deno.test("a failure among pieces of work leaves the next program all its pieces", async () => {
  for (const threads of [1, 3]) {
    await withExecutor(threads, async (executor) => {
      const plan = new PlanBuilder();
      const d = plan.buffer("d", 6), out = plan.buffer("out", 2);
      const job = {
        a: null,
        d,
        out,
        m: 1,
        n: 2,
        aStride: 1,
        dStride: 2,
        T: 3,
        aSlot: 0,
        sparse: 0 as const,
      };
      plan.record("main").gradients([job]);
      plan.record("broken").gradients([{ ...job, T: 1000, dStride: 100_000_000 }]);
      const program = await executor.load(plan);
      program.write("d", [1, 2, 3, 4, 5, 6]);
      for (let i = 0; i < 5; i++) {
        await assert.rejects(program.run("broken", scalars({ B: 1 })), /Kernel weight_gradients/);
        program.write("out", [0, 0]);
        await program.run("main", scalars({ B: 1 }));
        assert.deepEqual([...await program.read("out")], [9, 12]);
      }
    });
  }
});

Deno.test("threads from 1 to 32 are accepted, nothing else", async () => {
  for (const threads of [0, -1, 1.5, 33, NaN]) {
    await assert.rejects(createWasmExecutor({ threads }), InputError);
  }
});

Deno.test("a closed device refuses plans and runs", async () => {
  const executor = await createWasmExecutor({ threads: 2 });
  const program = await executor.load(normsPlan(2, 1));
  executor.close();
  executor.close();
  await assert.rejects(executor.load(normsPlan(2, 1)), /closed/);
  await assert.rejects(program.run("prepare", scalars({})), /closed/);
});
