/** What a driver does but does not say. */

/** Iterations that the probe asks for: beyond the 65 535 of Mesa's llvmpipe. */
const ASKED = 100_000;
/** Room below a limit that was found, for the loops that a kernel's estimate does not count. */
const SHARE = 0.9;

const SOURCE = `
@group(0) @binding(0) var<storage, read_write> counted: array<u32>;

@compute @workgroup_size(1)
fn main() {
  let wanted = counted[1];
  var x = counted[2];
  var n = 0u;
  for (; n < wanted; n++) {
    x = x * 1664525u + 1013904223u;
  }
  counted[0] = n;
  counted[2] = x;
}
`;

/**
 * Loop iterations that one invocation may make; Infinity where ${ASKED} are no trouble. Some drivers
 * end an invocation's loops after a while without a word.
 */
export async function probeLoopIterations(device: GPUDevice): Promise<number> {
  const module = device.createShaderModule({ label: "loop probe", code: SOURCE });
  const pipeline = await device.createComputePipelineAsync({
    label: "loop probe",
    layout: "auto",
    compute: { module, entryPoint: "main" },
  });
  const size = 16;
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ size, usage });
  const staging = device.createBuffer({
    size,
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  device.queue.writeBuffer(buffer, 0, Uint32Array.of(0, ASKED, 1, 0));
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(
    0,
    device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: [{ binding: 0, resource: { buffer } }],
    }),
  );
  pass.dispatchWorkgroups(1);
  pass.end();
  encoder.copyBufferToBuffer(buffer, 0, staging, 0, size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const counted = new Uint32Array(staging.getMappedRange())[0];
  staging.destroy();
  buffer.destroy();
  return counted < ASKED ? Math.floor(counted * SHARE) : Infinity;
}
