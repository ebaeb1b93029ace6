/**
 * What is stored of datasets, runs and models, and what happens in a run. Each schema is the only source
 * of its type, of what the database accepts and of what HTTP answers.
 */
import { z } from "zod";
import type { DeviceChoice } from "../compute/devices.ts";
import { hyperparametersSchema } from "../model/hyperparameters.ts";
import { idSchema } from "./ids.ts";

/**
 * `DEVICE_CHOICES` and `MOST_STARTS` again, so that the thread that has the database does not load every
 * executor; a test compares them.
 */
export const DEVICES = ["auto", "webgpu", "wasm", "reference"] as const satisfies DeviceChoice[];
export const STARTS = 256;

const count = z.int().min(0);
const instant = z.iso.datetime();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const seed = z.int().min(0).describe("0 … 2^53 - 1");
/** Printable, so that a name cannot break a line of a log. */
export const nameSchema = z.string().min(1).max(200).regex(
  /^\P{Cc}*$/u,
  "expected no control characters",
);

/**
 * A stored dataset.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { storedDatasetSchema } from "latentd";
 *
 * assert.equal(storedDatasetSchema.shape.T.description, "time bins of a trial");
 * ```
 */
export const storedDatasetSchema = z.strictObject({
  id: idSchema("dataset"),
  name: nameSchema,
  created: instant,
  source: z.enum(["upload", "rotation", "lorenz"]).describe("uploaded, or which simulator"),
  trials: z.int().min(1),
  T: z.int().min(1).describe("time bins of a trial"),
  N: z.int().min(1).describe("neurons"),
  binWidth: z.number().positive().nullable().describe("seconds; null where not known"),
  spikes: count.nullable().describe("all spikes together; null for real numbers"),
  conditions: z.int().min(1).nullable().describe("different conditions; null without them"),
  truth: z.boolean().describe("whether the true rates are known"),
  warnings: z.array(z.string()).describe("what is unusual but no reason to refuse"),
  bytes: count.describe("of the stored .npz file"),
  sha256: sha256.describe("of the stored .npz file"),
  countsSha256: sha256.describe("of the counts, and of what is missing of them"),
});

/** See {@link storedDatasetSchema}. */
export type StoredDataset = Readonly<z.infer<typeof storedDatasetSchema>>;

const lossesSchema = z.strictObject({
  total: z.number(),
  nll: z.number(),
  klIc: z.number().describe("before scaling"),
  klInputs: z.number(),
  l2: z.number(),
  gradNorm: z.number().describe("before clipping; 0 in an evaluation"),
  klIcScale: z.number().describe("what multiplies klIc in the total"),
  klInputsScale: z.number().describe("what multiplies klInputs in the total"),
  learningRate: z.number().describe("0 in an evaluation"),
}).describe("loss terms in nats, averaged per trial");

const recoverySchema = z.strictObject({
  seed: seed.describe("of the start that goes back"),
  step: count.describe("the step that it could not make"),
  term: z.string().describe("the loss term that is not finite"),
  slice: z.string().nullable().describe("parameters to blame; null where that is not known"),
  to: count.describe("the step that it goes back to; evaluations after it are told again"),
  factor: z.number().gt(0).lt(1).describe("of its learning rate from there on"),
});

const historyEntrySchema = z.strictObject({
  step: count,
  train: lossesSchema,
  evaluation: lossesSchema,
  hidden: z.number().nullable()
    .describe(
      "nll of the evaluation trials' samples that sampleValidation hides; null without any",
    ),
  seconds: z.number().min(0),
});

const deviceInfoSchema = z.strictObject({
  name: z.enum(["reference", "wasm", "webgpu"]),
  threads: z.int().min(1),
  arithmetic: z.string(),
  reason: z.string(),
  adapter: z.string().optional(),
}).describe("the device that computes, and why it is the one");

/** The states of a run, in the order in which they come. */
export const RUN_STATES = [
  "queued",
  "running",
  "interrupted",
  "cancelling",
  "cancelled",
  "failed",
  "completed",
] as const;

const stateSchema = z.enum(RUN_STATES);

/** See {@link RUN_STATES}. */
export type StoredRunState = z.infer<typeof stateSchema>;

/** States that a run never leaves. */
export const FINAL_STATES: readonly StoredRunState[] = ["cancelled", "failed", "completed"];

/**
 * A stored run.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { storedRunSchema } from "latentd";
 *
 * assert(storedRunSchema.shape.state.options.includes("interrupted"));
 * ```
 */
