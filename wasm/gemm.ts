/**
 * C[M×N] = init + A[M×K] · B[K×N] in float32, B packed into panels of 8 columns.
 *
 * Every element is one chain of multiply-adds over k = 0, 1, …, K-1 that starts from `init`. So its
 * bits depend on its own row and column alone: not on M, on the row's place in a tile, or on threads.
 *
 * A tile is 6 rows × 8 columns: 12 accumulators, 2 vectors of B and 1 of A fill the 15 registers that
 * V8 hands out. (4 × 12 needs 16 and spills: half the speed.) Loops are
 * unrolled because V8 loads a shared memory's size, for its bounds checks, once per turn; the order of
 * the statements is the order of the machine's, so the build must not reorder them (-O2, not -O3).
 */
import { madd4, storeLanes } from "./math";
import { scratch } from "./scratch";

/** Columns of a panel. */
export const PANEL: i32 = 8;

/** Bytes of a packed B[K×N]. */
@inline
function packedBytes(K: i32, N: i32): usize {
  return <usize>K * <usize>((N + PANEL - 1) / PANEL) << 5;
}

/** Packs B, stored [K][N] with `stride` floats between rows, into scratch: panels [K][8], padded with 0. */
export function pack(B: usize, K: i32, N: i32, stride: i32): usize {
  const packed = scratch(packedBytes(K, N));
  let dest = packed;
  for (let n = 0; n < N; n += PANEL) {
    const whole = N - n >= PANEL;
    for (let k = 0; k < K; k++, dest += 32) {
      const source = B + (<usize>(k * stride + n) << 2);
      if (whole) {
        v128.store(dest, v128.load(source));
        v128.store(dest, v128.load(source, 16), 16);
      } else {
        for (let j = 0; j < PANEL; j++) {
          store<f32>(dest + (<usize>j << 2), n + j < N ? load<f32>(source + (<usize>j << 2)) : 0);
        }
      }
    }
  }
  return packed;
}

/** Packs Bᵀ, stored [N][K] with `stride` floats between rows, as `pack` packs B. */
export function packTransposed(Bt: usize, K: i32, N: i32, stride: i32): usize {
  const packed = scratch(packedBytes(K, N));
  let dest = packed;
  for (let n = 0; n < N; n += PANEL, dest += <usize>K << 5) {
    for (let j = 0; j < PANEL; j++) {
      const source = Bt + (<usize>((n + j) * stride) << 2);
      const column = dest + (<usize>j << 2);
      for (let k = 0; k < K; k++) {
        store<f32>(column + (<usize>k << 5), n + j < N ? load<f32>(source + (<usize>k << 2)) : 0);
      }
    }
  }
  return packed;
}

/** Writes the first `columns` (1 … 8) of eight numbers. */
@inline
function put(address: usize, low: v128, high: v128, columns: i32): void {
  if (columns >= 8) {
    v128.store(address, low);
    v128.store(address, high, 16);
  } else if (columns > 4) {
    v128.store(address, low);
    storeLanes(address + 16, high, columns - 4);
  } else if (columns == 4) {
    v128.store(address, low);
  } else {
    storeLanes(address, low, columns);
  }
}

/**
 * Up to 6 rows. A row that is not there repeats the last one, and writes the same numbers again. An
 * `init` of 0 stands for zeros; it may be C itself.
 */
