/** What a GPU reaches at most: multiply-adds from registers, and a copy through its memory. */

export interface GpuLimits {
  /** float32 multiply-adds, two operations each */
  readonly gflops: number;
  /** bytes read and written */
  readonly gigabytes: number;
}

const GROUP = 256;
const MULTIPLY_ADDS = 512;
/** Accumulators of an invocation: enough that none waits for its last result. */
const LANES = 8;

const ARITHMETIC = `
@group(0) @binding(0) var<storage, read_write> values: array<vec4<f32>>;
@compute @workgroup_size(${GROUP})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let scale = values[0];
  ${
  Array.from({ length: LANES }, (_, i) => `var a${i} = vec4<f32>(f32(id.x + ${i}u));`).join("\n  ")
}
  for (var i = 0u; i < ${MULTIPLY_ADDS}u; i++) {
    ${Array.from({ length: LANES }, (_, i) => `a${i} = fma(a${i}, scale, scale);`).join("\n    ")}
  }
  let sum = ${Array.from({ length: LANES }, (_, i) => `a${i}`).join(" + ")};
  // never so, but the compiler cannot know
  if (sum.x == 1.2345) { values[1] = sum; }
}`;

const COPY_GROUPS = 4096;
const COPY = `
@group(0) @binding(0) var<storage, read_write> values: array<vec4<f32>>;
@compute @workgroup_size(${GROUP})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let half = arrayLength(&values) / 2u;
  for (var i = id.x; i < half; i += ${GROUP * COPY_GROUPS}u) { values[half + i] = values[i]; }
}`;

/** Workgroups of a run, at most; and how long it takes at least, if it can. */
const MOST_GROUPS = 16_384;
const LEAST_SECONDS = 1e-3;

/** Timed runs of a shader. */
interface Timed {
  readonly groups: number;
  /** of the fastest, by the device's clock */
  readonly seconds: number;
}

/** Runs a shader with `groups` workgroups, or with as many as it takes to fill a moment. */
async function fastest(
  device: GPUDevice,
  code: string,
  buffer: GPUBuffer,
  groups?: number,
): Promise<Timed> {
  const pipeline = await device.createComputePipelineAsync({
    layout: "auto",
    compute: { module: device.createShaderModule({ code }), entryPoint: "main" },
  });
  const bindings = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [{ binding: 0, resource: { buffer } }],
  });
  const querySet = device.createQuerySet({ type: "timestamp", count: 2 });
  const resolved = device.createBuffer({
    size: 16,
    usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
  });
  const staging = device.createBuffer({
    size: 16,
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  const once = async (groups: number) => {
    const encoder = device.createCommandEncoder();
    const timestampWrites = {
      querySet,
      beginningOfPassWriteIndex: 0,
      endOfPassWriteIndex: 1,
    };
    const pass = encoder.beginComputePass({ timestampWrites });
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindings);
    pass.dispatchWorkgroups(groups);
    pass.end();
    encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, 16);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const [start, end] = new BigUint64Array(staging.getMappedRange());
    staging.unmap();
    return Number(end - start) * 1e-9;
  };
  let now = groups ?? 64;
  while (groups === undefined && now < MOST_GROUPS && await once(now) < LEAST_SECONDS) now *= 2;
  let seconds = Infinity;
  for (let i = 0; i < 10; i++) seconds = Math.min(seconds, await once(now));
  return { groups: now, seconds };
}

/** Measures the limits of the default adapter, on a device of its own. */
export async function measureLimits(): Promise<GpuLimits> {
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter?.features.has("timestamp-query")) {
    throw new Error("Cannot measure the GPU's limits: it has no timestamps.");
  }
  const { maxStorageBufferBindingSize, maxBufferSize } = adapter.limits;
  const size = Math.min(2 ** 30, maxStorageBufferBindingSize, maxBufferSize) & ~255;
  const device = await adapter.requestDevice({
    requiredFeatures: ["timestamp-query"],
    requiredLimits: { maxStorageBufferBindingSize: size, maxBufferSize: size },
  });
  try {
    const buffer = device.createBuffer({ size, usage: GPUBufferUsage.STORAGE });
    const arithmetic = await fastest(device, ARITHMETIC, buffer);
    const copy = await fastest(device, COPY, buffer, COPY_GROUPS);
    const flops = 2 * 4 * LANES * MULTIPLY_ADDS * GROUP * arithmetic.groups;
    return { gflops: flops / arithmetic.seconds / 1e9, gigabytes: size / copy.seconds / 1e9 };
  } finally {
    device.destroy();
  }
}
