// deno-fmt-ignore-file: the formatter would drop AssemblyScript's decorators on functions
/**
 * The cells of cells.ts for a few units: four rows share a vector, one lane each, where matrix tiles
 * would be mostly padding. A lane's arithmetic does not depend on its neighbours, and a lane without a
 * row repeats the last one and writes the same numbers again.
 */
import { activate, mixed, slope, UPDATE_BIAS } from "./cells";
import { madd4, sigmoid4, tanh4 } from "./math";

/** Up to this many units. */
export const SMALL: i32 = 4;

/** Where four rows stand, `stride` floats apart, of which `rows` exist: bytes from the first. */
@unmanaged
export class Lanes {
  second: usize;
  third: usize;
  fourth: usize;
}

export function setLanes(lanes: Lanes, rows: i32, stride: i32): void {
  const bytes = <usize>stride << 2;
  lanes.second = <usize>min(1, rows - 1) * bytes;
  lanes.third = <usize>min(2, rows - 1) * bytes;
  lanes.fourth = <usize>min(3, rows - 1) * bytes;
}

/** One column of four rows. */
@inline
export function gather(address: usize, lanes: Lanes): v128 {
  let x = v128.load32_zero(address);
  x = v128.load32_lane(address + lanes.second, x, 1);
  x = v128.load32_lane(address + lanes.third, x, 2);
  return v128.load32_lane(address + lanes.fourth, x, 3);
}

@inline
export function scatter(address: usize, value: v128, lanes: Lanes): void {
  v128.store32_lane(address, value, 0);
  v128.store32_lane(address + lanes.second, value, 1);
  v128.store32_lane(address + lanes.third, value, 2);
  v128.store32_lane(address + lanes.fourth, value, 3);
}

@inline
function at(vectors: usize, i: i32): usize {
  return vectors + (<usize>i << 4);
}

/** init + Σ_k x[k] · w[k], with `w` a column: `step` bytes from one k to the next. */
@inline
export function dot(n: i32, x: usize, w: usize, step: usize, init: v128): v128 {
  let sum = init;
  for (let k = 0; k < n; k++, w += step) {
    sum = madd4(v128.load(at(x, k)), v128.load32_splat(w), sum);
  }
  return sum;
}

/**
 * One GRU step. `h` holds the state as n vectors and gets the next one; `work` has room for 3 n
 * vectors. `gates`, `reset` and `next` are the four rows' places in the arrays.
 */
@inline
export function gruLanes(
  n: i32, wGates: usize, wCandidate: usize, h: usize, work: usize,
  gates: usize, gatesLanes: Lanes, reset: usize, resetLanes: Lanes, next: usize, nextLanes: Lanes,
): void {
  const wide = <usize>n << 3, narrow = <usize>n << 2;
  const update = at(work, n), resetState = at(work, 2 * n);
  for (let j = 0; j < n; j++) {
    const column = <usize>j << 2;
    const pre = gather(gates + column, gatesLanes);
    const r = sigmoid4(dot(n, h, wGates + column, wide, pre));
    scatter(gates + column, r, gatesLanes);
    const rh = f32x4.mul(r, v128.load(at(h, j)));
    v128.store(at(resetState, j), rh);
    scatter(reset + column, rh, resetLanes);
  }
  for (let j = 0; j < n; j++) {
    const column = narrow + (<usize>j << 2);
    const pre = f32x4.add(gather(gates + column, gatesLanes), f32x4.splat(UPDATE_BIAS));
    const u = sigmoid4(dot(n, h, wGates + column, wide, pre));
    scatter(gates + column, u, gatesLanes);
    v128.store(at(update, j), u);
  }
  for (let j = 0; j < n; j++) {
    const column = <usize>j << 2, gate = gates + wide + column;
    const pre = gather(gate, gatesLanes);
    const c = tanh4(dot(n, resetState, wCandidate + column, narrow, pre));
    scatter(gate, c, gatesLanes);
    const value = mixed(v128.load(at(update, j)), v128.load(at(h, j)), c);
    v128.store(at(h, j), value);
    scatter(next + column, value, nextLanes);
  }
}

