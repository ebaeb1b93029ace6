/** What is chosen where a model is imported. */

/**
 * Programs whose models are imported.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { SOURCES } from "latentd";
 *
 * assert.deepEqual(SOURCES, ["lfads-torch", "jax-lfads"]);
 * ```
 */
export const SOURCES = ["lfads-torch", "jax-lfads"] as const;

export type Source = typeof SOURCES[number];

/**
 * Reconstructions of lfads-torch that can be imported.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { RECONSTRUCTIONS } from "latentd";
 *
 * assert.deepEqual(RECONSTRUCTIONS, ["poisson", "mse", "gaussian", "gamma"]);
 * ```
 */
export const RECONSTRUCTIONS = ["poisson", "mse", "gaussian", "gamma"] as const;

export type LfadsTorchReconstruction = typeof RECONSTRUCTIONS[number];
