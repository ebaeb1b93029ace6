// Part of a transposed copy of some weights: [rows][columns] → [columns][rows]. A table entry is six
// words: from, to, rows, columns, and which elements of the copy: first, end.
fn transpose_entry(entry: u32, lane: u32) {
  let start = words[entry];
  let copy = words[entry + 1u];
  let rows = words[entry + 2u];
  let columns = words[entry + 3u];
  let end = words[entry + 5u];
  for (var i = words[entry + 4u] + lane; i < end; i += WORKGROUP) {
    put(copy + i, real(start + (i % rows) * columns + i / rows));
  }
}
