/** What `shaders/log_rates.wgsl` takes: the tile of rows and neurons that a workgroup works on. */
export const LOG_RATES = {
  workgroup: 256,
  rows: 32,
  columns: 64,
  /** factors at a time */
  depth: 32,
  /** of workgroup memory */
  bytes: 16 * 288,
} as const;

/** Loop iterations of one call. */
export function logRateIterations(F: number): number {
  return Math.ceil(F / LOG_RATES.depth) * (1 + LOG_RATES.depth / 4);
}
