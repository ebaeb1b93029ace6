// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
/** The encoder's sweeps for a few units: four trials at a time, one lane each. */
import { EncoderArgs, EncoderBackwardArgs } from "./encoder";
import { scratch } from "./scratch";
import { gather, gruLanes, gruLanesBackward, Lanes, scatter, setLanes, SMALL } from "./small_cells";

/** Working memory for one group of four trials. */
@unmanaged
export class SmallScratch {
  state: usize;
  work: usize;
  gates: Lanes;
  single: Lanes;
  pair: Lanes;
}

export function smallScratch(): SmallScratch {
  const memory_ = changetype<SmallScratch>(scratch(offsetof<SmallScratch>()));
  memory_.state = scratch(<usize> SMALL << 4);
  memory_.work = scratch(<usize> (3 * SMALL) << 4);
  memory_.gates = changetype<Lanes>(scratch(offsetof<Lanes>()));
  memory_.single = changetype<Lanes>(scratch(offsetof<Lanes>()));
  memory_.pair = changetype<Lanes>(scratch(offsetof<Lanes>()));
  return memory_;
}

/** All bins of trials `b … b + rows - 1` (at most 4) in one direction. */
export function smallEncoder(
  args: EncoderArgs,
  B: i32,
  direction: i32,
  b: i32,
  rows: i32,
  memory_: SmallScratch,
): void {
  const T = args.T, E = args.E;
  const states = direction ? args.backward_HBE : args.forward_HBE;
  const square = <usize> (direction * E * E) << 2;
  const wGates = args.wGates_DE2E + 2 * square, wCandidate = args.wCandidate_DEE + square;
  const gatesLanes = memory_.gates, stateLanes = memory_.single, resetLanes = memory_.pair;
  setLanes(gatesLanes, rows, 6 * E);
  setLanes(stateLanes, rows, E);
  setLanes(resetLanes, rows, 2 * E);
  const h = memory_.state, work = memory_.work;
  const start = states + (<usize> (((direction ? T : 0) * B + b) * E) << 2);
  for (let e = 0; e < E; e++) {
    const value = v128.load32_splat(args.h0_DE + (<usize> (direction * E + e) << 2));
    v128.store(h + (<usize> e << 4), value);
    scatter(start + (<usize> e << 2), value, stateLanes);
  }
  for (let i = 0; i < T; i++) {
    const t = direction ? T - 1 - i : i;
    const after = direction ? t : t + 1;
    const row = (t * B + b) * 2 + direction;
    gruLanes(
      E,
      wGates,
      wCandidate,
      h,
      work,
      args.gates_TBD3E + (<usize> (row * 3 * E) << 2),
      gatesLanes,
      args.reset_TBDE + (<usize> (row * E) << 2),
      resetLanes,
      states + (<usize> ((after * B + b) * E) << 2),
      stateLanes,
    );
  }
}

/** Back through all bins of trials `b … b + rows - 1` (at most 4) in one direction. */
export function smallEncoderBackward(
  args: EncoderBackwardArgs,
  B: i32,
  direction: i32,
  b: i32,
  rows: i32,
  memory_: SmallScratch,
): void {
  const T = args.T, E = args.E;
  const states = direction ? args.backward_HBE : args.forward_HBE;
  const square = <usize> (direction * E * E) << 2;
  const wGates = args.wGates_DE2E + 2 * square, wCandidate = args.wCandidate_DEE + square;
  const gatesLanes = memory_.gates, stateLanes = memory_.single, pairLanes = memory_.pair;
  setLanes(gatesLanes, rows, 6 * E);
  setLanes(stateLanes, rows, E);
  setLanes(pairLanes, rows, 2 * E);
  const dState = memory_.state, work = memory_.work;
  // ends = [backward at t = 0 ; forward at t = T-1]
  const ends = args.dEnds_B2E + (<usize> ((b * 2 + 1 - direction) * E) << 2);
  for (let e = 0; e < E; e++) {
    v128.store(dState + (<usize> e << 4), gather(ends + (<usize> e << 2), pairLanes));
  }
  for (let i = 0; i < T; i++) {
    const t = direction ? i : T - 1 - i;
    const before = direction ? t + 1 : t;
    const row = (t * B + b) * 2 + direction;
    if (args.dEnc_TB2E) {
      const dEnc = args.dEnc_TB2E + (<usize> (row * E) << 2);
      for (let e = 0; e < E; e++) {
        const at = dState + (<usize> e << 4);
        v128.store(at, f32x4.add(v128.load(at), gather(dEnc + (<usize> e << 2), pairLanes)));
      }
    }
    gruLanesBackward(
      E,
      wGates,
      wCandidate,
      states + (<usize> ((before * B + b) * E) << 2),
      stateLanes,
      args.gates_TBD3E + (<usize> (row * 3 * E) << 2),
      gatesLanes,
      dState,
      work,
    );
  }
  const start = args.dStart_BDE + (<usize> ((b * 2 + direction) * E) << 2);
  for (let e = 0; e < E; e++) {
    scatter(start + (<usize> e << 2), v128.load(dState + (<usize> e << 4)), pairLanes);
  }
}
