/** Tint, Chromium's compiler of WGSL, takes every shader; naga, Deno's, does in all other tests. */
import assert from "node:assert/strict";
import { inChromium, withoutChromium } from "./browser/chromium.ts";
import { allStages } from "./webgpu_stages.ts";

/** What no test runs in Chromium: of these one pipeline each is made, all others are only compiled. */
const REST = new Set([
  "transpose",
  "finish+adam",
  "posterior_rates",
  "average_samples",
  "fixed_points",
  "external_input",
  "observation",
  "posterior_observations",
  "accumulate",
  "total",
  "adam",
]);

Deno.test({
  name: "Chromium's compiler takes every shader, without a warning",
  ...withoutChromium,
  async fn() {
    const wanted = allStages().map(({ fusion, variant }) => {
      const name = fusion.kernels.join("+"), pipeline = REST.delete(name);
      return { fusion, variant, pipeline };
    });
    assert.deepEqual([...REST], [], "no plan needs these");
    const complaints = await inChromium("compile", wanted);
    assert.equal(complaints.length, 0, `of ${wanted.length} shaders:\n${complaints.join("\n")}`);
  },
});
