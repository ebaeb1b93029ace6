/** How the shaders of observation models are specialised: `shaders/families.wgsl`. */
import { FAMILIES, OUTPUTS } from "../../kernels.ts";

/** Outputs of each neuron of a family by its number: see `FAMILIES`. */
export function outputsOf(family: number): number {
  const names = Object.keys(FAMILIES) as (keyof typeof FAMILIES)[];
  const name = names.find((name) => FAMILIES[name] === family);
  if (!name) throw new Error(`Cannot observe: expected one of FAMILIES, found ${family}.`);
  return OUTPUTS[name];
}

/** Constants of `families.wgsl`. */
export function familyConstants(family: number) {
  return { FAMILY: family, OUTPUTS: outputsOf(family) };
}

/** Operations for the loss of a number, and for its expected value: some 20 for each function. */
export const FAMILY_FLOPS = { loss: 150, mean: 50 } as const;
