// Every weight's gradient: out[m][n] = Σ_row left[row][m] · right[row][n] for all jobs of a table, in one
// dispatch. A workgroup makes one tile of one output from a share of the rows; `reduce` (or `fold`) adds
// the shares up. See `gradientTable` in src/compute/webgpu/kernels/weight_gradients.ts.
//
// Rows are summed by blocks of GRADIENT_BLOCK whose sums are then added up, which keeps the rounding error
// from growing with the number of rows.

const GRADIENT_BLOCK = 128u;

// An entry of the table, in its order.
struct GradientEntry {
  // 0: a tile of products; otherwise a few outputs, by so many lanes (a power of two)
  few: u32,
  // where the tile's columns start in bin 0, and how long a row is; left is ABSENT where it is all ones
  left: u32,
  leftStride: u32,
  right: u32,
  rightStride: u32,
  // columns of the tile
  m: u32,
  n: u32,
  // where the tile starts in the gradients, and how far apart its lines and its columns stand
  out: u32,
  outLine: u32,
  outColumn: u32,
  // where the sums of the left and of the right columns go in the gradients, if anywhere
  leftSums: u32,
  rightSums: u32,
  // bins; bins of left and of right that are skipped
  T: u32,
  leftSlot: u32,
  rightSlot: u32,
  // which of how many shares of the rows
  split: u32,
  splits: u32,
}
const GRADIENT_ENTRY_WORDS = 17u;

fn gradient_entry(at: u32) -> GradientEntry {
  return GradientEntry(
    words[at],
    words[at + 1u],
    words[at + 2u],
    words[at + 3u],
    words[at + 4u],
    words[at + 5u],
    words[at + 6u],
    words[at + 7u],
    words[at + 8u],
    words[at + 9u],
    words[at + 10u],
    words[at + 11u],
    words[at + 12u],
    words[at + 13u],
    words[at + 14u],
    words[at + 15u],
    words[at + 16u],
  );
}

// Stores a share of gradient `out`. The last share clears those that the job has not but others have.
fn gradient_put(job: GradientEntry, out: u32, x: f32) {
  let length = weight_gradients.scratchLength;
  let at = weight_gradients.scratch + out;
  put(at + job.split * length, x);
  let end = select(0u, weight_gradients.splits, job.split + 1u == job.splits);
  for (var split = job.splits; split < end; split++) {
    put(at + split * length, 0.0);
  }
}

// Stores columns column, column + 16 … of `n`, which stand `stride` apart from `out` on.
fn gradient_put_four(
  job: GradientEntry,
  out: u32,
  stride: u32,
  column: u32,
  n: u32,
  x: vec4<f32>,
) {
  if (column < n) {
    gradient_put(job, out + column * stride, x.x);
  }
  if (column + 16u < n) {
    gradient_put(job, out + (column + 16u) * stride, x.y);
  }
  if (column + 32u < n) {
    gradient_put(job, out + (column + 32u) * stride, x.z);
  }
  if (column + 48u < n) {
    gradient_put(job, out + (column + 48u) * stride, x.w);
  }
}

fn gradient_put_line(job: GradientEntry, line: u32, column: u32, x: vec4<f32>) {
  if (line < job.m) {
    gradient_put_four(job, job.out + line * job.outLine, job.outColumn, column, job.n, x);
  }
}

// Adds up and stores the sums of columns x, x + 16 …, of which lane (y, x) has those of rows y, y + 16 ….
// Control flow must be uniform.
fn gradient_put_sums(job: GradientEntry, lane: u32, out: u32, n: u32, sums: vec4<f32>) {
  workgroupBarrier();
  gemmRight[lane] = sums;
  for (var half = WORKGROUP / 2u; half >= 16u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      gemmRight[lane] += gemmRight[lane + half];
    }
  }
  if (lane < 16u) {
    gradient_put_four(job, out, 1u, lane, n, gemmRight[lane]);
  }
}

