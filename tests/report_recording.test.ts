/** What a report shows of a recording, made from small models that were not fitted. */
import assert from "node:assert/strict";
import { DOMParser } from "linkedom";
import {
  architecture,
  createReferenceExecutor,
  type Dataset,
  datasetFromArrays,
  evaluate,
  initialise,
  inputFixedPoints,
  type Model,
  parseHyperparameters,
  type Posterior,
  renderReport,
  type ReportData,
  reportData,
  study,
} from "../src/mod.ts";
import { parameter } from "../src/model/model.ts";
import { fillNormal, seedWords, STREAMS } from "../src/random.ts";
import { componentsOf } from "../src/report/projection.ts";
import { missingPath } from "../src/report/heatmap.ts";
import type { Study } from "../src/study/report.ts";
import { decodings } from "../src/study/recording/decoding.ts";
import { eventsOf } from "../src/study/recording/events.ts";
import { trialsToShow } from "../src/study/recording/groups.ts";
import { inputsView } from "../src/study/recording/inputs.ts";
import { recordingView } from "../src/study/recording.ts";
import { exampleReport } from "./report_example.ts";

const TRIALS = 14, T = 6, N = 5;

function normals(n: number, row: number): Float64Array {
  return fillNormal({ ...seedWords(5), stream: STREAMS.simulate }, row, new Float64Array(n));
}

/** Counts with two named conditions, and whatever else is given. */
function recording(more: Partial<Parameters<typeof datasetFromArrays>[0]> = {}): Dataset {
  const spikes = normals(TRIALS * T * N, 1).map((value) => Math.floor(Math.abs(1.5 * value)));
  return datasetFromArrays({
    name: "made up",
    spikes: { shape: [TRIALS, T, N], data: spikes },
    binWidth: 0.02,
    condition: { shape: [TRIALS], data: Int32Array.from({ length: TRIALS }, (_, b) => b % 2) },
    conditionNames: ["left <", "right"],
    ...more,
  });
}

const SPLIT = {
  train: Uint32Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
  evaluation: Uint32Array.of(10, 11, 12, 13),
};

function modelOf(settings: Record<string, unknown>, X = 0, heldOut: number[] = []): Model {
  const sizes = { generatorUnits: 3, factors: 3, encoderUnits: 2, externalInputs: X };
  const autonomous = { controllerUnits: 0, inferredInputs: 0, controllerEncoderUnits: 0 };
  const hyperparameters = parseHyperparameters({ ...sizes, ...autonomous, ...settings });
  const shape = architecture(hyperparameters, T, N);
  const params_P = initialise(shape, hyperparameters, 0, new Float64Array(N).fill(0.5));
  const origin = { seed: 0, step: 0, binWidth: 0.02 };
  return { ...origin, hyperparameters, architecture: shape, params_P, heldOut };
}

const DRIVEN = { controllerUnits: 2, inferredInputs: 1 };

interface Element {
  readonly textContent: string;
  readonly localName: string;
  readonly attributes: Iterable<{ readonly name: string; readonly value: string }>;
  querySelectorAll(selector: string): Iterable<Element>;
  getAttribute(name: string): string | null;
}

function parse(page: string): Element {
  return new DOMParser().parseFromString(page, "text/html") as unknown as Element;
}

function text(page: Element, selector: string): string {
  return [...page.querySelectorAll(selector)].map((one) => one.textContent).join(" ")
    .replace(/\s+/g, " ");
}

const ABOUT = { title: "Test", created: "2026-01-01T00:00:00Z" };

