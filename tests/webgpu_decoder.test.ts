/** The decoder's sweeps on webgpu against their float64 definition, and what changes none of their bits. */
import fc from "fast-check";
import { cases, checkKernels } from "./step_cases.ts";
import { withoutAdapter, withWebgpu } from "./webgpu_adapter.ts";

const KERNELS = ["decoder", "decoder_backward"];

Deno.test({
  name: "the decoder's sweeps agree with their float64 definition",
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
