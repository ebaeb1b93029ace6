/** Bad input: each is refused with 4xx that names field, wanted and found, and leaves nothing behind. */
import assert from "node:assert/strict";
import {
  architecture,
  datasetToBytes,
  initialise,
  modelToBytes,
  npyArray,
  parseHyperparameters,
  simulateRotation,
  writeNpz,
} from "../src/mod.ts";
import { writeNpy } from "../src/data/npy.ts";
import { ENDLESS, filesBelow, type TestServer, withServer } from "./server_helpers.ts";

const NPZ = "application/x-npz",
  JSON_TYPE = "application/json",
  SAFETENSORS = "application/x-safetensors";
const T = 5, N = 3;

const own = (bytes: Uint8Array) => bytes as Uint8Array<ArrayBuffer>;
const npz = (arrays: Parameters<typeof writeNpz>[0]) => own(writeNpz(arrays));
const spikes = (shape: number[], fill: (i: number) => number = () => 1) =>
  npyArray(
    shape,
    Float64Array.from({ length: shape.reduce((n, m) => n * m, 1) }, (_, i) => fill(i)),
  );
const valid = own(datasetToBytes(simulateRotation({ trials: 4, T, N, seed: 1 })));

/** A model of T bins and N neurons that was never trained. */
const model = (() => {
  const hyperparameters = parseHyperparameters({
    encoderUnits: 2,
    generatorUnits: 2,
    factors: 2,
    inferredInputs: 0,
  });
  const shape = architecture(hyperparameters, T, N);
  const params_P = initialise(shape, hyperparameters, 0, Float64Array.of(1, 2, 1));
  const origin = { seed: 0, step: 0, binWidth: 0.01 };
  return own(modelToBytes({ ...origin, hyperparameters, architecture: shape, params_P }));
})();

/** A .npz whose member declares more than it holds. */
function bomb(): Uint8Array<ArrayBuffer> {
  return npz({ spikes: spikes([2, 1024, 4096], () => 0) });
}

/** A .npy header alone, for an array of this shape. */
function header(shape: string): Uint8Array<ArrayBuffer> {
  const small = writeNpy(npyArray([1, T, N], new Uint8Array(T * N)));
  const text = new TextDecoder("latin1").decode(small);
  const end = text.indexOf("\n") + 1;
  const dict = text.slice(10, end).replace(/\([^)]*\)/, shape).trimEnd();
  const padded = `${dict.padEnd(Math.ceil((dict.length + 11) / 64) * 64 - 11)}\n`;
  const bytes = new Uint8Array(10 + padded.length);
  bytes.set(small.subarray(0, 8));
  new DataView(bytes.buffer).setUint16(8, padded.length, true);
  bytes.set(new TextEncoder().encode(padded), 10);
  return bytes;
}

interface Case {
  readonly what: string;
  readonly path: string;
  readonly method?: string;
  readonly body?: BodyInit | object;
  readonly type?: string | null;
  readonly headers?: Record<string, string>;
  readonly status: number;
  /** in the message, or as fields of the details */
  readonly says: RegExp;
  readonly field?: string;
}

const ID = "0123456789abcdef";