Deno.test("a recording's page shows every part that its data and its model have", async () => {
  const missing = new Uint8Array(TRIALS * T * N);
  missing[(10 * T + 2) * N + 1] = 1; // of a trial that is drawn
  const lengths = new Int32Array(TRIALS).fill(T);
  lengths[3] = T - 2;
  // at rest in the first two bins
  const still = normals(TRIALS * T * 2, 3).map((value, i) => i % (2 * T) < 4 ? 0 : value);
  const data = recording({
    missing: { shape: [TRIALS, T, N], data: missing },
    lengths: { shape: [TRIALS], data: lengths },
    external: { shape: [TRIALS, T, 1], data: normals(TRIALS * T, 2) },
    behaviour: { hand_vel: { shape: [TRIALS, T, 2], data: still } },
  });
  const model = modelOf({ ...DRIVEN, encodedBins: 5, heldOutNeurons: 0.2 }, 1, [2]);
  const done = await study(createReferenceExecutor(), data, model, SPLIT, { samples: 1 });
  const page = parse(await renderReport(reportData(done, ABOUT)));
  const sections = [...page.querySelectorAll("section")].map((one) => one.getAttribute("id"));
  for (const id of ["raster", "decoding", "inputs", "input-fixed-points"]) {
    assert.ok(sections.includes(id), `no section ${id}`);
  }
  const raster = text(page, "#raster");
  assert.match(raster, /1 neuron that the model never saw/);
  assert.match(raster, /Right of the line the model forecasts/);
  assert.match(raster, /not observed/);
  assert.match(text(page, "#trajectories"), /averaged over the trials of each of 2 conditions/);
  assert.match(text(page, "#trajectories .legend"), /left </);
  assert.match(text(page, "#inputs"), /inferred input 1.*external input 1/);
  assert.match(text(page, "#inputs"), /onset of movement/);
  assert.match(text(page, "#input-fixed-points"), /the mean input of each condition/);
  assert.match(text(page, "#decoding figcaption"), /R² .* from inferred rates/);
  assert.match(text(page, "#scores"), /co-bps/);
  assert.match(text(page, "#scores"), /fp-bps/);
  assert.match(text(page, "#scores"), /behaviour R² ?hand_vel/);
  for (const drawing of page.querySelectorAll("svg.plot")) {
    assert.ok((drawing.getAttribute("aria-label") ?? "").length > 10);
  }
  for (const element of page.querySelectorAll("svg *")) {
    for (const { name, value } of element.attributes) {
      assert.doesNotMatch(value, /NaN|Infinity|undefined/, `${element.localName} ${name}`);
    }
  }
});

Deno.test("a simulation without inputs, conditions and behaviour has none of those parts", async () => {
  const data = recording({ condition: null, conditionNames: null });
  const done = await study(createReferenceExecutor(), data, modelOf({}), SPLIT, { samples: 1 });
  const view = recordingView(done);
  assert.deepEqual(
    [view.inputs, view.decoding, view.inputFixedPoints, view.evaluation],
    [null, null, null, null],
  );
  const page = parse(await renderReport(reportData(done, ABOUT)));
  const sections = [...page.querySelectorAll("section")].map((one) => one.getAttribute("id"));
  assert.ok(sections.includes("raster"));
  for (const id of ["decoding", "inputs", "input-fixed-points"]) {
    assert.ok(!sections.includes(id), `section ${id}`);
  }
  assert.doesNotMatch(text(page, "#raster"), /not observed|never saw|forecasts/);
});

/** A study of which only inputs and rates are known. */
function studyWith(data: Dataset, model: Model, posterior: Partial<Posterior>): Study {
  const none = new Float64Array(0);
  const empty = { rates_BTN: none, factors_BTF: none, gen_BTG: none, inputs_BTU: none };
  return { data, model, split: SPLIT, posterior: { ...empty, ...posterior } } as unknown as Study;
}

