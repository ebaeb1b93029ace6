/** The products of matrices on webgpu against their float64 definition. */
import fc from "fast-check";
import { cases, checkKernels } from "./step_cases.ts";
import { withoutAdapter, withWebgpu } from "./webgpu_adapter.ts";

const KERNELS = [
  "encoder_input",
  "controller_input",
  "controller_input_backward",
  "weight_gradients",
];

Deno.test({
  name: "the products of a step agree with their float64 definition",
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
