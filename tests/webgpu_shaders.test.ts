/** Tint, Chromium's compiler of WGSL, takes every shader; naga, Deno's, does in all other tests. */
import assert from "node:assert/strict";
import { inChromium, withoutChromium } from "./browser/chromium.ts";
import { allStages } from "./webgpu_stages.ts";

Deno.test({
  name: "Chromium's compiler takes every shader, without a warning",
  ...withoutChromium,
  async fn() {
    const seen = new Set<string>();
    const wanted = allStages().map(({ fusion, variant }) => {
      const name = fusion.kernels.join("+"), pipeline = !seen.has(name);
      seen.add(name);
      return { fusion, variant, pipeline };
    });
    const complaints = await inChromium("compile", wanted);
    assert.equal(complaints.length, 0, `of ${wanted.length} shaders:\n${complaints.join("\n")}`);
  },
});