Deno.test("inputs around an event: means and deviations of the trials that have the bin", () => {
  // Speed is 0 before the onset and 1 from it on: at bin 1 in even trials, at bin 3 in odd ones.
  const onset = (b: number) => b % 2 === 0 ? 1 : 3;
  const speed = Float64Array.from(
    { length: TRIALS * T },
    (_, i) => Number(i % T >= onset(Math.floor(i / T))),
  );
  const data = recording({
    behaviour: { speed: { shape: [TRIALS, T, 1], data: speed } },
    condition: null,
    conditionNames: null,
  });
  const [, movement] = eventsOf(data);
  assert.deepEqual([...movement.bin_B], Array.from({ length: TRIALS }, (_, b) => onset(b)));
  // Ten times the bins since the onset, 1 more in odd trials, 1 less in even ones.
  const inputs_BTU = Float64Array.from({ length: TRIALS * T }, (_, i) => {
    const b = Math.floor(i / T);
    return 10 * (i % T - onset(b)) + (b % 2 === 0 ? -1 : 1);
  });
  const view = inputsView(studyWith(data, modelOf(DRIVEN), { inputs_BTU }));
  assert.equal(view?.events.length, 2);
  const { from, bins, mean_KTI, deviation_KTI } = view!.events[1];
  // Bins -1 … 2 are in all trials, -3 … -2 in the odd half, 3 … 4 in the even half.
  assert.deepEqual([from, bins], [-3, 8]);
  assert.deepEqual([...mean_KTI as Float64Array], [-29, -19, -10, 0, 10, 20, 29, 39]);
  assert.deepEqual([...deviation_KTI as Float64Array], [0, 0, 1, 1, 1, 1, 0, 0]);
});

Deno.test("a trial that moves from its first bin on, or never, has no onset", () => {
  const speed = new Float64Array(TRIALS * T);
  speed.fill(1, 0, T); // the first trial
  speed.set([NaN, 0.1, 3, NaN, 1, 1], T);
  const data = recording({ behaviour: { speed: { shape: [TRIALS, T, 1], data: speed } } });
  assert.deepEqual([...eventsOf(data)[1].bin_B.subarray(0, 3)], [-1, 2, -1]);
});

Deno.test("behaviour that is linear in the rates is decoded from them, and missing counts are not", () => {
  const rates_BTN = normals(TRIALS * T * N, 6);
  const truth = Float64Array.from(
    { length: TRIALS * T },
    (_, row) => 3 * rates_BTN[row * N] - rates_BTN[row * N + 4] + 2,
  );
  const behaviour = { angle: { shape: [TRIALS, T, 1], data: truth } };
  const decode = (data: Dataset) => decodings(studyWith(data, modelOf({}), { rates_BTN }));
  const found = decode(recording({ behaviour }));
  const [{ trials, decoders, truth_BTD }] = found!.view.behaviours;
  assert.deepEqual(trials, [10, 11, 12, 13]);
  assert.deepEqual(decoders.map(({ role }) => role), ["model", "counts"]);
  assert.ok(decoders[0].r2 > 1 - 1e-6 && decoders[1].r2 < 0.5);
  const off = Array.from(truth_BTD, (value, i) => Math.abs(value - decoders[0].decoded_BTD[i]));
  // The least penalty, 1e-4, shrinks weights of size 3 over 60 samples of variance 1 by about 5e-6.
  assert.ok(Math.max(...off) < 1e-4);
  assert.deepEqual(found?.rows.map(({ metric, of }) => [metric, of]), [["behaviour R²", "angle"]]);

  const missing = new Uint8Array(TRIALS * T * N);
  for (let b = 0; b < TRIALS; b++) missing.fill(1, b * T * N, (b * T + 1) * N + 1);
  missing.fill(1, 0, T * N);
  const gaps = decode(recording({ behaviour, missing: { shape: [TRIALS, T, N], data: missing } }));
  assert.deepEqual(gaps?.view.behaviours[0].decoders.map(({ role }) => role), ["model"]);
});

