/** One launch of a posterior program for the trials of one or several requests. */
import { type DataArray, missingOf } from "../data/arrange.ts";
import type { Fitted } from "../inference/model_shape.ts";
import {
  numbersPerTrial,
  type PosteriorProgram,
  takeTrials,
} from "../inference/posterior_program.ts";
import { externalFor, seenBy } from "../inference/seen.ts";
import type { Architecture } from "../model/layout.ts";
import {
  fittedOf,
  type InferRequest,
  type ModelDescription,
  type NamedArray,
  type OutputName,
  outputShape,
} from "./service.ts";

/** A request's share of a launch. */
export interface LaunchPart {
  readonly counts_BTN: DataArray;
  /** 1 where a bin was not observed */
  readonly missing_BTN?: Uint8Array;
  /** `[trials][T][X]`, where the model has external inputs */
  readonly external_BTX?: Float64Array;
  readonly trials: number;
  readonly outputs: readonly OutputName[];
  /** seconds per bin; set where `rates_hz` is among the outputs */
  readonly binWidth: number | null;
  /** where a request in several launches gathers its arrays: for `total` trials, from `at` on */
  readonly into?: {
    readonly buffer: ArrayBufferLike;
    readonly total: number;
    readonly at: number;
  };
}

/** What a launch needs of some trials of a request, copied. */
export function dataOfTrials(
  model: ModelDescription,
  { counts_BTN, missing_BTN, lengths_B, external_BTX, trials, T, N }: InferRequest,
  from: number,
  count: number,
): Pick<LaunchPart, "counts_BTN" | "missing_BTN" | "external_BTX"> {
  const to = from + count;
  const missing = missingOf({ trials, T, N, missing_BTN, lengths_B });
  const external = externalFor(fittedOf(model), { external_BTX, trials, T });
  const X = model.dims.X ?? 0;
  return {
    counts_BTN: counts_BTN.slice(from * T * N, to * T * N),
    ...(missing ? { missing_BTN: missing.slice(from * T * N, to * T * N) } : {}),
    ...(external ? { external_BTX: external.slice(from * T * X, to * T * X) } : {}),
  };
}

/** What runs together: the same model, samples and seed, the trials' places one after another. */
export interface Launch {
  readonly samples: number;
  readonly seed: number;
  /** the place of the first part's first trial */
  readonly firstTrial: number;
  readonly parts: readonly LaunchPart[];
  /** how long the device's thread looks out for the call after this one, without sleeping */
  readonly awake?: { readonly ms: number; readonly call: number };
}

/** Bytes of each element of an answer. */
export type Width = 4 | 8;

/** Arrays of one memory, one behind the other, in the order of the outputs. */
export function layOutAnswer(
  dims: Architecture["dims"],
  outputs: readonly OutputName[],
  trials: number,
  width: Width,
): {
  bytes: number;
  places: { name: OutputName; shape: number[]; start: number; length: number }[];
} {
  let bytes = 0;
  const places = outputs.map((name) => {
    const shape = outputShape(dims, name, trials);
    const length = shape.reduce((product, n) => product * n, 1);
    const start = bytes;
    bytes += length * width;
    return { name, shape, start, length };
  });
  return { bytes, places };
}

/** Views of the arrays in a memory that `layOutAnswer` laid out. */
export function viewAnswer(
  buffer: ArrayBufferLike,
  { places }: ReturnType<typeof layOutAnswer>,
  width: Width,
): Map<OutputName, NamedArray> {
  return new Map(
    places.map(({ name, shape, start, length }) => {
      const data = width === 4
        ? new Float32Array(buffer, start, length)
        : new Float64Array(buffer, start, length);
      return [name, { shape, data }];
    }),
  );
}

/** Trials that one launch takes: at most `maxBatch`, and at most `launchNumbers` numbers; at least 1. */
export function launchTrials(
  model: Architecture,
  samples: number,
  limits: { readonly maxBatch: number; readonly launchNumbers: number },
): number {
  const most = Math.floor(limits.launchNumbers / numbersPerTrial(model, Math.max(1, samples)));
  return Math.max(1, Math.min(limits.maxBatch, most));
}

/**
 * Runs a launch.
 *
 * @returns for each part the memory that holds its arrays; null for a part that gathers elsewhere
 */
export async function runLaunch(
  program: PosteriorProgram,
  model: Fitted,
  launch: Launch,
  width: Width,
): Promise<(ArrayBuffer | null)[]> {
  const { dims } = model.architecture;
  const real = program.sizes.counts === "real";
  let B = 0;
  for (const { counts_BTN, missing_BTN, external_BTX, trials } of launch.parts) {
    const part = { trials, T: dims.T, N: dims.N, missing_BTN };
    const seen = real
      ? seenBy(model, { ...part, counts_BTN: Float32Array.from(counts_BTN) }).data
      : counts_BTN;
    program.write(seen, B);
    if (external_BTX) program.writeExternal(external_BTX, B);
    B += trials;
  }
  const { samples, seed, firstTrial } = launch;
  await program.run({
    trials_B: Uint32Array.from({ length: B }, (_, b) => b),
    samples,
    seed,
    firstTrial,
  });
  const wanted = new Set<string>(launch.parts.flatMap(({ outputs }) => outputs));
  if (wanted.delete("rates_hz")) wanted.add("rates");
  const arrays = new Map(
    program.arrays.filter(({ name }) => wanted.has(name)).map((array) => [array.name, array]),
  );
  const fetched = await program.fetch([...arrays.values()], B);
  let first = 0;
  return launch.parts.map(({ trials, outputs, binWidth, into }) => {
    const layout = layOutAnswer(dims, outputs, into?.total ?? trials, width);
    const own = into ? null : new ArrayBuffer(layout.bytes);
    for (const [name, { data }] of viewAnswer(own ?? into!.buffer, layout, width)) {
      const array = arrays.get(name === "rates_hz" ? "rates" : name)!;
      const at = into?.at ?? 0;
      takeTrials(fetched, array, B, first, trials, data, at);
      if (name === "rates_hz") {
        const size = array.bins * array.n;
        for (let i = at * size; i < (at + trials) * size; i++) data[i] /= binWidth!;
      }
    }
    first += trials;
    return own;
  });
}
