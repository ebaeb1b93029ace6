/** Puts a pipeline's shader together: constants, bindings, shared parts, kernels, entry point. */
import factorGradients from "../../../shaders/factor_gradients.wgsl" with { type: "text" };
import families from "../../../shaders/families.wgsl" with { type: "text" };
import gamma from "../../../shaders/gamma.wgsl" with { type: "text" };
import gaussian from "../../../shaders/gaussian.wgsl" with { type: "text" };
import gemm from "../../../shaders/gemm.wgsl" with { type: "text" };
import gru from "../../../shaders/gru.wgsl" with { type: "text" };
import logRates from "../../../shaders/log_rates.wgsl" with { type: "text" };
import lossWeights from "../../../shaders/loss_weights.wgsl" with { type: "text" };
import masks from "../../../shaders/masks.wgsl" with { type: "text" };
import math from "../../../shaders/math.wgsl" with { type: "text" };
import posteriorMeans from "../../../shaders/posterior_means.wgsl" with { type: "text" };
import random from "../../../shaders/random.wgsl" with { type: "text" };
import run from "../../../shaders/run.wgsl" with { type: "text" };
import sum from "../../../shaders/sum.wgsl" with { type: "text" };
import transposes from "../../../shaders/transposes.wgsl" with { type: "text" };
import { STREAMS } from "../../random.ts";
import {
  ELEMENT_CODES,
  FAMILIES,
  LOSSES,
  MAX_LOG_RATE,
  MISSING,
  MISSING_BELOW,
  NONLINEARITY_CODES,
  UPDATE_BIAS,
} from "../kernels.ts";
import { argumentStruct } from "./arguments.ts";
import type { GpuKernel, How, Library, Variant } from "./kernel.ts";
import { SHADERS } from "./kernels/index.ts";
import { tileSource } from "./tile.ts";

/** Kernels that one dispatch runs. */
export interface Fusion {
  readonly kernels: readonly [GpuKernel] | readonly [GpuKernel, GpuKernel];
  readonly how: How;
}

const LIBRARIES: Readonly<Record<Exclude<Library, "tile">, string>> = {
  math,
  random,
  gru,
  gaussian,
  gemm,
  log_rates: logRates,
  factor_gradients: factorGradients,
  loss_weights: lossWeights,
  gamma,
  families,
  posterior_means: posteriorMeans,
  masks,
  sum,
  transposes,
};
const ORDER: readonly Library[] = [
  "math",
  "random",
  "tile",
  "sum",
  "gru",
  "gaussian",
  "gemm",
  "log_rates",
  "factor_gradients",
  "loss_weights",
  "gamma",
  "families",
  "posterior_means",
  "masks",
  "transposes",
];

/** The binding of the first and of the second kernel's arguments. */
const ARGUMENT_BINDINGS = [2, 3] as const;

/** Constants that all shaders have. */
export function sharedConstants(): string {
  const lines = [
    `const UPDATE_BIAS = f32(${UPDATE_BIAS});`,
    `const MAX_LOG_RATE = f32(${MAX_LOG_RATE});`,
    `const MISSING_u8 = f32(${MISSING.u8});`,
    `const MISSING_u16 = f32(${MISSING.u16});`,
    `const MISSING_BELOW = f32(${MISSING_BELOW});`,
    `const LOSS_COUNT = ${LOSSES.length}u;`,
  ];
  const codes = {
    STREAM: STREAMS,
    NONLINEARITY: NONLINEARITY_CODES,
    ELEMENT: ELEMENT_CODES,
    FAMILY: FAMILIES,
  };
  for (const [prefix, values] of Object.entries(codes)) {
    for (const [name, value] of Object.entries(values)) {
      lines.push(`const ${prefix}_${name.replaceAll("-", "_")} = ${value}u;`);
    }
  }
  LOSSES.forEach((name, i) => lines.push(`const LOSS_${name} = ${i}u;`));
  return lines.join("\n") + "\n";
}

function constants(how: How, variant: Variant): string {
  const lines = [
    `const IN_TURN = ${how === "inTurn"};`,
    `const WORKGROUP = ${variant.workgroup}u;`,
  ];
  for (const [name, value] of Object.entries(variant.constants)) {
    lines.push(`const ${name} = ${value}u;`);
  }
  return `${sharedConstants()}${lines.join("\n")}\n`;
}

function entryPoint({ kernels, how }: Fusion): string {
  const [first, second] = kernels;
  const body = how === "alone"
    ? `  ${first}_run(group, lane);`
    : how === "inTurn"
    ? `  ${first}_run(group, lane);\n  storageBarrier();\n  workgroupBarrier();\n  ${second}_run(group, lane);`
    : `  let before = ${first}.entries;\n` +
      `  if (group.x < before) {\n    ${first}_run(group, lane);\n  } else {\n` +
      `    ${second}_run(vec3<u32>(group.x - before, group.y, group.z), lane);\n  }`;
  return `@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  s = runs[group.z];
${body}
}
`;
}

/** The WGSL of a pipeline. */
export function shaderModule(fusion: Fusion, variant: Variant): string {
  const used = new Set(fusion.kernels.flatMap((kernel) => SHADERS[kernel].uses));
  return [
    constants(fusion.how, variant),
    run,
    ...fusion.kernels.map((kernel, i) => argumentStruct(kernel, ARGUMENT_BINDINGS[i])),
    ...ORDER.filter((library) => used.has(library)).map((library) =>
      library === "tile" ? tileSource(variant.tile) : LIBRARIES[library]
    ),
    ...fusion.kernels.map((kernel) => SHADERS[kernel].source),
    entryPoint(fusion),
  ].join("\n");
}
