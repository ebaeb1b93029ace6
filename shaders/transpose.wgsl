// The transposed copies alone, where no `prepare` stands before the kernels that read them.
fn transpose_run(group: vec3<u32>, lane: u32) {
  transpose_entry(transpose.table + 6u * group.x, lane);
}
