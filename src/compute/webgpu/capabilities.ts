/** What a kernel must know of an adapter before its shader is written. No GPU is touched here. */

/** Bounds of an adapter. Plain numbers, so that a recording can be planned for one that is not there. */
export interface Capabilities {
  /** bytes that the invocations of a workgroup share */
  readonly workgroupMemory: number;
  /** invocations of a workgroup */
  readonly workgroupSize: number;
  /** workgroups in each dimension of a dispatch */
  readonly workgroupsPerDimension: number;
  /** bytes of one storage binding: the real numbers of a program are one */
  readonly storageBinding: number;
  /** bytes to which a binding's offset is aligned */
  readonly offsetAlignment: number;
  /**
   * Loop iterations after which the driver ends an invocation without a word, or Infinity. Mesa's
   * llvmpipe ends all loops of an invocation together after 65 535.
   */
  readonly loopIterations: number;
  /** trials that one workgroup of a recurrent sweep carries */
  readonly tile: Tile;
}

/** Trials in one workgroup of a sweep: the lanes of a vector. */
export type Tile = typeof TILES[number];

export const TILES = [1, 2, 4] as const;

/** What any WebGPU adapter has at least, without the loop limit: what `trace` plans for. */
export const COMMON_CAPABILITIES: Capabilities = {
  workgroupMemory: 16_384,
  workgroupSize: 256,
  workgroupsPerDimension: 65_535,
  storageBinding: 2 ** 31,
  offsetAlignment: 256,
  loopIterations: Infinity,
  tile: 4,
};
