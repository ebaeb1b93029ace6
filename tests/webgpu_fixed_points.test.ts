/** Fixed points on webgpu: the kernel against its float64 definition, golden files, the search. */
import fc from "fast-check";
import { checkAlone, checkFixedPointCase, fixedPointCases } from "./fixed_point_cases.ts";
import { withoutAdapter, withWebgpu } from "./webgpu_adapter.ts";

Deno.test({
  name: "fixed points move on webgpu as their float64 definition says",
  ...withoutAdapter,
  fn: () =>
    withWebgpu((executor) =>
      fc.assert(
        fc.asyncProperty(fixedPointCases, (given) => checkFixedPointCase(executor, given)),
        { numRuns: 40, seed: 1 },
      )
    ),
});

Deno.test({
  name: "a candidate's path on webgpu does not depend on its companions",
  ...withoutAdapter,
  fn: () =>
    withWebgpu((executor) =>
      fc.assert(
        fc.asyncProperty(
          fixedPointCases,
          fc.nat(),
          (given, pick) => checkAlone(executor, given, pick % given.K),
        ),
        { numRuns: 20, seed: 2 },
      )
    ),
});
