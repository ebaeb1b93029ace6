// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
/** Adds a part of a batch to the sums of its gradient and losses; the norm is that of the sum. */
import { barrier } from "./gang";
import { firstLanes, storeLanes } from "./math";
import { addSquares, BLOCK, GRAD_NORM, joinNorms, sumLanes } from "./reduce";
import { Scalars } from "./scalars";

@unmanaged
export class AccumulateArgs {
  grads_P: usize;
  sum_P: usize;
  losses: usize;
  sums: usize;
  partials: usize;
  P: i32;
}

export function accumulate(args: AccumulateArgs, s: Scalars, thread: i32, threads: i32): void {
  const blocks = (args.P + BLOCK - 1) / BLOCK;
  for (let block = thread; block < blocks; block += threads) accumulateBlock(args, s, block);
  barrier();
  if (thread != 0) return;
  for (let at: usize = 0; at < GRAD_NORM; at += 4) {
    const before: f32 = s.accumulated ? load<f32>(args.sums + at) : 0;
    store<f32>(args.sums + at, before + s.share * load<f32>(args.losses + at));
  }
  store<f32>(args.sums + GRAD_NORM, <f32> joinNorms(args.partials, blocks));
}

/** The sums of one block, and its norm in `partials`, as in `reduce`. */
function accumulateBlock(args: AccumulateArgs, s: Scalars, block: i32): void {
  const first = block * BLOCK, end = min(first + BLOCK, args.P);
  const share = f32x4.splat(s.share), accumulated = s.accumulated;
  let squares = f64x2.splat(0);
  for (let i = first; i < end; i += 4) {
    const at = <usize> i << 2, room = end - i;
    let sum = f32x4.mul(share, v128.load(args.grads_P + at));
    // the first part is written over whatever stood there
    if (accumulated) sum = f32x4.add(v128.load(args.sum_P + at), sum);
    if (room >= 4) {
      v128.store(args.sum_P + at, sum);
    } else {
      sum = v128.and(sum, firstLanes(room));
      storeLanes(args.sum_P + at, sum, room);
    }
    squares = addSquares(squares, sum);
  }
  store<f32>(args.partials + (<usize> block << 3), <f32> sqrt(sumLanes(squares)));
}
