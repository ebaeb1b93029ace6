/** Served models of everything that a recording may hold: the answers are those of `infer`. */
import assert from "node:assert/strict";
import { createReferenceExecutor } from "../src/compute/reference.ts";
import { type Dataset, datasetFromArrays, datasetToBytes } from "../src/data/dataset.ts";
import { modelToBytes } from "../src/data/model_file.ts";
import { npyArray } from "../src/data/npy.ts";
import { readNpz } from "../src/data/npz.ts";
import { infer } from "../src/inference/posterior.ts";
import type { Model } from "../src/model/model.ts";
import { lightModelFromBytes } from "../src/serving/light_model.ts";
import { createLocalService } from "../src/serving/local.ts";
import type { InferenceService, InferRequest } from "../src/serving/service.ts";
import { withServer } from "./server_helpers.ts";
import { DRIVEN, SMALL, testCounts, testModel, withServing } from "./serving_helpers.ts";

const TRIALS = 5, { T, N, units } = DRIVEN;
const rich: Model = {
  ...testModel({ T, N, units: { ...units, externalInputs: 2, encodedBins: 5 } }),
  heldOut: [3],
};
const plain = testModel(SMALL);
const real = testModel({ ...SMALL, units: { ...SMALL.units, observation: "gaussian" } });

/** Counts to reconstruct around those that are encoded, gaps, an early end, external inputs. */
function recording(): Dataset {
  const { counts_BTN } = testCounts(TRIALS, DRIVEN);
  const recon = Float64Array.from(counts_BTN);
  recon[2 * N] = NaN;
  const encoded: number[] = [];
  recon.forEach((count, i) => {
    if (i % N < 3 && Math.floor(i / N) % T < 5) encoded.push(count);
  });
  return datasetFromArrays({
    name: "rich",
    spikes: npyArray([TRIALS, 5, 3], Float64Array.from(encoded)),
    recon: npyArray([TRIALS, T, N], recon),
    lengths: npyArray([TRIALS], Int32Array.of(T, 3, T, T, 4)),
    external: npyArray(
      [TRIALS, T, 2],
      Float64Array.from({ length: TRIALS * T * 2 }, (_, i) => Math.sin(i)),
    ),
  });
}

const data = recording();
const device = createReferenceExecutor();

/** What a service answers is what `infer` gives, of the same width. */
async function same(service: InferenceService, id: string, model: Model, request: InferRequest) {
  const { arrays } = await service.infer(id, request);
  const { samples, seed = 0 } = request;
  const wanted = await infer(device, model, request, { samples, seed });
  assert.deepEqual(Array.from(arrays.get("rates")!.data), Array.from(wanted.rates_BTN));
  assert.deepEqual(Array.from(arrays.get("ic_mean")!.data), Array.from(wanted.icMean_BI));
}

/** What is inferred from, alone. */
function request(of: Dataset, samples: number): InferRequest {
  const { counts_BTN, trials, missing_BTN, lengths_B, external_BTX } = of;
  return {
    counts_BTN,
    trials,
    T: of.T,
    N: of.N,
    missing_BTN,
    lengths_B,
    external_BTX,
    samples,
    seed: 4,
  };
}

async function all(service: InferenceService, other: (id: string) => InferenceService) {
  for (const samples of [0, 3]) {
    await same(service, "rich", rich, request(data, samples));
    // what is encoded alone
    const { counts_BTN } = testCounts(TRIALS, { ...DRIVEN, T: 5, N: 3 }, 2);
    const { external_BTX } = data;
    const cut = { counts_BTN, trials: TRIALS, T: 5, N: 3, external_BTX, samples };
    await same(service, "rich", rich, cut);
    // a plain model, whole and with a gap and whole again: one program serves them all
    const whole = { ...testCounts(TRIALS, SMALL), samples };
    const missing_BTN = new Uint8Array(TRIALS * SMALL.T * SMALL.N);
    missing_BTN[7] = 1;
    for (const asked of [whole, { ...whole, missing_BTN }, whole]) {
      await same(other("plain"), "plain", plain, asked);
    }
    const counts = Float32Array.from(whole.counts_BTN, (x) => x - 0.5);
    await same(other("real"), "real", real, { ...whole, counts_BTN: counts });
  }
  const { external_BTX: _, ...without } = request(data, 0);
  await assert.rejects(
    service.infer("rich", without),
    /expected external inputs of shape \[5, 7, 2\], as the model was fitted with, found none/,
  );
  const half = { ...testCounts(2, SMALL), samples: 0 };
  await assert.rejects(
    other("plain").infer("plain", {
      ...half,
      counts_BTN: Float32Array.from(half.counts_BTN, () => 0.5),
    }),
    /expected whole counts/,
  );
}

