/** Fixed points of a model's generator: found, linearised, classified. */
import {
  FIXED_POINT_DEFAULTS,
  type FixedPoint,
  type FixedPointResult,
  fixedPointView,
  idSchema,
} from "../src/server.ts";
import { z } from "zod";
import type { ServerContext } from "./context.ts";
import type { Routes } from "./http/endpoint.ts";
import { bytesResponse } from "./http/pace.ts";
import { json, modelParams } from "./schemas.ts";

const finite = (field: z.ZodNumber, name: keyof typeof FIXED_POINT_DEFAULTS, described: string) =>
  field.optional().meta({ description: `${described}; ${FIXED_POINT_DEFAULTS[name]}` });
const positive = z.number().positive(), notNegative = z.number().min(0);

/** As `findFixedPoints` has them. */
const search = z.strictObject({
  iterations: finite(z.int().min(1).max(1_000_000), "iterations", "most Adam iterations"),
  batch: finite(z.int().min(1).max(100_000), "batch", "iterations between looks at the mean speed"),
  stepSize: finite(positive, "stepSize", "Adam's first step, in units of the state"),
  decay: finite(positive.max(1), "decay", "the step's factor at each iteration"),
  b1: finite(notNegative.lt(1), "b1", "Adam's decay of the first moment"),
  b2: finite(notNegative.lt(1), "b2", "Adam's decay of the second moment"),
  eps: finite(positive, "eps", "Adam's epsilon, outside the root"),
  noiseStd: finite(notNegative, "noiseStd", "of Gaussian noise on the candidates"),
  stopTol: finite(notNegative, "stopTol", "stop when the mean q is below"),
  tol: finite(positive, "tol", "keep points with q below"),
  uniqueTol: finite(notNegative, "uniqueTol", "points at most this far apart are one"),
  outlierTol: z.number().positive().nullable().optional().meta({
    description:
      `drop points whose nearest neighbour is farther; null drops none; ${FIXED_POINT_DEFAULTS.outlierTol}`,
  }),
  polishRadius: finite(notNegative, "polishRadius", "the polish moves a point at most so far"),
  neutralTolerance: finite(notNegative, "neutralTolerance", "see the classes"),
});

const FixedPointsRequest = z.strictObject({
  dataset: idSchema("dataset").optional().meta({
    description:
      "candidates are states that the model visits in these trials; without, in trials " +
      "that it generates",
  }),
  samples: z.int().min(0).max(65_536).optional().meta({
    description: "posterior samples of each of these trials; 64",
  }),
  trials: z.int().min(1).max(100_000).optional().meta({
    description: "trials to generate without a dataset; 100",
  }),
  candidates: z.int().min(1).max(1_000_000).optional().meta({
    description: "at most about so many; 2000",
  }),
  input: z.array(z.number()).optional().meta({
    description: "the inferred inputs, held still; zeros",
  }),
  binWidth: positive.nullable().optional().meta({ description: "seconds per bin; the model's" }),
  seed: z.int().min(0).optional().meta({ description: "of samples, trials and noise; 0" }),
  search: search.optional(),
}).meta({ id: "FixedPointsRequest" });

const count = z.int().min(0);
const number = z.number().nullable().describe("null where it is not finite");
const pointSchema = z.strictObject({
  point: z.array(number).describe("the state, G numbers"),
  q: number.describe("mean over dimensions of (F(h) - h)²"),
  class: z.string(),
  polish: z.string(),
  members: count.describe("candidates that led here"),
  eigenvalues: z.array(z.strictObject({
    re: number,
    im: number,
    modulus: number,
    angle: number.describe("radians per bin"),
    hz: number.describe("rotations per second; null without a bin width"),
    timeConstant: number.describe("seconds, or bins without a bin width; negative where it grows"),
  })).describe("largest first"),
});
const FixedPoints = z.strictObject({
  model: z.string(),
  seed: count,
  device: z.strictObject({ name: z.string(), reason: z.string() }).loose(),
  counts: z.strictObject({
    candidates: count,
    notFinite: count,
    tooFast: count,
    polished: count,
    repeats: count,
    outliers: count,
    kept: count,
  }),
  iterations: count,
  meanSpeed: number,
  stoppedEarly: z.boolean(),
  input: z.array(number),
  binWidth: number,
  fixedPoints: z.array(pointSchema).describe("slowest first"),
  outliers: z.array(z.strictObject({
    point: z.array(number),
    q: number,
    members: count,
    nearest: number.describe("distance to the nearest other point"),
  })),
}).meta({ id: "FixedPoints" });

export function fixedPointRoutes(routes: Routes, context: ServerContext): void {
  const { jobs, serving, work, settings } = context;
  routes.add({
    method: "post",
    path: "/v1/models/{id}/fixed-points",
    id: "findFixedPoints",
    tag: "analysis",
    summary: "find fixed points",
    params: modelParams,
    json: FixedPointsRequest,
    jsonOptional: true,
    answers: {
      200: { description: "points and what became of the candidates", content: json(FixedPoints) },
    },
    duration: "job",
  }, async ({ params: { id }, json: asked, signal }) => {
    const { dataset, input, search, ...others } = asked;
    const model = await serving.describe(id, { signal });
    const trials = dataset === undefined ? undefined : await work.counts({
      sha256: (await jobs.datasets.get(dataset)).sha256,
      bytes: () => jobs.datasets.bytes(dataset),
    });
    const { outlierTol, ...searching } = search ?? {};
    const result = await serving.fixedPoints(id, {
      ...others,
      ...(trials && { data: trials }),
      ...(input && { input_U: input }),
      search: {
        ...searching,
        ...(outlierTol === undefined ? {} : { outlierTol: outlierTol ?? Infinity }),
      },
    }, { signal });
    const binWidth = asked.binWidth ?? trials?.binWidth ?? model.binWidth;
    const text = await write(id, asked.seed ?? 0, binWidth, result);
    return bytesResponse(
      new TextEncoder().encode(text),
      { "content-type": "application/json" },
      settings.idleMs,
    );
  });
}

/** Milliseconds of work before others have their turn. */
const TURN_MS = 5;

/** The answer as JSON: points have as many eigenvalues as they have numbers, so that it may be long. */
async function write(
  model: string,
  seed: number,
  binWidth: number | null,
  result: FixedPointResult,
): Promise<string> {
  const { device, counts, iterations, meanSpeed, stoppedEarly, input_U } = result;
  const head = JSON.stringify({
    ...{ model, seed, device, counts, iterations, meanSpeed, stoppedEarly, binWidth },
    input: Array.from(input_U),
  });
  const points = await listed(result.points, (point) => pointView(point, binWidth));
  const outliers = await listed(result.outliers, ({ point_G, q, members, nearest }) => ({
    ...{ point: Array.from(point_G), q, members, nearest },
  }));
  return `${head.slice(0, -1)},"fixedPoints":[${points.join(",")}],"outliers":[${
    outliers.join(",")
  }]}`;
}

async function listed<T>(items: readonly T[], view: (item: T) => object): Promise<string[]> {
  const texts: string[] = [];
  let since = performance.now();
  for (const item of items) {
    texts.push(JSON.stringify(view(item)));
    if (performance.now() - since < TURN_MS) continue;
    await new Promise((resolve) => setTimeout(resolve));
    since = performance.now();
  }
  return texts;
}

function pointView(point: FixedPoint, binWidth: number | null) {
  const { polish, members } = point;
  return { ...fixedPointView(point, binWidth), polish, members };
}
