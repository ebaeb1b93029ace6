// The external inputs of the batch, and their part of the generator's pre-activations: one number to an
// invocation at a time.

// A row's external inputs in the data.
fn external_input_source(row: u32, B: u32) -> u32 {
  let trial = trial_at(external_input.trials_B, external_input.trialsSlot, row % B);
  return external_input.external_ + (trial * external_input.T + row / B) * external_input.X;
}

fn external_input_run(group: vec3<u32>, lane: u32) {
  let B = s.B;
  let X = external_input.X;
  let W = external_input.W;
  let rows = external_input.T * B;
  for (var i = group.x * WORKGROUP + lane; i < rows * W; i += GROUPS * WORKGROUP) {
    let source = external_input_source(i / W, B);
    var sum = real(external_input.b_W + i % W);
    for (var x = 0u; x < X; x++) {
      sum += value_at(source, x) * real(external_input.wExternal_XW + x * W + i % W);
    }
    put(external_input.genInput_TBW + i, sum);
  }
  for (var i = group.x * WORKGROUP + lane; i < rows * X; i += GROUPS * WORKGROUP) {
    put(external_input.external_TBX + i, value_at(external_input_source(i / X, B), i % X));
  }
}
