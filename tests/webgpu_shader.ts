/** Runs a few lines of WGSL on the libraries of `shaders/`, for tests of those libraries alone. */
import gamma from "../shaders/gamma.wgsl" with { type: "text" };
import math from "../shaders/math.wgsl" with { type: "text" };
import random from "../shaders/random.wgsl" with { type: "text" };
import run from "../shaders/run.wgsl" with { type: "text" };
import assert from "node:assert/strict";
import { findAdapter, openGpu } from "../src/compute/webgpu/adapter.ts";
import { scalars } from "../src/compute/executor.ts";
import { SCALARS, type Scalars } from "../src/compute/kernels.ts";
import { RUN_WORDS } from "../src/compute/webgpu/arguments.ts";
import { sharedConstants } from "../src/compute/webgpu/module.ts";

const WORKGROUP = 64;

/** A device with the libraries loaded. */
export interface Bench {
  /**
   * What `f(i)` yields for each i < count: the bits of float32, or whole words. `f` is WGSL: an
   * expression in `i: u32` and `x(i): f32`, of type f32 or u32.
   */
  floats(f: string, count: number, x?: Float32Array, at?: Partial<Scalars>): Promise<Float32Array>;
  words(f: string, count: number, x?: Float32Array, at?: Partial<Scalars>): Promise<Uint32Array>;
}

/** Runs a test's body with the machine's adapter, and closes it whatever happens. */
export async function withBench<X>(body: (bench: Bench) => Promise<X>): Promise<X> {
  const adapter = await findAdapter();
  assert(adapter, "CI must have a WebGPU adapter (Mesa's lavapipe), and has none");
  const device = await openGpu(adapter);
  const evaluate = async (
    f: string,
    count: number,
    x: Float32Array = new Float32Array(1),
    at: Partial<Scalars> = {},
  ): Promise<ArrayBuffer> => {
    device.pushErrorScope("validation");
    const module = device.createShaderModule({
      code: `${sharedConstants()}${run}\n${math}\n${random}\n${gamma}
@group(0) @binding(2) var<storage, read_write> found: array<u32>;
fn x(i: u32) -> f32 { return real(i); }
@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  s = runs[0];
  let i = id.x;
  if (i < arrayLength(&found)) {
    found[i] = bitcast<u32>(${f});
  }
  // bindings that a line does not use would be left out of the layout
  _ = words[0];
  _ = reals[0];
}`,
    });
    const pipeline = await device.createComputePipelineAsync({
      layout: "auto",
      compute: { module },
    });
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    const buffer = (size: number) => device.createBuffer({ size: Math.max(64, size), usage });
    const found = device.createBuffer({ size: 4 * count, usage });
    const reals = buffer(x.byteLength), words = buffer(4), runs = buffer(4 * RUN_WORDS);
    const staging = device.createBuffer({
      size: 4 * count,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    try {
      const given = scalars(at);
      const view = new DataView(new ArrayBuffer(4 * RUN_WORDS));
      SCALARS.forEach(([name, kind], i) => {
        if (kind === "int") view.setUint32(4 * i, given[name], true);
        else view.setFloat32(4 * i, given[name], true);
      });
      device.queue.writeBuffer(runs, 0, view.buffer as ArrayBuffer);
      device.queue.writeBuffer(reals, 0, x as Float32Array<ArrayBuffer>);
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      const entries = [[0, reals], [1, words], [2, found], [4, runs]] as const;
      pass.setBindGroup(
        0,
        device.createBindGroup({
          layout: pipeline.getBindGroupLayout(0),
          entries: entries.map(([binding, buffer]) => ({ binding, resource: { buffer } })),
        }),
      );
      pass.dispatchWorkgroups(Math.ceil(count / WORKGROUP));
      pass.end();
      encoder.copyBufferToBuffer(found, 0, staging, 0, 4 * count);
      device.queue.submit([encoder.finish()]);
      const error = await device.popErrorScope();
      assert.equal(error?.message, undefined);
      await staging.mapAsync(GPUMapMode.READ);
      return staging.getMappedRange().slice(0);
    } finally {
      for (const used of [found, reals, words, runs, staging]) used.destroy();
    }
  };
  try {
    return await body({
      floats: async (...given) => new Float32Array(await evaluate(...given)),
      words: async (...given) => new Uint32Array(await evaluate(...given)),
    });
  } finally {
    device.destroy();
  }
}
