// Sums over a workgroup in a fixed order: a tree, so that the rounding error grows with its depth.
var<workgroup> sums: array<f32, WORKGROUP>;

// The sum of every invocation's x, in all of them. Control flow must be uniform.
fn sum_all(lane: u32, x: f32) -> f32 {
  workgroupBarrier();
  sums[lane] = x;
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      sums[lane] += sums[lane + half];
    }
  }
  workgroupBarrier();
  return sums[0];
}

// The gradient's norm, which `finish` leaves for `adam` behind it.
var<private> finishedNorm: f32;

// Partial sums of one number, `length` apart: four loads at a time, so that none waits for the last.
fn sum_partials(start: u32, length: u32, count: u32) -> f32 {
  var sum = 0.0;
  var at = start;
  var k = 0u;
  for (; k + 4u <= count; k += 4u) {
    sum += (real(at) + real(at + length)) + (real(at + 2u * length) + real(at + 3u * length));
    at += 4u * length;
  }
  for (; k < count; k++) {
    sum += real(at);
    at += length;
  }
  return sum;
}
