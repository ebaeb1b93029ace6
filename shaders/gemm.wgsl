// Products of matrices by tiles: a workgroup of 256 makes GEMM_LINES lines by at most GEMM_COLUMNS columns
// of the output, from GEMM_STEP products of each sum at a time, which all its lanes share.
//
// Lane (p, q) = (lane / 16, lane % 16) makes lines p, p + 16, p + 32, p + 48 of columns q, q + 16, q + 32,
// q + 48. So neighbouring lanes have neighbouring columns, and what they load and store stands in one
// piece. Sums are a matrix: sums[j][i] is line p + 16 i of column q + 16 j. Narrow tiles leave out whole
// sixteens of columns.
//
// Sums are of a column's products one by one, so that they do not depend on the tile. Software adapters
// run through all branches, whether taken or not: they are kept short.
//
// A kernel loads what a lane contributes to the next step while this step's products are made:
//
//   var left = …; var right = …;               // of the first step
//   for (…) {
//     gemm_share(leftAt, left, rightAt, right);
//     left = …; right = …;                     // of the next step
//     sums = gemm_products(lane, sixteens, sums);
//   }

const GEMM_LINES = 64u;
const GEMM_COLUMNS = 64u;
const GEMM_STEP = 16u;

// What the workgroup shares of a step: product k of lines p, p + 16 … and of columns q, q + 16 …. A left
// row has one place to spare: lanes that write a column of it would wait for each other otherwise.
const GEMM_LEFT_ROW = 17u;
var<workgroup> gemmLeft: array<vec4<f32>, GEMM_STEP * GEMM_LEFT_ROW>;
var<workgroup> gemmRight: array<vec4<f32>, GEMM_STEP * 16u>;

// Where product k of lines p …, and of columns q …, stands in a step.
fn gemm_left_at(k: u32, p: u32) -> u32 {
  return k * GEMM_LEFT_ROW + p;
}

fn gemm_right_at(k: u32, q: u32) -> u32 {
  return k * 16u + q;
}

// Shares a step once all lanes have made the products of the last one. Control flow must be uniform.
fn gemm_share(leftAt: u32, left: vec4<f32>, rightAt: u32, right: vec4<f32>) {
  workgroupBarrier();
  gemmLeft[leftAt] = left;
  gemmRight[rightAt] = right;
  workgroupBarrier();
}

// Adds four products of each line with one column, in order.
fn gemm_four(a: array<vec4<f32>, 4>, b: vec4<f32>, sum: vec4<f32>) -> vec4<f32> {
  let first = fma(a[1], vec4<f32>(b.y), fma(a[0], vec4<f32>(b.x), sum));
  return fma(a[3], vec4<f32>(b.w), fma(a[2], vec4<f32>(b.z), first));
}

// Adds the products of the step that is shared, for so many sixteens of columns.
fn gemm_products(lane: u32, sixteens: u32, start: mat4x4<f32>) -> mat4x4<f32> {
  var sums = start;
  var left = gemm_left_at(0u, lane / 16u);
  var right = gemm_right_at(0u, lane % 16u);
  for (var k = 0u; k < GEMM_STEP; k += 4u) {
    let a = array<vec4<f32>, 4>(
      gemmLeft[left],
      gemmLeft[left + GEMM_LEFT_ROW],
      gemmLeft[left + 2u * GEMM_LEFT_ROW],
      gemmLeft[left + 3u * GEMM_LEFT_ROW],
    );
    let b = transpose(mat4x4<f32>(
      gemmRight[right],
      gemmRight[right + 16u],
      gemmRight[right + 32u],
      gemmRight[right + 48u],
    ));
    sums[0] = gemm_four(a, b[0], sums[0]);
    if (sixteens > 1u) {
      sums[1] = gemm_four(a, b[1], sums[1]);
    }
    if (sixteens > 2u) {
      sums[2] = gemm_four(a, b[2], sums[2]);
    }
    if (sixteens > 3u) {
      sums[3] = gemm_four(a, b[3], sums[3]);
    }
    left += 4u * GEMM_LEFT_ROW;
    right += 64u;
  }
  return sums;
}

