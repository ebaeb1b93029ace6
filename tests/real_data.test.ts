/** Everything that a recording may hold, as input of fit, infer and report: through the library and files. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { createReferenceExecutor } from "../src/compute/reference.ts";
import {
  type Dataset,
  type DatasetArrays,
  datasetFromArrays,
  writeDataset,
} from "../src/data/dataset.ts";
import { missingOf } from "../src/data/arrange.ts";
import { type NpyArray, npyArray } from "../src/data/npy.ts";
import { readNpz } from "../src/data/npz.ts";
import { sampleCounts } from "../src/data/poisson.ts";
import { inModelShape } from "../src/inference/model_shape.ts";
import { infer } from "../src/inference/posterior.ts";
import { type HyperparametersInput, parseHyperparameters } from "../src/model/hyperparameters.ts";
import { fillNormal } from "../src/random.ts";
import { study } from "../src/study/study.ts";
import { fit, type FitResult } from "../src/train/fit.ts";
import { assertRefused, lastJson, latentd } from "./cli_helpers.ts";
import { inFolder } from "./folders.ts";
import { refusal } from "./recordings.ts";

const device = createReferenceExecutor();
const SMALL = {
  ...{ inferredInputs: 0, encoderUnits: 2, generatorUnits: 3, factors: 2, batchSize: 4, steps: 3 },
} as const;
const FLAGS = [
  ...["--inferred-inputs", "0", "--encoder-units", "2", "--generator-units", "3"],
  ...["--factors", "2", "--batch-size", "4"],
  ...["--steps", "3", "--evaluate-every", "2", "--device", "reference", "--no-report"],
];

async function fitted(data: Dataset, more: HyperparametersInput = {}): Promise<FitResult> {
  const hyperparameters = parseHyperparameters({ ...SMALL, ...more });
  const run = fit(data, device, { hyperparameters, seed: 3 });
  let next = await run.next();
  while (!next.done) next = await run.next();
  return next.value;
}

const TRIALS = 8, T = 6, N = 4;
const rates = new Float64Array(TRIALS * T * N).map((_, i) => 0.5 + (i % N));
const spikes: NpyArray = npyArray(
  [TRIALS, T, N],
  Float64Array.from(sampleCounts(rates, { trials: TRIALS, T, N }, 5)),
);

const make = (more: Partial<DatasetArrays> = {}) =>
  datasetFromArrays({ name: "made", spikes, binWidth: 0.02, ...more });

/** Calcium-like: decaying sums of events, with noise, cut off below. */
function calcium(): NpyArray {
  const noise = new Float64Array(TRIALS * T * N);
  fillNormal({ seedLo: 1, seedHi: 0, stream: 1 }, 0, noise);
  const data = new Float64Array(TRIALS * T * N);
  for (let b = 0; b < TRIALS; b++) {
    for (let t = 0; t < T; t++) {
      for (let n = 0; n < N; n++) {
        const i = (b * T + t) * N + n, before = t === 0 ? 0 : data[i - N];
        data[i] = 0.7 * before + (spikes.data[i] > n ? 1 + 0.1 * Math.abs(noise[i]) : 0);
      }
    }
  }
  return npyArray([TRIALS, T, N], data.map((x) => x < 0.2 ? 0 : x));
}

Deno.test("what is not observed changes neither a fit nor what is inferred from the rest", async () => {
  const lengths = npyArray([TRIALS], Int32Array.from({ length: TRIALS }, (_, b) => b % 2 ? T : 3));
  const gone = new Set([5, 6, 40, 77]);
  const holes = (what: number): NpyArray =>
    npyArray([TRIALS, T, N], spikes.data.map((count, i) => gone.has(i) ? what : count));
  const missing = npyArray([TRIALS, T, N], spikes.data.map((_, i) => gone.has(i) ? 1 : 0));
  // a mask beside any number, or NaN
  const masked = make({ spikes: holes(9), missing, lengths });
  const nan = make({ spikes: holes(NaN), lengths });
  assert.deepEqual(masked, nan);
  const a = await fitted(masked);
  // the counts after an end are read by nobody
  const after = holes(NaN);
  for (let i = 3 * N; i < T * N; i++) after.data[i] = 50;
  const b = await fitted(make({ spikes: after, lengths }));
  assert.deepEqual(a.model.params_P, b.model.params_P);
  // nor is it silence
  const silent = await fitted(make({ spikes: holes(0), lengths }));
  assert.notDeepEqual(a.model.params_P, silent.model.params_P);
  const { scores } = await study(device, masked, a.model, a.split, { samples: 2 });
  assert(Number.isFinite(scores.nll.model) && scores.per === "trial");
});

