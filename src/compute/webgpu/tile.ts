/**
 * The WGSL of a tile: the trials that one workgroup of a sweep carries, as the lanes of a vector. It is
 * written here because WGSL has no generic functions.
 */
import type { Tile } from "./capabilities.ts";

/** Types, loads and stores, and `math.wgsl`'s functions lane by lane. */
export function tileSource(tile: Tile): string {
  const lanes = Array.from({ length: tile }, (_, lane) => lane);
  const type = tile === 1 ? "f32" : `vec${tile}<f32>`;
  const rows = tile === 1 ? "u32" : `vec${tile}<u32>`;
  const lane = (name: string, i: number) => tile === 1 ? name : `${name}[${i}]`;
  const each = (of: (i: number) => string) =>
    tile === 1 ? of(0) : `${type}(${lanes.map(of).join(", ")})`;
  const eachRow = (of: (i: number) => string) =>
    tile === 1 ? of(0) : `${rows}(${lanes.map(of).join(", ")})`;
  const mapped = (name: string, of: string) =>
    `fn ${name}_tile(x: Tile) -> Tile {\n  return ${each((i) => `${of}(${lane("x", i)})`)};\n}`;
  return `// ${tile} trials as the lanes of a vector (src/compute/webgpu/tile.ts).
alias Tile = ${type};
alias Rows = ${rows};
const TILE = ${tile}u;

// Rows first … first + TILE - 1, none beyond \`last\`: lanes beyond it repeat the last row's work.
fn rows_of(first: u32, last: u32) -> Rows {
  return ${eachRow((i) => `min(first + ${i}u, last)`)};
}

// Column j of rows that are \`width\` long, from where a buffer starts.
fn load_tile(at: u32, rows: Rows, width: u32, j: u32) -> Tile {
  return ${each((i) => `real(at + ${lane("rows", i)} * width + j)`)};
}

fn store_tile(at: u32, rows: Rows, width: u32, j: u32, x: Tile) {
${lanes.map((i) => `  put(at + ${lane("rows", i)} * width + j, ${lane("x", i)});`).join("\n")}
}

// Only the rows of which \`samples\` says that they are a trial's first: one store for each trial.
fn store_trials_tile(at: u32, trials: Rows, samples: Rows, width: u32, j: u32, x: Tile) {
${
    lanes.map((i) =>
      `  if (${lane("samples", i)} == 0u) {\n` +
      `    put(at + ${lane("trials", i)} * width + j, ${lane("x", i)});\n  }`
    ).join("\n")
  }
}

// Lane i: bit \`at\` of byte i.
fn bits_tile(bits: u32, at: u32) -> Tile {
  return ${each((i) => `f32((bits >> (at + ${8 * i}u)) & 1u)`)};
}

${mapped("exp", "exp_")}

${mapped("log", "log_")}

${mapped("sigmoid", "sigmoid")}

${mapped("tanh", "tanh_")}

// Standard normals of one column, a row of draws and a sample for each lane.
fn normal_tile(stream: u32, samples: Rows, draws: Rows, column: u32) -> Tile {
  return ${each((i) => `normal_at(stream, ${lane("samples", i)}, ${lane("draws", i)}, column)`)};
}

// Dropout masks of one column.
fn keep_tile(stream: u32, samples: Rows, draws: Rows, column: u32, threshold: u32) -> Tile {
  return ${
    each((i) => `keep_at(stream, ${lane("samples", i)}, ${lane("draws", i)}, column, threshold)`)
  };
}
`;
}
