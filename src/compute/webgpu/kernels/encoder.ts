/** How `shaders/encoder.wgsl` and `shaders/encoder_backward.wgsl` are specialised and dispatched. */
import source from "../../../../shaders/encoder.wgsl" with { type: "text" };
import sourceBackward from "../../../../shaders/encoder_backward.wgsl" with { type: "text" };
import type { Capabilities } from "../capabilities.ts";
import type { Numbers, Shader, Variant } from "../kernel.ts";
import {
  counted,
  dotIterations,
  fittingTile,
  partsOf,
  sweepUnits,
  sweepWorkgroup,
} from "./sweep.ts";

/** Bytes of a number of one trial. */
const BYTES = 4;

/** Up to so many units (rounded up) a workgroup has room for both directions. */
const BOTH_UP_TO = 16;

function sweep(kernel: string, arrays: number) {
  return ({ E }: Numbers, capabilities: Capabilities): Variant => {
    const units = sweepUnits(E), workgroup = sweepWorkgroup(units);
    const directions = units <= BOTH_UP_TO ? 2 : 1;
    const gateParts = partsOf(2 * units, workgroup), candidateParts = partsOf(units, workgroup);
    const parts = candidateParts > 1 ? workgroup : 1;
    const bytes = (tile: number) => BYTES * tile * (arrays * directions * units + parts);
    const tile = fittingTile(kernel, bytes, capabilities);
    return {
      workgroup,
      tile,
      constants: {
        ENCODER_UNITS: units,
        ENCODER_DIRECTIONS: directions,
        ENCODER_GATE_PARTS: gateParts,
        ENCODER_CANDIDATE_PARTS: candidateParts,
        ENCODER_PARTS: parts,
      },
      workgroupMemory: bytes(tile),
    };
  };
}

const groups: Shader["groups"] = (_numbers, { B }, { tile }, _entries, how) => {
  const tiles = Math.ceil(B / tile);
  return how === "inTurn" ? tiles : 2 * tiles;
};

/** Passes of a workgroup over so many columns. */
const passes = (columns: number, parts: number, workgroup: number) =>
  Math.ceil(columns * parts / workgroup);

export const encoder: Shader = {
  source,
  uses: ["math", "random", "tile", "gru"],
  variant: sweep("encoder", 3),
  groups,
  range: ({ T, E }, _s, { workgroup, constants }) => {
    const gates = constants.ENCODER_GATE_PARTS, candidate = constants.ENCODER_CANDIDATE_PARTS;
    return {
      steps: T,
      iterations: 1 +
        counted(passes(2 * E, gates, workgroup), 1 + dotIterations(E, gates)) +
        counted(passes(E, candidate, workgroup), 1 + dotIterations(E, candidate)),
    };
  },
  // in: pre-activations; out: gates, r*h, states
  cost: ({ T, E }, { B }) => ({
    flops: 2 * T * B * (6 * E * E + 30 * E),
    bytes: 4 * (2 * 3 * E * E + 2 * B * (T * (3 + 3 + 1) + (T + 1)) * E + 2 * E),
  }),
};

export const encoder_backward: Shader = {
  source: sourceBackward,
  uses: ["math", "random", "tile", "gru"],
  variant: sweep("encoder_backward", 4),
  groups,
  range: ({ T, E }, _s, { workgroup, constants }) => {
    const parts = constants.ENCODER_CANDIDATE_PARTS, times = passes(E, parts, workgroup);
    return {
      steps: T,
      iterations: 1 + counted(times) +
        counted(times, 1 + dotIterations(E, parts)) +
        counted(times, 1 + dotIterations(2 * E, parts)),
    };
  },
  // in: gates, states, gradients at the ends; out: gradients of the gates and of h0
  cost: ({ T, E }, { B }) => ({
    flops: 2 * T * B * (6 * E * E + 20 * E),
    bytes: 4 * (2 * 3 * E * E + 2 * B * (T * (3 + 3 + 1) + 2) * E),
  }),
};