Deno.test("scores leave out what is missing: they are those of the data without it", async () => {
  // the last neuron is not observed in the second half of every trial
  const half = npyArray(
    [TRIALS, T, N],
    spikes.data.map((count, i) => i % N === N - 1 && Math.floor(i / N) % T >= 3 ? NaN : count),
  );
  const data = make({ spikes: half });
  const { model, split } = await fitted(data);
  const { scores, posterior } = await study(device, data, model, split, { samples: 2 });
  let nll = 0, empty = 0;
  const mean = (n: number) => {
    let sum = 0, seen = 0;
    for (const b of split.train) {
      for (let t = 0; t < T; t++) {
        const x = half.data[(b * T + t) * N + n];
        if (!Number.isNaN(x)) [sum, seen] = [sum + x, seen + 1];
      }
    }
    return sum / seen;
  };
  const lnFactorial = (x: number): number => x < 2 ? 0 : Math.log(x) + lnFactorial(x - 1);
  for (const b of split.evaluation) {
    for (let i = b * T * N; i < (b + 1) * T * N; i++) {
      const x = half.data[i], rate = posterior.rates_BTN[i];
      if (Number.isNaN(x)) continue;
      nll += rate - x * Math.log(rate) + lnFactorial(x);
      empty += mean(i % N) - x * Math.log(mean(i % N)) + lnFactorial(x);
    }
  }
  const { length } = split.evaluation;
  assert(Math.abs(scores.nll.model - nll / length) < 1e-9, `${scores.nll.model} ${nll / length}`);
  assert(Math.abs(scores.nll.null - empty / length) < 1e-9);
});

/** The last bins and neurons are to be reconstructed, and not encoded. */
function windowed(more: Partial<DatasetArrays> = {}): Dataset {
  const data = spikes.data;
  const encoded = new Float64Array(TRIALS * 4 * 3);
  for (let b = 0, i = 0; b < TRIALS; b++) {
    for (let t = 0; t < 4; t++) {
      for (let n = 0; n < 3; n++) encoded[i++] = data[(b * T + t) * N + n];
    }
  }
  return make({ spikes: npyArray([TRIALS, 4, 3], encoded), recon: spikes, ...more });
}

Deno.test("counts to reconstruct are fitted, and what is not encoded is never seen", async () => {
  const data = windowed();
  assert.deepEqual([data.T, data.N, data.encodedBins, data.heldOut], [T, N, 4, [3]]);
  assert.deepEqual(Array.from(data.counts_BTN), Array.from(spikes.data));
  const { model } = await fitted(data);
  assert.deepEqual([model.hyperparameters.encodedBins, model.heldOut], [4, [3]]);
  const whole = await infer(device, model, data, { samples: 2 });
  const { rates_BTN } = whole;
  assert.equal(rates_BTN.length, TRIALS * T * N);
  // other counts where the encoders do not look
  const other = { ...data, counts_BTN: data.counts_BTN.slice() };
  for (let i = 0; i < other.counts_BTN.length; i++) {
    if (i % N === 3 || Math.floor(i / N) % T >= 4) other.counts_BTN[i] = 7;
  }
  assert.deepEqual(await infer(device, model, other, { samples: 2 }), whole);
  // what is encoded alone, or with either of the two missing
  const cut = (bins: number, neurons: number) => {
    const kept: number[] = [];
    spikes.data.forEach((count, i) => {
      if (i % N < neurons && Math.floor(i / N) % T < bins) kept.push(count);
    });
    return { counts_BTN: Uint8Array.from(kept), trials: TRIALS, T: bins, N: neurons };
  };
  for (const [bins, neurons] of [[4, 3], [4, N], [T, 3]]) {
    const found = await infer(device, model, cut(bins, neurons), { samples: 2 });
    assert.deepEqual(found, whole, `${bins} ${neurons}`);
  }
  const said = await refusal(() => infer(device, model, cut(3, 3), { samples: 2 }));
  assert.match(
    said,
    /spikes of 6 bins and 4 neurons, as .* \(the 4 bins and the 3 neurons that its encoders see are enough\), found 3 bins and 3 neurons\.$/,
  );
});

Deno.test("a hyperparameter may encode fewer bins than the file, not more; drawn neurons come beside", async () => {
  const fewer = await fitted(windowed(), { encodedBins: 2, heldOutNeurons: 0.4 });
  assert.equal(fewer.model.architecture.encodedBins, 2);
  const heldOut = fewer.model.heldOut ?? [];
  assert(heldOut.includes(3) && heldOut.length === 2, heldOut.join());
  assert.match(
    await refusal(() => fitted(windowed(), { encodedBins: 5 })),
    /expected encodedBins of at most 4, the bins that the data have for the encoders, found 5/,
  );
});

