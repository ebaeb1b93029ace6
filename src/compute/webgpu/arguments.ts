/**
 * A dispatch's arguments on the GPU: one uniform struct for each kernel, its fields in the order of its
 * signature, then what only the GPU needs. The struct's WGSL is written from the same list.
 */
import { KERNELS, SCALARS, type Signature } from "../kernels.ts";
import type { GpuKernel, Numbers } from "./kernel.ts";
import { outputsOf } from "./kernels/families.ts";

/** Where an absent buffer starts. */
export const ABSENT = 0xffffffff;

/** What every kernel is told on the GPU beside its signature. */
export const EXTRAS = [
  /** where scratch memory starts, and of how many copies of how many elements it consists */
  "scratch",
  "scratchLength",
  "splits",
  /** where the table of jobs starts in `words`, and how many entries it has */
  "table",
  "entries",
  /** elements of one run's copy in `trials_B`, in `losses`, in `sums` and in `speeds_K` */
  "trialsSlot",
  "lossesSlot",
  "sumsSlot",
  "speedsSlot",
] as const;

export type Extras = Readonly<Partial<Record<typeof EXTRAS[number], number>>>;

/** 4-byte fields of `Run` in shaders/run.wgsl: the scalars, slot, reals, words, first, end. */
export const RUN_WORDS = SCALARS.length + 5;

/** `reduce` and `accumulate` have one signature with what completes them. */
const AS: Partial<Record<GpuKernel, Signature>> = {
  transpose: { buffers: [], ints: [], floats: [] },
  fold: { buffers: ["grads_P"], ints: ["P"], floats: [] },
  finish: KERNELS.reduce,
  total: KERNELS.accumulate,
};

/**
 * Weights [in][out] of which a kernel reads a transposed copy [out][in], made before it: neighbouring
 * invocations then read neighbouring numbers. The copy of `w` starts at `w_T`.
 */
export const TRANSPOSED: Partial<
  Record<GpuKernel, Readonly<Record<string, (n: Numbers) => readonly [number, number]>>>
> = {
  readout: { w_FN: ({ F, N }) => [F, N] },
  observation: { w_FQ: ({ F, N, family }) => [F, outputsOf(family) * N] },
  encoder_backward: {
    wGates_DE2E: ({ E }) => [E, 2 * E],
    wCandidate_DEE: ({ E }) => [E, E],
  },
  controller_input_backward: { wEncoding_2E3C: ({ E, C }) => [2 * E, 3 * C] },
  decoder_backward: {
    wInitial_2E2I: ({ E, I }) => [2 * E, 2 * I],
    wStart_IG: ({ I, G }) => [I, G],
    wConFactors_F3C: ({ F, C }) => [F, 3 * C],
    wConGates_C2C: ({ C }) => [C, 2 * C],
    wConCandidate_CC: ({ C }) => [C, C],
    wOut_C2U: ({ C, U }) => [C, 2 * U],
    wGenRecurrent: ({ G, cell }) => [G, cell === 1 ? 2 * G : G],
    wGenCandidate_GG: ({ G }) => [G, G],
  },
  fixed_points: {
    wGenRecurrent: ({ G, cell }) => [G, cell === 1 ? 2 * G : G],
    wGenCandidate_GG: ({ G }) => [G, G],
  },
};

export function gpuSignature(kernel: GpuKernel): Signature {
  return AS[kernel] ?? KERNELS[kernel as keyof typeof KERNELS];
}

/** Names of a kernel's fields, without the question marks; transposed copies end in `_T`. */
export function fieldNames(kernel: GpuKernel) {
  const { buffers, ints, floats } = gpuSignature(kernel);
  const copies = Object.keys(TRANSPOSED[kernel] ?? {}).map((name) => `${name}_T`);
  return { buffers: [...buffers.map((name) => name.replace("?", "")), ...copies], ints, floats };
}

/** Names of buffers that WGSL keeps for itself. */
const RESERVED: ReadonlySet<string> = new Set(["external"]);

/**
 * The struct in WGSL. Its variable has the kernel's name: `encoder.T`, `encoder.h0_DE`; a name that WGSL
 * reserves ends in `_`.
 */
export function argumentStruct(kernel: GpuKernel, binding: number): string {
  const { buffers, ints, floats } = fieldNames(kernel);
  const fields = [
    ...[...buffers, ...ints, ...EXTRAS].map((name) =>
      `  ${name}${RESERVED.has(name) ? "_" : ""}: u32,`
    ),
    ...floats.map((name) => `  ${name}: f32,`),
  ];
  const type = `Arguments_${kernel}`;
  return `struct ${type} {\n${fields.join("\n")}\n}\n` +
    `@group(0) @binding(${binding}) var<uniform> ${kernel}: ${type};\n`;
}

/** Bytes of the struct. */
export function argumentBytes(kernel: GpuKernel): number {
  const { buffers, ints, floats } = fieldNames(kernel);
  return 4 * (buffers.length + ints.length + EXTRAS.length + floats.length);
}

/** Writes a struct. `buffers` gives where each buffer starts. */
export function writeArguments(
  view: DataView,
  at: number,
  kernel: GpuKernel,
  starts: (buffer: string) => number,
  numbers: Readonly<Record<string, number>>,
  extras: Extras,
): void {
  const names = fieldNames(kernel);
  const whole = [
    ...names.buffers.map(starts),
    ...names.ints.map((name) => numbers[name]),
    ...EXTRAS.map((name) => extras[name] ?? 0),
  ];
  for (const value of whole) {
    view.setUint32(at, value, true);
    at += 4;
  }
  for (const name of names.floats) {
    view.setFloat32(at, numbers[name], true);
    at += 4;
  }
}