function tile6(
  rows: i32, K: i32, A: usize, lda: usize, panel: usize, C: usize, ldc: usize,
  init: usize, ldi: usize, columns: i32,
): void {
  const r1: usize = min(1, rows - 1), r2: usize = min(2, rows - 1), r3: usize = min(3, rows - 1);
  const r4: usize = min(4, rows - 1), r5: usize = min(5, rows - 1);
  let a0 = A, a1 = A + r1 * lda, a2 = A + r2 * lda, a3 = A + r3 * lda, a4 = A + r4 * lda;
  let a5 = A + r5 * lda;
  let c00 = f32x4.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00;
  let c30 = c00, c31 = c00, c40 = c00, c41 = c00, c50 = c00, c51 = c00;
  if (init) {
    c00 = v128.load(init);
    c01 = v128.load(init, 16);
    c10 = v128.load(init + r1 * ldi);
    c11 = v128.load(init + r1 * ldi, 16);
    c20 = v128.load(init + r2 * ldi);
    c21 = v128.load(init + r2 * ldi, 16);
    c30 = v128.load(init + r3 * ldi);
    c31 = v128.load(init + r3 * ldi, 16);
    c40 = v128.load(init + r4 * ldi);
    c41 = v128.load(init + r4 * ldi, 16);
    c50 = v128.load(init + r5 * ldi);
    c51 = v128.load(init + r5 * ldi, 16);
  }
  let b0: v128, b1: v128, x: v128;
  for (let k = K >> 1; k > 0; k--) {
    b0 = v128.load(panel);
    b1 = v128.load(panel, 16);
    x = v128.load32_splat(a0);
    c00 = madd4(x, b0, c00);
    c01 = madd4(x, b1, c01);
    x = v128.load32_splat(a1);
    c10 = madd4(x, b0, c10);
    c11 = madd4(x, b1, c11);
    x = v128.load32_splat(a2);
    c20 = madd4(x, b0, c20);
    c21 = madd4(x, b1, c21);
    x = v128.load32_splat(a3);
    c30 = madd4(x, b0, c30);
    c31 = madd4(x, b1, c31);
    x = v128.load32_splat(a4);
    c40 = madd4(x, b0, c40);
    c41 = madd4(x, b1, c41);
    x = v128.load32_splat(a5);
    c50 = madd4(x, b0, c50);
    c51 = madd4(x, b1, c51);
    b0 = v128.load(panel, 32);
    b1 = v128.load(panel, 48);
    x = v128.load32_splat(a0, 4);
    c00 = madd4(x, b0, c00);
    c01 = madd4(x, b1, c01);
    x = v128.load32_splat(a1, 4);
    c10 = madd4(x, b0, c10);
    c11 = madd4(x, b1, c11);
    x = v128.load32_splat(a2, 4);
    c20 = madd4(x, b0, c20);
    c21 = madd4(x, b1, c21);
    x = v128.load32_splat(a3, 4);
    c30 = madd4(x, b0, c30);
    c31 = madd4(x, b1, c31);
    x = v128.load32_splat(a4, 4);
    c40 = madd4(x, b0, c40);
    c41 = madd4(x, b1, c41);
    x = v128.load32_splat(a5, 4);
    c50 = madd4(x, b0, c50);
    c51 = madd4(x, b1, c51);
    panel += 64;
    a0 += 8;
    a1 += 8;
    a2 += 8;
    a3 += 8;
    a4 += 8;
    a5 += 8;
  }
  if (K & 1) {
    b0 = v128.load(panel);
    b1 = v128.load(panel, 16);
    x = v128.load32_splat(a0);
    c00 = madd4(x, b0, c00);
    c01 = madd4(x, b1, c01);
    x = v128.load32_splat(a1);
    c10 = madd4(x, b0, c10);
    c11 = madd4(x, b1, c11);
    x = v128.load32_splat(a2);
    c20 = madd4(x, b0, c20);
    c21 = madd4(x, b1, c21);
    x = v128.load32_splat(a3);
    c30 = madd4(x, b0, c30);
    c31 = madd4(x, b1, c31);
    x = v128.load32_splat(a4);
    c40 = madd4(x, b0, c40);
    c41 = madd4(x, b1, c41);
    x = v128.load32_splat(a5);
    c50 = madd4(x, b0, c50);
    c51 = madd4(x, b1, c51);
  }
  put(C, c00, c01, columns);
  put(C + r1 * ldc, c10, c11, columns);
  put(C + r2 * ldc, c20, c21, columns);
  put(C + r3 * ldc, c30, c31, columns);
  put(C + r4 * ldc, c40, c41, columns);
  put(C + r5 * ldc, c50, c51, columns);
}

