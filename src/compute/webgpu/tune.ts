/** Picks how many trials a workgroup of a sweep carries, by timing the encoder on this adapter. */
import { scalars } from "../executor.ts";
import { PlanBuilder } from "../recording.ts";
import { type Capabilities, type Tile, TILES } from "./capabilities.ts";
import { Gpu } from "./gpu.ts";
import { loadProgram } from "./program.ts";

/** Bins, units and trials of the sweep that is timed. */
export interface Sweep {
  readonly T: number;
  readonly E: number;
  readonly B: number;
}

/** A sweep as fits of common sizes make it: 64 units, a batch of 128. */
const SHAPE: Sweep = { T: 32, E: 64, B: 128 };
const REPEATS = 5;

/** What was measured: microseconds of the sweep with each tile. */
export interface Tuning {
  readonly tile: Tile;
  readonly microseconds: Readonly<Record<Tile, number>>;
}

function sweep({ T, E, B }: Sweep): PlanBuilder {
  const plan = new PlanBuilder();
  const real = (name: string, length: number) => plan.buffer(name, length);
  plan.record("sweep").dispatch("encoder", {
    gates_TBD3E: real("gates_TBD3E", T * B * 6 * E),
    wGates_DE2E: real("wGates_DE2E", 4 * E * E),
    wCandidate_DEE: real("wCandidate_DEE", 2 * E * E),
    h0_DE: real("h0_DE", 2 * E),
    forward_HBE: real("forward_HBE", (T + 1) * B * E),
    backward_HBE: real("backward_HBE", (T + 1) * B * E),
    reset_TBDE: real("reset_TBDE", T * B * 2 * E),
  }, { T, E });
  return plan;
}

/**
 * Times the sweep with every tile, by the device's clock where it has one and by the host's where not.
 * The tile changes no bit of a result: trials are lanes that never meet.
 */
export async function tuneTile(
  device: GPUDevice,
  description: Gpu["adapter"],
  capabilities: Capabilities,
  shape = SHAPE,
): Promise<Tuning> {
  const microseconds: Record<Tile, number> = { 1: Infinity, 2: Infinity, 4: Infinity };
  for (const tile of TILES) {
    const gpu = new Gpu(device, description, { ...capabilities, tile });
    const program = await loadProgram(gpu, sweep(shape), 1);
    try {
      for (let i = 0; i <= REPEATS; i++) {
        const began = performance.now();
        const times = await program.timed("sweep", scalars({ B: shape.B }));
        if (!times) await program.read("h0_DE");
        const took = times
          ? times.reduce((sum, time) => sum + time.microseconds, 0)
          : 1000 * (performance.now() - began);
        // the first run compiles and warms up
        if (i > 0) microseconds[tile] = Math.min(microseconds[tile], took);
      }
    } finally {
      program.free();
    }
  }
  const tile = TILES.reduce((a, b) => microseconds[b] < microseconds[a] ? b : a);
  return { tile, microseconds };
}

/** Where the fastest tile of an adapter is kept. */
export interface TuningMemory {
  recall(adapter: string): Promise<Tile | undefined>;
  keep(adapter: string, tile: Tile): Promise<void>;
}

/** What was found in this process. */
const known = new Map<string, Tile>();

/** The fastest tile of an adapter: recalled, or measured once and kept. */
export async function fastestTile(
  device: GPUDevice,
  description: Gpu["adapter"],
  capabilities: Capabilities,
  memory?: TuningMemory,
  shape?: Sweep,
): Promise<Tile> {
  const { name } = description;
  const recalled = known.get(name) ?? await memory?.recall(name);
  if (recalled) return recalled;
  const { tile } = await tuneTile(device, description, capabilities, shape);
  known.set(name, tile);
  await memory?.keep(name, tile);
  return tile;
}
