// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
/** The autonomous decoder's sweeps for a few generator units: four rows at a time, one lane each. */
import { DecoderArgs, floats } from "./decoder";
import { DecoderBackwardArgs } from "./decoder_backward";
import { keepBin } from "./dropout";
import { KEEP_GEN } from "./random";
import { Scalars } from "./scalars";
import { scratch } from "./scratch";
import {
  dot,
  gather,
  gruLanes,
  gruLanesBackward,
  Lanes,
  scatter,
  setLanes,
  SMALL,
  vanillaLanes,
  vanillaLanesBackward,
} from "./small_cells";

/** Working memory for one group of four rows. */
@unmanaged
export class SmallDecoderScratch {
  state: usize;
  work: usize;
  factors: usize;
  keep: usize;
  stateLanes: Lanes;
  gatesLanes: Lanes;
  factorLanes: Lanes;
}

export function smallDecoderScratch(F: i32): SmallDecoderScratch {
  const memory_ = changetype<SmallDecoderScratch>(scratch(offsetof<SmallDecoderScratch>()));
  memory_.state = scratch(<usize> SMALL << 4);
  memory_.work = scratch(<usize> (3 * SMALL) << 4);
  memory_.factors = scratch(<usize> F << 4);
  memory_.keep = scratch(<usize> SMALL << 4);
  memory_.stateLanes = changetype<Lanes>(scratch(offsetof<Lanes>()));
  memory_.gatesLanes = changetype<Lanes>(scratch(offsetof<Lanes>()));
  memory_.factorLanes = changetype<Lanes>(scratch(offsetof<Lanes>()));
  return memory_;
}

/** All bins of rows `r … r + rows - 1` (at most 4). */
export function smallDecoder(
  args: DecoderArgs,
  s: Scalars,
  r: i32,
  rows: i32,
  memory_: SmallDecoderScratch,
): void {
  const T = args.T, G = args.G, F = args.F, R = s.B * s.S;
  const width = args.cell ? 3 * G : G, narrow = <usize> F << 2;
  const stateLanes = memory_.stateLanes, factorLanes = memory_.factorLanes;
  const gatesLanes = memory_.gatesLanes;
  setLanes(stateLanes, rows, G);
  setLanes(gatesLanes, rows, width);
  setLanes(factorLanes, rows, F);
  const h = memory_.state, work = memory_.work;
  const g0 = floats(args.gen_HRG, r * G);
  for (let g = 0; g < G; g++) v128.store(h + (<usize> g << 4), gather(floats(g0, g), stateLanes));
  memory.fill(floats(args.factors_HRF, r * F), 0, <usize> (rows * F) << 2);
  for (let t = 0; t < T; t++) {
    const row = t * R + r;
    const gates = floats(args.genGates, row * width);
    const next = floats(args.gen_HRG, (row + R) * G);
    if (args.cell) {
      for (let i = 0; i < rows; i++) {
        memory.copy(floats(gates, i * width), args.bGen, <usize> width << 2);
      }
      gruLanes(
        G,
        args.wGenRecurrent,
        args.wGenCandidate_GG,
        h,
        work,
        gates,
        gatesLanes,
        floats(args.genReset_TRG, row * G),
        stateLanes,
        next,
        stateLanes,
      );
    } else {
      vanillaLanes(
        G,
        args.nonlinearity,
        args.wGenRecurrent,
        h,
        work,
        gates,
        gatesLanes,
        args.bGen,
      );
    }
    if (args.dropoutGen) {
      const masks = args.keepGen_RTG;
      keepBin(memory_.keep, rows, G, args.keepRateGen, masks, KEEP_GEN, r, t, T, s);
    }
    for (let g = 0; g < G; g++) {
      const at = h + (<usize> g << 4);
      let state = v128.load(at);
      if (args.dropoutGen) {
        state = f32x4.mul(state, gather(floats(memory_.keep, g), stateLanes));
        v128.store(at, state);
      }
      scatter(floats(next, g), state, stateLanes);
    }
    const factors = floats(args.factors_HRF, (row + R) * F);
    for (let f = 0; f < F; f++) {
      const value = dot(G, h, floats(args.factorsHat_GF, f), narrow, f32x4.splat(0));
      scatter(floats(factors, f), value, factorLanes);
    }
  }
}

/**
 * Back through all bins of rows `r … r + rows - 1` (at most 4). The gradient at g0 goes to
 * `dStates` [rows][G].
 */
export function smallDecoderBackward(
  args: DecoderBackwardArgs,
  s: Scalars,
  r: i32,
  rows: i32,
  dStates: usize,
  memory_: SmallDecoderScratch,
): void {
  const T = args.T, G = args.G, F = args.F, B = s.B;
  const width = args.cell ? 3 * G : G, narrow = <usize> F << 2;
  const stateLanes = memory_.stateLanes, factorLanes = memory_.factorLanes;
  const gatesLanes = memory_.gatesLanes;
  setLanes(stateLanes, rows, G);
  setLanes(gatesLanes, rows, width);
  setLanes(factorLanes, rows, F);
  const dState = memory_.state, work = memory_.work, dFactors = memory_.factors;
  for (let g = 0; g < G; g++) v128.store(dState + (<usize> g << 4), f32x4.splat(0));
  for (let t = T - 1; t >= 0; t--) {
    const row = t * B + r;
    const source = floats(args.dFactors_TRF, row * F);
    for (let f = 0; f < F; f++) {
      v128.store(dFactors + (<usize> f << 4), gather(floats(source, f), factorLanes));
    }
    if (args.dropoutGen) {
      const masks = args.keepGen_RTG;
      keepBin(memory_.keep, rows, G, args.keepRateGen, masks, KEEP_GEN, r, t, T, s);
    }
    for (let g = 0; g < G; g++) {
      const at = dState + (<usize> g << 4);
      let d = dot(F, dFactors, args.factorsHat_GF + <usize> g * narrow, 4, v128.load(at));
      if (args.dropoutGen) d = f32x4.mul(d, gather(floats(memory_.keep, g), stateLanes));
      v128.store(at, d);
    }
    const gates = floats(args.genGates, row * width);
    if (args.cell) {
      gruLanesBackward(
        G,
        args.wGenRecurrent,
        args.wGenCandidate_GG,
        floats(args.gen_HRG, row * G),
        stateLanes,
        gates,
        gatesLanes,
        dState,
        work,
      );
    } else {
      vanillaLanesBackward(
        G,
        args.nonlinearity,
        args.wGenRecurrent,
        gates,
        gatesLanes,
        dState,
        work,
      );
    }
  }
  for (let g = 0; g < G; g++) {
    scatter(floats(dStates, g), v128.load(dState + (<usize> g << 4)), stateLanes);
  }
}
