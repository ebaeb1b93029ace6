/** What the decoder's two sweeps have in common: how `shaders/decoding.wgsl` is specialised. */
import shared from "../../../../shaders/decoding.wgsl" with { type: "text" };
import type { Capabilities } from "../capabilities.ts";
import type { Library, Numbers, Variant } from "../kernel.ts";
import { dotIterations, fittingTile } from "./sweep.ts";

export const DECODING_USES: readonly Library[] = ["math", "random", "tile", "gru", "gaussian"];

/** A decoder's shader: the two are never in one pipeline, so each has its own copy of what they share. */
export const decodingSource = (kernel: string) => `${shared}\n${kernel}`;

/** Most parts of a sum: then adding them up takes as long as a part. */
const MOST_PARTS = 16;

/** Tiles by which the workgroup's memory grows, so that few pipelines serve many models. */
const TILES_STEP = 128;

/** Columns of the generator's recurrent weights, and its pre-activations. */
export function generatorColumns({ G, cell }: Numbers): { gates: number; width: number } {
  return cell === 1 ? { gates: 2 * G, width: 3 * G } : { gates: G, width: G };
}

/**
 * How a sweep is specialised.
 *
 * @param widest columns of its widest layer
 * @param behind tiles that it keeps behind the parts of sums
 */
export function decodingVariant(
  kernel: string,
  numbers: Numbers,
  { widest, behind }: { readonly widest: number; readonly behind: number },
  capabilities: Capabilities,
): Variant {
  const { E, G, U, cell, firstFactors, wStart_IG, genInput_TBW } = numbers;
  const workgroup = lanesFor(widest);
  const tiles = roundUp(workgroup + behind, TILES_STEP);
  // of the encoder's ends, or of at least one bin
  const masks = (tile: number) => roundUp(tile * Math.ceil(Math.max(G, 2 * E) / 8), workgroup);
  const bytes = (tile: number) => 4 * (tile * tiles + masks(tile));
  const tile = fittingTile(kernel, bytes, capabilities);
  return {
    workgroup,
    tile,
    constants: {
      DECODING_LANES: workgroup,
      DECODING_TILES: tiles,
      DECODING_MASKS: masks(tile),
      DECODING_PARTS: MOST_PARTS,
      DECODER_GRU: cell,
      DECODER_INPUTS: U > 0 ? 1 : 0,
      DECODER_START: wStart_IG ? 1 : 0,
      DECODER_EXTERNAL: genInput_TBW ? 1 : 0,
      DECODER_FIRST_FACTORS: firstFactors ? 1 : 0,
    },
    workgroupMemory: bytes(tile),
  };
}

const roundUp = (n: number, step: number) => Math.ceil(n / step) * step;

/** Invocations for layers of so many columns: in a large workgroup, few columns leave invocations to split sums. */
function lanesFor(widest: number): number {
  return widest <= 8 ? 32 : widest <= 32 ? 64 : 256;
}

/** Loop iterations of a layer in one invocation; `sums` are the lengths of a column's sums. */
export function layerIterations(width: number, sums: readonly number[], workgroup: number): number {
  // as `decoding_parts`, but that it may go by another of the sums: at worst there is one part
  const parts = Math.max(
    1,
    Math.min(MOST_PARTS, Math.floor(workgroup / width), Math.floor(Math.min(...sums) / 8)),
  );
  const passes = parts > 1 ? 1 : Math.ceil(width / workgroup);
  const dots = sums.reduce((total, n) => total + dotIterations(n, parts), 0);
  return passes * (1 + dots) + MOST_PARTS;
}

/** Loop iterations that draw and read a bin's dropout masks. */
export function maskIterations(columns: number, tile: number, workgroup: number): number {
  const rounds = 10;
  const drawn = Math.ceil(tile * Math.ceil(columns / 8) / workgroup);
  return drawn * (1 + rounds) + tile * Math.ceil(columns / workgroup);
}
