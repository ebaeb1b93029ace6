/** `latentd score` and what it is made of. */
import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { contests, splitLine, wins } from "../src/cli/score_print.ts";
import { parameterLayout, readoutNames } from "../src/model/layout.ts";
import {
  architecture,
  BENCHMARK_PENALTIES,
  bitsPerSpike,
  type Dataset,
  datasetFromArrays,
  decodeFromCounts,
  evaluate,
  type Evaluation,
  heldOutNeurons,
  meanRSquared,
  type Model,
  nullRates,
  parameter,
  parseHyperparameters,
  repeatRates,
  type ScoreRow,
  simulateRotation,
  smoothTrials,
  splitTrials,
  testSplit,
  WIDE_PENALTIES,
  writeDataset,
} from "../src/mod.ts";
import { assertRefused, lastJson, latentd, latentdOn, TINY } from "./cli_helpers.ts";
import { inFolder } from "./folders.ts";

const T = 12, N = 8, TRIALS = 20;

/** A rotation with conditions, and behaviour that is where its point stands. */
function recording(): Dataset {
  const { counts_BTN, truth } = simulateRotation({ trials: TRIALS, T, N, seed: 4 });
  const { latents_BTL, rates_BTN, L } = truth!;
  return datasetFromArrays({
    name: "rotation",
    spikes: { shape: [TRIALS, T, N], data: counts_BTN },
    binWidth: 0.02,
    condition: { shape: [TRIALS], data: Int32Array.from({ length: TRIALS }, (_, b) => b % 2) },
    rates: { shape: [TRIALS, T, N], data: rates_BTN },
    latents: { shape: [TRIALS, T, L], data: latents_BTL },
    behaviour: { point: { shape: [TRIALS, T, L], data: latents_BTL } },
  });
}

const data = recording();
const heldOut = [1, 5], encodedBins = 9;
const seen = { ...splitTrials(TRIALS, 0.25, 0), heldOut, encodedBins };
const factors_BTF = data.truth!.latents_BTL;

function rowOf({ rows }: Evaluation, metric: ScoreRow["metric"], of = ""): ScoreRow {
  const row = rows.find((one) => one.metric === metric && one.of.includes(of));
  assert(row, `no ${metric} among ${rows.map(({ metric }) => metric)}`);
  return row;
}

/** Some bins and columns of trials. */
function cut(
  values_BTN: ArrayLike<number>,
  columns: number,
  bins: readonly number[],
  which: readonly number[],
  trials: Uint32Array,
) {
  return Float64Array.from(
    [...trials].flatMap((b) =>
      bins.flatMap((t) => which.map((n) => values_BTN[(b * T + t) * columns + n]))
    ),
  );
}

/** Of counts and rates. */
function part(
  values_BTN: ArrayLike<number>,
  bins: readonly number[],
  neurons: readonly number[],
  trials = seen.evaluation,
) {
  return cut(values_BTN, N, bins, neurons, trials);
}
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const others = range(0, N).filter((n) => !heldOut.includes(n));
/** Bins and neurons of each kind of score. */
const PARTS = {
  seen: [range(0, encodedBins), others],
  heldOut: [range(0, encodedBins), heldOut],
  toCome: [range(encodedBins, T), range(0, N)],
} as const;

Deno.test("each score of spikes looks at its own neurons and bins", () => {
  // rates as unlike in each part as can be told apart
  const rates_BTN = data.truth!.rates_BTN.map((rate, i) =>
    rate *
    (1 + (heldOut.includes(i % N) ? 0.5 : 0) + (Math.floor(i / N) % T >= encodedBins ? 0.25 : 0))
  );
  const found = evaluate(data, seen, { rates_BTN, factors_BTF }, { shots: 4 });
  const cases = [
    ["bits per spike", ...PARTS.seen],
    ["co-bps", ...PARTS.heldOut],
    ["fp-bps", ...PARTS.toCome],
  ] as const;
  for (const [metric, bins, neurons] of cases) {
    const row = rowOf(found, metric);
    const bits = (rates: ArrayLike<number>) =>
      bitsPerSpike(
        part(rates, bins, neurons),
        part(data.counts_BTN, bins, neurons),
        neurons.length,
      );
    assert.equal(row.model, bits(rates_BTN), metric);
    assert.equal(row.oracle, bits(data.truth!.rates_BTN), metric);
    assert(Number.isFinite(row.baselines.average), metric);
  }
  assert.equal(new Set(cases.map(([metric]) => rowOf(found, metric).model)).size, 3);
  assert.deepEqual(found.left, []);
});

