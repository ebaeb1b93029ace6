/** Several sessions in one model: data side by side, their common start, and a fit of all. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { main } from "../src/cli/main.ts";
import type { Streams } from "../src/cli/output.ts";
import { createReferenceExecutor } from "../src/compute/reference.ts";
import {
  type Dataset,
  datasetFromArrays,
  datasetFromBytes,
  datasetToBytes,
  readDataset,
} from "../src/data/dataset.ts";
import { modelFromBytes, modelToBytes } from "../src/data/model_file.ts";
import { placeSession, sessionOffsets, stitchSessions } from "../src/data/sessions.ts";
import { simulateRotation } from "../src/data/simulate.ts";
import { InputError } from "../src/errors.ts";
import { infer } from "../src/inference/posterior.ts";
import { parseHyperparameters } from "../src/model/hyperparameters.ts";
import { parameterLayout } from "../src/model/layout.ts";
import { fillNormal, fillUniform, seedWords, STREAMS } from "../src/random.ts";
import { fit } from "../src/train/fit.ts";
import { sessionStart } from "../src/train/session_start.ts";
import { PLAIN } from "../src/study/recipes.ts";

/** Counts without a law. */
function session(name: string, trials: number, T: number, N: number, seed: number): Dataset {
  const at = { ...seedWords(seed), stream: STREAMS.poisson };
  const data = fillUniform(at, 0, new Float64Array(trials * T * N)).map((u) => Math.floor(3 * u));
  return datasetFromArrays({
    name,
    spikes: { shape: [trials, T, N], data },
    binWidth: 0.02,
    condition: { shape: [trials], data: Int32Array.from({ length: trials }, (_, b) => b % 2) },
  }, { minTrials: 1 });
}

const size = (least: number, most: number) => fc.integer({ min: least, max: most });

Deno.test("stitched sessions keep every count in its block, and miss all others", () => {
  const one = fc.record({ trials: size(1, 4), T: size(1, 5), N: size(1, 4), seed: size(0, 1e6) });
  fc.assert(
    fc.property(fc.array(one, { minLength: 2, maxLength: 4 }), (sizes) => {
      const all = sizes.map(({ trials, T, N, seed }, s) => session(`s${s}`, trials, T, N, seed));
      const data = stitchSessions(all);
      const offsets = sessionOffsets(data.sessions!);
      let row = 0;
      all.forEach(({ trials, T, N, counts_BTN }, s) => {
        for (let b = 0; b < trials; b++, row++) {
          assert.equal(data.sessions!.session_B[row], s);
          assert.equal(data.condition![row], b % 2);
          assert.equal(data.lengths_B?.[row] ?? data.T, T);
          for (let t = 0; t < data.T; t++) {
            for (let n = 0; n < data.N; n++) {
              const at = (row * data.T + t) * data.N + n, own = n - offsets[s];
              const there = t < T && own >= 0 && own < N;
              assert.equal(data.missing_BTN![at], there ? 0 : 1);
              if (there) assert.equal(data.counts_BTN[at], counts_BTN[(b * T + t) * N + own]);
            }
          }
        }
      });
      const { name: _name, warnings: _warnings, ...again } = datasetFromBytes(
        datasetToBytes(data),
        "again.npz",
        { minTrials: 1 },
      );
      const { name: _, warnings: __, ...before } = data;
      assert.deepEqual(again, before);
    }),
    { numRuns: 20 },
  );
});

Deno.test("sessions that do not go together are refused in words", () => {
  const a = session("a", 2, 3, 2, 1), b = session("b", 2, 3, 2, 2);
  const refused = (all: Dataset[], words: RegExp) =>
    assert.throws(() => stitchSessions(all), (error: Error) => {
      assert(error instanceof InputError);
      assert.match(error.message, words);
      return true;
    });
  refused([a], /at least 2, found 1/);
  refused([a, { ...b, name: "a" }], /distinct names, found a, a/);
  refused([a, { ...b, binWidth: 0.01 }], /the same bin width, found 0.02, 0.01/);
  const blocks = { names: ["a", "b"], neurons: [2, 3] };
  assert.throws(() => placeSession(a, blocks, "b"), /the 3 neurons of b, found 2/);
  assert.throws(() => placeSession(a, blocks, "c"), /one of a, b, found "c"/);
});

/** Sessions that see the same two latents by condition, each through weights of its own. */
function common(): Dataset[] {
  const T = 20, conditions = 4, trials = 40;
  return [12, 9].map((N, s) => {
    const at = { ...seedWords(s), stream: STREAMS.simulate };
    const w = fillNormal(at, 0, new Float64Array(2 * N));
    const u = fillUniform(at, 1, new Float64Array(trials * T * N));
    const data = new Float64Array(trials * T * N);
    for (let b = 0; b < trials; b++) {
      for (let t = 0; t < T; t++) {
        const phase = Math.PI * (b % conditions) / 2 + t / 5;
        for (let n = 0; n < N; n++) {
          const rate = 2 * Math.exp(0.5 * (w[n] * Math.cos(phase) + w[N + n] * Math.sin(phase)));
          const i = (b * T + t) * N + n;
          // a Poisson count by inversion
          let p = Math.exp(-rate), sum = p, count = 0;
          while (u[i] > sum && count < 60) sum += p *= rate / ++count;
          data[i] = count;
        }
      }
    }
    const condition = Int32Array.from({ length: trials }, (_, b) => b % conditions);
    return datasetFromArrays({
      name: `session ${s}`,
      spikes: { shape: [trials, T, N], data },
      condition: { shape: [trials], data: condition },
    });
  });
}