// Sums that start at a number for each column.
fn gemm_start(x: vec4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(vec4<f32>(x.x), vec4<f32>(x.y), vec4<f32>(x.z), vec4<f32>(x.w));
}

fn gemm_element(at: u32, column: u32, end: u32) -> f32 {
  if (column < end) {
    return real(at + column);
  }
  return 0.0;
}

// Columns column, column + 16 … of a line that starts at `at`; 0 from column `end` on.
fn gemm_load(at: u32, column: u32, end: u32) -> vec4<f32> {
  return vec4<f32>(
    gemm_element(at, column, end),
    gemm_element(at, column + 16u, end),
    gemm_element(at, column + 32u, end),
    gemm_element(at, column + 48u, end),
  );
}

fn gemm_put(at: u32, column: u32, end: u32, x: f32) {
  if (column < end) {
    put(at + column, x);
  }
}

// Stores columns column, column + 16 … of a line, those before `end`.
fn gemm_store(at: u32, column: u32, end: u32, x: vec4<f32>) {
  gemm_put(at, column, end, x.x);
  gemm_put(at, column + 16u, end, x.y);
  gemm_put(at, column + 32u, end, x.z);
  gemm_put(at, column + 48u, end, x.w);
}

// Stores a lane's sums in lines line, line + 16 … (those before `rows`) of an output [rows][width] that
// starts at `at`.
fn gemm_store_sums(at: u32, line: u32, rows: u32, column: u32, width: u32, sums: mat4x4<f32>) {
  let lines = transpose(sums);
  let start = at + line * width;
  gemm_store(start, column, select(0u, width, line < rows), lines[0]);
  gemm_store(start + 16u * width, column, select(0u, width, line + 16u < rows), lines[1]);
  gemm_store(start + 32u * width, column, select(0u, width, line + 32u < rows), lines[2]);
  gemm_store(start + 48u * width, column, select(0u, width, line + 48u < rows), lines[3]);
}

// Lines line, line + 16 …, none beyond the last of `rows`.
fn gemm_lines(line: u32, rows: u32) -> vec4<u32> {
  return min(line + vec4<u32>(0u, 16u, 32u, 48u), vec4<u32>(rows - 1u));
}

// One number from each of four places.
fn gemm_gather(at: vec4<u32>) -> vec4<f32> {
  return vec4<f32>(real(at.x), real(at.y), real(at.z), real(at.w));
}

// Stores one number in each of lines line, line + 16 … (those before `rows`), which are `width` long.
fn gemm_scatter(at: u32, line: u32, rows: u32, width: u32, x: vec4<f32>) {
  let start = at + line * width;
  if (line < rows) {
    put(start, x.x);
  }
  if (line + 16u < rows) {
    put(start + 16u * width, x.y);
  }
  if (line + 32u < rows) {
    put(start + 32u * width, x.z);
  }
  if (line + 48u < rows) {
    put(start + 48u * width, x.w);
  }
}

// What a workgroup makes of an output of `rows` lines and `width` columns: lines from `line` on, tiles
// `tile` … `endTile` - 1 of columns. It makes half of the columns, so that what it makes once for its
// lines (dropout masks) serves many, but no more than GEMM_MOST_STEPS steps, and always a tile. See
// src/compute/webgpu/gemm.ts.
struct GemmPart {
  line: u32,
  tile: u32,
  endTile: u32,
}

fn gemm_part(group: u32, width: u32, depth: u32) -> GemmPart {
  let tiles = (width + GEMM_COLUMNS - 1u) / GEMM_COLUMNS;
  let steps = (depth + GEMM_STEP - 1u) / GEMM_STEP;
  let each = min((tiles + 1u) / 2u, max(GEMM_MOST_STEPS / steps, 1u));
  let parts = (tiles + each - 1u) / each;
  let tile = group % parts * each;
  return GemmPart(group / parts * GEMM_LINES, tile, min(tiles, tile + each));
}

// How many sixteens of columns a tile has.
fn gemm_sixteens(tile: u32, width: u32) -> u32 {
  return (min(width - tile * GEMM_COLUMNS, GEMM_COLUMNS) + 15u) / 16u;
}