Deno.test("neurons that the model never saw are not decoded from", () => {
  const data = recording();
  // behaviour is the count of neuron 0
  const count = Float64Array.from({ length: TRIALS * T }, (_, row) => data.counts_BTN[row * N]);
  const behaviour_BTD = { count: { shape: [TRIALS, T, 1], data: count } };
  const rates_BTN = normals(TRIALS * T * N, 6);
  const r2 = (heldOut: number[]) => {
    const whole = { ...data, behaviour_BTD };
    const found = decodings(studyWith(whole, modelOf({}, 0, heldOut), { rates_BTN }));
    return found!.view.behaviours[0].decoders[1].r2;
  };
  assert.ok(r2([]) > 0.999);
  assert.ok(r2([0]) < 0.5);
});

Deno.test("the slowest baseline can be left out of the scores", () => {
  const seen = { ...SPLIT, heldOut: [1], encodedBins: T };
  const rates_BTN = normals(TRIALS * T * N, 6).map(Math.exp);
  const factors_BTF = normals(TRIALS * T, 7);
  const { rows } = evaluate(recording(), seen, { rates_BTN, factors_BTF }, { regression: false });
  const [co] = rows.filter(({ metric }) => metric === "co-bps");
  assert.deepEqual(Object.keys(co.baselines), ["average", "per condition"]);
  assert.ok(!rows.some(({ metric }) => metric === "few-shot co-bps"));
});

Deno.test("behaviour of many dimensions is named and not decoded", () => {
  const behaviour = { video: { shape: [TRIALS, T, 9], data: normals(TRIALS * T * 9, 7) } };
  const rates_BTN = normals(TRIALS * T * N, 6);
  const found = decodings(studyWith(recording({ behaviour }), modelOf({}), { rates_BTN }));
  assert.deepEqual(found?.view.behaviours, []);
  assert.deepEqual(found?.view.left, ["video (9 dimensions) is not decoded here."]);
});

/** h' = 0.5 h + (u, 2 u, x): it stands still at twice the input. */
function linearModel(): Model {
  const settings = { ...DRIVEN, cell: "vanilla", nonlinearity: "identity" };
  const model = modelOf(settings, 1);
  parameter(model, "generator.wRecurrent_GG").set([0.5, 0, 0, 0, 0.5, 0, 0, 0, 0.5]);
  parameter(model, "generator.wInput_UG").set([1, 2, 0]);
  parameter(model, "generator.wExternal_XG").set([0, 0, 1]);
  parameter(model, "generator.b_G").fill(0);
  return model;
}

Deno.test("a linear generator stands still where its inputs of a condition put it", async () => {
  const external = Float64Array.from({ length: TRIALS * T }, (_, i) => Math.floor(i / T) % 2);
  const data = recording({ external: { shape: [TRIALS, T, 1], data: external } });
  // -1 and 1 in turn, 0.25 more in odd trials
  const inputs_BTU = Float64Array.from(
    { length: TRIALS * T },
    (_, i) => (i % 2 ? 1 : -1) + 0.25 * (Math.floor(i / T) % 2),
  );
  const gen_BTG = normals(TRIALS * T * 3, 8);
  const { posterior } = studyWith(data, linearModel(), { inputs_BTU, gen_BTG });
  const executor = createReferenceExecutor();
  const found = await inputFixedPoints(executor, linearModel(), data, posterior, { tol: 1e-3 });
  assert.deepEqual(found?.groups.map(({ label }) => label), ["left <", "right"]);
  const points = found!.groups.map(({ result }) => Array.from(result.points[0].point_G));
  [[0, 0, 0], [0.5, 1, 2]].forEach((wanted, k) =>
    // Newton's last step on a linear map is exact but for roundings of float64.
    wanted.forEach((value, g) => assert.ok(Math.abs(points[k][g] - value) < 1e-9))
  );
  assert.ok(
    Math.abs(found!.groups[1].result.points[0].linearisation.modes[0].value.re - 0.5) < 1e-9,
  );
});

