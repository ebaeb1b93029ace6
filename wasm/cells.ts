/**
 * The GRU and the vanilla cell, forward beside backward, on a block of rows (docs/model.md, section 1).
 *
 *     r = sigmoid(pre_r + h W_r)      u = sigmoid(pre_u + h W_u + 0.5)
 *     c = tanh(pre_c + (r*h) W_c)     h' = u*h + (1-u)*c
 *
 * Strides are in floats. Weights come packed (gemm.ts).
 */
import { gemm } from "./gemm";
import { madd4, sigmoid4, storeLanes, tanh4 } from "./math";

/** The gate bias that the GRU adds to its update gate; `UPDATE_BIAS` of kernels.ts. */
export const UPDATE_BIAS: f32 = 0.5;

export const TANH: i32 = 0;
export const RELU: i32 = 1;

/** Writes a whole vector, or the first `room` lanes at the end of a row. */
@inline
export function put(address: usize, value: v128, room: i32): void {
  if (room >= 4) v128.store(address, value);
  else storeLanes(address, value, room);
}

/** `gates` holds pre-activations and gets r, u, c; `reset` gets r*h; `next` gets h'. */
export function gruRows(
  rows: i32, n: i32, wGates: usize, wCandidate: usize, h: usize, hStride: i32,
  gates: usize, gatesStride: i32, reset: usize, resetStride: i32, next: usize, nextStride: i32,
): void {
  const candidate = gates + (<usize>n << 3);
  gemm(rows, 2 * n, n, h, hStride, wGates, gates, gatesStride, gates, gatesStride);
  let hRow = h, gatesRow = gates, resetRow = reset;
  for (let i = 0; i < rows; i++) {
    openGates(n, hRow, gatesRow, resetRow);
    hRow += <usize>hStride << 2;
    gatesRow += <usize>gatesStride << 2;
    resetRow += <usize>resetStride << 2;
  }
  gemm(rows, n, n, reset, resetStride, wCandidate, candidate, gatesStride, candidate, gatesStride);
  for (let i = 0; i < rows; i++) {
    mix(n, h, gates, next);
    h += <usize>hStride << 2;
    gates += <usize>gatesStride << 2;
    next += <usize>nextStride << 2;
  }
}

/** r and u from their pre-activations, and r*h. */
@inline
function openGates(n: i32, h: usize, gates: usize, reset: usize): void {
  const u = gates + (<usize>n << 2);
  for (let i = 0; i < n; i += 4) {
    const at = <usize>i << 2;
    const r4 = sigmoid4(v128.load(gates + at));
    put(reset + at, f32x4.mul(r4, v128.load(h + at)), n - i);
    put(gates + at, r4, n - i);
  }
  for (let i = 0; i < n; i += 4) {
    const at = u + (<usize>i << 2);
    put(at, sigmoid4(f32x4.add(v128.load(at), f32x4.splat(UPDATE_BIAS))), n - i);
  }
}

/** c from its pre-activation, and h'. */
@inline
function mix(n: i32, h: usize, gates: usize, next: usize): void {
  const u = gates + (<usize>n << 2), c = gates + (<usize>n << 3);
  for (let i = 0; i < n; i += 4) {
    const at = <usize>i << 2;
    const c4 = tanh4(v128.load(c + at));
    put(c + at, c4, n - i);
    put(next + at, mixed(v128.load(u + at), v128.load(h + at), c4), n - i);
  }
}

/** u h + (1 - u) c */
@inline
export function mixed(u: v128, h: v128, c: v128): v128 {
  return madd4(u, h, f32x4.mul(f32x4.sub(f32x4.splat(1), u), c));
}

/**
 * `dState` [rows][n] holds the gradient at h' and gets the gradient at h; `gates` holds r, u, c and
 * gets the gradients of the three pre-activations. `dReset` [rows][n] is working memory. The weights
 * come packed transposed.
 */
