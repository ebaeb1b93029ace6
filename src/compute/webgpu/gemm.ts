/** How products of matrices are cut into tiles: the host's side of `shaders/gemm.wgsl`. */

/** Lines and columns of the output that one workgroup makes at a time. */
export const GEMM_LINES = 64;
export const GEMM_COLUMNS = 64;
/** Products of a sum that a workgroup shares at a time. */
export const GEMM_STEP = 16;
/** Invocations of a workgroup. */
export const GEMM_WORKGROUP = 256;
/** Bytes that a workgroup shares. */
export const GEMM_MEMORY = 16 * GEMM_STEP * (17 + 16);

/**
 * Steps that a workgroup makes at most, one tile after the other. Each takes 5 loop iterations, so it
 * stays below the 65 535 after which some drivers end an invocation.
 */
const MOST_STEPS = 8192;
/** Constants of `gemm.wgsl`. */
export const GEMM_CONSTANTS = { GEMM_MOST_STEPS: MOST_STEPS } as const;
/** Words of 32 masks that are kept for a line: more neurons than that are drawn again for each tile. */
const MOST_MASK_WORDS = 16;

/** Workgroups that make an output [rows][width] of sums of `depth` products each. */
export function gemmGroups(rows: number, width: number, depth: number): number {
  const tiles = Math.ceil(width / GEMM_COLUMNS);
  const most = Math.max(1, Math.floor(MOST_STEPS / Math.ceil(depth / GEMM_STEP)));
  const each = Math.min(Math.ceil(tiles / 2), most);
  return Math.ceil(rows / GEMM_LINES) * Math.ceil(tiles / each);
}

/** Constants of a shader that uses `gemm` and `masks` (of rows with so many masks), and its memory. */
export function gemmVariant(masks: number): {
  readonly workgroup: number;
  readonly constants: Readonly<Record<string, number>>;
  readonly workgroupMemory: number;
} {
  // powers of two, so that few pipelines serve many models
  let MASK_WORDS = 1;
  while (32 * MASK_WORDS < masks && MASK_WORDS < MOST_MASK_WORDS) MASK_WORDS *= 2;
  return {
    workgroup: GEMM_WORKGROUP,
    constants: { ...GEMM_CONSTANTS, MASK_WORDS },
    workgroupMemory: GEMM_MEMORY + 4 * GEMM_LINES * MASK_WORDS,
  };
}