Deno.test("held-out neurons in between are filled in where data come without them", () => {
  const dims = { T: 2, N: 3, E: 1, C: 0, U: 0, G: 1, F: 1 };
  const model = {
    architecture: { dims, cell: "gru", nonlinearity: "tanh" } as const,
    heldOut: [1],
  };
  const data = { counts_BTN: Uint8Array.of(1, 2, 3, 4), trials: 1, T: 2, N: 2 };
  const whole = inModelShape(model, { ...data, missing_BTN: Uint8Array.of(0, 0, 1, 0) });
  assert.deepEqual([...whole.counts_BTN], [1, 0, 2, 3, 0, 4]);
  assert.deepEqual([...missingOf(whole) ?? []], [0, 1, 0, 1, 1, 0]);
});

Deno.test("counts to reconstruct that contradict what is encoded are refused by their place", async () => {
  const recon = npyArray([TRIALS, T, N], spikes.data.slice());
  recon.data[N + 2] += 1;
  assert.match(
    await refusal(() => windowed({ recon })),
    /to be those that are encoded where both .*, found \d and \d at \[trial, bin, neuron\] = \[0, 1, 2\]/,
  );
  assert.match(
    await refusal(() =>
      windowed({ recon: npyArray([TRIALS, 3, N], new Uint8Array(TRIALS * 3 * N)) })
    ),
    /counts to reconstruct of shape \[8, at least 4, at least 3\], found \[8,3,4\]/,
  );
});

