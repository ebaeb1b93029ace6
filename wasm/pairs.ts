/**
 * Four rows of two units at a time, one lane each: for cells of two units, where matrix tiles would be
 * mostly padding. A lane's arithmetic does not depend on its neighbours. A group with fewer than four
 * rows repeats its last one, and writes the same numbers again.
 */

/** Bytes from a group's first row to row `lane`, of which `rows` exist, `stride` floats apart. */
@inline
export function laneOffset(lane: i32, rows: i32, stride: i32): usize {
  return <usize>(min(lane, rows - 1) * stride) << 2;
}

/** The two units of two rows: [x0 y0 x1 y1]. */
@inline
export function twoRows(address: usize, second: usize): v128 {
  return v128.load64_lane(address + second, v128.load64_zero(address), 1);
}

/** The first unit of four rows. */
@inline
export function firsts(rows01: v128, rows23: v128): v128 {
  return v128.shuffle<i32>(rows01, rows23, 0, 2, 4, 6);
}

/** The second unit of four rows. */
@inline
export function seconds(rows01: v128, rows23: v128): v128 {
  return v128.shuffle<i32>(rows01, rows23, 1, 3, 5, 7);
}

/** Writes both units of four rows. */
@inline
export function putPairs(
  address: usize, o1: usize, o2: usize, o3: usize, first: v128, second: v128,
): void {
  const rows01 = v128.shuffle<i32>(first, second, 0, 4, 1, 5);
  const rows23 = v128.shuffle<i32>(first, second, 2, 6, 3, 7);
  v128.store64_lane(address, rows01, 0);
  v128.store64_lane(address + o1, rows01, 1);
  v128.store64_lane(address + o2, rows23, 0);
  v128.store64_lane(address + o3, rows23, 1);
}

/** Weight number `i` in all lanes. */
@inline
export function weight(w: usize, i: i32): v128 {
  return v128.load32_splat(w + (<usize>i << 2));
}
