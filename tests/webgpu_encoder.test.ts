/** The encoder's sweeps on webgpu against their float64 definition, and what changes none of their bits. */
import fc from "fast-check";
import { cases, checkKernels } from "./step_cases.ts";
import { withoutAdapter, withWebgpu } from "./webgpu_adapter.ts";

const KERNELS = ["encoder", "encoder_backward"];

Deno.test({
  name: "the encoder's sweeps agree with their float64 definition",
  ...withoutAdapter,
  fn: () =>
    withWebgpu((executor) =>
      fc.assert(
        fc.asyncProperty(
          cases,
          (given) => checkKernels(given, executor, (kernel) => KERNELS.includes(kernel)),
        ),
        { numRuns: 25, seed: 1 },
      )
    ),
});
