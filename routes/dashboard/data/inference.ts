/** What a model infers from trials. The last answer about many trials is kept. */
import { request } from "../api.ts";
import type { Nd } from "./npy.ts";
import { readSafetensors } from "./safetensors.ts";
import type { Trials } from "./trials.ts";

/** More trials than this hide one another, and take long. */
const MOST_TRIALS = 400;
/** Bytes of spikes that are sent at most. */
const MOST_BYTES = 2 ** 25;

export interface Wanted {
  readonly model: string;
  /** posterior samples; 0 is the posterior mean */
  readonly samples: number;
  readonly outputs: readonly string[];
}

async function ask(
  trials: Trials,
  first: number,
  number: number,
  { model, samples, outputs }: Wanted,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Nd>> {
  const { T, N, counts_BTN } = trials;
  const part = counts_BTN.subarray(first * T * N, (first + number) * T * N);
  const query = new URLSearchParams({
    samples: String(samples),
    first_trial: String(first),
    outputs: outputs.join(","),
  });
  const answer = await request(`/v1/models/${model}/infer?${query}`, {
    method: "POST",
    headers: {
      accept: "application/x-safetensors",
      "content-type": "application/octet-stream",
      "x-tensor-name": "spikes",
      "x-tensor-shape": [number, T, N].join(","),
      "x-tensor-dtype": counts_BTN instanceof Uint8Array ? "uint8" : "uint16",
    },
    body: part,
    signal,
  });
  return readSafetensors(await answer.arrayBuffer());
}

/** One trial, with the numbers that it has among all. */
export function inferTrial(
  trials: Trials,
  trial: number,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Nd>> {
  return ask(trials, trial, 1, wanted, signal);
}

export interface Latents {
  /** trials that were inferred: the first so many */
  readonly trials: number;
  readonly T: number;
  readonly factors_BTF: Nd;
  readonly gen_BTG: Nd;
}

let kept: { name: string; trials: Trials; latents: Promise<Latents> } | null = null;

/** Factors and generator states of the first trials, as many as can be looked at. */
export function inferLatents(trials: Trials, model: string, samples: number): Promise<Latents> {
  const name = `${model} ${samples}`;
  if (kept?.name === name && kept.trials === trials) return kept.latents;
  const latents = (async () => {
    const bytes = trials.counts_BTN.byteLength / trials.trials;
    const most = Math.max(1, Math.min(MOST_TRIALS, Math.floor(MOST_BYTES / bytes)));
    const number = Math.min(trials.trials, most);
    const outputs = ["factors", "gen_states"];
    const wanted = { model, samples, outputs };
    const arrays = await ask(trials, 0, number, wanted, new AbortController().signal);
    const factors_BTF = arrays.get("factors"), gen_BTG = arrays.get("gen_states");
    if (!factors_BTF || !gen_BTG) throw new Error("The answer lacks factors or generator states.");
    return { trials: number, T: trials.T, factors_BTF, gen_BTG };
  })();
  kept = { name, trials, latents };
  latents.catch(() => kept = kept?.latents === latents ? null : kept);
  return latents;
}