function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (x: readonly number[]) => x.reduce((sum, v) => sum + v, 0) / x.length;
  const ma = mean(a), mb = mean(b);
  let ab = 0, aa = 0, bb = 0;
  a.forEach((x, i) => {
    ab += (x - ma) * (b[i] - mb);
    aa += (x - ma) ** 2;
    bb += (b[i] - mb) ** 2;
  });
  return ab / Math.sqrt(aa * bb);
}

Deno.test("the common start reads the same components from either session's neurons", () => {
  const all = common();
  const data = stitchSessions(all);
  const train = Uint32Array.from({ length: data.trials }, (_, b) => b);
  const start = sessionStart(data, train, 2)!;
  assert.equal(start.D, 2);
  const offsets = sessionOffsets(data.sessions!);
  // what the read-in makes of each session's average of a condition
  const read = all.map(({ trials, T, N, counts_BTN, condition }, s) => {
    const out: number[][] = Array.from({ length: 2 }, () => new Array(4 * T).fill(0));
    for (let b = 0; b < trials; b++) {
      for (let t = 0; t < T; t++) {
        for (let n = 0; n < N; n++) {
          const count = counts_BTN[(b * T + t) * N + n];
          for (let d = 0; d < 2; d++) {
            out[d][condition![b] * T + t] += count * start.readin_ND[(offsets[s] + n) * 2 + d];
          }
        }
      }
    }
    return out;
  });
  for (let d = 0; d < 2; d++) {
    // ten trials of nine neurons and more: noise is a few per cent of the variance
    assert.ok(correlation(read[0][d], read[1][d]) > 0.9, `component ${d}`);
  }
  assert.ok(Math.abs(correlation(read[0][0], read[1][1])) < 0.5, "components differ");
  assert.equal(sessionStart(all[0], train, 2), null);
});

Deno.test("a fit of two sessions: neither's weights feel the other's trials; one alone can be inferred", async () => {
  const first = { ...simulateRotation({ trials: 6, T: 5, N: 4, seed: 1 }), name: "first" };
  const second = { ...simulateRotation({ trials: 5, T: 5, N: 3, seed: 2 }), name: "second" };
  const data = stitchSessions([first, second]);
  const executor = createReferenceExecutor();
  const hyperparameters = parseHyperparameters({
    ...PLAIN,
    ...{ encoderUnits: 3, generatorUnits: 3, factors: 2, steps: 3, batchSize: 4, l2: 0 },
  });
  // only the first session trains
  const split = {
    train: Uint32Array.of(0, 1, 2, 3),
    evaluation: Uint32Array.of(4, 5, 6, 7, 8, 9, 10),
  };
  const run = fit({ ...data, split }, executor, { hyperparameters, seed: 3 });
  let next = await run.next();
  while (!next.done) next = await run.next();
  const { model, state } = next.value;
  assert.deepEqual(model.sessions, { names: ["first", "second"], neurons: [4, 3] });
  const layout = parameterLayout(model.architecture);
  const columns = (name: string) => {
    const { offset, length, shape } = layout.slice(name);
    const { m_P } = state;
    const moments = m_P.subarray(offset, offset + length);
    const inputs = name.startsWith("encoder");
    const per = inputs ? length / shape[0] : shape.at(-1)!;
    return Array.from(
      moments,
      (value, i) => ({ n: inputs ? Math.floor(i / per) : i % per, value }),
    );
  };
  for (const name of ["encoder.wInput_ND3E", "readout.w_FN", "readout.b_N"]) {
    const all = columns(name);
    assert.ok(all.filter(({ n }) => n >= 4).every(({ value }) => value === 0), name);
    assert.ok(all.some(({ n, value }) => n < 4 && value !== 0), name);
  }

  const copy = modelFromBytes(modelToBytes(model, true), "a copy");
  assert.deepEqual(copy, model);
  const whole = await infer(executor, model, data, { samples: 0 });
  const placed = placeSession(second, model.sessions!, "second");
  const alone = await infer(executor, model, placed, { samples: 0 });
  const later = whole.factors_BTF.subarray(6 * 5 * 2);
  assert.deepEqual(alone.factors_BTF, later.slice());
});

Deno.test("stitch writes one recording of several files, and says what it wants otherwise", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const paths = ["monday", "tuesday"].map((name) => `${folder}/${name}.npz`);
    await Deno.writeFile(paths[0], datasetToBytes(session("monday", 3, 4, 2, 1)));
    await Deno.writeFile(paths[1], datasetToBytes(session("tuesday", 2, 4, 3, 2)));
    const said: string[] = [];
    const streams: Streams = {
      stdout: (text) => void said.push(text),
      stderr: () => {},
      interactive: false,
    };
    const out = `${folder}/both.npz`;
    const code = await main(["stitch", ...paths, "--out", out, "--json"], streams);
    assert.equal(code, 0);
    const { sessions, neurons, trials } = JSON.parse(said[said.length - 1]);
    assert.deepEqual([sessions, neurons, trials], [["monday", "tuesday"], [2, 3], 5]);
    const data = await readDataset(out);
    assert.deepEqual([...data.sessions!.session_B], [0, 0, 0, 1, 1]);
    assert.equal(await main(["stitch", ...paths], streams), 2);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