Deno.test("the truth scores what the oracle does, everywhere", () => {
  const { rows } = evaluate(data, seen, { rates_BTN: data.truth!.rates_BTN, factors_BTF }, {
    shots: 4,
  });
  assert.deepEqual(
    new Set(rows.map(({ metric }) => metric)),
    new Set([
      ...["bits per spike", "co-bps", "fp-bps", "few-shot co-bps"],
      ...["PSTH R²", "R² to the truth", "behaviour R²"],
    ]),
  );
  for (const { metric, model, oracle } of rows) {
    if (metric !== "few-shot co-bps") assert.equal(model, oracle, metric);
  }
  assert.equal(rowOf({ rows, left: [], pcaPoisson: null }, "R² to the truth").model, 1);
});

Deno.test("what knows no more than the mean scores 0", () => {
  const all = { ...seen, encodedBins: T };
  // null rates of the evaluation trials, as the benchmark has them
  const null_N = nullRates(part(data.counts_BTN, range(0, T), range(0, N)), N);
  const rates_BTN = repeatRates(null_N, TRIALS * T);
  const found = evaluate(data, all, { rates_BTN, factors_BTF }, { brief: true });
  assert.equal(rowOf(found, "bits per spike").model, 0);
  assert.equal(rowOf(found, "co-bps").model, 0);
  // a decoder of rates that never change predicts the training mean
  for (const penalties of ["benchmark's", "any"]) {
    assert(rowOf(found, "behaviour R²", penalties).model <= 0);
  }
  assert(found.left.some((why) => why.startsWith("fp-bps")));
});

Deno.test("behaviour that the rates hold is decoded, in the bins that the model sees", () => {
  const { data: points } = data.behaviour_BTD!.point;
  const rates_BTN = Float64Array.from({ length: TRIALS * T * N }, (_, i) => {
    const row = Math.floor(i / N);
    // nothing is to be found in the bins to come
    return row % T < encodedBins ? 3 + points[row * 2 + i % 2] : 0;
  });
  const found = evaluate(data, seen, { rates_BTN, factors_BTF }, { brief: true });
  const row = rowOf(found, "behaviour R²", "benchmark's");
  assert(row.model > 0.99999 && row.model <= 1, `${row.model}`);
  assert(row.baselines["smoothed counts"] < row.model);
  assert(row.baselines.average < row.model);
});

Deno.test("behaviour's baselines see the training trials, and of those the neurons seen", () => {
  const rates_BTN = data.truth!.rates_BTN;
  const found = evaluate(data, seen, { rates_BTN, factors_BTF }, { brief: true });
  const bins = range(0, encodedBins), { data: points } = data.behaviour_BTD!.point;
  const of = (trials: Uint32Array) => ({
    rates_XF: part(data.counts_BTN, bins, others, trials),
    behaviour_XD: cut(points, 2, bins, [0, 1], trials),
  });
  const sizes = { T: encodedBins, F: others.length, D: 2 };
  for (
    const [words, penalties] of [["benchmark's", BENCHMARK_PENALTIES], [
      "any",
      WIDE_PENALTIES,
    ]] as const
  ) {
    const { r2 } = decodeFromCounts(of(seen.train), of(seen.evaluation), sizes, penalties);
    assert.equal(rowOf(found, "behaviour R²", words).baselines["smoothed counts"], r2);
  }
  // the mean of the training trials in each bin, for every evaluation trial
  const train = of(seen.train).behaviour_XD, truth = of(seen.evaluation).behaviour_XD;
  const size = encodedBins * 2;
  const mean = Array.from({ length: size }, (_, i) => {
    let sum = 0;
    for (let b = 0; b < seen.train.length; b++) sum += train[b * size + i] / seen.train.length;
    return sum;
  });
  const expected = meanRSquared(truth.map((_, i) => mean[i % size]), truth, 2);
  const { average } = rowOf(found, "behaviour R²", "any").baselines;
  assert.ok(Math.abs(average - expected) < 1e-12, `${average}, not ${expected}`);
});