export const storedRunSchema = z.strictObject({
  id: idSchema("run"),
  created: instant,
  dataset: idSchema("dataset"),
  datasetName: nameSchema,
  hyperparameters: hyperparametersSchema,
  device: z.enum(DEVICES).describe("what was asked for"),
  seed,
  starts: z.int().min(1).max(STARTS).describe("fits side by side, of which the best is kept"),
  reproducible: z.boolean().describe("the same bits on every machine; somewhat slower"),
  report: z.boolean().describe("whether a report is made at the end"),
  resumeFrom: idSchema("run").nullable().describe(
    "the run whose last checkpoint this one began at",
  ),
  state: stateSchema,
  started: instant.nullable().describe("when it first ran"),
  finished: instant.nullable(),
  step: count.describe("optimiser steps made, as last reported"),
  checkpoint: count.nullable().describe("steps in the last checkpoint"),
  stepsPerSecond: z.number().min(0).nullable(),
  secondsLeft: z.number().min(0).nullable(),
  deviceInfo: deviceInfoSchema.nullable(),
  evaluation: historyEntrySchema.nullable().describe("the last evaluation"),
  best: z.strictObject({ step: count, score: z.number() }).nullable()
    .describe("the best evaluation: its nll + KL"),
  failedStarts: z.array(z.strictObject({ seed, step: count, term: z.string() }))
    .describe("starts that were left out, each where its loss term is not finite"),
  recoveries: z.array(recoverySchema).default([])
    .describe("where starts went back to their last good state and lowered their learning rate"),
  reported: z.boolean().describe("whether the report is made"),
  model: idSchema("model").nullable().describe("what it made"),
  failure: z.string().nullable().describe("why it failed"),
  stoppedEarly: z.string().nullable().default(null)
    .describe("why it was complete before its last step"),
  crashes: count.describe("how often in a row its process was lost without a new checkpoint"),
});

/** See {@link storedRunSchema}. */
export type StoredRun = Readonly<z.infer<typeof storedRunSchema>>;

/**
 * A stored model.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { storedModelSchema } from "latentd";
 *
 * assert.deepEqual(storedModelSchema.shape.source.options, ["run", "import"]);
 * ```
 */
export const storedModelSchema = z.strictObject({
  id: idSchema("model"),
  name: nameSchema,
  created: instant,
  source: z.enum(["run", "import"]),
  run: idSchema("run").nullable().describe("the run that made it"),
  dataset: idSchema("dataset").nullable().describe(
    "what it was fitted to; it may be deleted since",
  ),
  T: z.int().min(1).describe("time bins of a trial"),
  N: z.int().min(1).describe("neurons"),
  binWidth: z.number().positive().nullable().describe("seconds; null where not known"),
  seed,
  step: count.describe("optimiser steps made"),
  score: z.number().nullable().describe("its evaluation's nll + KL; null where not known"),
  parameters: count.describe("numbers that were learned"),
  hyperparameters: hyperparametersSchema,
  report: z.boolean().describe("whether there is a report"),
  bytes: count.describe("of the safetensors file"),
  sha256: sha256.describe("of the safetensors file"),
});

/** See {@link storedModelSchema}. */
export type StoredModel = Readonly<z.infer<typeof storedModelSchema>>;

/** What can happen in a run. */
const happenings = [
  z.strictObject({
    kind: z.literal("state"),
    state: stateSchema,
    step: count,
    reason: z.string().nullable(),
    model: idSchema("model").nullable(),
  }),
  z.strictObject({
    kind: z.literal("waiting"),
    reason: z.string().describe("what the run's process waits for before it goes on"),
  }),
  z.strictObject({ kind: z.literal("device"), device: deviceInfoSchema }),
  z.strictObject({
    kind: z.literal("step"),
    step: count.describe("made so far"),
    of: count,
    train: lossesSchema,
    stepsPerSecond: z.number().min(0),
    secondsLeft: z.number().min(0),
  }),
  z.strictObject({
    kind: z.literal("evaluation"),
    entry: historyEntrySchema,
    best: z.boolean().describe("the best so far"),
  }),
  z.strictObject({ kind: z.literal("checkpoint"), step: count }),
  z.strictObject({
    kind: z.literal("start-failed"),
    seed: seed.describe("of the start that is left out from here on"),
    step: count.describe("the step that it could not make"),
    term: z.string().describe("the loss term that is not finite"),
  }),
  z.strictObject({
    kind: z.literal("recovered"),
    ...recoverySchema.shape,
    best: z.strictObject({ step: count, score: z.number() }).nullable()
      .describe("the best evaluation, now that the start's later ones are void"),
  }),
  z.strictObject({ kind: z.literal("report"), made: z.boolean(), reason: z.string().nullable() }),
] as const;

