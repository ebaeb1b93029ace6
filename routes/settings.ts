/**
 * How much the server takes on, and for how long: one table for the command line and for the app. It is
 * plain, so that the launcher loads nothing for it.
 */

/** A whole number, and between what it may be. */
export interface Setting {
  readonly least: number;
  readonly most: number;
  readonly standard: number;
  readonly words: string;
}

const upTo = (most: number) => (standard: number, words: string): Setting => ({
  ...{ least: 1, most, standard, words },
});
const bytes = upTo(2 ** 40), milliseconds = upTo(86_400_000), whole = upTo(1_000_000);

const KiB = 2 ** 10, MiB = 2 ** 20, GiB = 2 ** 30;

export const SETTINGS = {
  maxJsonBytes: bytes(256 * KiB, "bytes of a JSON body"),
  maxInferBytes: bytes(64 * MiB, "bytes of a body to infer from"),
  maxUnpackedBytes: bytes(256 * MiB, "bytes that a body to infer from may unpack to"),
  maxDatasetBytes: bytes(1 * GiB, "bytes of a dataset that is sent"),
  maxDatasetUnpackedBytes: bytes(4 * GiB, "bytes that a dataset may unpack to"),
  maxModelBytes: bytes(1 * GiB, "bytes of a model that is sent"),
  maxBodiesBytes: bytes(2 * GiB, "bytes of all bodies that are held at a time"),
  maxAnswerBytes: bytes(256 * MiB, "bytes of an answer's arrays"),
  maxRequests: whole(256, "requests that are answered at a time"),
  maxStreams: whole(256, "streams of events that are open at a time"),
  maxWaitingRuns: whole(100, "runs that wait"),
  maxDatasets: whole(1000, "datasets"),
  maxModels: whole(10_000, "models"),
  requestsPerSecond: whole(5000, "requests of each key or address, on average"),
  requestsBurst: whole(10_000, "requests of each key or address at once"),
  timeoutMs: milliseconds(60_000, "milliseconds that an answer may take"),
  jobTimeoutMs: milliseconds(
    600_000,
    "milliseconds that fixed points and generated trials may take",
  ),
  bodyTimeoutMs: milliseconds(600_000, "milliseconds that a body may take to arrive"),
  idleMs: milliseconds(
    20_000,
    "milliseconds after which a client that neither sends nor takes anything is dropped",
  ),
  heartbeatMs: milliseconds(15_000, "milliseconds between signs of life in a stream"),
  awakeMs: {
    ...{ least: 0, most: 10_000, standard: 20 },
    words:
      "milliseconds that a processor stays awake for the next posterior mean, while no run trains",
  },
  drainMs: milliseconds(15_000, "milliseconds that a stopping server waits for answers"),
} as const;

export type Settings = Readonly<Record<keyof typeof SETTINGS, number>>;