Deno.test("rates that are the smoothed average of their condition have a PSTH R² of 1", () => {
  // 70 ms, as in the benchmark
  const smooth = smoothTrials(data.counts_BTN, { T, N }, 0.07 / data.binWidth!);
  const rates_BTN = Float64Array.from({ length: TRIALS * T * N }, (_, i) => {
    const place = i % (T * N), condition = Math.floor(i / (T * N)) % 2;
    let sum = 0;
    for (let b = condition; b < TRIALS; b += 2) sum += smooth[b * T * N + place] / (TRIALS / 2);
    return sum;
  });
  const row = rowOf(evaluate(data, seen, { rates_BTN, factors_BTF }), "PSTH R²");
  assert.ok(Math.abs(row.model - 1) < 1e-12, `${row.model}`);
  for (const baseline of Object.values(row.baselines)) assert(baseline < 1);
});

Deno.test("counts that are missing count for nothing", () => {
  const missing_BTN = new Uint8Array(TRIALS * T * N);
  const [first, second] = seen.evaluation;
  missing_BTN.fill(1, first * T * N, first * T * N + N); // its first bin
  const counts_BTN = data.counts_BTN.slice();
  for (let i = 0; i < N; i++) counts_BTN[first * T * N + i] = 0;
  const gaps: Dataset = {
    ...data,
    counts_BTN,
    missing_BTN,
    lengths_B: Int32Array.from({ length: TRIALS }, (_, b) => b === second ? 5 : T),
  };
  const rates_BTN = data.truth!.rates_BTN;
  const found = evaluate(gaps, seen, { rates_BTN, factors_BTF });
  const marked = Float64Array.from(counts_BTN);
  marked.fill(NaN, first * T * N, first * T * N + N);
  marked.fill(NaN, (second * T + 5) * N, (second + 1) * T * N);
  const bins = range(0, encodedBins);
  const expected = bitsPerSpike(part(rates_BTN, bins, heldOut), part(marked, bins, heldOut), 2);
  assert.equal(rowOf(found, "co-bps").model, expected);
  assert.notEqual(
    expected,
    rowOf(evaluate(data, seen, { rates_BTN, factors_BTF }), "co-bps").model,
  );
});

Deno.test("numbers that are no counts have no bits per spike, but behaviour and truth", () => {
  const counts_BTN = Float32Array.from(data.counts_BTN, (count) => count - 0.5);
  const real = { ...data, counts_BTN } as unknown as Dataset;
  const found = evaluate(real, seen, { rates_BTN: data.truth!.rates_BTN, factors_BTF });
  const metrics = found.rows.map(({ metric }) => metric);
  assert.deepEqual([...new Set(metrics)], ["PSTH R²", "R² to the truth", "behaviour R²"]);
  assert.match(found.left.join(), /bits per spike are of whole counts/);
});

/** A model whose outputs are known: factor f is neuron f's mean, the log-variances are 0. */
function realModel(columns: number): Model {
  const hyperparameters = parseHyperparameters({ observation: "gaussian", factors: columns });
  const shape = architecture(hyperparameters, T, columns);
  const params_P = new Float64Array(parameterLayout(shape).length);
  const model = {
    hyperparameters,
    architecture: shape,
    params_P,
    seed: 0,
    step: 0,
    binWidth: null,
  };
  const w_FQ = parameter(model, readoutNames(shape).w);
  for (let n = 0; n < columns; n++) w_FQ[n * 2 * columns + n] = 1;
  return model;
}