/** Up to 4 rows, as `tile6`. */
function tile4(
  rows: i32, K: i32, A: usize, lda: usize, panel: usize, C: usize, ldc: usize,
  init: usize, ldi: usize, columns: i32,
): void {
  const r1: usize = min(1, rows - 1), r2: usize = min(2, rows - 1), r3: usize = min(3, rows - 1);
  let a0 = A, a1 = A + r1 * lda, a2 = A + r2 * lda, a3 = A + r3 * lda;
  let c00 = f32x4.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00;
  let c30 = c00, c31 = c00;
  if (init) {
    c00 = v128.load(init);
    c01 = v128.load(init, 16);
    c10 = v128.load(init + r1 * ldi);
    c11 = v128.load(init + r1 * ldi, 16);
    c20 = v128.load(init + r2 * ldi);
    c21 = v128.load(init + r2 * ldi, 16);
    c30 = v128.load(init + r3 * ldi);
    c31 = v128.load(init + r3 * ldi, 16);
  }
  let b0: v128, b1: v128, x: v128;
  for (let k = K >> 2; k > 0; k--) {
    b0 = v128.load(panel);
    b1 = v128.load(panel, 16);
    x = v128.load32_splat(a0);
    c00 = madd4(x, b0, c00);
    c01 = madd4(x, b1, c01);
    x = v128.load32_splat(a1);
    c10 = madd4(x, b0, c10);
    c11 = madd4(x, b1, c11);
    x = v128.load32_splat(a2);
    c20 = madd4(x, b0, c20);
    c21 = madd4(x, b1, c21);
    x = v128.load32_splat(a3);
    c30 = madd4(x, b0, c30);
    c31 = madd4(x, b1, c31);
    b0 = v128.load(panel, 32);
    b1 = v128.load(panel, 48);
    x = v128.load32_splat(a0, 4);
    c00 = madd4(x, b0, c00);
    c01 = madd4(x, b1, c01);
    x = v128.load32_splat(a1, 4);
    c10 = madd4(x, b0, c10);
    c11 = madd4(x, b1, c11);
    x = v128.load32_splat(a2, 4);
    c20 = madd4(x, b0, c20);
    c21 = madd4(x, b1, c21);
    x = v128.load32_splat(a3, 4);
    c30 = madd4(x, b0, c30);
    c31 = madd4(x, b1, c31);
    b0 = v128.load(panel, 64);
    b1 = v128.load(panel, 80);
    x = v128.load32_splat(a0, 8);
    c00 = madd4(x, b0, c00);
    c01 = madd4(x, b1, c01);
    x = v128.load32_splat(a1, 8);
    c10 = madd4(x, b0, c10);
    c11 = madd4(x, b1, c11);
    x = v128.load32_splat(a2, 8);
    c20 = madd4(x, b0, c20);
    c21 = madd4(x, b1, c21);
    x = v128.load32_splat(a3, 8);
    c30 = madd4(x, b0, c30);
    c31 = madd4(x, b1, c31);
    b0 = v128.load(panel, 96);
    b1 = v128.load(panel, 112);
    x = v128.load32_splat(a0, 12);
    c00 = madd4(x, b0, c00);
    c01 = madd4(x, b1, c01);
    x = v128.load32_splat(a1, 12);
    c10 = madd4(x, b0, c10);
    c11 = madd4(x, b1, c11);
    x = v128.load32_splat(a2, 12);
    c20 = madd4(x, b0, c20);
    c21 = madd4(x, b1, c21);
    x = v128.load32_splat(a3, 12);
    c30 = madd4(x, b0, c30);
    c31 = madd4(x, b1, c31);
    panel += 128;
    a0 += 16;
    a1 += 16;
    a2 += 16;
    a3 += 16;
  }
  for (let k = K & 3; k > 0; k--) {
    b0 = v128.load(panel);
    b1 = v128.load(panel, 16);
    x = v128.load32_splat(a0);
    c00 = madd4(x, b0, c00);
    c01 = madd4(x, b1, c01);
    x = v128.load32_splat(a1);
    c10 = madd4(x, b0, c10);
    c11 = madd4(x, b1, c11);
    x = v128.load32_splat(a2);
    c20 = madd4(x, b0, c20);
    c21 = madd4(x, b1, c21);
    x = v128.load32_splat(a3);
    c30 = madd4(x, b0, c30);
    c31 = madd4(x, b1, c31);
    panel += 32;
    a0 += 4;
    a1 += 4;
    a2 += 4;
    a3 += 4;
  }
  put(C, c00, c01, columns);
  put(C + r1 * ldc, c10, c11, columns);
  put(C + r2 * ldc, c20, c21, columns);
  put(C + r3 * ldc, c30, c31, columns);
}

