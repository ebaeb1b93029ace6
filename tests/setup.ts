/**
 * Runs before the tests. Properties draw fresh examples on every run, and print the seed of a failure;
 * under CI the seed is fixed, so that the same commit has the same result. FC_SEED chooses another.
 */
import fc from "fast-check";

const seed = Deno.env.get("FC_SEED") ?? (Deno.env.get("CI") ? "20261123" : undefined);
if (seed !== undefined) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(seed) });