Deno.test("real numbers have nats per sample beside their null, and the variance explained", () => {
  const model = realModel(N);
  const { varMin } = model.hyperparameters;
  const counts_BTN = Float32Array.from(
    data.counts_BTN,
    (count, i) => count + Math.sin(i) + (heldOut.includes(i % N) ? 2 : 0),
  );
  const missing_BTN = new Uint8Array(TRIALS * T * N);
  missing_BTN[seen.evaluation[0] * T * N + 1] = 1; // of a held-out neuron
  const real = { ...data, counts_BTN, missing_BTN } as unknown as Dataset;
  const means = data.truth!.rates_BTN;
  const found = evaluate(real, seen, { rates_BTN: means, factors_BTF: means }, {
    model,
    brief: true,
  });
  const nll = (x: number, mean: number, variance: number) =>
    0.5 * (Math.log(2 * Math.PI * (variance + varMin)) + (x - mean) ** 2 / (variance + varMin));
  const marked = Float64Array.from(counts_BTN, (x, i) => missing_BTN[i] === 1 ? NaN : x);
  const mean = (of: readonly number[]) => of.reduce((sum, x) => sum + x, 0) / of.length;
  const cases = [
    ["neurons seen", ...PARTS.seen],
    ["held out", ...PARTS.heldOut],
    ["to come", ...PARTS.toCome],
  ] as const;
  for (const [of, bins, neurons] of cases) {
    const expected = { null: [] as number[], model: [] as number[] };
    let residual = 0, total = 0, average = 0;
    for (const n of neurons) {
      const train = [...part(marked, range(0, T), [n], seen.train)];
      const moment = mean(train), variance = mean(train.map((x) => (x - moment) ** 2));
      const values = [...part(marked, bins, [n])], rates = part(means, bins, [n]);
      const known = [...values.keys()].filter((i) => !Number.isNaN(values[i]));
      const centre = mean(known.map((i) => values[i]));
      for (const i of known) {
        expected.null.push(nll(values[i], moment, variance));
        expected.model.push(nll(values[i], rates[i], 1));
        residual += (values[i] - rates[i]) ** 2;
        total += (values[i] - centre) ** 2;
        const bin = bins[i % bins.length];
        average += (values[i] - mean([...part(marked, [bin], [n], seen.train)])) ** 2;
      }
    }
    const row = rowOf(found, "nats per sample", of);
    // float32 moments of float32 data, sums in float64: rounding alone
    assert.ok(Math.abs(row.model - mean(expected.model)) < 1e-12, `${of}: ${row.model}`);
    assert.ok(Math.abs(row.null - mean(expected.null)) < 1e-6, `${of}: ${row.null}`);
    const share = rowOf(found, "explained variance", of);
    assert.ok(Math.abs(share.model - (1 - residual / total)) < 1e-12, `${of}: ${share.model}`);
    assert.ok(Math.abs(share.baselines.average - (1 - average / total)) < 1e-12, of);
    assert(Number.isFinite(share.baselines["per condition"]));
  }
  assert.match(found.left.join(), /bits per spike.*Poisson counts.*observation is gaussian/);
  // numbers that are always the same have no variance to explain, but a likelihood
  const flat = { ...real, counts_BTN: counts_BTN.map(() => 0.5) } as unknown as Dataset;
  const none = evaluate(flat, seen, { rates_BTN: means, factors_BTF: means }, {
    model,
    brief: true,
  });
  const metrics = new Set(none.rows.map(({ metric }) => metric));
  assert.deepEqual(metrics, new Set(["nats per sample", "behaviour R²"]));
});

Deno.test("a split for a fit and a test shares no trial, and keeps none back", () => {
  const cases = fc.record({
    trials: fc.integer({ min: 6, max: 200 }),
    share: fc.double({ min: 0.05, max: 0.6, noNaN: true }),
    fraction: fc.double({ min: 0.05, max: 0.6, noNaN: true }),
    seed: fc.maxSafeNat(),
  });
  fc.assert(fc.property(cases, ({ trials, share, fraction, seed }) => {
    const { fit, test } = testSplit(trials, share, fraction, seed);
    const all = [...fit.train, ...fit.evaluation, ...test].sort((a, b) => a - b);
    assert.deepEqual(all, range(0, trials));
    assert.deepEqual(test, splitTrials(trials, share, seed).evaluation);
    assert(fit.train.length > 0 && fit.evaluation.length > 0);
  }));
});

