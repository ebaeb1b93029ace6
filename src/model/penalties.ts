/** The L2 penalty of every parameter (docs/model.md, section 2). */
import type { Hyperparameters } from "./hyperparameters.ts";
import { type Architecture, parameterLayout } from "./layout.ts";

type Penalties = Pick<
  Hyperparameters,
  "l2" | "l2Generator" | "l2Controller" | "l2Encoder" | "l2Readout" | "l2EncoderInput"
>;

/** Weights by which a cell's state acts on its next one. */
const RECURRENT = /^(\w+)\.(wGates|wCandidate|wRecurrent)/;

/** Weights from factors to neurons, and from neurons to the encoders. */
const READOUT = /^readout\.w_/, ENCODER_INPUT = /^(encoder|controllerEncoder)\.wInput_/;

/**
 * What `reduce` reads as `l2_P`: `l2` for all parameters, and more for the recurrent weights of
 * generator, controller and encoders, for the readout's weights and for those on the encoders' spikes.
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
    const neurons = READOUT.test(name)
      ? h.l2Readout
      : ENCODER_INPUT.test(name)
      ? h.l2EncoderInput
      : 0;
    if (neurons > 0) l2_P.fill(h.l2 + neurons, offset, offset + length);
  }
  return l2_P;
}
