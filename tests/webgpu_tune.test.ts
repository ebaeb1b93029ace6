/** The tile that an adapter is fastest with: measured once, kept, recalled. */
import assert from "node:assert/strict";
import { tuningFile } from "../src/compute/tuning_file.ts";
import { describeAdapter, findAdapter, openGpu } from "../src/compute/webgpu/adapter.ts";
import { COMMON_CAPABILITIES, type Tile, TILES } from "../src/compute/webgpu/capabilities.ts";
import { fastestTile, tuneTile } from "../src/compute/webgpu/tune.ts";
import { inFolder } from "./folders.ts";
import { withoutAdapter } from "./webgpu_adapter.ts";

/** Software adapters take a second for each sweep that is timed on a GPU. */
const SMALL = { T: 3, E: 8, B: 8 };

Deno.test({
  name: "the tile that is picked is the fastest of those that were timed",
  ...withoutAdapter,
  fn: async () => {
    const adapter = await findAdapter();
    assert(adapter);
    const device = await openGpu(adapter);
    try {
      const { tile, microseconds } = await tuneTile(
        device,
        describeAdapter(adapter),
        COMMON_CAPABILITIES,
        SMALL,
      );
      for (const other of TILES) {
        assert(Number.isFinite(microseconds[other]) && microseconds[other] > 0);
        assert(microseconds[tile] <= microseconds[other]);
      }
    } finally {
      device.destroy();
    }
  },
});

Deno.test({
  name: "an adapter that is known is not timed again",
  ...withoutAdapter,
  fn: async () => {
    const adapter = await findAdapter();
    assert(adapter);
    const device = await openGpu(adapter);
    const description = { name: "an adapter of a test", software: false };
    const kept: [string, Tile][] = [];
    const memory = (known?: Tile) => ({
      recall: () => Promise.resolve(known),
      keep: (name: string, tile: Tile) => {
        kept.push([name, tile]);
        return Promise.resolve();
      },
    });
    try {
      const recalled = await fastestTile(
        device,
        description,
        COMMON_CAPABILITIES,
        memory(2),
        SMALL,
      );
      assert.deepEqual([recalled, kept], [2, []]);
      const tile = await fastestTile(device, description, COMMON_CAPABILITIES, memory(), SMALL);
      assert.deepEqual(kept, [[description.name, tile]]);
      assert.equal(
        await fastestTile(device, description, COMMON_CAPABILITIES, memory(), SMALL),
        tile,
      );
      assert.equal(kept.length, 1);
    } finally {
      device.destroy();
    }
  },
});

Deno.test("the file of tunings gives back what was kept, for each adapter, and survives damage", () =>
  inFolder(async (folder) => {
    const file = tuningFile(folder);
    assert.equal(await file.recall("a GPU"), undefined);
    await file.keep("a GPU", 2);
    await file.keep("another", 1);
    assert.deepEqual([await file.recall("a GPU"), await file.recall("another")], [2, 1]);
    await Deno.writeTextFile(`${folder}/latentd/adapters.json`, "{ damaged");
    assert.equal(await tuningFile(folder).recall("a GPU"), undefined);
    await file.keep("a GPU", 4);
    assert.equal(await file.recall("a GPU"), 4);
  }));
