/** How many dispatches a training step takes on a GPU, and what is counted of them. */
import assert from "node:assert/strict";
import { scalars } from "../src/compute/executor.ts";
import { COMMON_CAPABILITIES } from "../src/compute/webgpu/capabilities.ts";
import { cuts } from "../src/compute/webgpu/dispatches.ts";
import { planStages, type TraceOptions, traceRecording } from "../src/compute/webgpu/trace.ts";
import { trainingPlan } from "../src/model/training_plan.ts";
import { architecture, stepOptions } from "../src/model/hyperparameters.ts";
import { parameterLayout } from "../src/model/layout.ts";
import { type ModelShape, type ShapeName, SHAPES } from "../src/study/shapes.ts";
import { assertRefused, lastJson, latentd } from "./cli_helpers.ts";
import { withoutAdapter, withWebgpu } from "./webgpu_adapter.ts";

/** At most so many dispatches a step: what the kernels were cut for. */
const MOST: Readonly<Record<ShapeName, number>> = { S: 8, M: 10, L: 12 };
/** Mesa's llvmpipe ends an invocation's loops after 65 535 iterations; a tenth is left as room. */
const LLVMPIPE = 58_981;

function planOf({ hyperparameters, T, N }: ModelShape) {
  const B = hyperparameters.batchSize;
  const sizes = { B, S: 1, trials: B, counts: "u8", density: 1 } as const;
  return {
    plan: trainingPlan(architecture(hyperparameters, T, N), stepOptions(hyperparameters), sizes),
    run: scalars({ B }),
  };
}

function trace(shape: ModelShape, options: TraceOptions = {}) {
  const { plan, run } = planOf(shape);
  return traceRecording(plan, "step", run, options);
}

for (const shape of Object.values(SHAPES)) {
  const most = MOST[shape.name];

  Deno.test(`a step of shape ${shape.name} is at most ${most} dispatches, none of them for a time step`, () => {
    const { stages, dispatches } = trace(shape);
    assert.ok(dispatches <= most, `found ${dispatches}`);
    assert.ok(stages.every((stage) => stage.dispatches === 1));
    assert.equal(trace({ ...shape, T: 4 * shape.T }).dispatches, dispatches);
  });

  Deno.test(`where llvmpipe ends loops, those of shape ${shape.name} are cut into a few parts at most`, () => {
    const { stages, dispatches } = trace(shape, { loopIterations: LLVMPIPE });
    assert.ok(stages.every((stage) => stage.dispatches <= 3), `${dispatches} dispatches`);
    if (shape.name !== "L") assert.ok(dispatches <= most, `found ${dispatches}`);
  });

  Deno.test(`the cuts of shape ${shape.name} make every step of a loop once, and each stays below the limit`, () => {
    const { plan, run } = planOf(shape);
    let cut = 0;
    for (const loopIterations of [LLVMPIPE, 20_000]) {
      const capabilities = { ...COMMON_CAPABILITIES, loopIterations };
      for (const stage of planStages(plan, capabilities).stages.get("step")!) {
        const ranges = cuts(stage, run, capabilities);
        const [last] = ranges.slice(-1);
        ranges.forEach(([first], i) => assert.equal(first, i === 0 ? 0 : ranges[i - 1][1]));
        if (ranges.length === 1) continue;
        cut++;
        assert.equal(last[1], shape.T, stage.fusion.kernels.join("+"));
      }
    }
    if (shape.name === "L") assert.ok(cut >= 2, `only ${cut} loops were cut`);
  });

  Deno.test(`the weight gradients of shape ${shape.name} count every product and every sum`, () => {
    const { plan, run } = planOf(shape);
    const jobs = plan.recordings.step.flatMap(({ jobs = [] }) => jobs);
    let wanted = 0;
    for (const { a, m, n, T } of jobs) wanted += (a ? 2 : 1) * m * n * T * run.B;
    const stage = trace(shape).stages.find(({ kernels }) => kernels.includes("weight_gradients"))!;
    assert.equal(stage.flops, wanted);
  });
}

Deno.test("starts side by side take the dispatches of one, with as many times its work and memory", () => {
  const one = trace(SHAPES.S), sixteen = trace(SHAPES.S, { fits: 16 });
  assert.equal(sixteen.dispatches, one.dispatches);
  assert.deepEqual([one.flops * 16, one.bytes * 16], [sixteen.flops, sixteen.bytes]);
  assert.ok(sixteen.stages.every(({ workgroups }) => workgroups[1] === 16));
  // the counts are shared: one byte each, and some tables
  const { hyperparameters: { batchSize }, T, N } = SHAPES.S;
  const shared = (16 * one.memory - sixteen.memory) / 15, counts = batchSize * T * N;
  assert.ok(shared >= counts && shared < 1.1 * counts, `${shared} bytes are shared`);
});

Deno.test("trace prints every dispatch, and with --json its numbers", async () => {
  const { code, stdout, stderr } = await latentd("trace", "--shape", "M");
  assert.equal(code, 0, stderr);
  assert.match(stdout, /B 128, T 100, N 100, E 64, C 0, U 0, G 64, F 20/);
  assert.match(stdout, /finish \+ adam/);
  const json = lastJson(await latentd("trace", "--shape", "M", "--json"));
  const { stages, dispatches, flops, bytes, memory } = trace(SHAPES.M);
  assert.deepEqual(
    { ...json, stages: (json.stages as unknown[]).length },
    {
      shape: "M",
      cell: "gru",
      dims: { B: 128, T: 100, N: 100, E: 64, C: 0, U: 0, G: 64, F: 20 },
      parameters: parameterLayout(architecture(SHAPES.M.hyperparameters, 100, 100)).length,
      starts: 1,
      loopIterations: null,
      stages: stages.length,
      dispatches,
      flops,
      bytes,
      memory,
      flopsPerByte: flops / bytes,
      readBacks: 0,
    },
  );
});

Deno.test("trace takes other sizes, and refuses loops that even one step exceeds", async () => {
  const changed = ["--shape", "M", "--bins", "7", "--neurons", "5", "--generator-units", "300"];
  const { dims } = lastJson(await latentd("trace", ...changed, "--json"));
  assert.deepEqual(dims, { B: 128, T: 7, N: 5, E: 64, C: 0, U: 0, G: 300, F: 20 });
  assertRefused(
    await latentd("trace", "--shape", "L", "--loop-iterations", "5"),
    /at most 5 loop iterations in one invocation/,
  );
});

Deno.test({
  name: "steps in sequence are read back once, after the last",
  ...withoutAdapter,
  fn: () =>
    withWebgpu(async (executor) => {
      const { plan } = planOf({
        ...SHAPES.S,
        T: 3,
        N: 4,
        hyperparameters: { ...SHAPES.S.hyperparameters, batchSize: 2 },
      });
      const program = await executor.load(plan);
      program.write("params_P", new Float32Array(plan.buffers[0].length).fill(0.1));
      const { mapAsync } = GPUBuffer.prototype;
      let readBacks = 0;
      GPUBuffer.prototype.mapAsync = function (...range) {
        readBacks++;
        return mapAsync.apply(this, range);
      };
      try {
        const runs = Array.from({ length: 8 }, (_, step) => ({
          scalars: scalars({ B: 2, step, count: step + 1 }),
        }));
        const losses = await program.sequence("step", runs, "losses");
        assert.equal(losses.length, 8);
        assert.equal(readBacks, 1);
      } finally {
        GPUBuffer.prototype.mapAsync = mapAsync;
        program.free();
      }
    }),
});
