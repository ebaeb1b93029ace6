/** What can go wrong on a GPU, in words. */

/**
 * The GPU refused or failed: no memory, a shader it cannot compile, a device that was lost. What was on
 * the device is gone; a run's last checkpoint is on disk.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { type Executor, fit, GpuError, parseHyperparameters, simulateRotation } from "latentd";
 *
 * const lost: Executor = {
 *   info: { name: "webgpu", threads: 1, arithmetic: "float32 on the GPU", reason: "an example" },
 *   runsAtOnce: 1,
 *   load: () => Promise.reject(new GpuError("The webgpu device was lost.")),
 *   close: () => {},
 * };
 * const data = simulateRotation({ trials: 10, T: 5, N: 3 });
 * const run = fit(data, lost, { hyperparameters: parseHyperparameters({ steps: 2 }), seed: 0 });
 * await assert.rejects(run.next(), GpuError); // go on from a checkpoint, on any device
 * ```
 */
export class GpuError extends Error {
  override name = "GpuError";
}