export function gruRowsBackward(
  rows: i32, n: i32, wGatesT: usize, wCandidateT: usize, h: usize, hStride: i32,
  gates: usize, gatesStride: i32, dState: usize, dReset: usize,
): void {
  const step = <usize>n << 2;
  let hRow = h, gatesRow = gates, dRow = dState;
  for (let i = 0; i < rows; i++) {
    mixBackward(n, hRow, gatesRow, dRow);
    hRow += <usize>hStride << 2;
    gatesRow += <usize>gatesStride << 2;
    dRow += step;
  }
  gemm(rows, n, n, gates + 2 * step, gatesStride, wCandidateT, dReset, n, 0, 0);
  hRow = h;
  gatesRow = gates;
  dRow = dState;
  for (let i = 0; i < rows; i++) {
    resetBackward(n, hRow, gatesRow, dRow, dReset);
    hRow += <usize>hStride << 2;
    gatesRow += <usize>gatesStride << 2;
    dRow += step;
    dReset += step;
  }
  gemm(rows, n, 2 * n, gates, gatesStride, wGatesT, dState, n, dState, n);
}

/** Pre-activation gradients of u and c; the part of the gradient at h that passes u. */
@inline
function mixBackward(n: i32, h: usize, gates: usize, dState: usize): void {
  const u = gates + (<usize>n << 2), c = gates + (<usize>n << 3), one = f32x4.splat(1);
  for (let i = 0; i < n; i += 4) {
    const at = <usize>i << 2;
    const u4 = v128.load(u + at), c4 = v128.load(c + at), d = v128.load(dState + at);
    const closed = f32x4.sub(one, u4);
    const du = f32x4.mul(f32x4.mul(f32x4.mul(d, f32x4.sub(v128.load(h + at), c4)), u4), closed);
    const dc = f32x4.mul(f32x4.mul(d, closed), f32x4.sub(one, f32x4.mul(c4, c4)));
    put(u + at, du, n - i);
    put(c + at, dc, n - i);
    put(dState + at, f32x4.mul(d, u4), n - i);
  }
}

/** Pre-activation gradient of r; the part of the gradient at h that passes r*h. */
@inline
function resetBackward(n: i32, h: usize, gates: usize, dState: usize, dReset: usize): void {
  for (let i = 0; i < n; i += 4) {
    const at = <usize>i << 2;
    const r = v128.load(gates + at), d = v128.load(dReset + at);
    const slope = f32x4.mul(r, f32x4.sub(f32x4.splat(1), r));
    put(gates + at, f32x4.mul(f32x4.mul(d, v128.load(h + at)), slope), n - i);
    put(dState + at, madd4(d, r, v128.load(dState + at)), n - i);
  }
}


/** σ in place on `count` numbers. */
export function activateAll(address: usize, count: i32, nonlinearity: i32): void {
  if (nonlinearity > RELU) return;
  for (; count > 0; count -= 4, address += 16) {
    put(address, activate(v128.load(address), nonlinearity), count);
  }
}

@inline
export function activate(x: v128, nonlinearity: i32): v128 {
  if (nonlinearity == TANH) return tanh4(x);
  if (nonlinearity == RELU) return f32x4.pmax(x, f32x4.splat(0));
  return x;
}

/** σ' from σ's own value. */
@inline
export function slope(y: v128, nonlinearity: i32): v128 {
  const one = f32x4.splat(1);
  if (nonlinearity == TANH) return f32x4.sub(one, f32x4.mul(y, y));
  if (nonlinearity == RELU) return v128.and(f32x4.gt(y, f32x4.splat(0)), one);
  return one;
}

/**
 * `gates` holds σ and gets the gradient of the pre-activation; `dState`: at h' in, at h out. The
 * weights come packed transposed.
 */
export function vanillaRowsBackward(
  rows: i32, n: i32, nonlinearity: i32, wT: usize, gates: usize, dState: usize,
): void {
  let gate = gates, d = dState;
  for (let count = rows * n; count > 0; count -= 4, gate += 16, d += 16) {
    put(gate, f32x4.mul(v128.load(d), slope(v128.load(gate), nonlinearity)), count);
  }
  gemm(rows, n, n, gates, n, wT, dState, n, 0, 0);
}