/** `{model}`, `{dataset}` and `{run}` stand for ids that exist. */
const CASES: readonly Case[] = [
  // datasets
  {
    what: "an empty body",
    path: "/v1/datasets",
    body: "",
    type: NPZ,
    status: 400,
    says: /found an empty file/,
  },
  {
    what: "no archive",
    path: "/v1/datasets",
    body: "hello",
    type: NPZ,
    status: 400,
    says: /expected a \.npz archive.*found something else/,
  },
  {
    what: "a truncated archive",
    path: "/v1/datasets",
    body: valid.slice(0, valid.length - 40),
    type: NPZ,
    status: 400,
    says: /expected .*found/,
  },
  {
    what: "a damaged archive",
    path: "/v1/datasets",
    body: valid.map((byte, i) => i > 60 && i < 90 ? byte ^ 0x55 : byte),
    type: NPZ,
    status: 400,
    says: /expected .*found/,
  },
  {
    what: "no spikes",
    path: "/v1/datasets",
    body: npz({ rates: spikes([2, T, N]) }),
    type: NPZ,
    status: 400,
    says: /expected an array "spikes"/,
  },
  {
    what: "spikes of two dimensions",
    path: "/v1/datasets",
    body: npz({ spikes: spikes([T, N]) }),
    type: NPZ,
    status: 400,
    says: /spikes.*\[trials, bins, neurons\].*found.*\[5,? ?3\]/,
  },
  {
    what: "numbers beyond what is stored",
    path: "/v1/datasets",
    body: npz({ spikes: spikes([2, T, N], (i) => i === 7 ? 1e38 : 0) }),
    type: NPZ,
    status: 400,
    says: /found 1e\+38/,
  },
  {
    what: "infinity",
    path: "/v1/datasets",
    body: npz({ spikes: spikes([2, T, N], (i) => i === 7 ? Infinity : 0) }),
    type: NPZ,
    status: 400,
    says: /found Infinity/,
  },
  {
    what: "one trial",
    path: "/v1/datasets",
    body: npz({ spikes: spikes([1, T, N]) }),
    type: NPZ,
    status: 400,
    says: /at least 2 trials.*found/,
  },
  {
    what: "no trials",
    path: "/v1/datasets",
    body: npz({ spikes: spikes([0, T, N]) }),
    type: NPZ,
    status: 400,
    says: /found/,
  },
  {
    what: "a bin width of 0",
    path: "/v1/datasets",
    body: npz({ spikes: spikes([2, T, N]), bin_width_s: npyArray([], Float64Array.of(0)) }),
    type: NPZ,
    status: 400,
    says: /bin.width.*found 0/i,
  },
  {
    what: "conditions of other trials",
    path: "/v1/datasets",
    body: npz({ spikes: spikes([2, T, N]), condition: npyArray([3], Int32Array.of(1, 2, 3)) }),
    type: NPZ,
    status: 400,
    says: /condition.*found/,
  },
  {
    what: "an archive that unpacks to too much",
    path: "/v1/datasets",
    body: bomb(),
    type: NPZ,
    status: 400,
    says: /at most 1048576.*found/,
  },
  {
    what: "a .npy of a huge declared size",
    path: "/v1/datasets",
    body: header("(1000000000, 1000, 1000)"),
    type: "application/x-npy",
    status: 400,
    says: /found/,
  },
  {
    what: "a huge declared size beyond whole numbers",
    path: "/v1/datasets",
    body: header("(9999999999999, 9999999999, 1)"),
    type: "application/x-npy",
    status: 400,
    says: /found/,
  },
  {
    what: "a body larger than allowed",
    path: "/v1/datasets",
    body: new Uint8Array(300_000),
    type: NPZ,
    status: 413,
    says: /at most 262144 bytes, found 300000 declared/,
  },
  {
    what: "no content type",
    path: "/v1/datasets",
    body: valid,
    type: null,
    status: 415,
    says: /Content-Type to be one of .*found none/,
    field: "Content-Type",
  },
  {
    what: "the content type of a form",
    path: "/v1/datasets",
    body: valid,
    type: "application/x-www-form-urlencoded",
    status: 415,
    says: /found "application\/x-www-form/,
    field: "Content-Type",
  },
  {
    what: "a content type that is none",
    path: "/v1/datasets",
    body: valid,
    type: "npz",
    status: 415,
    says: /found "npz"/,
  },
  {
    what: "a compressed body",
    path: "/v1/datasets",
    body: valid,
    type: NPZ,
    headers: { "content-encoding": "gzip" },
    status: 415,
    says: /no Content-Encoding, found "gzip"/,
  },
  {
    what: "an unknown parameter",
    path: "/v1/datasets?nmae=x",
    body: valid,
    type: NPZ,
    status: 400,
    says: /nmae to be left out \(known are name, key/,
    field: "nmae",
  },
  {
    what: "a name that is a path",
    path: "/v1/datasets?name=..%2F..%2Fx",
    body: valid,
    type: NPZ,
    status: 400,
    says: /name to be a file's name/,
    field: "name",
  },
  {
    what: "a name with a line's end",
    path: "/v1/datasets?name=a%0Ab",
    body: valid,
    type: NPZ,
    status: 400,
    says: /name/,
    field: "name",
  },
  {
    what: "a parameter twice",
    path: "/v1/datasets?name=a&name=b",
    body: valid,
    type: NPZ,
    status: 400,
    says: /name to be given once, found it twice/,
    field: "name",
  },
  {
    what: "malformed JSON",
    path: "/v1/datasets",
    body: `{"kind": "rotation"`,
    type: JSON_TYPE,
    status: 400,
    says: /the body to be JSON, found something else/,
  },
  {
    what: "JSON that is not UTF-8",
    path: "/v1/datasets",
    body: Uint8Array.of(0x22, 0xff, 0x22),
    type: JSON_TYPE,
    status: 400,
    says: /JSON in UTF-8, found other bytes/,
  },
  {
    what: "JSON in another charset",
    path: "/v1/datasets",
    body: "{}",
    type: `${JSON_TYPE}; charset=utf-16`,
    status: 415,
    says: /Content-Type/,
  },
  {
    what: "JSON that is empty",
    path: "/v1/datasets",
    body: "",
    type: JSON_TYPE,
    status: 400,
    says: /found nothing/,
  },
  {
    what: "JSON that is null",
    path: "/v1/datasets",
    body: "null",
    type: JSON_TYPE,
    status: 400,
    says: /expected/,
  },
  {
    what: "JSON that is deep",
    path: "/v1/datasets",
    body: "[".repeat(100_000),
    type: JSON_TYPE,
    status: 400,
    says: /expected/,
  },
  {
    what: "an unknown simulator",
    path: "/v1/datasets",
    body: { kind: "roation" },
    status: 400,
    says: /kind to be one of rotation, lorenz.*found "roation"/,
    field: "kind",
  },
  {
    what: "an option of another simulator",
    path: "/v1/datasets",
    body: { kind: "rotation", dt: 1 },
    status: 400,
    says: /dt to be left out/,
    field: "dt",
  },
  {
    what: "a simulation of 0 trials",
    path: "/v1/datasets",
    body: { kind: "rotation", trials: 0 },
    status: 400,
    says: /trials to be at least 2, found 0/,
    field: "trials",
  },
  {
    what: "a simulation too large",
    path: "/v1/datasets",
    body: { kind: "rotation", trials: 1_000_000, T: 1000, N: 1000 },
    status: 413,
    says: /at most 1048576 bytes.*found about/,
  },
  {
    what: "a prototype as a field",
    path: "/v1/datasets",
    body: `{"kind":"rotation","__proto__":{"trials":3}}`,
    type: JSON_TYPE,
    status: 400,
    says: /__proto__ to be left out/,
  },
  {
    what: "ragged spikes",
    path: "/v1/datasets",
    body: { spikes: [[[1, 2], [3]], [[1, 2], [3, 4]]] },
    status: 400,
    says: /spikes\[0\]\[1\] to be an array of 2 neurons, found one of 1/,
    field: "spikes[0][1]",
  },
  {
    what: "spikes that are words",
    path: "/v1/datasets",
    body: { spikes: [[["a"]], [[1]]] },
    status: 400,
    says: /spikes\[0\]\[0\]\[0\] to be a number, found string/,
  },
  {
    what: "spikes beside a typing mistake",
    path: "/v1/datasets",
    body: { spikes: [[[1]], [[1]]], binwidth: 1 },
    status: 400,
    says: /binwidth to be left out/,
    field: "binwidth",
  },
  {
    what: "an unknown dataset",
    path: `/v1/datasets/d-${ID}`,
    method: "GET",
    status: 404,
    says: /d-0123456789abcdef/,
  },
  {
    what: "an id that is a path",
    path: "/v1/datasets/..%2F..%2Fetc%2Fpasswd",
    method: "GET",
    status: 400,
    says: /id to be the id of a dataset/,
    field: "id",
  },
  {
    what: "an id of another kind",
    path: `/v1/datasets/r-${ID}`,
    method: "GET",
    status: 400,
    says: /id to be the id of a dataset.*found "r-/,
    field: "id",
  },
  {
    what: "a page of 0",
    path: "/v1/datasets?limit=0",
    method: "GET",
    status: 400,
    says: /limit to be a whole number from 1 to 1000, found "0"/,
    field: "limit",
  },
  {
    what: "a page of words",
    path: "/v1/datasets?limit=all",
    method: "GET",
    status: 400,
    says: /limit/,
    field: "limit",
  },
  {
    what: "a page of hexadecimals",
    path: "/v1/datasets?limit=0x10",
    method: "GET",
    status: 400,
    says: /limit/,
    field: "limit",
  },
  {
    what: "trials that are not there",
    path: "/v1/datasets/{dataset}/spikes?first_trial=3&trials=2",
    method: "GET",
    status: 400,
    says: /within the 4 trials.*found trials 3 to 4/,
  },
  {
    what: "a dataset that a run uses",
    path: "/v1/datasets/{dataset}",
    method: "DELETE",
    status: 409,
    says: /run/,
  },

  // runs
  {
    what: "a run of nothing",
    path: "/v1/runs",
    body: {},
    status: 400,
    says: /expected a dataset or resumeFrom, found neither/,
  },
  {
    what: "a run of an unknown dataset",
    path: "/v1/runs",
    body: { dataset: `d-${ID}` },
    status: 404,
    says: /d-0123456789abcdef/,
  },
  {
    what: "a dataset that is a number",
    path: "/v1/runs",
    body: { dataset: 1 },
    status: 400,
    says: /dataset to be of type string, found 1/,
    field: "dataset",
  },
  {
    what: "an unknown field",
    path: "/v1/runs",
    body: { dataset: "{dataset}", sed: 1 },
    status: 400,
    says: /sed to be left out/,
    field: "sed",
  },
  {
    what: "an unknown hyperparameter",
    path: "/v1/runs",
    body: { dataset: "{dataset}", hyperparameters: { generatorUnit: 3 } },
    status: 400,
    says: /hyperparameters\.generatorUnit to be left out/,
    field: "hyperparameters.generatorUnit",
  },
  {
    what: "a hyperparameter out of bounds",
    path: "/v1/runs",
    body: { dataset: "{dataset}", hyperparameters: { factors: 0 } },
    status: 400,
    says: /hyperparameters\.factors to be at least 1, found 0/,
    field: "hyperparameters.factors",
  },
  {
    what: "a hyperparameter as a text",
    path: "/v1/runs",
    body: { dataset: "{dataset}", hyperparameters: { factors: "2" } },
    status: 400,
    says: /hyperparameters\.factors to be of type number, found "2"/,
    field: "hyperparameters.factors",
  },
  {
    what: "a hyperparameter that is null",
    path: "/v1/runs",
    body: { dataset: "{dataset}", hyperparameters: { steps: null } },
    status: 400,
    says: /found null/,
    field: "hyperparameters.steps",
  },
  {
    what: "hyperparameters at odds",
    path: "/v1/runs",
    body: { dataset: "{dataset}", hyperparameters: { inferredInputs: 1, controllerUnits: 0 } },
    status: 400,
    says: /inferredInputs 1 and controllerUnits 0/,
  },
  {
    what: "an unknown device",
    path: "/v1/runs",
    body: { dataset: "{dataset}", device: "cuda" },
    status: 400,
    says: /device to be one of auto, webgpu, wasm, reference, found "cuda"/,
    field: "device",
  },
  {
    what: "a seed that is no whole number",
    path: "/v1/runs",
    body: { dataset: "{dataset}", seed: 1.5 },
    status: 400,
    says: /seed/,
    field: "seed",
  },
  {
    what: "a negative seed",
    path: "/v1/runs",
    body: { dataset: "{dataset}", seed: -1 },
    status: 400,
    says: /seed to be at least 0, found -1/,
    field: "seed",
  },
  {
    what: "too many starts",
    path: "/v1/runs",
    body: { dataset: "{dataset}", starts: 1e6 },
    status: 400,
    says: /starts to be at most/,
    field: "starts",
  },
  {
    what: "the same bits on any GPU",
    path: "/v1/runs",
    body: { dataset: "{dataset}", device: "webgpu", reproducible: true },
    status: 400,
    says: /"webgpu"/,
  },
  {
    what: "a run as text",
    path: "/v1/runs",
    body: `{"dataset":"{dataset}"}`,
    type: "text/plain",
    status: 415,
    says: /application\/json/,
    field: "Content-Type",
  },
  {
    what: "a run without a type",
    path: "/v1/runs",
    body: new TextEncoder().encode(`{"dataset":"{dataset}"}`),
    type: null,
    status: 415,
    says: /found none/,
  },
  {
    what: "a run as a list",
    path: "/v1/runs",
    body: "[]",
    type: JSON_TYPE,
    status: 400,
    says: /the body to be of type object, found an array of 0/,
  },
  {
    what: "a large JSON body",
    path: "/v1/runs",
    body: `{"dataset":"${"x".repeat(300_000)}"}`,
    type: JSON_TYPE,
    status: 413,
    says: /at most 262144/,
  },
  {
    what: "going on from an unknown run",
    path: "/v1/runs",
    body: { resumeFrom: `r-${ID}` },
    status: 404,
    says: /r-0123456789abcdef/,
  },
  {
    what: "going on from a run that trains",
    path: "/v1/runs",
    body: { resumeFrom: "{run}" },
    status: 409,
    says: /expected a run that is over/,
  },
  {
    what: "cancelling an unknown run",
    path: `/v1/runs/r-${ID}/cancel`,
    status: 404,
    says: /r-0123456789abcdef/,
  },
  {
    what: "cancelling with words",
    path: "/v1/runs/{run}/cancel",
    body: { why: "so" },
    status: 400,
    says: /why to be left out/,
    field: "why",
  },
  {
    what: "deleting a run that trains",
    path: "/v1/runs/{run}",
    method: "DELETE",
    status: 409,
    says: /found/,
  },
  {
    what: "events after words",
    path: "/v1/runs/{run}/events?after=now",
    method: "GET",
    status: 400,
    says: /after to be a whole number/,
    field: "after",
  },
  {
    what: "events after a Last-Event-ID that is none",
    path: "/v1/runs/{run}/events",
    method: "GET",
    headers: { "last-event-id": "x" },
    status: 400,
    says: /Last-Event-ID to be a whole number/,
    field: "Last-Event-ID",
  },
  {
    what: "events of an unknown run",
    path: `/v1/runs/r-${ID}/events`,
    method: "GET",
    status: 404,
    says: /r-0123456789abcdef/,
  },

  // models
  {
    what: "a model that is none",
    path: "/v1/models",
    body: "hello",
    type: SAFETENSORS,
    status: 400,
    says: /expected .*found/,
  },
  {
    what: "a truncated model",
    path: "/v1/models",
    body: model.slice(0, -5),
    type: SAFETENSORS,
    status: 400,
    says: /expected .*found/,
  },
  {
    what: "data for a model",
    path: "/v1/models",
    body: valid,
    type: SAFETENSORS,
    status: 400,
    says: /expected .*found/,
  },
  {
    what: "a model of a huge header",
    path: "/v1/models",
    body: Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 127, 123),
    type: SAFETENSORS,
    status: 400,
    says: /expected .*found/,
  },
  {
    what: "a model as .npz",
    path: "/v1/models",
    body: model,
    type: NPZ,
    status: 415,
    says: /Content-Type/,
    field: "Content-Type",
  },
  {
    what: "an unknown model",
    path: `/v1/models/m-${ID}`,
    method: "GET",
    status: 404,
    says: /m-0123456789abcdef/,
  },
  {
    what: "parameters as a picture",
    path: "/v1/models/{model}/parameters",
    method: "GET",
    headers: { accept: "image/png" },
    status: 406,
    says: /Accept to be to allow .*found "image\/png"/,
    field: "Accept",
  },
  {
    what: "an Accept that is none",
    path: "/v1/models/{model}/parameters",
    method: "GET",
    headers: { accept: "a b c" },
    status: 400,
    says: /Accept/,
  },
  {
    what: "a report that nobody made",
    path: "/v1/models/{model}/report",
    method: "GET",
    status: 404,
    says: /no report/,
  },

  // inference
  {
    what: "inference by an unknown model",
    path: `/v1/models/m-${ID}/infer`,
    body: valid,
    type: NPZ,
    status: 404,
    says: /m-0123456789abcdef/,
  },
  {
    what: "spikes of other bins",
    path: "/v1/models/{model}/infer",
    body: npz({ spikes: spikes([2, T + 1, N]) }),
    type: NPZ,
    status: 400,
    says: /spikes of shape \[trials, 5, 3\].*found \[2, 6, 3\]/,
    field: "spikes",
  },
  {
    what: "spikes of other neurons",
    path: "/v1/models/{model}/infer",
    body: { spikes: [[[1, 2]]] },
    status: 400,
    says: /spikes/,
  },
  {
    what: "spikes of other neurons in the dataset",
    path: "/v1/models/{model}/infer/{other}",
    method: "POST",
    status: 400,
    says: /spikes of shape \[trials, 5, 3\]/,
    field: "spikes",
  },
  {
    what: "a raw tensor without its shape",
    path: "/v1/models/{model}/infer",
    body: new Uint8Array(T * N),
    type: "application/octet-stream",
    status: 400,
    says: /x-tensor-shape/,
  },
  {
    what: "a raw tensor of too few bytes",
    path: "/v1/models/{model}/infer",
    body: new Uint8Array(T * N - 1),
    type: "application/octet-stream",
    headers: { "x-tensor-shape": "1,5,3", "x-tensor-dtype": "uint8" },
    status: 400,
    says: /found/,
  },
  {
    what: "a raw tensor of a huge shape",
    path: "/v1/models/{model}/infer",
    body: new Uint8Array(4),
    type: "application/octet-stream",
    headers: { "x-tensor-shape": "999999999999999,5,3", "x-tensor-dtype": "f8" },
    status: 400,
    says: /found/,
  },
  {
    what: "too many samples",
    path: "/v1/models/{model}/infer?samples=99999999",
    body: valid,
    type: NPZ,
    status: 400,
    says: /samples to be a whole number from 0 to 65536/,
    field: "samples",
  },
  {
    what: "an unknown option",
    path: "/v1/models/{model}/infer?sample=3",
    body: valid,
    type: NPZ,
    status: 400,
    says: /found "sample"/,
  },
  {
    what: "an unknown output",
    path: "/v1/models/{model}/infer?outputs=rate",
    body: valid,
    type: NPZ,
    status: 400,
    says: /outputs/,
  },
  {
    what: "an option of the body and of the query",
    path: "/v1/models/{model}/infer?samples=1",
    body: { spikes: [], samples: 1 },
    status: 400,
    says: /expected/,
  },
  {
    what: "an answer in one array",
    path: "/v1/models/{model}/infer",
    body: valid,
    type: NPZ,
    headers: { accept: "application/x-npy" },
    status: 406,
    says: /hold one array/,
  },
  {
    what: "spikes as text",
    path: "/v1/models/{model}/infer",
    body: "1 2 3",
    type: "text/plain",
    status: 415,
    says: /Content-Type/,
  },
  {
    what: "OIP without inputs",
    path: "/v2/models/{model}/infer",
    body: {},
    status: 400,
    says: /inputs/,
  },
  {
    what: "OIP of an unknown model",
    path: "/v2/models/x/infer",
    body: {},
    status: 404,
    says: /"x"/,
  },
  {
    what: "OIP with a huge header",
    path: "/v2/models/{model}/infer",
    body: {},
    headers: { "inference-header-content-length": "99999" },
    status: 400,
    says: /inference-header-content-length/,
  },

  // analysis
  {
    what: "fixed points of an unknown model",
    path: `/v1/models/m-${ID}/fixed-points`,
    body: {},
    status: 404,
    says: /m-0123456789abcdef/,
  },
  {
    what: "no candidates",
    path: "/v1/models/{model}/fixed-points",
    body: { candidates: 0 },
    status: 400,
    says: /candidates to be at least 1, found 0/,
    field: "candidates",
  },
  {
    what: "a negative tolerance",
    path: "/v1/models/{model}/fixed-points",
    body: { search: { tol: -1 } },
    status: 400,
    says: /search\.tol to be more than 0, found -1/,
    field: "search.tol",
  },
  {
    what: "an unknown tolerance",
    path: "/v1/models/{model}/fixed-points",
    body: { search: { tolerance: 1 } },
    status: 400,
    says: /search\.tolerance to be left out/,
    field: "search.tolerance",
  },
  {
    what: "inputs that the model has not",
    path: "/v1/models/{model}/fixed-points",
    body: { input: [1, 2] },
    status: 400,
    says: /input/,
  },
  {
    what: "trials beside a dataset",
    path: "/v1/models/{model}/fixed-points",
    body: { dataset: "{dataset}", trials: 3 },
    status: 400,
    says: /expected trials to generate only without data/,
  },
  {
    what: "candidates from an unknown dataset",
    path: "/v1/models/{model}/fixed-points",
    body: { dataset: `d-${ID}` },
    status: 404,
    says: /d-0123456789abcdef/,
  },
  {
    what: "candidates from another dataset",
    path: "/v1/models/{model}/fixed-points",
    body: { dataset: "{other}" },
    status: 400,
    says: /expected spikes of 5 bins and 3 neurons/,
  },
  {
    what: "0 trials to generate",
    path: "/v1/models/{model}/generate",
    body: { trials: 0 },
    status: 400,
    says: /trials to be at least 1, found 0/,
    field: "trials",
  },
  {
    what: "too many trials to generate",
    path: "/v1/models/{model}/generate",
    body: { trials: 1_000_000, T: 100_000 },
    status: 400,
    says: /at most \d+ bytes, found/,
  },

  // paths and methods
  {
    what: "an unknown path",
    path: "/v1/dataset",
    method: "GET",
    status: 404,
    says: /openapi\.json, found GET \/v1\/dataset/,
  },
  {
    what: "another method",
    path: "/v1/datasets",
    method: "PUT",
    body: valid,
    type: NPZ,
    status: 405,
    says: /the method to be GET, HEAD, POST|POST, GET, HEAD/,
  },
  {
    what: "a method that nobody has",
    path: "/v1/runs",
    method: "BREW",
    status: 405,
    says: /found "?BREW/,
  },
  {
    what: "a parameter where there is none",
    path: "/healthz?verbose=1",
    method: "GET",
    status: 400,
    says: /verbose to be left out/,
    field: "verbose",
  },
];