Deno.test("without conditions the inputs are held at quantiles of their main direction", async () => {
  const external = new Float64Array(TRIALS * T);
  const data = recording({
    condition: null,
    conditionNames: null,
    external: { shape: [TRIALS, T, 1], data: external },
  });
  const inputs_BTU = Float64Array.from({ length: TRIALS * T }, (_, i) => i % 21);
  const gen_BTG = normals(TRIALS * T * 3, 8);
  const { posterior } = studyWith(data, linearModel(), { inputs_BTU, gen_BTG });
  const executor = createReferenceExecutor();
  const options = { tol: 1e-3, iterations: 10 };
  const found = await inputFixedPoints(executor, linearModel(), data, posterior, options);
  const inputs = found!.groups.map(({ result }) => result.input_U[0]);
  // 84 values, 0 … 20 four times each: places 4, 42 (41.5 rounded up) and 79
  [1, 10, 19].forEach((wanted, k) => assert.ok(Math.abs(inputs[k] - wanted) < 1e-12));
});

Deno.test("components of known variances come in their order, with their shares", () => {
  const rows = [3, 0, 0, -3, 0, 0, 0, 2, 0, 0, -2, 0, 0, 0, 1, 0, 0, -1];
  const found = componentsOf(rows, 3, 3);
  // variances 18 / 6, 8 / 6 and 2 / 6
  [18 / 28, 8 / 28, 2 / 28].forEach((share, k) =>
    assert.ok(Math.abs(found!.shares[k] - share) < 1e-12)
  );
  [1, 2, 3].forEach((value, k) => assert.ok(Math.abs(found!.at([1, 2, 3])[k] - value) < 1e-12));
  assert.equal(componentsOf([NaN, 1, 2], 3, 2), null);
});

Deno.test("cells that are NaN are marked as one run, and nothing else is", () => {
  const cells = [[0, NaN, NaN], [1, 2, NaN]];
  const path = missingPath({ rows: 2, columns: 3, full: 1, value: (row, t) => cells[row][t] });
  assert.equal(path, "M1 0h2v1h-2zM2 1h1v1h-1z");
});

Deno.test("real numbers have no raster, counts have one", async () => {
  const plain = exampleReport({ B: 3, T: 4, N: 3, steps: 2 });
  const has = async (data: ReportData) =>
    [...parse(await renderReport(data)).querySelectorAll("#raster")].length === 1;
  const counts_BTN = Float64Array.from(plain.rates.counts_BTN);
  assert.ok(await has(plain));
  counts_BTN[5] = NaN;
  assert.ok(await has({ ...plain, rates: { ...plain.rates, counts_BTN } }));
  counts_BTN[4] = 0.5;
  assert.ok(!await has({ ...plain, rates: { ...plain.rates, counts_BTN } }));
});

Deno.test("a page of real numbers speaks of numbers and expected values, one of counts of spikes and rates", async () => {
  const behaviour = { angle: { shape: [TRIALS, T, 2], data: normals(TRIALS * T * 2, 9) } };
  const numbers = { shape: [TRIALS, T, N], data: normals(TRIALS * T * N, 1) };
  const pageOf = async (data: Dataset, observation: "poisson" | "gaussian") => {
    const hyperparameters = modelOf({}).hyperparameters;
    const settings = parseHyperparameters({ ...hyperparameters, observation });
    const shape = architecture(settings, T, N);
    const Q = observation === "gaussian" ? 2 * N : N;
    const params_P = initialise(shape, settings, 0, new Float64Array(Q).fill(0.5));
    const model = { ...modelOf({}), hyperparameters: settings, architecture: shape, params_P };
    const whole = await study(createReferenceExecutor(), data, model, SPLIT, { samples: 2 });
    const { history } = exampleReport({ steps: 40 });
    return parse(await renderReport({ ...reportData(whole, ABOUT), history }));
  };
  const real = await pageOf(recording({ spikes: numbers, behaviour }), "gaussian");
  const counted = await pageOf(recording({ behaviour }), "poisson");
  const all = ["summary", "training", "rates", "scores", "decoding"]
    .map((id) => text(real, `#${id}`)).join(" ");
  // of spikes it says nothing, but the share that some scores would have of them
  assert.doesNotMatch(all, /spike|firing|smoothed counts|from counts|inferred rate/i);
  assert.match(text(real, "#rates h2"), /^Expected values/);
  const legends = (page: Element, id: string) => text(page, `#${id} .legend`);
  assert.match(legends(real, "rates"), /expected value.*observed/);
  assert.match(legends(real, "decoding"), /from expected values.*from smoothed numbers/);
  assert.match(text(real, "#rates figcaption"), /in the data’s unit/);
  assert.match(text(real, "#training figcaption"), /likelihood of the numbers over all steps\./);
  assert.match(text(real, "#scores th"), /predictor NLL \(nats\/sample\) note/);
  assert.match(legends(counted, "rates"), /inferred rate.*spikes/);
  assert.match(legends(counted, "decoding"), /from inferred rates.*from smoothed counts/);
  assert.match(text(counted, "#rates figcaption"), /spikes\/s/);
  // the axis goes as far below 0 as the numbers do
  const ticks = (page: Element) => text(page, "#rates svg text");
  assert.match(ticks(real), /[-−]2 0 2/);
  assert.doesNotMatch(ticks(counted), /[-−]/);
});

