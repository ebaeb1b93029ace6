/** What the recurrent sweeps have in common: how a workgroup is filled, and which tile fits its memory. */
import { InputError } from "../../../errors.ts";
import type { Capabilities, Tile } from "../capabilities.ts";
import { capacity } from "../kernel.ts";

/** Units that a sweep's arrays are sized for: finer than `capacity` where its steps waste much memory. */
export function sweepUnits(n: number): number {
  return n <= 256 ? capacity(n) : Math.ceil(n / 64) * 64;
}

/** Units of a cell (rounded up) to which a sweep's workgroup is sized, and its invocations. */
export function sweepWorkgroup(units: number): number {
  return units <= 4 ? 32 : units <= 16 ? 64 : 256;
}

/** Into how many parts the sums of a layer are cut, so that few columns keep a workgroup busy. */
export function partsOf(columns: number, workgroup: number): number {
  // shorter sums cost more in barriers than they gain
  if (workgroup < 256) return 1;
  let parts = 1;
  while (2 * parts * columns <= workgroup) parts *= 2;
  return parts;
}

/**
 * What Mesa's llvmpipe counts for a loop of n iterations, each with `each` of loops within: entering and
 * leaving it count too.
 */
export function counted(n: number, each = 1): number {
  return n * each + 2;
}

/** The same for one part of a sum over `n`, unrolled by 4, and for adding up the parts. */
export function dotIterations(n: number, parts: number): number {
  return counted(Math.ceil(n / parts / 4)) + counted(3) + (parts > 1 ? counted(parts - 1) : 0);
}

/**
 * The most trials, at most the adapter's tile, with which a workgroup fits its memory.
 *
 * @param bytes what a workgroup of so many trials takes
 * @throws {InputError} when one trial is too many
 */
export function fittingTile(
  kernel: string,
  bytes: (tile: Tile) => number,
  { tile, workgroupMemory }: Capabilities,
): Tile {
  for (const fewer of [4, 2, 1] as const) {
    if (fewer <= tile && bytes(fewer) <= workgroupMemory) return fewer;
  }
  throw new InputError(
    `Cannot run ${kernel} on this adapter: expected at most ${workgroupMemory} bytes of workgroup ` +
      `memory (maxComputeWorkgroupStorageSize), found ${bytes(1)} for a single trial. Use fewer ` +
      `units, or --device wasm.`,
  );
}
