/** Inference where it is asked for: one executor, one thread, no queue; for the edge. */
import type { Executor } from "../compute/executor.ts";
import { InputError } from "../errors.ts";
import { loadPosterior, type PosteriorProgram } from "../inference/posterior_program.ts";
import { readsReal } from "../inference/seen.ts";
import { ServingError } from "./errors.ts";
import {
  dataOfTrials,
  launchTrials,
  layOutAnswer,
  runLaunch,
  viewAnswer,
  type Width,
} from "./launch.ts";
import type { LightModel } from "./light_model.ts";
import {
  checkRequest,
  describe,
  type InferAnswer,
  type InferenceService,
  type InferRequest,
  type ModelDescription,
  type RequestOptions,
  wantedOutputs,
} from "./service.ts";

export interface LocalOptions {
  /** most trials of one launch: 16 */
  readonly maxBatch?: number;
  /** numbers that one launch may keep: 4e6 */
  readonly launchNumbers?: number;
  /** bytes of one answer: 32 MiB */
  readonly maxAnswerBytes?: number;
}

/**
 * Serves one model with an executor whose runs are complete when they return. A program is loaded with
 * the first request, and again where a request needs more samples than it was sized for.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   architecture,
 *   createLocalService,
 *   createReferenceExecutor,
 *   initialise,
 *   lightModelFromBytes,
 *   modelToBytes,
 *   parseHyperparameters,
 * } from "latentd";
 *
 * const hyperparameters = parseHyperparameters({ generatorUnits: 2, factors: 2 });
 * const shape = architecture(hyperparameters, 5, 3);
 * const params_P = initialise(shape, hyperparameters, 0, Float64Array.of(1, 2, 1));
 * const origin = { seed: 0, step: 0, binWidth: 0.01 };
 * const file = modelToBytes({ ...origin, hyperparameters, architecture: shape, params_P });
 *
 * const model = lightModelFromBytes(file, "mine");
 * const service = createLocalService(createReferenceExecutor(), "mine", model);
 * const counts_BTN = new Uint8Array(2 * 5 * 3);
 * const { arrays } = await service.infer("mine", { counts_BTN, trials: 2, T: 5, N: 3, samples: 0 });
 * assert.deepEqual(arrays.get("rates")?.shape, [2, 5, 3]);
 * ```
 */
export function createLocalService(
  executor: Executor,
  id: string,
  model: LightModel,
  options: LocalOptions = {},
): InferenceService {
  const { maxBatch = 16, launchNumbers = 4e6, maxAnswerBytes = 32 * 2 ** 20 } = options;
  const { architecture: { dims }, binWidth } = model;
  const description = describe(id, model);
  const width: Width = executor.info.name === "reference" ? 8 : 4;
  let program: PosteriorProgram | null = null;
  /** requests run one after the other: a program's buffers are one request's at a time */
  let last: Promise<unknown> = Promise.resolve();

  const find = (asked: string): ModelDescription => {
    if (asked === id) return description;
    throw new ServingError("unknown-model", `Cannot find a model ${JSON.stringify(asked)}.`);
  };
  const load = async (b: number, samples: number, wanted: boolean): Promise<PosteriorProgram> => {
    const real = wanted || program?.sizes.counts === "real";
    if (program?.fits(b, samples) && (program.sizes.counts === "real") === real) return program;
    const B = Math.max(b, program?.sizes.B ?? 1);
    const S = Math.max(program?.sizes.S ?? 1, Math.ceil(b * Math.max(1, samples) / B));
    // growing the memory would leave the views of a program that is loaded behind
    program?.free();
    program = null;
    return program = await loadPosterior(executor, model, {
      ...{ B, S, counts: real ? "real" : "u16", gaps: real },
    });
  };
  const run = async (request: InferRequest, { signal }: RequestOptions): Promise<InferAnswer> => {
    signal?.throwIfAborted();
    const { trials, samples, seed = 0, firstTrial = 0 } = request;
    const outputs = wantedOutputs(description, request);
    const layout = layOutAnswer(dims, outputs, trials, width);
    if (layout.bytes > maxAnswerBytes) {
      throw new InputError(
        `Cannot infer: expected an answer of at most ${maxAnswerBytes} bytes, found ${layout.bytes} ` +
          `for ${trials} trials; ask for fewer trials or outputs.`,
      );
    }
    const start = performance.now();
    const buffer = new ArrayBuffer(layout.bytes);
    const each = launchTrials(model.architecture, samples, { maxBatch, launchNumbers });
    for (let first = 0; first < trials; first += each) {
      const now = Math.min(each, trials - first);
      const part = {
        ...dataOfTrials(description, request, first, now),
        trials: now,
        outputs,
        binWidth: request.binWidth ?? binWidth,
        into: { buffer, total: trials, at: first },
      };
      const launch = { samples, seed, firstTrial: firstTrial + first, parts: [part] };
      const real = readsReal(model, [part]);
      await runLaunch(await load(now, samples, real), model, launch, width);
    }
    return {
      model: description,
      trials,
      samples,
      seed,
      device: executor.info,
      arrays: viewAnswer(buffer, layout, width),
      queueMs: 0,
      computeMs: performance.now() - start,
    };
  };
  return {
    readiness: () => ({ ready: true, device: executor.info, reason: executor.info.reason }),
    models: () => Promise.resolve([id]),
    // deno-lint-ignore require-await -- so that an unknown id rejects
    describe: async (asked) => find(asked),
    async infer(asked, request, limits = {}) {
      const checked = checkRequest(find(asked), request);
      const running = last.then(() => run(checked, limits));
      last = running.catch(() => {});
      return await running;
    },
  };
}