/** One row × four panels, `bytes` apart: eight chains hide the latency that one panel's two cannot. */
function row32(K: i32, A: usize, panel: usize, bytes: usize, C: usize, init: usize): void {
  let p1 = panel + bytes, p2 = panel + 2 * bytes, p3 = panel + 3 * bytes;
  let c0 = f32x4.splat(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0;
  if (init) {
    c0 = v128.load(init);
    c1 = v128.load(init, 16);
    c2 = v128.load(init, 32);
    c3 = v128.load(init, 48);
    c4 = v128.load(init, 64);
    c5 = v128.load(init, 80);
    c6 = v128.load(init, 96);
    c7 = v128.load(init, 112);
  }
  let x: v128;
  for (let k = K >> 1; k > 0; k--) {
    x = v128.load32_splat(A);
    c0 = madd4(x, v128.load(panel), c0);
    c1 = madd4(x, v128.load(panel, 16), c1);
    c2 = madd4(x, v128.load(p1), c2);
    c3 = madd4(x, v128.load(p1, 16), c3);
    c4 = madd4(x, v128.load(p2), c4);
    c5 = madd4(x, v128.load(p2, 16), c5);
    c6 = madd4(x, v128.load(p3), c6);
    c7 = madd4(x, v128.load(p3, 16), c7);
    x = v128.load32_splat(A, 4);
    c0 = madd4(x, v128.load(panel, 32), c0);
    c1 = madd4(x, v128.load(panel, 48), c1);
    c2 = madd4(x, v128.load(p1, 32), c2);
    c3 = madd4(x, v128.load(p1, 48), c3);
    c4 = madd4(x, v128.load(p2, 32), c4);
    c5 = madd4(x, v128.load(p2, 48), c5);
    c6 = madd4(x, v128.load(p3, 32), c6);
    c7 = madd4(x, v128.load(p3, 48), c7);
    A += 8;
    panel += 64;
    p1 += 64;
    p2 += 64;
    p3 += 64;
  }
  if (K & 1) {
    x = v128.load32_splat(A);
    c0 = madd4(x, v128.load(panel), c0);
    c1 = madd4(x, v128.load(panel, 16), c1);
    c2 = madd4(x, v128.load(p1), c2);
    c3 = madd4(x, v128.load(p1, 16), c3);
    c4 = madd4(x, v128.load(p2), c4);
    c5 = madd4(x, v128.load(p2, 16), c5);
    c6 = madd4(x, v128.load(p3), c6);
    c7 = madd4(x, v128.load(p3, 16), c7);
  }
  v128.store(C, c0);
  v128.store(C, c1, 16);
  v128.store(C, c2, 32);
  v128.store(C, c3, 48);
  v128.store(C, c4, 64);
  v128.store(C, c5, 80);
  v128.store(C, c6, 96);
  v128.store(C, c7, 112);
}

/**
 * C = init + A · B.
 *
 * @param A [M][K], rows `lda` floats apart
 * @param packed B from `pack` or `packTransposed`
 * @param C [M][N], rows `ldc` floats apart
 * @param init 0 for zeros; a bias [N] with `ldi` 0; or [M][N] with rows `ldi` floats apart, C included
 */
export function gemm(
  M: i32, N: i32, K: i32, A: usize, lda: i32, packed: usize, C: usize, ldc: i32,
  init: usize, ldi: i32,
): void {
  const aStep = <usize>lda << 2, cStep = <usize>ldc << 2, iStep = <usize>ldi << 2;
  const panelBytes = <usize>K << 5;
  let n = 0;
  if (M == 1) {
    for (; n + 32 <= N; n += 32) {
      row32(K, A, packed, panelBytes, C, init);
      packed += 4 * panelBytes;
      C += 128;
      if (init) init += 128;
    }
  }
  for (; n < N; n += PANEL) {
    let a = A, c = C, i = init;
    for (let rows = M; rows > 0;) {
      // 7 and 8 rows are cheaper as 4 + 4 than as 6 and a remainder
      if (rows <= 4 || rows == 7 || rows == 8) {
        tile4(min(rows, 4), K, a, aStep, packed, c, cStep, i, iStep, N - n);
        rows -= 4;
        a += 4 * aStep;
        c += 4 * cStep;
        if (i) i += 4 * iStep;
      } else {
        tile6(min(rows, 6), K, a, aStep, packed, c, cStep, i, iStep, N - n);
        rows -= 6;
        a += 6 * aStep;
        c += 6 * cStep;
        if (i) i += 6 * iStep;
      }
    }
    packed += panelBytes;
    C += 32;
    if (init) init += 32;
  }
}
