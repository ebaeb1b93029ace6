/** How much the server takes on, and for how long: one schema for the command line and for the app. */
import { z } from "zod";

const bytes = (size: number) => z.int().min(1).max(2 ** 40).default(size);
const milliseconds = (time: number) => z.int().min(1).max(86_400_000).default(time);
const whole = (number: number) => z.int().min(1).max(1_000_000).default(number);

const KiB = 2 ** 10, MiB = 2 ** 20, GiB = 2 ** 30;

export const settingsSchema = z.strictObject({
  maxJsonBytes: bytes(256 * KiB).describe("bytes of a JSON body"),
  maxInferBytes: bytes(64 * MiB).describe("bytes of a body to infer from"),
  maxUnpackedBytes: bytes(256 * MiB).describe("bytes that a body to infer from may unpack to"),
  maxDatasetBytes: bytes(1 * GiB).describe("bytes of a dataset that is sent"),
  maxDatasetUnpackedBytes: bytes(4 * GiB).describe("bytes that a dataset may unpack to"),
  maxModelBytes: bytes(1 * GiB).describe("bytes of a model that is sent"),
  maxBodiesBytes: bytes(2 * GiB).describe("bytes of all bodies that are held at a time"),
  maxAnswerBytes: bytes(256 * MiB).describe("bytes of an answer's arrays"),
  maxRequests: whole(256).describe("requests that are answered at a time"),
  maxStreams: whole(256).describe("streams of events that are open at a time"),
  maxWaitingRuns: whole(100).describe("runs that wait"),
  maxDatasets: whole(1000).describe("datasets"),
  maxModels: whole(10_000).describe("models"),
  requestsPerSecond: whole(5000).describe("requests of each key or address, on average"),
  requestsBurst: whole(10_000).describe("requests of each key or address at once"),
  timeoutMs: milliseconds(60_000).describe("milliseconds that an answer may take"),
  jobTimeoutMs: milliseconds(600_000).describe(
    "milliseconds that fixed points and generated trials may take",
  ),
  bodyTimeoutMs: milliseconds(600_000).describe("milliseconds that a body may take to arrive"),
  idleMs: milliseconds(20_000).describe(
    "milliseconds after which a client that neither sends nor takes anything is dropped",
  ),
  heartbeatMs: milliseconds(15_000).describe("milliseconds between signs of life in a stream"),
  drainMs: milliseconds(15_000).describe("milliseconds that a stopping server waits for answers"),
});

export type Settings = Readonly<z.infer<typeof settingsSchema>>;
