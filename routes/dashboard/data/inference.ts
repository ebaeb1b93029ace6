/** What a model infers from trials. The last answer about many trials is kept. */
import { request } from "../api.ts";
import type { Nd } from "./npy.ts";
import { readSafetensors } from "./safetensors.ts";
import type { Part, Trials } from "./trials.ts";

/** More trials than this hide one another, and take long. */
const MOST_TRIALS = 400;
/** Counts of all of them together. */
const MOST_COUNTS = 2 ** 24;

export interface Wanted {
  readonly model: string;
  /** posterior samples; 0 is the posterior mean */
  readonly samples: number;
  readonly outputs: readonly string[];
}

/** Infers trials with the numbers that they have among all of their dataset. */
export async function inferPart(
  { T, N }: Pick<Trials, "T" | "N">,
  { counts_BTN, npz }: Part,
  first: number,
  { model, samples, outputs }: Wanted,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, Nd>> {
  const query = new URLSearchParams({
    samples: String(samples),
    first_trial: String(first),
    outputs: outputs.join(","),
  });
  const answer = await request(`/v1/models/${model}/infer?${query}`, {
    method: "POST",
    headers: {
      accept: "application/x-safetensors",
      ...(npz ? { "content-type": "application/x-npz" } : {
        "content-type": "application/octet-stream",
        "x-tensor-name": "spikes",
        "x-tensor-shape": [counts_BTN.length / (T * N), T, N].join(","),
        "x-tensor-dtype": dtype(counts_BTN),
      }),
    },
    body: npz ?? counts_BTN,
    signal,
  });
  return readSafetensors(await answer.arrayBuffer());
}

function dtype(counts: Part["counts_BTN"]): string {
  if (counts instanceof Float32Array) return "float32";
  return counts instanceof Uint8Array ? "uint8" : "uint16";
}

export interface Latents {
  /** trials that were inferred: the first so many */
  readonly trials: number;
  readonly T: number;
  readonly condition_B: ArrayLike<number> | null;
  readonly factors_BTF: Nd;
  readonly gen_BTG: Nd;
}

let kept: { name: string; trials: Trials; latents: Promise<Latents> } | null = null;

/** Factors and generator states of the first trials, as many as can be looked at. */
export function inferLatents(trials: Trials, model: string, samples: number): Promise<Latents> {
  const name = `${model} ${samples}`;
  if (kept?.name === name && kept.trials === trials) return kept.latents;
  const latents = load(trials, model, samples);
  kept = { name, trials, latents };
  latents.catch(() => kept = kept?.latents === latents ? null : kept);
  return latents;
}

async function load(trials: Trials, model: string, samples: number): Promise<Latents> {
  const { T, N } = trials;
  const most = Math.max(1, Math.min(MOST_TRIALS, Math.floor(MOST_COUNTS / (T * N))));
  const count = Math.min(trials.trials, most);
  const part = await trials.part(0, count);
  const outputs = ["factors", "gen_states"];
  const arrays = await inferPart(trials, part, 0, { model, samples, outputs });
  const factors_BTF = arrays.get("factors"), gen_BTG = arrays.get("gen_states");
  if (!factors_BTF || !gen_BTG) throw new Error("The answer lacks factors or generator states.");
  return { trials: count, T, condition_B: part.condition_B, factors_BTF, gen_BTG };
}