Deno.test("trials to show are of as many conditions as there are", () => {
  const condition = Int32Array.of(0, 0, 0, 0, 1, 2);
  const of = (trials: number[], most: number) => [
    ...trialsToShow({ condition }, Uint32Array.from(trials), most),
  ];
  assert.deepEqual(of([0, 1, 2, 3, 4, 5], 3), [0, 4, 5]);
  assert.deepEqual(of([0, 1, 2, 3, 4], 4), [0, 1, 2, 4]);
  assert.deepEqual([...trialsToShow({ condition: null }, Uint32Array.of(4, 7, 9), 2)], [4, 7]);
});

Deno.test("a recording of benchmark size stays below 3 MB", async () => {
  const sizes = { B: 128, T: 140, N: 180, G: 40, F: 40, U: 4, steps: 500 };
  const plain = exampleReport(sizes);
  const K = 8, D = 2, trials = [0, 1, 2, 3];
  const aligned = {
    event: "start of the trial",
    words: "",
    from: 0,
    bins: sizes.T,
    mean_KTI: normals(K * sizes.T * 6, 9),
    deviation_KTI: normals(K * sizes.T * 6, 10),
  };
  const behaviour = {
    D,
    T: sizes.T,
    trials,
    truth_BTD: normals(4 * sizes.T * D, 11),
    decoders: (["model", "counts"] as const).map((role, k) => ({
      ...{ role, r2: 0.5, penalty: 1, sigma: null },
      decoded_BTD: normals(4 * sizes.T * D, 12 + k),
    })),
  };
  const data: ReportData = {
    ...plain,
    trajectories: {
      ...plain.trajectories,
      condition: Int32Array.from({ length: sizes.B }, (_, b) => b % K),
    },
    recording: {
      conditionNames: null,
      heldOut: [1, 2, 3],
      encodedBins: 120,
      inputs: {
        U: 4,
        X: 2,
        groups: Array.from({ length: K }, (_, condition) => ({ condition, trials: 32 })),
        events: [aligned, { ...aligned, event: "onset of movement" }],
      },
      decoding: {
        trainTrials: 200,
        evalTrials: 56,
        behaviours: ["hand_pos", "hand_vel"].map((name) => ({ name, ...behaviour })),
        left: [],
      },
      inputFixedPoints: {
        by: "the mean input of each condition",
        groups: Array.from({ length: K }, (_, condition) => ({
          label: `condition ${condition}`,
          condition,
          input: [0, 0, 0, 0, 0, 0],
          points: plain.fixedPoints,
        })),
      },
      evaluation: null,
    },
  };
  assert.ok(new TextEncoder().encode(await renderReport(data)).length < 3e6);
});