/** What happened, before it has a number. */
export const happeningSchema = z.discriminatedUnion("kind", happenings);

/** See {@link happeningSchema}. */
export type Happening = Readonly<z.infer<typeof happeningSchema>>;

const numbered = { id: z.int().min(1).describe("1, 2, … in each run"), at: instant };

/**
 * One thing that happened in a run; `id` counts 1, 2, 3, … in each run, without gaps. A run that goes on
 * from a checkpoint makes some steps again: its `step` then falls back, while no evaluation or checkpoint
 * is told twice. Only after `recovered` evaluations are told again, and replace the earlier ones.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { runEventSchema } from "latentd";
 *
 * const event = { id: 3, at: "2026-01-01T00:00:00Z", kind: "checkpoint", step: 500 };
 * assert.deepEqual(runEventSchema.parse(event), event);
 * ```
 */
export const runEventSchema = z.discriminatedUnion("kind", [
  happenings[0].extend(numbered),
  happenings[1].extend(numbered),
  happenings[2].extend(numbered),
  happenings[3].extend(numbered),
  happenings[4].extend(numbered),
  happenings[5].extend(numbered),
  happenings[6].extend(numbered),
  happenings[7].extend(numbered),
  happenings[8].extend(numbered),
]);

/** See {@link runEventSchema}. */
export type RunEvent = Readonly<z.infer<typeof runEventSchema>>;

/**
 * What a client asks for when it starts a run. With `resumeFrom`, what is left out is taken from that
 * run.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { runRequestSchema } from "latentd";
 *
 * const asked = { dataset: "d-0123456789abcdef", hyperparameters: { factors: 2 }, seed: 1 };
 * assert(runRequestSchema.safeParse(asked).success);
 * assert(!runRequestSchema.safeParse({ ...asked, sed: 1 }).success);
 * ```
 */
export const runRequestSchema = z.strictObject({
  dataset: idSchema("dataset").optional().describe("needed unless resumeFrom is given"),
  hyperparameters: z.record(z.string(), z.unknown()).optional()
    .describe("hyperparameters that differ from their defaults"),
  device: z.enum(DEVICES).optional().describe('default "auto"'),
  seed: seed.optional().describe("default 0"),
  starts: z.int().min(1).max(STARTS).optional()
    .describe("fits side by side, of seeds from `seed` on, of which the best is kept; default 1"),
  reproducible: z.boolean().optional().describe("default false"),
  report: z.boolean().optional().describe("default true"),
  resumeFrom: idSchema("run").optional().describe("go on from this run's last checkpoint"),
});

/** See {@link runRequestSchema}. */
export type RunRequest = Readonly<z.input<typeof runRequestSchema>>;

const options = {
  name: nameSchema.optional(),
  trials: z.int().min(2).max(1_000_000).optional(),
  T: z.int().min(1).max(100_000).optional(),
  N: z.int().min(1).max(100_000).optional(),
  seed: seed.optional(),
};

/**
 * A simulated dataset that is asked for; the options are those of `simulateRotation` and
 * `simulateLorenz`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { simulateRequestSchema } from "latentd";
 *
 * assert(simulateRequestSchema.safeParse({ kind: "rotation", trials: 20 }).success);
 * assert(!simulateRequestSchema.safeParse({ kind: "rotation", dt: 0.006 }).success);
 * ```
 */
export const simulateRequestSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("rotation"),
    ...options,
    w: z.number().min(-1).max(1).optional(),
    binWidth: z.number().positive().nullable().optional(),
  }),
  z.strictObject({
    kind: z.literal("lorenz"),
    ...options,
    conditions: z.int().min(1).max(1_000_000).optional(),
    binWidth: z.number().positive().optional(),
    dt: z.number().positive().optional(),
    speed: z.number().positive().optional(),
    baseRate: z.number().positive().optional(),
    gain: z.number().min(0).optional(),
    burnIn: z.int().min(0).max(10_000_000).optional(),
  }),
], { error: 'expected "rotation" or "lorenz"' });

/** See {@link simulateRequestSchema}. */
export type SimulateRequest = Readonly<z.infer<typeof simulateRequestSchema>>;