Deno.test("gaps, windows, held-out neurons, external inputs and real numbers are served as they are inferred", async () => {
  await withServing({ rich, plain, real }, { maxBatch: 2 }, async ({ serving }) => {
    await all(serving, () => serving);
    const { encodedBins, heldOut } = await serving.describe("rich");
    assert.deepEqual([encodedBins, heldOut], [5, [3]]);
    assert.equal((await serving.describe("real")).observation, "gaussian");
  });
});

Deno.test("the edge's service serves them too", async () => {
  const local = (id: string, model: Model) =>
    createLocalService(device, id, lightModelFromBytes(modelToBytes(model, true), id), {
      maxBatch: 2,
    });
  const services: Record<string, InferenceService> = {
    plain: local("plain", plain),
    real: local("real", real),
  };
  await all(local("rich", rich), (id) => services[id]);
});

Deno.test("over HTTP a stored dataset with all of it is inferred from, and sent again in parts", () =>
  withServer(async ({ ask, post }) => {
    const npz = { "content-type": "application/x-npz" };
    const stored = await (await ask("/v1/datasets?name=rich.npz", {
      method: "POST",
      headers: npz,
      body: datasetToBytes(data) as Uint8Array<ArrayBuffer>,
    })).json();
    assert.deepEqual([stored.T, stored.N], [T, N]);
    const { id } = await (await ask("/v1/models?name=rich", {
      method: "POST",
      headers: { "content-type": "application/x-safetensors" },
      body: modelToBytes(rich) as Uint8Array<ArrayBuffer>,
    })).json();
    const rates = async (answer: Response) => {
      assert.equal(answer.status, 200, await answer.clone().text());
      return readNpz(new Uint8Array(await answer.arrayBuffer())).rates;
    };
    const accept = { accept: "application/x-npz" };
    const path = `/v1/models/${id}/infer`;
    const whole = await rates(
      await ask(`${path}/${stored.id}?samples=0`, { method: "POST", headers: accept }),
    );
    assert.deepEqual(whole.shape, [TRIALS, T, N]);
    const wanted = await infer(device, rich, data, { samples: 0 });
    // float32 against float64: rates near 1, a few hundred operations of 6e-8 each
    wanted.rates_BTN.forEach((rate, i) => assert(Math.abs(whole.data[i] - rate) < 1e-4 * rate));
    // the file itself, and some of its trials
    const body = datasetToBytes(data) as Uint8Array<ArrayBuffer>;
    const again = await rates(
      await ask(`${path}?samples=0`, { method: "POST", headers: { ...npz, ...accept }, body }),
    );
    assert.deepEqual(again.data, whole.data);
    const some = await ask(`/v1/datasets/${stored.id}/spikes?first_trial=1&trials=2`, {
      headers: accept,
    });
    const part = await rates(
      await ask(`${path}?samples=0`, {
        method: "POST",
        headers: { ...npz, ...accept },
        body: await some.bytes(),
      }),
    );
    assert.deepEqual(part.data, whole.data.subarray(T * N, 3 * T * N));
    const shown = await (await ask(`/v1/datasets/${stored.id}/spikes?first_trial=0&trials=2`))
      .json();
    assert.equal(shown.spikes[1][3][0], null, "after the trial's end");
    // null in JSON is a bin that was not observed
    const values = { spikes: [[[0.5, null], [1, 2]], [[1, 0], [0.25, 1]]], name: "real" };
    const json = await (await post("/v1/datasets", values)).json();
    assert.equal(json.spikes, null);
    const refused = await post("/v1/runs", { dataset: json.id });
    assert.equal(refused.status, 400);
    assert.match(
      (await refused.json()).error,
      /observation gaussian, gamma or zero-inflated-gamma/,
    );
  }));
