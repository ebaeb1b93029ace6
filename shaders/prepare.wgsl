// Ŵ: each factor's weights divided by their L2 norm. Workgroup 0 does so; each further one makes a
// part of a transposed copy that the backward pass reads.
fn prepare_run(group: vec3<u32>, lane: u32) {
  if (group.x > 0u) {
    transpose_entry(prepare.table + 6u * (group.x - 1u), lane);
    return;
  }
  let G = prepare.G;
  let F = prepare.F;
  for (var f = lane; f < F; f += WORKGROUP) {
    var sum = 0.0;
    for (var g = 0u; g < G; g++) {
      let w = real(prepare.w_GF + g * F + f);
      sum += w * w;
    }
    let norm = sqrt(sum);
    put(prepare.norms_F + f, norm);
    for (var g = 0u; g < G; g++) {
      put(prepare.factorsHat_GF + g * F + f, real(prepare.w_GF + g * F + f) / norm);
    }
  }
}
