/** What can go wrong on a GPU, in words. */

/**
 * The GPU refused or failed: no memory, a shader it cannot compile, a device that was lost. What was on
 * the device is gone; a run's last checkpoint is on disk.
 */
export class GpuError extends Error {
  override name = "GpuError";
}
