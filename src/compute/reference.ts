/**
 * The reference executor: float64, plain loops, one thread. The oracle for the other executors, and
 * public: people check their own gradients against it.
 */
import { accumulate } from "../reference/accumulate.ts";
import { adam } from "../reference/adam.ts";
import { average_samples } from "../reference/average_samples.ts";
import { controller_input, controller_input_backward } from "../reference/controller_input.ts";
import { decoder } from "../reference/decoder.ts";
import { decoder_backward } from "../reference/decoder_backward.ts";
import { encoder, encoder_backward } from "../reference/encoder.ts";
import { encoder_input } from "../reference/encoder_input.ts";
import { external_input } from "../reference/external_input.ts";
import { fixed_points } from "../reference/fixed_points.ts";
import { observation } from "../reference/observation.ts";
import { posterior_observations } from "../reference/posterior_observations.ts";
import { posterior_rates } from "../reference/posterior_rates.ts";
import { prepare } from "../reference/prepare.ts";
import { readout } from "../reference/readout.ts";
import { reduce } from "../reference/reduce.ts";
import { type LoadedJob, weight_gradients } from "../reference/weight_gradients.ts";
import { type Executor, inTurn, type Program, type Run } from "./executor.ts";
import { requireFit, requireFits, scalarsOfFits } from "./fits.ts";
import { type Args, type KernelName, KERNELS, type Scalars } from "./kernels.ts";
import type { Dispatch, Plan, Ref } from "./recording.ts";

type Kernels = {
  readonly [K in Exclude<KernelName, "weight_gradients">]: (args: Args<K>, s: Scalars) => void;
};

const kernels: Kernels = {
  prepare,
  encoder_input,
  encoder,
  encoder_backward,
  controller_input,
  controller_input_backward,
  external_input,
  decoder,
  decoder_backward,
  readout,
  observation,
  reduce,
  adam,
  accumulate,
  average_samples,
  posterior_rates,
  posterior_observations,
  fixed_points,
};

const NONE = new Float64Array(0);

/** The buffers of one fit, and the recordings bound to them. */
class Fit {
  readonly #buffers = new Map<string, Float64Array>();
  readonly #recordings = new Map<string, ((s: Scalars) => void)[]>();

  /** @param first the fit that has the shared buffers, where this is another */
  constructor(plan: Plan, first?: Fit) {
    for (const { name, length, shared } of plan.buffers) {
      const array = shared && first ? first.array(name) : new Float64Array(length);
      this.#buffers.set(name, array);
    }
    for (const [name, dispatches] of Object.entries(plan.recordings)) {
      this.#recordings.set(name, dispatches.map((dispatch) => this.#bind(dispatch)));
    }
  }

  array(name: string): Float64Array {
    const array = this.#buffers.get(name);
    if (!array) throw new Error(`Cannot use buffer "${name}": the plan has no such buffer.`);
    return array;
  }

  #view(ref: Ref): Float64Array {
    return this.array(ref.buffer).subarray(ref.offset, ref.offset + ref.length);
  }

  #bind({ kernel, buffers, numbers, jobs }: Dispatch): (s: Scalars) => void {
    if (kernel === "weight_gradients") {
      const loaded: LoadedJob[] = (jobs ?? []).map((job) => ({
        ...job,
        a: job.a ? this.#view(job.a) : null,
        d: this.#view(job.d),
        out: this.#view(job.out),
      }));
      return (s) => weight_gradients(loaded, s);
    }
    const args: Record<string, Float64Array | number> = { ...numbers };
    for (const argument of KERNELS[kernel].buffers) {
      const name = argument.replace("?", "");
      const ref = buffers[name];
      if (!ref && !argument.endsWith("?")) {
        throw new Error(`Cannot record ${kernel}: its buffer "${name}" is missing.`);
      }
      args[name] = ref ? this.#view(ref) : NONE;
    }
    const run = kernels[kernel] as (args: unknown, s: Scalars) => void;
    return (s) => run(args, s);
  }

  run(recording: string, scalars: Scalars): void {
    const dispatches = this.#recordings.get(recording);
    if (!dispatches) throw new Error(`Cannot run "${recording}": the plan has no such recording.`);
    for (const dispatch of dispatches) dispatch(scalars);
  }
}

class ReferenceProgram implements Program {
  readonly fits: number;
  #fits: Fit[];

  constructor(plan: Plan, fits: number) {
    this.fits = requireFits(fits);
    const first = new Fit(plan);
    this.#fits = [first];
    for (let fit = 1; fit < fits; fit++) this.#fits.push(new Fit(plan, first));
  }

  #fit(action: string, fit: number): Fit {
    if (this.#fits.length === 0) throw new Error(`Cannot ${action}: its program is freed.`);
    return this.#fits[requireFit(action, fit, this.fits)];
  }

  write(buffer: string, values: ArrayLike<number>, offset = 0, fit = 0): void {
    this.#fit(`write ${buffer}`, fit).array(buffer).set(values, offset);
  }

  // deno-lint-ignore require-await -- what goes wrong is a rejection, as on the other executors
  async run(recording: string, scalars: Scalars | readonly Scalars[]): Promise<void> {
    scalarsOfFits(recording, scalars, this.fits).forEach((own, fit) =>
      this.#fit(`run "${recording}"`, fit).run(recording, own)
    );
  }

  sequence(recording: string, runs: readonly Run[], collect: string): Promise<Float64Array[][]> {
    return inTurn(this, recording, runs, collect);
  }

  // deno-lint-ignore require-await -- what goes wrong is a rejection, as on the other executors
  async read(buffer: string, offset = 0, length?: number, fit = 0): Promise<Float64Array> {
    const array = this.#fit(`read ${buffer}`, fit).array(buffer);
    return array.slice(offset, offset + (length ?? array.length - offset));
  }

  free(): void {
    this.#fits = [];
  }
}

/**
 * The float64 executor.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createReferenceExecutor, PlanBuilder, scalars } from "latentd";
 *
 * const executor = createReferenceExecutor();
 * const plan = new PlanBuilder();
 * const w_GF = plan.buffer("w_GF", 2), factorsHat_GF = plan.buffer("factorsHat_GF", 2);
 * const norms_F = plan.buffer("norms_F", 1);
 * plan.record("prepare").dispatch("prepare", { w_GF, factorsHat_GF, norms_F }, { G: 2, F: 1 });
 * const program = await executor.load(plan);
 * program.write("w_GF", [3, 4]);
 * await program.run("prepare", scalars({}));
 * assert.deepEqual([...await program.read("norms_F")], [5]);
 * program.free();
 * executor.close();
 * ```
 */
export function createReferenceExecutor(reason = "asked for"): Executor {
  return {
    info: { name: "reference", threads: 1, arithmetic: "float64, plain loops", reason },
    runsAtOnce: 1,
    // deno-lint-ignore require-await -- what goes wrong is a rejection, as on the other executors
    load: async (plan, fits = 1) => new ReferenceProgram(plan, fits),
    close: () => {},
  };
}