Deno.test("real numbers are fitted by each observation that they may come of, and by no other", async () => {
  const data = make({ spikes: calcium() });
  assert(data.counts_BTN instanceof Float32Array);
  assert.match(
    await refusal(() => fitted(data)),
    /Cannot fit made: expected whole counts \(not rates\), which the observation poisson is for, found .* at \[trial, .*\. Real numbers are fitted with the observation gaussian, gamma or zero-inflated-gamma\./,
  );
  assert.match(
    await refusal(() => fitted(data, { observation: "gamma" })),
    /expected numbers above 0, which the observation gamma is for, found 0 at/,
  );
  assert.match(
    await refusal(() =>
      fitted(data, { observation: "zero-inflated-gamma", observationFloor: 1.5 })
    ),
    /expected 0 or numbers above 1\.5 \(observationFloor\)/,
  );
  const above = make({ spikes: npyArray([TRIALS, T, N], calcium().data.map((x) => x + 0.1)) });
  const cases = [["gaussian", data], ["zero-inflated-gamma", data], ["gamma", above]] as const;
  for (const [observation, values] of cases) {
    const { model, split } = await fitted(values, { observation });
    const { scores } = await study(device, values, model, split, { samples: 2 });
    assert.equal(scores.per, "sample");
    assert.equal(scores.bitsPerSpike, null);
    // three steps from a start that has the data's moments: near the null model
    const { null: empty, model: nll } = scores.nll;
    assert(Number.isFinite(nll) && Math.abs(nll - empty) < 1, `${observation} ${nll} ${empty}`);
    // where some numbers are missing too
    const holes = values.counts_BTN.slice();
    holes[3] = NaN;
    const gaps = make({ spikes: npyArray([TRIALS, T, N], Float64Array.from(holes)) });
    const again = await fitted(gaps, { observation });
    assert(again.state.history.every(({ evaluation }) => Number.isFinite(evaluation.nll)));
  }
});

Deno.test("whole numbers may be real ones, and a poisson model infers from no others", async () => {
  const { model } = await fitted(make(), { observation: "gaussian" });
  assert.equal((await infer(device, model, make(), { samples: 0 })).B, TRIALS);
  const { model: counts } = await fitted(make());
  assert.match(
    await refusal(() => infer(device, counts, make({ spikes: calcium() }), { samples: 0 })),
    /Cannot infer: expected whole counts/,
  );
});

Deno.test("a null model of real numbers has the data's moments", async () => {
  const data = make({ spikes: calcium() });
  const { model, split } = await fitted(data, { observation: "gaussian" });
  const { scores } = await study(device, data, model, split, { samples: 2 });
  const { varMin } = model.hyperparameters;
  let sum = 0;
  for (let n = 0; n < N; n++) {
    const of = (trials: Uint32Array) =>
      [...trials].flatMap((b) =>
        Array.from({ length: T }, (_, t) => data.counts_BTN[(b * T + t) * N + n])
      );
    const train = of(split.train);
    const mean = train.reduce((a, b) => a + b) / train.length;
    const variance = train.reduce((a, x) => a + (x - mean) ** 2, 0) / train.length + varMin;
    for (const x of of(split.evaluation)) {
      sum += 0.5 * (Math.log(2 * Math.PI * variance) + (x - mean) ** 2 / variance);
    }
  }
  const wanted = sum / (split.evaluation.length * T * N);
  // float32 data, float64 sums
  assert(Math.abs(scores.nll.null - wanted) < 1e-9, `${scores.nll.null} ${wanted}`);
});

const external = npyArray(
  [TRIALS, T, 2],
  Float64Array.from({ length: TRIALS * T * 2 }, (_, i) => Math.sin(i)),
);

Deno.test("a recording with all of it goes through files: fit, resume, infer, report", () =>
  inFolder(async (folder) => {
    const lengths = npyArray(
      [TRIALS],
      Int32Array.from({ length: TRIALS }, (_, b) => b === 2 ? 5 : T),
    );
    const data = join(folder, "data.npz"), run = join(folder, "run");
    await writeDataset(data, windowed({ external, lengths }));
    const done = await latentd("fit", data, "--out", run, ...FLAGS, "--held-out-neurons", "0.4");
    assert.equal(done.code, 0, done.stderr);
    const record = JSON.parse(await Deno.readTextFile(join(run, "run.json")));
    const { encodedBins, externalInputs } = record.hyperparameters;
    assert.deepEqual([encodedBins, externalInputs, record.heldOut.length], [4, 2, 2]);
    // what is left to the data is what the record has of them; what is not, is refused
    const resume = (...more: string[]) =>
      latentd("fit", "--resume", run, "--steps", "5", "--no-report", ...more);
    for (
      const [name, flag, value, has] of [
        ["externalInputs", "--external-inputs", "0", "2"],
        ["externalInputs", "--external-inputs", "1", "2"],
        ["encodedBins", "--encoded-bins", "3", "4"],
      ]
    ) {
      const refused = new RegExp(`Cannot resume .*expected ${name} ${has}, .*found ${value}`);
      assertRefused(await resume(flag, value), refused);
    }
    const resumed = await resume("--external-inputs", "-1", "--encoded-bins", "0");
    assert.equal(resumed.code, 0, resumed.stderr);
    const out = join(folder, "rates.npz");
    const inferred = await latentd("infer", run, data, "--out", out, "--device", "reference");
    assert.equal(inferred.code, 0, inferred.stderr);
    assert.match(inferred.stdout, /4 of 192 bins of single neurons were not observed/);
    const arrays = readNpz(await Deno.readFile(out));
    assert.deepEqual(arrays.rates.shape, [TRIALS, T, N]);
    assert.deepEqual(Array.from(arrays.trial_lengths.data), [6, 6, 5, 6, 6, 6, 6, 6]);
    // with the steps of one fit, the neurons that were held out at first still are
    const straight = join(folder, "straight");
    await latentd(
      "fit",
      data,
      "--out",
      straight,
      ...FLAGS,
      "--held-out-neurons",
      "0.4",
      "--steps",
      "5",
    );
    const bytes = (of: string) => Deno.readFile(join(of, "model.safetensors"));
    assert.deepEqual(await bytes(run), await bytes(straight));
    const report = await latentd("report", run, "--device", "reference", "--samples", "2");
    assert.equal(report.code, 0, report.stderr);
    // other external inputs are other data
    await writeDataset(data, windowed({ lengths }));
    assertRefused(
      await latentd("fit", "--resume", run, "--steps", "6"),
      /Cannot (fit|resume)/,
    );
  }));

Deno.test("real numbers go through files: inspect, fit, infer, report", () =>
  inFolder(async (folder) => {
    const data = join(folder, "calcium.npz"), run = join(folder, "run");
    await writeDataset(data, make({ spikes: calcium() }));
    const { stdout } = await latentd("inspect", data);
    assert.match(stdout, /real numbers, not counts/);
    assert.match(stdout, /fit the observation zero-inflated-gamma or gaussian\./);
    assert.match(
      stdout,
      /latentd fit \S+ --out \S+ --starts 4 --factors 2 --observation zero-inflated-gamma/,
    );
    assertRefused(
      await latentd("fit", data, "--out", run, ...FLAGS),
      /Real numbers are fitted with/,
    );
    const done = await latentd("fit", data, "--out", run, ...FLAGS, "--observation", "gaussian");
    assert.equal(done.code, 0, done.stderr);
    const outcome = await latentd(
      "report",
      run,
      "--device",
      "reference",
      "--samples",
      "2",
      "--json",
    );
    assert.equal(outcome.code, 0, outcome.stderr);
    assert.equal((lastJson(outcome).scores as { per: string }).per, "sample");
    assert.match(outcome.stdout + outcome.stderr, /nats per sample/);
    const inferred = await latentd("infer", run, data, "--mean", "--device", "reference");
    assert.match(inferred.stdout, /nats per sample/);
  }));
