/** The L2 penalty of every parameter (docs/model.md, section 2). */
import type { Hyperparameters } from "./hyperparameters.ts";
import { type Architecture, parameterLayout } from "./layout.ts";

type Penalties = Pick<Hyperparameters, "l2" | "l2Generator" | "l2Controller" | "l2Encoder">;

/** Weights by which a cell's state acts on its next one. */
const RECURRENT = /^(\w+)\.(wGates|wCandidate|wRecurrent)/;

/**
 * What `reduce` reads as `l2_P`: `l2` for all parameters, and more for the recurrent weights of
 * generator, controller and encoders.
 */
export function l2Penalties(model: Architecture, h: Penalties): Float64Array {
  const layout = parameterLayout(model);
  const l2_P = new Float64Array(layout.length).fill(h.l2);
  const more: Readonly<Record<string, number>> = {
    generator: h.l2Generator,
    controller: h.l2Controller,
    encoder: h.l2Encoder,
    controllerEncoder: h.l2Encoder,
  };
  for (const { name, offset, length } of layout.slices) {
    const cell = RECURRENT.exec(name)?.[1];
    if (cell !== undefined) l2_P.fill(h.l2 + more[cell], offset, offset + length);
  }
  return l2_P;
}