const SETTINGS = {
  maxJsonBytes: 262_144,
  maxDatasetBytes: 262_144,
  maxDatasetUnpackedBytes: 2 ** 20,
  maxInferBytes: 262_144,
  maxModelBytes: 262_144,
  maxAnswerBytes: 2 ** 24,
};

/** A dataset, another of other shape, a model, and a run that trains. */
async function prepare({ ask, post }: TestServer): Promise<Record<string, string>> {
  const send = async (path: string, type: string, body: BodyInit) => {
    const answer = await ask(path, { method: "POST", headers: { "content-type": type }, body });
    const stored = await answer.json();
    assert.equal(answer.status, 201, stored.error);
    return stored.id as string;
  };
  const dataset = await send("/v1/datasets", NPZ, valid);
  const other = await send("/v1/datasets", NPZ, npz({ spikes: spikes([2, T + 2, N]) }));
  const imported = await send("/v1/models", SAFETENSORS, model);
  const run = await (await post("/v1/runs", {
    dataset,
    hyperparameters: ENDLESS,
    device: "wasm",
    reproducible: true,
  })).json();
  return { dataset, other, model: imported, run: run.id };
}

Deno.test("bad input is refused with 4xx naming field, wanted and found, and leaves nothing behind", () =>
  withServer(async (server) => {
    const ids = await prepare(server);
    const fill = (text: string) => text.replaceAll(/\{(\w+)\}/g, (all, name) => ids[name] ?? all);
    const kept = async () => {
      const names = await filesBelow(server.folder);
      // the run goes on meanwhile
      return names.filter((name) => !name.includes(ids.run) && !name.includes("sqlite"));
    };
    const before = await kept();
    const counts = await server.app.context.jobs.counts();
    const failures: string[] = [];
    for (
      const { what, path, method = "POST", body, type, headers = {}, status, says, field } of CASES
    ) {
      const plain = body !== undefined && typeof body === "object" && !(body instanceof Uint8Array);
      const text = plain
        ? fill(JSON.stringify(body))
        : body instanceof Uint8Array
        ? new Uint8Array(body)
        : typeof body === "string"
        ? fill(body)
        : undefined;
      const all = new Headers(headers);
      const contentType = type === undefined && plain ? JSON_TYPE : type;
      if (contentType) all.set("content-type", contentType);
      if (text !== undefined) {
        const length = typeof text === "string"
          ? new TextEncoder().encode(text).length
          : text.length;
        all.set("content-length", String(length));
      }
      // as bytes: fetch would give a string a type of its own
      const sent = typeof text === "string" ? new TextEncoder().encode(text) : text;
      const answer = await server.ask(fill(path), { method, headers: all, body: sent });
      const words = await answer.text();
      try {
        assert.equal(answer.status, status);
        assert.equal(answer.headers.get("content-type"), "application/json");
        const problem = JSON.parse(words);
        assert.match(problem.error, says);
        if (path.startsWith("/v2/")) continue; // the protocol's own form has the message alone
        assert.deepEqual(Object.keys(problem), ["error", "details"]);
        if (status !== 404 && status !== 409) assert(problem.details.length > 0, "no details");
        for (const detail of problem.details) {
          assert.deepEqual(Object.keys(detail), ["field", "wanted", "found"]);
          assert.notEqual(detail.wanted, "");
          assert.notEqual(detail.found, "");
        }
        if (field !== undefined) assert.equal(problem.details[0].field, field);
      } catch (error) {
        failures.push(
          `${what}: ${answer.status} ${words}\n  ${(error as Error).message.split("\n")[0]}`,
        );
      }
    }
    assert.deepEqual(failures, []);
    assert.deepEqual(await kept(), before);
    const { runs: _, ...after } = await server.app.context.jobs.counts();
    const { runs: __, ...stored } = counts;
    assert.deepEqual(after, stored);
    // and it still computes
    const answer = await server.ask(`/v1/models/${ids.model}/infer?samples=0`, {
      method: "POST",
      headers: { "content-type": NPZ },
      body: valid,
    });
    assert.equal(answer.status, 200, await answer.text());
  }, { settings: SETTINGS }));