Deno.test("splits are compared by what has a baseline from counts, and wins are counted", () => {
  const row = (metric: ScoreRow["metric"], model: number, baselines: Record<string, number>) => ({
    ...{ metric, of: "x", null: 0, model, oracle: null, baselines },
  });
  const split = (ours: number) =>
    contests([
      row("bits per spike", 1, { average: 0 }),
      row("co-bps", ours, { average: 2, "smoothed PCA + Poisson": 0.3 }),
      row("PSTH R²", 1, { "smoothed counts": 0 }),
      row("behaviour R²", 0.5, { "smoothed counts": 0.75 }),
    ]);
  const [first, second] = [split(0.4), split(0.3)];
  assert.equal(
    splitLine(7, first, "2 s"),
    "Split 7: co-bps 0.4000 / 0.3000 +; R² of x 0.5000 / 0.7500 -; 2 s",
  );
  const [co, behaviour] = wins([first, second]);
  // as good as is not above
  assert.deepEqual([co.wins, co.splits, co.theirs], [1, 2, 0.3]);
  assert.deepEqual([behaviour.name, behaviour.wins, behaviour.ours], ["R² of x", 0, 0.5]);
});

Deno.test("a model of real numbers is above its null where its nats are less", () => {
  const of = (model: number) =>
    contests([{
      metric: "nats per sample",
      of: "3 neurons seen",
      ...{ null: 1.5, model, oracle: null, baselines: {} },
    }]);
  const line = "nats of 3 neurons seen";
  assert.equal(splitLine(0, of(1.25), "2 s"), `Split 0: ${line} 1.250 / 1.500 +; 2 s`);
  assert.equal(splitLine(0, of(1.75), "2 s"), `Split 0: ${line} 1.750 / 1.500 -; 2 s`);
  const [{ wins: won, splits, baseline }] = wins([of(1.25), of(1.5), of(1.75)]);
  assert.deepEqual([won, splits, baseline], [1, 3, "null"]);
});

Deno.test("latentd score RUN of real numbers: nats beside their null, and why there are no bits", () =>
  inFolder(async (folder) => {
    const path = join(folder, "data.npz"), run = join(folder, "run");
    const values = Float64Array.from(data.counts_BTN, (count, i) => count + Math.sin(i));
    const spikes = { shape: [TRIALS, T, N], data: values };
    await writeDataset(path, datasetFromArrays({ name: "calcium", spikes }));
    const model = ["--observation", "gaussian", "--eval-fraction", "0.25", "--steps", "2"];
    const fit = await latentd("fit", path, "--out", run, ...TINY, ...model);
    assert.equal(fit.code, 0, fit.stderr);
    const device = ["--device", "reference", "--samples", "2"];
    const { code, stdout, stderr } = await latentd("score", run, ...device, "--json");
    assert.equal(code, 0, stderr);
    const { rows } = JSON.parse(stdout.split("\n").at(-1)!) as { rows: ScoreRow[] };
    assert.deepEqual(rows.map(({ metric }) => metric), ["nats per sample", "explained variance"]);
    assert(Number.isFinite(rows[0].model) && Number.isFinite(rows[0].null));
    const shown = await latentd("score", run, ...device);
    assert.match(shown.stdout, /^score +of +model +null +average/m);
    assert.match(shown.stdout, /^nats per sample +8 neurons seen +[\d.]+ +[\d.]+/m);
    assert.match(shown.stdout, /^Not scored: bits per spike, co-bps, fp-bps: .*gaussian/m);
    const fits = await latentd(
      ...["score", path, "--fit", "--splits", "1", ...model, "--samples", "2"],
      ...TINY.filter((flag) => flag !== "--no-report"),
    );
    assert.equal(fits.code, 0, fits.stderr);
    assert.match(fits.stdout, /^Split 0: nats of 8 neurons seen [\d.]+ \/ [\d.]+ [+-]; /m);
  }));