/**
 * One GRU step back. `dState` holds the gradient at h' as n vectors and gets that at h; `work` has
 * room for 3 n vectors.
 */
@inline
export function gruLanesBackward(
  n: i32, wGates: usize, wCandidate: usize, h: usize, hLanes: Lanes,
  gates: usize, gatesLanes: Lanes, dState: usize, work: usize,
): void {
  const wide = <usize>n << 3, narrow = <usize>n << 2, one = f32x4.splat(1);
  const dUpdate = at(work, n), dCandidate = at(work, 2 * n);
  for (let j = 0; j < n; j++) {
    const column = <usize>j << 2;
    const d = v128.load(at(dState, j));
    const u = gather(gates + narrow + column, gatesLanes);
    const c = gather(gates + wide + column, gatesLanes);
    const closed = f32x4.sub(one, u);
    const past = f32x4.sub(gather(h + column, hLanes), c);
    const du = f32x4.mul(f32x4.mul(f32x4.mul(d, past), u), closed);
    const dc = f32x4.mul(f32x4.mul(d, closed), f32x4.sub(one, f32x4.mul(c, c)));
    scatter(gates + narrow + column, du, gatesLanes);
    scatter(gates + wide + column, dc, gatesLanes);
    v128.store(at(dUpdate, j), du);
    v128.store(at(dCandidate, j), dc);
    v128.store(at(dState, j), f32x4.mul(d, u));
  }
  for (let j = 0; j < n; j++) {
    const column = <usize>j << 2;
    const dReset = dot(n, dCandidate, wCandidate + <usize>j * narrow, 4, f32x4.splat(0));
    const r = gather(gates + column, gatesLanes);
    const slope = f32x4.mul(r, f32x4.sub(one, r));
    const dr = f32x4.mul(f32x4.mul(dReset, gather(h + column, hLanes)), slope);
    scatter(gates + column, dr, gatesLanes);
    v128.store(at(work, j), dr);
    v128.store(at(dState, j), madd4(dReset, r, v128.load(at(dState, j))));
  }
  for (let j = 0; j < n; j++) {
    const d = v128.load(at(dState, j));
    v128.store(at(dState, j), dot(2 * n, work, wGates + <usize>j * wide, 4, d));
  }
}

/** One vanilla step: `h` gets the next state, `gates` (pre-activations in) gets it too. */
@inline
export function vanillaLanes(
  n: i32, nonlinearity: i32, w: usize, h: usize, work: usize, gates: usize, gatesLanes: Lanes,
  pre: usize,
): void {
  const narrow = <usize>n << 2;
  for (let j = 0; j < n; j++) {
    const column = <usize>j << 2;
    const sum = dot(n, h, w + column, narrow, v128.load32_splat(pre + column));
    const value = activate(sum, nonlinearity);
    scatter(gates + column, value, gatesLanes);
    v128.store(at(work, j), value);
  }
  for (let j = 0; j < n; j++) v128.store(at(h, j), v128.load(at(work, j)));
}

/** One vanilla step back: `dState` at h' in, at h out; `gates` gets the pre-activation's gradient. */
@inline
export function vanillaLanesBackward(
  n: i32, nonlinearity: i32, w: usize, gates: usize, gatesLanes: Lanes, dState: usize, work: usize,
): void {
  const narrow = <usize>n << 2;
  for (let j = 0; j < n; j++) {
    const column = <usize>j << 2;
    const y = gather(gates + column, gatesLanes);
    const d = f32x4.mul(v128.load(at(dState, j)), slope(y, nonlinearity));
    scatter(gates + column, d, gatesLanes);
    v128.store(at(work, j), d);
  }
  for (let j = 0; j < n; j++) {
    v128.store(at(dState, j), dot(n, work, w + <usize>j * narrow, 4, f32x4.splat(0)));
  }
}