// A tile of up to 64 lines by 64 columns, by steps of 16 rows.
fn gradient_tile(lane: u32, job: GradientEntry, B: u32, first: u32, end: u32) {
  // of each step a lane loads columns x, x + 16 … of row y
  let y = lane / 16u;
  let x = lane % 16u;
  let leftStart = job.left + job.leftSlot * B * job.leftStride;
  let rightStart = job.right + job.rightSlot * B * job.rightStride;
  let sixteens = (job.n + 15u) / 16u;
  let sumLeft = job.leftSums != ABSENT;
  let sumRight = job.rightSums != ABSENT;
  var total = mat4x4<f32>();
  var sums = mat4x4<f32>();
  var leftTotal = vec4<f32>();
  var leftSum = vec4<f32>();
  var rightTotal = vec4<f32>();
  var rightSum = vec4<f32>();
  var row = first + y;
  var left = gemm_load(leftStart + row * job.leftStride, x, select(0u, job.m, row < end));
  var right = gemm_load(rightStart + row * job.rightStride, x, select(0u, job.n, row < end));
  for (var step = first; step < end; step += GEMM_STEP) {
    gemm_share(gemm_left_at(y, x), left, gemm_right_at(y, x), right);
    if (sumLeft) {
      leftSum += left;
    }
    if (sumRight) {
      rightSum += right;
    }
    row += GEMM_STEP;
    left = gemm_load(leftStart + row * job.leftStride, x, select(0u, job.m, row < end));
    right = gemm_load(rightStart + row * job.rightStride, x, select(0u, job.n, row < end));
    sums = gemm_products(lane, sixteens, sums);
    if ((step - first) % GRADIENT_BLOCK == GRADIENT_BLOCK - GEMM_STEP) {
      total += sums;
      leftTotal += leftSum;
      rightTotal += rightSum;
      sums = mat4x4<f32>();
      leftSum = vec4<f32>();
      rightSum = vec4<f32>();
    }
  }
  total += sums;
  let lines = transpose(total);
  gradient_put_line(job, y, x, lines[0]);
  gradient_put_line(job, y + 16u, x, lines[1]);
  gradient_put_line(job, y + 32u, x, lines[2]);
  gradient_put_line(job, y + 48u, x, lines[3]);
  if (sumLeft) {
    gradient_put_sums(job, lane, job.leftSums, job.m, leftTotal + leftSum);
  }
  if (sumRight) {
    gradient_put_sums(job, lane, job.rightSums, job.n, rightTotal + rightSum);
  }
}

var<workgroup> gradientSums: array<f32, WORKGROUP>;

// Product of a row for one output; 0 beyond the share.
fn gradient_product(left: u32, leftStride: u32, right: u32, rightStride: u32, row: u32, end: u32) -> f32 {
  if (row >= end) {
    return 0.0;
  }
  let x = real(right + row * rightStride);
  if (left == ABSENT) {
    return x;
  }
  return x * real(left + row * leftStride);
}

// A few outputs: `few` lanes side by side have one each, and every `few` lanes have rows of their own,
// whose sums are then added up by a tree.
fn gradient_few(lane: u32, job: GradientEntry, B: u32, first: u32, end: u32) {
  let across = job.few;
  let output = lane % across;
  let at = lane / across;
  let stride = WORKGROUP / across;
  let line = output / job.n;
  let column = output % job.n;
  let mine = output < job.m * job.n;
  let left = select(job.left + job.leftSlot * B * job.leftStride + line, ABSENT, job.left == ABSENT);
  let right = job.right + job.rightSlot * B * job.rightStride + column;
  var total = 0.0;
  var sum = 0.0;
  var blocked = 0u;
  for (var row = first + at; mine && row < end; row += 4u * stride) {
    let a = gradient_product(left, job.leftStride, right, job.rightStride, row, end);
    let b = gradient_product(left, job.leftStride, right, job.rightStride, row + stride, end);
    let c = gradient_product(left, job.leftStride, right, job.rightStride, row + 2u * stride, end);
    let d = gradient_product(left, job.leftStride, right, job.rightStride, row + 3u * stride, end);
    sum += (a + b) + (c + d);
    blocked += 4u;
    if (blocked == GRADIENT_BLOCK) {
      total += sum;
      sum = 0.0;
      blocked = 0u;
    }
  }
  gradientSums[lane] = total + sum;
  for (var half = stride / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half * across) {
      gradientSums[lane] += gradientSums[lane + half * across];
    }
  }
  if (lane < across && mine) {
    gradient_put(job, job.out + line * job.outLine + column * job.outColumn, gradientSums[lane]);
  }
}

fn weight_gradients_run(group: vec3<u32>, lane: u32) {
  let job = gradient_entry(weight_gradients.table + group.x * GRADIENT_ENTRY_WORDS);
  let B = runs[group.z].B;
  let rows = job.T * B;
  // shares are whole steps
  let steps = (rows + GEMM_STEP - 1u) / GEMM_STEP;
  let share = (steps + job.splits - 1u) / job.splits * GEMM_STEP;
  let first = min(rows, job.split * share);
  let end = min(rows, first + share);
  if (job.few > 0u) {
    gradient_few(lane, job, B, first, end);
  } else {
    gradient_tile(lane, job, B, first, end);
  }
}