Deno.test("latentd score RUN: a table, and the same in JSON", () =>
  inFolder(async (folder) => {
    const path = join(folder, "data.npz"), run = join(folder, "run");
    await writeDataset(path, data);
    const model = ["--held-out-neurons", "0.25", "--encoded-bins", "9", "--eval-fraction", "0.25"];
    const fit = await latentd("fit", path, "--out", run, ...TINY, "--steps", "2", ...model);
    assert.equal(fit.code, 0, fit.stderr);
    const device = ["--device", "reference", "--samples", "2", "--shots", "4"];
    const shown = await latentd("score", run, ...device);
    assert.equal(shown.code, 0, shown.stderr);
    const lines = shown.stdout.split("\n");
    assert.match(lines[0], /on 5 trials held out, after 15 that trained:$/);
    assert.match(lines[1], /^score +of +model +average +per condition +from counts +oracle$/);
    assert.match(shown.stdout, /^co-bps +2 neurons held out .*smoothed PCA \+ Poisson$/m);
    assert.match(shown.stdout, /^fp-bps +3 bins to come /m);
    const json = lastJson(await latentd("score", run, ...device, "--json"));
    const rows = json.rows as ScoreRow[];
    const co = rows.find(({ metric }) => metric === "co-bps")!;
    assert(Number.isFinite(co.model) && Number.isFinite(co.baselines["smoothed PCA + Poisson"]));
    assert.equal(json.step, 2);
    const misplaced = await latentd("score", run, "--splits", "2", "--steps", "3", ...device);
    assertRefused(misplaced, /expected splits, steps only with --fit/);
  }));

Deno.test("latentd score DATA --fit: a line for each split, on trials that the fit never saw", () =>
  inFolder(async (folder) => {
    const path = join(folder, "data.npz");
    await writeDataset(path, data);
    const options = [
      ...TINY.filter((flag) => flag !== "--no-report"),
      ...["--steps", "2", "--held-out-neurons", "0.25", "--samples", "2"],
    ];
    const args = ["score", path, "--fit", "--splits", "2", "--seed", "3", ...options];
    const shown = await latentd(...args);
    assert.equal(shown.code, 0, shown.stderr);
    const number = "-?[\\d.e-]+";
    assert.match(
      shown.stdout,
      new RegExp(`^Split 3: co-bps ${number} / ${number} [+-]; R² of point`),
    );
    assert.match(shown.stdout, /^Split 4: /m);
    // a line for each split is all that is told of it, on a terminal too
    const interactive = await latentdOn({ interactive: true }, ...args);
    const lines = [...shown.stderr.split("\n"), ...interactive.stderr.split("\n")];
    assert.deepEqual(lines.filter((line) => /step|split/i.test(line)), [
      "Each split: 14 trials train, 2 choose the best step, 4 are scored.",
      "Each split: 14 trials train, 2 choose the best step, 4 are scored.",
    ]);
    for (const { stdout } of [shown, interactive]) {
      assert.equal(stdout.match(/^Split \d: /gm)?.length, 2);
    }
    assert.match(shown.stdout, /^co-bps .* of 2 splits {2}smoothed PCA \+ Poisson$/m);
    const json = lastJson(await latentd(...args, "--json"));
    const splits = json.splits as (Evaluation & { seed: number })[];
    assert.deepEqual(splits.map(({ seed }) => seed), [3, 4]);
    // the baseline is that of the split that the README's numbers are of
    const [{ rows }] = splits;
    const { train, evaluation } = splitTrials(TRIALS, 0.2, 3);
    const expected = evaluate(
      data,
      {
        train,
        evaluation,
        heldOut: heldOutNeurons(N, 0.25, 3),
        encodedBins: T,
      },
      { rates_BTN: data.truth!.rates_BTN, factors_BTF },
      { brief: true },
    );
    const baselines = (all: readonly ScoreRow[]) =>
      all.map(({ metric, baselines }) => [metric, baselines]);
    assert.deepEqual(baselines(rows), baselines(expected.rows));
  }));

Deno.test("latentd score refuses what it cannot score", () =>
  inFolder(async (folder) => {
    const path = join(folder, "data.npz");
    await writeDataset(path, data);
    assertRefused(await latentd("score", path), /together with --fit, found neither/);
    assertRefused(await latentd("score", path, path, "--fit"), /found two paths/);
    const { code, stderr } = await latentd("score", path, "--fit", "--held-out-trials", "1");
    assert.equal(code, 2);
    assert.match(stderr, /Expected a number between 0 and 1/);
  }));
